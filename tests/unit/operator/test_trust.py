"""Who may call the dispatcher, and how replicas come by its keys."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from windlass_api.protocol import AUDIENCE
from windlass_operator.clients import certificates
from windlass_operator.clients.certificates import Keys
from windlass_operator.clients.cluster import Answer
from windlass_operator.core.workers import Stage, WorkerPod
from windlass_operator.reconcile import authority, trust, whereabouts
from windlass_operator.reconcile.trust import REVIEWS, Claim, Refused, Trust

CLAIM = Claim("team-a", "models", "r1", "models-r1-0", "uid-1")
POD = WorkerPod(name="models-r1-0", uid="uid-1", revision="r1", stage=Stage.RUNNING, created=0.0)


def review(**changes: Any) -> Answer:
    extra = {trust.POD_NAME: ["models-r1-0"], trust.POD_UID: ["uid-1"]}
    user = {"username": "system:serviceaccount:team-a:default", "extra": extra}
    return Answer(201, {"status": {"authenticated": True, "audiences": [AUDIENCE], "user": user, **changes}})


def admit(answer: Answer, pod: WorkerPod | None = POD, claim: Claim = CLAIM, token: str = "t") -> str:
    cluster = FakeCluster()
    cluster.say("POST", REVIEWS, answer)
    verdict = asyncio.run(Trust(cluster, lambda *_: pod).admit(token, claim))
    return verdict.message if isinstance(verdict, Refused) else ""


def test_a_worker_that_is_who_it_says_is_let_in() -> None:
    assert admit(review()) == ""


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "PATIENCE", 0.0)


@pytest.mark.parametrize(
    ("complaint", "answer", "pod", "claim"),
    [
        ("not valid", review(authenticated=False, error="expired"), POD, CLAIM),
        ("not valid", review(audiences=["the API server"]), POD, CLAIM),
        ("not that of a pod", review(user={"username": "system:serviceaccount:team-a:default"}), POD, CLAIM),
        ("not that of a pod", review(user={"username": "jane", "extra": {}}), POD, CLAIM),
        ("is that of pod", review(), POD, CLAIM._replace(namespace="team-b")),
        ("is that of pod", review(), POD, CLAIM._replace(pod_uid="uid-2")),
        ("no pod", review(), None, CLAIM),
        ("of revision", review(), replace(POD, revision="r2"), CLAIM),
        ("has ended", review(), replace(POD, stage=Stage.GOING), CLAIM),
        ("has ended", review(), replace(POD, stage=Stage.FAILED), CLAIM),
        ("did not say", refusal(403, "Forbidden"), POD, CLAIM),
    ],
)
def test_whoever_is_not_is_refused_and_told_why(
    complaint: str, answer: Answer, pod: WorkerPod | None, claim: Claim
) -> None:
    assert complaint in admit(answer, pod, claim)


def test_without_a_token_nobody_is_asked() -> None:
    assert "no token" in admit(review(), token="")


def test_the_api_server_is_asked_once_a_minute_about_a_token_and_again_about_one_it_did_not_vouch_for() -> None:
    async def scenario() -> tuple[int, int]:
        cluster = FakeCluster()
        checks = Trust(cluster, lambda *_: POD)
        cluster.say("POST", REVIEWS, review(), review(authenticated=False), review(authenticated=False))
        for _ in range(3):
            assert await checks.admit("good", CLAIM) is None
        good = len(cluster.requests)
        for _ in range(2):
            assert await checks.admit("bad", CLAIM) is not None
        return good, len(cluster.requests) - good

    assert asyncio.run(scenario()) == (1, 2)


def test_a_token_is_sent_with_the_audience_that_it_has_to_have() -> None:
    async def scenario() -> Any:
        cluster = FakeCluster()
        cluster.say("POST", REVIEWS, review())
        await Trust(cluster, lambda *_: POD).admit("t", CLAIM)
        return cluster.bodies[0]["spec"]

    assert asyncio.run(scenario()) == {"token": "t", "audiences": [AUDIENCE]}


# ---- keys -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys() -> Keys:
    return certificates.make(["windlass-dispatcher", "op.ns.svc"], ["10.0.0.1", "fd00::1"])


def test_new_keys_prove_a_server_by_its_names_and_addresses_to_who_trusts_their_authority(
    keys: Keys, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(keys.key)
    (tmp_path / "crt").write_text(keys.certificate)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    for name in ("windlass-dispatcher", "op.ns.svc", "10.0.0.1", "fd00::1"):
        _shake_hands(server, ssl.create_default_context(cadata=keys.authority), name)
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(server, ssl.create_default_context(cadata=keys.authority), "someone-else")
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(server, ssl.create_default_context(), "windlass-dispatcher")


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A TLS handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)


def obtain(cluster: FakeCluster, mounted: Path) -> Keys:
    job = authority.obtain(cluster, "windlass-system", "keys", mounted, ["windlass-dispatcher"], [])
    return asyncio.run(asyncio.wait_for(job, 20))


def test_keys_that_are_mounted_are_used_and_nothing_is_asked_of_the_api_server(keys: Keys, tmp_path: Path) -> None:
    _mount(tmp_path, keys)
    cluster = FakeCluster()
    assert obtain(cluster, tmp_path) == keys
    assert cluster.requests == []


def test_the_first_replica_makes_the_secret_and_uses_what_is_in_it(tmp_path: Path) -> None:
    cluster = FakeCluster()
    found = obtain(cluster, tmp_path)
    (body,) = cluster.bodies
    assert body["stringData"] == {"tls.key": found.key, "tls.crt": found.certificate, "ca.crt": found.authority}
    assert (body["metadata"]["name"], body["immutable"]) == ("keys", True)
    assert cluster.requests == [("POST", "/api/v1/namespaces/windlass-system/secrets")]


def test_a_replica_that_comes_second_waits_for_the_mount(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authority, "LOOK_AGAIN", 0.0)
    cluster = FakeCluster()

    def first() -> Answer:
        _mount(tmp_path, keys)
        return refusal(409, "AlreadyExists")

    cluster.say("POST", "/api/v1/namespaces/windlass-system/secrets", refusal(403, "Forbidden"), first)
    assert obtain(cluster, tmp_path) == keys


def test_keys_are_never_shown(keys: Keys) -> None:
    assert "PRIVATE" not in repr(keys)


def _mount(folder: Path, keys: Keys) -> None:
    parts = {"tls.key": keys.key, "tls.crt": keys.certificate, "ca.crt": keys.authority}
    for name, text in parts.items():
        (folder / name).write_text(text)


# ---- where ----------------------------------------------------------------------------------------------------------


def service(**spec: Any) -> Answer:
    return Answer(200, {"spec": {"ports": [{"name": "dispatcher", "port": 7433}], **spec}})


def find(answer: Answer) -> whereabouts.Place:
    cluster = FakeCluster()
    cluster.say("GET", "/api/v1/namespaces/sys/services/op", answer)
    return asyncio.run(whereabouts.find(cluster, "sys", "op"))


def test_workers_call_the_address_of_the_service_or_its_name_where_it_has_none() -> None:
    found = find(service(clusterIP="10.0.0.1", clusterIPs=["10.0.0.1", "fd00::1"]))
    assert (found.address, found.addresses) == ("10.0.0.1:7433", ("10.0.0.1", "fd00::1"))
    assert {"windlass-dispatcher", "op.sys.svc"} <= set(found.hosts)
    assert find(service(clusterIP="None")).address == "op.sys.svc:7433"
    assert find(service(clusterIP="fd00::1")).address == "[fd00::1]:7433"


def test_a_service_without_our_port_is_told_of() -> None:
    with pytest.raises(whereabouts.WhereaboutsError, match="no port that is called dispatcher"):
        find(service(ports=[{"name": "http", "port": 80}]))


def test_peers_are_the_ready_endpoints_of_our_port() -> None:
    ready = {"addresses": ["10.1.0.5"], "conditions": {"ready": True}}
    going = {"addresses": ["10.1.0.6"], "conditions": {"ready": False}}
    ports = [{"name": "http", "port": 8080}, {"name": "dispatcher", "port": 7433}]
    assert list(whereabouts.endpoints([{"endpoints": [ready, going], "ports": ports}, {"endpoints": None}])) == [
        "10.1.0.5:7433"
    ]
