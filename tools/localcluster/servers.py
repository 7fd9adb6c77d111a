"""Servers of tests on this machine: started, waited for, and gone at the end of a `with`."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from localcluster.errors import LocalClusterError

_SECONDS = 20.0


@contextmanager
def serving(what: str, command: Sequence[str], environment: Mapping[str, str], log: Path, url: str) -> Iterator[None]:
    """Run a server until the `with` ends; inside, its URL answers.

    Raises LocalClusterError, with the end of its log, where it does not start.
    """
    with log.open("wb") as written:
        process = subprocess.Popen(command, env=dict(environment), stdout=written, stderr=written)
    try:
        deadline = time.monotonic() + _SECONDS
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LocalClusterError(f"{what} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment_without(*prefixes: str) -> dict[str, str]:
    """The environment without the variables that the server would take for settings of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def answers(url: str) -> bool:
    """Whether something serves there, whatever it says."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True  # it wants to know who asks
    except OSError:
        return False
