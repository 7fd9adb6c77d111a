"""``python -m tests.simulator``: play histories, and show what breaks a promise.

::

    python -m tests.simulator --seeds 100000 [--from N] [--jobs 2]
    python -m tests.simulator --replay SEED [--trace]

It plays with the same hash of texts every time (``PYTHONHASHSEED``), for sets of them have an order of their own
otherwise: a seed is then one history, on every machine.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tests.simulator.history import Failure, Simulator
from tests.simulator.known import known

HASH_SEED = "0"
CHUNK = 250
LINES = 40
"""The part of a journal that is shown unasked."""

MANY = 10
"""Failures after which it is not worth going on."""


class Found(NamedTuple):
    """What came of some seeds."""

    failures: list[str]
    known: Counter[int]
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    chosen = _parser().parse_args(arguments)
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        again = [sys.executable, "-m", "tests.simulator", *(sys.argv[1:] if arguments is None else arguments)]
        os.execve(sys.executable, again, {**os.environ, "PYTHONHASHSEED": HASH_SEED})
    if chosen.replay is not None:
        return replay(chosen.replay, chosen.trace)
    return search(chosen.start, chosen.seeds, chosen.jobs)


def replay(seed: int, trace: bool) -> int:
    """One history, to look at."""
    with Simulator.ready() as simulator:
        try:
            world = simulator.play(seed)
        except Failure as failure:
            print(failure.report(None if trace else LINES))
            bug = known(str(failure.trouble))
            print(f"known: {bug.why}" if bug else "not known yet")
            return 1
    print("\n".join(world.trace()) if trace else f"seed {seed} holds all promises")
    return 0


def search(start: int, count: int, jobs: int) -> int:
    """Many histories. 1 when a promise is broken in a way that isn't known."""
    chunks = [(first, min(CHUNK, start + count - first)) for first in range(start, start + count, CHUNK)]
    failures: list[str] = []
    bugs: Counter[int] = Counter()
    seconds = 0.0
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for done, found in enumerate(pool.imap_unordered(play, chunks), 1):
            failures += found.failures
            print("\n\n".join(found.failures), end="\n\n" if found.failures else "", flush=True)
            bugs += found.known
            seconds += found.seconds
            print(f"\r{done * CHUNK} of {count}: {len(failures)} failures", end="", file=sys.stderr, flush=True)
            if len(failures) >= MANY:
                break
    print(file=sys.stderr)
    for seed, times in sorted(bugs.items()):
        print(f"the known bug of seed {seed} showed {times} times")
    print(f"{count} seeds from {start}: {len(failures)} failures; {seconds / count * 1000:.1f} ms of CPU a seed")
    return 1 if failures else 0


def play(chunk: tuple[int, int]) -> Found:
    """Some seeds in a row."""
    start, count = chunk
    failures: list[str] = []
    bugs: Counter[int] = Counter()
    began = time.process_time()
    gc.freeze()  # what is loaded is never garbage
    gc.set_threshold(50_000, 20, 100)  # looking for cycles less often makes a history an eighth faster
    with Simulator.ready() as simulator:
        for seed in range(start, start + count):
            failure = attempt(simulator, seed)
            bug = known(str(failure.trouble)) if failure is not None else None
            if bug is not None:
                bugs[bug.seed] += 1
            elif failure is not None:
                failures.append(failure.report(LINES))
    return Found(failures, bugs, time.process_time() - began)


def attempt(simulator: Simulator, seed: int) -> Failure | None:
    """How the history of a seed fails, if it does."""
    try:
        simulator.play(seed)
    except Failure as failure:
        return failure
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10_000, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--from", dest="start", type=int, default=0, metavar="SEED", help="the first (default: 0)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes (default: one per CPU)"
    )
    parser.add_argument("--replay", type=int, metavar="SEED", help="play this one only")
    parser.add_argument("--trace", action="store_true", help="with --replay: show all that happens")
    return parser
