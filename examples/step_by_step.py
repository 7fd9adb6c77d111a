"""Workflows put together step by step, for when a function's body is not the way.

    windlass run examples/step_by_step.py greetings --names '["Ada", "Grace"]'

An imperative `Workflow` gets inputs, entities and outputs added to it; the graph is the same as a body's.
"""

from windlass import Workflow, task


@task
def greet_all(names: list[str], word: str) -> list[str]:
    return [f"{word}, {name}!" for name in names]


@task
def joined(lines: list[str]) -> str:
    return " ".join(lines)


greetings = Workflow(name="step_by_step.greetings")
greetings.add_workflow_input("names", list[str])
greeted = greetings.add_entity(greet_all, names=greetings.inputs["names"], word="Hello")
line = greetings.add_entity(joined, lines=greeted.outputs["o0"])
greetings.add_workflow_output("line", line.outputs["o0"])
