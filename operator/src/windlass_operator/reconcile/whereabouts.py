"""Where workers find the dispatcher: a Service in front of all replicas, and each replica behind it.

A worker's pod gets the Service's ClusterIP rather than its name: that needs no DNS, nor a guess at the cluster's
domain. Where the Service has none (it is headless) it gets the name. The replicas are told by EndpointSlices; a worker
gets them from the one that it reaches first, and calls each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from windlass_operator.clients.cluster import Cluster
from windlass_operator.manifests.worker_pod import SERVER_NAME
from windlass_operator.reconcile import paths

PORT = "dispatcher"
"""The name of the port, at the Service and behind it."""
LOOK_AGAIN = 5.0
"""Seconds between two looks for other replicas."""


class WhereaboutsError(Exception):
    """Workers can't be told where the dispatcher is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the dispatcher is, and what its certificate has to be for."""

    address: str
    """HOST:PORT, as workers dial it."""
    hosts: tuple[str, ...] = (SERVER_NAME,)
    addresses: tuple[str, ...] = ()


async def find(cluster: Cluster, namespace: str, service: str) -> Place:
    """The Service that is in front of the replicas.

    Raises:
        WhereaboutsError: it can't be read, or has no port of ours.
    """
    answer = await cluster.request("GET", paths.service(namespace, service))
    if not answer.ok:
        raise WhereaboutsError(f"the Service {namespace}/{service} in front of the dispatcher: {answer.message}")
    spec = answer.body["spec"]
    port = next((one["port"] for one in spec.get("ports") or () if one.get("name") == PORT), None)
    if port is None:
        raise WhereaboutsError(f"the Service {namespace}/{service} has no port that is called {PORT}")
    hosts = (SERVER_NAME, service, f"{service}.{namespace}", f"{service}.{namespace}.svc")
    addresses = tuple(one for one in spec.get("clusterIPs") or [spec.get("clusterIP")] if one and one != "None")
    host = in_address(addresses[0]) if addresses else hosts[-1]
    return Place(f"{host}:{port}", hosts, addresses)


class Peers:
    """The replicas of the operator that workers can call."""

    def __init__(self, cluster: Cluster, namespace: str, service: str, alone: str) -> None:
        """``alone`` is the only replica there is, where no Service tells of any."""
        self._cluster, self._namespace, self._service = cluster, namespace, service
        self.known: tuple[str, ...] = (alone,)

    async def follow(self) -> None:
        """Keep ``known`` up to date, for ever. What can't be asked for now stays as it was."""
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            await self.look()

    async def look(self) -> None:
        """Ask once."""
        if not self._service:
            return
        query = {"labelSelector": f"kubernetes.io/service-name={self._service}"}
        answer = await self._cluster.request("GET", paths.endpoint_slices(self._namespace), query=query)
        if answer.ok:
            self.known = tuple(sorted(set(endpoints(answer.body["items"]))))


def endpoints(slices: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """HOST:PORT of each ready replica."""
    for one in slices:
        port = next((port["port"] for port in one.get("ports") or () if port.get("name") == PORT), None)
        for endpoint in one.get("endpoints") or ():
            if port is not None and (endpoint.get("conditions") or {}).get("ready", True):
                yield from (f"{in_address(address)}:{port}" for address in endpoint.get("addresses") or ())


def in_address(host: str) -> str:
    """A host as it stands before a port: an IPv6 address needs brackets."""
    return f"[{host}]" if ":" in host else host
