"""Whatever happens to streams and messages, a worker runs each call once and loses no result."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from windlass.runtime.warm.ledger import Ledger
from windlass_api.protocol import dispatcher_pb2 as pb

CALLS = st.sampled_from([f"c{number}" for number in range(6)])
SLOTS = 2


class AWorkerAndAnOperator(RuleBasedStateMachine):
    """The ledger, and an operator who hands out calls again and again until he knows how they ended. Messages in either
    direction may be lost, as they are when a stream breaks; a Hello says everything.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(SLOTS)
        self.begun: Counter[str] = Counter()
        self.running: set[str] = set()
        self.known: dict[str, bytes] = {}
        self.results: dict[str, bytes] = {}

    def hears(self, message: pb.FromWorker, lost: bool) -> None:
        if message.WhichOneof("message") == "result" and not lost:
            self.known[message.result.call] = message.result.record

    @rule(call=CALLS, lost=st.booleans())
    def hands_out(self, call: str, lost: bool) -> None:
        answers = self.ledger.take(call)
        if answers is None:
            self.begun[call] += 1
            self.running.add(call)
            return
        for answer in answers:
            self.hears(answer, lost)

    @precondition(lambda self: self.running)
    @rule(lost=st.booleans(), data=st.data())
    def ends(self, lost: bool, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(sorted(self.running)))
        self.running.remove(call)
        self.results[call] = f"{call}: run {self.begun[call]}".encode()
        self.hears(self.ledger.ended(pb.Result(call=call, record=self.results[call])), lost)

    @rule(lost=st.booleans())
    def acknowledges_what_is_known(self, lost: bool) -> None:
        if not lost:
            self.ledger.acknowledge(self.known)

    @rule()
    def hears_a_hello(self) -> None:
        for result in self.ledger.held:
            self.known[result.call] = result.record
        assert set(self.ledger.running) == self.running

    @rule()
    def leaves(self) -> None:
        self.ledger.leaving = "because"

    @invariant()
    def each_call_ran_once(self) -> None:
        assert all(count == 1 for count in self.begun.values())

    @invariant()
    def no_result_is_lost(self) -> None:
        held = {result.call: result.record for result in self.ledger.held}
        for call, record in self.results.items():
            assert self.known.get(call, held.get(call)) == record

    @invariant()
    def no_more_run_than_there_are_slots(self) -> None:
        assert len(self.running) <= SLOTS
        assert self.ledger.free == (0 if self.ledger.leaving else SLOTS - len(self.running))

    def teardown(self) -> None:
        for call in sorted(self.running):
            self.results[call] = call.encode()
            self.ledger.ended(pb.Result(call=call, record=call.encode()))
        self.running.clear()
        self.hears_a_hello()
        assert self.known == self.results
        self.ledger.acknowledge(self.known)
        self.ledger.leaving = "the end"
        assert self.ledger.finished


TestAWorkerAndAnOperator = AWorkerAndAnOperator.TestCase
