"""Getting the dispatcher of actors to be called: where it is, its keys, the server, and then telling the pools.

All of it runs beside the rest, since any of it may take a while at the first start of an installation: the Service may
come later than the operator, and so may the mount of the keys that another replica has made. Nothing of it happens
before there is an ActorEnvironment: gRPC takes memory that most operators never need.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from windlass_operator.clients import clock
from windlass_operator.clients.certificates import Keys
from windlass_operator.clients.cluster import Cluster
from windlass_operator.dispatch.messages import Hello
from windlass_operator.reconcile import authority, whereabouts
from windlass_operator.reconcile.loop import Reconciler
from windlass_operator.reconcile.pools import Contact
from windlass_operator.reconcile.trust import Claim, Trust
from windlass_operator.reconcile.whereabouts import Peers, Place, WhereaboutsError
from windlass_operator.settings import Settings

PAUSE = 2.0
"""Seconds between two looks for the Service."""

log = logging.getLogger("windlass.dispatcher")


async def serve_workers(cluster: Cluster, settings: Settings, reconciler: Reconciler) -> None:
    """Serve the workers of actors, until this is cancelled.

    Raises:
        OSError: it can't be listened where the settings say.
    """
    if not settings.dispatcher_listen:
        return
    await reconciler.pools.needed.wait()
    from windlass_operator.dispatch.server import NotAdmitted, Server, Tls  # noqa: PLC0415  it loads gRPC, see above

    trust = Trust(cluster, reconciler.pools.find)

    async def admit(token: str, hello: Hello) -> NotAdmitted | None:
        claim = Claim(hello.namespace, hello.pool, hello.revision, hello.pod, hello.pod_uid)
        refused = await trust.admit(token, claim)
        return None if refused is None else NotAdmitted(refused.message, refused.for_good)

    since = clock.now()
    place = await _place(cluster, settings)
    keys = await _keys(cluster, settings, place)
    peers = Peers(cluster, settings.lease_namespace, settings.dispatcher_service, _myself(settings))
    await peers.look()
    reconciler.dispatcher.peers = lambda: peers.known
    reconciler.dispatcher.replica = _myself(settings)
    server = Server(reconciler.dispatcher, admit)
    tls = None if keys is None else Tls(keys.key.encode(), keys.certificate.encode())
    await server.start(settings.dispatcher_listen, tls)
    try:
        log.info("serving workers of actors on %s; they call %s", settings.dispatcher_listen, place.address)
        reconciler.pools.opened(Contact(place.address, "" if keys is None else keys.authority, since))
        await peers.follow()
    finally:
        await server.stop()


def _myself(settings: Settings) -> str:
    """Where workers find this very replica."""
    _, _, port = settings.dispatcher_listen.rpartition(":")
    if settings.pod_ip:
        return f"{whereabouts.in_address(settings.pod_ip)}:{port}"
    return settings.dispatcher_address or settings.dispatcher_listen


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
