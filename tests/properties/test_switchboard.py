"""Whatever breaks, in whatever order: no call is lost, none runs twice while its worker lives, and all come to an end.

A history draws what happens next: messages arrive (in order, stream by stream), workers begin and end calls, streams
break, workers dial though they have one, pods are killed and others come, shards are taken over, the operator starts
anew. An Execution is played that wants some calls, retries those whose worker was lost, and acknowledges what it has
written.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any

from hypothesis import given, settings, strategies as st

from windlass_operator.core.observed import Place
from windlass_operator.dispatch.calls import CallKey, Order, Phase, PoolKey
from windlass_operator.dispatch.messages import (
    Acknowledge,
    Ask,
    Cancel,
    Hello,
    Inventory,
    Refused,
    Result,
    Run,
    Started,
    State,
)
from windlass_operator.dispatch.switchboard import Close, PodView, Send, Switchboard
from windlass_operator.kinds.evidence import Failed, Succeeded

POOL = PoolKey("ns", "models", "r1")
RECORD = b'{"v":1,"outputs":{}}'


class Stream:
    """What is on its way, in either direction."""

    def __init__(self, link: int) -> None:
        self.link = link
        self.inbox: deque[Any] = deque()
        self.outbox: deque[Any] = deque()
        self.welcomed = False
        self.over = False
        """Whether the operator has lost it. What it had sent still arrives; then its worker notices, too."""


class Pod:
    """A worker with one slot."""

    def __init__(self, uid: str) -> None:
        self.uid, self.alive = uid, True
        self.running = ""
        self.results: dict[str, Result] = {}
        self.streams: list[Stream] = []

    def say(self, *messages: Any) -> None:
        """To whoever listens."""
        for stream in self.streams:
            stream.outbox += messages


class History:
    """All that there is, and what has to hold."""

    def __init__(self, calls: int) -> None:
        self.now = 1000.0
        self.links = itertools.count(1)
        self.pods: dict[str, Pod] = {}
        self.names = itertools.count()
        self.attempts = {f"n{index}": 0 for index in range(calls)}
        self.done: set[str] = set()
        self.begun: dict[str, str] = {}
        """Which pod each call has begun in."""
        self.killed_busy = 0
        self.lost = 0
        self.start()

    def start(self) -> None:
        """The operator begins to work."""
        self.now += 10
        self.board = Switchboard(self.now)
        for pod in self.pods.values():
            pod.streams.clear()
        self.tell()
        self.board.all_pods_known()

    def tell(self) -> None:
        """The watch tells of pods."""
        views = {pod.uid: PodView("r1", 0.0) for pod in self.pods.values()}
        self.board.pods("ns", "models", views, self.now)

    def key(self, node: str) -> CallKey:
        return CallKey("ns", "e", "u", node, self.attempts[node])

    # -- what may happen

    def pod_comes(self, _: Any) -> None:
        if len(self.pods) < 3:
            uid = f"w{next(self.names)}"
            self.pods[uid] = Pod(uid)
            self.tell()

    def pod_dials(self, pod: Pod) -> None:
        if len(pod.streams) < 2:
            stream = Stream(next(self.links))
            pod.streams.append(stream)
            self.board.dialled(stream.link, Hello("ns", "models", "r1", pod.uid, pod.uid, 1), self.now)

    def stream_breaks(self, pod: Pod) -> None:
        if pod.streams:
            self.breaks(pod, pod.streams[0])

    def operator_loses_a_stream(self, pod: Pod) -> None:
        for stream in pod.streams[:1]:
            stream.over = True
            self.board.lost(stream.link, self.now)

    def breaks(self, pod: Pod, stream: Stream) -> None:
        pod.streams.remove(stream)
        self.board.lost(stream.link, self.now)

    def pod_is_killed(self, pod: Pod) -> None:
        del self.pods[pod.uid]
        pod.alive = False
        self.killed_busy += bool(pod.running) + len(pod.results)  # what it holds goes with it
        self.begun = {call: uid for call, uid in self.begun.items() if uid != pod.uid}
        self.tell()
        for stream in list(pod.streams):
            self.breaks(pod, stream)

    def pod_hears_all(self, pod: Pod) -> None:
        for stream in list(pod.streams):
            while stream.inbox and stream in pod.streams:
                self.hears(pod, stream)

    def pod_hears(self, pod: Pod) -> None:
        """The last stream first: what it is asked there may pass what is on its way by the other."""
        for stream in reversed(pod.streams):
            if stream.inbox:
                self.hears(pod, stream)
                return
            if stream.over:
                pod.streams.remove(stream)
                return

    def hears(self, pod: Pod, stream: Stream) -> None:
        match stream.inbox.popleft():
            case Ask(number):
                if any(one.welcomed for one in pod.streams if one is not stream):
                    self.breaks(pod, stream)
                    return
                stream.welcomed = True
                running = (pod.running,) if pod.running else ()
                stream.outbox += [Inventory(number, running, tuple(pod.results.values())), self.state(pod)]
            case Run(call):
                if pod.running == call or call in pod.results:
                    return
                if pod.running:
                    stream.outbox.append(Refused(call))
                    return
                assert call not in self.begun, f"{call} runs, or ran, in {self.begun[call]}, which lives"
                self.begun[call] = pod.uid
                pod.running = call
                pod.say(Started(call, self.now), self.state(pod))
            case Cancel(call):
                if pod.running == call:
                    self.end(pod, Result(call, reason="Cancelled"))
            case Acknowledge(calls):
                for call in calls:
                    pod.results.pop(call, None)

    def state(self, pod: Pod) -> State:
        return State(0 if pod.running else 1)

    def pod_ends_a_call(self, pod: Pod) -> None:
        if pod.running:
            self.end(pod, Result(pod.running, RECORD))

    def end(self, pod: Pod, result: Result) -> None:
        pod.results[result.call], pod.running = result, ""
        pod.say(result, self.state(pod))

    def board_hears(self, pod: Pod) -> None:
        for stream in pod.streams:
            if stream.outbox:
                self.board.received(stream.link, stream.outbox.popleft(), self.now)

    def board_hears_all(self, pod: Pod) -> None:
        while any(stream.outbox for stream in pod.streams):
            self.board_hears(pod)

    def shard_is_taken_over(self, _: Any) -> None:
        self.board.taken_over()

    def operator_starts_anew(self, _: Any) -> None:
        self.start()

    def pass_over_the_execution(self, _: Any) -> None:
        """As the loop does it: nothing is handed out or lost while it is unsure."""
        if self.board.unsure(("ns", "e"), POOL, 0.0):
            return
        views = self.board.views("ns", "e", "u")
        for node in sorted(self.attempts.keys() - self.done):
            view = views.get(Place(node, self.attempts[node]))
            if view is not None and isinstance(view.evidence, Succeeded):
                self.done.add(node)
            elif view is not None and isinstance(view.evidence, Failed):
                assert view.evidence.failure.code == "WorkerLost"
                self.lost += 1
                self.attempts[node] += 1
            elif view is None:
                key = self.key(node)
                order = Order(key=key, pool=POOL, name=node, document=b"{}", spec={}, task="t")
                assert self.board.dispatch(order, self.now) == ""

    def status_is_written(self, _: Any) -> None:
        ended = self.board.ended("ns", "e", "u")
        written = [c for c in ended if c.key.node in self.done or c.key.attempt < self.attempts[c.key.node]]
        self.board.acknowledge([call.id for call in written])

    # -- in between

    def carry(self) -> None:
        """What the switchboard says is on its way."""
        by_link = {stream.link: stream for pod in self.pods.values() for stream in pod.streams}
        for effect in self.board.effects():
            if isinstance(effect, Send) and effect.link in by_link:
                by_link[effect.link].inbox.append(effect.message)
            elif isinstance(effect, Close) and effect.link in by_link:
                by_link[effect.link].over = True

    def check(self) -> None:
        board = self.board
        calls = list(board.calls.values())
        queued = [call for call in calls if call.phase is Phase.QUEUED]
        active = [call for call in calls if call.phase in (Phase.SENT, Phase.RUNNING)]
        (demand,) = board.demands("ns", "models") or (None,)
        told = (demand.waiting, demand.running) if demand is not None else (0, 0)
        assert told == (len(queued), len(active))
        for worker in board.workers.values():
            assert len(worker.calls) <= 1
            assert all(board.calls[call].holder == worker.uid for call in worker.calls)
        assert set(board.views("ns", "e", "u")) == {Place(call.key.node, call.key.attempt) for call in calls}


OF_PODS = (
    History.pod_dials,
    History.pod_dials,
    History.pod_hears,
    History.pod_hears_all,
    History.board_hears,
    History.board_hears_all,
    History.pod_ends_a_call,
    History.stream_breaks,
    History.operator_loses_a_stream,
    History.pod_is_killed,
)
OF_ALL = (
    History.pod_comes,
    History.operator_starts_anew,
    History.shard_is_taken_over,
    History.pass_over_the_execution,
    History.pass_over_the_execution,
    History.status_is_written,
)
STEPS = st.tuples(st.integers(0, 2), st.sampled_from((*OF_PODS, *OF_ALL)))


@settings(max_examples=600, deadline=None)
@given(st.integers(1, 4), st.lists(STEPS, min_size=20, max_size=60))
def test_no_call_is_lost_or_runs_twice_and_all_end(calls: int, steps: list[tuple[int, Any]]) -> None:
    history = History(calls)
    for _ in range(2):
        history.pod_comes(None)
    for which, step in steps:
        pods = list(history.pods.values())
        if step in OF_ALL:
            step(history, None)
        elif pods:
            step(history, pods[which % len(pods)])
        history.now += 0.1
        history.carry()
        history.check()
    assert history.lost <= history.killed_busy, "only what ran, or was held, in a pod that was killed is lost"
    calm_down(history)


def calm_down(history: History) -> None:
    """Nothing goes wrong any more: everything ends, and nothing is left."""
    history.pod_comes(None)
    for _ in range(25):
        history.pass_over_the_execution(None)
        history.carry()
        for pod in list(history.pods.values()):
            for step in (History.pod_dials, History.pod_hears, History.pod_ends_a_call, History.board_hears):
                for _ in range(3):
                    step(history, pod)
                    history.carry()
        history.status_is_written(None)
        history.carry()
        history.check()
    assert history.done == history.attempts.keys()
    assert not history.board.calls
    assert not any(pod.results for pod in history.pods.values()), "somebody holds a result for ever"
