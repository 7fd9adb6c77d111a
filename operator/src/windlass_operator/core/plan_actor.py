"""One pass over a pool of warm workers: which pods there are to be, and what their ActorEnvironment says of them.

::

    no pod ──(calls wait)──► starting ──► runs, says hello ──► idle ──(ttlSeconds)──► leaves ──► its pod is cleaned up
                                │                │               │
                              stuck           killed          too many, or of an earlier revision: drained
                    (a condition; calls wait)  (calls run elsewhere)

Workers of one revision are alike: a *revision* is a hash of what the environment says about them (names.pool_revision),
with the template of the PodTemplate object that it names. An Execution is pinned to the revision that it was admitted
with, so several live side by side: an earlier one for as long as there are calls for it. Nobody tells us that a
PodTemplate has changed: it is looked at again, now and then.

Any replica of the operator starts workers when calls wait with it: names are functions of (environment, revision,
index), so twice is harmless. The rest, to clean up, drain and tell, is for the *keeper*: the replica that has the
environment's shard. What a replica knows of calls is its own; what it knows of pods is everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from windlass_api import conditions, names
from windlass_operator.core.admission import TEMPLATE_NOT_FOUND
from windlass_operator.core.clock import duration, rfc3339_seconds
from windlass_operator.core.closure import MissingTemplateError
from windlass_operator.core.status import shorten
from windlass_operator.core.workers import Stage, WorkerPod
from windlass_operator.kinds.evidence import Waiting
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.templates import InvalidPodError
from windlass_operator.manifests.worker_pod import WorkerAsk, build, resolved
from windlass_operator.settings import Settings

DEFAULT_REPLICAS = 1
DRAIN_IDLE = 10.0
"""Seconds without a call after which a worker of an earlier revision is told to leave."""
SILENT = 60.0
"""Seconds that a worker may run without having called us, before somebody should look."""
STUCK_IN_VAIN = 60.0
"""Seconds after which a worker that can't start is given up, where no call waits for it."""
BACKOFF, BACKOFF_FACTOR, BACKOFF_CAP = 2.0, 4.0, 300.0
FAILURES_KEPT = 4
"""Pods of failed workers that are kept of a revision, for people to look at, and as the memory of the backoff."""
FAILURE_COUNTS = 600.0
"""Seconds for which they are."""
STATUS_PAUSE = 5.0
"""Seconds between two writes that tell nothing but other counts of calls."""
RETRY_REFUSED = 5.0
"""Seconds until the API server is asked again for a pod that it has refused."""
LOOK_FOR_TEMPLATE, LOOK_AT_TEMPLATE = 5.0, 30.0
"""Seconds until the API server is asked again for a PodTemplate that is missing; and whether one has changed of which
there are workers.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The calls for one revision of a pool, as far as this replica has them."""

    revision: str
    spec: Mapping[str, Any]
    """The environment's spec in the closures that want it, resolved."""
    waiting: int = 0
    running: int = 0
    since: float | None = None
    """Since when the oldest of them waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """A worker that is connected with this replica."""

    pod_uid: str
    revision: str
    slots: int = 1
    free: int = 0
    running: int = 0
    idle_since: float | None = None
    """Since when it has had nothing to do, if it hasn't."""
    leaving: bool = False
    """Whether it takes nothing more."""


class Refusal(NamedTuple):
    """The API server did not make a pod."""

    reason: str
    message: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPool:
    """A pool at one moment: all that planning may look at."""

    namespace: str
    name: str
    environment: Mapping[str, Any] | None
    """The object; None where there is none (any more)."""
    template: Mapping[str, Any] | None = None
    """That of the PodTemplate object that it names, where there is one."""
    template_read_at: float = 0.0
    ready: Mapping[str, Any] = field(default_factory=dict)
    """What its definition's own rules say: the condition ``Ready``, as far as it goes."""
    pods: tuple[WorkerPod, ...] = ()
    workers: Mapping[str, WorkerView] = field(default_factory=dict)
    """By the uid of their pods."""
    demands: tuple[Demand, ...] = ()
    waiting_elsewhere: int = 0
    """Calls that wait with other replicas, as they said last."""
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    """By revision."""
    keeper: bool = True
    """Whether this replica has the environment's shard."""
    listening_since: float = 0.0
    """Since when workers can call us."""
    address: str = ""
    """Where workers find the dispatcher. Empty: there is none (yet)."""
    authority: str = ""
    """Its certificate authority, which workers trust: PEM."""
    counts_written_at: float = 0.0
    settings: Settings = field(default_factory=Settings)
    now: float


@dataclass(frozen=True, slots=True)
class CreateWorker:
    """Start a worker."""

    name: str
    revision: str
    manifest: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class DeleteWorker:
    """Delete a worker's pod: it has ended, or can't start and isn't wanted."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DrainWorker:
    """Tell a worker to take nothing more, and to leave once it is done."""

    pod_uid: str
    reason: str


PoolAction = CreateWorker | DeleteWorker | DrainWorker


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """What is to be done, what is then true, and when to look again."""

    actions: tuple[PoolAction, ...] = ()
    waits: Mapping[str, Waiting] = field(default_factory=dict)
    """By revision, why calls wait for a worker."""
    status: Mapping[str, Any] | None = None
    """Of the environment, where it is for us to write and due."""
    wake_at: float | None = None


def plan_pool(observed: ObservedPool) -> PoolPlan:
    """See the module."""
    current = current_revision(observed)
    revisions = [_Revision(observed, one, current=one == current) for one in _revisions(observed, current)]
    actions: list[PoolAction] = [action for one in revisions for action in one.starts()]
    if observed.keeper:
        actions += [action for one in revisions for action in one.cleans()]
    status, due = _status(observed, revisions) if observed.keeper else (None, None)
    times = [due, _look_again(observed), *(when for one in revisions for when in one.times)]
    return PoolPlan(
        tuple(actions),
        {one.revision: one.why() for one in revisions if one.demand.waiting},
        status,
        min((when for when in times if when is not None), default=None),
    )


def current_spec(observed: ObservedPool) -> Mapping[str, Any] | None:
    """What workers are to be like now, resolved; None where nobody says so, or not all of it."""
    if observed.environment is None or _no_template(observed) is not None:
        return None
    return resolved(observed.environment["spec"], observed.template)


def current_revision(observed: ObservedPool) -> str:
    """The revision that an environment asks for; empty where there is none."""
    spec = current_spec(observed)
    return "" if spec is None else names.pool_revision(spec)


def _template_name(observed: ObservedPool) -> str:
    """The PodTemplate object that the environment names."""
    return "" if observed.environment is None else observed.environment["spec"].get("podTemplateName") or ""


def _no_template(observed: ObservedPool) -> Waiting | None:
    """That the PodTemplate object is missing, where it is. Runs that name it by their pool are not admitted."""
    name = _template_name(observed)
    if not name or observed.template is not None:
        return None
    return Waiting(TEMPLATE_NOT_FOUND, str(MissingTemplateError(name)), stuck=True)


def _look_again(observed: ObservedPool) -> float | None:
    """When to look for the PodTemplate again: nobody tells of it."""
    if not _template_name(observed):
        return None
    if observed.template is None:
        return observed.template_read_at + LOOK_FOR_TEMPLATE
    return observed.template_read_at + LOOK_AT_TEMPLATE if observed.pods else None


def _revisions(observed: ObservedPool, current: str) -> list[str]:
    """The revisions that there is anything to say about, the current one first."""
    found = [current]
    found += sorted({one.revision for one in observed.demands} | {one.revision for one in observed.pods})
    return [revision for revision in dict.fromkeys(found) if revision]


class _Revision:
    """The workers of one revision, and what is to become of them. Lives for one pass."""

    def __init__(self, observed: ObservedPool, revision: str, *, current: bool) -> None:
        self.observed, self.revision, self.current = observed, revision, current
        none = Demand(revision=revision, spec={})
        self.demand = next((one for one in observed.demands if one.revision == revision), none)
        self.pods = [pod for pod in observed.pods if pod.revision == revision]
        self.alive = [pod for pod in self.pods if pod.alive and not self._is_lost(pod) and not self._leaves(pod)]
        self.failed = sorted(
            (pod for pod in self.pods if pod.stage is Stage.FAILED), key=lambda pod: (pod.since, pod.name)
        )
        self.limit = self._limit()
        self.times: list[float] = []
        """When to look again."""
        self.impossible: InvalidPodError | None = None
        """Why there can't be a pod such as the environment asks for."""

    def _is_lost(self, pod: WorkerPod) -> bool:
        """Whether it is of no use any more: an earlier object's of this name, or one that trusts an authority that is
        no more. One that is younger than we are may know a newer authority than we do.
        """
        environment = self.observed.environment
        if environment is not None and pod.owner != environment["metadata"]["uid"]:
            return True
        theirs, ours = pod.authority, names.content_hash(self.observed.authority)
        return bool(self.observed.address) and theirs != ours and pod.created < self.observed.listening_since

    def _leaves(self, pod: WorkerPod) -> bool:
        worker = self.observed.workers.get(pod.uid)
        return worker is not None and worker.leaving

    def _limit(self) -> int:
        """Workers at most. An earlier revision keeps its own number; scaling to 0 is for all of them."""
        environment = self.observed.environment
        if environment is None or environment["metadata"].get("deletionTimestamp"):
            return 0
        wanted = _replicas(environment["spec"])
        return wanted if self.current or wanted == 0 else _replicas(self.demand.spec)

    # ---- starting ----

    def starts(self) -> Iterator[CreateWorker]:
        """The workers to be started: no more than calls wait for, beyond those that are free or on their way."""
        lacking = min(self.demand.waiting - self._coming(), self.limit - len(self.alive))
        if lacking <= 0 or not self.observed.address or self._holds_back():
            return
        taken = {pod.name for pod in self.pods}
        index = 0
        while lacking:
            name = names.worker_name(self.observed.name, self.revision, index)
            if name not in taken:
                try:
                    manifest = build(self._ask(index))
                except InvalidPodError as wrong:
                    self.impossible = wrong
                    return
                yield CreateWorker(name, self.revision, manifest)
                lacking -= 1
            index += 1

    def _coming(self) -> int:
        """Calls that the workers can take that there are: free slots, and those of workers that haven't called yet."""
        workers = self.observed.workers
        return sum(workers[pod.uid].free if pod.uid in workers else 1 for pod in self.alive)

    def _holds_back(self) -> bool:
        """Whether another start would be in vain for now. Says when it is worth trying again."""
        again = self.again_at()
        if again is not None and again > self.observed.now:
            self.times.append(again)
            return True
        return False

    def again_at(self) -> float | None:
        """When the next worker may be started, where the last attempts came to nothing."""
        found = []
        refusal = self.observed.refusals.get(self.revision)
        if refusal is not None:
            found.append(refusal.at + RETRY_REFUSED)
        crashes = self._crashes()
        if crashes:
            pause = BACKOFF * BACKOFF_FACTOR ** (len(crashes) - 1)
            found.append(crashes[-1].since + min(BACKOFF_CAP, pause))
        return max(found, default=None)

    def _crashes(self) -> list[WorkerPod]:
        """Workers that failed before they worked, since one of their kind did."""
        works = max((pod.since for pod in self.alive if pod.uid in self.observed.workers), default=0.0)
        return [pod for pod in self.failed if pod.brief and pod.since > max(works, self.observed.now - FAILURE_COUNTS)]

    def _ask(self, index: int) -> WorkerAsk:
        observed, spec = self.observed, current_spec(self.observed)
        assert observed.environment is not None, "without an environment the limit is 0"
        return WorkerAsk(
            environment=observed.name,
            namespace=observed.namespace,
            uid=observed.environment["metadata"]["uid"],
            revision=self.revision,
            index=index,
            spec=spec if spec is not None and self.current else self.demand.spec,
            dispatcher=observed.address,
            authority=observed.authority,
            settings=observed.settings,
        )

    # ---- cleaning up ----

    def cleans(self) -> Iterator[PoolAction]:
        """What the keeper does: ended pods go, and so do workers that are too many or of an earlier revision."""
        yield from (_delete(pod) for pod in self.pods if pod.stage is Stage.LEFT or (pod.alive and self._is_lost(pod)))
        old = self.observed.now - FAILURE_COUNTS
        for place, pod in enumerate(reversed(self.failed)):
            if place >= FAILURES_KEPT or pod.since <= old:
                yield _delete(pod)
            else:
                self.times.append(pod.since + FAILURE_COUNTS)
        yield from (_delete(pod) for pod in self.alive if self._is_stuck_in_vain(pod))
        by_worth, surplus = sorted(self.alive, key=self._worth), self._surplus()
        yield from (self._dismiss(pod, "there are more workers than wanted") for pod in by_worth[:surplus])
        if not self.current and not self.demand.waiting:
            yield from self._outdated(by_worth[surplus:])

    def _surplus(self) -> int:
        """Workers that are too many. How many an earlier revision may have is known where its calls wait, which may be
        with another replica.
        """
        return max(0, len(self.alive) - self.limit) if self.current or self.limit == 0 else 0

    def _is_stuck_in_vain(self, pod: WorkerPod) -> bool:
        """Whether it can't start, and nothing has waited for it for a while, here or with another replica."""
        if pod.stage is not Stage.STUCK or self.demand.waiting or self.observed.waiting_elsewhere or self.limit == 0:
            return False
        self.times.append(pod.known_since + STUCK_IN_VAIN)
        return self.observed.now >= pod.known_since + STUCK_IN_VAIN

    def _worth(self, pod: WorkerPod) -> tuple[int, float]:
        """The first to go: those that don't run, then the idle, then the youngest."""
        worker = self.observed.workers.get(pod.uid)
        running = pod.stage is Stage.RUNNING
        return (0 if not running else 2 if worker is None or state_of(pod, worker) == BUSY else 1), -pod.created

    def _dismiss(self, pod: WorkerPod, reason: str) -> PoolAction:
        """One that runs is asked to leave; what it does is done first."""
        return DrainWorker(pod.uid, reason) if pod.stage is Stage.RUNNING else _delete(pod)

    def _outdated(self, pods: Iterable[WorkerPod]) -> Iterator[PoolAction]:
        """Workers of an earlier revision that nobody has needed for a while. Those that other replicas use are not
        idle; one that has not called yet may be what calls wait for there.
        """
        for pod in pods:
            worker = self.observed.workers.get(pod.uid)
            idle_since = worker.idle_since if worker is not None else pod.known_since
            if idle_since is None or (worker is None and self.observed.waiting_elsewhere):
                continue
            if self.observed.now >= idle_since + DRAIN_IDLE:
                yield self._dismiss(pod, "the environment has changed, and nothing needs its earlier form")
            else:
                self.times.append(idle_since + DRAIN_IDLE)

    # ---- telling ----

    def why(self) -> Waiting:
        """Why calls of this revision wait for a worker."""
        observed, environment = self.observed, self.observed.environment
        if environment is None or environment["metadata"].get("deletionTimestamp"):
            text = f"there is no ActorEnvironment {observed.name} (any more); apply it, or cancel the run"
            return Waiting("ActorEnvironmentNotFound", text, stuck=True, times_out=False)
        if self.limit == 0:
            text = f"the ActorEnvironment {observed.name} is scaled to 0; kubectl scale it up"
            return Waiting("ScaledToZero", text, stuck=True, times_out=False)
        trouble = self.trouble()
        if trouble is not None:
            return trouble
        if not observed.address:
            return Waiting(
                "DispatcherNotReady", "the operator can't be called by workers yet", stuck=True, times_out=False
            )
        if any(pod.uid not in observed.workers for pod in self.alive) or len(self.alive) < self.limit:
            return Waiting("WorkerStarting", "waits for a worker to start")
        return Waiting("WorkersBusy", f"all {len(self.alive)} workers of {observed.name} are busy")

    def trouble(self) -> Waiting | None:
        """Why its workers can't start, where that is known. None while one of them works."""
        if any(pod.uid in self.observed.workers for pod in self.alive):
            return None
        stuck = next((pod for pod in self.alive if pod.stage is Stage.STUCK), None)
        if stuck is not None:
            return Waiting(stuck.reason, f"worker {stuck.name}: {stuck.message}", stuck=True)
        refusal = self.impossible or self.observed.refusals.get(self.revision)
        if refusal is not None and self.demand.waiting:
            return Waiting(refusal.reason, refusal.message, stuck=True, times_out=False)
        silent = next((pod for pod in self.alive if self._is_silent(pod)), None)
        if silent is not None:
            text = f"worker {silent.name} runs, and has not called {self.observed.address} for {duration(SILENT)}"
            return Waiting("WorkersSilent", f"{text}; may its pod reach that?", stuck=True, times_out=False)
        crashes = self._crashes()
        if crashes:
            last = crashes[-1]
            return Waiting("WorkersFail", f"worker {last.name}: {last.reason}: {last.message}", stuck=True)
        return None

    def _is_silent(self, pod: WorkerPod) -> bool:
        observed = self.observed
        if pod.stage is not Stage.RUNNING or pod.uid in observed.workers:
            return False
        since = max(pod.since, observed.listening_since)
        if observed.now < since + SILENT:
            self.times.append(since + SILENT)
        return observed.now >= since + SILENT


BUSY = "busy"


def state_of(pod: WorkerPod, worker: WorkerView | None) -> str:
    """A worker in one word."""
    if pod.stage is Stage.RUNNING and worker is not None:
        return "leaving" if worker.leaving else BUSY if worker.running or not worker.free else "idle"
    words = {Stage.RUNNING: "starting", Stage.GOING: "leaving"}
    return words.get(pod.stage, pod.stage.value)


def _replicas(spec: Mapping[str, Any]) -> int:
    found: int | None = spec.get("replicas")
    return DEFAULT_REPLICAS if found is None else found


def _delete(pod: WorkerPod) -> DeleteWorker:
    return DeleteWorker(pod.name, pod.uid)


# ---- the status -----------------------------------------------------------------------------------------------------


COUNTS_OF_CALLS = ("busyReplicas", "queuedCalls")
"""What changes with every call, and is therefore written only now and then."""


def _status(observed: ObservedPool, revisions: list[_Revision]) -> tuple[dict[str, Any] | None, float | None]:
    """The environment's status; and when it is to be written, where that isn't now."""
    if observed.environment is None:
        return None, None
    old = observed.environment.get("status") or {}
    new = _full_status(observed, revisions, old)
    if new == old:
        return None, None
    changed = {key for key in (*old, *new) if old.get(key) != new.get(key)}
    due = observed.counts_written_at + STATUS_PAUSE
    if changed <= set(COUNTS_OF_CALLS) and observed.now < due:
        return None, due
    return new, None


def _full_status(observed: ObservedPool, revisions: list[_Revision], old: Mapping[str, Any]) -> dict[str, Any]:
    assert observed.environment is not None, "whose status this is"
    known = list(old.get("conditions") or ())
    alive = [pod for one in revisions for pod in one.alive]
    connected = [observed.workers[pod.uid] for pod in alive if pod.uid in observed.workers]
    return {
        "observedGeneration": observed.environment["metadata"].get("generation", 1),
        "conditions": conditions.set_condition(known, _ready(observed, revisions)),
        "replicas": len(alive),
        "readyReplicas": len(connected),
        "busyReplicas": sum(state_of(pod, observed.workers.get(pod.uid)) == BUSY for pod in alive),
        "queuedCalls": sum(one.demand.waiting for one in revisions) + observed.waiting_elsewhere,
        "selector": f"{names.LABEL_POOL}={names.label_value(observed.name)}",
    }


def _ready(observed: ObservedPool, revisions: list[_Revision]) -> dict[str, Any]:
    """``Ready`` is False while workers can't start: those of the current revision first."""
    verdict = dict(observed.ready)
    if verdict["status"] != conditions.TRUE:
        return verdict
    trouble = _no_template(observed) or next((found for one in revisions if (found := one.trouble()) is not None), None)
    if trouble is None:
        return verdict
    generation = verdict["observedGeneration"]
    when = rfc3339_seconds(observed.now)
    message = shorten(trouble.message)
    return conditions.condition(conditions.READY, conditions.FALSE, trouble.reason, message, when, generation)
