"""A registry of images on this machine, for as long as a `with` lasts.

    with running(folder) as registry:
        registry.host                  "127.0.0.1:23456", what images are named by

It speaks plain HTTP on the loopback address only, and keeps everything in the folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcluster.binaries import ensure_registry
from localcluster.errors import LocalClusterError
from localcluster.ports import free_ports

_SECONDS = 20.0


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
    with found.log.open("wb") as log:
        command = [str(program), "serve", str(config)]
        process = subprocess.Popen(command, env=_environment(), stdout=log, stderr=log)
    try:
        _wait(process, found)
        yield found
    finally:
        process.terminate()
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _configuration(folder: Path, host: str, auth: Mapping[str, Any] | None) -> dict[str, Any]:
    """What its own documentation describes; JSON is YAML."""
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}, "delete": {"enabled": True}},
        "http": {"addr": host},
        **({"auth": dict(auth)} if auth else {}),
    }


def _environment() -> dict[str, str]:
    """Without what the registry takes for settings of its own: Podman's REGISTRY_AUTH_FILE is none."""
    return {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}


def _wait(process: subprocess.Popen[bytes], registry: Registry) -> None:
    deadline = time.monotonic() + _SECONDS
    while not _answers(registry.host):
        if process.poll() is not None or time.monotonic() > deadline:
            raise LocalClusterError(f"the registry did not start:\n{registry.log.read_text()[-2000:]}")
        time.sleep(0.02)


def _answers(host: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}/v2/", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True  # it wants a password
    except OSError:
        return False
