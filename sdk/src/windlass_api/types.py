"""Types: compact expressions for what flows between tasks, and plain JSON values checked against them.

    any   none   bool   int   float   str   bytes   datetime   date   timedelta   enum   struct   pickle
    file   directory   dataframe                                and, with a format, file[csv], dataframe[parquet]
    list[T]   dict[K, T]   optional[T]   union[A, B]            `list` and `dict` alone hold anything

Values are plain JSON. A bool is not an int. An int is a value of `float`, for JSON does not tell 3.0 from 3, yet the
type `int` is not assignable to `float`. What is not finite travels as the text "NaN", "Infinity" or "-Infinity". The
others that JSON has no word for:

| type | value |
|---|---|
| `datetime` | text, RFC 3339: `2024-01-02T03:04:05.000006Z`, or with an offset; without either it is UTC |
| `date` | text: `2024-01-02` |
| `timedelta` | text, a duration as Go writes it: `1h2m3.5s`, `-5s`, `250ms` |
| `bytes` | text, base64 |
| `enum` | one of the texts, numbers or bools which the schema lists |
| `struct` | object; what is in it, the schema says |
| `dict[K, T]` | object; K is any scalar, and a key that is no text is written as its JSON: `{"3": …}` |
| `file`, `directory`, `dataframe`, `pickle` | object with a `uri`: the value lies there, this is a reference to it |

A JSON Schema beside the type (`schema`) describes the whole value: that of `list[struct]` is a schema of a list.
(Where the type is a list or a dict and the schema plainly that of an object with properties, it is taken as the schema
of the struct inside.) Of JSON Schema these keywords are checked, others are notes to the reader: type, enum, const,
properties, required, additionalProperties, propertyNames, items, prefixItems, anyOf, oneOf, allOf, and `$ref` into
`$defs`; and a keyword of ours, `x-windlass-type`, a type expression, where JSON Schema has no word for a part's type.

The SDK spells types, `validation` checks wiring with them before anything runs, and the runtime and the operator check
values. This module knows no Python annotations: that is the SDK's part.
"""

from __future__ import annotations

import binascii
import datetime
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from windlass_api.findings import Finding, did_you_mean, field_path
from windlass_api.stored import stored

Schema = Mapping[str, Any]
PathStep = str | int

NON_FINITE = ("NaN", "Infinity", "-Infinity")
REMEMBERED = 4096
"""Types that are remembered."""
MAX_DEPTH = 32
MAX_VALUE_DEPTH = 100
_MAX_SCHEMA_DEPTH = 8

KEYS = ("str", "int", "float", "bool", "datetime", "date", "timedelta", "bytes", "enum")
"""What the keys of a dict may be."""

REFERENCES = ("file", "directory", "dataframe", "pickle")
"""Types whose values lie elsewhere; what travels says where."""

TYPE_KEYWORD = "x-windlass-type"

_SCALARS = ("any", "none", *KEYS, "struct", "pickle")
_FORMATTED = ("file", "directory", "dataframe")
_CONTAINERS = ("list", "dict", "optional", "union")
_NAMES = _SCALARS + _FORMATTED + _CONTAINERS
_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<mark>[\[\],])|(?P<end>\Z))")
_FORMAT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9_.+/-]{0,62})")


class TypeSyntaxError(ValueError):
    """The text is no type expression."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class PathError(LookupError):
    """A type has no such part."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Type(NamedTuple):
    """A type. `args`: the item of a list, (key, value) of a dict, what is optional, the members of a union. `format`:
    that of a file, directory or dataframe, where it is said.
    """

    name: str
    args: tuple[Type, ...] = ()
    format: str = ""

    def __str__(self) -> str:
        inside = self.format or ", ".join(str(arg) for arg in self.args)
        return f"{self.name}[{inside}]" if inside else self.name


ANY = Type("any")
NONE = Type("none")
BOOL = Type("bool")
INT = Type("int")
FLOAT = Type("float")
STR = Type("str")
BYTES = Type("bytes")
DATETIME = Type("datetime")
DATE = Type("date")
TIMEDELTA = Type("timedelta")
ENUM = Type("enum")
STRUCT = Type("struct")
PICKLE = Type("pickle")
FILE = Type("file")
DIRECTORY = Type("directory")
DATAFRAME = Type("dataframe")


def list_of(item: Type) -> Type:
    """The type of a list."""
    return Type("list", (item,))


def dict_of(value: Type, key: Type = STR) -> Type:
    """The type of a dict; its keys are texts, or one of the other scalars in KEYS."""
    return Type("dict", (key, value))


def optional_of(some: Type) -> Type:
    """The type of what may be null."""
    return Type("optional", (some,))


def union_of(members: Sequence[Type]) -> Type:
    """The type of what is one of the members: flat, without repetition, and the member itself where there is one."""
    flat = tuple(dict.fromkeys(inner for member in members for inner in alternatives(member)))
    if len(flat) == 1:
        return flat[0]
    if len(flat) == 2 and NONE in flat:
        return optional_of(flat[0] if flat[1] == NONE else flat[1])
    return Type("union", flat)


def alternatives(of: Type) -> tuple[Type, ...]:
    """The types of which a value has one: the members of a union or optional, taken apart; else the type itself."""
    if of.name == "optional":
        return (*alternatives(of.args[0]), NONE)
    if of.name == "union":
        return tuple(inner for member in of.args for inner in alternatives(member))
    return (of,)


def admits_null(of: Type) -> bool:
    """Whether null is one of the values that the type names. (`any` takes null, but does not name it.)"""
    return NONE in alternatives(of)


@lru_cache(REMEMBERED)
def parse_type(text: str) -> Type:
    """The type that the text spells; the last ones are remembered. Raises TypeSyntaxError, which says where and what
    there could be.
    """
    parser = _Parser(text)
    parsed = parser.type(depth=0)
    parser.expect_end()
    return parsed


def check_value(value: Any, type: Type, schema: Schema | None = None, path: str = "") -> list[Finding]:  # noqa: A002  the plain word
    """What is wrong with the value, as findings below `path` with the reason TypeMismatch; nothing where it fits.

    What lies in the store (`stored`) is checked where it is read.
    """
    return [] if stored(value) is not None else list(_CHECKS[type.name](value, type, schema, path))


def assignable(
    source: Type, target: Type, source_schema: Schema | None = None, target_schema: Schema | None = None
) -> bool:
    """Whether every value of `source` may go where `target` is expected.

    Left to run time: `any` on either side; a text or number where an enum is expected, and the other way round; the
    format of files, directories and dataframes. Of two enums whose schemas are known, the target has all values of the
    source.
    """
    if ANY in (source, target):
        return True
    have, want = _enumerated(source, source_schema), _enumerated(target, target_schema)
    if have is not None and want is not None and not all(any(_same(one, other) for other in want) for one in have):
        return False
    return source == target or _assignable(source, target)


def _assignable(source: Type, target: Type) -> bool:
    sources, targets = alternatives(source), alternatives(target)
    if len(sources) > 1 or len(targets) > 1:
        return all(any(assignable(one, other) for other in targets) for one in sources)
    source, target = sources[0], targets[0]
    names = {source.name, target.name}
    if names == {"struct", "dict"}:
        return source.name == "dict" or target.args == (STR, ANY)
    if names in ({"enum", "str"}, {"enum", "int"}, {"enum", "bool"}):
        return True
    return source.name == target.name and all(map(assignable, source.args, target.args))


def _enumerated(of: Type, schema: Schema | None) -> list[Any] | None:
    """The values of an enum, or of an optional one; None where they are not known, or it is something else."""
    if schema is None or ENUM not in alternatives(of) or len(alternatives(of)) > 1 + admits_null(of):
        return None
    options = [_rooted(option, schema) for option in _list(schema, "anyOf")] or [_rooted(schema, schema)]
    found = [_list(option, "enum") for option in options if option is not None and "enum" in option]
    return found[0] if len(found) == 1 else None


def descend(type: Type, schema: Schema | None, path: Sequence[PathStep]) -> tuple[Type, Schema | None]:  # noqa: A002  the plain word
    """The type and schema of a part. Raises PathError where no value of the type can have that part."""
    for step in path:
        type, schema = _part(type, schema, step)  # noqa: A001  the plain word
    return type, schema


def type_of_schema(schema: Schema) -> Type:
    """The type of what a JSON Schema describes, as narrow as expressions can be."""
    return _SchemaType(schema).of(schema, depth=0)


class _Parser:
    """Recursive descent over `name`, `[`, `,` and `]`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind = ""
        self.word = ""
        self.start = 0
        self.end = 0
        self.advance()

    def advance(self) -> None:
        found = _TOKEN.match(self.text, self.end)
        if found is None:
            blanks = len(self.text[self.end :]) - len(self.text[self.end :].lstrip())
            self.start = self.end + blanks
            raise self.error(f"`{self.text[self.start]}` has no place in a type")
        self.kind = str(found.lastgroup)
        self.word, self.start, self.end = found[self.kind], found.start(self.kind), found.end()

    def error(self, message: str) -> TypeSyntaxError:
        return TypeSyntaxError(f"`{self.text}` is no type: {message}, at character {self.start + 1}", self.start)

    def type(self, depth: int) -> Type:
        if self.kind != "name":
            raise self.error(f"a type is expected{self.found()}")
        if depth >= MAX_DEPTH:
            raise self.error(f"it nests more than {MAX_DEPTH} levels deep")
        name = self.word
        if name not in _NAMES:
            raise self.error(f"`{name}` is unknown{did_you_mean(name, _NAMES)}")
        self.advance()
        if name in _SCALARS:
            return self.scalar(name)
        return self.formatted(name) if name in _FORMATTED else self.container(name, depth)

    def scalar(self, name: str) -> Type:
        if self.word == "[":
            raise self.error(f"`{name}` takes nothing in brackets")
        return Type(name)

    def formatted(self, name: str) -> Type:
        if self.word != "[":
            return Type(name)
        found = _FORMAT.match(self.text, self.end)
        if found is None:
            self.start = self.end
            raise self.error(f"`{name}` takes a format in brackets, such as `{name}[csv]`")
        self.end = found.end()
        self.advance()
        if self.word != "]":
            raise self.error(f"`]` is expected{self.found()}")
        self.advance()
        return Type(name, format=found[1])

    def container(self, name: str, depth: int) -> Type:
        if self.word != "[":
            if name in ("list", "dict"):
                return list_of(ANY) if name == "list" else dict_of(ANY)
            raise self.error(f"`{name}` needs {'a type' if name == 'optional' else 'types'} in brackets: `{name}[…]`")
        args = self.arguments(depth)
        if name == "dict":
            if len(args) != 2 or args[0].name not in KEYS:
                raise self.error(f"a dict has a key and a value: `dict[str, T]`, where the key is {_or(KEYS)}")
        elif name == "union":
            if len(args) < 2:
                raise self.error("a union has two members or more: `union[A, B]`")
        elif len(args) != 1:
            raise self.error(f"`{name}` takes one type: `{name}[T]`")
        return Type(name, args)

    def arguments(self, depth: int) -> tuple[Type, ...]:
        args = []
        while True:
            self.advance()
            args.append(self.type(depth + 1))
            if self.word == "]":
                self.advance()
                return tuple(args)
            if self.word != ",":
                raise self.error(f"`,` or `]` is expected{self.found()}")

    def expect_end(self) -> None:
        if self.kind != "end":
            raise self.error(f"it should end{self.found()}")

    def found(self) -> str:
        return " where it ends" if self.kind == "end" else f" where `{self.word}` stands"


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


# Values. One check per name of a type; each is a generator of findings.

_Check = Callable[[Any, Type, Schema | None, str], Iterator[Finding]]


def _mismatch(value: Any, expected: str, path: str) -> Finding:
    return Finding(path, "TypeMismatch", f"expected {expected}, got {show(value)}")


def is_too_deep(value: Any) -> bool:
    """Whether a value nests deeper than MAX_VALUE_DEPTH, told without recursion: it guards what recurses."""
    level = [value]
    for _ in range(MAX_VALUE_DEPTH + 1):
        level = [item for container in level for item in _members(container)]
        if not level:
            return False
    return True


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def show(value: Any) -> str:
    """A value in a message: short, with what it is where its looks don't tell."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return f"a {type(value).__name__}, which is not JSON"
    return text if len(text) <= 60 else f"{text[:40]} … ({len(text)} characters)"


def is_int(value: Any) -> bool:
    """Whether the value is a JSON int; a bool is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_float(value: Any) -> bool:
    """Whether the value stands for a float in JSON."""
    return is_int(value) or (isinstance(value, float) and math.isfinite(value)) or value in NON_FINITE


def _check_any(value: Any, expected: Type, schema: Schema | None, path: str) -> Iterator[Finding]:
    if isinstance(value, Mapping):
        yield from _check_keys(value, path)
        for key, item in value.items():
            yield from _check_any(item, expected, None, field_path(path, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _check_any(item, expected, None, field_path(path, index))
    elif isinstance(value, float) and not math.isfinite(value):
        yield Finding(path, "TypeMismatch", f"{value} is not JSON; write one of the texts {', '.join(NON_FINITE)}")
    elif value is not None and not isinstance(value, bool | int | float | str):
        yield _mismatch(value, "a JSON value", path)
    if schema is not None:
        yield from _check_schema(value, schema, path)


def _scalar_check(what: str, fits: Callable[[Any], bool]) -> _Check:
    def check(value: Any, expected: Type, schema: Schema | None, path: str) -> Iterator[Finding]:
        if not fits(value):
            yield _mismatch(value, what, path)
        elif schema is not None:
            yield from _check_schema(value, schema, path)

    return check


def _check_list(value: Any, expected: Type, schema: Schema | None, path: str) -> Iterator[Finding]:
    if not isinstance(value, list | tuple):
        yield _mismatch(value, str(expected), path)
        return
    for index, item in enumerate(value):
        yield from check_value(item, expected.args[0], _item_schema(schema, index), field_path(path, index))


def _check_dict(value: Any, expected: Type, schema: Schema | None, path: str) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        yield _mismatch(value, str(expected), path)
        return
    yield from _check_keys(value, path)
    kind = expected.args[0]
    if kind != STR:
        yield from _check_key_texts(value, kind, schema, path)
    for key, item in value.items():
        yield from check_value(item, expected.args[1], _entry_schema(schema, str(key)), field_path(path, str(key)))


def _check_key_texts(value: Mapping[Any, Any], kind: Type, schema: Schema | None, path: str) -> Iterator[Finding]:
    names = _map(_one_of(schema, "object") or {}, "propertyNames")
    for key in value:
        if isinstance(key, str) and not _is_key(key, kind, names):
            yield Finding(path, "TypeMismatch", f"the key {show(key)} does not spell {_article(kind.name)}")


def _is_key(key: str, kind: Type, names: Schema) -> bool:
    """Whether a key is what a scalar is written as: the text itself where that is a text, else its JSON."""
    enum = _list(names, "enum")
    if kind.name == "enum":
        return key in enum or not enum
    if not check_value(key, kind):
        return True
    if kind.name == "int":
        return _INT_TEXT.match(key) is not None
    if kind.name == "float":
        return _FLOAT_TEXT.match(key) is not None
    return kind.name == "bool" and key in ("true", "false")


_INT_TEXT = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z")
_FLOAT_TEXT = re.compile(r"-?(0|[1-9][0-9]{0,400})(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,4})?\Z")


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _check_reference(value: Any, expected: Type, schema: Schema | None, path: str) -> Iterator[Finding]:
    if not isinstance(value, Mapping) or not isinstance(value.get("uri"), str) or not value["uri"]:
        yield _mismatch(value, f"a map with a `uri` ({expected})", path)
        return
    yield from _check_any(value, ANY, schema, path)
    for key in ("format", "hash"):
        if not isinstance(value.get(key, ""), str):
            yield _mismatch(value[key], "a text", field_path(path, key))


_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DATE_TEXT = re.compile(rf"{_DATE}\Z")
_DATETIME_TEXT = re.compile(
    rf"({_DATE}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}})(?:\.[0-9]{{1,9}})?(?:Z|([-+][0-9]{{2}}:[0-9]{{2}}))?\Z"
)
_DURATION_PART = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?(ns|us|µs|μs|ms|s|m|h)")
_DURATION_TEXT = re.compile(rf"[-+]?(?:0|(?:{_DURATION_PART.pattern})+)\Z")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_LONGEST = 10**9 * _NANOSECONDS["h"] * 24  # what Python's timedelta is less than
_SHORTEST = (10**9 - 1) * _NANOSECONDS["h"] * 24 + 999  # and what is as much below zero as it can be


def is_datetime(value: Any) -> bool:
    """Whether the value stands for a point in time, in years 1 to 9999 of UTC."""
    found = _DATETIME_TEXT.match(value) if isinstance(value, str) else None
    if found is None:
        return False
    try:
        datetime.datetime.fromisoformat(found[1] + (found[2] or "+00:00")).astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError):
        return False
    return True


def is_date(value: Any) -> bool:
    """Whether the value stands for a day."""
    if not isinstance(value, str) or _DATE_TEXT.match(value) is None:
        return False
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_timedelta(value: Any) -> bool:
    """Whether the value stands for a duration, of less than 10⁹ days."""
    if not isinstance(value, str) or _DURATION_TEXT.match(value) is None:
        return False
    total = 0
    for number, fraction, unit in _DURATION_PART.findall(value):
        size = _NANOSECONDS[unit]
        total += int(number) * size + int(fraction or 0) * size // 10 ** len(fraction)
    return total <= _SHORTEST if value.startswith("-") else total < _LONGEST


def is_bytes(value: Any) -> bool:
    """Whether the value stands for bytes."""
    if not isinstance(value, str) or not value.isascii():
        return False
    try:
        return binascii.b2a_base64(binascii.a2b_base64(value), newline=False) == value.encode()
    except ValueError:
        return False


def _check_struct(value: Any, expected: Type, schema: Schema | None, path: str) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        yield _mismatch(value, "a map (struct)", path)
    else:
        yield from _check_any(value, ANY, schema, path)


def _check_alternatives(value: Any, expected: Type, schema: Schema | None, path: str) -> Iterator[Finding]:
    options = alternatives(expected)
    found = [check_value(value, option, None if option == NONE else schema, path) for option in options]
    if all(found):
        yield from _closest(value, expected, options, found, path)


def _closest(
    value: Any,
    expected: Type,
    options: Sequence[Type],
    found: Sequence[list[Finding]],
    path: str,
) -> Iterator[Finding]:
    """The findings of the only option that the value is at all alike; else that it is none of them."""
    inside = [findings for findings in found if all(finding.path != path for finding in findings)]
    if len(inside) == 1:
        yield from inside[0]
    else:
        yield _mismatch(value, str(expected), path)


def _check_keys(value: Mapping[Any, Any], path: str) -> Iterator[Finding]:
    for key in value:
        if not isinstance(key, str):
            yield Finding(path, "TypeMismatch", f"the key {key!r} is not a text; JSON has no other keys")


_CHECKS: dict[str, _Check] = {
    "any": _check_any,
    "none": _scalar_check("null", lambda value: value is None),
    "bool": _scalar_check("bool", lambda value: isinstance(value, bool)),
    "int": _scalar_check("int", is_int),
    "float": _scalar_check("float", is_float),
    "str": _scalar_check("str", lambda value: isinstance(value, str)),
    "bytes": _scalar_check("bytes (base64 text)", is_bytes),
    "datetime": _scalar_check("datetime (2024-01-02T03:04:05Z)", is_datetime),
    "date": _scalar_check("date (2024-01-02)", is_date),
    "timedelta": _scalar_check("timedelta (1h2m3.5s)", is_timedelta),
    "enum": _scalar_check("enum", lambda value: isinstance(value, str | int)),
    "struct": _check_struct,
    **dict.fromkeys(REFERENCES, _check_reference),
    "list": _check_list,
    "dict": _check_dict,
    "optional": _check_alternatives,
    "union": _check_alternatives,
}


# Schemas: the part of JSON Schema that describes data, and the step from a schema to that of a part.

_JSON_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: is_int(value) or (isinstance(value, float) and value.is_integer()),
    "number": is_float,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list | tuple),
    "object": lambda value: isinstance(value, Mapping),
}


def _check_schema(value: Any, schema: Schema, path: str) -> Iterator[Finding]:
    yield from _SchemaCheck(schema).findings(value, schema, path)


class _SchemaCheck:
    """A value against a schema. Each schema is asked once per place, so that no schema takes for ever, and one that
    comes back to itself at the same place says nothing new there.
    """

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.known: dict[tuple[int, str], list[Finding]] = {}

    def findings(self, value: Any, schema: Any, path: str) -> list[Finding]:
        schema = _dereference(schema, self.root)
        if schema is False:
            return [Finding(path, "TypeMismatch", "nothing is allowed here")]
        if not isinstance(schema, Mapping):
            return []
        key = (id(schema), path)
        if key not in self.known:
            self.known[key] = []
            self.known[key] = list(self.ask(value, schema, path))
        return self.known[key]

    def ask(self, value: Any, schema: Schema, path: str) -> Iterator[Finding]:
        wrong = _wrong_shape(value, schema)
        if wrong is not None:
            yield _mismatch(value, wrong, path)
            return
        named = _named_type(schema)
        if named is not None:
            yield from check_value(value, named, None, path)
        yield from self.combined(value, schema, path)
        if isinstance(value, Mapping):
            yield from self.properties(value, schema, path)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                yield from self.findings(item, _item_of(schema, index), field_path(path, index))

    def combined(self, value: Any, schema: Schema, path: str) -> Iterator[Finding]:
        for part in _list(schema, "allOf"):
            yield from self.findings(value, part, path)
        for keyword in ("anyOf", "oneOf"):
            found = [self.findings(value, option, path) for option in _list(schema, keyword)]
            if found and all(found):
                yield from min(found, key=len)

    def properties(self, value: Mapping[str, Any], schema: Schema, path: str) -> Iterator[Finding]:
        properties = _map(schema, "properties")
        others = schema.get("additionalProperties", True)
        for name in _list(schema, "required"):
            if isinstance(name, str) and name not in value:
                yield Finding(field_path(path, name), "TypeMismatch", "it is required")
        names = _list(_map(schema, "propertyNames"), "enum")
        for key, item in value.items():
            where = field_path(path, str(key))
            if names and key not in names:
                yield Finding(path, "TypeMismatch", f"the key {show(key)} is none of {', '.join(map(show, names))}")
            if key not in properties and others is False:
                yield Finding(where, "TypeMismatch", f"it is unknown{did_you_mean(str(key), properties)}")
            else:
                yield from self.findings(item, properties.get(key, others), where)


def _wrong_shape(value: Any, schema: Schema) -> str | None:
    types = _schema_types(schema)
    if types and not any(_JSON_TYPES[name](value) for name in types):
        return " or ".join(types)
    enum = _list(schema, "enum")
    if enum and not any(_same(value, item) for item in enum):
        return "one of " + ", ".join(show(item) for item in enum)
    if "const" in schema and not _same(value, schema["const"]):
        return show(schema["const"])
    return None


def _named_type(schema: Schema) -> Type | None:
    """The type that a schema names itself."""
    text = schema.get(TYPE_KEYWORD)
    if not isinstance(text, str):
        return None
    try:
        return parse_type(text)
    except TypeSyntaxError:
        return None


def _map(schema: Schema, key: str) -> Mapping[str, Any]:
    """A map in a schema. Schemas are written by users: what is no map describes nothing."""
    found = schema.get(key)
    return found if isinstance(found, Mapping) else {}


def _list(schema: Schema, key: str) -> list[Any]:
    """A list in a schema, likewise."""
    found = schema.get(key)
    return found if isinstance(found, list) else []


def _same(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _schema_types(schema: Schema) -> tuple[str, ...]:
    types = schema.get("type")
    names = (types,) if isinstance(types, str) else tuple(_list(schema, "type"))
    return tuple(name for name in names if isinstance(name, str) and name in _JSON_TYPES)


def _dereference(schema: Any, root: Schema) -> Any:
    """What a schema's `$ref` points at. A reference that leads nowhere, or in a circle, describes nothing."""
    for _ in range(MAX_DEPTH):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        target: Any = root
        for key in str(schema["$ref"]).removeprefix("#").split("/")[1:]:
            target = target.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
        schema = target
    return None


def _rooted(schema: Any, root: Schema) -> Schema | None:
    """The schema of a part as one that stands alone: with the definitions which it may point at."""
    schema = _dereference(schema, root)
    if not isinstance(schema, Mapping):
        return None
    definitions = {key: root[key] for key in ("$defs", "definitions") if key in root and key not in schema}
    return {**schema, **definitions}


def _item_of(schema: Schema, index: int | None) -> Any:
    prefix = _list(schema, "prefixItems")
    if index is not None and 0 <= index < len(prefix):
        return prefix[index]
    return schema.get("items")


def _item_schema(schema: Schema | None, index: int | None) -> Schema | None:
    schema = _one_of(schema, "array")
    if schema is None:
        return None
    return schema if _describes_struct(schema) else _rooted(_item_of(schema, index), schema)


def _entry_schema(schema: Schema | None, key: str) -> Schema | None:
    schema = _one_of(schema, "object")
    if schema is None:
        return None
    return schema if _describes_struct(schema) else _rooted(schema.get("additionalProperties"), schema)


def _describes_struct(schema: Schema) -> bool:
    """Whether the schema beside a list or a dict is that of the struct in it, rather than that of the whole."""
    return bool(_map(schema, "properties"))


def _one_of(schema: Schema | None, kind: str) -> Schema | None:
    """Of a schema with alternatives the only one which describes an `array` or an `object`; else the schema."""
    if schema is None:
        return None
    schema = _rooted(schema, schema)
    if schema is None:
        return None
    options = [_rooted(option, schema) for option in (*_list(schema, "anyOf"), *_list(schema, "oneOf"))]
    fitting = [option for option in options if option is not None and kind in _schema_types(option)]
    return fitting[0] if len(fitting) == 1 else schema


# Parts of types.


def _part(expected: Type, schema: Schema | None, step: PathStep) -> tuple[Type, Schema | None]:
    options = [option for option in alternatives(expected) if option != NONE] or [NONE]
    parts = []
    errors = []
    for option in options:
        try:
            parts.append(_part_of_one(option, schema, step))
        except PathError as error:  # noqa: PERF203  a union is short, and rarely asked
            errors.append(error)
    if not parts:
        raise errors[0] if len(errors) == 1 else PathError(f"`{expected}` has no `{_show_step(step)}`")
    if len(parts) == 1:
        return parts[0]
    schemas = [part[1] for part in parts]
    return union_of([part[0] for part in parts]), schemas[0] if all(one == schemas[0] for one in schemas) else None


def _part_of_one(expected: Type, schema: Schema | None, step: PathStep) -> tuple[Type, Schema | None]:
    if expected == ANY:
        return ANY, None
    if expected.name == "list" and isinstance(step, int):
        return expected.args[0], _item_schema(schema, step)
    if expected.name == "dict" and isinstance(step, str):
        return expected.args[1], _entry_schema(schema, step)
    if expected.name == "struct" and isinstance(step, str):
        return _property(schema, step)
    hint = f'; the keys are texts in JSON: ["{step}"]' if expected.name == "dict" and expected.args[0] != STR else ""
    raise PathError(f"`{expected}` has no `{_show_step(step)}`{hint}")


def _property(schema: Schema | None, name: str) -> tuple[Type, Schema | None]:
    schema = _one_of(schema, "object")
    if schema is None:
        return ANY, None
    properties = _map(schema, "properties")
    if name in properties:
        found = _rooted(properties[name], schema)
    elif "properties" not in schema or schema.get("additionalProperties", False):
        found = _rooted(schema.get("additionalProperties"), schema)
    else:
        raise PathError(f"the struct has no `{name}`{did_you_mean(name, properties)}")
    return (ANY, None) if found is None else (type_of_schema(found), found)


def _show_step(step: PathStep) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{step}"


_TYPE_OF_JSON = {"null": NONE, "boolean": BOOL, "integer": INT, "number": FLOAT}
_TYPE_OF_FORMAT = {"date-time": DATETIME, "date": DATE}


class _SchemaType:
    """The type of a schema. Each schema is asked once; one that contains itself contains `any`, and so does depth."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.known: dict[int, Type] = {}

    def of(self, schema: Any, depth: int) -> Type:
        schema = _dereference(schema, self.root)
        if not isinstance(schema, Mapping) or depth >= _MAX_SCHEMA_DEPTH:
            return ANY
        if id(schema) not in self.known:
            self.known[id(schema)] = ANY
            self.known[id(schema)] = self.ask(schema, depth + 1)
        return self.known[id(schema)]

    def ask(self, schema: Schema, depth: int) -> Type:
        named = _named_type(schema)
        if named is not None:
            return named
        options = _list(schema, "anyOf") or _list(schema, "oneOf")
        if options:
            return union_of([self.of(option, depth) for option in options])
        if _list(schema, "enum"):
            return optional_of(ENUM) if None in schema["enum"] else ENUM
        names = _schema_types(schema)
        return union_of([self.of_kind(name, schema, depth) for name in names]) if names else ANY

    def of_kind(self, name: str, schema: Schema, depth: int) -> Type:
        if name == "array":
            return list_of(self.of(schema.get("items"), depth))
        if name == "object":
            entries = schema.get("additionalProperties")
            if "properties" in schema or not isinstance(entries, Mapping):
                return STRUCT
            return dict_of(self.of(entries, depth))
        if name == "string":
            return _TYPE_OF_FORMAT.get(str(schema.get("format")), STR)
        return _TYPE_OF_JSON[name]
