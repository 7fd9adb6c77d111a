"""Whole histories of the operator, by the ten thousand: its own code, in a world that follows from a seed.

Read in this order: ``timeline`` (time that costs nothing), ``features`` and ``scenarios`` (what happens), ``fates``
(what tasks do), ``world``, ``kubelet``, ``workers`` and ``people`` (whom the operator deals with), ``faults`` (what
goes wrong between it and them), ``replicas`` (that it may be two), ``promises`` and ``calls`` (what holds all the
same), ``oracle`` (what has to come of a run), ``history`` (one seed), ``run`` (many), ``known`` (bugs that are still
there), ``mutants`` (bugs that are planted).

Of the operator it uses the ``Reconciler``'s constructor, its queue's workers and its events, its ``Dispatcher``'s
streams, the ``Handover`` of shards, and ``core.unsupported``.
"""
