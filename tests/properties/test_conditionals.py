"""Promises of conditionals for all workflows: they decide as Python's `if` does, here and in the emitted graph.

Programs are made up at random: sums, inputs and conditionals in each other, some with branches that fail. Each is run
in three ways: in plain Python; by calling the workflow that is made of it; and by evaluating that workflow's manifest
with the small interpreter below, which knows of nodes, `when` and `select` and of nothing else.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings, strategies as st

from windlass import _emit, task, workflow
from windlass._comparison import Comparison, Condition, Joined, Negation
from windlass._conditional import conditional
from windlass._exceptions import FlyteAssertion
from windlass._promise import Reference
from windlass_api import cel, graph, refs

OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class FailedError(Exception):
    """A branch that fails was taken."""


runs: list[str] = []


@task
def add(a: int, b: int) -> int:
    runs.append("add")
    return a + b


@task
def ignore(a: int) -> None:
    """Nothing."""


# A program is a tuple: ("constant", 3), ("input", "x"), ("sum", p, q), ("void", c, p, q): a conditional without outputs
# before q, ("choice", [(c, p), …], else), where else is a program or ("fail", "message").
# A condition is ("compare", op, p, q), ("and", c, d), ("or", c, d) or ("not", c).
Program = Any

simple = st.one_of(
    st.tuples(st.just("constant"), st.integers(-3, 3)),
    st.tuples(st.just("input"), st.sampled_from(["x", "y"])),
)
sums = st.recursive(simple, lambda inner: st.tuples(st.just("sum"), inner, inner), max_leaves=3)
conditions = st.recursive(
    st.tuples(st.just("compare"), st.sampled_from(list(OPERATORS)), sums, sums),
    lambda inner: st.one_of(
        st.tuples(st.just("and"), inner, inner),
        st.tuples(st.just("or"), inner, inner),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=3,
)


def larger(inner: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    """Programs with these in them."""
    ways = st.lists(st.tuples(conditions, inner), min_size=1, max_size=3)
    failing = st.tuples(st.just("fail"), st.sampled_from(["one", "two"]))
    return st.one_of(
        st.tuples(st.just("sum"), inner, inner),
        st.tuples(st.just("choice"), ways, st.one_of(inner, inner, failing)),
        st.tuples(st.just("void"), conditions, inner, inner),
    )


programs = st.recursive(sums, larger, max_leaves=8)


# ---- plain Python ----


def python(program: Program, inputs: Mapping[str, int]) -> int:
    """What it gives."""
    kind = program[0]
    if kind == "constant":
        return program[1]  # type: ignore[no-any-return]
    if kind == "input":
        return inputs[program[1]]
    if kind == "sum":
        return python(program[1], inputs) + python(program[2], inputs)
    if kind == "fail":
        raise FailedError(program[1])
    if kind == "void":
        if truth(program[1], inputs):
            python(program[2], inputs)
        return python(program[3], inputs)
    for condition, way in program[1]:
        if truth(condition, inputs):
            return python(way, inputs)
    return python(program[2], inputs)


def truth(condition: Any, inputs: Mapping[str, int]) -> bool:
    """Whether it is true."""
    kind = condition[0]
    if kind == "compare":
        return OPERATORS[condition[1]](python(condition[2], inputs), python(condition[3], inputs))  # type: ignore[no-any-return]
    if kind == "not":
        return not truth(condition[1], inputs)
    both = [truth(part, inputs) for part in condition[1:]]
    return all(both) if kind == "and" else any(both)


# ---- the workflow ----


def promise(program: Program, inputs: Mapping[str, Any]) -> Any:
    """The same, as a workflow's body says it."""
    kind = program[0]
    if kind == "constant":
        return program[1]
    if kind == "input":
        return inputs[program[1]]
    if kind == "sum":
        return add(a=promise(program[1], inputs), b=promise(program[2], inputs))
    if kind == "void":
        chain = conditional("void").if_(compared(program[1], inputs))
        chain.then(ignore(a=promise(program[2], inputs)))
        return promise(program[3], inputs)
    started = conditional("choice")
    chain = started.if_(compared(program[1][0][0], inputs)).then(promise(program[1][0][1], inputs))
    for condition, way in program[1][1:]:
        chain = chain.elif_(compared(condition, inputs)).then(promise(way, inputs))
    if program[2][0] == "fail":
        return chain.else_().fail(program[2][1])
    return chain.else_().then(promise(program[2], inputs))


def compared(condition: Any, inputs: Mapping[str, Any]) -> Any:
    """The condition of promises. Constants are added to 0, so that there always is one."""
    kind = condition[0]
    if kind == "compare":
        left = promise(("sum", ("constant", 0), condition[2]), inputs)
        return OPERATORS[condition[1]](left, promise(condition[3], inputs))
    if kind == "not":
        return ~compared(condition[1], inputs)
    left, right = compared(condition[1], inputs), compared(condition[2], inputs)
    return left & right if kind == "and" else left | right


def made_of(program: Program) -> Any:
    """The workflow."""

    @workflow
    def random_workflow(x: int, y: int) -> int:
        return promise(program, {"x": x, "y": y})  # type: ignore[no-any-return]

    return random_workflow


# ---- the manifest ----


def evaluated(spec: Mapping[str, Any], inputs: Mapping[str, Any]) -> int:
    """What the nodes of a manifest give."""
    outputs: dict[str, dict[str, Any]] = {}
    skipped: set[str] = set()
    lookup = refs.lookup_in(inputs, outputs)
    nodes = {node["id"]: node for node in spec.get("nodes", ())}
    for name in graph.topological_order(graph.upstreams(spec)):
        node = nodes[name]
        reads = {ref.node for _, ref in refs.iter_refs(node.get("inputs", {}))}
        if reads & skipped or not holds(node.get("when"), lookup, skipped):
            skipped.add(name)
        elif "select" in node:
            outputs[name] = selected(node["select"], lookup)
        else:
            runs.extend(["add"] * ("add" in node["task"]["name"]))
            given = refs.resolve(node.get("inputs", {}), lookup)
            outputs[name] = {"o0": given["a"] + given["b"]} if "add" in node["task"]["name"] else {}
    return refs.resolve(spec["outputs"]["o0"]["from"], lookup)  # type: ignore[no-any-return]


def holds(when: str | None, lookup: Any, skipped: set[str]) -> bool:
    """Whether a condition is true; one that reads of a skipped node is not."""
    if when is None:
        return True
    expression = cel.parse(when)
    if {ref.node for ref in expression.refs} & skipped:
        return False
    return expression.evaluate(lookup) is True


def selected(cases: list[dict[str, Any]], lookup: Any) -> dict[str, Any]:
    """The outputs of the first case that is true."""
    for case in cases:
        if "when" not in case or cel.parse(case["when"]).evaluate(lookup):
            if "fail" in case:
                raise FailedError(case["fail"])
            return refs.resolve(case["outputs"], lookup)  # type: ignore[no-any-return]
    raise AssertionError("no case is true")


def outcome(run: Any) -> Any:
    """What a run gives and how many tasks it ran, or that it failed."""
    runs.clear()
    try:
        return run(), len(runs)
    except (FailedError, ValueError) as error:
        return f"failed: {error}"


@settings(deadline=None, max_examples=150)
@given(programs, st.integers(-3, 3), st.integers(-3, 3))
def test_a_workflow_decides_as_python_does(program: Program, x: int, y: int) -> None:
    inputs = {"x": x, "y": y}
    entity = made_of(program)
    expected = outcome(lambda: python(program, inputs))
    here = outcome(lambda: entity(**inputs))
    spec = _emit.manifest(entity)["spec"]
    there = outcome(lambda: evaluated(spec, inputs))
    if isinstance(expected, str):
        assert here == expected
        assert isinstance(there, str)  # of several branches that fail, a graph may reach another one first
    else:
        assert here[0] == expected[0]
        assert here == there


# ---- conditions, of any values ----

small = st.integers(0, 2)
scalars = st.one_of(
    small,
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
values = st.one_of(scalars, st.lists(scalars, max_size=2), st.dictionaries(st.text(max_size=2), scalars, max_size=2))
NAMES = ("a", "b", "$", "odd name", 'q"')
operands = st.one_of(
    small.map(lambda value: ("value", value)),
    scalars.map(lambda value: ("value", value)),
    st.sampled_from(NAMES).map(lambda name: ("name", name)),
)
trees = st.recursive(
    st.tuples(st.sampled_from(list(OPERATORS)), operands, operands),
    lambda inner: st.one_of(st.tuples(st.sampled_from(["&&", "||"]), inner, inner), st.tuples(st.just("!"), inner)),
    max_leaves=5,
)


def condition_of(tree: Any, given: Mapping[str, Any] | None) -> Condition:
    """The condition of references, or, where values are given, of these."""

    def operand(which: tuple[str, Any]) -> Any:
        if which[0] == "value":
            return which[1]
        return Reference(None, which[1]) if given is None else given[which[1]]

    if tree[0] == "!":
        return Negation(condition_of(tree[1], given))
    if tree[0] in ("&&", "||"):
        return Joined(tree[0], condition_of(tree[1], given), condition_of(tree[2], given))
    return Comparison(tree[0], operand(tree[1]), operand(tree[2]), "here")


@settings(deadline=None, max_examples=300)
@given(trees, st.fixed_dictionaries(dict.fromkeys(NAMES, small | values)))
def test_the_text_of_a_condition_means_what_its_local_evaluation_says(tree: Any, given: dict[str, Any]) -> None:
    condition = condition_of(tree, None)
    expression = cel.parse(condition.text())
    try:
        expected = expression.evaluate(refs.lookup_in(given, {}))
    except cel.CelError:
        expected = "no truth"
    try:
        found: Any = condition_of(tree, given).holds()
    except FlyteAssertion:
        found = "no truth"
    assert found == expected
    filled = condition.filled(lambda binding: given[binding.name] if isinstance(binding, Reference) else binding)
    try:
        assert filled.holds() == expected
    except FlyteAssertion:
        assert expected == "no truth"
