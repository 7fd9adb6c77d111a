"""Who gets which call, and what becomes of calls when workers, streams or this replica go."""

from __future__ import annotations

import json
from typing import Any

import pytest

from windlass_operator.core.observed import ChildView, Place
from windlass_operator.dispatch.calls import CallKey, Order, PoolKey, parse
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
from windlass_operator.dispatch.switchboard import Close, Ended, HandedOut, News, PodView, PoolNews, Send, Switchboard
from windlass_operator.kinds.evidence import Failed, Running, Succeeded, Waiting

POOL = PoolKey("ns", "models", "r1")
BEGAN = 1000.0


def key(node: str = "n0", attempt: int = 0, execution: str = "e", **more: Any) -> CallKey:
    return CallKey("ns", execution, f"uid-{execution}", node, attempt, **more)


def order(call: CallKey, task: str = "t", **code: str) -> Order:
    return Order(key=call, pool=POOL, name=call.node, document=b"{}", spec={}, task=task, **code)  # type: ignore[arg-type]  # code, archive


def result(call: CallKey, **outputs: Any) -> Result:
    return Result(call.text(), json.dumps({"v": 1, "outputs": outputs}).encode(), BEGAN, BEGAN)


class Pool:
    """A switchboard, and workers played by hand."""

    def __init__(self, *pods: str, connect: bool = True, **more: Any) -> None:
        self.board = Switchboard(BEGAN, **more)
        self.now = BEGAN + 10
        self.running(*pods)
        self._links = 0
        self.link = {pod: self.hello(pod) for pod in pods} if connect else {}
        self.board.effects()

    def running(self, *pods: str, started_at: float = BEGAN - 100) -> None:
        self.board.pods("ns", "models", {pod: PodView("r1", started_at) for pod in pods}, self.now)
        self.board.all_pods_known()

    def dials(self, pod: str, slots: int = 1) -> int:
        self._links += 1
        self.board.dialled(self._links, Hello("ns", "models", "r1", pod, pod, slots), self.now)
        return self._links

    def asked(self) -> dict[int, int]:
        return {link: message.number for link, message in self.sent() if isinstance(message, Ask)}

    def hello(self, pod: str, slots: int = 1, **has: Any) -> int:
        """It dials, and says what it has when it is asked."""
        before = self.board.effects()
        link = self.dials(pod, slots)
        number = self.asked()[link]
        self.board._effects += before
        self.says(link, Inventory(number, **has))
        return link

    def dispatch(self, call: CallKey, **more: Any) -> str:
        return self.board.dispatch(order(call, **more), self.now)

    def says(self, link: int, *messages: Any) -> None:
        for message in messages:
            self.board.received(link, message, self.now)

    def sent(self) -> list[tuple[int, Any]]:
        return [(one.link, one.message) for one in self.board.effects() if isinstance(one, Send)]

    def runs(self) -> list[tuple[int, str]]:
        return [(link, message.call) for link, message in self.sent() if isinstance(message, Run)]

    def view(self, call: CallKey) -> ChildView:
        return self.board.views(call.namespace, call.execution, call.uid)[Place(call.node, call.attempt, call.element)]


def test_the_text_of_a_call_says_which_attempt_it_is_for() -> None:
    for call in (key(), key("a.b", 3), key(attempt=1, element=17)):
        assert parse(call.text()) == call
    for text in ("", "a", "a/b/c/d", "a/b/c/d/x", "a/b/c/d/1/2/3", "a//c/d/1", "a/b/c/d/-1", "a/b/c/d/²"):
        assert parse(text) is None


def test_a_call_goes_to_a_free_worker_and_the_next_one_when_a_result_comes() -> None:
    pool = Pool("w0")
    pool.dispatch(key("n0"))
    pool.dispatch(key("n1"))
    assert pool.runs() == [(1, key("n0").text())]
    assert isinstance(pool.view(key("n1")).evidence, Waiting)
    pool.says(1, Started(key("n0").text(), BEGAN), State(0))
    assert isinstance(pool.view(key("n0")).evidence, Running)
    pool.says(1, result(key("n0"), o0=1))
    assert pool.runs() == [(1, key("n1").text())], "it needs no pass of anybody's"
    said = pool.view(key("n0")).evidence
    assert isinstance(said, Succeeded) and said.outputs == {"o0": 1}


def test_a_slot_is_filled_once_however_the_words_about_it_arrive() -> None:
    pool = Pool("w0")
    for node in ("n0", "n1", "n2"):
        pool.dispatch(key(node))
    assert len(pool.runs()) == 1
    pool.says(1, State(1))  # said before our call arrived there
    assert pool.runs() == []
    pool.says(1, State(0), Started(key("n0").text(), BEGAN))
    pool.says(1, State(1), result(key("n0")))
    assert [call for _, call in pool.runs()] == [key("n1").text()]


def test_executions_take_turns() -> None:
    pool = Pool("w0")
    for element in range(3):
        pool.dispatch(key("map", element=element, execution="wide"))
    pool.dispatch(key("n0", execution="chain"))
    order_of_calls = [call for _, call in pool.runs()]
    while len(order_of_calls) < 4:
        running = parse(order_of_calls[-1])
        assert running is not None
        pool.says(1, Started(running.text(), BEGAN), State(0), result(running))
        order_of_calls += [call for _, call in pool.runs()]
    executions = [call.split("/")[1] for call in order_of_calls]
    assert executions.index("chain") < 3, executions


@pytest.mark.parametrize("where", ["code", "archive"])
def test_a_worker_that_has_the_code_at_hand_is_chosen_then_the_one_that_ran_the_task_last(where: str) -> None:
    pool = Pool("w0", "w1", "w2")
    pool.says(2, State(1, ("abc",)))
    pool.dispatch(key("n0"), **{where: "abc"})
    (run,) = [(link, message) for link, message in pool.sent() if isinstance(message, Run)]
    assert run == (2, Run(key("n0").text(), b"{}", "abc" if where == "code" else "", 0.0)), "it fetches archives itself"
    pool.says(2, Started(key("n0").text(), BEGAN), State(0), result(key("n0")), State(1, ("abc",)))
    pool.says(3, State(1, ("abc",)))
    pool.dispatch(key("n1"), task="t", **{where: "abc"})
    assert pool.runs() == [(2, key("n1").text())]


def test_what_a_worker_refuses_goes_to_another() -> None:
    pool = Pool("w0", "w1")
    pool.dispatch(key())
    ((first, _),) = pool.runs()
    pool.says(first, Refused(key().text(), "another replica was first"))
    ((second, _),) = pool.runs()
    assert second != first


def test_a_call_whose_worker_is_gone_has_failed_if_it_ran_and_is_handed_out_anew_if_not() -> None:
    pool = Pool("w0", "w1")
    pool.dispatch(key("n0"))
    pool.dispatch(key("n1"))
    runs = dict(pool.runs())
    pool.says(1, Started(runs[1], BEGAN), State(0))
    pool.running()
    for link in (1, 2):
        pool.board.lost(link, pool.now)
    (ran,) = [call for call in (key("n0"), key("n1")) if call.text() == runs[1]]
    (unbegun,) = [call for call in (key("n0"), key("n1")) if call.text() == runs[2]]
    said = pool.view(ran).evidence
    assert isinstance(said, Failed) and said.failure.code == "WorkerLost"
    assert isinstance(pool.view(unbegun).evidence, Waiting)
    pool.running("w2")
    pool.hello("w2")
    assert pool.runs() == [(3, unbegun.text())]


def test_a_worker_that_dials_again_goes_on_with_what_it_has() -> None:
    pool = Pool("w0")
    pool.dispatch(key())
    pool.says(1, Started(key().text(), BEGAN), State(0))
    pool.board.lost(1, pool.now)
    assert isinstance(pool.view(key()).evidence, Running), "its pod lives"
    pool.sent()
    pool.hello("w0", results=(result(key(), o0=3),))
    assert isinstance(pool.view(key()).evidence, Succeeded)
    assert pool.runs() == []


def test_a_call_that_never_arrived_is_sent_again_on_the_next_stream() -> None:
    pool = Pool("w0")
    pool.dispatch(key())
    pool.board.lost(1, pool.now)
    pool.sent()
    pool.hello("w0")
    assert pool.runs() == [(2, key().text())]


def test_a_call_that_is_lost_on_the_way_again_and_again_is_not_taken_for_begun() -> None:
    pool = Pool("w0")
    pool.dispatch(key())
    for link in range(1, 8):
        assert pool.runs() == [(link, key().text())]
        pool.board.lost(link, pool.now)
        pool.hello("w0")
        assert isinstance(pool.view(key()).evidence, Waiting), "its worker lives, and says that it never got it"


def test_after_a_restart_the_workers_say_what_there_is() -> None:
    pool = Pool("w0", "w1", connect=False)
    assert pool.board.unsure(("ns", "e"), POOL, 0.0)
    pool.hello("w0", running=(key("n0").text(),), results=(result(key("n1"), o0=1),))
    assert pool.board.unsure(("ns", "e"), POOL, 0.0), "w1 has said nothing yet"
    pool.board.effects()
    pool.hello("w1")
    assert News("ns", "e") in pool.board.effects()
    assert not pool.board.unsure(("ns", "e"), POOL, 0.0)
    assert isinstance(pool.view(key("n0")).evidence, Running)
    assert isinstance(pool.view(key("n1")).evidence, Succeeded)
    pool.dispatch(key("n0"))
    assert pool.runs() == [], "it runs already"


def test_a_pod_that_could_have_no_call_of_ours_is_not_waited_for() -> None:
    pool = Pool(connect=False)
    pool.running()
    pool.running("w0", started_at=BEGAN + 60)
    assert not pool.board.unsure(("ns", "e"), POOL, 0.0)
    pool.board.pods("ns", "models", {"w0": PodView("r1", None)}, pool.now)
    assert not pool.board.unsure(("ns", "e"), POOL, 0.0)


def test_a_replica_that_takes_over_has_workers_say_again_what_they_have() -> None:
    pool = Pool("w0")
    era = pool.board.taken_over()
    assert pool.asked() == {1: era}
    assert pool.board.unsure(("ns", "e"), POOL, pool.now, era)
    pool.says(1, Inventory(era))
    assert not pool.board.unsure(("ns", "e"), POOL, pool.now, era)


def test_a_worker_that_is_asked_what_it_has_gets_no_call_before_it_has_said_so() -> None:
    """Else the call would be on its way to it, and be missing in what it says, as if it had been lost."""
    pool = Pool("w0")
    era = pool.board.taken_over()
    pool.dispatch(key())
    pool.says(1, State(1))
    assert pool.runs() == []
    pool.says(1, Inventory(era))
    assert pool.runs() == [(1, key().text())]


def test_a_call_that_was_sent_before_its_worker_was_asked_is_in_what_it_says() -> None:
    pool = Pool("w0", "w1")
    pool.dispatch(key())
    ((link, call),) = pool.runs()
    era = pool.board.taken_over()
    pool.says(link, Inventory(era, running=(call,)))
    assert isinstance(pool.view(key()).evidence, Running)
    assert pool.runs() == []


def test_workers_are_asked_once_for_all_takeovers_of_a_moment() -> None:
    pool = Pool("w0")
    first, _, last = (pool.board.taken_over() for _ in range(3))
    assert pool.asked() == {1: first}
    pool.says(1, Inventory(first))
    assert pool.board.unsure(("ns", "e"), POOL, pool.now, last)
    assert pool.asked() == {1: last}
    pool.says(1, Inventory(last))
    assert not pool.board.unsure(("ns", "e"), POOL, pool.now, last)


def test_a_takeover_while_a_worker_dials_is_in_what_it_is_asked() -> None:
    pool = Pool(connect=False)
    pool.running("w0")
    link = pool.dials("w0")
    era = pool.board.taken_over()
    pool.says(link, Inventory(pool.asked()[link]))
    assert pool.asked() == {link: era}
    pool.dispatch(key())
    assert pool.runs() == []
    pool.says(link, Inventory(era))
    assert pool.runs() == [(link, key().text())]


def test_a_stream_goes_on_until_the_next_one_of_its_worker_has_said_what_it_has() -> None:
    """The worker may give up the second one."""
    pool = Pool("w0")
    second = pool.dials("w0")
    pool.dispatch(key())
    assert pool.runs() == [(1, key().text())]
    pool.board.lost(second, pool.now)
    pool.says(1, result(key()))
    assert isinstance(pool.view(key()).evidence, Succeeded)
    third = pool.dials("w0")
    pool.board.effects()
    pool.says(third, Inventory(0, results=(result(key()),)))
    assert [one.link for one in pool.board.effects() if isinstance(one, Close)] == [1]


def test_who_dials_and_does_not_say_what_it_has_is_not_listened_to_for_ever() -> None:
    pool = Pool(connect=False)
    pool.running("w0")
    link = pool.dials("w0")
    pool.says(link, State(1), Started(key().text(), BEGAN))
    assert (pool.board.connected("ns", "models"), pool.board.calls) == ([], {})
    pool.board.effects()
    pool.board.silent(pool.now + 30.1, 10.0)
    (closed,) = (one for one in pool.board.effects() if isinstance(one, Close))
    assert closed.link == link
    assert "may be older than this operator" in closed.reason
    pool.says(link, Inventory(0))
    assert pool.board.connected("ns", "models") == []


def test_a_replica_that_takes_over_hears_of_results_that_nobody_needs_and_lets_go_of_them() -> None:
    """The Execution is over, and who wrote that was not heard: without a word the worker would hold them for ever."""
    mine: set[str] = set()
    pool = Pool("w0", owns=lambda _, execution: execution in mine)
    pool.says(1, Started(key().text(), BEGAN), result(key()))
    mine.add("e")
    era = pool.board.taken_over()
    pool.says(1, Inventory(era, results=(result(key()),)))
    assert News("ns", "e") in pool.board.effects(), "whoever reconciles it finds it over"
    pool.board.close("ns", "e")
    assert pool.sent() == [(1, Acknowledge((key().text(),)))]


def test_who_has_what_does_not_hang_on_the_wall_clock() -> None:
    pool = Pool("w0")
    era = pool.board.taken_over()
    taken_over, pool.now = pool.now, pool.now - 600
    pool.hello("w0")
    assert not pool.board.unsure(("ns", "e"), POOL, taken_over, era)
    pool = Pool("w0", connect=False)
    era = pool.board.taken_over()
    assert pool.board.unsure(("ns", "e"), POOL, BEGAN - 600, era), (
        "it was there before the takeover, whoever's clock is wrong"
    )
    pool = Pool("w0", connect=False)
    pool.running("w0", started_at=BEGAN + 600)
    assert pool.board.unsure(("ns", "e"), POOL, 0.0), "it was there before this replica was"


def test_calls_of_other_replicas_are_none_of_ours() -> None:
    pool = Pool("w0", owns=lambda _, execution: execution != "theirs")
    theirs = key(execution="theirs")
    pool.says(1, Started(theirs.text(), BEGAN), result(theirs))
    assert not pool.board.calls
    pool.dispatch(theirs)
    assert pool.runs() == [], "the shard was lost while it waited"


def test_what_is_acknowledged_is_forgotten_here_and_there_and_a_repeated_result_is_acknowledged_anew() -> None:
    pool = Pool("w0")
    pool.dispatch(key())
    pool.says(1, Started(key().text(), BEGAN), result(key()))
    pool.sent()
    pool.board.acknowledge([key().text()])
    assert pool.sent() == [(1, Acknowledge((key().text(),)))]
    assert not pool.board.calls and not pool.board.views("ns", "e", "uid-e")
    pool.says(1, result(key()))
    assert News("ns", "e") in pool.board.effects()
    pool.board.close("ns", "e")
    assert pool.sent() == [(1, Acknowledge((key().text(),)))]


def test_a_call_that_is_recalled_ends_at_its_worker_or_never_gets_there() -> None:
    pool = Pool("w0")
    pool.dispatch(key("n0"))
    pool.dispatch(key("n1"))
    pool.sent()
    pool.board.recall(key("n0").text(), "cancelled")
    pool.board.recall(key("n1").text(), "cancelled")
    assert pool.sent() == [(1, Cancel(key("n0").text(), "cancelled"))]
    assert pool.view(key("n0")).deleting
    assert Place("n1", 0) not in pool.board.views("ns", "e", "uid-e")
    pool.says(1, Result(key("n0").text(), reason="Cancelled"))
    assert isinstance(pool.view(key("n0")).evidence, Failed)
    assert pool.runs() == []


def test_calls_of_an_execution_that_is_gone_end_and_nothing_of_them_stays() -> None:
    pool = Pool("w0")
    pool.dispatch(key("n0"))
    pool.says(1, Started(key("n0").text(), BEGAN))
    pool.dispatch(key("n1"))
    pool.board.close("ns", "e")
    assert [type(message) for _, message in pool.sent()] == [Run, Cancel]
    pool.says(1, Result(key("n0").text(), reason="Cancelled"))
    assert not pool.board.calls
    assert pool.sent() == [(1, Acknowledge((key("n0").text(),)))]


def test_pools_read_how_many_calls_wait_and_what_workers_do() -> None:
    pool = Pool("w0")
    for node in ("n0", "n1", "n2"):
        pool.dispatch(key(node))
    assert PoolNews("ns", "models") in pool.board.effects()
    (demand,) = pool.board.demands("ns", "models")
    assert (demand.revision, demand.waiting, demand.running, demand.since) == ("r1", 2, 1, pool.now)
    (worker,) = pool.board.connected("ns", "models")
    assert (worker.pod_uid, worker.free, worker.running, worker.idle_since) == ("w0", 0, 1, None)


def test_a_worker_is_not_idle_while_another_replica_has_it_do_something() -> None:
    pool = Pool("w0")

    def idle_since() -> float | None:
        (worker,) = pool.board.connected("ns", "models")
        return worker.idle_since

    pool.says(1, State(0))
    assert PoolNews("ns", "models") in pool.board.effects()
    assert idle_since() is None
    pool.now += 60
    pool.says(1, State(1))
    assert idle_since() == pool.now


def test_why_calls_wait_is_said_in_their_views() -> None:
    pool = Pool()
    pool.dispatch(key())
    why = Waiting("WorkerStarting", "waits for a worker to start")
    pool.board.why(POOL, why)
    assert pool.view(key()).evidence == why


def test_a_silent_worker_is_disconnected_and_keeps_what_it_has() -> None:
    pool = Pool("w0")
    pool.dispatch(key())
    pool.says(1, Started(key().text(), BEGAN))
    pool.board.silent(pool.now + 100, 5.0)
    assert [one.link for one in pool.board.effects() if isinstance(one, Close)] == [1]
    assert isinstance(pool.view(key()).evidence, Running)


# ---- the metrics ----------------------------------------------------------------------------------------------------


def test_what_a_call_waited_and_took_and_how_it_ended_is_told() -> None:
    pool = Pool("w0", "w1")
    first, second = key("n0"), key("n1")
    pool.dispatch(first)
    pool.dispatch(second)
    assert [one for one in pool.board.effects() if isinstance(one, HandedOut)] == [HandedOut(POOL, pool.now)] * 2
    holder = {call.key: call.holder for call in pool.board.calls.values()}
    ran = result(first, o0=1)._replace(finished_at=BEGAN + 2)
    pool.board.received(pool.link[holder[first]], ran, pool.now)
    lost = holder[second]
    pool.board.received(pool.link[lost], Started(second.text(), pool.now), pool.now)
    pool.board.lost(pool.link[lost], pool.now)
    pool.running(*({"w0", "w1"} - {lost}))
    ended = [one for one in pool.board.effects() if isinstance(one, Ended)]
    assert ended == [Ended(POOL, "succeeded", 2.0), Ended(POOL, "lost")]


@pytest.mark.parametrize(("elements", "delay"), [(1, 0.02), (30, 0.02), (102, 0.05), (2000, 0.25)])
def test_the_more_calls_wait_the_later_an_end_is_told(elements: int, delay: float) -> None:
    pool = Pool("w0", "w1")
    for element in range(elements):
        pool.board.dispatch(order(key(element=element)), pool.now)
    pool.board.effects()
    pool.board.received(pool.link["w0"], result(key(element=0), o0=1), pool.now)
    told = [effect.delay for effect in pool.board.effects() if isinstance(effect, News)]
    assert told == [pytest.approx(delay, abs=0.002)]


def test_a_worker_whose_pod_was_gone_before_its_stream_is_lost_with_that() -> None:
    pool = Pool("w0")
    call = key()
    pool.board.dispatch(order(call), pool.now)
    pool.board.received(pool.link["w0"], Started(call.text(), pool.now), pool.now)
    pool.running()
    assert isinstance(pool.view(call).evidence, Running)
    pool.board.silent(pool.now + 100, 5.0)
    assert isinstance(pool.view(call).evidence, Failed)
    assert not pool.board.workers
