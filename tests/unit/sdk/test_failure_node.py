"""`on_failure` and the failure policy: what runs after a failure, here and in the manifest."""

from __future__ import annotations

from typing import Any, Optional

import pytest

import windlass
from windlass import _emit, task, workflow
from windlass._conditional import conditional
from windlass._map import map_task
from windlass._types.error import FlyteError
from windlass._workflow import WorkflowFailurePolicy
from windlass_api.manifests_check import validate_manifests

KEEP_GOING = WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE

seen: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_seen_yet() -> None:
    seen.clear()


@task
def break_down(n: int) -> int:
    if n > 0:
        raise KeyError("broken")
    return n


@task
def note(text: str) -> str:
    seen.append(text)
    return text


@task
def add(a: int, b: int = 1) -> int:
    seen.append("add")
    return a + b


@task
def clean_up(n: int, err: Optional[FlyteError] = None) -> None:  # noqa: UP045  as in the API
    seen.append((n, err))


@task
def plain_clean_up(n: int) -> None:
    seen.append(n)


@task
def broken_clean_up(n: int) -> None:
    raise OSError("the handler, too")


@task
def richer_clean_up(n: int, more: Optional[int], error: FlyteError | None, level: int | None = 5) -> None:  # noqa: UP045
    seen.append((n, more, type(error), level))


@workflow
def cleaning_workflow(n: int, err: Optional[FlyteError] = None) -> None:  # noqa: UP045  as in the API
    clean_up(n=n, err=err)


# ---- handlers ----


def test_the_handler_gets_the_inputs_and_the_error_and_the_failure_stays() -> None:
    @workflow
    def inner_unused(n: int) -> int:
        return break_down(n=n)

    handled = workflow(on_failure=clean_up)(inner_unused.function)
    with pytest.raises(KeyError) as caught:
        handled(n=3)
    assert seen == [(3, FlyteError(message=str(caught.value), failed_node_id="fn0"))]
    assert f"Error encountered while executing '{break_down.name}':" in str(caught.value)


def test_without_a_failure_it_does_not_run() -> None:
    @workflow(on_failure=clean_up)
    def fine(n: int) -> int:
        return break_down(n=n)

    assert fine(n=-3) == -3
    assert seen == []


@pytest.mark.parametrize(
    ("handler", "told"),
    [(plain_clean_up, [4]), (richer_clean_up, [(4, None, FlyteError, 5)])],
    ids=["no error wanted", "more inputs"],
)
def test_a_handler_takes_what_it_wants(handler: Any, told: list[Any]) -> None:
    @workflow(on_failure=handler)
    def failing(n: int) -> int:
        return break_down(n=n)

    with pytest.raises(KeyError):
        failing(n=4)
    assert seen == told
    assert validate_manifests(_emit.manifests(_emit.complete([failing]))) == []


def test_a_workflow_may_be_the_handler() -> None:
    @workflow(on_failure=cleaning_workflow)
    def failing(n: int) -> int:
        return break_down(n=n)

    with pytest.raises(KeyError):
        failing(n=4)
    assert [n for n, _ in seen] == [4]
    assert _emit.manifest(failing)["spec"]["onFailure"]["workflow"] == {"name": cleaning_workflow.object_name}
    assert _emit.complete([failing]) == [break_down, clean_up, cleaning_workflow, failing]


def test_a_failing_handler_is_told_and_hides_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    @workflow(on_failure=broken_clean_up)
    def failing(n: int) -> int:
        return break_down(n=n)

    with pytest.raises(KeyError, match="broken"):
        failing(n=4)
    assert "broken_clean_up failed, too" in capsys.readouterr().err


def test_the_handler_of_a_sub_workflow_runs_before_that_of_its_caller() -> None:
    @workflow(on_failure=clean_up)
    def inner(n: int) -> int:
        return break_down(n=n)

    @workflow(on_failure=clean_up)
    def outer(n: int) -> int:
        return inner(n=n + 0)

    @workflow(on_failure=plain_clean_up)
    def outermost(n: int) -> int:
        return inner(n=n)

    with pytest.raises(KeyError):
        outermost(n=5)
    assert [entry if isinstance(entry, int) else entry[0] for entry in seen] == [5, 5]
    assert isinstance(seen[0], tuple)
    assert [node.entity for node in outermost.nodes] == [inner]
    assert _emit.manifest(outermost)["spec"]["nodes"][0]["workflow"] == {"name": inner.object_name}
    assert outer.stands_alone


def test_the_manifest_has_the_handler_as_a_node() -> None:
    @workflow(on_failure=clean_up)
    def failing(n: int) -> int:
        return break_down(n=n)

    assert _emit.manifest(failing)["spec"]["onFailure"] == {
        "id": "fn0",
        "name": "clean_up",
        "task": {"name": clean_up.object_name},
        "inputs": {"n": {"$ref": "inputs.n"}, "err": {"$ref": "error"}},
    }


@task
def no_n(err: Optional[FlyteError] = None) -> None:  # noqa: UP045  as in the API
    seen.append(err)


@task
def another_type(n: str) -> None:
    seen.append(n)


@task
def one_more(n: int, more: int) -> None:
    seen.append((n, more))


@task
def one_more_with_a_default(n: int, more: int = 3) -> None:
    seen.append((n, more))


@pytest.mark.parametrize(
    ("handler", "problem"),
    [
        (no_n, r"it has no input n \(int\)"),
        (another_type, "its input n is str, the workflow's is int"),
        (one_more, "its input more is none of the workflow's, and not Optional"),
        (one_more_with_a_default, "its input more is none of the workflow's, and not Optional"),
    ],
)
def test_a_handler_that_does_not_fit_is_refused(handler: Any, problem: str) -> None:
    @workflow(on_failure=handler)
    def failing(n: int) -> int:
        return break_down(n=n)

    for use in (failing.compile, lambda: failing(n=1)):
        with pytest.raises(
            windlass.FlyteFailureNodeInputMismatchException,
            match=rf"test_failure_node\.py:\d+: Mismatched Inputs Detected: .*{problem}",
        ):
            use()


@pytest.mark.parametrize(
    "options",
    [{"on_failure": print}, {"on_failure": map_task(break_down)}, {"failure_policy": 1}, {"interruptible": "yes"}],
)
def test_settings_that_are_none_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(windlass.FlyteValidationException, match=r"test_failure_node\.py:\d+: "):
        workflow(**options)(lambda: None)


# ---- the policy ----


def test_by_default_the_first_failure_ends_the_run() -> None:
    @workflow
    def failing(n: int) -> int:
        made = break_down(n=n)
        note(text="later")
        return made

    with pytest.raises(KeyError):
        failing(n=1)
    assert seen == []
    assert "failurePolicy" not in _emit.manifest(failing)["spec"]


def test_the_other_policy_runs_all_that_does_not_need_what_has_failed() -> None:
    @workflow(failure_policy=KEEP_GOING)
    def failing(n: int) -> int:
        first, broken, independent = note(text="first"), break_down(n=n), note(text="independent")
        needing = add(a=broken)
        ordered = note(text="ordered behind")
        broken >> ordered  # type: ignore[operator]
        ordered >> note(text="ordered behind that")  # type: ignore[operator]
        add(a=add(a=needing), b=broken)
        note(text=first)
        note(text=independent)
        return needing

    with pytest.raises(KeyError, match="broken"):
        failing(n=1)
    assert seen == ["first", "independent", "first", "independent"]
    seen.clear()
    assert failing(n=0) == 1
    assert "ordered behind that" in seen
    assert _emit.manifest(failing)["spec"]["failurePolicy"] == "FailAfterExecutableNodesComplete"


def test_of_several_failures_the_first_is_raised() -> None:
    @task
    def fail_otherwise() -> None:
        raise OSError("second")

    @workflow(failure_policy=KEEP_GOING)
    def failing(n: int) -> None:
        break_down(n=n)
        fail_otherwise()

    with pytest.raises(KeyError, match="broken"):
        failing(n=1)


def test_conditionals_on_what_has_failed_are_skipped_and_others_run() -> None:
    @workflow(failure_policy=KEEP_GOING)
    def failing(n: int) -> str:
        broken = break_down(n=n)
        lost = conditional("lost").if_(broken == 1).then(note(text="a")).else_().then(note(text="b"))
        conditional("fine").if_(n == 1).then(note(text="fine")).else_().then(note(text=lost))
        conditional("needing").if_(n == 1).then(note(text=lost)).else_().then(note(text="no"))
        conditional("failing").if_(broken == 1).fail("no").else_().fail("neither")
        return lost  # type: ignore[no-any-return]

    with pytest.raises(KeyError, match="broken"):
        failing(n=1)
    assert seen == ["fine"]


def test_a_branch_that_fails_ends_the_run_once_the_others_are_done() -> None:
    @workflow(failure_policy=KEEP_GOING, on_failure=plain_clean_up)
    def failing(n: int) -> None:
        conditional("c").if_(n == 1).fail("one").else_().then(note(text="other"))
        note(text="independent")

    with pytest.raises(ValueError, match=r"^one$"):
        failing(n=1)
    assert seen == ["independent", 1]


def test_a_sub_workflow_with_a_policy_is_one_node_and_fails_as_one() -> None:
    @workflow(failure_policy=KEEP_GOING)
    def inner(n: int) -> int:
        made = break_down(n=n)
        note(text="inside")
        return made

    @workflow
    def outer(n: int) -> int:
        made = inner(n=n)
        note(text="outside")
        return made

    with pytest.raises(KeyError):
        outer(n=1)
    assert seen == ["inside"]
    assert [node["workflow"] for node in _emit.manifest(outer)["spec"]["nodes"][:1]] == [{"name": inner.object_name}]


def test_interruptible_is_a_default_of_its_tasks_and_keeps_it_together() -> None:
    @workflow(interruptible=True)
    def inner(n: int) -> int:
        return add(a=n)

    @workflow
    def outer(n: int) -> int:
        return inner(n=n)

    assert outer(n=1) == 2
    assert _emit.manifest(inner)["spec"]["defaults"] == {"interruptible": True}
    assert validate_manifests(_emit.manifests(_emit.complete([outer]))) == []
    assert "workflow" in _emit.manifest(outer)["spec"]["nodes"][0]
