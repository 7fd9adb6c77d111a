"""What a cluster is made of, without making one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import tomllib

from localcluster.__main__ import main
from localcluster.api import is_ready
from localcluster.components import NODE_HOME, Endpoints, components, node_files, store_of
from localcluster.errors import LocalClusterError
from localcluster.node import LINK_NETWORK, Link
from localcluster.paths import Layout

ALONE = Endpoints(True, "127.0.0.1", 20001, 20002, 20003, "127.0.0.1")
WITH_NODE = Endpoints(False, "10.231.0.2", 6443, 2379, 2380, "10.231.0.1")


@pytest.fixture
def layout() -> Layout:
    return Layout(Path("/state/demo"))


def flags(layout: Layout, endpoints: Endpoints, name: str) -> tuple[str, ...]:
    [one] = [part for part in components(layout, endpoints) if part.name == name]
    return one.arguments


def test_a_control_plane_has_three_programs_and_a_node_seven(layout: Layout) -> None:
    alone = [part.name for part in components(layout, ALONE)]
    assert alone == ["etcd", "kube-apiserver", "kube-controller-manager"]
    assert [part.name for part in components(layout, WITH_NODE)] == [
        *alone,
        "containerd",
        "kube-scheduler",
        "kubelet",
        "kube-proxy",
    ]


def test_a_registry_is_two_programs_over_one_folder_at_one_port_of_two_networks(layout: Layout) -> None:
    endpoints = dataclasses.replace(WITH_NODE, registry_port=35000)
    files = node_files(layout, endpoints)
    places = {}
    for part in components(layout, endpoints)[len(components(layout, WITH_NODE)) :]:
        config = json.loads(files[Path(part.arguments[-1]).name])
        folder = config["storage"]["filesystem"]["rootdirectory"]
        places[part.on_this_machine] = folder.replace(str(NODE_HOME), str(layout.node))
        assert config["http"]["addr"] == "127.0.0.1:35000"
    assert places == dict.fromkeys((True, False), str(layout.node / "registry"))


def test_a_store_is_one_program_where_pods_and_this_machine_reach_it(layout: Layout) -> None:
    endpoints = dataclasses.replace(WITH_NODE, store_port=35000)
    (part,) = components(layout, endpoints)[len(components(layout, WITH_NODE)) :]
    store = store_of(layout, endpoints)
    assert part.on_this_machine and "10.231.0.1:35000" in part.arguments
    assert store.endpoint == "http://10.231.0.1:35000"
    assert set(part.variables.values()) == {store.access_key, store.secret_key}
    assert json.loads(store.chart_values())["store"]["endpoint"] == store.endpoint
    keys = dict(line.split("=", 1) for line in store.secret_file().splitlines())
    assert keys.items() <= store.environment().items()


def test_an_archive_that_is_not_there_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("load", "/no/such/file.tar")) == 1
    assert "there is no file /no/such/file.tar" in capsys.readouterr().err


def test_containerd_starts_before_the_kubelet_that_needs_it(layout: Layout) -> None:
    names = [part.name for part in components(layout, WITH_NODE)]
    assert names.index("containerd") < names.index("kubelet")


def test_only_a_control_plane_listens_on_nothing_but_localhost(layout: Layout) -> None:
    assert "--bind-address=127.0.0.1" in flags(layout, ALONE, "kube-apiserver")
    assert not [flag for flag in flags(layout, WITH_NODE, "kube-apiserver") if "bind-address" in flag]


def test_the_certificate_names_the_service_and_the_server() -> None:
    assert "IP:10.96.0.1" in WITH_NODE.certificate_names
    assert "IP:10.231.0.2" in WITH_NODE.certificate_names
    assert ALONE.certificate_names.count("IP:127.0.0.1") == 1


def test_endpoints_survive_being_written_down() -> None:
    assert Endpoints.from_json(WITH_NODE.to_json()) == WITH_NODE


def test_the_files_of_a_node_parse_and_stay_inside_it(layout: Layout) -> None:
    files = node_files(layout, WITH_NODE)
    containerd = tomllib.loads(files["containerd.toml"])
    assert containerd["root"].startswith(f"{NODE_HOME}/")
    kubelet = json.loads(files["kubelet.json"])
    assert kubelet["cgroupRoot"] == f"/{layout.identity}"
    assert kubelet["podLogsDir"].startswith(f"{NODE_HOME}/")
    assert kubelet["featureGates"] == {"ImageVolume": True}
    for name in ("kube-proxy.json", "cni/10-bridge.conflist"):
        json.loads(files[name])


def test_the_longest_socket_path_of_a_node_fits_whatever_the_state_folder() -> None:
    plugin = f"{NODE_HOME}/kubelet/plugins_registry/{'x' * 60}.sock"
    assert len(plugin) < 108


def test_two_state_folders_have_two_identities_that_fit_a_link(layout: Layout) -> None:
    other = Layout(Path("/elsewhere/demo"))
    assert layout.identity != other.identity
    assert len(layout.identity) <= 15


def test_links_do_not_share_addresses_with_clusters_that_sleep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("localcluster.node._routes", lambda: ["10.231.0.4/30"])
    assert Link.free(["10.231.0.2"]) == Link("10.231.0.9", "10.231.0.10")


def test_links_run_out_with_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcluster.node._routes", lambda: [str(LINK_NETWORK)])
    with pytest.raises(LocalClusterError, match="no four addresses"):
        Link.free([])


@pytest.mark.parametrize("name", ["", "Upper", "-a", "a-", "a/b", "..", "x" * 41])
def test_a_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(LocalClusterError, match="is no name"):
        Layout.of(name)


def node(status: str = "True", at: str = "2026-01-01T00:00:05Z", taint: str = "") -> dict[str, object]:
    condition = {"type": "Ready", "status": status, "lastHeartbeatTime": at}
    spec = {"taints": [{"effect": taint}]} if taint else {}
    return {"status": {"conditions": [condition]}, "spec": spec}


def test_a_node_that_says_so_is_ready() -> None:
    assert is_ready(node())
    assert not is_ready(node(status="False"))
    assert not is_ready({})


def test_a_node_that_said_so_before_it_was_started_is_not_ready() -> None:
    assert is_ready(node(), since="2026-01-01T00:00:05Z")
    assert not is_ready(node(), since="2026-01-01T00:00:06Z")


def test_a_node_that_keeps_pods_away_is_not_ready() -> None:
    assert not is_ready(node(taint="NoSchedule"))
    assert is_ready(node(taint="PreferNoSchedule"))
