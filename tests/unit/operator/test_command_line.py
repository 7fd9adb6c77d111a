"""The operator's command line: what it says when it can't start, and when a file can't be planned.

Whole worlds and their plans are in tests/golden/plan.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from windlass_api import names
from windlass_operator.cli import main, run
from windlass_operator.clients.cluster import Answer
from windlass_operator.handlers import KINDS
from windlass_operator.settings import LogLink, LogSettings, RuntimeDelivery, Settings, StoreSettings


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "required: COMMAND"),
        (["walk"], "invalid choice: 'walk'"),
        (["run", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["run", "--runtime-delivery", "pigeon"], "invalid choice: 'pigeon'"),
        (["run", "--system-retries", "few"], "invalid int value: 'few'"),
        (["run", "--max-pods", "-1"], "'-1' is not 0 or more"),
        (["run", "--shards", "0"], "'0' is not 1 or more"),
        (["run", "--lease-duration", "0.5"], "'0.5' is not 1 or more"),
        (["run", "--ttl-after-finished", "1h"], "'1h' is no number of this kind"),
        (["run", "--oom-factor", "nan"], "'nan' is not 1 or more"),
        (["run", "--max-parallel-calls", "0"], "'0' is not 1 or more"),
        (["run", "--call-outputs-limit", "100"], "'100' is not 4096 or more"),
        (["run", "--call-inputs-limit", "100000000"], "'100000000' is more than 33554432, what workers' streams take"),
        (["run", "--namespace-weight", "team"], "'team' isn't NAMESPACE=WEIGHT"),
        (["run", "--namespace-weight", "team=0"], "'team=0' isn't NAMESPACE=WEIGHT"),
        (["run", "--interruptible-node-selector", "{"], "'{' is no JSON: "),
        (["run", "--interruptible-node-selector", '{"a": 1}'], "is no JSON object of texts"),
        (["run", "--store-volume", "[]"], "'[]' is no JSON object"),
        (["run", "--store-mount", "data"], "'data' is no absolute path"),
        (["run", "--log-limit", "10"], "'10' is no number of bytes, 1024 or more"),
        (["run", "--log-link", "https://x"], "is no NAME=URL"),
        (["run", "--log-link", "a=ftp://x"], "it is no URL that begins with https"),
        (["run", "--log-link", "a=https://x/{pdo}"], "{pdo} is no placeholder; there are {namespace}, "),
        (["run", "--interruptible-tolerations", "{}"], "'{}' is no JSON list of objects"),
        (["run", "--identity", "Me!"], "'Me!' can't be a part of a Lease's name"),
        (["run", "--listen", "8080"], "'8080' isn't HOST:PORT"),
        (["run", "--listen", "localhost:99999"], "'localhost:99999' isn't HOST:PORT"),
        (["plan"], "required: -f/--file"),
        (["plan", "-f", "w.yaml", "--now", "soon"], "invalid parse value: 'soon'"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.fixture
def no_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of the test run stays as it is."""
    monkeypatch.setattr(run, "configure", lambda *_: None)


def test_without_a_cluster_it_says_how_to_name_one(
    no_logging: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert main(["run"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("windlass-operator: no API server is configured (")
    assert error.endswith("run in a cluster, or set KUBECONFIG\n")


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run.register(parser.add_subparsers())
    return parser.parse_args(["run", *arguments])


THERE = Answer(200, {})


def settings(
    *arguments: str, workflows: Answer = THERE, version: Answer = THERE, cluster: FakeCluster | None = None
) -> Settings:
    cluster = cluster or FakeCluster()
    for namespace in ("", "/namespaces/a", "/namespaces/b"):
        for plural in map(names.plural, KINDS):
            answer = workflows if plural == "workflows" else THERE
            cluster.say("GET", f"/apis/windlass.dev/v1alpha1{namespace}/{plural}", answer)
    cluster.say("GET", "/version", version)
    return asyncio.run(run._settings(parsed(*arguments), cluster))  # type: ignore[arg-type]  # it asks for no more than the port


def of_version(major: str, minor: str) -> Answer:
    return Answer(200, {"major": major, "minor": minor})


@pytest.mark.parametrize(
    ("workflows", "version", "says"),
    [
        (refusal(404), THERE,
         "the API server has no workflows.windlass.dev; apply crds/*.yaml or install the chart first"),
        (refusal(403, message="forbidden: user x"), THERE, "workflows.windlass.dev can't be read: forbidden: user x"),
        (refusal(0, message="no answer"), THERE, "workflows.windlass.dev can't be read: no answer"),
        (THERE, refusal(500, message="oops"), "the API server doesn't tell its version: oops"),
    ],
    ids=["no CRDs", "no access", "no answer", "no version"],
)  # fmt: skip
def test_it_does_not_start_on_an_api_server_that_it_cannot_use(workflows: Answer, version: Answer, says: str) -> None:
    with pytest.raises(run.StartError) as refused:
        settings(workflows=workflows, version=version)
    assert str(refused.value) == says


def test_it_looks_only_where_it_will_work() -> None:
    cluster = FakeCluster()
    settings("--namespace", "a", "--namespace", "b", "--runtime-delivery", "none", cluster=cluster)
    assert len(cluster.requests) == 2 * len(KINDS)
    assert all("/namespaces/a/" in path or "/namespaces/b/" in path for _, path in cluster.requests)


@pytest.mark.parametrize(
    ("version", "delivery"),
    [
        (of_version("1", "34"), RuntimeDelivery.INIT_CONTAINER),
        (of_version("1", "35"), RuntimeDelivery.IMAGE_VOLUME),
        (of_version("1", "35+"), RuntimeDelivery.IMAGE_VOLUME),
        (of_version("1", "9"), RuntimeDelivery.INIT_CONTAINER),
        (of_version("2", "0"), RuntimeDelivery.IMAGE_VOLUME),
    ],
)
def test_the_runtime_is_delivered_as_the_version_of_kubernetes_allows(
    version: Answer, delivery: RuntimeDelivery
) -> None:
    assert settings(version=version).runtime_delivery is delivery


@pytest.mark.parametrize("delivery", list(RuntimeDelivery))
def test_whoever_says_how_the_runtime_is_delivered_is_not_asked_again(delivery: RuntimeDelivery) -> None:
    assert settings("--runtime-delivery", delivery.value).runtime_delivery is delivery


def test_flags_are_the_settings_and_their_defaults_are_those_of_the_settings() -> None:
    version = of_version("1", "35")
    assert settings(version=version) == Settings()
    flags = ["--default-image", "a", "--runtime-image", "b", "--operator-image", "c", "--image-pull-policy", "Never"]
    flags += ["--image-pull-grace", "5", "--system-retries", "0", "--max-parallel-pods", "7"]
    assert settings(*flags, version=version) == Settings(
        default_image="a",
        runtime_image="b",
        operator_image="c",
        image_pull_policy="Never",
        image_pull_grace=5.0,
        system_retries=0,
        max_parallel_pods=7,
    )
    flags = ["--max-pods", "9", "--max-pods-per-namespace", "3", "--namespace-weight", "a=2", "--namespace-weight=b=.5"]
    flags += ["--oom-factor", "1.5", "--max-depth", "3", "--ttl-after-finished", "60", "--cache-ttl", "120"]
    flags += ["--outputs-grace", "90", "--max-parallel-calls", "11"]
    flags += ["--call-inputs-limit", "5000", "--call-outputs-limit", "6000"]
    flags += ["--interruptible-node-selector", '{"pool": "spot"}']
    flags += ["--interruptible-tolerations", '[{"key": "spot", "operator": "Exists"}]']
    flags += ["--store-prefix", "file:///data/{namespace}", "--store-endpoint", "http://s3", "--store-region", "eu"]
    flags += ["--capture-logs", "--log-limit", "2048", "--log-link", "Loki=https://x/?q=a=b&p={pod}"]
    flags += ["--store-path-style", "--store-secret", "keys", "--store-env", '{"A": "b"}', "--store-mount", "/data/"]
    flags += ["--store-volume", '{"nfs": {"server": "s"}}', "--store-service-account", "runner"]
    flags += ["--shards", "4", "--lease-duration", "3", "--lease-namespace", "sys", "--identity", "op-1"]
    assert settings(*flags, version=version) == Settings(
        max_pods=9,
        max_pods_per_namespace=3,
        namespace_weights={"a": 2.0, "b": 0.5},
        oom_factor=1.5,
        max_depth=3,
        ttl_after_finished=60.0,
        cache_ttl=120.0,
        outputs_grace=90.0,
        max_parallel_calls=11,
        call_inputs_limit=5000,
        call_outputs_limit=6000,
        store=StoreSettings(
            prefix="file:///data/{namespace}",
            endpoint="http://s3",
            region="eu",
            path_style=True,
            secret="keys",
            env={"A": "b"},
            volume={"nfs": {"server": "s"}},
            mount="/data",
            service_account="runner",
        ),
        logs=LogSettings(capture=True, limit=2048, links=(LogLink("Loki", "https://x/?q=a=b&p={pod}"),)),
        interruptible_node_selector={"pool": "spot"},
        interruptible_tolerations=({"key": "spot", "operator": "Exists"},),
        shards=4,
        lease_duration=3.0,
        lease_namespace="sys",
        identity="op-1",
    )


def test_a_store_that_pods_could_not_write_to_is_refused_at_the_start() -> None:
    with pytest.raises(run.StartError, match="--store-prefix: 'file:///data' would be lost with each pod"):
        settings("--store-prefix", "file:///data", version=of_version("1", "35"))


def test_logs_that_have_nowhere_to_go_and_links_that_no_status_takes_are_refused_at_the_start() -> None:
    with pytest.raises(run.StartError, match="--capture-logs needs a store"):
        settings("--capture-logs", version=of_version("1", "35"))
    with pytest.raises(run.StartError, match="there are 9 links, and a status takes 8"):
        settings(*["--log-link", "a=https://x"] * 9, version=of_version("1", "35"))


def test_in_a_pod_it_shares_with_others_by_leases_unless_it_is_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    version = of_version("1", "35")
    monkeypatch.setenv("POD_NAMESPACE", "sys")
    first, second = settings(version=version), settings(version=version)
    assert first.lease_namespace == "sys"
    assert first.identity != second.identity, "a name is made up, another for each process"
    monkeypatch.setenv("POD_NAME", "op-1")
    assert settings(version=version).identity == "op-1"
    alone = settings("--no-leases", version=version)
    assert (alone.lease_namespace, alone.identity) == ("", "")
    assert run._shard_keeper(alone, FakeCluster()) is None
    assert run._shard_keeper(first, FakeCluster()) is not None


EXECUTION = {
    "apiVersion": "windlass.dev/v1alpha1",
    "kind": "Execution",
    "metadata": {"name": "e"},
    "spec": {"workflow": {"name": "wf"}},
}


def changed(**change: Any) -> str:
    return yaml.safe_dump({**EXECUTION, **change})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "line 1, column"),
        ("just text", "object 1 is no Kubernetes object: it has no kind"),
        ("- kind: Task", "object 1 is no Kubernetes object: it has no kind"),
        ("kind: 3", "object 1 is no Kubernetes object: it has no kind"),
        (changed() + "---\nmetadata: {name: e}", "object 2 is no Kubernetes object: it has no kind"),
        ("kind: Pod", "object 1, of kind Pod, has no metadata.name"),
        ("kind: Pod\nmetadata: e", "object 1, of kind Pod, has no metadata.name"),
        ("kind: List\nitems: [{kind: Task}]", "object 1, of kind Task, has no metadata.name"),
        (changed(spec={}), "Execution e: spec.workflow: exactly one target is required"),
        (changed(spec=None), "Execution e: spec: expected a map, got null"),
        (changed(status={"phase": "Dancing"}), "Execution e: status.phase: expected "),
        (changed() + "status: {startedAt: 2026-11-22T19:00:00Z}", "Execution e: status.startedAt: expected a text"),
        (changed(kind="Workflow", spec={"nodes": [{"id": "a"}]}), "spec.nodes[0].task: exactly one kind of node"),
        (b"\xff\xfe\x00".decode("latin-1"), "special characters are not allowed"),
    ],
    ids=[
        "broken YAML", "a text", "a list", "a number as kind", "the second", "no metadata", "metadata of another shape",
        "inside a List", "an empty spec", "no spec", "an unknown phase", "a time without quotes",
        "a node without its task", "binary",
    ],
)  # fmt: skip
def test_a_broken_file_is_told_with_the_place(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = tmp_path / "world.yaml"
    world.write_text(text, encoding="utf-8")
    assert main(["plan", "-f", str(world)]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(f"windlass-operator plan: {world}: ")
    assert says in error


@pytest.mark.parametrize("content", [None, b"\xff\xff"], ids=["no file", "no text"])
def test_a_file_that_cannot_be_read_is_named(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = tmp_path / "world.yaml"
    if content is not None:
        world.write_bytes(content)
    assert main(["plan", "-f", str(world)]) == 2
    assert capsys.readouterr().err.startswith(f"windlass-operator plan: {world}: ")


def test_a_world_without_executions_has_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = tmp_path / "world.yaml"
    world.write_text("---\n---\nkind: ConfigMap\nmetadata: {name: x}\napiVersion: v1\n", encoding="utf-8")
    assert main(["plan", "-f", str(world)]) == 0
    assert capsys.readouterr().out == ""
