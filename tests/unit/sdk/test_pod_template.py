"""PodTemplate: dicts and the kubernetes client's objects become the same manifest."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from kubernetes import client

from windlass import FlyteValidationException
from windlass._pod_template import _FREE, PodTemplate, _spelled


class Spec:
    """Like an ImageSpec."""

    def image_name(self) -> str:
        return "registry/built:abc"


def objects() -> Any:
    return client.V1PodSpec(
        containers=[
            client.V1Container(
                name="primary",
                env=[client.V1EnvVar(name="A", value="1")],
                resources=client.V1ResourceRequirements(limits={"nvidia.com/gpu": "1"}),
                ports=[client.V1ContainerPort(container_port=80, host_ip="127.0.0.1")],
            )
        ],
        node_selector={"my_key": "x"},
        host_pid=True,
        volumes=[
            client.V1Volume(
                name="v",
                projected=client.V1ProjectedVolumeSource(
                    sources=[client.V1VolumeProjection(downward_api=client.V1DownwardAPIProjection(items=[]))]
                ),
            )
        ],
    )


MANIFEST = {
    "containers": [
        {
            "name": "primary",
            "env": [{"name": "A", "value": "1"}],
            "resources": {"limits": {"nvidia.com/gpu": "1"}},
            "ports": [{"containerPort": 80, "hostIP": "127.0.0.1"}],
        }
    ],
    "nodeSelector": {"my_key": "x"},
    "hostPID": True,
    "volumes": [{"name": "v", "projected": {"sources": [{"downwardAPI": {"items": []}}]}}],
}


def test_an_object_of_the_client_becomes_a_manifest() -> None:
    assert PodTemplate(objects()).to_contract() == {"spec": MANIFEST, "primaryContainer": "primary"}


def test_a_dict_in_either_spelling_becomes_the_same() -> None:
    assert PodTemplate(MANIFEST).to_contract()["spec"] == MANIFEST
    assert PodTemplate(objects().to_dict()).to_contract()["spec"] == MANIFEST


def test_objects_may_stand_in_a_dict() -> None:
    template = PodTemplate({"containers": [client.V1Container(name="x", image="i")], "hostNetwork": None})
    assert template.to_contract()["spec"] == {"containers": [{"name": "x", "image": "i"}]}


def test_every_field_of_a_pod_s_spec_is_spelled_as_kubernetes_does() -> None:
    """In the client's Python spelling a field has less than there is: hostIP is host_ip. The client knows both."""
    seen: set[str] = set()
    free: set[str] = set()
    queue = ["V1PodSpec"]
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        model = getattr(client, name)
        for attribute, spelled in model.attribute_map.items():
            assert _spelled(attribute) == spelled, name
            kind = model.openapi_types[attribute]
            if kind.startswith("Dict"):
                free.add(spelled)
            queue += re.findall(r"(?:Core)?V1\w+", kind)
    assert len(seen) > 80
    assert free == set(_FREE)


def test_labels_annotations_and_the_primary_container_s_name_are_said() -> None:
    template = PodTemplate(primary_container_name="work", labels={"team": "data"}, annotations={"a": "b"})
    assert template.to_contract() == {
        "primaryContainer": "work",
        "labels": {"team": "data"},
        "annotations": {"a": "b"},
    }


def test_an_image_in_the_spec_may_be_an_image_spec() -> None:
    image = Spec()
    template = PodTemplate({"containers": [{"name": "primary"}, {"name": "side", "image": image}]})
    assert template.to_contract()["spec"]["containers"][1]["image"] == "registry/built:abc"
    assert template.image_specs() == [image]


def test_the_hash_tells_templates_apart_however_they_are_written() -> None:
    assert PodTemplate(objects()).version_hash() == PodTemplate(MANIFEST).version_hash()
    assert PodTemplate(MANIFEST).version_hash() != PodTemplate(MANIFEST, labels={"a": "b"}).version_hash()
    assert PodTemplate(objects()) == PodTemplate(MANIFEST)
    assert len({PodTemplate(objects()), PodTemplate(MANIFEST)}) == 1
    assert re.fullmatch("[0-9a-f]{16}", PodTemplate().version_hash())


def test_a_template_without_a_primary_container_s_name_is_refused() -> None:
    with pytest.raises(FlyteValidationException, match="A primary container name cannot be undefined"):
        PodTemplate(primary_container_name="")


def test_a_whole_pod_is_refused() -> None:
    with pytest.raises(ValueError, match="pass its `spec`"):
        PodTemplate({"kind": "Pod", "spec": MANIFEST})


@pytest.mark.parametrize("wrong", [3, "x", object(), ["a"]])
def test_what_is_neither_dict_nor_object_of_the_client_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="pod_spec"):
        PodTemplate(wrong).to_contract()


def test_what_can_not_stand_in_a_manifest_is_named_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"pod_spec\.containers\[0\]\.name is \{1\}"):
        PodTemplate({"containers": [{"name": {1}}]}).to_contract()
    with pytest.raises(TypeError, match="has texts as keys, not 3"):
        PodTemplate({3: "x"}).to_contract()


def test_the_client_is_not_imported() -> None:
    code = "import sys; from windlass._pod_template import PodTemplate as P; P({'a': [1]}).version_hash();"
    subprocess.run([sys.executable, "-c", code + "assert 'kubernetes' not in sys.modules"], check=True)
