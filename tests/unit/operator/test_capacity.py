"""The registry of slots for pods: what is counted, what is set aside, and who is woken."""

from __future__ import annotations

from windlass_operator.core.sharing import Key, Limits
from windlass_operator.reconcile.capacity import Capacity

A, B, C = ("ns", "a"), ("ns", "b"), ("other", "c")


def start(capacity: Capacity, key: Key, *pods: str) -> None:
    for pod in pods:
        capacity.observe(key, pod, unfinished=True)


def test_without_limits_there_is_no_number_and_nothing_is_kept() -> None:
    capacity = Capacity()
    start(capacity, A, "p")
    capacity.wants(A, 5)
    assert capacity.room(A) is None
    assert (capacity.waiting, capacity.freed()) == (0, ())


def test_unfinished_pods_take_slots_and_ended_ones_give_them_back() -> None:
    capacity = Capacity(Limits(total=3))
    start(capacity, A, "p0", "p1")
    start(capacity, A, "p1")
    assert capacity.room(B) == 1
    capacity.wants(B, 0)
    capacity.observe(A, "p0", unfinished=False)
    capacity.observe(A, "p0", unfinished=False)
    assert capacity.room(B) == 2


def test_what_is_granted_is_set_aside_until_the_pass_is_over() -> None:
    capacity = Capacity(Limits(total=4))
    assert capacity.room(A) == 4
    assert capacity.room(B) == 0
    start(capacity, A, "p0")
    assert capacity.room(B) == 0, "the pod took one of the slots that were set aside"
    capacity.wants(B, 7)
    capacity.wants(A, 0)
    assert capacity.freed() == (B,)
    assert capacity.room(B) == 3


def test_those_who_wait_are_woken_in_turn() -> None:
    capacity = Capacity(Limits(per_namespace=2))
    start(capacity, A, "p0", "p1")
    for key in (B, C, A):
        capacity.room(key)
        capacity.wants(key, 3)
    assert capacity.freed() == (), "C had room and left it, and nothing else is free"
    capacity.observe(A, "p0", unfinished=False)
    assert capacity.freed() == (B, C)
    assert capacity.room(B) == 1
    start(capacity, B, "q0")
    capacity.wants(B, 2)
    capacity.observe(A, "p1", unfinished=False)
    assert capacity.freed() == (C, A), "B had its turn"
    assert capacity.waiting == 3 + 3 + 2


def test_whoever_leaves_room_unused_is_not_woken_until_something_changes() -> None:
    capacity = Capacity(Limits(total=2))
    assert capacity.room(A) == 2
    capacity.wants(A, 1)
    assert capacity.freed() == ()
    capacity.wants(A, 2)
    assert capacity.freed() == (A,)


def test_no_room_is_kept_for_one_that_something_else_keeps() -> None:
    """Else whoever is woken for it would find none, and be woken again, for ever."""
    capacity = Capacity(Limits(total=1))
    assert capacity.room(A) == 1
    capacity.wants(A, 5)  # a quota keeps it
    assert capacity.room(B) == 1
    capacity.wants(B, 0)
    start(capacity, C, "p0")
    assert capacity.room(B) == 0
    capacity.wants(B, 1)
    capacity.observe(C, "p0", unfinished=False)
    capacity.room(A)
    capacity.wants(A, 5)
    assert capacity.freed() == (B,)
    assert capacity.room(B) == 1


def test_an_execution_that_is_gone_waits_for_nothing() -> None:
    capacity = Capacity(Limits(total=1))
    start(capacity, A, "p0")
    capacity.room(B)
    capacity.wants(B, 1)
    capacity.forget(B)
    capacity.observe(A, "p0", unfinished=False)
    assert (capacity.waiting, capacity.freed()) == (0, ())


def test_a_namespace_that_others_fill_gets_its_share_of_what_becomes_free() -> None:
    capacity = Capacity(Limits(total=4))
    start(capacity, A, *(f"p{i}" for i in range(4)))
    for key in (A, C):
        capacity.room(key)
        capacity.wants(key, 100)
    for ended in range(2):
        capacity.observe(A, f"p{ended}", unfinished=False)
    assert capacity.room(C) == 2
