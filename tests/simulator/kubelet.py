"""The scheduler and the kubelets: what becomes of pods.

A pod goes the way that its fate has for it (``fates``): it can't be scheduled for a while, its image can't be had for a
while, it runs, it ends. One that mounts a ConfigMap which isn't there waits for it. One that is deleted is stopped;
sometimes it ends by itself before.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from tests.api_server import Body
from tests.simulator.fates import is_recoverable
from tests.simulator.features import NAMESPACE
from tests.simulator.scenarios import dynamic_workflow
from tests.simulator.timeline import EPOCH
from tests.simulator.world import COLLECTIONS, World
from windlass_api import names, refs
from windlass_operator.core.clock import rfc3339_seconds
from windlass_operator.reconcile import paths

if TYPE_CHECKING:
    from tests.simulator.workers import Workers

CONTAINER = "main"
PODS = COLLECTIONS["pods"]
LOOK_AGAIN = 1.0
"""Seconds between two looks for a ConfigMap that a pod waits for."""


class Kubelet:
    """All nodes of the cluster."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.workers: Workers
        """Whoever runs in the pods of workers."""
        world.listeners.append(self._hear)

    def _hear(self, change: str, path: str, item: Body, before: Body | None) -> None:
        if not path.startswith(PODS):
            return
        if names.LABEL_POOL in (item["metadata"].get("labels") or {}):
            self._hear_worker(change, path, item)
            if change == "ADDED":
                return
        if change == "ADDED":
            pod = Pod(self._world, path, item)
            self._world.timeline.call_later(0.001, pod.arrive)
        elif change == "MODIFIED" and _deleting(item) and not _deleting(before):
            uid = item["metadata"]["uid"]
            ended = (item.get("status") or {}).get("phase") in ("Succeeded", "Failed")
            pause = 0.01 if ended else Random(uid).uniform(0.05, 3)
            self._world.timeline.call_later(pause, self._stop, path, uid)

    def _hear_worker(self, change: str, path: str, item: Body) -> None:
        if change == "ADDED":
            self._world.timeline.call_later(0.001, WorkerPod(self._world, self.workers, path, item).arrive)
        elif change == "DELETED":
            self.workers.gone(item["metadata"]["uid"])
        elif _deleting(item):
            self.workers.told_to_end(item["metadata"]["uid"])

    def _stop(self, path: str, uid: str) -> None:
        item = self._world.get(path)
        if item is not None and item["metadata"]["uid"] == uid:
            with self._world.acting("kubelet"):
                self._world.remove(path, item)


class Pod:
    """One pod on its way."""

    def __init__(self, world: World, path: str, item: Body) -> None:
        self._world, self._path, self._uid = world, path, item["metadata"]["uid"]
        self.order = order_of(item)
        self._mounts = [
            volume["configMap"]["name"] for volume in item["spec"].get("volumes") or () if "configMap" in volume
        ]
        self._memory = memory_of(item)
        self._started = ""
        self._told: Body = {}

    def arrive(self) -> None:
        """It is looked at for the first time. Its inputs are known when its ConfigMaps are there."""
        missing = [name for name in self._mounts if self._world.get(paths.config_maps(NAMESPACE, name)) is None]
        if missing:
            if self._still_there():
                self._later(LOOK_AGAIN, self.arrive)
            return
        self._inputs = inputs_of(self._world, self.order)
        self._fate = self._world.scenario.fates.of(self.order["task"], self._inputs, self.order["attempt"])
        if self._fate.unschedulable:
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
            self._say({"phase": "Pending", "conditions": [condition]})
        self._later(self._fate.unschedulable, self._schedule)

    def _schedule(self) -> None:
        if self._fate.end.name == "rejected":
            self._say({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no such device"})
        elif self._fate.end.name == "bad-image":
            self._say({"phase": "Pending", "containerStatuses": [_container(_waits("InvalidImageName"))]})
        else:
            if self._fate.pulling:
                self._say({"phase": "Pending", "containerStatuses": [_container(_waits("ImagePullBackOff"))]})
            self._later(self._fate.pulling + self._fate.starts, self._start)

    def _start(self) -> None:
        self._started = self._now()
        if self._say(
            {"phase": "Running", "containerStatuses": [_container({"running": {"startedAt": self._started}})]}
        ):
            self._later(self._fate.runs, self._end)

    def _end(self) -> None:
        name = self._fate.end.name
        if name == "lost":
            item = self._world.get(self._path)
            if item is not None and item["metadata"]["uid"] == self._uid:
                with self._world.acting("kubelet"):
                    self._world.remove(self._path, item)
            return
        needs = self._more_memory()
        if needs or name == "out-of-memory":
            self._terminated(137, "OOMKilled")
        elif name in ("dies", "killed", "silent", "cannot-start"):
            code, reason = {
                "dies": (1, ""),
                "killed": (137, ""),
                "silent": (0, ""),
                "cannot-start": (128, "StartError"),
            }[name]
            self._terminated(code, reason or ("Completed" if code == 0 else "Error"))
        elif name == "evicted":
            condition = {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "EvictionByEvictionAPI",
                "message": "bye",
            }
            self._terminated(137, "Error", conditions=[condition])
        elif name == "system-error":
            self._terminated(1, "Error", {"error": {"kind": "system", "code": "SYSTEM:Store", "message": "no store"}})
        elif name in ("raises", "recoverable"):
            self._terminated(1, "Error", {"error": self._error()})
        else:
            self._terminated(0, "Completed", self._result())

    def _more_memory(self) -> bool:
        spec = task_spec(self._world, self.order["task"])
        if "maxMemory" not in spec:
            return False
        return self._memory < self._world.scenario.fates.memory(self.order["task"], self._inputs, 64, 256)

    def _error(self) -> Body:
        kind = self._fate.exception if self._fate.end.name == "raises" else "FlyteRecoverableException"
        recoverable = is_recoverable(self._fate, self.order)
        return {
            "kind": "user",
            "code": f"USER:{kind}",
            "type": kind,
            "message": "it failed",
            "recoverable": recoverable,
        }

    def _result(self) -> Body:
        spec, fates = task_spec(self._world, self.order["task"]), self._world.scenario.fates
        if spec["python"].get("dynamic"):
            return {"workflow": dynamic_workflow(fates, self.order["task"], self._inputs)}
        outputs = spec["outputs"]
        return {
            "outputs": {name: fates.value(self.order["task"], self._inputs, outputs[name]["type"]) for name in outputs}
        }

    def _terminated(self, code: int, reason: str, record: Body | None = None, **more: Any) -> None:
        ended: Body = {"exitCode": code, "reason": reason, "startedAt": self._started, "finishedAt": self._now()}
        if record is not None:
            ended["message"] = json.dumps({"v": 1, **record})
        self._say(
            {
                "phase": "Failed" if code else "Succeeded",
                "containerStatuses": [_container({"terminated": ended})],
                **more,
            }
        )

    def _say(self, status: Body) -> bool:
        self._told = status
        return self._world.set_pod_status(self._path, self._uid, status)

    def _still_there(self) -> bool:
        item = self._world.get(self._path)
        return item is not None and item["metadata"]["uid"] == self._uid

    def _later(self, seconds: float, what: Any) -> None:
        self._world.timeline.call_later(seconds, what)

    def _now(self) -> str:
        return rfc3339_seconds(self._world.timeline.time() + EPOCH)


class WorkerPod:
    """The pod of a warm worker on its way."""

    def __init__(self, world: World, workers: Workers, path: str, item: Body) -> None:
        self._world, self._workers, self._path, self._item = world, workers, path, item
        self._uid, fates = item["metadata"]["uid"], world.scenario.fates
        self._dice = fates.draw("worker", item["metadata"]["name"], int(item["metadata"]["resourceVersion"]))
        self._trouble, self._slow = fates.trouble, fates.slow

    def arrive(self) -> None:
        """Its image may not be there for a while."""
        wait = 0.0
        if self._dice.random() < self._trouble:
            wait = self._dice.uniform(1, 40)
            self._say({"phase": "Pending", "containerStatuses": [_container(_waits("ImagePullBackOff"))]})
        self._world.timeline.call_later(wait + self._dice.uniform(0.05, 2) * self._slow, self._start)

    def _start(self) -> None:
        """It runs; or it ends at once, which says nothing about the next one."""
        now = rfc3339_seconds(self._world.timeline.time() + EPOCH)
        item = self._world.get(self._path)
        if item is None or item["metadata"]["uid"] != self._uid or _deleting(item):
            return
        if self._dice.random() < self._trouble / 3:
            ended = {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}
            self._say({"phase": "Failed", "containerStatuses": [_container({"terminated": ended})]})
        elif self._say({"phase": "Running", "containerStatuses": [_container({"running": {"startedAt": now}})]}):
            self._workers.begin(self._path, self._item, now)

    def _say(self, status: Body) -> bool:
        return self._world.set_pod_status(self._path, self._uid, status)


def order_of(pod: Mapping[str, Any]) -> Body:
    """What a pod is told to do."""
    (container,) = [each for each in pod["spec"]["containers"] if each["name"] == CONTAINER]
    order: Body = json.loads(next(entry["value"] for entry in container["env"] if entry["name"] == "WINDLASS_TASK"))
    return order


def memory_of(pod: Mapping[str, Any]) -> int:
    """The memory limit of a pod (MiB); much where it has none."""
    (container,) = [each for each in pod["spec"]["containers"] if each["name"] == CONTAINER]
    text = str(((container.get("resources") or {}).get("limits") or {}).get("memory") or "1Ti")
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text).groups()  # type: ignore[union-attr]  # quantities match
    sizes = {"": 2**-20, "Ki": 2**-10, "Mi": 1, "Gi": 2**10, "Ti": 2**20}
    return round(float(number) * sizes[unit])


def inputs_of(world: World, order: Mapping[str, Any]) -> Body:
    """The inputs of an attempt."""
    return with_large_values(world, order["execution"], order["inputs"])


def with_large_values(world: World, execution: str, values: Mapping[str, Any]) -> Body:
    """Inputs or outputs, those that are large read from where they are."""

    def large(digest: str) -> Any:
        item = world.get(paths.config_maps(NAMESPACE, names.value_name(execution, digest)))
        assert item is not None, f"the value {digest} of {execution} is nowhere"
        return json.loads(gzip.decompress(base64.b64decode(item["binaryData"]["value.json.gz"])))

    whole: Body = refs.decode(values, {"$value": large})
    return whole


def task_spec(world: World, task: str) -> Body:
    """What a task is, as far as people's edits leave it alone."""
    return world.scenario.versions("Task", task)[0]


def _deleting(item: Body | None) -> bool:
    return item is not None and "deletionTimestamp" in item["metadata"]


def _container(state: Body) -> Body:
    return {"name": CONTAINER, "state": state}


def _waits(reason: str) -> Body:
    return {"waiting": {"reason": reason, "message": "no such image"}}
