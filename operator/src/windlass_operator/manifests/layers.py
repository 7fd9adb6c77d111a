"""Layers of a pod → one pod. Later layers win, field by field.

Whoever has a say in what a pod is like (an administrator, a PodTemplate, a task) gives a part of a pod as a layer.
``merged`` puts them on top of each other as Kubernetes' own strategic merge does, with a few lists kept rather than
replaced, so that a layer never takes away what another asks of nodes:

| what | how |
|---|---|
| objects | field by field; null takes away what earlier layers set |
| containers | by name, and then field by field |
| lists in ``KEYED``: volumes, env, mounts, ports, … | by their key; an entry with the same key is replaced whole |
| lists in ``ADDED``: tolerations, preferences, … | both, each entry once |
| the terms of a required node affinity | both have to hold: each term of one with each of the other |
| all else, other lists among it | the later |

An empty layer changes nothing, and nothing that is passed in is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from windlass_operator.manifests.objects import Manifest

KEYED: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "protocol"),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "resourceClaims": ("name",),
    "claims": ("name", "request"),
    "readinessGates": ("conditionType",),
    "schedulingGates": ("name",),
    "sysctls": ("name",),
}
"""Lists whose entries are found by a key."""

OPTIONAL = frozenset({"protocol", "request"})
"""Parts of a key that may be missing."""

ENTRIES_MERGED = frozenset({"containers", "initContainers"})
"""Those of ``KEYED`` whose entries are merged rather than replaced."""

ADDED = frozenset(
    {
        "tolerations",
        "envFrom",
        "preferredDuringSchedulingIgnoredDuringExecution",
        "requiredDuringSchedulingIgnoredDuringExecution",  # that of pods; that of nodes is an object
    }
)
"""Lists that grow."""

TERMS = "nodeSelectorTerms"


class LayerError(ValueError):
    """A layer is no part of a pod; the message says where."""


def merged(*layers: Mapping[str, Any]) -> Manifest:
    """The layers on top of each other.

    Raises:
        LayerError: a list that is merged by a key has an entry without it, or a field is a directive of a patch.

    >>> merged({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "B", "value": "2"}]})
    {'env': [{'name': 'A', 'value': '1'}, {'name': 'B', 'value': '2'}]}
    """
    found: Manifest = {}
    for layer in layers:
        found = _objects(found, layer, "")
    return found


def both(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> list[Manifest]:
    """The terms that say that a term of each has to hold. None at all asks for nothing.

    >>> both([{"matchExpressions": ["a"]}], [{"matchExpressions": ["b"]}, {"matchExpressions": ["c"]}])
    [{'matchExpressions': ['a', 'b']}, {'matchExpressions': ['a', 'c']}]
    """
    if not one or not other:
        return [_fresh(term) for term in one or other]
    return [_fresh(_term(first, second)) for first in one for second in other]


def _term(one: Mapping[str, Any], other: Mapping[str, Any]) -> Manifest:
    found = dict(one)
    for field, wanted in other.items():
        found[field] = _added(found.get(field) or [], wanted)
    return found


def _objects(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Manifest:
    found = dict(old)
    for field, value in new.items():
        where = f"{path}.{field}" if path else str(field)
        if str(field).startswith("$"):
            raise LayerError(f"{where}: directives of patches can't stand in a template; null takes a field away")
        if value is None:
            found.pop(field, None)
        else:
            found[field] = _values(found.get(field), value, str(field), where)
    return found


def _values(old: Any, new: Any, field: str, where: str) -> Any:
    if isinstance(new, Mapping):
        return _objects(old if isinstance(old, Mapping) else {}, new, where)
    if not _is_list(new):
        return new
    before = old if _is_list(old) else []
    if field in KEYED:
        return _keyed(before, new, field, where)
    if field in ADDED:
        return _added(before, new)
    if field == TERMS:
        return both(before, [_fresh(term) for term in new])
    return _fresh(new)


def _keyed(old: Sequence[Any], new: Sequence[Any], field: str, where: str) -> list[Any]:
    found = dict(_by_key(old, field, where))
    for key, entry in _by_key(new, field, where):
        before = found.get(key, {}) if field in ENTRIES_MERGED else {}
        found[key] = _objects(before, entry, f"{where}[{key[0]}]")
    return list(found.values())


def _by_key(entries: Sequence[Any], field: str, where: str) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    for place, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            raise LayerError(f"{where}[{place}] is no object")
        key = tuple(entry.get(part) for part in KEYED[field])
        lacking = [name for name, part in zip(KEYED[field], key, strict=True) if not part and name not in OPTIONAL]
        if lacking:
            raise LayerError(f"{where}[{place}] has no {lacking[0]}")
        yield key, entry


def _added(old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    found = list(old)
    for entry in new:
        if entry not in found:
            found.append(_fresh(entry))
    return found


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _fresh(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _fresh(part) for key, part in value.items()}
    return [_fresh(part) for part in value] if _is_list(value) else value
