"""What a task can ask of its pod: what is in it, and what can't be. Whole pods are in tests/golden/operator/pods."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.operator.things import Body
from windlass import accelerators
from windlass.accelerators import BaseAccelerator, MultiInstanceGPUAccelerator
from windlass_operator.cli.pod_settings import pod_settings
from windlass_operator.manifests.look import PodLook, dressed
from windlass_operator.manifests.templates import InvalidPodError
from windlass_operator.settings import PodSettings, Settings

GPU: Body = {"limits": {"nvidia.com/gpu": "1"}}


def pod(spec: Body, pods: PodSettings | None = None, template: Body | None = None) -> Body:
    """The spec of a pod that looks so."""
    look = PodLook(
        namespace="ns",
        spec={"python": {"entrypoint": "m:f"}, **spec},
        template=template,
        settings=Settings(pods=pods or PodSettings()),
    )
    found: Body = dressed(look)[0]["spec"]
    return found


def main(spec: Body) -> Body:
    (container,) = spec["containers"]
    found: Body = container
    return found


def refusal(spec: Body, pods: PodSettings | None = None, template: Body | None = None) -> tuple[str, str]:
    with pytest.raises(InvalidPodError) as wrong:
        pod(spec, pods, template)
    return wrong.value.reason, wrong.value.message


# Accelerators


def all_accelerators() -> list[Any]:
    found = [value for value in vars(accelerators).values() if isinstance(value, BaseAccelerator)]
    parts = [
        value
        for one in found
        for name, value in vars(type(one)).items()
        if isinstance(value, BaseAccelerator) and not name.startswith("_")
    ]
    whole = [one.unpartitioned for one in found if isinstance(one, MultiInstanceGPUAccelerator)]
    return [*found, *parts, *whole]


@pytest.mark.parametrize("accelerator", all_accelerators(), ids=str)
def test_every_accelerator_of_the_api_has_its_nodes_and_bears_their_taints(accelerator: BaseAccelerator) -> None:
    wanted = accelerator.to_contract()
    tpu = wanted["device"].startswith("tpu-")
    resource = "google.com/tpu" if tpu else "nvidia.com/gpu"
    found = pod({"accelerator": wanted, "resources": {"limits": {resource: "1"}}})
    required = found["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    asked = {one["key"]: one.get("values", one["operator"]) for one in term["matchExpressions"]}
    label = "cloud.google.com/gke-tpu-accelerator" if tpu else "k8s.amazonaws.com/accelerator"
    expected: Body = {label: [wanted["device"]]}
    if "partition" in wanted:
        expected["k8s.amazonaws.com/gpu-partition-size"] = [wanted["partition"]]
    if "topology" in wanted:
        expected["cloud.google.com/gke-tpu-topology"] = [wanted["topology"]]
    if "unpartitioned" in wanted and not tpu:
        expected["k8s.amazonaws.com/gpu-partition-size"] = "DoesNotExist"
    assert asked == expected
    assert {one["key"] for one in found["tolerations"]} == {
        resource,
        *(key for key, value in expected.items() if value != "DoesNotExist"),
    }


def test_what_asks_for_devices_bears_the_taints_of_their_nodes_whichever_they_are() -> None:
    found = pod({"resources": GPU})
    assert found["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert "affinity" not in found
    assert "tolerations" not in pod({"resources": {"limits": {"cpu": "1"}}})


def test_an_accelerator_that_the_cluster_does_not_know_is_refused_with_what_it_knows() -> None:
    table = pod_settings({"accelerators": [{"devices": ["nvidia-l4", "tpu-*"], "resource": "nvidia.com/gpu"}]})
    assert refusal({"accelerator": {"device": "nvidia-h100"}, "resources": GPU}, table) == (
        "UnknownAccelerator",
        "accelerator: this cluster has no 'nvidia-h100'; it knows nvidia-l4, tpu-*",
    )
    part = {"device": "nvidia-l4", "partition": "1g.5gb"}
    assert refusal({"accelerator": part, "resources": GPU}, table) == (
        "UnknownAccelerator",
        "accelerator: 'nvidia-l4' has no partition in this cluster, so there is no '1g.5gb'",
    )


# Secrets


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        (
            {"group": "DB", "key": "k"},
            "secrets[0]: 'DB' can't be the name of a Secret: lower-case letters, digits, - and .",
        ),
        ({"group": "db", "key": "a/b"}, "secrets[0]: 'a/b' can't be a part of a Secret"),
        ({"group": "db", "key": ".."}, "secrets[0]: '..' can't be a part of a Secret"),
        ({"group": "db", "version": "a/b", "key": "k"}, "can't be the name of a Secret"),
        ({"key": "k"}, "secrets[0]: 'k' has no group, and the operator has no default Secret"),
        (
            {"group": "db", "mount": "Env"},
            "secrets[0]: without a key the whole Secret db is asked for, and no variable can",
        ),
        (
            {"group": "db", "env": "DB"},
            "secrets[0]: without a key the whole Secret db is asked for, and no variable can",
        ),
    ],
)
def test_a_secret_that_can_not_be_is_refused(secret: Body, says: str) -> None:
    reason, message = refusal({"secrets": [secret]})
    assert reason == "InvalidSecret"
    assert says in message


def test_a_version_beside_its_group_stands_in_files_of_its_own() -> None:
    found = main(pod({"secrets": [{"group": "db", "key": "a"}, {"group": "db", "version": "2", "key": "a"}]}))
    paths = {one["mountPath"]: one.get("subPath") for one in found["volumeMounts"] if "/secrets" in one["mountPath"]}
    assert paths == {"/etc/secrets/db/a": "a", "/etc/secrets/db/2": None}
    both = [{"group": "db"}, {"group": "db", "version": "2", "key": "a"}]
    assert "can't be a whole Secret when versions of it" in refusal({"secrets": both})[1]


def test_the_volume_of_a_secret_has_its_name_where_one_can_so_that_complaints_do() -> None:
    long = "s" * 100
    found = pod({"secrets": [{"group": "db", "key": "a"}, {"group": long, "key": "a"}]})
    names = {one["secret"]["secretName"]: one["name"] for one in found["volumes"] if "secret" in one}
    assert names == {"db": "secret-db", long: "secret-1-of-task"}


# Templates


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"containers": [{"name": "main", "image": "a"}]}, "podTemplate: a container can't be called 'main'"),
        ({"initContainers": [{"name": "runtime"}]}, "podTemplate: a container can't be called 'runtime'"),
        ({"volumes": [{"name": "code", "emptyDir": {}}]}, "a template has a volume 'code', which is Windlass' own"),
        ({"containers": [{"image": "a"}]}, "podTemplate: spec.containers[0] has no name"),
        (
            {
                "containers": [
                    {"name": "primary", "volumeMounts": [{"name": "x", "mountPath": "/var/run/windlass/code/"}]}
                ]
            },
            "a template mounts something at /var/run/windlass/code, which is Windlass' own",
        ),
    ],
)
def test_a_template_that_is_in_the_way_is_refused(spec: Body, says: str) -> None:
    look = PodLook(
        namespace="ns", spec={"python": {"entrypoint": "m:f"}, "podTemplate": {"spec": spec}}, code="bundle-1"
    )
    with pytest.raises(InvalidPodError) as wrong:
        dressed(look)
    assert wrong.value.reason == "InvalidPodTemplate"
    assert says in wrong.value.message


def test_shared_memory_where_a_template_mounts_something_is_refused() -> None:
    mounts = [{"name": "x", "mountPath": "/dev/shm"}]
    template = {"spec": {"containers": [{"name": "primary", "volumeMounts": mounts}]}}
    assert "a template mounts something at /dev/shm" in refusal({"sharedMemory": {}, "podTemplate": template})[1]


def test_a_template_may_say_what_the_writable_folders_are_on() -> None:
    spec = {
        "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory"}}],
        "containers": [{"name": "primary", "volumeMounts": [{"name": "own", "mountPath": "/var/run/windlass/work"}]}],
    }
    found = pod({"podTemplate": {"spec": spec}})
    assert [one for one in found["volumes"] if one["name"] == "tmp"] == spec["volumes"]
    assert [one["name"] for one in main(found)["volumeMounts"] if one["mountPath"].endswith("/work")] == ["own"]


def test_what_the_api_server_fills_in_to_a_pod_template_asks_for_nothing() -> None:
    filled_in = {
        "restartPolicy": "Always",
        "enableServiceLinks": True,
        "securityContext": {},
        "dnsPolicy": "ClusterFirst",
    }
    plain = {"containers": [{"name": "primary", "image": "a"}]}
    assert pod({}, template={"spec": {**plain, **filled_in}}) == pod({}, template={"spec": plain})
    asked = pod({"podTemplate": {"spec": {"enableServiceLinks": True}}})
    assert asked["enableServiceLinks"] is True, "an author who writes it means it"


# Settings


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"tempalte": {}}, "tempalte: there is no such setting; there are accelerators, defaultSecret, namespaces, "),
        ({"template": {"containers": []}}, "template.containers: there is no such setting; there are metadata, spec"),
        ({"template": {"spec": {"containers": [{}]}}}, "template: spec.containers[0] has no name"),
        ({"namespaces": {"a": {"spec": [1]}}}, "namespaces.a.spec: it is an object"),
        ({"accelerators": {}}, "accelerators: it is a list of rows"),
        ({"accelerators": [{"devices": ["*"]}]}, "accelerators[0].resource: it is required"),
        (
            {"accelerators": [{"devices": ["*"], "resource": "a", "claim": "b", "claimTemplate": "c"}]},
            "accelerators[0].claim: a row has a claim or a claimTemplate, not both",
        ),
        ({"accelerators": [{"devices": "x", "resource": "a"}]}, "accelerators[0].devices: it is a list"),
        ({"readOnlyRootFilesystem": "yes"}, "readOnlyRootFilesystem: 'yes' is of another type than True"),
    ],
)  # fmt: skip
def test_a_setting_that_can_not_mean_anything_stops_the_operator(document: Body, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        pod_settings(document)


def test_no_settings_are_those_of_the_chart() -> None:
    assert pod_settings({}) == PodSettings()
