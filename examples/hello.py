"""Two typed tasks and a workflow: the smallest thing worth running.

windlass run examples/hello.py hello --name Ada                       # here
windlass run examples/hello.py hello --name Ada --remote              # in a cluster, one pod per task
windlass render examples/hello.py -o manifests/                       # YAML for kubectl, Argo CD or Flux
"""

from windlass import task, workflow


@task
def greet(name: str) -> str:
    return f"Hello, {name}!"


@task
def emphasise(text: str, times: int = 1) -> str:
    return text.rstrip("!") + "!" * times


@workflow
def hello(name: str = "world") -> str:
    return emphasise(text=greet(name=name), times=3)
