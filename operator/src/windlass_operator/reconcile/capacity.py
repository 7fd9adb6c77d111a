"""The slots for pods: who has some, who waits for some, and whom to wake when some become free.

::

    pass:   room(key) ──► plan, apply ──► wants(key, what it lacked) ──► freed() ──► wake these
    watch:  observe(key, pod, unfinished) ──────────────────────────────► freed() ──► wake these

``room`` sets aside what it grants, so that passes that run at the same time don't start into the same slots; ``wants``
ends that. With no limits set, nothing is counted and all of this costs nothing.

Every replica counts the pods of all, but knows only who waits in its own shards, and not what another starts at the
same moment: with several replicas a limit may be exceeded by that.
"""

from __future__ import annotations

from collections import Counter

from windlass_operator.core.sharing import Key, Limits, grant


class Capacity:
    """See the module."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._pods: dict[Key, set[str]] = {}
        """Unfinished pods, by name."""
        self._active: Counter[str] = Counter()
        """How many there are in each namespace."""
        self._waiting: dict[Key, int] = {}
        """In the order of waiting."""
        self._granted: dict[Key, int] = {}
        """Whose pass is under way, and what it was told."""
        self._reserved: Counter[Key] = Counter()
        """What is left of that."""
        self._declined: set[Key] = set()
        """Those that left room unused and want more all the same: something else keeps them."""

    @property
    def waiting(self) -> int:
        """How many pods would be started if they could."""
        return sum(self._waiting.values())

    def observe(self, key: Key, pod: str, unfinished: bool) -> None:
        """A pod of an Execution as it is now. Telling the same twice is telling it once."""
        if not self._limits.any:
            return
        pods = self._pods.setdefault(key, set())
        if unfinished and pod not in pods:
            pods.add(pod)
            self._active[key[0]] += 1
            if self._reserved[key] > 0:
                self._reserved[key] -= 1
        elif not unfinished and pod in pods:
            pods.discard(pod)
            self._active[key[0]] -= 1
            self._declined.clear()
        if not pods:
            del self._pods[key]

    def room(self, key: Key) -> int | None:
        """How many further pods an Execution may start now, or None when there is no limit. They are set aside until
        ``wants``.
        """
        if not self._limits.any:
            return None
        self._reserved.pop(key, None)
        unknown = max(self._limits.total, self._limits.per_namespace)
        granted = self._grant({**self._asking(), key: self._waiting.get(key, unknown)}).get(key, 0)
        self._granted[key] = self._reserved[key] = granted
        return granted

    def wants(self, key: Key, wanted: int) -> None:
        """What an Execution would have started besides, with more room. 0 clears it; ``room`` is over."""
        if not self._limits.any:
            return
        before, unused = self._waiting.get(key), self._reserved.pop(key, 0)
        if self._granted.pop(key, 0) or not wanted:
            self._waiting.pop(key, None)  # it had its turn
        if wanted:
            self._waiting[key] = wanted
        if unused and wanted:
            self._declined.add(key)
        elif before != wanted:
            self._declined.discard(key)

    def forget(self, key: Key) -> None:
        """An Execution is over or gone, or another replica's: it waits for nothing here."""
        self._waiting.pop(key, None)
        self._granted.pop(key, None)
        self._reserved.pop(key, None)
        self._declined.discard(key)

    def freed(self) -> tuple[Key, ...]:
        """Who could start something now, in fair order."""
        return tuple(self._grant(self._asking())) if self._waiting else ()

    def _asking(self) -> dict[Key, int]:
        """Those who wait for nothing but room: for others it isn't kept."""
        return {key: wanted for key, wanted in self._waiting.items() if key not in self._declined}

    def _grant(self, waiting: dict[Key, int]) -> dict[Key, int]:
        active = Counter(self._active)
        for (namespace, _), number in self._reserved.items():
            active[namespace] += number
        return grant(active, waiting, self._limits)
