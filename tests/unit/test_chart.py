"""The chart: values and schema agree, what it renders is right, and the operator gets no right that it does not use."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.console import ROOT
from localcluster import binaries
from windlass._cli import _parser as windlass_parser
from windlass_api import names
from windlass_operator.cli import run as operator_run
from windlass_operator.handlers import KINDS
from windlass_operator.reconcile import whereabouts
from windlass_operator.settings import LogLink, LogSettings, PodSettings, StoreSettings

STORE = StoreSettings(
    prefix="s3://b/{namespace}",
    endpoint="http://s3:9000",
    region="eu",
    path_style=True,
    secret="keys",
    env={"A": "b"},
    volume={"persistentVolumeClaim": {"claimName": "x"}},
    service_account="runner",
)

CHART, GUIDES = ROOT / "charts" / "windlass", ROOT / "docs" / "guides"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
LOCAL = yaml.safe_load((CHART / "values-local.yaml").read_text())

Object = dict[str, Any]
Render = Callable[..., list[Object]]

needs_helm = [pytest.mark.control_plane, pytest.mark.timeout(900)]  # Helm is built with the API server's program


def paths(values: Object, schema: Object, path: str = "") -> Iterator[str]:
    """Every value's path, as far as the schema names what is below it."""
    for name, value in values.items():
        below = schema.get("properties", {}).get(name, {})
        yield f"{path}{name}"
        if isinstance(value, dict) and "properties" in below:
            yield from paths(value, below, f"{path}{name}.")


def schema_paths(schema: Object, path: str = "") -> Iterator[str]:
    for name, below in schema.get("properties", {}).items():
        yield f"{path}{name}"
        yield from schema_paths(below, f"{path}{name}.")


def test_every_value_is_in_the_schema_and_every_property_has_a_default() -> None:
    in_schema = {path for path in schema_paths(SCHEMA) if not path.startswith("global")}
    assert set(paths(VALUES, SCHEMA)) == {path for path in in_schema if "[]" not in path}


def test_the_values_of_the_local_cluster_are_values_of_the_chart() -> None:
    assert set(paths(LOCAL, SCHEMA)) <= set(paths(VALUES, SCHEMA))


def test_every_value_is_used_by_a_template() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    for path in paths(VALUES, SCHEMA):
        assert re.search(rf"\.Values\.{re.escape(path)}\b", templates), path


def test_the_chart_carries_the_crds_as_they_are() -> None:
    copies, originals = (
        {path.name: path.read_text() for path in folder.glob("*.yaml")}
        for folder in (CHART / "files" / "crds", ROOT / "crds")
    )
    assert copies == originals and originals


def test_the_only_right_in_secrets_is_to_create_one() -> None:
    found = [
        (path.name, verbs)
        for path in sorted((CHART / "templates").glob("*"))
        for resources, verbs in re.findall(r"resources: \[(.*?)\]\s+verbs: \[(.*?)\]", path.read_text())
        if "secret" in resources
    ]
    assert found == [("rbac.yaml", "create")]


# Rendered by Helm


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("helm")
    binaries.link(binaries.ensure_binaries(node=False), folder / "bin")

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "HOME": str(folder), "HELM_CACHE_HOME": str(folder)}
        command = [str(folder / "bin" / "helm"), *arguments]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)

    return call


@pytest.fixture
def render(helm: Callable[..., subprocess.CompletedProcess[str]]) -> Render:
    def call(*options: str) -> list[Object]:
        result = helm("template", "windlass", str(CHART), "--namespace", "windlass-system", *options)
        assert result.returncode == 0, result.stderr
        return [one for one in yaml.safe_load_all(result.stdout) if one]

    return call


def values_in(document: Path) -> list[Object]:
    """The blocks of a document that are values of the chart."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)
    shown = [one for block in blocks for one in yaml.safe_load_all(block)]
    return [one for one in shown if isinstance(one, dict) and one and one.keys() <= VALUES.keys()]


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [one for one in objects if one["kind"] in kinds]


def operator_rules(objects: list[Object]) -> list[Object]:
    roles = [one for one in of_kind(objects, "Role", "ClusterRole") if one["metadata"]["name"] == "windlass-operator"]
    assert roles
    return [rule for role in roles for rule in role["rules"]]


class TestRendered:
    """What the chart makes of its values."""

    pytestmark = needs_helm

    def test_helm_finds_nothing_to_complain_of(self, helm: Callable[..., subprocess.CompletedProcess[str]]) -> None:
        result = helm("lint", "--strict", str(CHART), "--values", str(CHART / "values-local.yaml"))
        assert result.returncode == 0, result.stdout + result.stderr

    @pytest.mark.parametrize(
        ("setting", "complaint"),
        [
            ("imgae.tag=1", "imgae"),
            ("image.tga=1", "tga"),
            ("runtime.delivery=volume", "delivery"),
            ("watchNamespaces={Not A Name}", "watchNamespaces"),
        ],
    )
    def test_a_wrong_value_is_refused_by_name(
        self, setting: str, complaint: str, helm: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        result = helm("template", "windlass", str(CHART), "--set", setting)
        assert result.returncode != 0 and complaint in result.stderr

    def test_the_operator_has_exactly_the_rights_it_uses(self, render: Render) -> None:
        rights = {
            (group, resource): set(rule["verbs"])
            for rule in operator_rules(render())
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }
        reading = {"get", "list", "watch"}
        watched = {names.plural(kind) for kind in KINDS} | {"signals"}
        assert rights == {
            **{("windlass.dev", kind): reading for kind in watched},
            **{("windlass.dev", kind): {*reading, "create", "patch", "delete"} for kind in ("executions", "signals")},
            **{("windlass.dev", f"{kind}/status"): {"patch"} for kind in watched},
            ("windlass.dev", "cacheentries"): {"get", "list", "create", "delete"},
            ("", "pods"): {*reading, "create", "delete"},
            ("", "configmaps"): {"get", "list", "create", "patch", "delete"},
            ("coordination.k8s.io", "leases"): {*reading, "create", "update", "patch", "delete"},
            ("apps", "controllerrevisions"): {"get", "list", "create", "patch", "delete"},
            ("", "podtemplates"): {"get"},
            ("", "events"): {"create", "list", "watch"},
        }

    def test_with_namespaces_named_there_is_no_right_elsewhere(self, render: Render) -> None:
        everywhere, named = render(), render("--set", "watchNamespaces={team-a,team-b}")
        assert operator_rules(named) == operator_rules(everywhere) * 2
        roles = [one for one in of_kind(named, "Role", "RoleBinding") if one["metadata"]["name"] == "windlass-operator"]
        assert sorted(one["metadata"]["namespace"] for one in roles) == ["team-a", "team-a", "team-b", "team-b"]
        (cluster_wide,) = of_kind(named, "ClusterRoleBinding")
        assert cluster_wide["metadata"]["name"] == "windlass-operator-dispatcher"
        alone = render("--set", "watchNamespaces={team-a,team-b},actors.enabled=false")
        assert of_kind(alone, "ClusterRoleBinding") == []

    def test_the_dispatcher_may_ask_whose_a_token_is_and_make_its_own_keys(self, render: Render) -> None:
        roles = {
            one["kind"]: one
            for one in of_kind(render(), "Role", "ClusterRole")
            if one["metadata"]["name"] == "windlass-operator-dispatcher"
        }
        (review,) = roles["ClusterRole"]["rules"]
        assert (review["resources"], review["verbs"]) == (["tokenreviews"], ["create"])
        assert roles["Role"]["metadata"]["namespace"] == "windlass-system"
        rights = {rule["resources"][0]: rule["verbs"] for rule in roles["Role"]["rules"]}
        assert rights == {"secrets": ["create"], "services": ["get"], "endpointslices": ["list"]}

    def test_workers_find_the_dispatcher_by_a_port_of_the_service_that_has_its_name(self, render: Render) -> None:
        objects = render("--set", "actors.port=7000")
        (service,), (deployment,) = of_kind(objects, "Service"), of_kind(objects, "Deployment")
        port = next(one for one in service["spec"]["ports"] if one["name"] == whereabouts.PORT)
        assert (port["port"], port["targetPort"]) == (7000, "dispatcher")
        pod = deployment["spec"]["template"]["spec"]
        (secret,) = [one["secret"] for one in pod["volumes"] if one["name"] == "dispatcher"]
        assert (secret["secretName"], secret["optional"]) == ("windlass-operator-dispatcher", True)
        without = render("--set", "actors.enabled=false")
        assert not any("dispatcher" in json.dumps(one) for one in of_kind(without, "Deployment", "Service", "Role"))

    def test_leases_are_shared_in_the_operators_own_namespace_only(self, render: Render) -> None:
        for options in ((), ("--set", "watchNamespaces={team-a}")):
            leases = [one for one in render(*options) if one["metadata"]["name"] == "windlass-operator-leases"]
            assert [one["kind"] for one in leases] == ["Role", "RoleBinding"]
            assert {one["metadata"]["namespace"] for one in leases} == {"windlass-system"}
            (rule,) = leases[0]["rules"]
            assert (rule["resources"], set(rule["verbs"])) == (["leases"], {"list", "create", "patch", "delete"})

    def test_people_get_rights_by_the_roles_of_the_cluster_and_none_to_status(self, render: Render) -> None:
        prefix = "rbac.authorization.k8s.io/aggregate-to-"
        found = {
            label.removeprefix(prefix): role["rules"]
            for role in of_kind(render(), "ClusterRole")
            for label in role["metadata"]["labels"]
            if label.startswith(prefix)
        }
        assert set(found) == {"view", "edit", "admin"}
        assert found["view"][0]["verbs"] == ["get", "list", "watch"]
        assert set(found["view"][0]["resources"]) == set(names.PLURALS.values())
        rights = {(name, verb) for rule in found["edit"] for name in rule["resources"] for verb in rule["verbs"]}
        assert not any(name.endswith("/status") for name, _ in rights)
        assert {verb for name, verb in rights if name == "signals"} == {"update", "patch"}, "people answer, never ask"
        assert {verb for name, verb in rights if name == "cacheentries"} == {"delete", "deletecollection"}
        assert found["admin"] == found["edit"]
        assert (
            of_kind(render("--set", "rbac.aggregate=false"), "ClusterRole")[0]["metadata"]["name"]
            == "windlass-operator"
        )

    def test_every_object_says_what_it_belongs_to(self, render: Render) -> None:
        for one in render("--set", "serviceMonitor.enabled=true"):
            labels = one["metadata"]["labels"]
            assert labels["app.kubernetes.io/name"] == "windlass", one["kind"]
            assert labels["app.kubernetes.io/instance"] == "windlass", one["kind"]

    def test_crds_are_upgraded_with_the_release_and_stay_when_it_goes(self, render: Render) -> None:
        crds = of_kind(render(), "CustomResourceDefinition")
        originals = {
            found["metadata"]["name"]: found["spec"]
            for found in (yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("*.yaml"))
        }
        assert {one["metadata"]["name"]: one["spec"] for one in crds} == originals
        assert all(one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for one in crds)
        assert of_kind(render("--set", "crds.install=false"), "CustomResourceDefinition") == []

    @pytest.mark.parametrize(
        "options",
        [
            (),
            ("--values", str(CHART / "values-local.yaml")),
            ("--set", "watchNamespaces={a,b}", "--set", "extraArgs={--verbose}", "--set", "maxParallelPods=1000000",
             "--set", "maxPods=2000000", "--set-json", 'namespaceWeights={"a": 2, "b": 0.5}',
             "--set", "interruptible.nodeSelector.pool=spot", "--set", "interruptible.tolerations[0].key=spot",
             "--set", "store.prefix=s3://b/{namespace}", "--set", "store.endpoint=http://s3:9000",
             "--set", "store.pathStyle=true", "--set", "store.secret=keys", "--set", "store.region=eu",
             "--set", "store.volume.persistentVolumeClaim.claimName=x", "--set", "store.env.A=b",
             "--set", "logs.capture=true", "--set", "logs.links[0].name=Loki",
             "--set", "logs.links[0].template=https://x/{pod}", "--set", "store.serviceAccountName=runner",
             "--set", "actors.maxParallelCalls=3000000", "--set", "actors.callInputsLimit=33554432",
             "--set", "actors.callOutputsLimit=8388608",
             "--set", "actors.address=actors.example:443", "--set", "pods.defaultSecret=common",
             "--set-json", 'pods.template={"metadata": {"labels": {"a": "$(POD_NAME)"}}}',
             "--set", "ttlAfterFinished=31536000", "--set-json", "leaseDuration=4.5"),
        ],
        ids=["default", "local", "everything"],
    )  # fmt: skip
    def test_the_operator_understands_its_arguments(self, options: tuple[str, ...], render: Render) -> None:
        (deployment,) = of_kind(render(*options), "Deployment")
        parser = argparse.ArgumentParser()
        operator_run.register(parser.add_subparsers())
        arguments = parser.parse_args(deployment["spec"]["template"]["spec"]["containers"][0]["args"])
        assert arguments.listen == "0.0.0.0:8080"
        changed = "--set" in options
        assert arguments.namespace == (["a", "b"] if changed else [])
        assert arguments.max_pods == (2_000_000 if changed else 0)
        assert dict(arguments.namespace_weight) == ({"a": 2.0, "b": 0.5} if changed else {})
        assert arguments.interruptible_node_selector == ({"pool": "spot"} if changed else {})
        assert list(arguments.interruptible_tolerations) == ([{"key": "spot"}] if changed else [])
        assert operator_run.store_of(arguments) == (STORE if changed else StoreSettings())
        template = {"metadata": {"labels": {"a": "$(POD_NAME)"}}}
        assert arguments.pods == (PodSettings(template=template, default_secret="common") if changed else PodSettings())
        assert "$(" not in "".join(deployment["spec"]["template"]["spec"]["containers"][0]["args"])
        links = (LogLink("Loki", "https://x/{pod}"),)
        assert operator_run.logs_of(arguments) == LogSettings(capture=changed, links=links if changed else ())
        assert arguments.ttl_after_finished == (31_536_000 if changed else 0)
        assert arguments.lease_duration == (4.5 if changed else 6)
        assert arguments.dispatcher_listen == "0.0.0.0:7433"
        assert arguments.dispatcher_address == ("actors.example:443" if changed else "")
        found = arguments.dispatcher_service, arguments.dispatcher_secret, arguments.dispatcher_heartbeat
        assert found == ("windlass-operator", "windlass-operator-dispatcher", 5)
        of_calls = arguments.max_parallel_calls, arguments.call_inputs_limit, arguments.call_outputs_limit
        assert of_calls == ((3_000_000, 33_554_432, 8_388_608) if changed else (500, 2_097_152, 1_048_576))
        assert arguments.outputs_grace == 600
        assert (arguments.shards, arguments.max_depth, arguments.oom_factor, arguments.cache_ttl) == (16, 64, 2, 0)

    def test_the_collector_is_asked_for_reads_only_and_runs_restricted(self, render: Render) -> None:
        store = ("--set", "store.prefix=s3://b/{namespace}", "--set", "store.secret=keys")
        assert of_kind(render(*store), "CronJob") == []
        objects = render(*store, "--set", "store.collect.enabled=true", "--set", "watchNamespaces={a,b}")
        (job,) = of_kind(objects, "CronJob")
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        wanted = ["s3://b/{namespace}", "--older-than=720h", "--only=a", "--only=b"]
        assert container["args"] == wanted
        arguments = windlass_parser().parse_args([*container["command"][3:], *wanted])
        assert (arguments.older_than, arguments.only) == (720 * 3600, ["a", "b"])
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        keys = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one}
        assert keys["AWS_SECRET_ACCESS_KEY"] == {"name": "keys", "key": "AWS_SECRET_ACCESS_KEY", "optional": False}
        roles = [one for one in of_kind(objects, "Role") if one["metadata"]["name"].endswith("-collector")]
        assert {one["metadata"]["namespace"] for one in roles} == {"a", "b"}
        assert {verb for role in roles for rule in role["rules"] for verb in rule["verbs"]} == {"list"}
        asked = {*names.PLURALS.values(), "configmaps", "controllerrevisions"}
        assert all({name for rule in role["rules"] for name in rule["resources"]} == asked for role in roles)
        everywhere = render(*store, "--set", "store.collect.enabled=true")
        assert any(one["metadata"]["name"].endswith("-collector") for one in of_kind(everywhere, "ClusterRole"))

    @pytest.mark.parametrize(("prefix", "mounted"), [("s3://b", False), ("file:///var/run/windlass/store", True)])
    def test_the_collector_needs_the_shared_volume_only_where_that_is_the_store(
        self, prefix: str, mounted: bool, render: Render
    ) -> None:
        values = (f"store.prefix={prefix}", "store.collect.enabled=true", "store.volume.emptyDir.medium=Memory")
        (job,) = of_kind(render(*(part for value in values for part in ("--set", value))), "CronJob")
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert ({"name": "store", "emptyDir": {"medium": "Memory"}} in pod["volumes"]) == mounted
        mounts = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
        assert mounts.get("store") == ("/var/run/windlass/store" if mounted else None)

    def test_the_keeper_of_logs_is_asked_for_reads_only_and_runs_restricted(
        self, render: Render, helm: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        store = ("--set", "store.prefix=s3://b/{namespace}", "--set", "store.secret=keys", "--set", "logs.capture=true")
        kept = "logs.containers.enabled=true"
        assert len(of_kind(render(*store), "Deployment")) == 1
        objects = render(*store, "--set", kept, "--set", "watchNamespaces={a,b}")
        (deployment,) = [one for one in of_kind(objects, "Deployment") if one["metadata"]["name"].endswith("-logs")]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels
        (operator,) = [one for one in of_kind(objects, "Deployment") if one is not deployment]
        assert operator["spec"]["selector"]["matchLabels"] != labels
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        arguments = windlass_parser().parse_args([*container["command"][3:], *container["args"]])
        assert (arguments.prefix, arguments.limit, arguments.only) == ("s3://b/{namespace}", 1 << 20, ["a", "b"])
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        keys = {one["name"] for one in container["env"] if "valueFrom" in one}
        assert keys == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
        roles = [one for one in of_kind(objects, "Role") if one["metadata"]["name"].endswith("-logs")]
        assert {one["metadata"]["namespace"] for one in roles} == {"a", "b"}
        rights = {(verb, name) for rule in roles[0]["rules"] for verb in rule["verbs"] for name in rule["resources"]}
        assert rights == {("get", "executions"), ("list", "pods"), ("watch", "pods"), ("get", "pods/log")}
        everywhere = of_kind(render(*store, "--set", kept), "ClusterRole")
        assert any(one["metadata"]["name"].endswith("-logs") for one in everywhere)
        refused = helm("template", "windlass", str(CHART), "--set", kept)
        assert refused.returncode != 0
        assert "logs.containers.enabled needs logs.capture and a store: store.prefix" in refused.stderr

    @pytest.mark.parametrize("guide", sorted(path.name for path in GUIDES.glob("*.md")))
    def test_the_chart_takes_the_values_that_a_guide_shows(self, guide: str, render: Render, tmp_path: Path) -> None:
        for number, values in enumerate(values_in(GUIDES / guide)):
            file = tmp_path / f"{number}.yaml"
            file.write_text(yaml.safe_dump(values))
            assert render("--set", "store.prefix=s3://b", "--values", str(file))

    def test_there_is_one_operator_unless_more_are_asked_for(self, render: Render) -> None:
        (deployment,) = of_kind(render(), "Deployment")
        assert deployment["spec"]["replicas"] == 1
        assert "topologySpreadConstraints" not in deployment["spec"]["template"]["spec"]
        assert of_kind(render(), "PodDisruptionBudget") == []
        objects = render("--set", "replicas=3")
        (deployment,), (budget,) = (of_kind(objects, kind) for kind in ("Deployment", "PodDisruptionBudget"))
        assert deployment["spec"]["replicas"] == 3
        assert budget["spec"]["selector"] == deployment["spec"]["selector"]
        (spread,) = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert spread["labelSelector"] == deployment["spec"]["selector"]

    def test_the_next_version_comes_before_the_old_one_goes_and_each_has_its_name(self, render: Render) -> None:
        (deployment,) = of_kind(render(), "Deployment")
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
        assert deployment["spec"]["strategy"] == strategy
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        fields = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"]}
        assert fields == {
            "POD_NAME": "metadata.name",
            "POD_NAMESPACE": "metadata.namespace",
            "POD_IP": "status.podIP",
        }

    def test_the_operator_runs_restricted(self, render: Render) -> None:
        (deployment,) = of_kind(render(), "Deployment")
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "cpu" not in container["resources"]["limits"]
        assert {container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "startupProbe")} == {"/healthz"}
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"

    def test_a_network_policy_lets_metrics_in_and_the_operator_out_to_the_api_server_only(self, render: Render) -> None:
        assert of_kind(render(), "NetworkPolicy") == []
        monitoring = '[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]'
        objects = render(
            *("--set", "networkPolicy.enabled=true", "--set-json", f"networkPolicy.metricsFrom={monitoring}"),
            *("--set-json", 'networkPolicy.apiServer=[{"ipBlock": {"cidr": "10.0.0.1/32"}}]'),
        )
        (policy,), (deployment,) = (of_kind(objects, kind) for kind in ("NetworkPolicy", "Deployment"))
        assert policy["spec"]["podSelector"] == deployment["spec"]["selector"]
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        (into, workers), (names_, peers, api) = policy["spec"]["ingress"], policy["spec"]["egress"]
        assert workers == {"ports": [{"port": "dispatcher", "protocol": "TCP"}]}
        assert peers["to"] == [{"podSelector": deployment["spec"]["selector"]}]
        assert (into["ports"], into["from"]) == ([{"port": "http", "protocol": "TCP"}], json.loads(monitoring))
        assert {one["port"] for one in names_["ports"]} == {53}
        assert [one["port"] for one in api["ports"]] == [443, 6443]
        assert api["to"] == [{"ipBlock": {"cidr": "10.0.0.1/32"}}]

    def test_service_and_monitor_find_the_operator(self, render: Render) -> None:
        objects = render("--set", "serviceMonitor.enabled=true")
        (service,), (monitor,), (deployment,) = (
            of_kind(objects, kind) for kind in ("Service", "ServiceMonitor", "Deployment")
        )
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["honorLabels"] is True, "else Prometheus has the operator's namespace in the place of a pool's"
        assert of_kind(render(), "ServiceMonitor") == []

    def test_the_runtime_image_stands_beside_the_operators(self, render: Render) -> None:
        (deployment,) = of_kind(
            render("--set", "image.repository=registry.example/team/windlass-operator"), "Deployment"
        )
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        assert "--runtime-image=registry.example/team/windlass-runtime:0.1.0" in arguments
        assert "--operator-image=registry.example/team/windlass-operator:0.1.0" in arguments


def test_the_dockerfile_builds_what_the_chart_names() -> None:
    dockerfile = Path(ROOT / "operator" / "Dockerfile").read_text()
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", dockerfile, re.MULTILINE))
    assert {"operator", "runtime"} <= targets
    copied = re.findall(r"^COPY (?!--)(\S+)", dockerfile, re.MULTILINE)
    assert all((ROOT / source).exists() for source in copied)
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert all(any(source == one or source.startswith(f"{one}/") for one in allowed) for source in copied)
