"""What a hop through a warm worker costs: the supervisor and its process alone, over gRPC, without an operator.

    python benchmarks/worker.py [--calls 2000]

Two rows, in milliseconds from handing out a call to hearing its result: one call after the other, as in a chain; and
calls per second of one worker where the next is handed out at the very result of the last, as in a map. The function
does nothing. Dispatcher and worker share the machine, so the figures hold both sides of gRPC.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.dispatcher import Dispatcher, order, worker

JOB = """
from windlass import task

@task
def nothing(x: int) -> int:
    return x
"""


async def measure(calls: int) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        async with Dispatcher().listening() as dispatcher:
            code = dispatcher.add({"job.py": JOB})
            async with worker(Path(folder) / "worker", dispatcher.address):
                await dispatcher.until(lambda: dispatcher.connections)
                began = time.perf_counter()
                await _call(dispatcher, "first", code)
                first = time.perf_counter() - began
                times = [await _call(dispatcher, f"c{number}", code) for number in range(calls)]
    cuts = statistics.quantiles(times, n=100)
    print(f"first call, with its code and a new process   {first * 1000:8.1f} ms")
    print(f"hop, p50                                      {cuts[49] * 1000:8.2f} ms")
    print(f"hop, p99                                      {cuts[98] * 1000:8.2f} ms")
    print(f"calls per second of one worker                {calls / sum(times):8.0f}")


async def _call(dispatcher: Dispatcher, call: str, code: str) -> float:
    """Seconds of one call."""
    dispatcher.heard.clear()
    began = time.perf_counter()
    dispatcher.run(call, order("job:nothing", {"x": 1}), code)
    await dispatcher.result(call)
    return time.perf_counter() - began


def main() -> int:
    """Measures and prints; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=2000)
    asyncio.run(measure(parser.parse_args().calls))
    return 0


if __name__ == "__main__":
    sys.exit(main())
