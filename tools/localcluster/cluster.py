"""One cluster: up, down, and what one does with it in between.

``up`` brings what runs in line with what should run. It asks the machine, never a note of its own: which
programs run, whether the server answers, whether the node is ready. So calling it on a healthy cluster costs
a moment, on a damaged one it repairs, and after a crash of itself it goes on. ``down`` removes everything,
whatever state it is in.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO

from localcluster import binaries, images, object_store, pki, prerequisites, processes
from localcluster.api import ApiServer
from localcluster.components import (
    CONTAINERD_SOCKET,
    PAUSE_IMAGE,
    Component,
    Endpoints,
    components,
    node_files,
    store_of,
)
from localcluster.errors import LocalClusterError
from localcluster.images import Configuration, Image
from localcluster.locks import file_lock, machine_lock
from localcluster.node import Link, Node
from localcluster.paths import Layout, cache_home, cluster_names
from localcluster.ports import free_ports
from localcluster.servers import answers, environment_without

START_TIMEOUT = 120.0
MISSED_FOR = 2.0  # seconds after which a process that cannot be seen has ended

# For what the components call: containerd its shim, from our own folder; runc, iptables and the like.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Cluster:
    """A cluster by name. Any number of objects may speak of the same cluster."""

    def __init__(self, name: str = "default", control_plane_only: bool = False) -> None:
        self.name = name
        self.control_plane_only = control_plane_only
        self.layout = Layout.of(name)
        self.node = Node(self.layout)
        self._expected: set[str] = set()  # what `up` found running or started: it has to stay alive
        self._kubelet_started = ""

    def __enter__(self) -> Cluster:
        return self.up()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.down()

    # Up and down

    def up(self) -> Cluster:
        """Start or repair the cluster, and wait until it takes work. Returns itself."""
        with self._locked():
            if not self.healthy():
                self._prepare()
                self._start_all()
                self._wait_until_ready()
        return self

    def keep_registry(self) -> str:
        """Have the cluster keep a registry, from now on; its host, ``localhost:PORT``, for builders and for pods."""
        with self._locked():
            endpoints = self.endpoints
            if endpoints.control_plane_only:
                raise LocalClusterError(f"cluster {self.name} has no node, so nobody would pull from a registry")
            if not endpoints.registry_port:
                self._keep(dataclasses.replace(endpoints, registry_port=free_ports(1)[0]))
        self.up()
        return self.registry

    def keep_store(self) -> object_store.ObjectStore:
        """Have the cluster keep a store that speaks S3, from now on: for pods and for this machine."""
        with self._locked():
            endpoints = self.endpoints
            if endpoints.control_plane_only:
                raise LocalClusterError(f"cluster {self.name} has no node, so no pod would use a store")
            if not endpoints.store_port:
                self._keep(dataclasses.replace(endpoints, store_port=free_ports(1)[0]))
        self.up()
        return store_of(self.layout, self.endpoints)

    def down(self) -> None:
        """Remove the cluster with all of its processes, files and traces."""
        if not self.layout.home.parent.is_dir():
            return
        with self._locked(remove=True):
            self.node.stop()
            processes.kill(lambda process: process.belongs_to(self.layout.bin), f"cluster {self.name}")
            self.node.remove_cgroups()
            if self.layout.home.exists():
                shutil.rmtree(self.layout.home)

    def healthy(self) -> bool:
        """Whether all programs run and the cluster takes work."""
        endpoints = self._endpoints()
        if endpoints is None or self.missing():
            return False
        return all(ready() for _, ready in self._conditions(endpoints))

    def missing(self) -> set[str]:
        """The components that should run and do not."""
        return {part.name for part in self._components()} - processes.alive(self.layout.bin)

    def restart(self, component: str) -> None:
        """SIGKILL a component, start it again, and wait until the cluster takes work."""
        self.kill(component)
        self.up()

    def kill(self, component: str) -> None:
        """SIGKILL a component and leave it dead; ``up`` repairs."""
        if component not in {part.name for part in self._components()}:
            raise LocalClusterError(f"cluster {self.name} has no component {component!r}")
        program = self.layout.bin / component
        processes.kill(lambda process: process.runs(program), component)

    # Use

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.layout.kubeconfig

    @property
    def endpoints(self) -> Endpoints:
        """Where the cluster listens."""
        endpoints = self._endpoints()
        if endpoints is None:
            raise LocalClusterError(f"there is no cluster {self.name}: `up` makes it")
        return endpoints

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self.endpoints.server

    @property
    def registry(self) -> str:
        """The host of the cluster's registry, ``localhost:PORT``."""
        port = self.endpoints.registry_port
        if not port:
            raise LocalClusterError(f"cluster {self.name} has no registry: `registry` makes it")
        return f"localhost:{port}"

    @property
    def machine_address(self) -> str:
        """The address by which pods reach servers on this machine."""
        return self.endpoints.machine_address

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """What kubectl prints; when it fails, an error with what it complained of."""
        return self._tool("kubectl", arguments, stdin, check=check)

    def helm(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """What helm prints; when it fails, an error with what it complained of."""
        return self._tool("helm", arguments, stdin, check=check)

    def environment(self) -> dict[str, str]:
        """Variables that lead kubectl, helm and client libraries to this cluster."""
        path = f"{self.layout.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": path}

    def load_image(self, archive: Path) -> None:
        """Make the images of an OCI or Docker archive known to the node."""
        with archive.open("rb") as content:
            self._import(lambda pipe: shutil.copyfileobj(content, pipe, 1 << 20))

    def load_images(self, wanted: Sequence[Image]) -> list[str]:
        """Make images known to the node, except those that are; the names of what was loaded."""
        known = self.loaded_images()
        stale = [image for image in wanted if any(known.get(name) != image.manifest.digest for name in image.names)]
        if stale:
            self._import(lambda pipe: images.write_archive(stale, pipe))
        return [name for image in stale for name in image.names]

    def loaded_images(self) -> dict[str, str]:
        """The digest of each image that the node has, by name."""
        table = self._ctr("images", "ls").splitlines()[1:]
        return {columns[0]: columns[2] for columns in (line.split() for line in table)}

    # How

    def _locked(self, *, remove: bool = False) -> AbstractContextManager[None]:
        waiting_for = f"another command on cluster {self.name}"
        return file_lock(self.layout.lock, waiting_for, remove=remove)

    def _endpoints(self) -> Endpoints | None:
        if not self.layout.state.exists():
            return None
        return Endpoints.from_json(self.layout.state.read_text())

    def _components(self) -> tuple[Component, ...]:
        return components(self.layout, self.endpoints)

    def _prepare(self) -> None:
        """Everything that has to exist before the first program starts."""
        self._check_kind()
        prerequisites.check(node=not self.control_plane_only)
        known = self._endpoints()
        programs = binaries.ensure_binaries(
            node=not self.control_plane_only,
            registry=known is not None and known.registry_port > 0,
            store=known is not None and known.store_port > 0,
        )
        binaries.link(programs, self.layout.bin)
        endpoints = self._endpoints() or self._choose_endpoints()
        pki.create(self.layout.pki, endpoints.server, endpoints.certificate_names)
        pki.write_private(self.kubeconfig, (self.layout.pki / "admin.kubeconfig").read_text())

    def _check_kind(self) -> None:
        endpoints = self._endpoints()
        if endpoints and endpoints.control_plane_only != self.control_plane_only:
            kind = "without" if endpoints.control_plane_only else "with"
            raise LocalClusterError(f"cluster {self.name} was made {kind} a node: `down` comes first")

    def _choose_endpoints(self) -> Endpoints:
        if self.control_plane_only:
            api, etcd, peer = free_ports(3)
            return self._keep(Endpoints(True, "127.0.0.1", api, etcd, peer, "127.0.0.1"))
        self.node.stop()  # of a start that was interrupted before it noted its addresses
        self.node.start()
        with machine_lock("links"):
            link = Link.free(_addresses_in_use())
            self.node.connect(link)
            return self._keep(Endpoints(False, link.node, 6443, 2379, 2380, link.machine))

    def _keep(self, endpoints: Endpoints) -> Endpoints:
        pki.write_private(self.layout.state, endpoints.to_json())
        return endpoints

    def _start_all(self) -> None:
        endpoints = self.endpoints
        if not endpoints.control_plane_only:
            self._furnish_node(endpoints)
        missing = self.missing()
        self._expected = set()
        for part in self._components():
            if part.name == "kubelet":
                self._prepare_containerd()
            if part.name == "object-store":
                object_store.make_folders(self.layout.store, object_store.BUCKET)
            if part.name in missing:
                self._start(part)
            self._expected.add(part.name)

    def _start(self, part: Component) -> None:
        command = [str(self.layout.bin / part.name), *part.arguments]
        if part.name == "kubelet":
            self._kubelet_started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        enter = [] if self.control_plane_only or part.on_this_machine else self.node.enter()
        # a registry takes REGISTRY_… for settings, and Podman's REGISTRY_AUTH_FILE is none of them
        environment = environment_without("REGISTRY_", "VGW_", "ROOT_") | part.variables
        environment |= {"PATH": f"{self.layout.bin}:{SYSTEM_PATH}"}
        processes.start(command, self._log(part.name), enter=enter, environment=environment)

    def _furnish_node(self, endpoints: Endpoints) -> None:
        self.node.start()
        self.node.connect(Link(endpoints.machine_address, endpoints.address))
        self.node.make_cgroups()
        for name, text in node_files(self.layout, endpoints).items():
            path = self.layout.node / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not (path.exists() and path.read_text() == text):  # kube-proxy ends when it is touched
                pki.write_private(path, text)

    def _prepare_containerd(self) -> None:
        """The kubelet wants to be answered when it starts, and pods want the image of their sandbox."""
        self._wait(lambda: self._ctr_answers("version"), "containerd")
        self.load_images([pause_image(self.layout.bin / "pause")])

    def _conditions(self, endpoints: Endpoints) -> tuple[tuple[str, Callable[[], bool]], ...]:
        api = ApiServer(self.kubeconfig)
        control_plane = (
            ("the API server", api.ready),
            ("the default service account", api.has_default_service_account),
        )
        if endpoints.control_plane_only:
            return control_plane
        node_ready = functools.partial(api.node_ready, since=self._kubelet_started)
        node = (*control_plane, ("the node to be ready", node_ready))
        more: list[tuple[str, Callable[[], bool]]] = []
        if endpoints.registry_port:
            more.append(("the registry", functools.partial(answers, f"http://{self.registry}/v2/")))
        if endpoints.store_port:
            more.append(("the store", functools.partial(answers, store_of(self.layout, endpoints).endpoint)))
        return (*node, *more)

    def _wait_until_ready(self) -> None:
        for what, condition in self._conditions(self.endpoints):
            self._wait(condition, what)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        processes.wait_until(lambda: self._none_died() and condition(), what, START_TIMEOUT, explain=self._explain)

    def _none_died(self) -> bool:
        """True, or an error soon: what ended by itself will not become ready by waiting.

        A process that becomes another program has no name meanwhile, and that takes as long as the disk does. So
        only one that stays away has ended.
        """
        away = set(self._expected)
        deadline = time.monotonic() + MISSED_FOR
        while away := away - processes.alive_or_starting(self.layout.bin):
            if time.monotonic() > deadline:
                raise LocalClusterError(f"ended by itself: {processes.names(away)}\n{self._explain()}")
            time.sleep(0.05)
        return True

    def _explain(self) -> str:
        """The end of the logs of what does not run, or else of everything."""
        wanted = self.missing() or {part.name for part in self._components()}
        tails = {name: processes.tail(self._log(name)) for name in sorted(wanted)}
        return "\n".join(f"--- {name}\n{text}" for name, text in tails.items() if text)

    def _log(self, component: str) -> Path:
        return self.layout.logs / f"{component}.log"

    def _tool(self, name: str, arguments: Sequence[str], stdin: str | None, *, check: bool) -> str:
        if not self.kubeconfig.exists():
            raise LocalClusterError(f"there is no cluster {self.name}: `up` makes it")
        command = [str(self.layout.bin / name), *arguments]
        result = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment(),
            check=False,
        )
        if check and result.returncode:
            raise LocalClusterError(
                f"{name} {' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}{result.stderr}".rstrip()
            )
        return result.stdout

    def _ctr_command(self, *arguments: str) -> list[str]:
        program = str(self.layout.bin / "ctr")
        where = ("--address", CONTAINERD_SOCKET, "--namespace", "k8s.io")
        return self.node.enter(program, *where, *arguments)

    def _ctr_answers(self, *arguments: str) -> bool:
        command = self._ctr_command(*arguments)
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _ctr(self, *arguments: str) -> str:
        result = subprocess.run(self._ctr_command(*arguments), capture_output=True, text=True, check=False)
        if result.returncode:
            raise LocalClusterError(f"ctr {' '.join(arguments)} failed:\n{result.stderr.strip()}")
        return result.stdout

    def _import(self, write: Callable[[IO[bytes]], None]) -> None:
        """Have containerd read an archive from a pipe: the node need not see the file."""
        command = self._ctr_command("images", "import", "-")
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdin is not None  # asked for above
            try:
                write(process.stdin)
            except BrokenPipeError:
                process.kill()  # it has stopped reading, and what it says tells why
            output = process.communicate()[0].decode(errors="replace")
        if process.returncode:
            raise LocalClusterError(f"containerd did not take the image:\n{output.strip()}")


def pause_image(program: Path) -> Image:
    """The image of the process that holds a pod's namespaces open."""
    content = program.read_bytes()
    layer = cache_home() / "layers" / f"pause-{hashlib.sha256(content).hexdigest()[:16]}.tar"
    blob = images.packed_layer(layer)
    if blob is None:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(program, Path(folder, "pause"))
            blob = images.pack_layer(Path(folder), layer)
    return Image((PAUSE_IMAGE,), (blob,), Configuration(entrypoint=("/pause",)))


def down_all() -> list[str]:
    """Take down every cluster of the state folder; their names."""
    names = cluster_names()
    for name in names:
        Cluster(name).down()
    return names


def existing(name: str) -> Cluster:
    """The named cluster as it was made."""
    endpoints = Cluster(name).endpoints
    return Cluster(name, control_plane_only=endpoints.control_plane_only)


def _addresses_in_use() -> list[str]:
    """The addresses of all clusters, also of those that do not run now."""
    states = [Layout.of(name).state for name in cluster_names()]
    found = [Endpoints.from_json(state.read_text()) for state in states if state.exists()]
    return [one.address for one in found if not one.control_plane_only]
