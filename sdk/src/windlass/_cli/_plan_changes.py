"""Two worlds of manifests held beside each other: what differs, field by field, and what no longer fits. Pure.

    before ──┐
             ├──► compared    what is added, changed and removed, with the paths of the fields
    after  ──┘──► breakages   what is wrong after, and was not before: with any object, changed itself or not

What is wrong is found by the rules that the operator holds objects to (`windlass_api.manifests_check`), over the whole
of each world, so that a changed Task shows in the Workflows that call it, and a changed Workflow in its LaunchPlans. A
definition that is replaced by another version stays reachable for whoever asks for the earlier one, as in a cluster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from windlass_api.findings import NOT_FOUND, Finding, field_path
from windlass_api.names import canonical_json
from windlass_api.types import show

Manifest = dict[str, Any]
CONTENT = ("spec", "data", "binaryData")


class Key(NamedTuple):
    """What makes two manifests the same object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" in namespace {self.namespace}" if self.namespace else "")


World = Mapping[Key, Manifest]


class Change(NamedTuple):
    """An object that differs: `+` is added, `~` changed, `-` removed; `fields` says what changed, a line for each."""

    sign: str
    key: Key
    fields: list[str]


class Breakage(NamedTuple):
    """An object that does not fit any more."""

    key: Key
    finding: Finding


def world(objects: Iterable[Manifest]) -> dict[Key, Manifest]:
    """Objects by what they are; those that get their name when they are created are in no world yet."""
    found: dict[Key, Manifest] = {}
    for manifest in objects:
        metadata = manifest.get("metadata") or {}
        if metadata.get("name") is not None:
            key = Key(manifest["kind"], str(metadata.get("namespace") or ""), str(metadata["name"]))
            found.setdefault(key, manifest)
    return found


def compared(before: World, after: World) -> list[Change]:
    """What differs, in the order of `after`; then what is gone."""
    found = []
    for key, manifest in after.items():
        if key not in before:
            found.append(Change("+", key, []))
        else:
            fields = list(_differences(_content(before[key]), _content(manifest), ""))
            found += [Change("~", key, fields)] if fields else []
    return found + [Change("-", key, []) for key in before if key not in after]


def breakages(
    before: World, after: World, *, open_ended: Collection[Key] = (), kept: Sequence[Manifest] = ()
) -> list[Breakage]:
    """What is wrong after, and was not before.

    The objects `open_ended` may refer to what is in neither world: that is taken to be in the cluster already. `kept`
    are versions of definitions that were replaced earlier still.
    """
    known = set(_findings(before, kept))
    versions = [*before.values(), *kept]
    beyond = {found for found in _findings({**before, **after}, versions) if _may_be_elsewhere(found, open_ended)}
    return [found for found in _findings(after, versions) if found not in known and found not in beyond]


def _may_be_elsewhere(found: Breakage, open_ended: Collection[Key]) -> bool:
    return found.key in open_ended and found.finding.reason in NOT_FOUND.values()


def _findings(now: World, versions: Iterable[Manifest]) -> list[Breakage]:
    """What is wrong. Versions of a definition which is gone are gone as well."""
    from windlass_api.manifests_check import validate_manifests  # noqa: PLC0415  loads pydantic, 150 ms

    keys = list(now)
    there = [manifest for manifest in versions if now.keys() & world([manifest]).keys()]
    return [Breakage(keys[index], finding) for index, finding in validate_manifests(list(now.values()), there)]


def _content(manifest: Manifest) -> Manifest:
    metadata = manifest.get("metadata") or {}
    theirs = {field: metadata[field] for field in ("labels", "annotations") if metadata.get(field)}
    return {**({"metadata": theirs} if theirs else {}), **{key: manifest.get(key) for key in CONTENT}}


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*after, *(key for key in before if key not in after)]:
            where = field_path(path, str(key)) if path else str(key)
            if key not in before:
                yield f"{where}: added: {show(after[key])}"
            elif key not in after:
                yield f"{where}: removed: {show(before[key])}"
            else:
                yield from _differences(before[key], after[key], where)
    elif _has_ids(before) and _has_ids(after):
        yield from _differences_of_nodes(before, after, path)
    elif canonical_json(before) != canonical_json(after):  # 1, 1.0 and true are equal in Python
        yield f"{path}: {show(before)} → {show(after)}"


def _has_ids(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(item, dict) and "id" in item for item in value):
        return False
    return 0 < len(value) == len({str(item["id"]) for item in value})


def _differences_of_nodes(before: list[Any], after: list[Any], path: str) -> Iterator[str]:
    """Nodes are known by their ids, so that one more at the start is one change."""
    old, new = ({str(node["id"]): node for node in nodes} for nodes in (before, after))
    for name in [*new, *(name for name in old if name not in new)]:
        where = f'{path}[id="{name}"]'
        if name not in old:
            yield f"{where}: added"
        elif name not in new:
            yield f"{where}: removed"
        else:
            yield from _differences(old[name], new[name], where)
    if [name for name in new if name in old] != [name for name in old if name in new]:
        yield f"{path}: in another order"
