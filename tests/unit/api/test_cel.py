"""Expressions, by example; for what holds for all of them see tests/properties/test_api_cel.py."""

from __future__ import annotations

import math
from typing import Any

import pytest

from windlass_api.cel import CelError, CelSyntaxError, parse
from windlass_api.refs import Ref, RefValueError, lookup_in

VALUES = lookup_in(
    {"n": 5, "f": 2.5, "s": "text", "b": True, "none": None, "list": [1, "a", None], "map": {"k": 1}, "i": 1},
    {"a": {"o0": {"b": [10, 20]}}, "my-node": {"o0": 3}},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 == 1.0", True),
        ("2 > 1.5", True),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / -2", -3),
        ("-7 % 2", -1),
        ("7 % -2", 1),
        ("1.0 / 2.0", 0.5),
        ("1.0 / 0.0", math.inf),
        ("-1.0 / 0.0", -math.inf),
        ("1 + 2 * 3 - 4", 3),
        ("(1 + 2) * 3", 9),
        ("2 - 1 - 1", 0),
        ("-2 * -3", 6),
        ("- 2", -2),
        ("-inputs.n", -5),
        ("0x1F + 1", 32),
        (".5 + 1e1", 10.5),
        ("-9223372036854775808", -(2**63)),
        ("'a' + \"b\"", "ab"),
        ("[1] + [2, 3]", [1, 2, 3]),
        (r"'\n\x41\u00e9\101\''", "\nAéA'"),
        (r"r'\n'", "\\n"),
        ("true ? 1 : 1/0", 1),
        ("false ? 1 : true ? 2 : 3", 2),
        ("!true || !false", True),
        ("1 < 2 && 2 < 3", True),
        ("'a' < 'b'", True),
        ("false < true", True),
        ("1 in [1.0]", True),
        ("'k' in inputs.map", True),
        ("1 in ['1']", False),
        ("null in inputs.list", True),
        ("[1, [2.0]] == [1.0, [2]]", True),
        ("['1'] == [1]", False),
        ("inputs.none == null", True),
        ("inputs.n != null", True),
        ("size('häh')", 3),
        ("inputs.list.size() + size(inputs.map)", 4),
        ("inputs.s.startsWith('te') && inputs.s.endsWith('xt') && inputs.s.contains('ex')", True),
        ("double(inputs.n) + inputs.f", 7.5),
        ("int(-2.9) + int('7')", 5),
        ("double('1.5')", 1.5),
        ("nodes.a.outputs.o0.b[1]", 20),
        ("nodes['my-node'].outputs.o0 > 2", True),
        ("inputs.list[inputs.i]", "a"),
        ("inputs.list[-1]", None),
        ("inputs.map['k']", 1),
        ("[1, 2][0]", 1),
        ("inputs.n > 1 // a comment", True),
    ],
)
def test_expressions_have_the_value_that_cel_gives_them(text: str, value: Any) -> None:
    result = parse(text).evaluate(VALUES)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 + 1.0", "`+` does not fit int and double; double(…) and int(…) convert"),
        ("1 + 'a'", "`+` does not fit int and string"),
        ("1 == '1'", "`==` does not fit int and string"),
        ("true == 1", "`==` does not fit bool and int"),
        ("'a' < 1", "`<` does not fit string and int"),
        ("null < 1", "`<` does not fit null and int"),
        ("[1] < [2]", "`<` does not fit list and list"),
        ("2.0 % 1.0", "`%` does not fit double and double"),
        ("true + true", "`+` does not fit bool and bool"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("9223372036854775807 + 1", "too large for an int"),
        ("-(-9223372036854775807 - 1)", "too large for an int"),
        ("!1", "`!` does not fit int 1"),
        ("-'a'", '`-` does not fit string "a"'),
        ("1 ? 2 : 3", "it must be a bool"),
        ("true && 1", "`&&` needs bools, one side is int 1"),
        ("'' || false", '`||` needs bools, one side is string ""'),
        ("1 in 2", "`in` looks into a list or the keys of a map, not into int 2"),
        ("size(1)", "int 1 has no size"),
        ("inputs.n.startsWith('a')", "`startsWith` takes strings, not int 5"),
        ("int('x')", 'int("x") is no int'),
        ("int(1e99)", "is no int"),
        ("double('1_0')", "is no double"),
        ("inputs.list[3]", "inputs.list[3]: index 3 is out of range"),
        ("inputs.list[true]", "bool true is no index"),
        ("inputs.map.x", "there is no `x` in the map; it has `k`"),
        ("[1][1]", "index 1 is out of range"),
        ("inputs.missing", "there is no `inputs.missing`"),
    ],
)
def test_what_has_no_value_says_why(text: str, says: str) -> None:
    with pytest.raises(CelError) as error:
        parse(text).evaluate(VALUES)
    assert says in str(error.value)


@pytest.mark.parametrize("text", ["false && {}", "{} && false", "!(true || {})", "!({} || true)"])
@pytest.mark.parametrize("broken", ["1/0 == 1", "inputs.missing", "1"])
def test_and_and_or_forget_an_error_where_the_other_side_decides(text: str, broken: str) -> None:
    assert parse(text.format(broken)).evaluate(VALUES) is False


@pytest.mark.parametrize("text", ["true && {}", "{} && true", "false || {}", "{} || false"])
def test_and_and_or_keep_an_error_where_the_other_side_does_not_decide(text: str) -> None:
    with pytest.raises(CelError):
        parse(text.format("1/0 == 1")).evaluate(VALUES)


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 0, "a value is expected where the expression ends"),
        ("1 +", 3, "a value is expected"),
        ("1 1", 2, "an operator or the end is expected where `1` stands"),
        ("(1", 2, "`)` is expected"),
        ("x = 1", 2, "`=` compares nothing; write `==`"),
        ("inputs.x = 1", 9, "write `==`"),
        ("inputs.x and inputs.y", 9, "CEL writes `&&`"),
        ("not inputs.x", 0, "CEL writes `!`"),
        ("True", 0, "CEL writes `true`"),
        ("inputs.x & 1", 9, "write `&&`"),
        ("n > 1", 0, "`n` is unknown; values are `inputs.n` and `nodes.ID.outputs.NAME`"),
        ("inputs > 1", 7, "a path such as inputs.NAME goes on"),
        ("nodes.a.o0 > 1", 8, "`outputs` is expected"),
        ("nodes.my-node.outputs.o0", 8, "a path such as nodes.ID.outputs.NAME goes on where `-` stands"),
        ("inputs.x.matches('a')", 9, "there is no `x.matches(…)`; supported are"),
        ("has(inputs.x)", 0, "there is no `has(…)`; supported are"),
        ("{'a': 1}", 0, "maps can't be written"),
        ("'open", 0, "the text is not closed"),
        (r"'\q'", 1, r"`\q` is no character"),
        (r"'\ud800'", 1, "is no character"),
        ("1u", 0, "`1u` is no number"),
        ("9223372036854775808", 0, "too large for an int"),
        ("1e999", 0, "too large for a double"),
        ("size()", 0, "`size` takes 1 argument(s), not 0"),
        ("if", 0, "`if` is a reserved word"),
        ("#", 0, "supported are"),
        ("(" * 101 + "1", 100, "nests more than 100 levels deep"),
        ("!" * 101 + "true", 100, "nests more than 100 levels deep"),
        ("1" + "+1" * 101, 0, "more than 100 operations on top of each other"),
        (" " * 4097, 4096, "the expression has 4097 characters, 4096 are allowed"),
    ],
)
def test_what_is_no_expression_is_explained_with_its_place(text: str, position: int, says: str) -> None:
    with pytest.raises(CelSyntaxError) as error:
        parse(text)
    assert says in error.value.message
    assert error.value.position == position
    assert str(error.value).endswith(f"at character {position + 1}")


def test_references_are_listed_once_and_with_the_part_they_need() -> None:
    expression = parse("inputs.x > 1 && (nodes.a.outputs.o0[0].k in inputs.l || inputs.x < inputs.l[inputs.i])")
    assert [str(ref) for ref in expression.refs] == ["inputs.x", "nodes.a.outputs.o0[0].k", "inputs.l", "inputs.i"]


def test_a_lookup_that_finds_nothing_is_an_error_of_the_expression() -> None:
    def lookup(ref: Ref) -> Any:
        raise RefValueError("gone")

    with pytest.raises(CelError, match=r"inputs\.x: gone"):
        parse("inputs.x").evaluate(lookup)


KINDS = {"n": "int", "f": "double", "s": "string", "b": "bool", "l": "list", "m": "map", "null": "null"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("inputs.n > 1", "bool"),
        ("inputs.n + 1", "int"),
        ("inputs.u + 1", "int"),
        ("inputs.u", None),
        ("inputs.u == inputs.s", "bool"),
        ("-inputs.f", "double"),
        ("inputs.b ? 1 : 2", "int"),
        ("inputs.b ? 1 : 'a'", None),
        ("size(inputs.l)", "int"),
        ("[1]", "list"),
        ("[1][0]", None),
        ("inputs.s in inputs.m", "bool"),
        ("!inputs.u", "bool"),
    ],
)
def test_the_kind_is_told_without_values(text: str, kind: str | None) -> None:
    assert parse(text).kind(lambda ref: KINDS.get(ref.name)) == kind


@pytest.mark.parametrize(
    "text",
    [
        "inputs.n > 'a'",
        "inputs.n == inputs.s",
        "inputs.n && true",
        "!inputs.n",
        "-inputs.s",
        "1 in inputs.n",
        "inputs.n ? 1 : 2",
        "inputs.f % inputs.f",
        "inputs.l < inputs.l",
        "inputs.n + inputs.f",
    ],
)
def test_what_can_never_have_a_value_is_told_without_values(text: str) -> None:
    with pytest.raises(CelError):
        parse(text).kind(lambda ref: KINDS.get(ref.name))


def test_a_text_that_was_parsed_before_gives_the_same_expression_which_nobody_can_change() -> None:
    found = parse("inputs.x > 3 && inputs.y")
    assert parse("inputs.x > 3 && inputs.y") is found
    assert [str(ref) for ref in found.refs] == ["inputs.x", "inputs.y"]
    for name in ("text", "refs", "_root"):
        with pytest.raises(AttributeError):
            setattr(found, name, None)


def test_the_value_of_an_expression_belongs_to_who_asked_for_it() -> None:
    parse("[1, [2]]").evaluate(VALUES)[1].append(3)
    assert parse("[1, [2]]").evaluate(VALUES) == [1, [2]]
