"""A warm worker of an ActorEnvironment: the supervisor of its pod, and the processes that run functions.

                    ┌────────────────────────── the worker's pod ─────────────────────────────┐
    dispatcher ◄────┤► streams ── supervisor ── process ◄── frames ──► inside: the user's code │
    (each replica)  │     gRPC      │   ledger      └ its output ► logs ──► the pod's stdout   │
                    └───────────────┴──────────────────────────────────────────────────────────┘

    settings.py     what the operator has put into the pod's environment
    supervisor.py   the program: takes calls, finds them a process, tells how they ended
    ledger.py       what it knows of calls, and what it answers; pure
    streams.py      the connections to the replicas of the operator, kept up
    bundles.py      code, fetched once and unpacked
    process.py      one process for one bundle of code, as the supervisor sees it
    inside.py       the same from within: calls, one after the other, by the functions of `main.py`
    surroundings.py what a function may change of its process, and the next one finds as it was
    wire.py         the frames between these two
    logs.py         what is printed: by line, with the name of the call; the last of it for who has to know why
    keeping.py      the same, brought to the store, where logs are kept: by a process of its own
    kernel.py       what /proc and cgroups tell: memory, kills for want of it, strays

The supervisor runs none of the user's code, so nothing of that can take a result with it that is held, or the stream.
Only it imports gRPC. What it does, and why: docs/decisions/0040-actors.md and 0042.
"""
