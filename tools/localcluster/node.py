"""A machine in the machine: own processes, own mounts, own network; gone when its first process is.

::

    this machine                         node (pid, mount and network namespace)
    ┌───────────────────────────┐       ┌────────────────────────────────────────────────┐
    │ wl1a2b3c4d 10.231.0.1/30  │═══════│ eth0 10.231.0.2/30       cni0 10.88.0.1/16 ─ pods │
    │ …/clusters/demo/bin/node  │       │ pid 1: node; etcd … kubelet, containerd, shims │
    │ …/clusters/demo/node/     │───────│ /run/node    (/run, /var/log: its own)         │
    └───────────────────────────┘       └────────────────────────────────────────────────┘

Everything that a node leaves lying about, such as mounts, bridges, packet filters, sockets, shims and pods,
is inside its namespaces, which the kernel takes down with pid 1. So ``stop`` is one SIGKILL, and a node that
was killed halfway through its start is no different from one that never was. Outside are only the folder,
the cgroups, and this end of the link.

The node reaches this machine by its end of the link, and nothing beyond.
"""

from __future__ import annotations

import errno
import functools
import ipaddress
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localcluster import processes
from localcluster.components import NODE_HOME, POD_GATEWAY, POD_NETWORK
from localcluster.errors import LocalClusterError
from localcluster.paths import Layout

# A private range that few networks use; each node takes four addresses of it.
LINK_NETWORK = ipaddress.IPv4Network("10.231.0.0/18")

# A bridge without an address of its own has the lowest of its ports: with each pod that comes or goes it may be another
# one, and what others send to the one before is not routed. Connections that begin then never come to be.
GATEWAY_MAC = "02:00:0a:58:00:01"

CGROUPS = Path("/sys/fs/cgroup")

# What the kubelet would set for the whole machine; inside, it gets files that only look like these.
_MACHINE_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)

# Becomes pid 1 of the node in the end, so nobody sees a node that is not furnished.
# $1: the program to become; $2: the node's folder; the rest: settings to shadow.
_FURNISH = f"""\
mount --make-rshared /
program=$1 home=$2
shift 2
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p {NODE_HOME} /run/lock /run/netns /run/settings /run/lib.upper /run/lib.work
mount --bind "$home" {NODE_HOME}
mount -t tmpfs -o mode=755 tmpfs /var/log
mount -t overlay -o lowerdir=/var/lib,upperdir=/run/lib.upper,workdir=/run/lib.work overlay /var/lib
for setting; do
  shadow=/run/settings/$(echo "$setting" | tr / .)
  cat "/proc/sys/$setting" > "$shadow"
  mount --bind "$shadow" "/proc/sys/$setting"
done
exec "$program"
"""


@dataclass(frozen=True)
class Link:
    """The two addresses of a node's link to this machine."""

    machine: str
    node: str

    @classmethod
    def free(cls, reserved: Iterable[str]) -> Link:
        """Addresses that nothing on this machine has; call it with the machine locked."""
        in_use = (*_routes(), *reserved)
        taken = [ipaddress.IPv4Network(network, strict=False) for network in in_use]
        for candidate in LINK_NETWORK.subnets(new_prefix=30):
            if not any(candidate.overlaps(network) for network in taken):
                machine, node = candidate.hosts()
                return cls(str(machine), str(node))
        raise LocalClusterError(f"no four addresses of {LINK_NETWORK} are free for the node's link")


@dataclass(frozen=True)
class Node:
    """The node of one cluster."""

    layout: Layout

    @property
    def program(self) -> Path:
        """Pid 1 of the node, by the path that identifies it."""
        return self.layout.bin / "node"

    @property
    def pid(self) -> int | None:
        """Pid 1 of the node, as this machine counts; None when there is no node."""
        found = processes.find(self.program)
        return found[0].pid if found else None

    def start(self) -> None:
        """Make the namespaces, unless they are there."""
        if self.pid:
            return
        self._check_place()
        self.stop()  # what is left of a start that was interrupted
        self.layout.node.mkdir(parents=True, exist_ok=True)
        log = self.layout.logs / "node.log"
        settings = [name for name in _MACHINE_SETTINGS if (Path("/proc/sys") / name).exists()]
        furnish = ["sh", "-ec", _FURNISH, "node", str(self.program), str(self.layout.node)]
        namespaces = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--net"]
        processes.start([*namespaces, *furnish, *settings], log)
        processes.wait_until(
            lambda: self.pid is not None,
            "the node's namespaces",
            10,
            explain=lambda: processes.tail(log),
        )

    def stop(self) -> None:
        """Kill pid 1, and with it everything inside; then remove what is outside."""
        processes.kill(
            lambda process: process.runs(self.program) or process.is_about_to_run(self.program),
            "the node",
        )
        _remove_link(self.layout.identity)

    def enter(self, *command: str) -> list[str]:
        """A command line that runs a command inside the node."""
        pid = self.pid
        if pid is None:
            raise LocalClusterError(f"the node of cluster {self.layout.home.name} does not run")
        return ["nsenter", f"--target={pid}", "--pid", "--mount", "--net", "--", *command]

    def connect(self, link: Link) -> None:
        """Make the network inside the node and the link to it, where missing."""
        name = self.layout.identity
        if not _exists(name):
            _ip(f"link add {name} type veth peer name eth0 netns {self.pid}")
        _ip(f"addr replace {link.machine}/30 dev {name}")
        _ip(f"link set {name} up")
        for line in _inner_network(link):
            _check(self.enter("sh", "-ec", line))

    def make_cgroups(self) -> None:
        """The cgroup that all pods of this node are in, in every hierarchy."""
        for folder in cgroup_folders(self.layout.identity):
            folder.mkdir(exist_ok=True)
            _inherit_cpus(folder)

    def remove_cgroups(self) -> None:
        """Remove the pods' cgroups. Their processes have been killed; the kernel needs a moment to see them off."""
        for root in cgroup_folders(self.layout.identity):
            for folder in sorted(_folders_below(root), reverse=True):
                processes.wait_until(functools.partial(_is_removed, folder), f"{folder} to be empty", 30.0)

    def _check_place(self) -> None:
        if self.layout.home.resolve().is_relative_to("/run"):
            raise LocalClusterError(
                f"{self.layout.home} is below /run, which each node has of its own: "
                "set WINDLASS_CLUSTER_HOME to another folder"
            )


def _inner_network(link: Link) -> tuple[str, ...]:
    """Shell lines, each harmless when repeated."""
    prefix = POD_NETWORK.split("/")[1]
    return (
        "ip link set lo up",
        f"ip addr replace {link.node}/30 dev eth0; ip link set eth0 up",
        f"ip link show cni0 >/dev/null 2>&1 || ip link add cni0 address {GATEWAY_MAC} type bridge",
        f"ip addr replace {POD_GATEWAY}/{prefix} dev cni0; ip link set cni0 up",
        "echo 1 > /proc/sys/net/ipv4/ip_forward",
    )


def cgroup_folders(name: str) -> list[Path]:
    """Where a cgroup of this name is, or would be: one folder in v2, one per controller in v1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / name]
    hierarchies = {entry.resolve() for entry in CGROUPS.iterdir() if entry.is_dir()}
    return sorted(root / name for root in hierarchies if (root / "cgroup.procs").exists())


def _is_removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def _inherit_cpus(folder: Path) -> None:
    """In v1 a new cpuset is empty, and takes no process before it has processors and memory."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        setting = folder / name
        if (folder / "tasks").exists() and setting.exists() and not setting.read_text().strip():
            setting.write_text((folder.parent / name).read_text())


def _folders_below(root: Path) -> Iterable[Path]:
    if not root.is_dir():
        return
    yield root
    for entry in root.iterdir():
        if entry.is_dir():
            yield from _folders_below(entry)


def _routes() -> list[str]:
    output = _check(["ip", "-4", "-json", "route", "show", "table", "all"])
    destinations = [str(route["dst"]) for route in json.loads(output or "[]")]
    return [destination for destination in destinations if destination[0].isdigit()]


def _exists(link: str) -> bool:
    return Path(f"/sys/class/net/{link}").exists()


def _ip(words: str) -> None:
    _check(["ip", *words.split()])


def _check(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LocalClusterError(f"{' '.join(command)} failed:\n{result.stderr.strip()}")
    return result.stdout


def _remove_link(name: str) -> None:
    """The link goes with the namespace, but not at once; either way it is gone afterwards."""
    if _exists(name):
        result = subprocess.run(["ip", "link", "delete", name], capture_output=True, text=True, check=False)
        if result.returncode and _exists(name):
            raise LocalClusterError(f"cannot remove the link {name}:\n{result.stderr.strip()}")
