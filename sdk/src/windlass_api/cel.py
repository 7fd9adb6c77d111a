"""CEL: the expressions of `when`, parsed and evaluated.

A subset of the Common Expression Language as Kubernetes users know it, with its meaning; what is in it:

    literals      1   0x1f   2.5   1e3   "text"   'text'   true   false   null   [1, 2, 3]
    paths         inputs.x   nodes.a.outputs.o0.items[0]["key"]   nodes['my-node'].outputs.o0
    operators     a ? b : c   ||   &&   == != < <= > >= in   + -   * / %   ! -      and parentheses
    functions     size(x)   int(x)   double(x)   x.size()   x.startsWith("…")   x.endsWith("…")   x.contains("…")

What to know about CEL: nothing is true but `true` (no truthiness). An int (64 bits) and a double compare by value
(`1 == 1.0`), but don't add up (`1 + 1.0` is an error; write `double(x) + 1.0`). `7 / 2` is 3 and `-7 / 2` is -3. Values
of different kinds don't compare, with one exception: anything may be compared with `null` by `==` and `!=`. `&&` and
`||` need one side only where it decides: an error on the other side is forgotten, whichever side it is. A negative
index counts from the end, as in `$ref`.

`graph` reads the references, `validation` the syntax and the kinds, the operator and local runs the value. No clock, no
environment, no loops: an expression costs about what its length says.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from windlass_api.refs import PathStep, Ref, RefValueError, json_kind, walk

MAX_LENGTH = 4096
MAX_DEPTH = 100
REMEMBERED = 1024
"""Expressions that are remembered."""

SUPPORTED = (
    "supported are literals, paths (inputs.x, nodes.a.outputs.o0), comparisons, in, &&, ||, !, + - * / %, "
    "c ? a : b, parentheses, size, int, double, startsWith, endsWith, contains"
)

Lookup = Callable[[Ref], Any]


class CelSyntaxError(ValueError):
    """The text is no expression, or uses more of CEL than is supported."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message}, at character {position + 1}")
        self.message = message
        self.position = position


class CelError(ValueError):
    """The expression has no value: an operator does not fit what it got, a part is missing, a number is too large."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Expression:
    """A parsed expression. It never changes: whoever parses the same text may get the same one."""

    text: str
    _root: Node
    refs: tuple[Ref, ...] = field(init=False)
    """The references in it, in order, each once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "refs", tuple(dict.fromkeys(_refs(self._root))))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def evaluate(self, lookup: Lookup) -> Any:
        """The value, with each reference standing for what `lookup` returns for it (path included).

        Raises CelError. A RefValueError of `lookup` is one, too: a part that is missing is an error in CEL.
        """
        return _evaluate(self._root, lookup)

    def kind(self, kind_of: Callable[[Ref], str | None]) -> str | None:
        """The kind of the value as far as it can be told without values: `bool`, `int`, `double`, `string`, `null`,
        `list`, `map`; None where it can't. Raises CelError where an operator can't fit, whatever the values.
        """
        return _kind(self._root, kind_of)


@lru_cache(REMEMBERED)
def parse(text: str) -> Expression:
    """The expression that the text spells. The same ones are asked for again and again, so the last are remembered."""
    if len(text) > MAX_LENGTH:
        raise CelSyntaxError(f"the expression has {len(text)} characters, {MAX_LENGTH} are allowed", MAX_LENGTH)
    parser = _Parser(text, tuple(_tokens(text)))
    root = parser.expression()
    if parser.token.kind != "end":
        raise parser.error("an operator or the end is expected")
    if _height(root) > MAX_DEPTH:
        raise CelSyntaxError(f"the expression has more than {MAX_DEPTH} operations on top of each other", 0)
    return Expression(text, root)


# The tree.


class Constant(NamedTuple):
    value: Any


class PathTo(NamedTuple):
    ref: Ref


class Items(NamedTuple):
    items: tuple[Node, ...]


class Index(NamedTuple):
    value: Node
    key: Node


class Unary(NamedTuple):
    op: str
    value: Node


class Binary(NamedTuple):
    op: str
    left: Node
    right: Node


class Choice(NamedTuple):
    condition: Node
    then: Node
    other: Node


class Call(NamedTuple):
    function: str
    args: tuple[Node, ...]


Node = Constant | PathTo | Items | Index | Unary | Binary | Choice | Call


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Constant | PathTo):
        return ()
    if isinstance(node, Items):
        return node.items
    if isinstance(node, Call):
        return node.args
    return tuple(part for part in node if not isinstance(part, str))


def _height(root: Node) -> int:
    """How deep the tree is, told without recursion: it guards what recurses."""
    height, level = 0, [root]
    while level:
        height, level = height + 1, [child for node in level for child in _children(node)]
    return height


def _refs(node: Node) -> Iterator[Ref]:
    if isinstance(node, PathTo):
        yield node.ref
    for child in _children(node):
        yield from _refs(child)


# Tokens.


class _Token(NamedTuple):
    kind: str  # int, float, string, name, mark, end
    text: str
    position: int


_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+ | //[^\n]*)
      | (?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)? | \.[0-9]+(?:[eE][+-]?[0-9]+)? | [0-9]+[eE][+-]?[0-9]+)
      | (?P<int>0[xX][0-9a-fA-F]+ | [0-9]+)
      | (?P<string>[rR]?(?:"(?:[^"\\\r\n]|\\.)*" | '(?:[^'\\\r\n]|\\.)*'))
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<mark>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:()\[\],.])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"\\(?:[xX](?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<o>[0-3][0-7]{2})|(?P<c>.))"
)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"} | {
    mark: mark for mark in "\\?\"'`"
}


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise CelSyntaxError(_stray(text[position]), position)
        kind = str(found.lastgroup)
        if kind != "blank":
            yield _Token(kind, found.group(), position)
        position = found.end()
    yield _Token("end", "", position)


def _stray(character: str) -> str:
    hints = {
        "=": "`=` compares nothing; write `==`",
        "&": "`&` is no operator; write `&&`",
        "|": "`|` is no operator; write `||`",
        "{": "maps can't be written in an expression",
        '"': "the text is not closed",
        "'": "the text is not closed",
    }
    return hints.get(character, f"`{character}` has no place in an expression; {SUPPORTED}")


def _string(token: _Token) -> str:
    if token.text[0] in "rR":
        return token.text[2:-1]

    def unescape(found: re.Match[str]) -> str:
        code = found["x"] or found["u"] or found["U"]
        number = int(code, 16) if code else int(found["o"], 8) if found["o"] else None
        if number is None and found["c"] in _ESCAPES:
            return _ESCAPES[found["c"]]
        if number is None or number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise CelSyntaxError(f"`{found.group()}` is no character", token.position + 1 + found.start())
        return chr(number)

    return _ESCAPE.sub(unescape, token.text[1:-1])


# Syntax: precedence climbing over one table.

_PRECEDENCE = {
    **dict.fromkeys(["||"], 1),
    **dict.fromkeys(["&&"], 2),
    **dict.fromkeys(["==", "!=", "<", "<=", ">", ">=", "in"], 3),
    **dict.fromkeys(["+", "-"], 4),
    **dict.fromkeys(["*", "/", "%"], 5),
}
_RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_PYTHONISMS = {"and": "&&", "or": "||", "not": "!", "True": "true", "False": "false", "None": "null", "is": "=="}


class _Parser:
    def __init__(self, text: str, tokens: tuple[_Token, ...]) -> None:
        self.text = text
        self.tokens = tokens
        self.place = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.place]

    def at(self, *texts: str) -> bool:
        return self.token.kind in ("mark", "name") and self.token.text in texts

    def take(self) -> _Token:
        token = self.token
        self.place += 1
        return token

    def expect(self, text: str) -> None:
        if not self.at(text):
            raise self.error(f"`{text}` is expected")
        self.take()

    def error(self, message: str) -> CelSyntaxError:
        token = self.token
        found = "the expression ends" if token.kind == "end" else f"`{token.text}` stands"
        hint = _PYTHONISMS.get(token.text)
        tail = f"; CEL writes `{hint}`" if hint else ""
        return CelSyntaxError(f"{message} where {found}{tail}", token.position)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise CelSyntaxError(f"the expression nests more than {MAX_DEPTH} levels deep", self.token.position)

    def expression(self) -> Node:
        depth = self.depth
        self.deeper()
        node = self.binary(1)
        if self.at("?"):
            self.take()
            then = self.binary(1)
            self.expect(":")
            node = Choice(node, then, self.expression())
        self.depth = depth
        return node

    def binary(self, lowest: int) -> Node:
        left = self.unary()
        while self.token.kind in ("mark", "name") and _PRECEDENCE.get(self.token.text, 0) >= lowest:
            op = self.take().text
            left = Binary(op, left, self.binary(_PRECEDENCE[op] + 1))
        return left

    def unary(self) -> Node:
        if not self.at("!", "-"):
            return self.postfix()
        op = self.take().text
        if op == "-" and self.token.kind in ("int", "float"):
            return self.postfixes(self.number(sign="-"))
        depth = self.depth
        self.deeper()
        node = Unary(op, self.unary())
        self.depth = depth
        return node

    def postfix(self) -> Node:
        return self.postfixes(self.primary())

    def postfixes(self, node: Node) -> Node:
        while self.at(".", "["):
            node = self.member(node) if self.take().text == "." else self.index(node)
        return node

    def member(self, value: Node) -> Node:
        if self.token.kind != "name":
            raise self.error("a name is expected")
        name = self.take()
        if self.at("("):
            return self.call(name, (value,))
        return _step_into(value, name.text)

    def index(self, value: Node) -> Node:
        key = self.expression()
        self.expect("]")
        if isinstance(key, Constant) and type(key.value) in (int, str):
            return _step_into(value, key.value)
        return Index(value, key)

    def primary(self) -> Node:
        token = self.token
        if token.kind in ("int", "float"):
            return self.number()
        if token.kind == "string":
            return Constant(_string(self.take()))
        if token.kind == "name":
            return self.named()
        if self.at("("):
            self.take()
            node = self.expression()
            self.expect(")")
            return node
        if self.at("["):
            self.take()
            return self.items("]")
        raise self.error("a value is expected")

    def number(self, sign: str = "") -> Node:
        token = self.take()
        if self.token.kind == "name" and self.token.position == token.position + len(token.text):
            raise CelSyntaxError(f"`{token.text}{self.token.text}` is no number", token.position)
        if token.kind == "float":
            return Constant(self.double(token, sign))
        number = int(sign + token.text, 16 if token.text[:2] in ("0x", "0X") else 10)
        if not _fits_int64(number):
            raise CelSyntaxError(f"{sign}{token.text} is too large for an int (64 bits)", token.position)
        return Constant(number)

    def double(self, token: _Token, sign: str) -> float:
        number = float(sign + token.text)
        if math.isinf(number):
            raise CelSyntaxError(f"{sign}{token.text} is too large for a double", token.position)
        return number

    def named(self) -> Node:
        token = self.take()
        if token.text in _CONSTANTS:
            return Constant(_CONSTANTS[token.text])
        if self.at("("):
            return self.call(token, ())
        if token.text in ("inputs", "nodes"):
            return self.path(token)
        if token.text in _PYTHONISMS:
            raise CelSyntaxError(f"`{token.text}` is Python; CEL writes `{_PYTHONISMS[token.text]}`", token.position)
        if token.text in _RESERVED or token.text == "in":
            raise CelSyntaxError(f"`{token.text}` is a reserved word of CEL", token.position)
        raise CelSyntaxError(
            f"`{token.text}` is unknown; values are `inputs.{token.text}` and `nodes.ID.outputs.NAME`", token.position
        )

    def path(self, root: _Token) -> Node:
        if root.text == "inputs":
            return PathTo(Ref(None, self.path_name("inputs.NAME")))
        node = self.path_name("nodes.ID.outputs.NAME")
        if self.path_name("nodes.ID.outputs.NAME") != "outputs":
            self.place -= 1
            raise self.error("`outputs` is expected (nodes.ID.outputs.NAME)")
        return PathTo(Ref(node, self.path_name("nodes.ID.outputs.NAME")))

    def path_name(self, shape: str) -> str:
        """One `.name` or `["name"]`."""
        if self.at(".") and self.tokens[self.place + 1].kind == "name":
            self.take()
            return self.take().text
        if self.at("[") and self.tokens[self.place + 1].kind == "string":
            self.take()
            name = _string(self.take())
            self.expect("]")
            return name
        raise self.error(f"a path such as {shape} goes on")

    def call(self, name: _Token, receiver: tuple[Node, ...]) -> Node:
        functions = _METHODS if receiver else _FUNCTIONS
        if name.text not in functions:
            shape = f"x.{name.text}(…)" if receiver else f"{name.text}(…)"
            raise CelSyntaxError(f"there is no `{shape}`; {SUPPORTED}", name.position)
        self.take()
        args = (*receiver, *self.items(")").items)
        if len(args) != functions[name.text]:
            wanted = functions[name.text] - len(receiver)
            raise CelSyntaxError(
                f"`{name.text}` takes {wanted} argument(s), not {len(args) - len(receiver)}", name.position
            )
        return Call(name.text, args)

    def items(self, end: str) -> Items:
        items: list[Node] = []
        while not self.at(end):
            items.append(self.expression())
            if not self.at(end):
                self.expect(",")
        self.take()
        return Items(tuple(items))


_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}
_FUNCTIONS = {"size": 1, "int": 1, "double": 1}
_METHODS = {"size": 1, "startsWith": 2, "endsWith": 2, "contains": 2}


def _step_into(value: Node, step: PathStep) -> Node:
    """A part of a path is a longer path; a part of anything else is an index."""
    if isinstance(value, PathTo):
        return PathTo(value.ref._replace(path=(*value.ref.path, step)))
    return Index(value, Constant(step))


# Values.

_INT64 = 1 << 63


def kind_of_value(value: Any) -> str:
    """What a value is in CEL."""
    kind = json_kind(value)
    return "double" if kind == "float" else kind


def _fits_int64(number: int) -> bool:
    return -_INT64 <= number < _INT64


def _evaluate(node: Node, lookup: Lookup) -> Any:
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, PathTo):
        return _look_up(node.ref, lookup)
    if isinstance(node, Binary) and node.op in ("&&", "||"):
        return _decide(node, lookup)
    if isinstance(node, Choice):
        condition = _evaluate(node.condition, lookup)
        if not isinstance(condition, bool):
            raise CelError(f"the condition of `? :` is {_a(condition)}, it must be a bool")
        return _evaluate(node.then if condition else node.other, lookup)
    return _apply(node, [_evaluate(child, lookup) for child in _children(node)])


def _apply(node: Node, values: list[Any]) -> Any:
    if isinstance(node, Items):
        return values
    if isinstance(node, Index):
        return _index(*values)
    if isinstance(node, Unary):
        return _negate(node.op, values[0])
    if isinstance(node, Binary):
        return _BINARY[node.op](node.op, *values)
    assert isinstance(node, Call)
    return _CALLS[node.function](node.function, *values)


def _look_up(ref: Ref, lookup: Lookup) -> Any:
    try:
        return lookup(ref)
    except RefValueError as error:
        raise CelError(f"{ref}: {error}") from None


def _decide(node: Binary, lookup: Lookup) -> bool:
    """`&&` and `||`: one side is enough where it decides, even if the other one fails."""
    decisive: bool = node.op == "||"
    error: CelError | None = None
    for side in (node.left, node.right):
        try:
            value = _evaluate(side, lookup)
            if value is decisive:
                return bool(value)
            if not isinstance(value, bool):
                error = error or CelError(f"`{node.op}` needs bools, one side is {_a(value)}")
        except CelError as failure:  # noqa: PERF203  two sides
            error = error or failure
    if error is not None:
        raise error
    return not decisive


def _index(value: Any, key: Any) -> Any:
    if not isinstance(key, str | int) or isinstance(key, bool):
        raise CelError(f"{_a(key)} is no index")
    try:
        return walk(value, (key,))
    except RefValueError as error:
        raise CelError(str(error)) from None


def _negate(op: str, value: Any) -> Any:
    if op == "!" and isinstance(value, bool):
        return not value
    if op == "-" and _is_number(value):
        return _checked(-value)
    raise CelError(f"`{op}` does not fit {_a(value)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _checked(number: Any) -> Any:
    if isinstance(number, int) and not _fits_int64(number):
        raise CelError(f"{number} is too large for an int (64 bits)")
    return number


def _equal(one: Any, other: Any) -> bool:
    """Equality as CEL means it: numbers by value, and never equal across kinds, at any depth."""
    if _is_number(one) and _is_number(other):
        return bool(one == other)
    if kind_of_value(one) != kind_of_value(other):
        return False
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_equal(item, other[key]) for key, item in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _equality(op: str, one: Any, other: Any) -> bool:
    if not _comparable(kind_of_value(one), kind_of_value(other)):
        raise _no_overload(op, one, other)
    return _equal(one, other) is (op == "==")


def _comparable(one: str, other: str) -> bool:
    return one == other or "null" in (one, other) or {one, other} == {"int", "double"}


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _ordering(op: str, one: Any, other: Any) -> bool:
    for kind in (str, bool):
        if isinstance(one, kind) and isinstance(other, kind):
            return _ORDER[op](one, other)
    if _is_number(one) and _is_number(other):
        return _ORDER[op](one, other)
    raise _no_overload(op, one, other)


def _membership(op: str, item: Any, group: Any) -> bool:
    if isinstance(group, list | tuple):
        return any(_equal(item, one) for one in group)
    if isinstance(group, Mapping):
        return isinstance(item, str) and item in group
    raise CelError(f"`in` looks into a list or the keys of a map, not into {_a(group)}")


def _arithmetic(op: str, one: Any, other: Any) -> Any:
    if op == "+" and any(isinstance(one, kind) and isinstance(other, kind) for kind in (str, list)):
        return one + other
    if _is_number(one) and type(one) is type(other) and not (op == "%" and isinstance(one, float)):
        return _checked(_divide(op, one, other) if op in "/%" else _SIMPLE[op](one, other))
    raise _no_overload(op, one, other)


_SIMPLE: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def _divide(op: str, one: Any, other: Any) -> Any:
    if isinstance(one, float):
        return one / other if other else _divide_by_zero(one, other)
    if not other:
        raise CelError(f"{one} {op} 0: division by zero")
    quotient = abs(one) // abs(other)
    quotient = quotient if (one < 0) == (other < 0) else -quotient
    return quotient if op == "/" else one - quotient * other


def _divide_by_zero(one: float, other: float) -> float:
    """Doubles divide as IEEE 754 says: by zero gives an infinity, zero by zero is not a number."""
    if one == 0 or math.isnan(one):
        return math.nan
    return math.copysign(math.inf, one) * math.copysign(1.0, other)


def _size(function: str, value: Any) -> int:
    if isinstance(value, str | list | tuple | Mapping):
        return len(value)
    raise CelError(f"{_a(value)} has no size; a string, a list or a map has")


def _text_test(function: str, value: Any, part: Any) -> bool:
    if not isinstance(value, str) or not isinstance(part, str):
        raise CelError(f"`{function}` takes strings, not {_a(value)} and {_a(part)}")
    if function == "contains":
        return part in value
    return value.startswith(part) if function == "startsWith" else value.endswith(part)


def _to_int(function: str, value: Any) -> int:
    try:
        if _is_number(value) or (isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", value)):
            return int(_checked(int(value)))
    except (OverflowError, ValueError):  # an infinity or NaN
        pass
    raise CelError(f"int({_shown(value)}) is no int")


def _to_double(function: str, value: Any) -> float:
    try:
        if _is_number(value) or (isinstance(value, str) and "_" not in value and value == value.strip()):
            return float(value)
    except (OverflowError, ValueError):
        pass
    raise CelError(f"double({_shown(value)}) is no double")


_BINARY: dict[str, Callable[[str, Any, Any], Any]] = {
    **dict.fromkeys(["==", "!="], _equality),
    **dict.fromkeys(["<", "<=", ">", ">="], _ordering),
    **dict.fromkeys(["+", "-", "*", "/", "%"], _arithmetic),
    "in": _membership,
}
_CALLS: dict[str, Callable[..., Any]] = {
    "size": _size,
    "int": _to_int,
    "double": _to_double,
    **dict.fromkeys(["startsWith", "endsWith", "contains"], _text_test),
}


def _no_overload(op: str, one: Any, other: Any) -> CelError:
    return CelError(_does_not_fit(op, kind_of_value(one), kind_of_value(other)))


def _does_not_fit(op: str, one: str, other: str) -> str:
    hint = "; double(…) and int(…) convert" if {one, other} == {"int", "double"} else ""
    return f"`{op}` does not fit {one} and {other}{hint}"


def _a(value: Any) -> str:
    return f"{kind_of_value(value)} {_shown(value)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 40 else f"{text[:30]}…"


# Kinds, without values.

KindOf = Callable[[Ref], str | None]


def _kind(node: Node, kind_of: KindOf) -> str | None:
    if isinstance(node, Constant):
        return kind_of_value(node.value)
    if isinstance(node, PathTo):
        return kind_of(node.ref)
    return _kind_of_operation(node, [_kind(child, kind_of) for child in _children(node)])


def _kind_of_operation(node: Node, kinds: list[str | None]) -> str | None:
    if isinstance(node, Unary):
        return _kind_of_unary(node.op, kinds[0])
    if isinstance(node, Binary):
        return _kind_of_binary(node.op, kinds[0], kinds[1])
    if isinstance(node, Choice):
        _demand_bool("? :", kinds[0])
        return kinds[1] if kinds[1] == kinds[2] else None
    if isinstance(node, Call):
        return {"size": "int", "int": "int", "double": "double"}.get(node.function, "bool")
    return "list" if isinstance(node, Items) else None


def _demand_bool(op: str, kind: str | None) -> None:
    if kind not in (None, "bool"):
        raise CelError(f"`{op}` needs a bool, not {kind}")


def _kind_of_unary(op: str, kind: str | None) -> str | None:
    if op == "!":
        _demand_bool(op, kind)
        return "bool"
    if kind not in (None, "int", "double"):
        raise CelError(f"`-` does not fit {kind}")
    return kind


def _kind_of_binary(op: str, one: str | None, other: str | None) -> str | None:
    if op in ("&&", "||"):
        _demand_bool(op, one)
        _demand_bool(op, other)
        return "bool"
    if op == "in":
        if other not in (None, "list", "map"):
            raise CelError(f"`in` looks into a list or the keys of a map, not into {other}")
        return "bool"
    if one is None or other is None:
        return "bool" if op in ("==", "!=", *_ORDER) else one or other
    if op in ("==", "!="):
        fits = _comparable(one, other)
    elif op in _ORDER:
        fits = (one == other and one in ("string", "bool", "int", "double")) or {one, other} == {"int", "double"}
    else:
        fits = one == other and one in _ARITHMETIC_KINDS[op]
    if not fits:
        raise CelError(_does_not_fit(op, one, other))
    return one if op in _ARITHMETIC_KINDS else "bool"


_ARITHMETIC_KINDS = {
    "+": ("int", "double", "string", "list"),
    "-": ("int", "double"),
    "*": ("int", "double"),
    "/": ("int", "double"),
    "%": ("int",),
}
