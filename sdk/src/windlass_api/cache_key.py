"""The key of a result: what it is found by.

    key = digest of  task · version · types of inputs and outputs · one digest per input

Not in it: the task's code (that is what the version is for), its image, its resources. Inputs that the task ignores are
left out. Of a reference (a file, a table, a pickle) the key takes, in this order: the `hash` that its producer gave it
(`HashMethod`), the digest of its content where it is known, its place. So a file that was made again, and came out the
same, is the same input. Of a value that lies in the store it takes the digest of its content.

The parts are kept beside each result, so that one can say why another was not found (`why_missed`).

The SDK's local runs and the operator find results by the same key. Pure: whoever reads content hands in the digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from windlass_api.names import canonical_json
from windlass_api.references import changed
from windlass_api.stored import identity
from windlass_api.types import Schema, Type, parse_type

Types = Mapping[str, tuple[str, Schema | None]]
"""By name: a type expression, and the JSON schema beside it."""

ContentDigest = Callable[[str], str | None]
"""The digest of what lies at a URI; None where nobody can tell."""

_SHOWN = 12  # hex digits of a digest, for people


class CacheKey(NamedTuple):
    """What a result is found by, in its parts."""

    task: str
    version: str
    interface: dict[str, dict[str, str]]
    """inputs and outputs: a type by name."""

    inputs: dict[str, str]
    """A digest by name; without the ignored ones."""

    @property
    def digest(self) -> str:
        """The key, in hex digits."""
        return _digest(self.parts())

    def parts(self) -> dict[str, Any]:
        """The parts as JSON."""
        return self._asdict()

    @classmethod
    def of_parts(cls, parts: Mapping[str, Any]) -> CacheKey:
        """The inverse of `parts`. Raises KeyError where one is missing."""
        return cls(parts["task"], parts["version"], parts["interface"], parts["inputs"])


def cache_key(
    task: str,
    version: str,
    inputs: Mapping[str, Any],
    input_types: Types,
    output_types: Types,
    ignored: Collection[str] = (),
    content: ContentDigest = lambda _: None,
) -> CacheKey:
    """The key of a task's result for these inputs (JSON by name).

    >>> types = {"n": ("int", None), "verbose": ("bool", None)}
    >>> one = cache_key("jobs.f", "1", {"n": 3, "verbose": True}, types, {}, ["verbose"])
    >>> other = cache_key("jobs.f", "1", {"n": 3, "verbose": False}, types, {}, ["verbose"])
    >>> one.digest == other.digest
    True
    """
    digests = {
        name: value_digest(value, *input_types[name], content)
        for name, value in sorted(inputs.items())
        if name not in ignored
    }
    interface = {"inputs": _type_texts(input_types), "outputs": _type_texts(output_types)}
    return CacheKey(task, version, interface, digests)


def value_digest(value: Any, expression: str, schema: Schema | None, content: ContentDigest) -> str:
    """The digest of a value of the type."""

    def meaning(part: Any, of: Type) -> Any:
        if of.name == "float":  # a whole one may be written without its point
            return float(part) if type(part) is int else part
        return _meaning(part, content)

    return _digest(changed(identity(value), parse_type(expression), schema, meaning))


def _meaning(reference: Mapping[str, Any], content: ContentDigest) -> dict[str, Any]:
    """What a reference stands for: its data, in its format."""
    about = {name: reference[name] for name in ("format", "type", "columns") if reference.get(name)}
    for name in ("hash", "sha256"):
        if reference.get(name):
            return {**about, name: reference[name]}
    digest = content(reference["uri"])
    return {**about, "uri": reference["uri"]} if digest is None else {**about, "sha256": digest}


def why_missed(wanted: CacheKey, there: Iterable[CacheKey]) -> str:
    """Why a result was not found, in words: what is different from the one that comes closest.

    >>> key = cache_key("jobs.f", "1", {"n": 3}, {"n": ("int", None)}, {})
    >>> why_missed(key._replace(version="2"), [key])
    'the version is 2, was 1'
    """
    found = [_differences(wanted, key) for key in there if key.task == wanted.task]
    if not found:
        return "there is no result of this task yet"
    closest = sorted(found, key=len)[0]
    return "; ".join(closest) or "it is there"


def _differences(wanted: CacheKey, other: CacheKey) -> list[str]:
    found = []
    if wanted.version != other.version:
        found.append(f"the version is {wanted.version}, was {other.version}")
    for side, what in (("inputs", "input"), ("outputs", "output")):
        now, before = wanted.interface.get(side, {}), other.interface.get(side, {})
        found += [
            f"the {what} {name} is {now.get(name, 'gone')}, was {before.get(name, 'not there')}"
            for name in sorted({*now, *before})
            if now.get(name) != before.get(name)
        ]
    for name in sorted({*wanted.inputs, *other.inputs}):
        digests = [key.inputs[name][:_SHOWN] if name in key.inputs else "ignored" for key in (wanted, other)]
        if digests[0] != digests[1]:
            found.append(f"the value of {name} is another one ({digests[0]}, was {digests[1]})")
    return found


def _type_texts(types: Types) -> dict[str, str]:
    """The types as texts; a schema is its digest."""
    return {
        name: expression if schema is None else f"{expression} {_digest(schema)[:_SHOWN]}"
        for name, (expression, schema) in sorted(types.items())
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()
