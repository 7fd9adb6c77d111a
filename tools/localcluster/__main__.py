"""The command line: ``python -m localcluster up``, ``… kubectl get pods``, ``… down``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from localcluster import catalog, cluster, image_registry, images, pki, prerequisites, processes
from localcluster.binaries import ensure_binaries, ensure_object_store, ensure_registry
from localcluster.cluster import Cluster
from localcluster.errors import LocalClusterError
from localcluster.paths import cluster_names


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the status to exit with."""
    chosen = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = chosen.command
    try:
        return command(chosen)
    except LocalClusterError as error:
        print(f"windlass: {error}", file=sys.stderr)
        return 1


def up(chosen: argparse.Namespace) -> int:
    """Start or repair a cluster."""
    started = Cluster(chosen.name, control_plane_only=chosen.control_plane_only).up()
    print(f"export KUBECONFIG={started.kubeconfig}")
    return 0


def down(chosen: argparse.Namespace) -> int:
    """Remove a cluster, or all of them."""
    if chosen.all:
        cluster.down_all()
    else:
        Cluster(chosen.name).down()
    return 0


def status(chosen: argparse.Namespace) -> int:
    """Say what runs; the exit status is 0 when all named clusters are healthy."""
    names = cluster_names() if chosen.all else [chosen.name]
    return max([_status_of(name) for name in names], default=0)


def _status_of(name: str) -> int:
    if name not in cluster_names():
        print(f"{name}: there is no such cluster")
        return 1
    one = cluster.existing(name)
    missing = one.missing()
    healthy = one.healthy()
    kind = "control plane only" if one.control_plane_only else "with a node"
    state = "healthy" if healthy else "running, not ready"
    if missing:
        state = f"not running: {processes.names(missing)}"
    print(f"{name}: {kind}, {one.server}, {state}")
    return 0 if healthy else 1


def kubeconfig(chosen: argparse.Namespace) -> int:
    """Print where the kubeconfig is."""
    print(cluster.existing(chosen.name).kubeconfig)
    return 0


def registry(chosen: argparse.Namespace) -> int:
    """Have the cluster keep a registry; print its host, and the image in it that others can be based on."""
    host = cluster.existing(chosen.name).keep_registry()
    print(f"registry={host}\nbase_image={image_registry.push(host, catalog.BUILDING, catalog.building_image())}")
    return 0


def store(chosen: argparse.Namespace) -> int:
    """Have the cluster keep a store that speaks S3; print which files have the chart's values for it, and its keys."""
    one = cluster.existing(chosen.name)
    kept = one.keep_store()
    for name, file, content in (
        ("values", "store.yaml", kept.chart_values()),
        ("keys", "store.env", kept.secret_file()),
    ):
        pki.write_private(one.layout.home / file, content)
        print(f"{name}={one.layout.home / file}")
    return 0


def tool(chosen: argparse.Namespace) -> int:
    """Become kubectl or helm, led to the cluster."""
    one = cluster.existing(chosen.name)
    program = str(one.layout.bin / chosen.tool)
    os.execve(program, [program, *chosen.arguments], one.environment())


def build_images(chosen: argparse.Namespace) -> int:
    """Build the images, and load them or save them."""
    built = catalog.all_images()
    for image in built:
        print(f"{' '.join(image.names)} {image.manifest.digest}")
    if chosen.save:
        images.save_archive(built, chosen.save)
    if chosen.load:
        loaded = cluster.existing(chosen.name).load_images(built)
        print(f"loaded: {' '.join(loaded) or 'nothing, all were there'}")
    return 0


def load(chosen: argparse.Namespace) -> int:
    """Load archives that something else built."""
    missing = [str(archive) for archive in chosen.archives if not archive.is_file()]
    if missing:
        raise LocalClusterError(f"there is no file {missing[0]}")
    one = cluster.existing(chosen.name)
    before = one.loaded_images()
    for archive in chosen.archives:
        one.load_image(archive)
    loaded = [name for name, digest in one.loaded_images().items() if before.get(name) != digest]
    print(f"loaded: {' '.join(loaded) or 'nothing, all were there'}")
    return 0


def logs(chosen: argparse.Namespace) -> int:
    """Print the end of the components' logs."""
    folder = cluster.existing(chosen.name).layout.logs
    for log in sorted(folder.glob("*.log")):
        if not chosen.components or log.stem in chosen.components:
            print(f"--- {log.stem}\n{processes.tail(log, chosen.lines)}")
    return 0


def restart(chosen: argparse.Namespace) -> int:
    """Kill a component and start it again."""
    cluster.existing(chosen.name).restart(chosen.component)
    return 0


def build(chosen: argparse.Namespace) -> int:
    """Build the programs, and start nothing."""
    ensure_binaries(node=not chosen.control_plane_only)
    ensure_registry()
    ensure_object_store()
    return 0


def need(chosen: argparse.Namespace) -> int:
    """Name what is missing on this machine, or install it."""
    if chosen.install:
        installed = prerequisites.install_prerequisites()
        print(f"installed: {' '.join(installed) or 'nothing, all is here'}")
        return 0
    lacking = prerequisites.missing(prerequisites.EVERYTHING)
    print(prerequisites.message(lacking) if lacking else "all is here")
    return 1 if lacking else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localcluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_life(commands)
    _add_use(commands)
    _add_making(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(commands: _Commands, name: str, command: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
    parser.add_argument("--name", default="default", help="the cluster (default: %(default)s)")
    parser.set_defaults(command=command)
    return parser


def _add_life(commands: _Commands) -> None:
    one = _add(commands, "up", up)
    one.add_argument("--control-plane-only", action="store_true", help="no node, so no pods and no root")
    one = _add(commands, "down", down)
    one.add_argument("--all", action="store_true", help="every cluster of the state folder")
    one = _add(commands, "status", status)
    one.add_argument("--all", action="store_true", help="every cluster of the state folder")
    one = _add(commands, "restart", restart)
    one.add_argument("component")
    one = _add(commands, "logs", logs)
    one.add_argument("components", nargs="*", help="default: all")
    one.add_argument("--lines", type=int, default=20, help="of each (default: %(default)s)")


def _add_use(commands: _Commands) -> None:
    _add(commands, "kubeconfig", kubeconfig)
    _add(commands, "registry", registry)
    _add(commands, "store", store)
    for name in ("kubectl", "helm"):
        one = _add(commands, name, tool)
        one.set_defaults(tool=name)
        one.add_argument("arguments", nargs=argparse.REMAINDER, help=f"what {name} gets")


def _add_making(commands: _Commands) -> None:
    one = _add(commands, "images", build_images)
    one.add_argument("--load", action="store_true", help="into the cluster")
    one.add_argument("--save", type=Path, metavar="FILE", help="as one OCI archive")
    one = _add(commands, "load", load)
    one.add_argument("archives", type=Path, nargs="+", metavar="ARCHIVE", help="of docker save, podman save, …")
    one = _add(commands, "build", build)
    one.add_argument("--control-plane-only", action="store_true", help="not containerd")
    one = _add(commands, "prerequisites", need)
    one.add_argument("--install", action="store_true", help="by apt-get, as root")


if __name__ == "__main__":
    sys.exit(main())
