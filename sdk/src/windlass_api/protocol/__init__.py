"""What the operator's dispatcher and the workers of actors say to each other: generated from ``proto/``.

gRPC needs nothing generated besides: the one method is ``METHOD``, a stream of ``FromWorker`` for one of ``ToWorker``.
"""

METHOD = "/windlass.v1alpha1.Dispatcher/Work"
AUDIENCE = "windlass-dispatcher"
"""What the ServiceAccount token of a worker is good for, and nothing else."""
SILENT_BEATS = 3
"""Heartbeats without a word after which either side takes the other for gone."""
