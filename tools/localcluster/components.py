"""Which programs make a cluster, and with which flags and files. Pure: it reads and starts nothing.

::

    control plane only           etcd  kube-apiserver  kube-controller-manager
    with a node                  … and kube-scheduler  containerd  kubelet  kube-proxy
    with a registry              … and registry  registry-here
    with a store                 … and object-store

Inside a node every cluster has the same addresses for pods and services, since each node is a network of
its own; only the link to the machine differs.

A registry is two processes over one folder, at the same port of two networks: one where the node runs, which pulls
from it, one on this machine, where builders push to it. So `localhost:PORT/name` is the same image for both, and as
everybody lets a registry of the same machine speak plain HTTP, nobody has to be told of it. A store is one process, on
the machine's end of the link to the node, where pods and this machine reach it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from localcluster import object_store, pki
from localcluster.image_registry import configuration
from localcluster.paths import Layout

POD_NETWORK = "10.88.0.0/16"
POD_GATEWAY = "10.88.0.1"
SERVICE_NETWORK = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
PAUSE_IMAGE = "localhost/pause:1"

# Where the node sees its own state folder: short, because socket paths are limited to 107 bytes.
NODE_HOME = Path("/run/node")
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"

ANSWER_FAST = ("--kube-api-qps=300", "--kube-api-burst=600")


@dataclass(frozen=True)
class Endpoints:
    """Where a cluster listens; chosen when it is made, and kept."""

    control_plane_only: bool
    address: str
    api_port: int
    etcd_port: int
    etcd_peer_port: int
    machine_address: str
    registry_port: int = 0  # none
    store_port: int = 0  # none

    @property
    def server(self) -> str:
        """The API server's URL, for this machine and for the node."""
        return f"https://{self.address}:{self.api_port}"

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """Every name that someone calls the API server by."""
        services = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
        addresses = dict.fromkeys(("127.0.0.1", KUBERNETES_SERVICE, self.address))
        return (*(f"DNS:{name}" for name in services), *(f"IP:{ip}" for ip in addresses))

    def to_json(self) -> str:
        """The form kept in the state folder."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Endpoints:
        """The reverse of ``to_json``."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Component:
    """One program of a cluster."""

    name: str
    arguments: tuple[str, ...]
    on_this_machine: bool = False  # though the cluster has a node
    variables: dict[str, str] = field(default_factory=dict)


def components(layout: Layout, endpoints: Endpoints) -> tuple[Component, ...]:
    """What should run, in the order of starting."""
    control_plane = (
        _etcd(layout, endpoints),
        _api_server(layout, endpoints),
        _controller_manager(layout),
    )
    if endpoints.control_plane_only:
        return control_plane
    return (
        *control_plane,
        _containerd(),
        _scheduler(layout),
        _kubelet(layout, endpoints),
        _proxy(),
        *(_registry(layout) if endpoints.registry_port else ()),
        *(_store(layout, endpoints) if endpoints.store_port else ()),
    )


def _registry(layout: Layout) -> tuple[Component, ...]:
    return (
        Component("registry", ("serve", f"{NODE_HOME}/registry.json")),
        Component("registry-here", ("serve", f"{layout.node}/registry-here.json"), on_this_machine=True),
    )


def store_of(layout: Layout, endpoints: Endpoints) -> object_store.ObjectStore:
    """The store of a cluster that has one."""
    return object_store.ObjectStore(f"http://{endpoints.machine_address}:{endpoints.store_port}", layout.store)


def _store(layout: Layout, endpoints: Endpoints) -> tuple[Component, ...]:
    told = object_store.arguments(f"{endpoints.machine_address}:{endpoints.store_port}", layout.store)
    return (Component("object-store", told, on_this_machine=True, variables=store_of(layout, endpoints).keys()),)


def _etcd(layout: Layout, endpoints: Endpoints) -> Component:
    clients = f"http://127.0.0.1:{endpoints.etcd_port}"
    peers = f"http://127.0.0.1:{endpoints.etcd_peer_port}"
    return Component(
        "etcd",
        (
            f"--data-dir={layout.etcd}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",  # nothing here has to outlive a power cut
            "--quota-backend-bytes=8589934592",
            "--log-level=warn",
        ),
    )


def _api_server(layout: Layout, endpoints: Endpoints) -> Component:
    keys = layout.pki
    return Component(
        "kube-apiserver",
        (
            f"--etcd-servers=http://127.0.0.1:{endpoints.etcd_port}",
            f"--secure-port={endpoints.api_port}",
            f"--advertise-address={endpoints.address}",
            *_reach(endpoints),
            f"--tls-cert-file={keys}/apiserver.crt",
            f"--tls-private-key-file={keys}/apiserver.key",
            f"--client-ca-file={keys}/ca.crt",
            f"--token-auth-file={keys}/tokens.csv",
            f"--service-account-key-file={keys}/sa.key",
            f"--service-account-signing-key-file={keys}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--kubelet-client-certificate={keys}/apiserver-client.crt",
            f"--kubelet-client-key={keys}/apiserver-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--authorization-mode=Node,RBAC",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            "--allow-privileged=true",
            "--enable-aggregator-routing=false",
        ),
    )


def _reach(endpoints: Endpoints) -> tuple[str, ...]:
    """Without a node nobody but this machine calls, and no service has to lead to the server."""
    if endpoints.control_plane_only:
        return ("--bind-address=127.0.0.1", "--endpoint-reconciler-type=none")
    return ()


def _controller_manager(layout: Layout) -> Component:
    return Component(
        "kube-controller-manager",
        (
            f"--kubeconfig={layout.pki}/kube-controller-manager.kubeconfig",
            f"--service-account-private-key-file={layout.pki}/sa.key",
            f"--root-ca-file={layout.pki}/ca.crt",
            f"--cluster-signing-cert-file={layout.pki}/ca.crt",
            f"--cluster-signing-key-file={layout.pki}/ca.key",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--secure-port=0",
            *ANSWER_FAST,
        ),
    )


def _scheduler(layout: Layout) -> Component:
    return Component(
        "kube-scheduler",
        (
            f"--kubeconfig={layout.pki}/kube-scheduler.kubeconfig",
            "--leader-elect=false",
            "--secure-port=0",
            *ANSWER_FAST,
        ),
    )


def _containerd() -> Component:
    return Component("containerd", (f"--config={NODE_HOME}/containerd.toml",))


def _kubelet(layout: Layout, endpoints: Endpoints) -> Component:
    return Component(
        "kubelet",
        (
            f"--config={NODE_HOME}/kubelet.json",
            f"--kubeconfig={layout.pki}/kubelet.kubeconfig",
            f"--root-dir={NODE_HOME}/kubelet",
            f"--cert-dir={NODE_HOME}/kubelet/pki",
            f"--hostname-override={pki.NODE_NAME}",
            f"--node-ip={endpoints.address}",
        ),
    )


def _proxy() -> Component:
    return Component("kube-proxy", (f"--config={NODE_HOME}/kube-proxy.json",))


def node_files(layout: Layout, endpoints: Endpoints) -> dict[str, str]:
    """The files that the node's programs read, by their names below the node's folder."""
    host = f"127.0.0.1:{endpoints.registry_port}"
    return {
        "containerd.toml": CONTAINERD,
        "cni/10-bridge.conflist": _json(_cni()),
        "kubelet.json": _json(_kubelet_configuration(layout)),
        "kube-proxy.json": _json(_proxy_configuration(layout)),
        # The node has no way to a name server; an address where nobody answers fails at once.
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        **(
            {
                "registry.json": _json(configuration(NODE_HOME / "registry", host)),
                "registry-here.json": _json(configuration(layout.node / "registry", host)),
            }
            if endpoints.registry_port
            else {}
        ),
    }


CONTAINERD = f"""\
version = 3
root = "{NODE_HOME}/containerd"
state = "/run/containerd"
# Each would make folders outside of the node's own.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]

[grpc]
  address = "{CONTAINERD_SOCKET}"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE_IMAGE}"

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE runc cannot lower a score, and dies of the attempt.
  restrict_oom_score_adj = true
  enable_cdi = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni", "/opt/cni/bin"]
    conf_dir = "{NODE_HOME}/cni"
"""


def _cni() -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": POD_NETWORK, "gateway": POD_GATEWAY}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}


def _kubelet_configuration(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{layout.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.identity}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "failCgroupV1": False,
        "oomScoreAdj": 0,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "clusterDNS": [],
        "resolvConf": f"{NODE_HOME}/resolv.conf",
        "podLogsDir": f"{NODE_HOME}/pod-logs",
        "volumePluginDir": f"{NODE_HOME}/volume-plugins",
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
        },
        # An image loaded from a file cannot be pulled again, so none is ever collected.
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 300,
        "kubeAPIBurst": 600,
        "featureGates": {"ImageVolume": True},
    }


def _proxy_configuration(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": f"{layout.pki}/kube-proxy.kubeconfig"},
        # The kernel lets only the machine's own network change these limits.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "hostnameOverride": pki.NODE_NAME,
        "clusterCIDR": POD_NETWORK,
        "oomScoreAdj": 0,
    }


def _json(value: dict[str, object]) -> str:
    return json.dumps(value, indent=2) + "\n"
