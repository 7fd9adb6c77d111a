"""References: `$ref` and `$literal` inside values.

A value is plain JSON, in which a mapping may stand for something else:

    {$ref: inputs.text}                       an input of the workflow
    {$ref: nodes.merge.outputs.o0}            an output of a node
    {$ref: nodes.merge.outputs.o0[-1].name}   a part of it: `.attr`, `[2]`, `["key"]`
    {$ref: nodes["my-id"].outputs.o0}         a node whose id is no identifier; `nodes.my-id.outputs.o0` works too
    {$ref: error.message}                     what made the workflow fail, for its `onFailure` only
    {$literal: {$ref: just data}}             its content, verbatim: how data whose keys start with `$` is written

    {$stored: {uri: …, size: …, sha256: …}}   a value that lies in the store (see `stored`): it is passed on as it is

Any other mapping with a key that starts with `$` is an error, so that a typo never travels as data.

The author's side writes references (`escape`, `str(ref)`), local runs and the operator follow them (`resolve`, `walk`),
and `cel` shares their meaning of a path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from windlass_api.findings import field_path
from windlass_api.stored import STORED, part, stored

REF = "$ref"
LITERAL = "$literal"
ERROR = "$error"
"""The name by which `error` is known: that of an input which no workflow can have, so lookups serve it like one."""

REMEMBERED = 4096
"""References that are remembered."""

PathStep = str | int
Path = tuple[PathStep, ...]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TOKEN = re.compile(
    r"""\.(?P<attr>[A-Za-z0-9_][-A-Za-z0-9_]*)
      | \[(?P<index>-?[0-9]{1,9})\]
      | \[(?P<key>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')\]
    """,
    re.VERBOSE,
)
_REQUOTE = re.compile(r"""\\.|\"""")  # what changes when a text in single quotes moves into double quotes
_REQUOTED = {"\\'": "'", '"': '\\"'}
_ROOT = re.compile(r"inputs|nodes|error")


class RefSyntaxError(ValueError):
    """The text is no reference, or the mapping neither a reference nor data."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class RefValueError(LookupError):
    """The value has no such part."""


class Ref(NamedTuple):
    """What a reference points at: a workflow's input (`node` is None; ERROR is among them) or a node's output, and a
    part of it.
    """

    node: str | None
    name: str
    path: Path = ()

    def __str__(self) -> str:
        if self.node is None and self.name == ERROR:
            return "error" + "".join(_step(part) for part in self.path)
        head = "inputs" if self.node is None else f"nodes{_step(self.node)}.outputs"
        return head + "".join(_step(part) for part in (self.name, *self.path))


class Literal(NamedTuple):
    """The content of a `$literal`."""

    value: Any


@lru_cache(REMEMBERED)
def parse_ref(text: str) -> Ref:
    """The reference that the text spells. The same ones are asked for again and again, so the last are remembered."""
    root = _ROOT.match(text)
    if root is None:
        raise RefSyntaxError(f"`{text}` is no reference: it starts with `inputs.NAME` or `nodes.ID.outputs.NAME`")
    steps = list(_steps(text, root.end()))
    if root.group() == "error":
        return Ref(None, ERROR, tuple(steps))
    if root.group() == "inputs":
        return _ref(text, None, steps)
    if len(steps) < 2 or not isinstance(steps[0], str) or steps[1] != "outputs":
        raise RefSyntaxError(f"`{text}` is no reference: after `nodes` come an id and `outputs`: nodes.ID.outputs.NAME")
    return _ref(text, steps[0], steps[2:])


def marker(value: Any) -> Ref | Literal | None:
    """What a mapping stands for; None where the value is data. Raises RefSyntaxError for a `$` key with no meaning."""
    key = marker_key(value)
    if key is None:
        return None
    if stored(value) is not None:
        return Literal(value)
    if key == LITERAL:
        return Literal(value[LITERAL])
    if key != REF:
        raise RefSyntaxError(f"`{key}` has no meaning here; data with such keys is written {{{LITERAL}: {{{key}: …}}}}")
    return _content_of_ref(value[REF])


def marker_key(value: Any) -> str | None:
    """The only key of a mapping, if it starts with `$`. Raises RefSyntaxError where there are keys beside it."""
    if not isinstance(value, Mapping):
        return None
    key = next((key for key in value if isinstance(key, str) and key.startswith("$")), None)
    if key is not None and len(value) > 1:
        others = ", ".join(f"`{other}`" for other in value if other != key)
        raise RefSyntaxError(
            f"`{key}` stands alone in its mapping, here it has {others} beside it; "
            f"data with such keys is written {{{LITERAL}: {{{key}: …}}}}"
        )
    return key


def iter_refs(value: Any, path: str = "") -> Iterator[tuple[str, Ref]]:
    """All references in a value with the field path of each, in order. Raises RefSyntaxError at what is malformed."""
    found = marker(value)
    if isinstance(found, Ref):
        yield path, found
    elif found is None:
        for key, item in _items(value):
            yield from iter_refs(item, field_path(path, key))


def resolve(value: Any, lookup: Callable[[Ref], Any]) -> Any:
    """The value with every reference replaced by what `lookup` returns for it, and every `$literal` by its content.

    `lookup` gets the whole reference and returns the part that its path names; `walk` follows a path.
    """
    return decode(value, {REF: lambda content: lookup(_content_of_ref(content))})


def decode(value: Any, meanings: Mapping[str, Callable[[Any], Any]]) -> Any:
    """The value with each `{$key: content}` replaced by `meanings["$key"](content)`, and `$literal` by its content.

    What lies in the store stays the mark that it is, where `meanings` say nothing about it.
    """
    key = marker_key(value)
    if key == STORED and key not in meanings and stored(value) is not None:
        return value
    if key == LITERAL:
        return value[LITERAL]
    if key is not None:
        if key not in meanings:
            raise RefSyntaxError(f"`{key}` has no meaning here; {', '.join(sorted(meanings))} and {LITERAL} have")
        return meanings[key](value[key])
    if isinstance(value, Mapping):
        return {name: decode(item, meanings) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [decode(item, meanings) for item in value]
    return value


def escape(value: Any) -> Any:
    """The value as data: mappings with `$` keys are wrapped, so that `resolve` gives back exactly this value."""
    if isinstance(value, Mapping):
        if stored(value) is not None:
            return value
        if any(isinstance(key, str) and key.startswith("$") for key in value):
            return {LITERAL: value}
        return {key: escape(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [escape(item) for item in value]
    return value


def walk(value: Any, path: Sequence[PathStep]) -> Any:
    """The part of a value which the path names; of what lies in the store, what stands for the part.

    Raises RefValueError which says how far it came and what is there.
    """
    for position, step in enumerate(path):
        lies = stored(value)
        if lies is not None:
            return part(lies, path[position:]).mark
        try:
            value = _part(value, step)
        except RefValueError as error:
            where = "".join(_step(part) for part in path[:position])
            raise RefValueError(f"{where}: {error}" if where else str(error)) from None
    return value


def lookup_in(inputs: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> Callable[[Ref], Any]:
    """A `lookup` over workflow inputs and the outputs of nodes, as both stand in memory."""

    def lookup(ref: Ref) -> Any:
        if ref.node is not None and ref.node not in nodes:
            raise RefValueError(f"node `{ref.node}` has no outputs")
        values = inputs if ref.node is None else nodes[ref.node]
        if ref.name not in values:
            raise RefValueError(f"there is no `{Ref(ref.node, ref.name)}`")
        return walk(values[ref.name], ref.path)

    return lookup


def json_kind(value: Any) -> str:
    """What a JSON value is, for messages: `string`, `int`, `float`, `bool`, `null`, `list`, `map`."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "map"
    names = ((bool, "bool"), (int, "int"), (float, "float"), (str, "string"), (list, "list"), (tuple, "list"))
    return next((name for kind, name in names if isinstance(value, kind)), type(value).__name__)


def _content_of_ref(content: Any) -> Ref:
    if not isinstance(content, str):
        raise RefSyntaxError(f"`{REF}` takes a text, such as `nodes.a.outputs.o0`, not a {json_kind(content)}")
    return parse_ref(content)


def _ref(text: str, node: str | None, steps: list[PathStep]) -> Ref:
    if not steps or not isinstance(steps[0], str):
        what = "an input's name" if node is None else "an output's name"
        raise RefSyntaxError(f"`{text}` is no reference: {what} is missing", len(text))
    return Ref(node, steps[0], tuple(steps[1:]))


def _steps(text: str, position: int) -> Iterator[PathStep]:
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise RefSyntaxError(
                f"`{text}` is no reference: at character {position + 1} stands `{text[position:]}` "
                'where `.name`, `[2]` or `["key"]` is expected',
                position,
            )
        yield _token_step(token, text)
        position = token.end()


def _token_step(token: re.Match[str], text: str) -> PathStep:
    if token["index"] is not None:
        return int(token["index"])
    if token["attr"] is not None:
        return token["attr"]
    key = token["key"]
    if key[0] == "'":
        key = '"' + _REQUOTE.sub(lambda found: _REQUOTED.get(found.group(), found.group()), key[1:-1]) + '"'
    try:
        unquoted: str = json.loads(key)
    except ValueError as error:
        raise RefSyntaxError(
            f"`{text}` is no reference: {token['key']} is no string ({error})", token.start()
        ) from None
    return unquoted


def _step(part: PathStep) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if _IDENTIFIER.match(part) else f"[{json.dumps(part, ensure_ascii=False)}]"


def _part(value: Any, step: PathStep) -> Any:
    if isinstance(step, str) and isinstance(value, Mapping):
        if step not in value:
            keys = ", ".join(f"`{key}`" for key in list(value)[:10])
            raise RefValueError(f"there is no `{step}` in the map" + (f"; it has {keys}" if keys else ", it is empty"))
        return value[step]
    if isinstance(step, int) and isinstance(value, list | tuple):
        if not -len(value) <= step < len(value):
            raise RefValueError(f"index {step} is out of range, the list has {len(value)} items")
        return value[step]
    raise RefValueError(f"`{_step(step)}` can't be taken of {_article(json_kind(value))}")


def _article(kind: str) -> str:
    return kind if kind == "null" else f"{'an' if kind == 'int' else 'a'} {kind}"


def _items(value: Any) -> Iterator[tuple[PathStep, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)
