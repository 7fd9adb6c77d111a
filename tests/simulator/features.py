"""What a scenario may have: kinds of nodes, and abilities of tasks, of workflows and of whole runs.

A new kind of node is a function in ``NODES``: it adds a node to a ``Draft`` and says what the node gives. A new ability
of whole runs is a function in ``RUNS``, one of tasks in ``TASKS``, one of workflows in ``WORKFLOWS``. Each names the
rows of ``core.unsupported`` that stand in its way; while one of them is there it is left out, so that what the operator
learns is simulated from the moment its row goes. What it means is said in ``oracle``.

All values are ints and lists of ints, so that anything may be wired to anything of its type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulator.fates import EXCEPTIONS
from windlass_api import names
from windlass_operator.core import unsupported

if TYPE_CHECKING:
    from tests.simulator.scenarios import Maker

Body = dict[str, Any]
NAMESPACE = "ns"
INT, LIST, LOOSE = "int", "list[int]", "list[optional[int]]"
INTERFACE: Body = {"n": {"type": INT, "default": 7}, "xs": {"type": LIST, "default": []}}
"""The inputs of every workflow. The outputs are ``o0``, an int, and ``all``, what all nodes gave."""


class Act(NamedTuple):
    """Something that a person does."""

    at: float
    verb: str
    """``apply``, ``remove``, ``cancel``, ``suspend`` or ``resume``."""
    kind: str
    name: str
    body: Body | None = None


@dataclass(slots=True)
class Draft:
    """A workflow in the making."""

    name: str
    dice: Random
    maker: Maker
    nodes: list[Body] = field(default_factory=list)
    gives: dict[str, list[str]] = field(default_factory=lambda: {INT: ["inputs.n"], LIST: ["inputs.xs"], LOOSE: []})
    """References by type."""

    def operand(self, kind: str) -> Any:
        """An input of a type: a reference, or data."""
        dice = self.dice
        if kind == LIST and dice.random() < 0.3:
            return [self.operand(INT) for _ in range(dice.choice((0, 1, 2, 3, 12)))]
        if dice.random() < 0.15:
            return dice.randrange(100) if kind == INT else []
        return {"$ref": self._near(self.gives[kind])}

    def condition(self) -> str:
        """A question about an int."""
        found = self._near(self.gives[INT])
        return f"{_in_cel(found)} {self.dice.choice(('<', '>', '!='))} {self.dice.choice((20, 50, 80))}"

    def _near(self, known: list[str]) -> str:
        """Often the newest one: chains are of interest as well."""
        return known[-1] if self.dice.random() < 0.5 else self.dice.choice(known)

    def add(self, node: Body, kind: str) -> None:
        """Take a node that gives an ``o0`` of this type."""
        self.nodes.append(node)
        self.gives[kind].append(f"nodes.{node['id']}.outputs.o0")


class Feature(NamedTuple):
    """Something that a scenario may have."""

    make: Callable[..., Any]
    weight: int
    needs: tuple[tuple[str, str], ...] = ()
    """Rows of ``core.unsupported`` that keep it out."""

    @property
    def possible(self) -> bool:
        """Whether the operator under test can do it."""
        return all(supported(*row) for row in self.needs)


def supported(where: str, what: str) -> bool:
    """Whether the operator can do what a row of ``core.unsupported`` says that it can't."""
    return everything or all((row.where, row.field) != (where, what) for row in unsupported.ROWS)


everything = False
"""Whether scenarios have all there is, whatever the operator can do: for tests of the scenarios themselves."""


def task_node(draft: Draft, node: Body) -> None:
    """A task: an int of two, of a list, or a list of an int."""
    task = draft.dice.choice(draft.maker.tasks_of("plain"))
    kind = draft.maker.kind_of(task)
    node["task"] = {"name": task}
    node["inputs"] = {key: draft.operand(each["type"]) for key, each in draft.maker.tasks[task]["inputs"].items()}
    if draft.dice.random() < 0.15:
        node["overrides"] = {"retries": draft.dice.randrange(3)}
    draft.add(node, kind)


def map_node(draft: Draft, node: Body) -> None:
    """A task for each element of a list."""
    dice = draft.dice
    task = dice.choice([name for name in draft.maker.tasks_of("plain") if "a" in draft.maker.tasks[name]["inputs"]])
    if draft.maker.kind_of(task) != INT:
        return task_node(draft, node)
    over: Body = {"over": ["a"]}
    over |= dice.choice(
        ({}, {}, {"minSuccesses": dice.randrange(4)}, {"minSuccessRatio": dice.choice((0.0, 0.5, 0.9))})
    )
    if dice.random() < 0.5:
        over["concurrency"] = dice.randrange(4)
    node |= {"task": {"name": task}, "map": over, "inputs": {"a": draft.operand(LIST), "b": draft.operand(INT)}}
    draft.add(node, _gives(over))
    return None


def _gives(over: Body) -> str:
    """The type of a map's results: with some to spare, there may be nothing in their places."""
    return LOOSE if over.keys() & {"minSuccesses", "minSuccessRatio"} else LIST


def map_of_runs_node(draft: Draft, node: Body) -> None:
    """An Execution for each element of a list: a run of a launch plan, or what a task gives a workflow for."""
    dice = draft.dice
    over: Body = dice.choice(({}, {"minSuccesses": dice.randrange(3)}, {"minSuccessRatio": 0.5}))
    if dice.random() < 0.6:
        over = {**over, "concurrency": dice.randrange(1, 3)}
    if draft.maker.plans and dice.random() < 0.7:
        plan = dice.choice(list(draft.maker.plans))
        node |= {"launchPlan": {"name": plan}, "map": {"over": ["n"], **over}, "inputs": {"n": draft.operand(LIST)}}
    else:
        task = dice.choice(draft.maker.tasks_of("dynamic"))
        node |= {"task": {"name": task}, "map": {"over": ["a"], **over}, "inputs": {"a": draft.operand(LIST)}}
    draft.add(node, _gives(over))


def call_node(draft: Draft, node: Body) -> None:
    """A task that a warm worker runs, or such a task for each element of a list."""
    calls = draft.maker.tasks_of("call")
    if not calls:
        return task_node(draft, node)
    node |= {"task": {"name": calls[0]}, "inputs": {"a": draft.operand(INT), "b": draft.operand(INT)}}
    if draft.dice.random() < 0.3:
        node["map"] = {"over": ["a"], **draft.dice.choice(({}, {"concurrency": 2}))}
        node["inputs"]["a"] = draft.operand(LIST)
    elif draft.dice.random() < 0.15:
        node["overrides"] = {"retries": draft.dice.randrange(3)}
    draft.add(node, LIST if "map" in node else INT)
    return None


def workflow_node(draft: Draft, node: Body) -> None:
    """A workflow that was made before this one."""
    _call(draft, node, "workflow", draft.maker.workflows)


def plan_node(draft: Draft, node: Body) -> None:
    """A launch plan: an Execution of its own."""
    _call(draft, node, "launchPlan", draft.maker.plans)


def _call(draft: Draft, node: Body, what: str, among: dict[str, Body]) -> None:
    if not among:
        return task_node(draft, node)
    name = draft.dice.choice(list(among))
    node |= {what: {"name": name}, "inputs": {"n": draft.operand(INT)}}
    if draft.dice.random() < 0.5 and "fixedInputs" not in among[name]:
        node["inputs"]["xs"] = draft.operand(LIST)
    draft.add(node, INT)
    return None


def dynamic_node(draft: Draft, node: Body) -> None:
    """A task that gives a workflow."""
    node |= {"task": {"name": draft.dice.choice(draft.maker.tasks_of("dynamic"))}, "inputs": {"a": draft.operand(INT)}}
    draft.add(node, INT)


def select_node(draft: Draft, node: Body) -> None:
    """A choice."""
    cases: list[Body] = []
    count = draft.dice.randrange(1, 4)
    for number in range(count):
        fails = number < count - 1 and draft.dice.random() < 0.2
        case: Body = {"fail": "none of that"} if fails else {"outputs": {"o0": draft.operand(INT)}}
        cases.append({"when": draft.condition(), **case})
    if draft.dice.random() < 0.5:
        cases[-1].pop("when")
    draft.add({**node, "select": cases}, INT)


def approve_node(draft: Draft, node: Body) -> None:
    """A value that somebody approves."""
    draft.add({**node, "approve": _gate(draft, node), "inputs": {"value": draft.operand(INT)}}, INT)


def input_node(draft: Draft, node: Body) -> None:
    """A value that somebody gives."""
    draft.add({**node, "waitForInput": {**_gate(draft, node), "type": INT}}, INT)


def _gate(draft: Draft, node: Body) -> Body:
    return {"name": f"{draft.name} {node['id']}"}


def sleep_node(draft: Draft, node: Body) -> None:
    """A pause, which gives nothing."""
    draft.nodes.append({**node, "sleep": {"duration": draft.dice.choice(("0s", "1s", "20s", "1m30s"))}})


NODES = (
    Feature(task_node, 12),
    Feature(map_node, 4, (("node", "map"),)),
    Feature(map_of_runs_node, 1, (("node", "map"), ("node", "launchPlan"), ("task", "python.dynamic"))),
    Feature(call_node, 10, (("kind", "ActorEnvironment"), ("task", "actor"))),
    Feature(workflow_node, 3, (("node", "workflow"),)),
    Feature(plan_node, 2, (("node", "launchPlan"), ("kind", "LaunchPlan"))),
    Feature(dynamic_node, 2, (("task", "python.dynamic"),)),
    Feature(select_node, 3, (("node", "select"),)),
    Feature(approve_node, 1, (("node", "approve"),)),
    Feature(input_node, 1, (("node", "waitForInput"),)),
    Feature(sleep_node, 1, (("node", "sleep"),)),
)


def retries(spec: Body, dice: Random) -> None:
    """Further attempts."""
    spec["retries"] = dice.randrange(4)


def retry_on(spec: Body, dice: Random) -> None:
    """Further attempts after some exceptions."""
    spec |= {"retries": 2, "retryOn": ["any"] if dice.random() < 0.3 else dice.sample(EXCEPTIONS, 2)}


def code(spec: Body, dice: Random) -> None:
    """Its code is in a ConfigMap."""
    spec["python"]["code"] = {"configMap": f"code-{dice.randrange(2)}"}


def cache(spec: Body, dice: Random) -> None:
    """Results are taken again."""
    spec["cache"] = {"version": "1", "serialize": dice.random() < 0.5}
    if dice.random() < 0.2:
        spec["cache"]["expiresAfter"] = "30s"


def interruptible(spec: Body, _: Random) -> None:
    """It may run where nodes go away."""
    spec["interruptible"] = True


def memory(spec: Body, _: Random) -> None:
    """After running out of memory it gets twice as much."""
    spec |= {"resources": {"limits": {"memory": "64Mi"}}, "maxMemory": "256Mi"}


def patience(spec: Body, dice: Random) -> None:
    """It has so much time, which is always enough unless something goes wrong."""
    spec[dice.choice(("timeout", "queueTimeout", "pendingTimeout"))] = "30m"


TASKS = (
    Feature(retries, 6),
    Feature(retry_on, 3),
    Feature(code, 1),
    Feature(cache, 3, (("overrides", "cache"),)),
    Feature(interruptible, 1, (("overrides", "interruptible"),)),
    Feature(memory, 2, (("overrides", "maxMemory"),)),
    Feature(patience, 2, (("overrides", "timeout"), ("overrides", "queueTimeout"), ("overrides", "pendingTimeout"))),
)


def short(spec: Body, dice: Random) -> None:
    """A call may take so long, which is not always enough."""
    spec |= {"timeout": "3s", "retries": dice.randrange(3)}


CALLS = (
    Feature(retries, 6),
    Feature(retry_on, 3),
    Feature(cache, 3, (("overrides", "cache"),)),
    Feature(short, 2),
)
"""Of tasks that warm workers run."""


def patient(draft: Draft, spec: Body) -> None:
    """A failure lets run what doesn't need the node that failed."""
    spec["failurePolicy"] = "FailAfterExecutableNodesComplete"


def on_failure(draft: Draft, spec: Body) -> None:
    """Something runs when it has failed."""
    spec["onFailure"] = {"id": "fn0", "task": {"name": draft.maker.tasks_of("plain")[0]}, "inputs": {}}
    spec["onFailure"]["inputs"] = {"a": {"$ref": "inputs.n"}}


WORKFLOWS = (
    Feature(patient, 3, (("workflow", "failurePolicy"),)),
    Feature(on_failure, 3, (("workflow", "onFailure"),)),
)


def cancelled(maker: Maker, run: Act) -> None:
    """Somebody stops it."""
    maker.later("cancel", run, maker.moment())


def suspended(maker: Maker, run: Act) -> None:
    """Somebody halts it for a while."""
    start = maker.moment()
    maker.later("suspend", run, start)
    maker.later("resume", run, start + 0.1 + maker.moment())


def deleted(maker: Maker, run: Act) -> None:
    """Somebody deletes it, and perhaps runs another of the same name."""
    after = maker.moment()
    maker.later("remove", run, after)
    if maker.dice.random() < 0.4:
        maker.acts.append(run._replace(at=run.at + after + maker.dice.choice((0.01, 1, 20))))


def resumed(maker: Maker, run: Act) -> None:
    """Another run takes the results of this one."""
    name = f"{run.name}r"
    spec = {**(run.body or {})["spec"], "resumeFrom": {"execution": run.name}}
    maker.acts.append(Act(run.at + maker.moment() + 20, "apply", "Execution", name, manifest("Execution", name, spec)))


def wrong_inputs(maker: Maker, run: Act) -> None:
    """It is given what it can't take."""
    assert run.body is not None
    run.body["spec"]["inputs"] = {"n": "seven"}
    if maker.dice.random() < 0.5:
        short_lived(maker, run)


def short_lived(maker: Maker, run: Act) -> None:
    """It goes a while after its end."""
    assert run.body is not None
    run.body["spec"]["ttlAfterFinished"] = maker.dice.choice(("0s", "20s"))


def narrow(maker: Maker, run: Act) -> None:
    """Few of its nodes are at work at a time."""
    assert run.body is not None
    run.body["spec"]["maxParallelism"] = maker.dice.randrange(3)


def fresh(maker: Maker, run: Act) -> None:
    """It takes nothing from the cache."""
    assert run.body is not None
    run.body["spec"]["overwriteCache"] = True


RUNS = (
    Feature(cancelled, 3),
    Feature(deleted, 2),
    Feature(wrong_inputs, 1),
    Feature(suspended, 2, (("execution", "suspend"),)),
    Feature(resumed, 2, (("execution", "resumeFrom"),)),
    Feature(short_lived, 1, (("execution", "ttlAfterFinished"),)),
    Feature(narrow, 2, (("execution", "maxParallelism"),)),
    Feature(fresh, 1, (("execution", "overwriteCache"), ("overrides", "cache"))),
)


def manifest(kind: str, name: str, spec: Body) -> Body:
    """An object as people apply it."""
    meta = {"name": name, "namespace": NAMESPACE}
    if kind == "ConfigMap":
        return {"apiVersion": "v1", "kind": kind, "metadata": meta, **spec}
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": meta, "spec": spec}


def chosen(dice: Random, among: Sequence[Feature], chance: float) -> list[Feature]:
    """At most one, for a history that has everything shows little."""
    possible = [feature for feature in among if feature.possible]
    if not possible or dice.random() >= chance:
        return []
    return dice.choices(possible, [feature.weight for feature in possible])


def _in_cel(ref: str) -> str:
    """CEL knows no dash in a name."""
    root, _, rest = ref.partition(".")
    node, _, output = rest.partition(".")
    return f"nodes['{node}'].{output}" if root == "nodes" and "-" in node else ref
