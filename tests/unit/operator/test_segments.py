"""What maps came to, as it is kept: whatever is written is read back, and a status has room for any of it."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from hypothesis import example, given, settings, strategies as st

from tests.properties.api_strategies import json_values
from tests.unit.operator.things import closure, task
from windlass_api.v1alpha1.execution import Elements as ElementsModel
from windlass_operator.core.observed import CANCELLED, FAILED, SUCCEEDED, Elements, ExecutionState, NodeState
from windlass_operator.core.segments import FULL, content_of, manifest, next_segments, read_segments, written
from windlass_operator.core.states import ExecutionPhase, NodePhase
from windlass_operator.core.status import PHASES_LIMIT, parse, render
from windlass_operator.kinds.evidence import Failure, FailureKind

OWNER = {"apiVersion": "windlass.dev/v1alpha1", "kind": "Execution", "name": "e", "uid": "u1"}


def kept(content: Any, number: int) -> dict[str, Any]:
    """A segment as the API server has it."""
    body = manifest(f"e-n0-elements-{number}", "ns", "e", "n0", content, OWNER)
    return {**body, "metadata": {**body["metadata"], "resourceVersion": f"v{number}"}}


failures = st.builds(
    Failure,
    st.sampled_from(FailureKind),
    st.text(min_size=1, max_size=10),
    st.text(max_size=20),
    recoverable=st.just(False),
)
outcomes = st.one_of(
    st.tuples(st.just("S"), st.dictionaries(st.sampled_from(["o0", "o1"]), json_values, max_size=2)),
    st.tuples(st.just("F"), failures),
    st.tuples(st.just("C"), st.none()),
    st.tuples(st.just("P"), st.none()),
    st.tuples(st.just("R"), st.tuples(*[st.integers(0, 4)] * 4)),
)


def put(elements: Elements, index: int, letter: str, what: Any) -> None:
    """Something happened to an element."""
    elements.phases[index] = ord(letter)
    elements.states.pop(index, None)
    if letter == "P":
        return
    elements.unwritten.add(index)
    if letter == "S":
        elements.results[index] = what
    elements.failures.pop(index, None)
    if letter == "F":
        elements.failures[index] = what
    if letter == "R":
        elements.phases[index] = ord("P")
        elements.states[index] = NodeState(NodePhase.PENDING, *what)


def write(elements: Elements, segments: dict[int, Any]) -> Elements:
    """Write all that is unwritten."""
    for number, content in next_segments(elements) if elements.unwritten else ():
        segments[number] = kept(content, number)
        elements = written(elements, number, content, f"v{number}")
    return elements


@settings(max_examples=100, deadline=None)
@given(rounds=st.lists(st.dictionaries(st.integers(0, 9), outcomes, max_size=5), max_size=4))
def test_whatever_is_written_is_read_back(rounds: list[dict[int, tuple[str, Any]]]) -> None:
    elements, segments = Elements(bytearray(b"P" * 10)), dict[int, Any]()
    for happened in rounds:
        for index, (letter, what) in happened.items():
            if elements.phases[index] == ord("P"):  # what is over stays so
                put(elements, index, letter, what)
        elements = write(elements, segments)
        assert not elements.unwritten
    again = read_segments(Elements(bytearray(b"P" * 10), loaded=False), [segments[n] for n in range(len(segments))])
    assert again.phases == elements.phases
    assert again.results == elements.results
    for index, failure in elements.failures.items():
        found = again.failures[index]
        assert (found.kind, found.code, found.message) == (failure.kind, failure.code, failure.message)
    for index, state in elements.states.items():
        assert again.states[index] == NodeState(
            attempt=state.attempt,
            user_failures=state.user_failures,
            system_failures=state.system_failures,
            oom_failures=state.oom_failures,
        )
    assert (again.segments, again.tail_version) == (elements.segments, elements.tail_version)
    assert again.loaded
    assert again.fresh, "children may be there that nobody has looked at"


def test_only_the_last_segment_is_written_again_and_only_until_it_is_full() -> None:
    elements, segments, seen = Elements(bytearray(b"P" * 300)), dict[int, Any](), []
    for index in range(300):
        put(elements, index, "S", {"o0": "x" * 1000})
        seen += [number for number, _ in next_segments(elements)]
        elements = write(elements, segments)
    assert seen == sorted(seen)
    assert len(segments) == 300 * 1010 // FULL + 1
    assert all(len(json.dumps(content_of(body))) < FULL * 1.1 for body in segments.values())
    assert sorted(int(index) for body in segments.values() for index in content_of(body)) == list(range(300))


def test_a_full_segment_is_not_written_again_for_the_sake_of_the_next_one() -> None:
    elements, segments = Elements(bytearray(b"PP")), dict[int, Any]()
    put(elements, 0, "S", {"o0": "x" * FULL})
    elements = write(elements, segments)
    put(elements, 1, "S", {"o0": 1})
    assert next_segments(elements) == [(1, {"1": {"ok": {"o0": 1}}})]


def test_many_outcomes_at_once_fill_as_many_segments_as_it_takes() -> None:
    elements = Elements(bytearray(b"P" * 300))
    for index in range(300):
        put(elements, index, "S", {"o0": "x" * 1000})
    made = next_segments(elements)
    assert [number for number, _ in made] == list(range(len(made)))
    assert len(made) == 3


def test_one_outcome_that_is_larger_than_a_segment_has_one_of_its_own() -> None:
    elements = Elements(bytearray(b"PPP"))
    for index, size in enumerate((10, FULL + 1, 10)):
        put(elements, index, "S", {"o0": "x" * size})
    assert [sorted(content) for _, content in next_segments(elements)] == [["0"], ["1"], ["2"]]


def test_what_is_said_later_about_an_element_counts() -> None:
    first = {"0": {"attempts": [1, 1, 0, 0]}, "1": {"attempts": [2, 0, 2, 0]}}
    later = {"0": {"ok": {"o0": 5}}}
    found = read_segments(Elements(bytearray(b"PPP")), [kept(first, 0), kept(later, 1)])
    assert (found.phases, found.results) == (bytearray(b"SPP"), {0: {"o0": 5}})
    assert list(found.states) == [1]
    assert found.states[1].system_failures == 2


def test_outcomes_of_elements_that_there_are_not_are_left_alone() -> None:
    assert read_segments(Elements(bytearray(b"P")), [kept({"7": {"ok": {}}}, 0)]).phases == bytearray(b"P")


def test_a_long_message_of_an_element_is_cut() -> None:
    elements = Elements(bytearray(b"P"))
    put(elements, 0, "F", Failure(FailureKind.USER, "C", "m" * 10_000))
    ((_, content),) = next_segments(elements)
    assert len(content["0"]["failed"]["message"]) == 512


# The status.

MAPPED = closure({"id": "m", "map": {"over": ["x"]}, "inputs": {"x": []}}, t=task({"x": {"type": "any"}}))


def shown(phases: bytes, unwritten: set[int] | None = None) -> dict[str, Any]:
    """The status of a run of one map."""
    elements = Elements(bytearray(phases), unwritten=unwritten or set(), segments=4096)
    state = ExecutionState(
        ExecutionPhase.RUNNING, {"m": NodeState(NodePhase.RUNNING, started_at=1.0, elements=elements)}, started_at=1.0
    )
    return render({}, state, MAPPED, None, 1, 2.0)


@st.composite
def patterns(draw: st.DrawFn) -> bytes:
    """Phases of up to 200,000 elements: in runs, alternating, or without any order."""
    total = draw(st.integers(1, 200_000))
    unit = draw(st.text("PQRSFC", min_size=1, max_size=40)).encode()
    some = unit * (total // len(unit) + 1)
    runs = b"".join(bytes([letter]) * draw(st.integers(1, 60_000)) for letter in unit[:8])
    return (runs + some)[:total]


@settings(max_examples=60, deadline=None)
@example(b"S" * 200_000)
@example(b"SF" * 100_000)
@example(b"P")
@given(patterns())
def test_an_execution_stays_small_whatever_its_elements_do(phases: bytes) -> None:
    status = shown(phases)
    assert len(json.dumps(status)) < 16 * 1024
    told = status["nodes"]["m"]["elements"]
    ElementsModel.model_validate(told)
    assert (
        told["total"]
        == len(phases)
        == sum(told[one] for one in ("pending", "running", "succeeded", "failed")) + (phases.count(CANCELLED))
    )
    if "phases" in told:
        assert _expanded(told["phases"]) == phases
    else:
        assert sum(a != b for a, b in itertools.pairwise(phases)) > PHASES_LIMIT / 8
    read = parse(status).nodes["m"].elements
    assert read is not None
    assert (read.total, read.segments, read.loaded) == (len(phases), 4096, False)


def _expanded(text: str) -> bytes:
    return b"".join(letter.encode() * int(number) for letter, number in re.findall(r"([A-Z])(\d+)", text))


def test_what_is_not_written_for_good_yet_counts_as_running() -> None:
    told = shown(bytes([SUCCEEDED, FAILED, SUCCEEDED]), {0, 1})["nodes"]["m"]["elements"]
    assert (told["succeeded"], told["failed"], told["running"], told["phases"]) == (1, 0, 2, "R2S1")
