"""Mutual exclusion between processes that the kernel undoes when a holder dies."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster.errors import LocalClusterError


@contextmanager
def file_lock(path: Path, waiting_for: str = "", *, remove: bool = False) -> Iterator[None]:
    """Hold ``path`` locked. With ``remove`` the file is gone afterwards, and waiters notice that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(path, waiting_for)
    try:
        yield
    finally:
        if remove:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path, waiting_for: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting_for:
                print(f"windlass: waiting for {waiting_for}", file=sys.stderr, flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _still_at(path, descriptor):
            return descriptor
        os.close(descriptor)  # the last holder removed the file: what we locked has no name any more


def _still_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def machine_lock(name: str, timeout: float = 60.0) -> Iterator[None]:
    """Hold a name in this network namespace: for choices, like addresses, that are made once in it.

    An abstract socket needs no file, so it is the same lock for every state folder and leaves nothing.
    """
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        while True:
            try:
                holder.bind(f"\0windlass-{name}")
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise LocalClusterError(
                        f"another process has held the lock on {name} for {timeout:.0f} s"
                    ) from error
                time.sleep(0.02)
        yield
