"""What Hypothesis draws for `windlass_api`: types and their values, references, graphs, expressions, overrides."""

from __future__ import annotations

import base64
import json
import string
from typing import Any

from hypothesis import strategies as st

from windlass_api.refs import Ref
from windlass_api.types import (
    ANY,
    BOOL,
    BYTES,
    DATE,
    DATETIME,
    ENUM,
    FLOAT,
    INT,
    NON_FINITE,
    NONE,
    PICKLE,
    STR,
    STRUCT,
    TIMEDELTA,
    Type,
    dict_of,
    list_of,
    optional_of,
)

# Values

texts = st.text(max_size=8)
json_scalars = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
keys = texts | st.sampled_from(["$ref", "$literal", "$value", "$x"])
json_values: st.SearchStrategy[Any] = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)

# Types

key_types = st.sampled_from([STR, INT, FLOAT, BOOL, DATETIME, DATE, TIMEDELTA, BYTES, ENUM])
formatted_types = st.builds(
    Type,
    st.sampled_from(["file", "directory", "dataframe"]),
    st.just(()),
    st.just("") | st.from_regex(r"[a-z0-9][a-z0-9.]{0,5}", fullmatch=True),
)
scalar_types = st.sampled_from([ANY, NONE, STRUCT, PICKLE]) | key_types | formatted_types
types: st.SearchStrategy[Type] = st.recursive(
    scalar_types,
    lambda inner: st.one_of(
        inner.map(list_of),
        st.builds(dict_of, inner, key_types),
        inner.map(optional_of),
        st.lists(inner, min_size=2, max_size=3).map(lambda members: Type("union", tuple(members))),
    ),
    max_leaves=6,
)


def values_of(expected: Type) -> st.SearchStrategy[Any]:
    """Values which belong to a type."""
    scalars: dict[str, st.SearchStrategy[Any]] = {
        "any": json_values,
        "none": st.none(),
        "bool": st.booleans(),
        "int": st.integers(-(2**63), 2**63 - 1),
        "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.sampled_from(NON_FINITE),
        "str": st.text(max_size=8),
        "struct": st.dictionaries(texts, json_values, max_size=3),
        "datetime": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
        "date": st.dates().map(lambda day: day.isoformat()),
        "timedelta": st.from_regex(r"-?([0-9]{1,5}h)?[0-9]{1,3}(\.[0-9]{1,6})?s", fullmatch=True),
        "bytes": st.binary(max_size=8).map(lambda data: base64.b64encode(data).decode()),
        "enum": st.text(max_size=8) | st.integers() | st.booleans(),
    }
    for name in ("file", "directory", "dataframe", "pickle"):
        scalars[name] = st.fixed_dictionaries({"uri": st.text(min_size=1, max_size=8)}, optional={"format": texts})
    if expected.name in scalars:
        return scalars[expected.name]
    if expected.name == "list":
        return st.lists(values_of(expected.args[0]), max_size=3)
    if expected.name == "dict":
        return st.dictionaries(_keys_of(expected.args[0]), values_of(expected.args[1]), max_size=3)
    if expected.name == "optional":
        return st.none() | values_of(expected.args[0])
    return st.one_of([values_of(member) for member in expected.args])


def _keys_of(expected: Type) -> st.SearchStrategy[str]:
    """Keys of a dict: a scalar's JSON as text."""
    return values_of(expected).map(lambda key: key if isinstance(key, str) else json.dumps(key))


# References

identifiers = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
dns_labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
path_steps = st.text(max_size=6) | identifiers | st.integers(-99, 99)
refs = st.builds(
    Ref,
    node=st.none() | dns_labels | st.text(max_size=5),
    name=identifiers | st.text(max_size=5),
    path=st.lists(path_steps, max_size=4).map(tuple),
)

# Python names, as modules and functions have them, and what people come up with

python_names = st.text(alphabet=string.ascii_letters + string.digits + "_.-é ", min_size=1, max_size=24)

# Graphs


@st.composite
def dags(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Node ids with the ids each waits for; the order of the nodes says nothing."""
    names = draw(st.lists(dns_labels, min_size=1, max_size=10, unique=True))
    edges = {name: draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else [] for i, name in enumerate(names)}
    order = draw(st.permutations(names))
    return {name: tuple(edges[name]) for name in order}


ECHO = {
    "inputs": {"x": {"type": "any", "default": None}},
    "outputs": {"o0": {"type": "any"}},
    "python": {"entrypoint": "examples:echo"},
}


@st.composite
def workflows(draw: st.DrawFn, dag: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """A workflow of echoes with the edges of a graph, each drawn as a reference, a condition or mere order."""
    return {
        "inputs": {"start": {"type": "any", "default": 1}},
        "outputs": {f"out{i}": {"type": "any", "from": _ref(name)} for i, name in enumerate(dag)},
        "nodes": [_node(name, ups, [draw(st.sampled_from(_EDGES)) for _ in ups]) for name, ups in dag.items()],
    }


_EDGES = ("input", "when", "dependsOn")


def _node(name: str, ups: tuple[str, ...], kinds: list[str]) -> dict[str, Any]:
    by_kind = {edge: [up for up, kind in zip(ups, kinds, strict=True) if kind == edge] for edge in _EDGES}
    node: dict[str, Any] = {"id": name, "task": {"name": "echo"}}
    node["inputs"] = {"x": [{"$ref": "inputs.start"}, {"deep": [_ref(up) for up in by_kind["input"]]}]}
    if by_kind["when"]:
        node["when"] = " && ".join(f'nodes["{up}"].outputs.o0 != null' for up in by_kind["when"])
    if by_kind["dependsOn"]:
        node["dependsOn"] = by_kind["dependsOn"]
    return node


def _ref(node: str) -> dict[str, str]:
    return {"$ref": str(Ref(node, "o0"))}


# Expressions, each with the value that Python gives for it (None where it has none)

ERROR = object()


@st.composite
def int_expressions(draw: st.DrawFn, depth: int = 3) -> tuple[str, Any]:
    """An expression of ints and its value, or ERROR."""
    if depth == 0 or draw(st.booleans()):
        number = draw(st.integers(-9, 9))
        return str(number), number
    op = draw(st.sampled_from("+-*/%"))
    left, one = draw(int_expressions(depth - 1))
    right, other = draw(int_expressions(depth - 1))
    text = f"({left} {op} {right})"
    if one is ERROR or other is ERROR or (op in "/%" and other == 0):
        return text, ERROR
    return text, _compute(op, one, other)


def _compute(op: str, one: int, other: int) -> int:
    if op in "+-*":
        return {"+": one + other, "-": one - other, "*": one * other}[op]
    quotient = int(one / other)  # numbers this small divide exactly enough
    return quotient if op == "/" else one - quotient * other


@st.composite
def bool_expressions(draw: st.DrawFn, depth: int = 3) -> tuple[str, Any]:
    """An expression which is a bool, and its value, or ERROR: && and || forget errors where one side decides."""
    if depth == 0 or draw(st.booleans()):
        return draw(comparisons())
    op = draw(st.sampled_from(["&&", "||", "!"]))
    left, one = draw(bool_expressions(depth - 1))
    if op == "!":
        return f"!({left})", ERROR if one is ERROR else not one
    right, other = draw(bool_expressions(depth - 1))
    decisive = op == "||"
    value = decisive if decisive in (one, other) else ERROR if ERROR in (one, other) else not decisive
    return f"({left}) {op} ({right})", value


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[str, Any]:
    op = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
    left, one = draw(int_expressions(2))
    right, other = draw(int_expressions(2))
    if one is ERROR or other is ERROR:
        return f"{left} {op} {right}", ERROR
    table = {
        "==": one == other,
        "!=": one != other,
        "<": one < other,
        "<=": one <= other,
        ">": one > other,
        ">=": one >= other,
    }
    return f"{left} {op} {right}", table[op]


cel_texts = st.lists(
    st.sampled_from(
        [
            *("inputs", "nodes", ".x", ".outputs", ".o0", "['a-b']", "[0]", "[", "]", "(", ")", "1", "2.5", "'s'"),
            *("==", "!=", "<", "&&", "||", "!", "-", "+", "/", "in", "?", ":", ",", "size", "true", "null", " ", '"'),
        ]
    ),
    max_size=14,
).map("".join) | st.text(max_size=20)

# Overrides

quantities = st.sampled_from(["1", "500m", "64Mi", 2])
override_layers = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["a:1", "b:2"]),
        "env": st.dictionaries(st.sampled_from(["A", "B", "C"]), texts, max_size=3),
        "resources": st.fixed_dictionaries(
            {},
            optional={
                part: st.dictionaries(st.sampled_from(["cpu", "memory"]), quantities, max_size=2)
                for part in ("requests", "limits")
            },
        ),
        "labels": st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), max_size=2),
        "annotations": st.dictionaries(st.sampled_from(["a", "b"]), texts, max_size=2),
        "retries": st.integers(0, 5),
        "retryOn": st.lists(st.sampled_from(["any", "ValueError"]), max_size=2),
        "timeout": st.sampled_from(["90s", "0s"]),
        "queueTimeout": st.sampled_from(["10m", "0s"]),
        "pendingTimeout": st.sampled_from(["5m", "0s"]),
        "maxMemory": quantities,
        "interruptible": st.booleans(),
        "accelerator": st.sampled_from([{"device": "a", "partition": "p"}, {"device": "b"}]),
        "sharedMemory": st.sampled_from([{}, {"size": "1Gi"}]),
        "secrets": st.lists(st.sampled_from([{"group": "g"}, {"key": "k"}]), max_size=2),
        "cache": st.sampled_from([{"version": "1", "serialize": True}, {"version": "2"}, {"enabled": False}]),
        "deck": st.sampled_from([{"enabled": True, "fields": ["Input"]}, {"enabled": False}]),
        "podTemplate": st.sampled_from([{"spec": {"hostname": "x"}}, {"labels": {"a": "x"}}]),
        "podTemplateName": st.sampled_from(["base", "other"]),
    },
)
