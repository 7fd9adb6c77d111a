"""Workflows inside workflows, launch plans, failure policies and handlers."""

import time
from typing import Any

from windlass import FlyteError, LaunchPlan, WorkflowFailurePolicy, task, workflow


def refuse(error: Exception) -> Any:
    """A task that returns nothing anywhere would be refused where it is written."""
    raise error


@task
def double(n: int) -> int:
    return 2 * n


@task
def fail(n: int) -> int:
    return refuse(ValueError(f"no {n}"))


@task
def forever(n: int) -> int:
    while n:
        time.sleep(0.02)
    return n


@task
def join(parts: list[int]) -> str:
    return "+".join(str(part) for part in parts)


@task
def tidy(n: int, err: FlyteError | None = None) -> str:
    """What the handler makes of the error is in its outputs."""
    return f"{n}: {err.message.splitlines()[-1].strip()} at {err.failed_node_id}" if err else "no error"


@task
def broken_tidy(n: int, err: FlyteError | None = None) -> None:
    raise RuntimeError("the handler fails, too")


@task
def known(n: int) -> dict[str, int]:
    return {"known": n}


@workflow
def with_defaults(n: int = 4, by: int = 2) -> int:
    return double(n=n)


@workflow
def tidy_all(n: int, err: FlyteError | None = None) -> str:
    """A handler that is a workflow."""
    return tidy(n=n, err=err)


@workflow(on_failure=tidy)
def careful(n: int) -> int:
    return double(n=fail(n=n))


@workflow(on_failure=tidy)
def careful_of_outputs(n: int) -> int:
    return known(n=n)["unknown"]


@workflow(on_failure=tidy_all)
def careful_by_workflow(n: int) -> int:
    return double(n=fail(n=n))


@workflow(on_failure=broken_tidy)
def careful_in_vain(n: int) -> int:
    return fail(n=n)


@workflow(on_failure=tidy)
def well(n: int) -> int:
    return double(n=n)


@workflow
def defaults() -> str:
    return join(parts=[with_defaults(), with_defaults(n=10)])


@workflow
def careful_inside(n: int) -> int:
    """The inner workflow's own handler runs, and the outer one fails."""
    return double(n=careful(n=n))


@workflow(on_failure=tidy)
def careful_twice(n: int) -> int:
    return careful(n=n)


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def finish(n: int) -> str:
    bad = fail(n=n)
    good = double(n=double(n=n))
    return join(parts=[bad, good])


@workflow
def fail_at_once(n: int) -> str:
    """By default what runs is stopped, and nothing new starts after a failure."""
    bad = fail(n=n)
    return join(parts=[bad, forever(n=n)])


plan = LaunchPlan.get_or_create(with_defaults, name="nesting-plan", default_inputs={"n": 6}, fixed_inputs={"by": 9})
failing_plan = LaunchPlan.get_or_create(fail_at_once, name="nesting-failing")


@workflow
def by_plan() -> str:
    return join(parts=[plan(), plan(n=1)])


@workflow
def by_failing_plan(n: int) -> str:
    return failing_plan(n=n)
