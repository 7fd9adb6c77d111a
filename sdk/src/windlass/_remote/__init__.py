"""Running things in a cluster from a terminal: `windlass run --remote`.

    client.py      the connection: whose cluster, with which credentials; requests, watches, and errors in words
    objects.py     definitions applied by server-side apply, executions created and cancelled
    following.py   one Execution, watched until it ends, whatever the connection does
    tree.py        its status as text (pure)
    explaining.py  what each of its nodes waits for, and where results came from, in words (pure)
    large.py       values that its status has no room for
    run.py         all of it in order, with an exit code

Only `client` knows the `kubernetes` package (the extra `windlass[remote]`), and loads it when a connection is made.
"""

from windlass._remote.client import Cluster, RemoteError, connect
from windlass._remote.objects import apply, cancel
from windlass._remote.run import run_remote

__all__ = ["Cluster", "RemoteError", "apply", "cancel", "connect", "run_remote"]
