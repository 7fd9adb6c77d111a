"""kopf's part: lifecycle, the watch streams of our own kinds, and knowing when these have told everything once.

Five lines per handler: remember, wake. No create/update/delete handlers and no daemons (they would put annotations and
finalizers on users' objects); kopf's own Events and peering are off; errors never reach kopf. The index handlers exist
because kopf holds all event handlers back until every index is filled: so no pass runs on half of the picture. kopf
calls them first for every event, so what is news to them wakes those whom it concerns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kopf

from windlass_api import names
from windlass_operator.core.plan_definition import DEFINITIONS
from windlass_operator.reconcile.loop import Reconciler

KINDS = (*DEFINITIONS, "Execution", "Signal")
"""What is watched."""


def build_registry(reconciler: Reconciler) -> kopf.OperatorRegistry:
    """The handlers for one reconciler, in a registry of their own."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    for kind in KINDS:
        where = (names.GROUP, names.VERSION, names.plural(kind))
        kopf.on.event(*where, id=f"{kind}-event", registry=registry)(_event_handler(reconciler, kind))
        kopf.index(*where, id=f"{kind}-index", registry=registry)(_index_handler(reconciler, kind))
    return registry


def build_settings() -> kopf.OperatorSettings:
    """kopf, quiet: nothing written, nothing scanned for, streams that can't stall unnoticed."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.server_timeout = 300
    settings.watching.reconnect_backoff = 0.5
    settings.persistence.diffbase_storage = NoDiffs()
    settings.networking.error_backoffs = [0.1, 0.5, 1, 2, 3, 5, 8, 13, 21, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30]
    return settings


class NoDiffs(kopf.DiffBaseStorage):
    """No memory of what an object looked like. kopf keeps one for change handlers, which we have none of, and makes a
    deep copy of every object of every event for it: a fifth of the operator's work for a chain of 30 nodes.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing of an object is remembered."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Nothing was remembered."""
        return None

    def store(self, **_: Any) -> None:
        """Nothing is stored."""


async def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return await kopf.login_via_async_client(**kwargs)


def _index_handler(reconciler: Reconciler, kind: str) -> Any:
    store = reconciler.store

    async def remember(body: Mapping[str, Any], **_: Any) -> None:
        match kind:
            case "Execution":
                reconciler.news(store.remember_child(dict(body)))
            case "Signal":
                reconciler.news(store.remember_signal(dict(body)))
            case _:
                store.remember_definition(kind, dict(body))

    return remember


def _event_handler(reconciler: Reconciler, kind: str) -> Any:
    def definition(event: Mapping[str, Any], **_: Any) -> None:
        reconciler.definition_event(kind, event["type"], event["object"])

    def execution(event: Mapping[str, Any], **_: Any) -> None:
        reconciler.execution_event(event["type"], event["object"])

    def signal(event: Mapping[str, Any], **_: Any) -> None:
        reconciler.signal_event(event["type"], event["object"])

    chosen = {"Execution": execution, "Signal": signal}.get(kind, definition)

    async def handle(event: Mapping[str, Any], **_: Any) -> None:
        chosen(event)

    return handle
