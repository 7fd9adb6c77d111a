"""Nodes come and go, side by side, and through crashes of those who start and stop them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from localcluster import catalog, processes
from localcluster.cluster import Cluster
from localcluster.node import cgroup_folders
from localcluster.paths import SOURCES
from localcluster.processes import wait_until
from tests.e2e.cluster.pods import apply, pod, run, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # the first run builds Kubernetes

FOREVER = "import time\nwhile True: time.sleep(1)"


def namespaces_of(pid: int) -> set[Path]:
    """The namespaces of a process; none when it has ended, or is not for us to look into."""
    try:
        return {Path(f"/proc/{pid}/ns/{kind}").readlink() for kind in ("pid", "net", "mnt")}
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return set()


def pids_below(cluster: Cluster) -> set[int]:
    """Every process of the node's pods."""
    files = [file for folder in cgroup_folders(cluster.layout.identity) for file in folder.rglob("cgroup.procs")]
    return {int(line) for file in files for line in file.read_text().split()}


def all_namespaces() -> set[Path]:
    return {namespace for process in processes.running() for namespace in namespaces_of(process.pid)}


def traces(cluster: Cluster) -> list[str]:
    """What this machine still has of a cluster."""
    home, identity = str(cluster.layout.home), cluster.layout.identity
    found = [" ".join(one.arguments) for one in processes.running() if one.belongs_to(cluster.layout.bin)]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if home in line]
    found += [str(folder) for folder in cgroup_folders(identity) if folder.exists()]
    found += [str(path) for path in cluster.layout.home.parent.glob(f"{cluster.name}*")]
    found += [str(path) for path in Path("/sys/class/net").glob(f"{identity}*")]
    return found


def command(words: str, cluster: Cluster) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "localcluster", *words.split(), "--name", cluster.name]
    return subprocess.Popen(program, cwd=SOURCES.parent, stdout=subprocess.DEVNULL)


def kill_when(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a command at a moment of its work; whether it came that far is asked, too."""
    wait_until(condition, "the moment to kill", 60, interval=0.001)
    process.kill()
    assert process.wait() == -9


def test_a_second_up_of_a_node_only_looks(cluster: Cluster) -> None:
    node = cluster.node.pid
    started = time.monotonic()
    cluster.up()
    assert time.monotonic() - started < 1
    assert cluster.node.pid == node


def test_two_nodes_side_by_side_run_a_pod_each(cluster: Cluster) -> None:
    with Cluster("neighbour") as neighbour:
        neighbour.load_images([catalog.base_image()])
        assert run(neighbour, pod("beside", "print('neighbour')")) == "neighbour\n"
        assert run(cluster, pod("beside", "print('shared')")) == "shared\n"


def test_up_repairs_a_node_whose_programs_were_killed(cluster: Cluster) -> None:
    for component in ("kubelet", "containerd", "kube-scheduler", "kube-proxy"):
        cluster.kill(component)
    assert cluster.missing() == {"kubelet", "containerd", "kube-scheduler", "kube-proxy"}
    cluster.up()
    assert run(cluster, pod("repaired", "print('again')")) == "again\n"


def test_up_makes_a_node_again_that_was_killed_whole_and_keeps_its_objects(
    node_possible: None,
) -> None:
    with Cluster("rebooted") as rebooted:
        rebooted.load_images([catalog.base_image()])
        apply(rebooted, pod("before", FOREVER, restartPolicy="Always"))
        wait_for(rebooted, "before", "Running")
        rebooted.node.stop()  # as a power cut would
        rebooted.up()
        assert run(rebooted, pod("after", "print('back')")) == "back\n"
        wait_until(lambda: executes(rebooted, "before"), "the pod to run again", 45)


def executes(cluster: Cluster, name: str) -> bool:
    return cluster.kubectl("exec", name, "--", "echo", "here", check=False) == "here\n"


@pytest.mark.parametrize("program", ["node", "etcd", "kubelet"])
def test_up_that_was_killed_halfway_is_completed_by_the_next(program: str, node_possible: None) -> None:
    halfway = Cluster("halfway")
    starting = command("up", halfway)
    kill_when(lambda: program in processes.alive(halfway.layout.bin), starting)
    with halfway:
        assert halfway.healthy()
        counts = [
            one.arguments[0] for one in processes.running() if one.arguments[0].startswith(f"{halfway.layout.bin}/")
        ]
        assert len(counts) == len(set(counts)), "a program runs twice"
    assert traces(halfway) == []


def test_down_that_was_killed_halfway_is_completed_by_the_next(node_possible: None) -> None:
    leaving = Cluster("leaving").up()
    stopping = command("down", leaving)
    kill_when(lambda: leaving.node.pid is None, stopping)
    leaving.down()
    assert traces(leaving) == []


def test_down_leaves_no_process_mount_namespace_cgroup_link_or_folder(node_possible: None) -> None:
    passing = Cluster("passing-node").up()
    passing.load_images([catalog.base_image()])
    apply(passing, pod("running", FOREVER))
    wait_for(passing, "running", "Running")
    node = passing.node.pid
    assert node is not None
    namespaces = namespaces_of(node)
    assert namespaces
    pods = pids_below(passing)
    assert pods
    passing.down()
    assert traces(passing) == []
    assert not pods & {process.pid for process in processes.running()}
    assert not namespaces & all_namespaces()


def test_down_of_what_was_never_up_is_harmless(clusters_home: Path) -> None:
    Cluster("never").down()
    assert traces(Cluster("never")) == []
