"""``make image``: the images of this working tree, brought to where a cluster finds them.

::

    local      built without an engine by tools/localcluster, loaded into the node
    kind       built by Docker from operator/Dockerfile, loaded into kind's node
    current    built by Docker, pushed under IMAGE_REGISTRY for the cluster of the current context
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dev.console import PYTHON, StepError, output, run, say, timed

TARGETS = ("operator", "runtime")
DOCKERFILE = "operator/Dockerfile"


@dataclass(frozen=True)
class Images:
    """What the chart has to know of the images."""

    operator: str
    runtime: str
    identity: str
    """Changes when the content changes although the names do not: then the operator has to be started anew."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and deliver, or say what stands in the way."""
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    parser.add_argument("--cluster", choices=DELIVERIES, default="local")
    parser.add_argument("--name", default="default")
    parser.add_argument("--registry", default="")
    chosen = parser.parse_args(arguments)
    try:
        deliver(chosen.cluster, chosen.name, chosen.registry)
    except StepError as problem:
        say(str(problem))
        return 1
    return 0


def deliver(cluster: str, name: str, registry: str) -> Images:
    """Build the images and bring them to the cluster."""
    with timed("images"):
        return DELIVERIES[cluster](name, registry)


def _to_local(name: str, registry: str) -> Images:
    printed = output([str(PYTHON), "-m", "localcluster", "images", "--name", name, "--load"])
    built = printed.split("loaded:")[0]  # the names with their digests
    return Images("localhost/windlass-operator:dev", "localhost/windlass-runtime:dev", _digest(built))


def _to_kind(name: str, registry: str) -> Images:
    images = _build("localhost")
    run(["kind", "load", "docker-image", "--name", name, images.operator, images.runtime])
    return images


def _to_registry(name: str, registry: str) -> Images:
    if not registry:
        raise StepError(
            "the cluster of the current context takes images from a registry: name one that it can pull from and you\n"
            "can push to, with a prefix if it has one: IMAGE_REGISTRY=registry.example/team"
        )
    images = _build(registry)
    for image in (images.operator, images.runtime):
        run(["docker", "push", image])
    return images


DELIVERIES: dict[str, Callable[[str, str], Images]] = {
    "local": _to_local,
    "kind": _to_kind,
    "current": _to_registry,
}


def _build(prefix: str) -> Images:
    """Both images, tagged by their content: a node that has a tag has the right content."""
    require("docker")
    build = ("docker", "build", "--quiet", "--file", DOCKERFILE)
    found = {target: output([*build, "--target", target, "."]).strip() for target in TARGETS}
    identity = _digest("".join(found.values()))
    for target, image in found.items():
        run(["docker", "tag", image, f"{prefix}/windlass-{target}:{identity}"])
    return Images(f"{prefix}/windlass-operator:{identity}", f"{prefix}/windlass-runtime:{identity}", identity)


def require(*programs: str) -> None:
    """Refuse to go on without these programs, naming all that are missing."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise StepError(f"not on PATH: {', '.join(missing)}. Install it, or use CLUSTER=local, which brings its own.")
    if "docker" in programs and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        raise StepError(
            "docker is here and its engine does not answer: start it, or use CLUSTER=local, which needs none."
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
