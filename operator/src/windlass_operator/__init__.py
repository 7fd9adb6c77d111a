"""The operator of Windlass: makes Executions happen.

Rooms, from top to bottom (a room imports only rooms below it; import-linter holds this, docs/architecture.md tells
it):

    cli > handlers > reconcile > clients | telemetry > core > kinds > manifests > settings

One pass over one Execution is ``gather → plan → apply → record → one status write → telemetry``. Everything that
decides (``core``, ``kinds``, ``manifests``) is pure: no clock, no I/O, no logging, no randomness; time arrives as
``now``.
"""

__version__ = "0.1.0"
