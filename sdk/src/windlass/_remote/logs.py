"""The log of an attempt: from its pod while there is one, else from the store, where the operator had it kept.

    pod/NAME/log ──404──► <status.logs.folder>/NODE/ATTEMPT.log, with this machine's credentials

A pod that waits to start has no log yet: who follows it waits for that. A call of an actor has no pod of its own: what
it prints is in its worker's log meanwhile, and in the store within seconds of its end. That of a container task is
brought there by a process beside the operator, where the cluster has one (`keeping`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from windlass import _store
from windlass._exceptions import FlyteDataNotFoundException
from windlass._remote import objects, tree
from windlass._remote.client import Cluster, Object, RemoteError
from windlass._remote.following import TERMINAL
from windlass_api import logs, names

CONTAINER = "main"
_SILENCE = 3600.0
_LOOK = 0.5
_NOT_YET, _GONE = 400, 404


class Attempt(NamedTuple):
    """Whose log it is."""

    execution: Object
    node: str
    number: int
    element: int | None = None

    @property
    def pod(self) -> str:
        """The pod's name."""
        return names.pod_name(self.execution["metadata"]["name"], self.node, self.number, self.element)

    @property
    def status(self) -> dict[str, Any]:
        """The node's."""
        found: dict[str, Any] = self.execution["status"]["nodes"][self.node]
        return found

    @property
    def title(self) -> str:
        """For a heading."""
        element = "" if self.element is None else f", element {self.element}"
        shown = tree.display(self.status)
        return f"{self.node}{f' {shown}' if shown else ''}{element}, attempt {self.number}"


def begun(cluster: Cluster, execution: Object, node: str) -> Object:
    """The Execution once an attempt of the node has begun; or as it is, where none will or there is no such node."""
    while True:
        status = execution.get("status") or {}
        nodes, phase = status.get("nodes") or {}, status.get("phase")
        if phase in TERMINAL or (nodes and (node not in nodes or not _waits(nodes[node]))):
            return execution
        time.sleep(_LOOK)
        execution = objects.get(cluster, "Execution", execution["metadata"]["name"], execution["metadata"]["namespace"])


def _waits(state: dict[str, Any]) -> bool:
    """For an attempt of its own, the first one."""
    own = state.get("task") and not {"elements", "execution"} & state.keys()
    return bool(own and state["phase"] == "Pending" and _last(state) is None)


def attempts(
    cluster: Cluster, execution: Object, node: str | None, number: int | None, element: int | None
) -> list[Attempt]:
    """The attempts that are meant: of one node, or the last one of each that runs a task.

    Raises RemoteError where there is none.
    """
    name = execution["metadata"]["name"]
    nodes: dict[str, Any] = (execution.get("status") or {}).get("nodes") or {}
    if node is not None and node not in nodes:
        known = ", ".join(nodes) or "none yet"
        raise RemoteError(f"{name} has no node {node!r}; it has {known}")
    if node is None:
        return _of_all(execution, number, element)
    state = nodes[node]
    if state.get("execution"):
        raise RemoteError(
            f"{node} has no pod: {state['execution']} runs in its place; windlass logs {state['execution']}"
        )
    if not state.get("task"):
        raise RemoteError(f"{node} runs no task, so it has no log")
    if "elements" in state:
        return [_of_element(cluster, execution, node, number, element)]
    if element is not None:
        raise RemoteError(f"{node} is no map, so it has no element {element}: leave out --element")
    last = _last(state)
    if last is None:
        raise RemoteError(f"{node} has had no attempt, so it has no log: windlass explain {name} {node} says why")
    if number is not None and number not in range(last + 1):
        raise RemoteError(_no_such(number, node, range(last + 1)))
    return [Attempt(execution, node, last if number is None else number)]


def _of_all(execution: Object, number: int | None, element: int | None) -> list[Attempt]:
    name = execution["metadata"]["name"]
    if element is not None:
        raise RemoteError(f"--element is one of a map: say which, windlass logs {name} NODE --element {element}")
    nodes: dict[str, Any] = (execution.get("status") or {}).get("nodes") or {}
    own = {one: _last(state) for one, state in nodes.items() if not {"elements", "execution"} & state.keys()}
    found = {one: last for one, last in own.items() if last is not None}
    if not found:
        raise RemoteError(f"no node of {name} has had a pod of its own: windlass explain {name} says why")
    chosen = {one: last for one, last in found.items() if number is None or number in range(last + 1)}
    if not chosen:
        raise RemoteError(_no_such(number, f"any node of {name}", range(max(found.values()) + 1)))
    return [Attempt(execution, one, last if number is None else number) for one, last in chosen.items()]


def _of_element(cluster: Cluster, execution: Object, node: str, number: int | None, element: int | None) -> Attempt:
    """Of an element of a map, which the status doesn't tell of. What is seen of its attempts may not be all of them."""
    total = execution["status"]["nodes"][node]["elements"].get("total", 0)
    if not total:
        raise RemoteError(f"{node} is a map over nothing, so it has no log")
    if element is None or element not in range(total):
        which = "is a map: say which element," if element is None else f"has no element {element}; there are"
        raise RemoteError(f"{node} {which} --element 0 to {total - 1}")
    seen = _seen(cluster, execution, node, element)
    last = max(seen, default=None)
    if number is not None and last is not None and number not in range(last + 1):
        raise RemoteError(_no_such(number, f"element {element} of {node}", range(last + 1)))
    return Attempt(execution, node, (last or 0) if number is None else number, element)


def _seen(cluster: Cluster, execution: Object, node: str, element: int) -> set[int]:
    """The attempts of an element that have pods or logs. What can not be asked says nothing: reading tells why."""
    meta = execution["metadata"]
    labels = {names.LABEL_EXECUTION: meta["name"], names.LABEL_NODE: node, names.LABEL_ELEMENT: str(element)}
    query = {"labelSelector": ",".join(f"{key}={names.label_value(value)}" for key, value in labels.items())}
    found: set[str] = set()
    with contextlib.suppress(RemoteError):
        answer = cluster.request("GET", f"/api/v1/namespaces/{meta['namespace']}/pods", query=query, what="its pods")
        found = {str((pod["metadata"].get("labels") or {}).get(names.LABEL_ATTEMPT)) for pod in answer["items"]}
    folder = ((execution.get("status") or {}).get("logs") or {}).get("folder")
    if folder:
        with contextlib.suppress(Exception):  # whatever the driver of the scheme raises
            listed = _store.listdir(logs.address(folder, node, 0, element).rpartition("/")[0])
            found |= {entry.name.removesuffix(".log") for entry in listed}
    return {int(number) for number in found if number.isdigit()}


def _no_such(number: int | None, whose: str, there: range) -> str:
    known = f"the only one is {there[0]}" if len(there) == 1 else f"there are {there[0]} to {there[-1]}"
    return f"there is no attempt {number} of {whose}; {known}"


def read(cluster: Cluster, attempt: Attempt, *, follow: bool = False) -> Iterator[bytes]:
    """The log, as it comes. Raises RemoteError where there is none."""
    namespace = attempt.execution["metadata"]["namespace"]
    path = f"/api/v1/namespaces/{namespace}/pods/{attempt.pod}/log"
    query = {"container": CONTAINER, **({"follow": "true"} if follow else {})}
    while True:
        try:
            yield from cluster.text(path, query, what=f"the log of pod {attempt.pod}", seconds=_SILENCE)
            return
        except RemoteError as error:
            if error.status == _GONE:
                yield _kept(cluster, attempt)
                return
            if error.status != _NOT_YET or not follow:
                raise
        time.sleep(_LOOK)
        _refuse_what_never_starts(cluster, attempt)


def links(attempt: Attempt) -> list[tuple[str, str]]:
    """The links of the cluster's settings, filled in: name and URL."""
    state = attempt.status
    values: dict[str, Any] = {
        "node": attempt.node,
        "attempt": attempt.number,
        "element": "" if attempt.element is None else attempt.element,
        "pod": attempt.pod,
        "container": CONTAINER,
    }
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for key, field in (("start", "startedAt"), ("end", "finishedAt")):
        values[key] = state.get(field) or now
        values[f"{key}Millis"] = int(tree.timestamp(values[key]) * 1000)
    listed = ((attempt.execution.get("status") or {}).get("logs") or {}).get("links") or []
    return [(link["name"], logs.filled(link["url"], values)) for link in listed]


def _last(state: dict[str, Any]) -> int | None:
    """The last attempt that has begun. While a node waits for its next one, that has no pod yet."""
    last = tree.last_attempt(state) if state.get("task") else None
    if last is None or state["phase"] != "Pending":
        return last
    return last - 1 if last else None


def _refuse_what_never_starts(cluster: Cluster, attempt: Attempt) -> None:
    meta = attempt.execution["metadata"]
    now = objects.get(cluster, "Execution", meta["name"], meta["namespace"])
    if (now.get("status") or {}).get("phase") in TERMINAL:
        raise RemoteError(f"{attempt.pod} never started: windlass explain {meta['name']} {attempt.node} says why")


class _Runner(NamedTuple):
    """What runs the task of an attempt, as far as its Task still tells."""

    kind: str
    pool: str = ""


_WHY_NOT = {
    "actor": ", and there is no log at {uri}: it comes some seconds after the end of a call, and none does of a call"
    " that prints nothing or whose worker was killed within its first minute; or it has been collected",
    "container": ", and there is no log at {uri}. Its task is a container: what that prints is kept where the chart's"
    " logs.containers.enabled is on, when the container ends and its node is not lost. Without it, let the program"
    " write to a file that is an output, or have the cluster collect the logs of its nodes (the chart's logs.links)",
    "python": ", and there is no log at {uri}: it was killed within its first minute, or its log has been collected",
    "": ", and there is no log at {uri}: it was killed within its first minute, was no Python task, or its log has been"
    " collected",
}


def _runner(cluster: Cluster, attempt: Attempt) -> _Runner:
    """By the Task, if it is still there and may be read; only where a log is missing."""
    try:
        task = objects.get(cluster, "Task", attempt.status["task"], attempt.execution["metadata"]["namespace"])
    except RemoteError:
        return _Runner("")
    spec = task.get("spec") or {}
    if spec.get("actor"):
        return _Runner("actor", spec["actor"]["name"])
    return _Runner("container" if spec.get("container") else "python" if spec.get("python") else "")


def _gone(runner: _Runner, attempt: Attempt) -> str:
    if runner.kind != "actor":
        return f"the pod {attempt.pod} is gone"
    call = f"{attempt.execution['metadata']['name']}/{attempt.node}"
    call += "" if attempt.element is None else f"#{attempt.element}"
    namespace = attempt.execution["metadata"]["namespace"]
    selector = f"{names.LABEL_POOL}={names.label_value(runner.pool)}"
    return (
        f"{attempt.title} is a call of the pool {runner.pool}; while its worker is there, kubectl logs -n {namespace}"
        f" -l {selector} --tail=-1 has what it prints, in lines that begin with [{call}]"
    )


def _elsewhere(attempt: Attempt) -> str:
    """Where the log may be besides."""
    if not links(attempt):
        return ""
    name = attempt.execution["metadata"]["name"]
    return f". The cluster sends logs elsewhere, too: windlass logs {name} {attempt.node} --links"


def _kept(cluster: Cluster, attempt: Attempt) -> bytes:
    """The log in the store."""
    folder = ((attempt.execution.get("status") or {}).get("logs") or {}).get("folder")
    if not folder:
        why = f"{_gone(_runner(cluster, attempt), attempt)}, and the operator keeps no logs (the chart's logs.capture)"
        raise RemoteError(f"{why}{_elsewhere(attempt)}")
    uri = logs.address(folder, attempt.node, attempt.number, attempt.element)
    try:
        return _store.read_bytes(uri)
    except FlyteDataNotFoundException as error:
        runner = _runner(cluster, attempt)
        why = _WHY_NOT[runner.kind].format(uri=uri)
        raise RemoteError(f"{_gone(runner, attempt)}{why}{_elsewhere(attempt)}") from error
    except Exception as error:  # whatever the driver of the scheme raises
        raise RemoteError(
            f"the log of {attempt.title} is kept at {uri}, which can't be read from here ({type(error).__name__}:"
            f" {error}); give this machine the store's credentials, such as AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY"
        ) from error
