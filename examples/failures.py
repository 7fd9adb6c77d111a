"""Failures: what is tried again, what is cleaned up, and what happens to the rest.

    windlass run examples/failures.py careful                     # fails, and cleans up after itself
    windlass run examples/failures.py careful --words '["a"]'     # does not

What it shows:

- `FlyteRecoverableException` uses the task's retries, other exceptions end the task; `retry_on` adds some
- `on_failure` runs a task with the workflow's inputs and the error, whatever went wrong
- a failure policy that lets independent tasks finish
"""

from windlass import (
    FlyteError,
    FlyteRecoverableException,
    WorkflowFailurePolicy,
    current_context,
    task,
    workflow,
)


@task(retries=2)
def flaky(word: str) -> str:
    """Works at the second try."""
    if current_context().attempt == 0:
        raise FlyteRecoverableException("not yet")
    return word.upper()


@task(retries=1, retry_on=[TimeoutError])
def strict(words: list[str]) -> int:
    if len(words) > 1:
        raise ValueError(f"{len(words)} words are too many")
    return len(words)


@task
def clean_up(words: list[str], err: FlyteError | None = None) -> None:
    print(f"cleaning up after {words}: {err.message.splitlines()[-1].strip() if err else 'no error'}")


@workflow(on_failure=clean_up, failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def careful(words: list[str] = ["a", "b"]) -> tuple[str, int]:  # noqa: B006
    return flaky(word=words[0]), strict(words=words)
