"""Values that are too large to leave the pod, or to come into it: they lie in the store (`windlass_api.stored`).

    outputs ─► record ─► does it fit? ─ no ─► the largest output goes to the store, its mark into the record ─► again
                             └─ yes ─► termination message
    inputs  ─► a mark? ─► read, compare size and digest, take the part that is meant

Nothing is overwritten: each value is an object of its own below the run's folder, so that an attempt that is made twice
leaves two. What can't be read is told apart by what helps: a store that does not answer may answer the next attempt; an
object that is gone, or is another one, stays so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from windlass import _store
from windlass._exceptions import FlyteDataNotFoundException, FlyteDownloadDataException, FlyteException
from windlass_api import refs
from windlass_api.names import canonical_json
from windlass_api.stored import STORED, Stored, any_in, replaced, stored

SMALL = 512
"""Bytes of JSON that stay where they are: what would stand for them is not much shorter."""


def put(value: Any, name: str) -> Stored:
    """Writes a value to the store."""
    data = canonical_json(value)
    uri = _store.put_bytes(data, f"{name}.json")
    length = len(value) if isinstance(value, list) else None
    return Stored(uri, len(data), hashlib.sha256(data).hexdigest(), length)


def get(lies: Stored) -> Any:
    """A value, or the part of it that is meant.

    Raises:
        TaskError: it can't be read, is gone, or is not what was written.
    """
    try:
        data = _store.read_bytes(lies.uri)
    except FlyteDataNotFoundException as error:
        raise _lost(lies, "is not there any more") from error
    except FlyteDownloadDataException as error:
        raise _system("StoreUnreadable", f"the value at {lies.uri} can't be read: {error}") from error
    if len(data) != lies.size or hashlib.sha256(data).hexdigest() != lies.sha256:
        raise _lost(lies, f"is another one than was written: {len(data):,} bytes instead of {lies.size:,}, or changed")
    value = json.loads(data)
    try:
        return refs.walk(value, lies.path)
    except refs.RefValueError as error:
        raise _user("USER:UnresolvableReference", f"the value at {lies.uri}: {error}") from error


class Reader:
    """Reads values; what lies at one address is read once, however many parts of it are asked for."""

    def __init__(self) -> None:
        self._whole: dict[str, Any] = {}

    def inlined(self, value: Any) -> Any:
        """The value with all that lies in the store in its place."""
        return replaced(value, self._get) if any_in(value) is not None else value

    def part(self, content: Any) -> Any:
        """What the content of a mark means."""
        lies = stored({STORED: content})
        if lies is None:
            raise _system("BadOrder", f"{STORED} with {content!r} says nothing that lies in the store")
        return self._get(lies)

    def _get(self, lies: Stored) -> Any:
        if lies.sha256 not in self._whole:
            self._whole[lies.sha256] = get(lies._replace(path=()))
        try:
            part = refs.walk(self._whole[lies.sha256], lies.path)
        except refs.RefValueError as error:
            raise _user("USER:UnresolvableReference", f"the value at {lies.uri}: {error}") from error
        return self.inlined(part)


def fitted(body: Mapping[str, Any], fits: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    """A record's body that fits, with as much of it in the store as it takes; or one with all of it there, which may
    still be too large.

    Raises:
        TaskError: the store could not be written.
    """
    part = "workflow" if "workflow" in body else "outputs"
    try:
        return _workflow_fitted(body, fits) if part == "workflow" else _outputs_fitted(body, fits)
    except FlyteException as error:
        raise _system("StoreUnwritable", f"the {part} are too large for the record, and: {error}") from error


def _outputs_fitted(body: Mapping[str, Any], fits: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    outputs = dict(body["outputs"])
    for name in _largest_first(outputs):
        outputs[name] = put(outputs[name], name).mark
        if fits({**body, "outputs": outputs}):
            return {**body, "outputs": outputs}
    whole = put(body["outputs"], "outputs")  # many of them: in one object, whose address is said once
    marks = {name: whole._replace(path=(name,), length=_length(value)).mark for name, value in body["outputs"].items()}
    return {**body, "outputs": marks}


def _workflow_fitted(body: Mapping[str, Any], fits: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    """The workflow of a dynamic task: values that its body passes on may lie in the store, its nodes can't."""
    workflow = json.loads(json.dumps(body["workflow"]))
    places = [(node["inputs"], name) for node in workflow["nodes"] for name in node.get("inputs") or {}]
    places = [(inputs, name) for inputs, name in places if _is_plain(inputs[name])]
    for inputs, name in sorted(places, key=lambda place: -len(canonical_json(place[0][place[1]]))):
        if len(canonical_json(inputs[name])) <= SMALL:
            break
        inputs[name] = put(refs.decode(inputs[name], {}), name).mark
        if fits({**body, "workflow": workflow}):
            break
    return {**body, "workflow": workflow}


def _is_plain(binding: Any) -> bool:
    return stored(binding) is None and next(refs.iter_refs(binding), None) is None


def _largest_first(outputs: Mapping[str, Any]) -> list[str]:
    sizes = {name: len(canonical_json(value)) for name, value in outputs.items()}
    return [name for name in sorted(sizes, key=lambda name: -sizes[name]) if sizes[name] > SMALL]


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def is_there(cached: Mapping[str, Any]) -> bool:
    """Whether all of a result that lies in the store is there: its values, and its files and tables (`uris`).

    Raises:
        TaskError: the store didn't answer.
    """
    found: list[Stored] = []
    replaced(cached["outputs"], found.append)
    places: dict[str, int | None] = dict.fromkeys(cached.get("uris") or ())
    places |= {lies.uri: lies.size for lies in found}
    try:
        return all(_has(uri, size) for uri, size in places.items())
    except FlyteDownloadDataException as error:
        raise _system("StoreUnreadable", f"whether a cached result is there can't be told: {error}") from error


def _has(uri: str, size: int | None) -> bool:
    try:
        entry = _store.stat(uri)
    except FlyteDataNotFoundException:
        return False
    return size is None or entry.size == size


def _lost(lies: Stored, why: str) -> BaseException:
    advice = (
        "the task that gave it has to run again: start the run anew, or delete the CacheEntry that it was taken from"
    )
    return _system("ValueLost", f"the value at {lies.uri} {why}; {advice}")


def _system(code: str, message: str) -> BaseException:
    from windlass._failure import TaskError  # noqa: PLC0415  only when something has failed

    return TaskError("system", code, message, code)


def _user(code: str, message: str) -> BaseException:
    from windlass._failure import TaskError  # noqa: PLC0415  as above

    return TaskError("user", code, message, code)
