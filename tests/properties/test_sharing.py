"""Fair sharing of pod slots: each word of "weighted max-min fair, within limits, wasting nothing, deterministic"."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from hypothesis import given, strategies as st

from windlass_operator.core.sharing import Key, Limits, grant

NAMESPACES = st.sampled_from(["a", "b", "c", "d"])
KEYS = st.tuples(NAMESPACES, st.sampled_from(["e1", "e2", "e3"]))
WEIGHTS = st.dictionaries(NAMESPACES, st.sampled_from([0.5, 1.0, 2.0, 3.0]))


@st.composite
def scenes(draw: st.DrawFn) -> dict[str, Any]:
    """Pods that run, Executions that wait, and limits."""
    return {
        "active": draw(st.dictionaries(NAMESPACES, st.integers(0, 12))),
        "waiting": draw(st.dictionaries(KEYS, st.integers(0, 12))),
        "limits": Limits(draw(st.integers(0, 40)), draw(st.integers(0, 15)), draw(WEIGHTS)),
    }


def per_namespace(numbers: dict[Key, int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (namespace, _), number in numbers.items():
        found[namespace] += number
    return found


@given(scenes())
def test_nobody_gets_more_than_it_wants_and_no_limit_is_exceeded(scene: dict[str, Any]) -> None:
    active, waiting, limits = scene["active"], scene["waiting"], scene["limits"]
    granted = grant(active, waiting, limits)
    assert all(0 < number <= waiting[key] for key, number in granted.items())
    if limits.total and granted:
        assert sum(active.values()) + sum(granted.values()) <= limits.total
    for namespace, number in per_namespace(granted).items():
        assert not limits.per_namespace or active.get(namespace, 0) + number <= limits.per_namespace


@given(scenes())
def test_no_slot_stays_free_while_somebody_waits_who_may_have_it(scene: dict[str, Any]) -> None:
    active, waiting, limits = scene["active"], scene["waiting"], scene["limits"]
    granted = grant(active, waiting, limits)
    has = Counter(active) + per_namespace(granted)
    full = bool(limits.total) and sum(active.values()) + sum(granted.values()) >= limits.total
    for key, wanted in waiting.items():
        capped = bool(limits.per_namespace) and has[key[0]] >= limits.per_namespace
        assert full or capped or granted.get(key, 0) == wanted


@given(scenes())
def test_who_still_waits_has_no_less_for_its_weight_than_anybody_who_got_something(scene: dict[str, Any]) -> None:
    active, waiting, limits = scene["active"], scene["waiting"], scene["limits"]
    granted = grant(active, waiting, limits)
    got = per_namespace(granted)
    has = Counter(active) + got
    for key, wanted in waiting.items():
        capped = bool(limits.per_namespace) and has[key[0]] >= limits.per_namespace
        if capped or granted.get(key, 0) == wanted:
            continue
        for other in got:
            before_its_last = (has[other] - 1) / limits.weight(other)
            assert before_its_last <= has[key[0]] / limits.weight(key[0])


@given(scenes())
def test_executions_of_a_namespace_take_turns(scene: dict[str, Any]) -> None:
    waiting = scene["waiting"]
    granted = grant(scene["active"], waiting, scene["limits"])
    for key, wanted in waiting.items():
        if granted.get(key, 0) < wanted:
            others = [granted.get(one, 0) for one in waiting if one[0] == key[0]]
            assert max(others) <= granted.get(key, 0) + 1


@given(scenes())
def test_the_same_question_has_the_same_answer(scene: dict[str, Any]) -> None:
    again = dict(reversed(scene["active"].items()))
    assert grant(scene["active"], scene["waiting"], scene["limits"]) == grant(again, scene["waiting"], scene["limits"])


@given(st.integers(1, 20), st.integers(1, 4), st.integers(20, 200))
def test_a_thousand_tasks_do_not_crowd_out_ten(slots: int, lasts: int, many: int) -> None:
    """Two namespaces, served tick by tick: while both have something to do, both get the same amount of work."""
    left = {("large", "e"): many * 10, ("small", "e"): max(10, many)}
    running: deque[tuple[int, str]] = deque()
    served: Counter[str] = Counter()
    order, tick, fairness = list(left), 0, 0.0
    limits = Limits(total=slots)
    while all(left.values()):
        while running and running[0][0] <= tick:
            running.popleft()
        active = Counter(namespace for _, namespace in running)
        granted = grant(active, {key: left[key] for key in order}, limits)
        for key, number in granted.items():
            left[key] -= number
            running.extend((tick + lasts, key[0]) for _ in range(number))
            served[key[0]] += number
        order = [key for key in order if key not in granted] + list(granted)
        tick += 1
        if all(left.values()):
            fairness = jain(served["large"], served["small"])
    assert fairness > 0.95


def jain(*amounts: float) -> float:
    return float(sum(amounts) ** 2 / (len(amounts) * sum(amount**2 for amount in amounts)))


def test_a_weight_of_three_gets_three_times_as_much() -> None:
    waiting = {("a", "e"): 100, ("b", "e"): 100}
    assert grant({}, waiting, Limits(total=8, weights={"a": 3})) == {("a", "e"): 6, ("b", "e"): 2}


def test_without_limits_everybody_gets_everything() -> None:
    assert grant({"a": 7}, {("a", "e"): 3, ("b", "f"): 1}, Limits()) == {("a", "e"): 3, ("b", "f"): 1}
