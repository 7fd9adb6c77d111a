"""Logs of a run: what its pods are told of where to keep them, and what its status says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_api import logs
from windlass_operator.manifests.store import Run, run_folder
from windlass_operator.settings import Settings


def in_order(settings: Settings, run: Run, node: str, attempt: int, element: int | None) -> Mapping[str, Any] | None:
    """What the order of an attempt says of its log; None where it isn't kept."""
    folder = _folder(settings, run)
    if not folder:
        return None
    return {"uri": logs.address(folder, node, attempt, element), "limit": settings.logs.limit}


def in_status(settings: Settings, run: Run) -> Mapping[str, Any]:
    """What the status says of logs, once: the same for all pods, so it does not grow with them."""
    known = {"namespace": run.namespace, "execution": run.execution, "uid": run.uid}
    links = [{"name": link.name, "url": logs.filled(link.template, known)} for link in settings.logs.links]
    folder = _folder(settings, run)
    return {**({"folder": folder} if folder else {}), **({"links": links} if links else {})}


def _folder(settings: Settings, run: Run) -> str:
    folder = run_folder(settings.store, run) if settings.logs.capture else ""
    return f"{folder}/{logs.FOLDER}" if folder else ""
