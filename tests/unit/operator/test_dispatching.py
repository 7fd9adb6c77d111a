"""The door to the dispatcher: a real server with real keys, called by gRPC, and an API server in memory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.unit.operator.fake_cluster import FakeCluster
from tests.unit.operator.test_trust import review
from tests.unit.operator.things import definition
from windlass_api import names
from windlass_api.protocol import METHOD, dispatcher_pb2 as pb
from windlass_operator.cli.dispatching import serve_workers
from windlass_operator.clients import certificates
from windlass_operator.clients.cluster import Answer
from windlass_operator.manifests.worker_pod import SERVER_NAME
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.loop import Reconciler
from windlass_operator.reconcile.trust import REVIEWS
from windlass_operator.settings import Settings
from windlass_operator.telemetry import Telemetry

SERVICE = {"spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "dispatcher", "port": 7433}]}}
HELLO = pb.FromWorker(
    hello=pb.Hello(namespace="ns", pool="models", revision="r1", pod="models-r1-0", pod_uid="uid-1", slots=1)
)
POD = {
    "metadata": {
        "name": "models-r1-0",
        "namespace": "ns",
        "uid": "uid-1",
        "resourceVersion": "5",
        "labels": {names.LABEL_POOL: "models", names.LABEL_POOL_REVISION: "r1"},
        "ownerReferences": [{"kind": "ActorEnvironment", "name": "models", "uid": "d1"}],
    },
    "status": {
        "phase": "Running",
        "containerStatuses": [{"name": "main", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}],
    },
}


class Door:
    """An operator whose dispatcher is served on this machine."""

    def __init__(self, keys: Path) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{found.getsockname()[1]}"
        self.cluster = FakeCluster()
        self.cluster.say("GET", "/api/v1/namespaces/sys/services/op", Answer(200, SERVICE))
        self.cluster.say("GET", "/apis/discovery.k8s.io/v1/namespaces/sys/endpointslices", Answer(200, {"items": []}))
        self.settings = Settings(
            lease_namespace="sys",
            dispatcher_listen=self.address,
            dispatcher_service="op",
            dispatcher_secret="keys",
            dispatcher_keys=str(keys),
            pod_ip="10.1.0.5",
        )
        telemetry = Telemetry(lambda *_: None, lambda: 0.0, lambda: 0.0)
        self.reconciler = Reconciler(self.cluster, self.settings, telemetry)

    async def open(self) -> asyncio.Task[None]:
        """An ActorEnvironment comes, and is looked at."""
        serving = asyncio.create_task(serve_workers(self.cluster, self.settings, self.reconciler))
        await asyncio.sleep(0)
        assert self.cluster.requests == [], "nobody needs it yet"
        body = self.cluster.put(
            paths.all_of_ours("ActorEnvironment", "ns"), definition("ActorEnvironment", "models", {})
        )
        self.reconciler.definition_event("ActorEnvironment", "ADDED", body)
        await self.reconciler.pools.reconcile("ns", "models")
        while not self.reconciler.pools.contact.address:
            assert not serving.done(), serving.result()
            await asyncio.sleep(0.01)
        return serving

    async def call(self, token: str, authority: str) -> pb.ToWorker:
        """What a worker hears first. It says what it has, and is known then."""
        trust = grpc.ssl_channel_credentials(authority.encode())
        options = (("grpc.ssl_target_name_override", SERVER_NAME),)
        async with grpc.aio.secure_channel(self.address, trust, options) as channel:
            method: Any = channel.stream_stream(METHOD, pb.FromWorker.SerializeToString, pb.ToWorker.FromString)
            stream = method(metadata=(("authorization", f"Bearer {token}"),))
            await stream.write(HELLO)
            heard: pb.ToWorker = await stream.read()
            assert (await stream.read()).HasField("ask")
            await stream.write(pb.FromWorker(inventory=pb.Inventory()))
            while not self.reconciler.dispatcher.workers("ns", "models"):
                await asyncio.sleep(0.01)
            return heard


def play(door: Door, scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        serving = await door.open()
        try:
            await scenario()
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(asyncio.wait_for(whole(), 30))


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def test_a_worker_is_welcomed_by_the_keys_that_its_pod_was_told_of(door: Door) -> None:
    async def scenario() -> None:
        door.reconciler.pools.pod_event("ADDED", POD)
        door.cluster.say("POST", REVIEWS, in_namespace("ns"))
        contact = door.reconciler.pools.contact
        assert contact.address == "10.0.0.1:7433"
        heard = await door.call("t", contact.authority)
        assert heard.welcome.heartbeat_seconds == door.settings.dispatcher_heartbeat
        assert heard.welcome.replica == f"10.1.0.5:{door.address.rpartition(':')[2]}"
        assert [view.pod_uid for view in door.reconciler.dispatcher.workers("ns", "models")] == ["uid-1"]

    play(door, scenario)


def test_a_worker_that_nobody_knows_is_turned_away(door: Door) -> None:
    async def scenario() -> None:
        door.reconciler.pools.pod_event("ADDED", POD)
        door.cluster.say("POST", REVIEWS, in_namespace("elsewhere"))
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await door.call("t", door.reconciler.pools.contact.authority)
        assert told.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "is that of pod elsewhere/models-r1-0" in (told.value.details() or "")
        assert list(door.reconciler.dispatcher.workers("ns", "models")) == []

    play(door, scenario)


def test_whoever_trusts_another_authority_says_nothing_to_us(door: Door) -> None:
    async def scenario() -> None:
        other = certificates.make([SERVER_NAME], [])
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await door.call("secret", other.authority)
        assert told.value.code() is grpc.StatusCode.UNAVAILABLE
        assert ("POST", REVIEWS) not in door.cluster.requests

    play(door, scenario)


def in_namespace(namespace: str) -> Answer:
    found = review()
    found.body["status"]["user"]["username"] = f"system:serviceaccount:{namespace}:default"
    return found
