"""Maps: one task over every element of a list.

    windlass run examples/maps.py survey
    windlass run examples/maps.py survey --urls '["a.example", "b.example"]'

What it shows:

- `map_task` makes a list of every input; what is the same for all is bound with `functools.partial`
- `concurrency` bounds how many run at once in a cluster
- `min_success_ratio`: the map succeeds although elements fail; those are None in the result
"""

from functools import partial

from windlass import map_task, task, workflow


@task
def size_of(url: str, unit: int) -> int:
    if "broken" in url:
        raise ValueError(f"{url} does not answer")
    return len(url) * unit


@task
def square(n: int) -> int:
    return n * n


@task
def total(sizes: list[int | None], squares: list[int]) -> str:
    reached = [size for size in sizes if size is not None]
    return f"{len(reached)} of {len(sizes)} reached, {sum(reached)} bytes; squares add up to {sum(squares)}"


@workflow
def survey(urls: list[str] = ["a.example", "broken.example", "bb.example"], unit: int = 10) -> str:  # noqa: B006
    """Measures what can be reached."""
    sizes = map_task(partial(size_of, unit=unit), concurrency=2, min_success_ratio=0.5)(url=urls)
    squares = map_task(square)(n=[1, 2, 3])
    return total(sizes=sizes, squares=squares)
