"""What is left in the store of runs that are gone, and code that nobody runs any more: found, and removed.

    folders of runs,  ─► what the cluster still refers to ─► what that refers to, in the store ─► too young? ─► removed
    archives of code       (all objects of ours, whole)        (values: `….json`)
     (listed first)

A run has a folder of its own, `…/EXECUTION.UID/` (the operator names it so). It stays whole as long as its Execution is
there, or anything else in the cluster says its uid in an address: a CacheEntry, an Artifact, another run that was given
a file of it, a definition, a value in a ConfigMap. So it does if a value in a folder that stays says it. What is none
of these is removed once the youngest object in it is older than the time to live, so that a new run, and whoever copied
an address, has that long to refer to it.

An archive of code, `…/code/SHA-256.tar.gz`, stays in the same way: as long as a Task, a revision, the closure of a run
or anything else says its address, wherever that begins. It is two days old at least before it goes, however short the
time to live is: whoever brings code that is there already leaves it as it is only in the first of them
(`_bundle.upload`), so there is always a day from that to the Task which refers to it.

The order matters: the store is listed before the cluster is asked, so that a run which starts meanwhile isn't among
what was found. What was written again meanwhile is young: ages are read last. If any part of the cluster can't be read,
nothing is removed. What only lies inside a file (a table of addresses, a pickle) is not seen as a reference: data that
refers to other data belongs into typed values.
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
from windlass._bundle import RENEWED_AFTER
from windlass._exceptions import FlyteDataNotFoundException
from windlass._remote.client import Cluster, Object, remote_error
from windlass_api import names

KINDS = (*names.PLURALS, "ConfigMap", "ControllerRevision")
"""What may refer to data and code."""
CODE_STAYS = 2 * RENEWED_AFTER
"""How old an archive of code is at least before it goes (seconds)."""

RUN, CODE = "run", "code archive"

_UID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ARCHIVE = r"[0-9a-f]{64}(?=\.tar\.gz)"
_MENTION = re.compile(rf"(?<=\.){_UID}(?![0-9a-f-])|(?<=/){_ARCHIVE}".encode())
_RUN_NAME = re.compile(rf"[a-z0-9][-a-z0-9.]*\.(?P<key>{_UID})\Z")
_CODE_NAME = re.compile(rf"(?P<key>{_ARCHIVE})\.tar\.gz\Z")
_PLACEHOLDER = re.compile(r"\{[a-z]+\}")
_PAGE = 500
_CHUNK = 1 << 20
_OVERLAP = 96  # bytes: longer than a mention


class Left(NamedTuple):
    """What lies in the store, and may have to go."""

    kind: str
    """RUN, a folder, or CODE, an object."""
    uri: str
    key: str
    """What an address in it says: the uid of the run, the hash of the archive."""


class Collected(NamedTuple):
    """What was removed, or would be."""

    kind: str
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
        older_than: seconds; what has something younger in it stays, and code does for CODE_STAYS at least.
        now: seconds since the epoch.
        namespaces: all that use the store, where not the whole cluster may be read. The prefix then has to name the
            namespace: whatever is below it is theirs alone.
        dry_run: removes nothing.

    Raises:
        RemoteError: a part of the cluster can't be read, so that nobody knows what is referred to.
        ValueError: the prefix doesn't tell whose the data is.
    """
    chosen = tuple(namespaces)
    found = [one for root in roots(prefix, chosen) for one in left_below(root, shared=not chosen)]
    for one in unreferenced(found, mentioned(cluster, chosen)):
        contents = list(_contents(one))
        if one.kind == CODE and not contents:
            continue  # somebody else has removed it
        least = max(older_than, CODE_STAYS) if one.kind == CODE else older_than
        if any(now - content.modified < least for content in contents):
            continue
        if not dry_run:
            (_store.remove_tree if one.kind == RUN else _store.remove_file)(one.uri)
        yield Collected(one.kind, one.uri, len(contents), sum(content.size for content in contents))


def roots(prefix: str, namespaces: Iterable[str]) -> list[str]:
    """The prefix, or that of each chosen namespace. Raises ValueError where they share one with others."""
    chosen = tuple(namespaces)
    if chosen and "{namespace}" not in prefix:
        raise ValueError(
            f"{prefix!r} is the prefix of all namespaces, so all of them have to be looked at: name none, or"
            " give each namespace a prefix of its own, with {namespace} in it"
        )
    return [prefix.replace("{namespace}", one) for one in chosen] or [prefix]


def beginning(prefix: str) -> str:
    """The folder in which the placeholders of a prefix begin: what is above them is in all of its addresses.

    Raises ValueError where that is no folder, for what lies in all stores of a kind can't be listed.

    >>> beginning("s3://bucket/runs/{namespace}/data")
    's3://bucket/runs'
    """
    steps = prefix.rstrip("/").split("/")
    fixed = next((at for at, step in enumerate(steps) if _PLACEHOLDER.search(step)), len(steps))
    if fixed < len(steps) and not "/".join(steps[2 if _store.scheme_of(prefix) else 0 : fixed]).strip("/"):
        raise ValueError(
            f"{prefix!r} begins with a placeholder, and nobody can look through all stores that there are: say whose"
            " with --only, or give the prefix of one with the placeholder filled in"
        )
    return "/".join(steps[:fixed])


def left_below(prefix: str, *, shared: bool = True) -> Iterator[Left]:
    """What runs have left below a prefix whose placeholders stand for any folder, and the code there.

    People who share a store may bring code to where its placeholders begin, rather than to each namespace's folder.
    That is looked at too, if all who share it are (`shared`): what is there may be that of any of them.
    """
    top = beginning(prefix)
    levels = [[top]]
    for step in prefix.rstrip("/").split("/")[top.count("/") + 1 :]:
        fits = re.compile("[^/]+".join(map(re.escape, _PLACEHOLDER.split(step))))
        levels.append(
            [one.uri for above in levels[-1] for one in _listed(above) if one.is_dir and fits.fullmatch(one.name)]
        )
    for above in levels[-1]:
        yield from (Left(RUN, one.uri, key) for one, key in _named(above, _RUN_NAME) if one.is_dir)
    for above in dict.fromkeys(uri for level in (levels if shared else levels[-1:]) for uri in level):
        folder = _store.join(above, names.CODE_FOLDER)
        yield from (Left(CODE, one.uri, key) for one, key in _named(folder, _CODE_NAME) if not one.is_dir)


def _named(folder: str, pattern: re.Pattern[str]) -> Iterator[tuple[_store.Entry, str]]:
    for entry in _listed(folder):
        match = pattern.match(entry.name)
        if match:
            yield entry, match["key"]


def _listed(uri: str) -> list[_store.Entry]:
    try:
        return _store.listdir(uri)
    except FlyteDataNotFoundException:
        return []


def _contents(left: Left) -> Iterator[_store.Content]:
    """The objects that would go, as they are now."""
    if left.kind == RUN:
        yield from _store.contents(left.uri)
        return
    try:
        found = _store.stat(left.uri)
    except FlyteDataNotFoundException:
        return
    if found.size is not None and found.modified is not None:
        yield _store.Content(left.uri, found.size, found.modified)


def mentioned(cluster: Cluster, namespaces: Iterable[str]) -> set[str]:
    """The uids of runs that are there; the uids and hashes in all addresses that something in the cluster has."""
    keys: set[str] = set()
    for kind in KINDS:
        for namespace in tuple(namespaces) or ("",):
            for item in _items(cluster, kind, namespace):
                if kind == "Execution":
                    keys.add(item["metadata"]["uid"])
                keys |= mentions_of(item)
    return keys


def mentions_of(item: Mapping[str, Any]) -> set[str]:
    """The uids and hashes in the addresses of an object, those in compressed values too."""
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


def unreferenced(found: Iterable[Left], alive: Iterable[str]) -> list[Left]:
    """To what nothing refers: not the cluster, and no value in a folder that stays."""
    by_key: dict[str, list[Left]] = {}
    for one in found:
        by_key.setdefault(one.key, []).append(one)
    stays: set[str] = set()
    new = by_key.keys() & set(alive)
    while new:
        stays |= new
        mentions = (_mentions_below(one.uri) for key in new for one in by_key[key] if one.kind == RUN)
        new = (by_key.keys() & {key for some in mentions for key in some}) - stays
    return [one for key, several in by_key.items() if key not in stays for one in several]


def _mentions_below(uri: str) -> set[str]:
    """What the values that lie in a folder refer to."""
    return {key for one in _store.contents(uri) if one.uri.endswith(".json") for key in _mentions_in(one.uri)}


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
