"""Maps: one attempt after the other for each element of lists, as many at a time as there is room for.

Every element is settled and started by the same functions as a node of its own, has budgets and a cache of its own, and
is never a node: a status has no room for ten thousand. What elements came to is in ``Elements`` and, for good, in
segments (``core.segments``). A pass costs what is under way, not what there is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from windlass_api import maps, names, refs, validation
from windlass_api.stored import Stored as InStore, stored
from windlass_operator.core import attempts
from windlass_operator.core.actions import WriteSegment
from windlass_operator.core.caching import cache_of
from windlass_operator.core.closure import Mapped, Node
from windlass_operator.core.gates import NAMESPACE, NO_ROOM, PARALLELISM, End, Hold
from windlass_operator.core.inputs import NodeInputs, set_apart
from windlass_operator.core.observed import (
    CACHE,
    CANCELLED,
    EARLIER,
    FAILED,
    LETTER_OF,
    QUEUED,
    SUCCEEDED,
    WAITS,
    CacheNote,
    Elements,
    NodeState,
    Stored,
    is_active,
)
from windlass_operator.core.resuming import REUSED
from windlass_operator.core.segments import FLUSH, manifest, next_segments
from windlass_operator.core.settling import RETRYING, Target, look_again, settle as settle_attempt, waits_still
from windlass_operator.core.states import NodePhase
from windlass_operator.core.values import InvalidInputsError, NotKnownError
from windlass_operator.core.work import Work, ended, queue_limit, queue_timeout, succeeded
from windlass_operator.kinds.evidence import Failure, FailureKind

ENDED = (SUCCEEDED, FAILED, CANCELLED)
MAX_STARTS = 64
"""Elements that one pass starts at most: others want their turn, too."""


def start(work: Work, node: Node) -> None:
    """The map begins: the lists are there. Elements are started by ``go_on``, in the same pass.

    Raises:
        InvalidInputsError: they don't fit.
        NotKnownError: they have to be read first.
    """
    mapped = _mapped(node)
    inputs = work.values.bound(node)
    total = _length(node, mapped, inputs)
    needed = maps.required_successes(total, mapped.min_successes, mapped.min_success_ratio)
    if needed > total:
        text = f"nodes.{node.id}: it needs {needed} successes, but the lists have {total} elements"
        raise InvalidInputsError(Failure(FailureKind.USER, "TooFewElements", text))
    if total > work.observed.settings.max_elements:
        limit = work.observed.settings.max_elements
        text = f"nodes.{node.id}: the lists have {total} elements; a map may have {limit}"
        raise InvalidInputsError(Failure(FailureKind.USER, "TooManyElements", text))
    elements = Elements(bytearray(b"P") * total, inputs=inputs, written_at=work.now)
    state = replace(
        work.state(node), phase=NodePhase.RUNNING, started_at=work.now, reason="", message="", elements=elements
    )
    work.put(node, state)


def _mapped(node: Node) -> Mapped:
    assert node.mapped is not None
    return node.mapped


def _length(node: Node, mapped: Mapped, inputs: Mapping[str, Any]) -> int:
    lengths = {}
    for name in mapped.over:
        value = inputs.get(name)
        lies = stored(value)
        if lies is not None:
            lengths[name] = _length_in_store(node, name, lies)
            continue
        if not isinstance(value, list):
            text = f"nodes.{node.id}.inputs.{name}: a list is needed to map over"
            raise InvalidInputsError(Failure(FailureKind.USER, "InvalidInputs", text))
        lengths[name] = len(value)
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        text = f"nodes.{node.id}: the lists have different lengths: {told}"
        raise InvalidInputsError(Failure(FailureKind.USER, "InvalidArrayLength", text))
    return next(iter(lengths.values()))


def _length_in_store(node: Node, name: str, lies: InStore) -> int:
    if lies.length is None:
        where = "".join(f"[{step!r}]" for step in lies.path)
        text = (
            f"nodes.{node.id}.inputs.{name}: the list lies in the store as the part {where} of a larger value of"
            f" {lies.size} bytes, and the operator, which has to know how long it is, can't read that: return the list"
            " as an output of its own"
            if lies.path
            else f"nodes.{node.id}.inputs.{name}: a list is needed to map over"
        )
        raise InvalidInputsError(Failure(FailureKind.USER, "ValueInStore" if lies.path else "InvalidInputs", text))
    return lies.length


# ---- what is the case -----------------------------------------------------------------------------------------------


def settle(work: Work, node: Node, *, stopping: bool) -> NodeState:
    """The state of the node, with all folded in that its elements' children say; its end, where it has come.

    Raises:
        NotKnownError: the segments have to be read first.
    """
    state = work.state(node)
    assert state.elements is not None
    elements = work.values.elements(node.id, state.elements).copy()
    target = work.target(node)
    for index in _to_settle(work, node, elements):
        before = elements.states.get(index)
        if before is not None and not stopping and waits_still(target, before, work.observed, index):
            continue
        _settle_element(work, Target(node, target.spec, index), elements, stopping=stopping)
    elements.fresh = False
    if stopping:
        _cancel_waiting(elements)
    _write(work, node, elements, ending=_verdict(node, elements, stopping=stopping) is not None)
    verdict = None if elements.unwritten else _verdict(node, elements, stopping=stopping)
    state = replace(state, elements=elements, **_notes(work, target, elements))
    if verdict is None:
        return state
    if isinstance(verdict, Failure):
        return replace(
            state,
            phase=NodePhase.FAILED,
            finished_at=work.now,
            reason=verdict.code,
            message=verdict.message,
            failure=verdict,
        )
    if verdict is NodePhase.CANCELLED:
        return replace(state, phase=verdict, finished_at=work.now, reason="Cancelled", message="")
    return replace(succeeded(state, {}, work.now), outputs=None)


def _notes(work: Work, target: Target, elements: Elements) -> dict[str, Any]:
    """What people read about cached and reused elements."""
    notes: dict[str, Any] = {}
    if cache_of(target.spec) is not None:
        told = f"{elements.hits} of {elements.total} elements were in the cache"
        notes["cache"] = CacheNote("Hit" if elements.hits == elements.total else "Miss", told)
    source = work.observed.spec.get("resumeFrom")
    if source:
        notes["resume"] = f"{elements.reused} of {elements.total} elements were taken from {source['execution']}"
    return notes


def _to_settle(work: Work, node: Node, elements: Elements) -> Iterator[int]:
    """The elements with news, at most: those under way. After a restart, all that have children."""
    yield from list(elements.states)
    if not elements.fresh:
        return
    for children in (work.observed.pods, work.observed.executions, work.observed.calls):
        for place in children:
            if place.node == node.id and place.element not in elements.states and elements.waits(place.element):
                yield place.element


def _settle_element(work: Work, target: Target, elements: Elements, *, stopping: bool) -> None:
    before = elements.states.get(target.element, NodeState())
    after = attempts.expand(work, target, settle_attempt(target, before, work.observed, stopping=stopping))
    if after.terminal:
        try:
            after = _with_values(work, after)
            after = attempts.after(work, target, after, lambda: _inputs_again(work, target, elements))
        except NotKnownError as unknown:
            work.look_up(unknown.question)
            return
    _take(elements, target.element, before, after)
    work.wake(look_again(target, after, work.observed))


def _inputs_again(work: Work, target: Target, elements: Elements) -> Mapping[str, Any]:
    """The inputs of an element that has run: after a restart nobody remembers them."""
    _shared(work, target.node, target.spec, elements)
    return _element_inputs(target, elements)


def _with_values(work: Work, state: NodeState) -> NodeState:
    """With what a child Execution gave, wherever it keeps it."""
    if state.outputs is None:
        return state
    outputs = {
        name: work.values.read(value) if isinstance(value, Stored) else value for name, value in state.outputs.items()
    }
    return replace(state, outputs=outputs)


def _take(elements: Elements, index: int, before: NodeState, after: NodeState) -> None:
    """An element is in this state now."""
    elements.phases[index] = QUEUED if after.unsure and not after.terminal else LETTER_OF[after.phase]
    if not after.terminal:
        elements.states[index] = after
        if after.attempt != before.attempt:
            elements.unwritten.add(index)
        return
    elements.states.pop(index, None)
    elements.unwritten.add(index)
    if after.phase is NodePhase.SUCCEEDED:
        elements.results[index] = after.outputs
        _note_origin(elements, index, after)
    elif after.phase is NodePhase.FAILED:
        elements.failures[index] = after.failure or Failure(FailureKind.USER, after.reason, after.message)


def _note_origin(elements: Elements, index: int, after: NodeState) -> None:
    if after.reason == REUSED:
        elements.reused += 1
        elements.origins[index] = EARLIER
    elif after.cache is not None and after.cache.state == "Hit":
        elements.hits += 1
        elements.origins[index] = CACHE


def _cancel_waiting(elements: Elements) -> None:
    """Elements without a child won't get one. They need no segment: they are whatever has no outcome."""
    for index, state in list(elements.states.items()):
        if not is_active(state):
            del elements.states[index]
            elements.unwritten.discard(index)
            elements.phases[index] = CANCELLED
    elements.phases = elements.phases.replace(bytes([WAITS]), bytes([CANCELLED]))


def _verdict(node: Node, elements: Elements, *, stopping: bool) -> NodePhase | Failure | None:
    """How the map ends, if it does."""
    mapped = _mapped(node)
    succeeded_count, failed = elements.count(SUCCEEDED), elements.count(FAILED)
    needed = maps.required_successes(elements.total, mapped.min_successes, mapped.min_success_ratio)
    if succeeded_count >= needed and succeeded_count + failed == elements.total:
        return NodePhase.SUCCEEDED
    if stopping:
        return NodePhase.CANCELLED if not elements.active else None
    return _failure(elements, needed) if elements.total - failed < needed else None


def _failure(elements: Elements, needed: int) -> Failure:
    """What the map fails of: the first of its failures, and how many there are."""
    indices = sorted(elements.failures)
    first = elements.failures[indices[0]]
    shown = ", ".join(map(str, indices[:10])) + ("" if len(indices) <= 10 else ", …")
    many = (
        f"{len(indices)} of {elements.total} elements failed ({shown}), {needed} have to succeed; "
        if len(indices) > 1 or elements.total > 1
        else ""
    )
    text = f"{many}element {indices[0]}: {first.message}"
    return Failure(first.kind, first.code, text, first.type, first.traceback)


def _write(work: Work, node: Node, elements: Elements, *, ending: bool) -> None:
    """Keep what elements came to: at the end, and from time to time."""
    if not elements.unwritten:
        return
    due = elements.written_at + FLUSH
    if not ending and work.now < due:
        work.wake(due)
        return
    observed = work.observed
    for number, content in next_segments(elements):
        name = names.segment_name(observed.name, node.id, number)
        body = manifest(name, observed.namespace, observed.name, node.id, content, work.owner)
        version = elements.tail_version if number < elements.segments else ""
        work.actions.append(WriteSegment(node.id, number, name, content, body, version))


# ---- what to begin --------------------------------------------------------------------------------------------------


def go_on(work: Work, node: Node) -> None:
    """Start elements, as many as there is room for.

    Raises:
        InvalidInputsError: what all of them share doesn't fit.
        NotKnownError: the lists have to be read first.
    """
    state = work.state(node)
    assert state.elements is not None
    if work.observed.suspended or work.facts.stopping(node) or not state.elements.loaded:
        return
    if _verdict(node, state.elements, stopping=False) is not None:
        return  # it is over once that is written
    elements, spec, mapped = state.elements.copy(), work.target(node).spec, _mapped(node)
    beside = _shared(work, node, spec, elements)
    if (
        elements.turn_at is None
    ):  # a concurrency makes some wait for others, and after a restart nobody knows since when
        elements.turn_at = work.now if mapped.concurrency or state.started_at is None else state.started_at
    hold, busy, moved = None, 0, False
    for tried, index in enumerate(_ready(work, elements)):
        if tried >= MAX_STARTS:
            work.again = work.again or moved  # otherwise all of them wait for answers, which see to it
            break
        counted = elements.phases[index] == QUEUED  # nobody knows whether it has been started: it has its place
        hold = None if counted else _no_room(work, node, elements, busy)
        if hold is not None:
            break
        came = _begin(work, Target(node, spec, index), elements, beside)
        moved = moved or came
        busy += not counted and (elements.phases[index] == QUEUED or not came)  # it may need room once it has answers
        work.again = work.again or elements.phases[index] in ENDED
    own = _concurrency_is_full(mapped, elements)
    if own or (mapped.concurrency and moved):
        elements.turn_at = None if own else work.now
    if hold is not None and hold.reason and not own:
        _give_up(work, Target(node, spec), elements, hold.message)
    if hold is not None and hold.reason == NAMESPACE:
        work.short_of_room += elements.count(WAITS)
    reason, message = (hold.reason, hold.message) if hold is not None else ("", "")
    work.put(node, replace(state, elements=elements, reason=reason, message=message))


def _shared(work: Work, node: Node, spec: Mapping[str, Any], elements: Elements) -> NodeInputs:
    """The inputs that all elements have in common, as pods get them. Made once."""
    if elements.inputs is None:
        elements.inputs = work.values.bound(node)
    if elements.shared is None:
        over = _mapped(node).over
        parameters = {name: one for name, one in (spec.get("inputs") or {}).items() if name not in over}
        given = {name: value for name, value in elements.inputs.items() if name not in over}
        complete, wrong = validation.complete_inputs(parameters, given)
        if wrong:
            text = f"nodes.{node.id}.{wrong[0].path.removeprefix('spec.')}: {wrong[0].message}"
            raise InvalidInputsError(Failure(FailureKind.USER, "InvalidInputs", text))
        prepared = set_apart(node.id, complete, work.observed.settings)
        if isinstance(prepared, Failure):
            raise InvalidInputsError(prepared)
        elements.bound, elements.shared = complete, prepared
    return elements.shared


def _ready(work: Work, elements: Elements) -> Iterator[int]:
    """The elements that may be started now: those of which nobody knows whether they are, and so have their place;
    those that wait for their time, when it has come; then those that never were begun, in order. None of these while
    the API server takes no child of another.
    """
    refused = False
    for index in sorted(elements.states, key=lambda one: (not elements.states[one].unsure, one)):
        state = elements.states[index]
        if is_active(state):
            continue
        if state.retry_at is not None and state.retry_at > work.now:
            work.wake(state.retry_at)
            refused = refused or state.reason not in (RETRYING, attempts.RESERVED)
        else:
            yield index
    while not refused:
        elements.next = elements.phases.find(WAITS, elements.next)
        if elements.next < 0:
            elements.next = elements.total
            return
        if elements.next not in elements.states:
            yield elements.next  # whoever stops here has not begun it, and asks for it again
        elements.next += 1


def _no_room(work: Work, node: Node, elements: Elements, busy: int) -> Hold | None:
    """What keeps one more from being started."""
    facts, mapped = work.facts, _mapped(node)
    if facts.uncounted:
        return Hold()
    if _concurrency_is_full(mapped, elements):
        return Hold(reason=PARALLELISM, message=f"its concurrency is {mapped.concurrency}")
    if facts.active + busy >= facts.limit(node):
        return Hold(reason=PARALLELISM, message=f"{facts.limit(node)} of this run are at work already")
    if not facts.has_room(node):
        return Hold(reason=NAMESPACE, message=NO_ROOM)
    return None


def _concurrency_is_full(mapped: Mapped, elements: Elements) -> bool:
    return mapped.concurrency is not None and 0 < mapped.concurrency <= elements.active


def _give_up(work: Work, target: Target, elements: Elements, why: str) -> None:
    """Those that could begin but for the room fail, once they have waited as long as their ``queueTimeout`` lets them;
    no more of them than it takes for the map to fail.
    """
    limit = queue_limit(target.spec)
    if not limit:
        return
    mapped, line = _mapped(target.node), _in_line(work, elements)
    free = mapped.concurrency - elements.active if mapped.concurrency else elements.total
    for index in itertools.islice(line, free):
        before = elements.states.get(index, NodeState())
        until = _until(work, before, elements, limit)
        if until > work.now:
            work.wake(until)
            if index not in elements.states:
                return  # those behind it have waited no longer
            elements.states[index] = replace(before, until=until)
            continue
        _take(elements, index, before, ended(before, _timed_out(target, why), work.now))
        work.again = True
        if _verdict(target.node, elements, stopping=False) is not None:
            return


def _in_line(work: Work, elements: Elements) -> Iterator[int]:
    """The elements that wait for nothing but room, in order: those that have begun before, then the others."""
    for index, state in sorted(elements.states.items()):
        if not is_active(state) and not state.unsure and (state.retry_at is None or state.retry_at <= work.now):
            yield index
    index = elements.phases.find(WAITS, elements.next)
    while index >= 0:
        if index not in elements.states:
            yield index
        index = elements.phases.find(WAITS, index + 1)


def _until(work: Work, state: NodeState, elements: Elements, limit: float) -> float:
    """When an element's time in the queue is up."""
    if state.until is not None:
        return state.until
    since = elements.turn_at if state.attempt == 0 and elements.turn_at is not None else work.now
    return since + limit


def _timed_out(target: Target, why: str) -> End:
    failure = queue_timeout(target.spec, why)
    return End(NodePhase.FAILED, failure.code, failure.message, failure)


def _begin(work: Work, target: Target, elements: Elements, beside: NodeInputs) -> bool:
    """Start an attempt of an element, or note why not. False when an answer is needed first."""
    index = target.element
    before = elements.states.get(index, NodeState())
    limit = queue_limit(target.spec)
    if limit:
        before = replace(before, until=_until(work, before, elements, limit))
        if before.until is not None and work.now >= before.until:
            _take(elements, index, before, ended(before, _timed_out(target, before.message), work.now))
            return True
        work.wake(before.until)
    try:
        inputs = _element_inputs(target, elements)
        begun = attempts.begin(work, target, before, inputs, beside)
    except NotKnownError as unknown:
        work.look_up(unknown.question)
        elements.states[index] = before
        return False
    except InvalidInputsError as wrong:
        begun = wrong.failure
    if isinstance(begun, Failure):
        end = End(NodePhase.FAILED, begun.code, begun.message, begun)
        _take(elements, index, before, ended(before, end, work.now))
        return True
    after = begun.state
    if begun.hold is not None:
        work.wake(begun.hold.until)
        after = replace(after, retry_at=begun.hold.until, reason=begun.hold.reason, message=begun.hold.message)
    _take(elements, index, before, after)
    return begun.hold is None or begun.hold.until is not None


def _element_inputs(target: Target, elements: Elements) -> Mapping[str, Any]:
    """The inputs of an element, complete."""
    over, lists = _mapped(target.node).over, elements.inputs or {}
    parameters = {name: one for name, one in (target.spec.get("inputs") or {}).items() if name in over}
    own, wrong = validation.complete_inputs(
        parameters, {name: refs.walk(lists[name], [target.element]) for name in over}
    )
    if wrong:
        where = wrong[0].path.removeprefix("spec.")
        text = f"nodes.{target.node.id}: element {target.element}: {where}: {wrong[0].message}"
        raise InvalidInputsError(Failure(FailureKind.USER, "InvalidInputs", text))
    return {**elements.bound, **own}
