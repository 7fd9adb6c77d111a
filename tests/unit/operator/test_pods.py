"""Pods, for all asks: what the runtime finds in them, and that the strictest of namespaces takes them.

Single pods, whole, are in tests/golden/operator.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.properties.api_strategies import json_values
from windlass_api import names
from windlass_operator.manifests.look import PodLook
from windlass_operator.manifests.pod import PodAsk, build, call_document, task_document
from windlass_operator.manifests.store import KEYS, PREFIX
from windlass_operator.settings import LogSettings, RuntimeDelivery, Settings, StoreSettings

STORES = [
    StoreSettings(),
    StoreSettings(prefix="s3://b/{namespace}", endpoint="http://s3", secret="keys", env={"A": "b"}),
    StoreSettings(prefix="file:///data", mount="/data", volume={"persistentVolumeClaim": {"claimName": "c"}}),
]
OF_THE_STORE = {PREFIX, "AWS_ENDPOINT_URL_S3", "A", *KEYS}

identifiers = st.from_regex(r"[A-Z_]{1,6}", fullmatch=True)
words = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def asks(draw: st.DrawFn) -> PodAsk:
    """A random ask."""
    spec: dict[str, Any] = {"python": {"entrypoint": "m:f"}}
    if draw(st.booleans()):
        some = identifiers | st.sampled_from(["HOME", "WINDLASS_TASK"])
        spec["env"] = draw(st.dictionaries(some, words, max_size=3))
    if draw(st.booleans()):
        spec["resources"] = {"limits": {"cpu": "1"}, "requests": draw(st.sampled_from([{}, {"memory": "1Gi"}]))}
    look = PodLook(
        namespace="ns",
        spec=spec,
        code=draw(st.none() | st.just("pinned-1")),
        settings=Settings(runtime_delivery=draw(st.sampled_from(RuntimeDelivery)), store=draw(st.sampled_from(STORES))),
    )
    return PodAsk(
        look=look,
        execution=draw(st.sampled_from(["e", "a.long-" + "x" * 50])),
        uid="u1",
        node=draw(st.sampled_from(["a", "with-dash"])),
        attempt=draw(st.integers(0, 12)),
        task="t",
        inputs=draw(st.dictionaries(identifiers, json_values, max_size=4)),
        values=tuple(draw(st.lists(st.sampled_from(["0" * 16, "1" * 16]), unique=True))),
    )


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def violations(pod: dict[str, Any]) -> list[str]:
    """What the restricted Pod Security Standard has against a pod, by its field."""
    spec, found = pod["spec"], []
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim"}
    allowed |= {"projected", "secret"}
    for flag in ("hostNetwork", "hostPID", "hostIPC"):
        found += [f"spec.{flag}"] if spec.get(flag) else []
    for volume in spec.get("volumes", ()):
        found += [f"spec.volumes {volume['name']}: {kind}" for kind in volume.keys() - allowed - {"name"}]
    for container in containers(pod):
        own, whole = container.get("securityContext", {}), spec.get("securityContext", {})
        where = f"container {container['name']}"
        rules = {
            "privileged": not own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": own.get("runAsNonRoot", whole.get("runAsNonRoot")) is True,
            "runAsUser": own.get("runAsUser", whole.get("runAsUser", 1)) != 0,
            "capabilities.drop": "ALL" in own.get("capabilities", {}).get("drop", ()),
            "capabilities.add": set(own.get("capabilities", {}).get("add", ())) <= {"NET_BIND_SERVICE"},
            "seccompProfile": (own.get("seccompProfile") or whole.get("seccompProfile") or {}).get("type")
            in ("RuntimeDefault", "Localhost"),
            "procMount": own.get("procMount", "Default") == "Default",
            "hostPort": not any(port.get("hostPort") for port in container.get("ports", ())),
        }
        found += [f"{where}: {rule}" for rule, holds in rules.items() if not holds]
    return found


@settings(max_examples=60, deadline=None)
@given(asks())
def test_every_pod_keeps_the_restricted_pod_security_standard(ask: PodAsk) -> None:
    pod = build(ask)
    assert violations(pod) == []
    assert pod["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("spec.hostNetwork", True, "spec.hostNetwork"),
        ("spec.securityContext", {}, "container main: runAsNonRoot"),
        ("spec.securityContext.runAsUser", 0, "container main: runAsUser"),
        ("spec.volumes", [{"name": "x", "hostPath": {"path": "/"}}], "spec.volumes x: hostPath"),
        ("spec.containers.0.securityContext", {}, "container main: capabilities.drop"),
        ("spec.containers.0.securityContext.capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
         "container main: capabilities.add"),
        ("spec.containers.0.securityContext.privileged", True, "container main: privileged"),
        ("spec.initContainers.0.securityContext", {}, "container runtime: allowPrivilegeEscalation"),
        ("spec.containers.0.ports", [{"hostPort": 80}], "container main: hostPort"),
    ],
)  # fmt: skip
def test_the_checker_of_the_standard_sees_what_breaks_it(field: str, value: Any, says: str) -> None:
    ask = PodAsk(
        look=PodLook(
            namespace="ns",
            spec={"python": {"entrypoint": "m:f"}},
            settings=Settings(runtime_delivery=RuntimeDelivery.INIT_CONTAINER),
        ),
        execution="e",
        uid="u",
        node="a",
        attempt=0,
        task="t",
        inputs={},
    )
    pod = json.loads(json.dumps(build(ask)))
    *parents, last = field.split(".")
    here = pod
    for part in parents:
        here = here[int(part)] if part.isdigit() else here[part]
    here[last] = value
    assert says in violations(pod)


@settings(max_examples=100, deadline=None)
@given(asks())
def test_the_task_document_gives_the_inputs_back_and_nothing_in_it_is_expanded(ask: PodAsk) -> None:
    env = build(ask)["spec"]["containers"][0]["env"]
    assert env[-1]["name"] == "WINDLASS_TASK"
    text = env[-1]["value"]
    assert "$" not in text
    assert text.isascii()
    document = json.loads(text)
    assert document["inputs"] == ask.inputs
    assert (document["execution"], document["node"], document["attempt"]) == (ask.execution, ask.node, ask.attempt)


def test_calls_of_actors_are_told_where_their_logs_are_kept_as_pods_are() -> None:
    look = PodLook(
        namespace="ns",
        spec={"python": {"entrypoint": "m:f"}},
        settings=Settings(store=StoreSettings(prefix="s3://b"), logs=LogSettings(capture=True, limit=4096)),
    )
    ask = PodAsk(look=look, execution="e", uid="u", node="a", attempt=1, element=3, task="t", inputs={})
    log = {"uri": "s3://b/e.u/logs/a/3/1.log", "limit": 4096}
    assert json.loads(call_document(ask))["log"] == json.loads(task_document(ask, 4096))["log"] == log
    quiet = replace(ask, look=replace(look, settings=Settings(store=StoreSettings(prefix="s3://b"))))
    assert "log" not in json.loads(call_document(quiet))


@pytest.mark.parametrize("text", ["$(HOME)", "$$(HOME)", "$HOME", "\\$(X)", '"$(A)"', "\\u0024", "$" * 9])
def test_dollars_in_inputs_arrive_as_they_are(text: str) -> None:
    ask = PodAsk(
        look=PodLook(namespace="ns", spec={"python": {"entrypoint": "m:f"}}),
        execution="e", uid="u", node="a", attempt=0, task="t", inputs={"x": text, "y": {text: [text]}},
    )  # fmt: skip
    value = build(ask)["spec"]["containers"][0]["env"][-1]["value"]
    assert "$" not in value
    assert json.loads(value)["inputs"] == {"x": text, "y": {text: [text]}}


@settings(max_examples=60, deadline=None)
@given(asks())
def test_the_authors_variables_arrive_but_the_task_itself_is_ours(ask: PodAsk) -> None:
    env = build(ask)["spec"]["containers"][0]["env"]
    given_names = [entry["name"] for entry in env]
    assert len(set(given_names)) == len(given_names), "the API server warns of a name that stands twice"
    wanted = {"HOME": "/var/run/windlass/work", **ask.look.spec.get("env", {})}
    wanted.pop("WINDLASS_TASK", None)
    of_the_store = OF_THE_STORE - wanted.keys() if ask.look.settings.store.prefix else set()
    assert {entry["name"]: entry.get("value") for entry in env[:-1] if entry["name"] not in of_the_store} == wanted


@settings(max_examples=60, deadline=None)
@given(asks())
def test_every_mount_has_its_volume_and_every_volume_its_mount(ask: PodAsk) -> None:
    pod = build(ask)
    volumes = [volume["name"] for volume in pod["spec"]["volumes"]]
    mounts = [mount["name"] for mount in pod["spec"]["containers"][0]["volumeMounts"]]
    paths = [mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]]
    assert sorted(mounts) == sorted(volumes)
    assert len(set(volumes)) == len(volumes)
    assert len(set(paths)) == len(paths)
    writable = {mount["name"] for mount in pod["spec"]["containers"][0]["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"work", "tmp", *(["store"] if ask.look.settings.store.volume else [])}


@settings(max_examples=60, deadline=None)
@given(asks())
def test_a_pod_is_named_labelled_and_owned_so_that_it_is_found_again(ask: PodAsk) -> None:
    meta = build(ask)["metadata"]
    assert meta["name"] == ask.name == names.pod_name(ask.execution, ask.node, ask.attempt)
    assert names.is_dns_label(meta["name"])
    assert all(names.label_value(value) == value for value in meta["labels"].values())
    assert meta["labels"][names.LABEL_NODE] == ask.node
    assert [(owner["uid"], owner["controller"]) for owner in meta["ownerReferences"]] == [(ask.uid, True)]
    assert "blockOwnerDeletion" not in meta["ownerReferences"][0]
