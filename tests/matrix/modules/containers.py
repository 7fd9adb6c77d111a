"""Container tasks: what the engine does with any task, it does with these."""

from __future__ import annotations

from typing import Any

from windlass import Cache, ContainerTask, kwtypes, map_task, workflow


def shell(name: str, script: str, **options: Any) -> ContainerTask:
    """A script in an image with a shell."""
    return ContainerTask(name=name, image="bash:5.3", command=["bash", "-c", script], **options)


square = shell(
    "square",
    "[ {{.inputs.n}} -lt 9 ] || exit 4; echo $(({{.inputs.n}} * {{.inputs.n}})) > /var/outputs/y",
    inputs=kwtypes(n=int),
    outputs=kwtypes(y=int),
)
stubborn = shell(
    "stubborn",
    "echo $FLYTE_ATTEMPT_NUMBER > /var/outputs/y; exit $((FLYTE_ATTEMPT_NUMBER < 1))",
    outputs=kwtypes(y=int),
    retries=1,
)
random = shell("random", "echo $SRANDOM > /var/outputs/y", outputs=kwtypes(y=int), cache=Cache(version="1"))
refusing = shell("refusing", "echo no, thanks > /var/outputs/error; exit 1", retries=2, output_data_dir="/var/outputs")


@workflow
def squares(n: list[int]) -> list[int]:
    return map_task(square)(n=n)


@workflow
def tries() -> int:
    return stubborn()


@workflow
def once() -> int:
    return random()


@workflow
def refused() -> None:
    refusing()
