"""What has to hold in every history, however much goes wrong. Each promise is a sentence in ``broken``.

``Promises`` hears of every change, before anybody else does, and looks at the whole when all is over.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.api_server import Body
from tests.simulator import oracle
from tests.simulator.calls import Calls
from tests.simulator.features import NAMESPACE
from tests.simulator.kubelet import order_of, with_large_values
from tests.simulator.oracle import Oracle
from tests.simulator.world import COLLECTIONS, World, short
from windlass_api import names
from windlass_api.v1alpha1.execution import ExecutionStatus
from windlass_operator.core.segments import content_of
from windlass_operator.kinds.stuck import REASONS as STUCK
from windlass_operator.reconcile import paths

EXECUTIONS, PODS = f"{COLLECTIONS['executions']}/", f"{COLLECTIONS['pods']}/"
FINISHED = frozenset({"Succeeded", "Failed", "Cancelled"})
ENDED = frozenset({"Succeeded", "Failed", "Skipped", "Cancelled"})
ACTIVE = frozenset({"Queued", "Running"})
STATUS_LIMIT = 64 * 1024
OWNERLESS = frozenset({"CacheEntry", "Event"})
"""What the operator makes and leaves to itself."""


class Broken(AssertionError):  # noqa: N818  a promise is broken
    """A promise doesn't hold."""


@dataclass(slots=True)
class Run:
    """One Execution, from its beginning on."""

    name: str
    uid: str
    spec: Body
    status: Body = field(default_factory=dict)
    gone: bool = False
    cancelled: bool = False
    suspended: bool = False
    child: bool = False

    @property
    def over(self) -> bool:
        """Whether it has ended, for everybody to see."""
        return self.status.get("phase") in FINISHED


Attempt = tuple[str, str, Any, int]
"""(Execution's uid, node, element, number)."""


class Promises:
    """See the module."""

    def __init__(self, world: World) -> None:
        self._world, self._scenario = world, world.scenario
        self.runs: dict[str, Run] = {}
        """By uid."""
        self._pods: dict[Attempt, list[str]] = defaultdict(list)
        """The uids of the pods of each attempt."""
        self._results: dict[tuple[str, str, Any], Body] = {}
        """What the pods of each node or element gave."""
        self._definitions: dict[tuple[str, str], list[Body]] = defaultdict(list)
        """What each definition was, one after the other."""
        self.calls = Calls(world, self.runs, self._results, self._budget, require)
        world.listeners.append(self._hear)

    @property
    def unfinished(self) -> list[Run]:
        """Executions that have not ended."""
        return [run for run in self.runs.values() if not run.over and not run.gone]

    @property
    def busy(self) -> bool:
        """Whether anything has still to come to its end: an Execution, or a pod of one."""
        if self.unfinished:
            return True
        return any(_is_worker(pod) or not _ended(pod) for pod in self._world.objects("pods"))

    def waiting(self) -> str:
        """What has not ended, and what it waits for."""
        told = []
        for run in self.unfinished:
            told.append(f"{run.name} is {run.status.get('phase')}")
            for name, node in (run.status.get("nodes") or {}).items():
                pods = [pod for pod in self._world.objects("pods") if _owns(run, pod) and order_of(pod)["node"] == name]
                if node["phase"] in ACTIVE:
                    said = [(pod.get("status") or {}).get("phase") for pod in pods]
                    told.append(f"its node {name} is {node['phase']}, and the pods of that are {said}")
        told += [f"the pod {pod['metadata']['name']} runs" for pod in self._world.objects("pods") if not _ended(pod)]
        return "; ".join(told)

    def at_rest(self) -> None:
        """All is over, and has been for a while."""
        for pod in self._world.objects("pods"):
            require(_ended(pod), f"the pod {pod['metadata']['name']} outlives its Execution")
        for path, item in self._world.everything().items():
            self._owned(path, item)
        for run in self.runs.values():
            if run.gone or run.child:
                continue
            self._as_foretold(run)
            on_time = not self._scenario.trouble.jumps
            require(not (on_time and "ttlAfterFinished" in run.spec), f"{run.name} outlives its ttlAfterFinished")

    def _owned(self, path: str, item: Body) -> None:
        owners = item["metadata"].get("ownerReferences") or ()
        if owners:
            alive = any(owner["uid"] in self._world.alive for owner in owners)
            require(alive, f"{short(path)} outlives all its owners")
        elif item["metadata"].get("labels", {}).get(names.MANAGED_BY) == "windlass":
            require(item["kind"] in OWNERLESS, f"nobody owns {short(path)}")

    def _hear(self, change: str, path: str, item: Body, before: Body | None) -> None:
        if path.startswith(EXECUTIONS):
            self._execution(change, item, before)
        elif path.startswith(PODS) and not _is_worker(item):
            self._pod(change, item, before)
        elif item.get("kind") in ("Task", "Workflow", "LaunchPlan"):
            known = self._definitions[item["kind"], item["metadata"]["name"]]
            if item["spec"] not in known:
                known.append(item["spec"])

    def _execution(self, change: str, item: Body, before: Body | None) -> None:
        meta = item["metadata"]
        if change == "ADDED":
            child = names.LABEL_PARENT in (meta.get("labels") or {})
            self.runs[meta["uid"]] = Run(meta["name"], meta["uid"], item["spec"], child=child)
            return
        run = self.runs[meta["uid"]]
        if change == "DELETED":
            run.gone = True
            return
        run.cancelled = run.cancelled or bool(item["spec"].get("cancel"))
        run.suspended = bool(item["spec"].get("suspend"))
        status = item.get("status") or {}
        if status is not run.status and status:
            self._written(run, run.status, status)
        run.status = status

    def _written(self, run: Run, old: Body, new: Body) -> None:
        ExecutionStatus.model_validate(new)
        size = len(json.dumps(new))
        require(size <= STATUS_LIMIT, f"the status of {run.name} has {size} bytes")
        if run.over:
            for part in ("phase", "outputs", "error", "finishedAt"):
                require(old.get(part) == new.get(part), f"{run.name} had ended, and its {part} changed")
        nodes = new.get("nodes") or {}
        for name, before in (old.get("nodes") or {}).items():
            after = nodes.get(name)
            if before is after:
                continue
            require(after is not None, f"{run.name}: the node {name} vanished")
            assert after is not None
            if before["phase"] in ENDED:
                same = all(before.get(key) == after.get(key) for key in ("phase", "outputs", "attempt"))
                require(same, f"{run.name}: the node {name} had ended ({before['phase']}), and changed to {after}")
            require(before.get("attempt", 0) <= after.get("attempt", 0), f"{run.name}: {name} went back an attempt")
        for name, node in nodes.items():
            self._told_truly(run, name, node)
        if new["phase"] in FINISHED and nodes:
            ended = all(node["phase"] in ENDED for node in nodes.values())
            require(ended, f"{run.name} has ended, and some of its nodes have not")

    def _told_truly(self, run: Run, name: str, node: Body) -> None:
        given = self._results.get((run.uid, name, None))
        if node["phase"] == "Succeeded" and given is not None and not node.get("cache"):
            told = self._read(run, node.get("outputs"))
            require(told == given, f"{run.name}: {name} has {told}, its pod gave {given}")

    def _read(self, run: Run, outputs: Body | None) -> Any:
        """Outputs of a status, large ones read from where they are."""
        return with_large_values(self._world, run.name, outputs or {})

    def _gave(self, run: Run, name: str, node: Body, outputs: list[str]) -> Any:
        """The outputs of a node that succeeded; of a map, as its segments have them."""
        if "elements" not in node:
            return self._read(run, node.get("outputs"))
        told: Body = {}
        for number in itertools.count():
            item = self._world.get(paths.config_maps(NAMESPACE, names.segment_name(run.name, name, number)))
            if item is None:
                break
            told |= content_of(item)
        results = [told.get(str(index), {}).get("ok") for index in range(node["elements"]["total"])]
        return {output: [None if one is None else one[output] for one in results] for output in outputs}

    def _pod(self, change: str, item: Body, before: Body | None) -> None:
        order = order_of(item)
        owner = next(o["uid"] for o in item["metadata"]["ownerReferences"] if o["kind"] == "Execution")
        attempt = (owner, order["node"], order.get("element"), order["attempt"])
        if change == "ADDED":
            self._started(attempt, item)
        elif change == "MODIFIED" and (item.get("status") or {}).get("phase") == "Succeeded":
            text = item["status"]["containerStatuses"][0]["state"]["terminated"].get("message")
            record = json.loads(text) if text else {}
            if "outputs" in record:
                self._results[attempt[:3]] = record["outputs"]

    def _started(self, attempt: Attempt, item: Body) -> None:
        uid, node, element, number = attempt
        run, name = self.runs[uid], item["metadata"]["name"]
        require(not run.over or run.gone, f"{name} was started after the end of its Execution")
        told = (run.status.get("nodes") or {}).get(node)
        if told is not None:
            require(told["phase"] not in ENDED, f"{name} was started, and the node had ended ({told['phase']})")
            if element is None:
                require(told.get("attempt", 0) <= number, f"{name} was started, and a later attempt was known")
        earlier = self._pods[attempt]
        if earlier and not run.gone:  # of one that is gone nobody wants any result
            known = told is not None and told["phase"] in ACTIVE and told.get("attempt", 0) == number
            require(not (known and element is None), f"{name} was started twice, and the first was known")
            require(attempt[:3] not in self._results, f"{name} was started twice, and the first had succeeded")
        earlier.append(item["metadata"]["uid"])
        require(
            not (run.suspended and run.status.get("phase") == "Suspended"), f"{name} was started in a suspended run"
        )
        self._needed(run, attempt, name)
        last = self._budget()
        require(number <= last, f"{name} is attempt {number}; with all budgets the last possible one is {last}")

    def _needed(self, run: Run, attempt: Attempt, name: str) -> None:
        """No other attempt has succeeded, and there is room."""
        at_work = 0
        for pod in self._world.objects("pods"):
            if not _owns(run, pod) or "deletionTimestamp" in pod["metadata"]:
                continue
            order = order_of(pod)
            if (order["node"], order.get("element")) == attempt[1:3] and order["attempt"] != attempt[3]:
                well = (pod.get("status") or {}).get("phase") == "Succeeded"
                require(not well, f"{name} was started, and attempt {order['attempt']} had succeeded")
            at_work += not _ended(pod) and not _never_starts(pod) and not self._unheard(run, pod, order["node"])
        most = min(self._scenario.settings.max_parallel_pods, run.spec.get("maxParallelism") or sys.maxsize)
        unseen = "" if run.status.get("nodes") else ", and no status tells of any"
        require(at_work <= most, f"{name} is number {at_work} of those at work; there may be {most}{unseen}")

    def _unheard(self, run: Run, pod: Body, node: str) -> bool:
        """Whether the operator may not know that there is this pod: it asked for it, and got no answer."""
        told = (run.status.get("nodes") or {}).get(node)
        seen = told is not None and told["phase"] in ACTIVE
        return pod["metadata"]["name"] in self._world.unheard and not seen

    def _budget(self) -> int:
        """The number of the last attempt that any budget allows."""
        retries = [0]
        memory = 0
        for act in self._scenario.acts:
            spec = (act.body or {}).get("spec") or {}
            retries.append(spec.get("retries") or 0)
            memory = max(memory, 2 if "maxMemory" in spec else 0)
            retries += [(node.get("overrides") or {}).get("retries") or 0 for node in spec.get("nodes") or ()]
        return max(retries) + self._scenario.settings.system_retries + memory

    def _as_foretold(self, run: Run) -> None:
        """Its end is the one that the oracle sees, for one of the definitions that it may have been admitted with."""
        error = run.status.get("error") or {}
        if error.get("code") == "ClosureLost" and (
            self._scenario.acted("remove") or self._scenario.acted("remove", "Workflow")
        ):
            return  # docs/decisions/0003
        reasons = []
        for find in self._worlds(run):
            seer = Oracle(self._scenario, find)
            reason = self._differs(run, seer, seer.execution(run.spec))
            if reason is None:
                return
            reasons.append(reason)
        few = "as it has to" if len(reasons) == 1 else f"as with any of {len(reasons)} definitions"
        raise Broken(f"{run.name} didn't end {few}: {'; or '.join(reasons)}")

    def _worlds(self, run: Run) -> Iterator[Any]:
        """What may have been known when it was admitted."""
        for chosen in itertools.product(*self._definitions.values()):
            known = dict(zip(self._definitions, chosen, strict=True))
            yield lambda kind, name, known=known: known[kind, name]

    def _differs(self, run: Run, seer: Oracle, foretold: oracle.Node) -> str | None:
        status, phase = run.status, run.status["phase"]
        calm = not self._scenario.trouble.jumps and not self.calls.struck  # patience and budgets are as foretold
        sure = seer.sure and (calm or not seer.tolerant)
        strict = seer.sure and calm and "resumeFrom" not in run.spec
        allowed = {foretold.phase, *(["Cancelled"] if run.cancelled else [])}
        if seer.caching:
            allowed |= {"Succeeded"}
        if strict and phase not in allowed:
            return f"it is {phase} ({(status.get('error') or {}).get('message')}), and should be {foretold.phase}"
        if (
            phase == "Succeeded"
            and foretold.phase == "Succeeded"
            and sure
            and self._read(run, status.get("outputs")) != foretold.outputs
        ):
            return f"it gave {self._read(run, status.get('outputs'))}, and should give {foretold.outputs}"
        for name, node in (status.get("nodes") or {}).items():
            expected = seer.nodes.get(name)
            if expected is None or not sure:
                continue
            if strict and not seer.caching and phase in ("Succeeded", foretold.phase):
                fine = node["phase"] == expected.phase or (phase != "Succeeded" and node["phase"] == "Cancelled")
                if not fine:
                    return f"it is {phase}, and its node {name} is {node['phase']}, and should be {expected.phase}"
            if node["phase"] == expected.phase == "Succeeded":
                gave = self._gave(run, name, node, list(expected.outputs))
                if gave != expected.outputs:
                    return f"its node {name} gave {gave}, and should give {expected.outputs}"
        return None


def _never_starts(pod: Body) -> bool:
    """Whether its image can't be had: its node fails, which is written before it is deleted."""
    told = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("waiting" in one["state"] and one["state"]["waiting"]["reason"] in STUCK for one in told)


def require(holds: bool, promise: str) -> None:
    """A promise."""
    if not holds:
        raise Broken(promise)


def _is_worker(pod: Body) -> bool:
    return names.LABEL_POOL in (pod["metadata"].get("labels") or {})


def _ended(pod: Body) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _owns(run: Run, pod: Body) -> bool:
    return any(owner["uid"] == run.uid for owner in pod["metadata"]["ownerReferences"])
