"""Promises of the SDK for all workflows: what runs here is what the emitted graph says, and emission is stable.

Workflows are made up at random: tasks on ints, lists and structs, wired by constants, promises, parts of promises and
literals with both, with sub-workflows, several outputs and `>>` thrown in. Each is run in two ways: by calling it, and
by evaluating its manifest with the small interpreter below, which knows nothing of the SDK but the tasks' functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hypothesis import given, settings, strategies as st

from windlass import _emit, _graph_spec, task, workflow
from windlass_api import graph, names, refs
from windlass_api.manifests_check import validate_manifests
from windlass_api.v1alpha1.workflow import Workflow


@dataclass
class Box:
    size: int
    items: list[int]


class Parts(NamedTuple):
    box: Box
    total: int


@task
def add(a: int, b: int = 7) -> int:
    return a + b


@task
def gather(values: list[int]) -> list[int]:
    return sorted(values)


@task
def pack(size: int, items: list[int]) -> Parts:
    return Parts(Box(size, items), size + sum(items))


@task
def unpack(box: Box, notes: dict[str, int]) -> int:
    return box.size + len(box.items) + sum(notes.values())


@task
def say(text: str) -> None:
    print(end=text[:0])


@workflow
def sub(a: int, box: Box, by: int = 2) -> Parts:
    mixed = pack(size=add(a=a, b=by), items=[box.size, a])
    return mixed.box, mixed.total  # type: ignore[return-value]  # a tuple in the order of the fields


TASKS = {names.kubernetes_name(entity.name): entity for entity in (add, gather, pack, unpack, say)}

# A step is a choice of what to call and numbers that pick its arguments among what is there; 0 picks a constant.
Steps = list[tuple[str, list[int]]]
steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "default", "gather", "pack", "unpack", "sub", "say", "order"]),
        st.lists(st.integers(0, 30), min_size=4, max_size=4),
    ),
    min_size=1,
    max_size=12,
)


class World:
    """The promises made so far, by type."""

    def __init__(self, n: int) -> None:
        self.ints: list[Any] = [n]
        self.boxes: list[Any] = [Box(3, [1, 2])]
        self.calls: list[Any] = []

    def number(self, choice: int) -> Any:
        return choice if choice % 3 == 0 else self.ints[choice % len(self.ints)]

    def box(self, choice: int) -> Any:
        return self.boxes[choice % len(self.boxes)]

    def step(self, what: str, picks: list[int]) -> None:
        """Makes one call."""
        a, b = self.number(picks[0]), self.number(picks[1])
        if what == "order" and len(self.calls) > 1:
            earlier, later = sorted((picks[0] % len(self.calls), picks[1] % len(self.calls)))
            if earlier != later:
                self.calls[earlier] >> self.calls[later]
        elif what in ("pack", "sub"):
            parts: Any = pack(size=a, items=[b, 5]) if what == "pack" else sub(a, self.box(picks[2]))
            self.boxes.append(parts.box)
            self.ints += [parts.total, parts.box.size, parts.box.items[-1]]
            self.calls.append(parts)
        elif what == "say":
            self.calls.append(say(text="x"))  # a void promise
        elif what != "order":
            self.calls.append(self.of_int(what, a, b, picks))

    def of_int(self, what: str, a: Any, b: Any, picks: list[int]) -> Any:
        calls: dict[str, Callable[[], Any]] = {
            "add": lambda: add(a=a, b=b),
            "default": lambda: add(a),
            "gather": lambda: gather(values=[a, b, 3]),
            "unpack": lambda: unpack(box=self.box(picks[2]), notes={"a": a, "b b": b}),
        }
        made = calls[what]()
        self.ints.append(made[picks[3] % 3 - 1] if what == "gather" else made)
        return made


def made_up(plan: Steps) -> Any:
    """A workflow that follows the plan."""

    @workflow
    def random_workflow(n: int = 1) -> tuple[int, list[int], Box]:
        world = World(n)
        for what, picks in plan:
            world.step(what, picks)
        return world.ints[-1], [*world.ints[-3:], 4], world.boxes[-1]

    return random_workflow


def evaluate(spec: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a workflow's manifest: nodes in an order that the contract allows, values by reference."""
    outputs: dict[str, dict[str, Any]] = {}
    lookup = refs.lookup_in(inputs, outputs)
    nodes = {node["id"]: node for node in spec.get("nodes", ())}
    for name in reversed_where_possible(graph.upstreams(spec)):
        node = nodes[name]
        outputs[name] = call(node["task"]["name"], refs.resolve(node.get("inputs", {}), lookup))
    return {name: refs.resolve(output["from"], lookup) for name, output in spec["outputs"].items()}


def call(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A task on JSON: what a pod does."""
    entity: Any = TASKS[name]
    arguments = {key: Box(**value) if key == "box" else value for key, value in json.loads(json.dumps(inputs)).items()}
    result = entity.function(**arguments)
    values = result if isinstance(result, tuple) else (result,)
    return {
        output: vars(value) if isinstance(value, Box) else value
        for output, value in zip(entity.interface.outputs, values, strict=False)
    }


def reversed_where_possible(ups: Mapping[str, tuple[str, ...]]) -> list[str]:
    """An order that respects the edges and little else: later nodes first."""
    order: list[str] = []
    left = dict(ups)
    while left:
        ready = [name for name, before in left.items() if set(before) <= set(order)]
        order.append(ready[-1])
        del left[ready[-1]]
    return order


def as_json(result: Any) -> dict[str, Any]:
    """What a local call returned, as the contract writes it."""
    return {"o0": result[0], "o1": result[1], "o2": vars(result[2])}


@settings(deadline=None, max_examples=100)
@given(steps, st.integers(-5, 50))
def test_a_local_run_gives_what_the_emitted_graph_evaluates_to(plan: Steps, n: int) -> None:
    entity = made_up(plan)
    spec = _emit.manifest(entity)["spec"]
    assert as_json(entity(n=n)) == evaluate(spec, {"n": n})
    assert as_json(entity()) == evaluate(spec, {"n": spec["inputs"]["n"]["default"]})


@settings(deadline=None, max_examples=100)
@given(steps)
def test_what_is_emitted_is_valid_and_survives_the_models_unchanged(plan: Steps) -> None:
    entity = made_up(plan)
    objects = _emit.manifests(_emit.complete([entity]))
    assert validate_manifests(objects) == []
    manifest = objects[-1]
    parsed = Workflow.model_validate(manifest)
    assert parsed.model_dump(by_alias=True, exclude_unset=True) == manifest
    assert json.loads(json.dumps(manifest)) == manifest


@settings(deadline=None, max_examples=50)
@given(steps)
def test_compiling_the_same_body_again_gives_the_same_manifest(plan: Steps) -> None:
    assert _emit.manifest(made_up(plan)) == _emit.manifest(made_up(plan))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "$ref", "$x", ""]) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(json_values)
def test_any_constant_comes_back_from_its_manifest_as_it_was(value: Any) -> None:
    def never(ref: refs.Ref) -> Any:
        raise AssertionError(f"a constant became the reference {ref}")

    assert refs.resolve(_graph_spec.encode(value), never) == value
    assert _graph_spec.encode(value) == refs.escape(value)
