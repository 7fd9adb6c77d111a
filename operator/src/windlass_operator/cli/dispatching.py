"""Getting the dispatcher of actors to be called: where it is, its keys, the server, and then telling the pools.

All of it runs beside the rest, since any of it may take a while at the first start of an installation: the Service may
come later than the operator, and so may the mount of the keys that another replica has made.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from windlass_operator.clients import clock
from windlass_operator.clients.certificates import Keys
from windlass_operator.clients.cluster import Cluster
from windlass_operator.reconcile import authority, whereabouts
from windlass_operator.reconcile.pools import Contact
from windlass_operator.reconcile.whereabouts import Peers, Place, WhereaboutsError
from windlass_operator.settings import Settings

PAUSE = 2.0
"""Seconds between two looks for the Service."""

log = logging.getLogger("windlass.dispatcher")

Serve = Callable[[str, Keys | None], Awaitable[None]]
"""Starts to serve at HOST:PORT with these keys (None: without TLS). Returns once it listens."""


def peers_of(cluster: Cluster, settings: Settings) -> Peers:
    """Who else can be called."""
    alone = "" if settings.dispatcher_service else settings.dispatcher_address or settings.dispatcher_listen
    return Peers(cluster, settings.lease_namespace, settings.dispatcher_service, alone)


async def open_door(cluster: Cluster, settings: Settings, serve: Serve, tell: Callable[[Contact], None]) -> None:
    """Serve workers, and tell the pools where: see the module. Returns once both is done."""
    since = clock.now()
    place = await _place(cluster, settings)
    keys = await _keys(cluster, settings, place)
    await serve(settings.dispatcher_listen, keys)
    log.info("serving workers of actors on %s; they call %s", settings.dispatcher_listen, place.address)
    tell(Contact(place.address, keys.authority if keys is not None else "", since))


async def _place(cluster: Cluster, settings: Settings) -> Place:
    if not settings.dispatcher_service:
        return Place(settings.dispatcher_address or settings.dispatcher_listen)
    told = ""
    while True:
        try:
            found = await whereabouts.find(cluster, settings.lease_namespace, settings.dispatcher_service)
        except WhereaboutsError as trouble:  # noqa: PERF203  it is waited for
            if str(trouble) != told:
                told = str(trouble)
                log.warning("actors can't be served yet: %s", told)
            await asyncio.sleep(PAUSE)
        else:
            address = settings.dispatcher_address or found.address
            return Place(address, found.hosts, found.addresses)


async def _keys(cluster: Cluster, settings: Settings, place: Place) -> Keys | None:
    if not settings.dispatcher_secret:
        return None
    return await authority.obtain(
        cluster,
        settings.lease_namespace,
        settings.dispatcher_secret,
        Path(settings.dispatcher_keys),
        place.hosts,
        place.addresses,
    )
