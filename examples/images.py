"""Images: what a task's container needs, said beside the task.

    windlass build examples/images.py                   # builds and pushes what is not there yet
    windlass render examples/images.py -o -             # needs no builder: the tag is a digest of what is in the image

`is_container` is true where the module runs inside that image, and here: a library that only the image has can be
imported under it.
"""

from windlass import ImageSpec, task, workflow

numbers = ImageSpec(
    name="numbers",
    registry="registry.example.com/team",
    base_image="python:3.12-slim",
    packages=["rich==14.1.0"],
    apt_packages=["ca-certificates"],
    env={"LEVEL": "info"},
)
with_tests = numbers.with_packages(["pytest==8.4.2"]).with_commands(["python3 -c 'import pytest, rich'"])


@task(container_image=numbers)
def mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


@task(container_image=with_tests)
def show(value: float) -> str:
    return f"{value:.2f}"


@workflow
def average(numbers: list[float] = [1.0, 2.0, 4.5]) -> str:  # noqa: B006
    return show(value=mean(numbers=numbers))
