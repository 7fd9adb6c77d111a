"""The protocol of a kind of task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from windlass_operator.kinds.evidence import Evidence, Failure
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.pod import PodAsk


class Kind(Protocol):
    """One kind of task: pure functions from specs to children, and from children to evidence."""

    @property
    def field(self) -> str:
        """The runner's field in a Task's spec, e.g. ``python``."""

    def desired(self, ask: PodAsk) -> Manifest | Failure:
        """The child that runs one attempt, or why no child could."""

    def evidence(self, child: Mapping[str, Any]) -> Evidence:
        """What the child, as the API server has it, says about its attempt."""
