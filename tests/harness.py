"""What tests of the operator share: an API client, the operator as a process, waiting, and a kubelet played by hand.

Where there is no node (the control-plane suite), a test says itself how pods end: ``Hands`` writes the pod status that
a kubelet would write. Everything else is real.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kubernetes import config

from localcluster.cluster import Cluster
from windlass_api import names

T = TypeVar("T")
Body = dict[str, Any]
OURS = "/apis/windlass.dev/v1alpha1"
GARBAGE = 100.0
"""Seconds to wait for Kubernetes' garbage collector: it looks for new kinds every half a minute only."""


def wait_until(what: Callable[[], T | None], describe: str, timeout: float = 40.0) -> T:
    """Ask until there is an answer. The pause is for the machine's sake, not for the result's."""
    deadline = time.monotonic() + timeout
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {timeout} s in vain for: {describe}"
        time.sleep(0.05)


class ApiError(Exception):
    """The API server refused something."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """Plain JSON to and from an API server."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        found = config.new_client_from_config(str(cluster.kubeconfig))  # type: ignore[no-untyped-call]  # theirs
        self._server = found.configuration.host
        self._token = found.configuration.get_api_key_with_prefix("BearerToken")
        self._pool = found.rest_client.pool_manager
        self.namespace = namespace

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Body:
        """One request.

        Raises:
            ApiError: the API server refused it.
        """
        headers = {"Content-Type": content_type, "Accept": "application/json", "Authorization": self._token}
        data = None if body is None else json.dumps(body)
        answer = self._pool.request(method, self._server + path, body=data, headers=headers)
        found: Body = json.loads(answer.data)
        if answer.status >= 400:
            raise ApiError(answer.status, str(found.get("message")))
        return found

    def path(self, plural: str, name: str = "") -> str:
        """Where objects of a kind are in this namespace."""
        prefix = OURS if plural in names.PLURALS.values() else "/api/v1"
        if plural == "controllerrevisions":
            prefix = "/apis/apps/v1"
        if plural == "leases":
            prefix = "/apis/coordination.k8s.io/v1"
        return f"{prefix}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def create(self, plural: str, body: Body) -> Body:
        """Create an object."""
        return self.call("POST", self.path(plural), body)

    def get(self, plural: str, name: str) -> Body:
        """Read an object."""
        return self.call("GET", self.path(plural, name))

    def find(self, plural: str, name: str) -> Body | None:
        """Read an object, if there is one."""
        try:
            return self.get(plural, name)
        except ApiError as trouble:
            if trouble.status == 404:
                return None
            raise

    def list(self, plural: str) -> list[Body]:
        """Read all objects of a kind."""
        items: list[Body] = self.call("GET", self.path(plural))["items"]
        return items

    def merge(self, plural: str, name: str, changes: Body) -> Body:
        """Merge changes into an object."""
        return self.call("PATCH", self.path(plural, name), changes, "application/merge-patch+json")

    def watch(self, plural: str, version: str, seconds: int) -> Iterator[Body]:
        """What changes since a version, for so many seconds at most."""
        path = f"{self._server}{self.path(plural)}?watch=1&resourceVersion={version}&timeoutSeconds={seconds}"
        answer = self._pool.request("GET", path, headers={"Authorization": self._token}, preload_content=False)
        try:
            rest = b""
            for chunk in answer.stream(65536):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in whole if line)
        finally:
            answer.release_conn()

    def delete(self, plural: str, name: str) -> None:
        """Delete an object; what it owns goes with it."""
        self.call("DELETE", self.path(plural, name), {"propagationPolicy": "Background"})

    def execution(self, name: str, is_so: Callable[[Body], bool], describe: str, timeout: float = 40.0) -> Body:
        """The status of an Execution, as soon as it is so."""
        last: Body = {}

        def look() -> Body | None:
            nonlocal last
            last = self.get("executions", name).get("status") or {}
            return last if is_so(last) else None

        try:
            return wait_until(look, describe, timeout)
        except AssertionError as trouble:
            raise AssertionError(f"{trouble}\nits status: {json.dumps(last, indent=1)}") from None

    def finished(self, name: str, timeout: float = 60.0) -> Body:
        """The status of an Execution that has ended."""
        return self.execution(name, lambda status: bool(condition(status, "Finished")), f"{name} to finish", timeout)


def plain(api: Api, execution: str, value: Any) -> Any:
    """A value of a status, also where it is so large that a ConfigMap has it."""
    if not isinstance(value, dict) or set(value) != {"$value"}:
        return value
    kept = api.get("configmaps", names.value_name(execution, value["$value"]))
    return json.loads(gzip.decompress(base64.b64decode(kept["binaryData"]["value.json.gz"])))


def condition(status: Mapping[str, Any], kind: str) -> Body | None:
    """A condition that is True."""
    found = (one for one in status.get("conditions") or () if one["type"] == kind and one["status"] == "True")
    return next(found, None)


class Operator:
    """The operator as a process beside the cluster, which can be killed and started again."""

    def __init__(self, cluster: Cluster, namespace: str, *flags: str) -> None:
        self._environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
        self._port = _free_port()
        self._command = [sys.executable, "-m", "windlass_operator", "run", "--listen", f"127.0.0.1:{self._port}"]
        self._command += [
            "--namespace",
            namespace,
            "--default-image",
            "localhost/python:3",
            "--image-pull-policy",
            "Never",
        ]
        self._command += flags
        self._log = Path(tempfile.mkstemp(prefix="operator-", suffix=".log")[1])
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Operator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill(signal.SIGTERM)
        self._log.unlink()

    def start(self, *, until_ready: bool = True) -> Operator:
        """Start it and wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        if until_ready:
            wait_until(lambda: self._alive() and self.fetch("/readyz") == "ok", "the operator to be ready")
        return self

    def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        """End it and wait until it is gone. Gives its exit code."""
        if self._process is None:
            return 0
        self.resume()
        self._process.send_signal(how)
        code = self._process.wait(20)
        self._process = None
        return code

    def pause(self) -> None:
        """Have it stand still."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on, as if nothing had happened."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def fetch(self, path: str) -> str:
        """Ask its HTTP server; empty when it isn't there (yet)."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as response:
                text: str = response.read().decode()
                return text
        except OSError:
            return ""

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    def _alive(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the operator died:\n{self.log()[-4000:]}"
        return True


class Hands:
    """Plays the kubelet: pods end as the test says."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def pod(self, name: str) -> Body:
        """A pod, as soon as there is one."""
        return wait_until(lambda: self._api.find("pods", name), f"pod {name}")

    def inputs(self, name: str) -> Body:
        """What the pod's task gets as inputs."""
        env = {entry["name"]: entry.get("value") for entry in self.pod(name)["spec"]["containers"][0]["env"]}
        found: Body = json.loads(env["WINDLASS_TASK"] or "{}")["inputs"]
        return found

    def succeed(self, name: str, **outputs: Any) -> None:
        """The task returns."""
        self._end(name, "Succeeded", 0, {"v": 1, "outputs": outputs})

    def fail(self, name: str, message: str = "it broke", *, recoverable: bool = False, kind: str = "user") -> None:
        """The task raises."""
        error = {
            "kind": kind,
            "code": "USER:RuntimeError",
            "type": "ValueError",
            "message": message,
            "recoverable": recoverable,
        }
        self._end(name, "Failed", 1, {"v": 1, "error": {**error, "traceback": 'File "m.py", line 1, in f'}})

    def die(self, name: str, exit_code: int, reason: str = "Error") -> None:
        """The container ends without a record."""
        self._end(name, "Failed", exit_code, None, reason)

    def wait_reason(self, name: str, reason: str, message: str) -> None:
        """The container can't start."""
        waiting = {"waiting": {"reason": reason, "message": message}}
        self._write(name, {"phase": "Pending", "containerStatuses": [_container(waiting)]})

    def _end(self, name: str, phase: str, exit_code: int, record: Body | None, reason: str = "Completed") -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ended = {"exitCode": exit_code, "reason": reason, "startedAt": now, "finishedAt": now}
        if record is not None:
            ended["message"] = json.dumps(record)
        self._write(name, {"phase": phase, "containerStatuses": [_container({"terminated": ended})]})

    def _write(self, name: str, status: Body) -> None:
        self.pod(name)
        path = self._api.path("pods", name) + "/status"
        self._api.call("PATCH", path, {"status": status}, "application/merge-patch+json")


def _container(state: Body) -> Body:
    return {"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def task(name: str, inputs: Body | None = None, outputs: Body | None = None, **spec: Any) -> Body:
    """A Task whose code is in its image."""
    interface = {"inputs": inputs or {}, "outputs": outputs if outputs is not None else {"o0": {"type": "int"}}}
    runs = {"python": {"entrypoint": f"m:{name.replace('-', '_')}"}}
    return {
        "apiVersion": "windlass.dev/v1alpha1",
        "kind": "Task",
        "metadata": {"name": name},
        "spec": {**interface, **runs, **spec},
    }


def workflow(
    name: str, nodes: list[Body], inputs: Body | None = None, outputs: Body | None = None, **spec: Any
) -> Body:
    """A Workflow."""
    body = {"inputs": inputs or {}, "outputs": outputs or {}, "nodes": nodes, **spec}
    return {"apiVersion": "windlass.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": name}, "spec": body}


def execution(name: str, inputs: Body | None = None, **spec: Any) -> Body:
    """An Execution, of the Workflow ``wf`` unless something else is said."""
    what = {} if "task" in spec or "workflow" in spec else {"workflow": {"name": "wf"}}
    body = {**what, "inputs": inputs or {}, **spec}
    return {"apiVersion": "windlass.dev/v1alpha1", "kind": "Execution", "metadata": {"name": name}, "spec": body}
