"""Free ports on this machine, for clusters without a node."""

from __future__ import annotations

import random
import socket

from localcluster.errors import LocalClusterError

# Below the range that the kernel hands out by itself, so that no outgoing connection takes one of ours.
_CANDIDATES = range(20_000, 30_000)


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on. Chosen at random: two who choose at once hardly choose the same."""
    chosen: list[int] = []
    for port in random.sample(_CANDIDATES, 1000):
        if len(chosen) == count:
            return chosen
        if _is_free(port):
            chosen.append(port)
    raise LocalClusterError(f"fewer than {count} free ports on 127.0.0.1 among 1000 that were tried")


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
