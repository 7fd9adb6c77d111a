"""What ought to come of an Execution: the workflow, evaluated as one would by hand.

No time, no pods, no API server: a recursive walk over the graph, over the same fates that the kubelet goes by. Where
nodes fail it goes on with all that doesn't need them; so ``phase`` says what any run has to come to, while a node may
also be Cancelled in a run that stopped at its first failure.

``sure`` is False where the outcome hangs on what the oracle doesn't know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tests.simulator.fates import End, Fate, as_call, is_recoverable
from tests.simulator.scenarios import Scenario, dynamic_workflow
from windlass_api import cel, graph, overrides, refs, types
from windlass_api.maps import required_successes
from windlass_api.validation import complete_inputs

Body = Mapping[str, Any]
Find = Callable[[str, str], Body]
SUCCEEDED, FAILED, SKIPPED, CANCELLED = "Succeeded", "Failed", "Skipped", "Cancelled"


@dataclass(slots=True)
class Node:
    """How a node ends, and what it gives."""

    phase: str
    outputs: dict[str, Any] = field(default_factory=dict)


BROKEN = Node(FAILED)
OUT_OF_TIME = End("out-of-time", "user", True, 0)


class Step(NamedTuple):
    """A node that starts."""

    node: Body
    path: str
    inputs: dict[str, Any]
    workflow: Body
    lookup: Callable[[refs.Ref], Any]
    run_spec: Body
    """The Execution's spec."""


@dataclass(slots=True)
class Oracle:
    """Evaluates one Execution."""

    scenario: Scenario
    find: Find
    nodes: dict[str, Node] = field(default_factory=dict)
    """All nodes by path."""
    sure: bool = True
    tolerant: bool = False
    """Whether a map goes on without some elements: what ends one that was foretold to succeed changes values then."""
    caching: bool = False
    """Whether an earlier result may have been taken, which can turn failures into successes."""

    def execution(self, spec: Body) -> Node:
        """What the Execution comes to."""
        given = spec.get("inputs") or {}
        if "task" in spec:
            task = self.find("Task", spec["task"]["name"])
            node = {
                "id": "n0",
                "task": spec["task"],
                "inputs": {key: {"$ref": f"inputs.{key}"} for key in task["inputs"]},
            }
            outputs = {
                key: {"type": each["type"], "from": {"$ref": f"nodes.n0.outputs.{key}"}}
                for key, each in task["outputs"].items()
            }
            return self.run({"inputs": task["inputs"], "nodes": [node], "outputs": outputs}, given, "", spec)
        if "launchPlan" in spec:
            return self.run(*self._planned(spec["launchPlan"]["name"], given), "", spec)
        return self.run(self.find("Workflow", spec["workflow"]["name"]), given, "", spec)

    def run(self, workflow: Body, given: Body, scope: str, run: Body) -> Node:
        """What a workflow comes to."""
        inputs, wrong = complete_inputs(workflow.get("inputs") or {}, given)
        if wrong:
            return BROKEN
        nodes = {node["id"]: node for node in workflow.get("nodes") or ()}
        upstreams = graph.upstreams(workflow)
        over: dict[str, Node] = {}

        def lookup(ref: refs.Ref) -> Any:
            if ref.node is not None and over[ref.node].phase != SUCCEEDED:
                self.sure = False
                return None
            values = inputs if ref.node is None else over[ref.node].outputs
            return refs.walk(values[ref.name], ref.path)

        for name in graph.topological_order(upstreams):
            node, path = nodes[name], f"{scope}{name}"
            before = {other: over[other].phase for other in upstreams[name]}
            over[name] = self.nodes[path] = self._stopped(node, before, lookup) or self._node(
                node, path, workflow, lookup, run
            )
        failed = any(node.phase == FAILED for node in over.values())
        end = BROKEN if failed else self._given(workflow, over, lookup)
        if end.phase == FAILED and workflow.get("onFailure"):
            handler = workflow["onFailure"]
            path = f"{scope}{handler['id']}"
            self.nodes[path] = self._node(handler, path, workflow, lookup, run)
        return end

    def _given(self, workflow: Body, over: Mapping[str, Node], lookup: Callable[[refs.Ref], Any]) -> Node:
        outputs: dict[str, Any] = {}
        for name, output in (workflow.get("outputs") or {}).items():
            sources = {ref.node for _, ref in refs.iter_refs(output["from"]) if ref.node is not None}
            if any(over[source].phase == SKIPPED for source in sources):
                if types.check_value(None, types.parse_type(output["type"])):
                    return BROKEN
                outputs[name] = None
            else:
                outputs[name] = refs.resolve(output["from"], lookup)
        return Node(SUCCEEDED, outputs)

    def _stopped(self, node: Body, before: Mapping[str, str], lookup: Callable[[refs.Ref], Any]) -> Node | None:
        """How a node ends that doesn't even start."""
        if FAILED in before.values() or CANCELLED in before.values():
            return Node(CANCELLED)
        read = {ref.node for ref in graph.refs_of(node) if ref.node is not None}
        if "select" not in node and any(before[source] == SKIPPED for source in read):
            return Node(SKIPPED)
        try:
            wanted = "when" not in node or cel.parse(node["when"]).evaluate(lookup)
        except cel.CelError:  # it compares what has no value
            return BROKEN
        return None if wanted else Node(SKIPPED)

    def _node(self, node: Body, path: str, workflow: Body, lookup: Callable[[refs.Ref], Any], run: Body) -> Node:
        """How a node ends that starts."""
        for kind, how in KINDS:
            if kind in node:
                inputs = {} if kind == "select" else refs.resolve(node.get("inputs") or {}, lookup)
                return how(self, Step(node, path, inputs, workflow, lookup, run))
        raise AssertionError(f"no kind of node is known: {node}")

    def _select(self, step: Step) -> Node:
        for case in step.node["select"]:
            try:
                holds = "when" not in case or cel.parse(case["when"]).evaluate(step.lookup) is True
            except cel.CelError:  # it asks for what was skipped
                self.sure = False
                return BROKEN
            if holds:
                return BROKEN if "fail" in case else Node(SUCCEEDED, refs.resolve(case["outputs"], step.lookup))
        return Node(SKIPPED)

    def _approve(self, step: Step) -> Node:
        yes, _, _ = self.scenario.fates.answer(step.node["approve"]["name"])
        return Node(SUCCEEDED, {"o0": step.inputs["value"]}) if yes else BROKEN

    def _wait(self, step: Step) -> Node:
        return Node(SUCCEEDED, {"o0": self.scenario.fates.answer(step.node["waitForInput"]["name"])[1]})

    def _sleep(self, step: Step) -> Node:
        return Node(SUCCEEDED)

    def _workflow(self, step: Step) -> Node:
        return self.run(
            self.find("Workflow", step.node["workflow"]["name"]), step.inputs, f"{step.path}.", step.run_spec
        )

    def _plan(self, step: Step) -> Node:
        return self._apart(step.run_spec, *self._planned(step.node["launchPlan"]["name"], step.inputs))

    def _call(self, step: Step) -> Node:
        spec = self._effective(step.node, step.workflow, step.run_spec)
        return self._task(spec, step.node["task"]["name"], step.inputs, step.run_spec)

    def _map(self, step: Step) -> Node:
        chosen, node, inputs, workflow, run = step.node["map"], step.node, step.inputs, step.workflow, step.run_spec
        lists = {name: inputs[name] for name in chosen["over"]}
        if len({len(each) for each in lists.values()}) > 1:
            return BROKEN
        count = len(next(iter(lists.values())))
        required = required_successes(count, chosen.get("minSuccesses"), chosen.get("minSuccessRatio"))
        self.sure = self.sure and required <= count
        self.tolerant = self.tolerant or required < count
        elements = [{**inputs, **{key: each[index] for key, each in lists.items()}} for index in range(count)]
        if "launchPlan" in node:
            name = node["launchPlan"]["name"]
            done = [self._apart(run, *self._planned(name, element)) for element in elements]
            gives = self._planned(name, {})[0]["outputs"]
        else:
            name = node["task"]["name"]
            spec = self._effective(node, workflow, run)
            done = [self._task(spec, name, element, run) for element in elements]
            gives = spec["outputs"]
        if sum(each.phase == SUCCEEDED for each in done) < required:
            return BROKEN
        return Node(SUCCEEDED, {output: [each.outputs.get(output) for each in done] for output in gives})

    def _planned(self, name: str, given: Body) -> tuple[Body, Body]:
        plan = self.find("LaunchPlan", name)
        inputs = {**(plan.get("defaultInputs") or {}), **given, **(plan.get("fixedInputs") or {})}
        return self.find("Workflow", plan["workflow"]["name"]), inputs

    def _apart(self, run: Body, workflow: Body, inputs: Body) -> Node:
        """An Execution of its own. Its nodes are not this one's."""
        child = Oracle(self.scenario, self.find, caching=self.caching)
        result = child.run(workflow, inputs, "", run)
        self.sure, self.caching = self.sure and child.sure, self.caching or child.caching
        self.tolerant = self.tolerant or child.tolerant
        return result

    def _effective(self, node: Body, workflow: Body, run: Body) -> Body:
        task = self.find("Task", node["task"]["name"])
        layers = (node.get("overrides"), run.get("overrides"))
        return overrides.effective(task, *layers, defaults=workflow.get("defaults"))

    def _called(self, fate: Fate, spec: Body) -> Fate:
        """The fate of a call, which may run out of time."""
        fate = as_call(fate)
        if spec.get("timeout") != "3s":
            return fate
        self.sure = self.sure and not self.scenario.trouble.broken  # its end may not be heard of in time
        if fate.runs <= 3:
            return fate
        return replace(fate, end=OUT_OF_TIME)

    def _task(self, spec: Body, name: str, given: Body, run: Body) -> Node:
        """Attempt after attempt, as far as the budgets go."""
        inputs, wrong = complete_inputs(spec.get("inputs") or {}, given)
        if wrong:
            return BROKEN
        self.caching = self.caching or "cache" in spec
        spent = {"user": 0, "system": 0}
        limits = {"user": int(spec.get("retries") or 0), "system": self.scenario.settings.system_retries}
        least, most = 64, 256
        need = self.scenario.fates.memory(name, inputs, least, most) if "maxMemory" in spec else 0
        attempt = 0
        while True:
            fate = self.scenario.fates.of(name, inputs, attempt)
            if "actor" in spec:
                fate = self._called(fate, spec)
            attempt += 1
            unsettled = fate.end.name in ("rejected", "bad-image", "lost")  # it never gets as far as using memory
            if need > least and not unsettled:
                need //= 2
                continue
            if need and fate.end.name == "out-of-memory":
                self.sure = False  # it may be given more, and need even more
            budget = fate.end.budget
            if budget == "none":
                break
            spent[budget] += 1
            may = budget == "system" or is_recoverable(fate, spec)
            if not may or spent[budget] > limits[budget]:
                return BROKEN
        if not spec["python"].get("dynamic"):
            return Node(
                SUCCEEDED,
                {key: self.scenario.fates.value(name, inputs, each["type"]) for key, each in spec["outputs"].items()},
            )
        inner = self._apart(run, dynamic_workflow(self.scenario.fates, name, inputs), {})
        if inner.phase == FAILED and limits["user"]:
            self.sure = False  # the task may be tried again
        return inner


KINDS: tuple[tuple[str, Callable[[Oracle, Step], Node]], ...] = (
    ("select", Oracle._select),
    ("sleep", Oracle._sleep),
    ("approve", Oracle._approve),
    ("waitForInput", Oracle._wait),
    ("map", Oracle._map),
    ("workflow", Oracle._workflow),
    ("launchPlan", Oracle._plan),
    ("task", Oracle._call),
)
"""How each kind of node ends. The first that a node has counts: a map stands beside a task."""
