"""What is left in the store of runs that are gone: found, and removed.

    folders of runs ─► what the cluster still refers to ─► what that refers to, in the store ─► too young? ─► removed
      (listed first)       (all objects of ours, whole)        (values: `….json`)

A run has a folder of its own, `…/EXECUTION.UID/` (the operator names it so). It stays whole as long as its Execution is
there, or anything else in the cluster says its uid in an address: a CacheEntry, an Artifact, another run that was given
a file of it, a definition, a value in a ConfigMap. So it does if a value in a folder that stays says it. What is none
of these is removed once the youngest object in it is older than the time to live, so that a new run, and whoever copied
an address, has that long to refer to it.

The order matters: folders are listed before the cluster is asked, so that a run which starts meanwhile isn't among
them. If any part of the cluster can't be read, nothing is removed. What only lies inside a file (a table of addresses,
a pickle) is not seen as a reference: data that refers to other data belongs into typed values.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from windlass import _store
from windlass._exceptions import FlyteDataNotFoundException
from windlass._remote.client import Cluster, Object, remote_error
from windlass_api import names

KINDS = (*names.PLURALS, "ConfigMap", "ControllerRevision")
"""What may refer to data."""

_UID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_MENTION = re.compile(rf"\.({_UID})(?![0-9a-f-])".encode())
_FOLDER = re.compile(rf"(?P<execution>[a-z0-9][-a-z0-9.]*)\.(?P<uid>{_UID})\Z")
_PLACEHOLDER = re.compile(r"\{[a-z]+\}")
_PAGE = 500
_CHUNK = 1 << 20
_OVERLAP = 64  # bytes: longer than a mention


class Folder(NamedTuple):
    """What a run has left."""

    uri: str
    uid: str


class Collected(NamedTuple):
    """What was removed, or would be."""

    uri: str
    objects: int
    size: int
    """Bytes."""


def collect(
    cluster: Cluster, prefix: str, older_than: float, now: float, *, namespaces: Iterable[str] = (), dry_run: bool
) -> Iterator[Collected]:
    """Removes what nothing refers to, and says so one by one.

    Args:
        cluster: where to look for references.
        prefix: of the store, as the operator has it: `{namespace}`, `{project}` and `{domain}` in it stand for any.
        older_than: seconds; what has something younger in it stays.
        now: seconds since the epoch.
        namespaces: all that use the store, where not the whole cluster may be read. The prefix then has to name the
            namespace: whatever is below it is theirs alone.
        dry_run: removes nothing.

    Raises:
        RemoteError: a part of the cluster can't be read, so that nobody knows what is referred to.
        ValueError: the prefix doesn't tell whose the data is.
    """
    chosen = tuple(namespaces)
    if chosen and "{namespace}" not in prefix:
        raise ValueError(
            f"{prefix!r} is the prefix of all namespaces, so all of them have to be looked at: name none, or"
            " give each namespace a prefix of its own, with {namespace} in it"
        )
    roots = [prefix.replace("{namespace}", one) for one in chosen] or [prefix]
    found = {folder.uid: folder for root in roots for folder in folders(root)}
    for folder in unreferenced(found, mentioned(cluster, chosen)):
        contents = list(_store.contents(folder.uri))
        if any(now - one.modified < older_than for one in contents):
            continue
        if not dry_run:
            _store.remove_tree(folder.uri)
        yield Collected(folder.uri, len(contents), sum(one.size for one in contents))


def folders(prefix: str) -> Iterator[Folder]:
    """The folders of runs below a prefix whose placeholders stand for any folder."""
    steps = prefix.rstrip("/").split("/")
    fixed = next((at for at, step in enumerate(steps) if _PLACEHOLDER.search(step)), len(steps))
    level = ["/".join(steps[:fixed])]
    for step in steps[fixed:]:
        fits = re.compile("[^/]+".join(map(re.escape, _PLACEHOLDER.split(step))))
        level = [entry.uri for above in level for entry in _folders_in(above) if fits.fullmatch(entry.name)]
    for above in level:
        for entry in _folders_in(above):
            match = _FOLDER.match(entry.name)
            if match:
                yield Folder(entry.uri, match["uid"])


def _folders_in(uri: str) -> list[_store.Entry]:
    try:
        return [entry for entry in _store.listdir(uri) if entry.is_dir]
    except FlyteDataNotFoundException:
        return []


def mentioned(cluster: Cluster, namespaces: Iterable[str]) -> set[str]:
    """The uids of runs that are there, or to whose data something in the cluster refers."""
    uids: set[str] = set()
    for kind in KINDS:
        for namespace in tuple(namespaces) or ("",):
            for item in _items(cluster, kind, namespace):
                if kind == "Execution":
                    uids.add(item["metadata"]["uid"])
                uids |= mentions_of(item)
    return uids


def mentions_of(item: Mapping[str, Any]) -> set[str]:
    """The uids in the addresses of an object, those in compressed values too."""
    texts = [json.dumps(item, ensure_ascii=False).encode()]
    texts += [_expanded(value) for value in (item.get("binaryData") or {}).values()]
    return {found.decode() for text in texts for found in _MENTION.findall(text)}


def _expanded(value: str) -> bytes:
    try:
        data = base64.b64decode(value)
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (ValueError, OSError, EOFError, zlib.error):
        return b""


def _items(cluster: Cluster, kind: str, namespace: str) -> Iterator[Object]:
    """All objects of a kind; of ConfigMaps and revisions, those of Windlass."""
    group = {"ConfigMap": "/api/v1", "ControllerRevision": "/apis/apps/v1"}.get(kind, f"/apis/{names.API_VERSION}")
    plural = {"ConfigMap": "configmaps", "ControllerRevision": "controllerrevisions"}.get(kind) or names.plural(kind)
    path = f"{group}/namespaces/{namespace}/{plural}" if namespace else f"{group}/{plural}"
    query = {"limit": str(_PAGE)}
    while True:
        answer = cluster.request("GET", path, query=query, what=f"{plural} in {namespace or 'all namespaces'}")
        yield from answer["items"]
        token = answer["metadata"].get("continue")
        if not token:
            return
        query["continue"] = token


def unreferenced(found: Mapping[str, Folder], alive: Iterable[str]) -> list[Folder]:
    """The folders to which nothing refers: not the cluster, and no value in a folder that stays."""
    stays: set[str] = set()
    new = {uid for uid in alive if uid in found}
    while new:
        stays |= new
        new = {uid for one in new for uid in _mentions_below(found[one].uri) if uid in found} - stays
    return [folder for uid, folder in found.items() if uid not in stays]


def _mentions_below(uri: str) -> set[str]:
    """The uids in the values that lie in a folder."""
    return {uid for one in _store.contents(uri) if one.uri.endswith(".json") for uid in _mentions_in(one.uri)}


def _mentions_in(uri: str) -> set[str]:
    found: set[str] = set()
    try:
        with _store.open(uri, "rb") as stream:
            rest = b""
            while chunk := stream.read(_CHUNK):
                text = rest + chunk
                found |= {one.decode() for one in _MENTION.findall(text)}
                rest = text[-_OVERLAP:]
    except FlyteDataNotFoundException:  # it went meanwhile
        return found
    except Exception as error:
        raise remote_error(
            f"{uri} can't be read, so nobody knows what it refers to; nothing is removed: {error}"
        ) from error
    return found
