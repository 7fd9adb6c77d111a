"""A registry of images on this machine, for as long as a `with` lasts.

    with running(folder) as registry:
        registry.host                  "127.0.0.1:23456", what images are named by

It speaks plain HTTP on the loopback address only, and keeps everything in the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcluster.binaries import ensure_registry
from localcluster.ports import free_ports
from localcluster.servers import environment_without, serving


@dataclass(frozen=True)
class Registry:
    """A running registry."""

    host: str
    log: Path


@contextmanager
def running(folder: Path, *, auth: Mapping[str, Any] | None = None) -> Iterator[Registry]:
    """Start one that keeps its images in ``folder``; ``auth`` is that section of its configuration."""
    program = ensure_registry()
    folder.mkdir(parents=True, exist_ok=True)
    host = f"127.0.0.1:{free_ports(1)[0]}"
    config = folder / "config.json"
    config.write_text(json.dumps(_configuration(folder, host, auth)))
    found = Registry(host, folder / "log")
    # Podman's REGISTRY_AUTH_FILE is no setting of the registry's
    environment = environment_without("REGISTRY_")
    with serving("the registry", [str(program), "serve", str(config)], environment, found.log, f"http://{host}/v2/"):
        yield found


def _configuration(folder: Path, host: str, auth: Mapping[str, Any] | None) -> dict[str, Any]:
    """What its own documentation describes; JSON is YAML."""
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}, "delete": {"enabled": True}},
        "http": {"addr": host},
        **({"auth": dict(auth)} if auth else {}),
    }
