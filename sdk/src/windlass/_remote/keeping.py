"""The logs of container tasks, brought from their pods to the store by a process beside the operator.

    pods ──watch──► `main` has ended, or is told to ──► its log, by the API ──► status.logs.folder/…, in the store

Nothing in such a pod can read what its program prints (docs/decisions/0066), so somebody outside has to. It is nobody
who could do anything else: it may see pods, read their logs and read Executions, and has the store's keys, as the
collector has. The operator has neither.

A log is read when its container has ended; while a pod is being deleted, it is followed until then, since the pod goes
with its end. What the store does not take is tried again for as long as the pod is there, what can't be read for some
minutes: its node may be gone. Where it goes is said by the Execution's status alone, which only the operator writes,
and has to be below the store's prefix: a pod that anybody made, or a run whose data goes elsewhere, can't have these
keys used for other places.
"""

from __future__ import annotations

import queue
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, NoReturn

from windlass import _store
from windlass._remote import objects
from windlass._remote.client import Cluster, Object, RemoteError, explain
from windlass._remote.logs import CONTAINER
from windlass.runtime.capture import Spool
from windlass_api import logs, names

RUNNER = "container"
"""The kind of task whose pods can't keep their logs themselves."""

_AT_A_TIME = 16
_PAGE = "500"
_LISTEN = 30  # seconds of a watch; then what could not be kept is tried again
_TRIES = 20
"""How many times a log is asked for: some ten minutes."""
_SILENCE = 45.0
_PAUSE, _PAUSE_LAST = 0.5, 30.0
_LONG = 3600.0
_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND, _GONE = 400, 403, 404, 410


class Ended(NamedTuple):
    """An attempt of a container task that is over, or about to be."""

    namespace: str
    pod: str
    uid: str
    """The pod's."""
    execution: str
    execution_uid: str
    node: str
    attempt: int
    element: int | None
    is_over: bool
    """Whether its container has ended; else its pod is being deleted, and it will."""


class _NotYetError(Exception):
    """It is not known yet where the log goes."""


def ended_of(pod: Mapping[str, Any]) -> Ended | None:
    """The attempt of a pod whose log is there as a whole, or will be; None of any other pod."""
    meta, status = pod["metadata"], pod.get("status") or {}
    annotations, labels = meta.get("annotations") or {}, meta.get("labels") or {}
    owner = next((one for one in meta.get("ownerReferences") or () if one.get("controller")), None)
    if annotations.get(names.ANNOTATION_RUNNER) != RUNNER or owner is None or owner["kind"] != "Execution":
        return None
    attempt, element = str(labels.get(names.LABEL_ATTEMPT, "")), labels.get(names.LABEL_ELEMENT)
    if not attempt.isdigit() or not (element is None or str(element).isdigit()):
        return None
    node = str(annotations.get(names.ANNOTATION_NODE, labels.get(names.LABEL_NODE, "")))
    number = None if element is None else int(element)
    if meta["name"] != names.pod_name(owner["name"], node, int(attempt), number):
        return None
    is_over = _is_over(status)
    if not is_over and not meta.get("deletionTimestamp"):
        return None
    return Ended(
        meta["namespace"], meta["name"], meta["uid"], owner["name"], owner["uid"], node, int(attempt), number, is_over
    )


def _is_over(status: Mapping[str, Any]) -> bool:
    states = {one["name"]: one.get("state") or {} for one in status.get("containerStatuses") or ()}
    return "terminated" in states.get(CONTAINER, {}) or status.get("phase") in ("Succeeded", "Failed")


def is_below(folder: str, prefix: str, namespace: str) -> bool:
    """Whether a folder is one of a namespace's in the store.

    >>> is_below("s3://b/team-a/e.1/logs", "s3://b/{namespace}", "team-a")
    True
    >>> is_below("s3://b/team-b/e.1/logs", "s3://b/{namespace}", "team-a")
    False
    """
    parts = re.split(r"(\{[a-z]+\})", prefix.rstrip("/"))
    values = {"{namespace}": re.escape(namespace), "{project}": "[^/]*", "{domain}": "[^/]*"}
    pattern = "".join(values.get(part, re.escape(part)) for part in parts)
    return re.match(f"{pattern}/", folder) is not None and "/../" not in f"{folder}/"


class Keeper:
    """Keeps logs, until it is stopped from outside.

    Args:
        cluster: whose pods.
        prefix: of the store, as the operator has it.
        limit: bytes of a log that are kept: half of it its beginning, half its end.
        tell: takes a line about a log that is kept, or why one isn't.
    """

    def __init__(self, cluster: Cluster, prefix: str, limit: int, tell: Callable[[str], None]) -> None:
        self._cluster, self._prefix, self._limit, self._tell = cluster, prefix, limit, tell
        self._pool = ThreadPoolExecutor(_AT_A_TIME, "keep a log")
        self._taken: set[str] = set()
        self._unread: Counter[str] = Counter()
        self._again: queue.SimpleQueue[Ended] = queue.SimpleQueue()

    def follow(self, namespace: str) -> NoReturn:
        """Watches the pods of a namespace, or of all where it is empty. Raises RemoteError where that isn't allowed."""
        version, pause = "", _PAUSE
        while True:
            try:
                version = self._watched(namespace, version) if version else self._listed(namespace)
                pause = _PAUSE
            except RemoteError as error:
                if error.status == _FORBIDDEN:
                    raise
                self._tell(f"the pods can't be seen for now: {error}")
                version, pause = "", min(pause * 2, _PAUSE_LAST)
            self._try_again()
            time.sleep(pause)

    def _listed(self, namespace: str) -> str:
        """Takes all pods that are there; the version to watch from."""
        query, what = {"labelSelector": f"{names.MANAGED_BY}=windlass", "limit": _PAGE}, _pods(namespace)
        while True:
            answer = self._cluster.request("GET", _path(namespace), query=query, what=what)
            for pod in answer["items"]:
                self.take("ADDED", pod)
            token = answer["metadata"].get("continue")
            if not token:
                version: str = answer["metadata"]["resourceVersion"]
                return version
            query = {**query, "continue": token}

    def _watched(self, namespace: str, version: str) -> str:
        """Takes what changes for a while; the version to go on from, nothing where all has to be listed anew."""
        query = {
            "labelSelector": f"{names.MANAGED_BY}=windlass",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_LISTEN),
        }
        try:
            for event in self._cluster.watch(_path(namespace), query, what=_pods(namespace), seconds=_SILENCE):
                if event["type"] == "ERROR":
                    if event["object"].get("code") != _GONE:
                        raise RemoteError(explain(500, event["object"]), 500)
                    return ""
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self.take(event["type"], event["object"])
        except RemoteError as error:
            if error.status != _GONE:
                raise
            return ""
        return version

    def take(self, change: str, pod: Object) -> None:
        """Has the log of a pod kept, if it is time to; once for each."""
        uid = pod["metadata"]["uid"]
        if change == "DELETED":
            self._taken.discard(uid)
            del self._unread[uid]
            return
        ended = ended_of(pod)
        if ended is not None and uid not in self._taken:
            self._taken.add(uid)
            self._pool.submit(self._guarded, ended)

    def _try_again(self) -> None:
        for _ in range(self._again.qsize()):
            self._pool.submit(self._guarded, self._again.get())

    def _guarded(self, ended: Ended) -> None:
        try:
            self.keep(ended)
        except _NotYetError:
            self._again.put(ended)
        except Exception as error:  # noqa: BLE001  of the store, whatever its driver raises: others go on
            self._tell(f"{_title(ended)} is not kept yet: {type(error).__name__}: {error}")
            self._again.put(ended)

    def keep(self, ended: Ended) -> None:
        """Brings one log to the store, unless it is there. Raises what may pass: it is to be tried again."""
        uri = self._address(ended)
        if not uri or (ended.is_over and _store.exists(uri)):
            return
        try:
            content = self._read(ended)
        except RemoteError as error:
            if error.status == _NOT_FOUND:
                self._tell(f"{_title(ended)} is lost: its pod was gone before it could be read")
            elif error.status != _BAD_REQUEST:  # that says: it never started
                self._unread[ended.uid] += 1
                if self._unread[ended.uid] < _TRIES:
                    raise
                self._tell(f"{_title(ended)} is lost: it could not be read {_TRIES} times, at last: {error}")
            return
        _store.put_bytes(content, "", uri)
        self._tell(f"{_title(ended)}: {len(content):,} bytes at {uri}")

    def _address(self, ended: Ended) -> str:
        """Where the log goes; nothing where it goes nowhere."""
        try:
            execution = objects.get(self._cluster, "Execution", ended.execution, ended.namespace)
        except RemoteError as error:
            if error.status == _NOT_FOUND:
                return ""  # nobody could ask for it any more
            raise
        status = execution.get("status") or {}
        folder: str = (status.get("logs") or {}).get("folder") or ""
        if execution["metadata"]["uid"] != ended.execution_uid or (status and not folder):
            return ""
        if ended.node not in (status.get("nodes") or {}):
            raise _NotYetError
        if not is_below(folder, self._prefix, ended.namespace):
            self._tell(f"{_title(ended)} is not kept: {folder} is not below {self._prefix}")
            return ""
        return logs.address(folder, ended.node, ended.attempt, ended.element)

    def _read(self, ended: Ended) -> bytes:
        spool = Spool(self._limit)
        query = {"container": CONTAINER, **({} if ended.is_over else {"follow": "true"})}
        path = f"{_path(ended.namespace)}/{ended.pod}/log"
        for chunk in self._cluster.text(path, query, what=_title(ended), seconds=_LONG):
            spool.add(chunk)
        return spool.content()


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"


def _pods(namespace: str) -> str:
    return f"pods in {namespace or 'all namespaces'}"


def _title(ended: Ended) -> str:
    return f"the log of {ended.namespace}/{ended.pod}"
