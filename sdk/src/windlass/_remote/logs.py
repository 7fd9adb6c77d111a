"""The log of an attempt: from its pod while there is one, else from the store, where the operator had it kept.

    pod/NAME/log ──404──► <status.logs.folder>/NODE/ATTEMPT.log, with this machine's credentials

A pod that waits to start has no log yet: who follows it waits for that. A call of an actor has no pod of its own: what
it prints is in its worker's log meanwhile, and in the store within seconds of its end. That of a container task is
brought there by a process beside the operator, where the cluster has one (`keeping`).
"""

from __future__ import annotations

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


def attempts(execution: Object, node: str | None, number: int | None, element: int | None) -> list[Attempt]:
    """The attempts that are meant: of one node, or the last one of each that runs a task.

    Raises RemoteError where there is none.
    """
    name = execution["metadata"]["name"]
    nodes: dict[str, Any] = (execution.get("status") or {}).get("nodes") or {}
    if node is not None and node not in nodes:
        known = ", ".join(nodes) or "none yet"
        raise RemoteError(f"{name} has no node {node!r}; it has {known}")
    if node is None:
        found = [one for one, state in nodes.items() if _had_a_pod(state)]
        if not found:
            raise RemoteError(f"no node of {name} has had a pod of its own: windlass explain {name} says why")
        return [_attempt(execution, one, number, element) for one in found]
    state = nodes[node]
    if state.get("execution"):
        raise RemoteError(
            f"{node} has no pod: {state['execution']} runs in its place; windlass logs {state['execution']}"
        )
    if not state.get("task"):
        raise RemoteError(f"{node} runs no task, so it has no log")
    if "elements" in state and element is None:
        raise RemoteError(f"{node} is a map: say which element, --element 0 to {state['elements'].get('total', 1) - 1}")
    return [_attempt(execution, node, number, element)]


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


def _had_a_pod(state: dict[str, Any]) -> bool:
    """Maps have many: one has to say which."""
    return bool(state.get("task") and state.get("startedAt")) and not {"elements", "execution"} & state.keys()


def _attempt(execution: Object, node: str, number: int | None, element: int | None) -> Attempt:
    last = (execution["status"]["nodes"][node]).get("attempt") or 0
    return Attempt(execution, node, last if number is None else number, element)


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
