"""The cache, as far as it decides: which key, hit or miss and why, what is kept, and whose turn it is.

::

    cache_of ── key_of ──► look up ──► judge ─┬─ Hit ──────────────────────────────► outputs
                                              └─ Miss (why) ─┬───────► work ─ entry ─► outputs, kept
                              serialize: reservation ► reserved └─ Theirs: wait, and look up again

A node that is no hit says what is different from the results that there are (``why``). An entry whose content is of no
use (expired, edited, a value lost) is a miss and never a failure; what is made anew then takes its place.

An entry's outputs are escaped like any data beside marks: ``{"$value": hash}`` is a large value in a ConfigMap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from windlass_api import durations, names, refs, types
from windlass_api.cache_key import CacheKey, Types, cache_key, why_missed
from windlass_api.references import changed
from windlass_api.stored import any_in
from windlass_operator.core.clock import parse, rfc3339
from windlass_operator.manifests.caching import cache_entry, cached_value, lease
from windlass_operator.manifests.objects import Manifest, compress
from windlass_operator.settings import Settings

INLINE_OUTPUTS = 32 * 1024
"""The outputs of an entry (bytes of JSON) that may stand in it. Beyond it the largest are kept beside it."""

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """How the results of a task are kept."""

    version: str
    serialize: bool = False
    ignored: tuple[str, ...] = ()
    expires_after: float | None = None
    """Seconds. None: never."""


def cache_of(task_spec: Spec) -> CacheSettings | None:
    """How the results of a task are kept; None where they aren't.

    >>> cache_of({"cache": {"version": "1", "expiresAfter": "1h"}})
    CacheSettings(version='1', serialize=False, ignored=(), expires_after=3600.0)
    """
    given = task_spec.get("cache") or {}
    if not given.get("version") or given.get("enabled") is False:
        return None
    after = given.get("expiresAfter")
    return CacheSettings(
        version=given["version"],
        serialize=bool(given.get("serialize")),
        ignored=tuple(given.get("ignoredInputs") or ()),
        expires_after=durations.seconds(after) if after else None,
    )


def key_of(task: str, task_spec: Spec, inputs: Mapping[str, Any]) -> CacheKey:
    """What the result of a task is found by. The inputs are complete, and plain JSON: nothing stands for a value.

    Raises:
        ValueError: the results of the task aren't kept.
    """
    settings = cache_of(task_spec)
    if settings is None:
        raise ValueError(f"the results of {task} are not kept")
    takes, gives = (_types(task_spec.get(side) or {}) for side in ("inputs", "outputs"))
    return cache_key(task, settings.version, inputs, takes, gives, settings.ignored)


def _types(parameters: Mapping[str, Spec]) -> Types:
    return {name: (parameter["type"], parameter.get("schema")) for name, parameter in parameters.items()}


# ---- hit or miss ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hit:
    """The outputs, as plain JSON, and where they are from."""

    outputs: Mapping[str, Any]
    message: str


@dataclass(frozen=True, slots=True)
class Miss:
    """There is no result that can be used, and why."""

    message: str
    replace: bool = False
    """Whether there is an entry nonetheless, whose place the new result shall take."""


def judge(entry_spec: Spec | None, key: CacheKey, task_spec: Spec, now: float) -> Hit | Miss:
    """Whether an entry is the result that is looked for. Its outputs are plain JSON; those that are lost are left
    out.
    """
    if entry_spec is None:
        return Miss("there is no result for these inputs yet")
    useless = _expired(entry_spec, now) or _other_key(entry_spec, key) or _misfit(entry_spec, task_spec)
    if useless:
        return Miss(f"there is a result, but {useless}", replace=True)
    source = entry_spec.get("source") or {}
    made = f"execution {source.get('execution', 'unknown')}, node {source.get('node', 'unknown')}"
    return Hit(entry_spec.get("outputs") or {}, f"taken from {made}" if source else "taken from an entry made by hand")


def is_useless(there: Spec, fresh: Spec, now: float) -> bool:
    """Whether an entry that is there has to go for one of the same name that was made just now."""
    lacks = (fresh.get("outputs") or {}).keys() - (there.get("outputs") or {}).keys()
    return bool(lacks or _expired(there, now)) or _key_in(there) != _key_in(fresh)


def _expired(entry_spec: Spec, now: float) -> str:
    at = entry_spec.get("expiresAt")
    return f"it expired at {at}" if at and parse(at.upper()) <= now else ""


def _other_key(entry_spec: Spec, key: CacheKey) -> str:
    there = _key_in(entry_spec)
    if there == key:
        return ""
    parts = zip(key._fields, key, there or ("",) * len(key), strict=True)
    different = ", ".join(name for name, wanted, found in parts if wanted != found)
    return f"it is not the one that its name promises (its key differs in: {different})"


def _misfit(entry_spec: Spec, task_spec: Spec) -> str:
    outputs, declared = entry_spec.get("outputs") or {}, task_spec.get("outputs") or {}
    for name in declared:
        if name not in outputs:
            return f"its output {name} is gone"
    for name, value in outputs.items():
        if name not in declared:
            return f"the task has no output {name}"
        of = declared[name]
        wrong = types.check_value(value, types.parse_type(of["type"]), of.get("schema"), f"outputs.{name}")
        if wrong:
            return f"{wrong[0].path}: {wrong[0].message}"
    return ""


def _key_in(entry_spec: Spec) -> CacheKey | None:
    parts = entry_spec.get("key") or {}
    try:
        sides = {side: parts["interface"].get(side) or {} for side in ("inputs", "outputs")}
        return CacheKey.of_parts({"inputs": {}, **parts, "interface": sides})
    except KeyError:
        return None


def why(key: CacheKey, others: Iterable[Spec]) -> str:
    """Why a result was not found: what is different from the closest of the task's other results."""
    return why_missed(key, filter(None, map(_key_in, others)))


def lies_elsewhere(outputs: Mapping[str, Any], task_spec: Spec) -> bool:
    """Whether some of a result is in the store: large values, files, tables."""
    return any_in(outputs) is not None or bool(_uris(outputs, task_spec))


def to_look_for(outputs: Mapping[str, Any], task_spec: Spec) -> dict[str, Any]:
    """A result as its pod is told of it: the outputs, and the places that they refer to."""
    return {"outputs": dict(outputs), "uris": _uris(outputs, task_spec)}


def _uris(outputs: Mapping[str, Any], task_spec: Spec) -> list[str]:
    found: list[str] = []

    def look(part: Any, of: types.Type) -> Any:
        if of.name in types.REFERENCES:
            found.append(part["uri"])
        return part

    declared = _types(task_spec.get("outputs") or {})
    for name, value in outputs.items():
        if name in declared:
            expression, schema = declared[name]
            changed(value, types.parse_type(expression), schema, look)
    return found


# ---- keeping --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A result to be kept: its object, and the ConfigMaps of its large values, which lack their owner yet."""

    manifest: Manifest
    values: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True)
class NotCached:
    """A result that can't be kept, and why."""

    message: str


def entry(
    key: CacheKey,
    outputs: Mapping[str, Any],
    *,
    execution: str,
    node: str,
    namespace: str,
    now: float,
    cache: CacheSettings,
    settings: Settings,
) -> Entry | NotCached:
    """The result of a node, as it is kept."""
    name = names.cache_name(key.digest)
    written = {output: names.canonical_json(value) for output, value in outputs.items()}
    large = set(_too_large_together(written))
    for output in sorted(large):
        size = len(compress(written[output]))
        if size > settings.value_limit:
            return NotCached(
                f"the output {output} has {size} bytes after compression; {settings.value_limit} can be kept"
            )
    hashes = {output: names.content_hash(written[output]) for output in large}
    spec: dict[str, Any] = {
        "key": key.parts(),
        "outputs": {
            output: {"$value": hashes[output]} if output in large else refs.escape(value)
            for output, value in outputs.items()
        },
        "source": {"execution": execution, "node": node},
    }
    if cache.expires_after is not None:
        spec["expiresAt"] = rfc3339(now + cache.expires_after)
    beside = {hashes[output]: written[output] for output in sorted(large)}
    return Entry(
        cache_entry(name, namespace, spec),
        tuple(cached_value(name, namespace, key.task, digest, data) for digest, data in beside.items()),
    )


def _too_large_together(written: Mapping[str, bytes]) -> Iterator[str]:
    """The names of the largest outputs, as many as it takes for the others to fit."""
    total = sum(len(name) + len(data) for name, data in written.items())
    for name in sorted(written, key=lambda name: (-len(written[name]), name)):
        if total <= INLINE_OUTPUTS:
            return
        total -= len(written[name])
        yield name


class Expired(NamedTuple):
    """An entry that counts no more."""

    namespace: str
    name: str
    uid: str


def expired(entries: Iterable[Mapping[str, Any]], now: float) -> list[Expired]:
    """Which entries (whole objects) can go."""
    return [
        Expired(*(one["metadata"][part] for part in ("namespace", "name", "uid")))
        for one in entries
        if _expired(one["spec"], now)
    ]


# ---- taking turns ---------------------------------------------------------------------------------------------------


class Holder(NamedTuple):
    """Who computes a result while others wait: a node, or an element of a map."""

    execution: str
    uid: str
    """The Execution's."""

    node: str
    element: int | None = None

    @property
    def identity(self) -> str:
        """As a Lease has it: ``execution/node`` or ``execution/node/element``."""
        return "/".join([self.execution, self.node, *([] if self.element is None else [str(self.element)])])

    def __str__(self) -> str:
        of = "" if self.element is None else f", element {self.element}"
        return f"execution {self.execution}, node {self.node}{of}"


@dataclass(frozen=True, slots=True)
class Mine:
    """It is our turn."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """Somebody else computes the result."""

    message: str
    holder: Holder


@dataclass(frozen=True, slots=True)
class Stale:
    """Whoever held the reservation is over, or gone: it can be taken over."""


def reservation(key: CacheKey, me: Holder, namespace: str, now: float) -> Manifest:
    """The Lease that says that we compute a result. It goes with our Execution, at the latest."""
    name = names.cache_name(key.digest)
    return lease(name, namespace, key.task, me.identity, me.execution, me.uid, rfc3339(now))


def holder_of(of: Mapping[str, Any]) -> Holder | None:
    """Who holds a Lease; None where it doesn't say so as ours do."""
    execution, *rest = str((of.get("spec") or {}).get("holderIdentity") or "").split("/")
    owners = of["metadata"].get("ownerReferences") or ()
    uid = next((one["uid"] for one in owners if (one["kind"], one["name"]) == ("Execution", execution)), None)
    match rest:
        case [node] if uid is not None:
            return Holder(execution, uid, node)
        case [node, element] if uid is not None and element.isdigit():
            return Holder(execution, uid, node, int(element))
        case _:
            return None


def reserved(of: Mapping[str, Any], me: Holder, live: Callable[[Holder], bool]) -> Mine | Theirs | Stale:
    """Whose turn it is by a Lease. ``live`` says whether the Execution of this name and uid is still under way."""
    holder = holder_of(of)
    if holder == me:
        return Mine()
    if holder is None or not live(holder):
        return Stale()
    return Theirs(f"waits for {holder}, which computes this result", holder)
