"""Eager workflows: ordinary `async` Python that awaits tasks.

    windlass run examples/eager.py best --start 3

Loops, exceptions and `asyncio.gather` mean what they mean in Python. Runs here; in a cluster, use `@dynamic`.
"""

import asyncio

from windlass import eager, task


@task
async def score(n: int) -> int:
    await asyncio.sleep(0)
    return n * (10 - n)


@eager
async def best(start: int = 0) -> int:
    """Walks uphill until it goes down again."""
    here = await score(n=start)
    while True:
        left, right = await asyncio.gather(score(n=start - 1), score(n=start + 1))
        if max(left, right) <= here:
            return start
        start, here = (start - 1, left) if left > right else (start + 1, right)
