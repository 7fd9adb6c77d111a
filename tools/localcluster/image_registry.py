"""Registries of images on this machine: how one is configured, how images get into one.

    with running(folder) as registry:       one by itself, for as long as the `with` lasts
        registry.host                       "127.0.0.1:23456", what images are named by
        push(registry.host, "python:3", image)

They speak plain HTTP on the loopback address only, and keep everything in a folder. That of a cluster is one of its
components (`components`).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcluster.binaries import ensure_registry
from localcluster.errors import LocalClusterError
from localcluster.images import Blob, Image
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
    config.write_text(json.dumps({**configuration(folder / "images", host), **({"auth": dict(auth)} if auth else {})}))
    found = Registry(host, folder / "log")
    # Podman's REGISTRY_AUTH_FILE is no setting of the registry's
    environment = environment_without("REGISTRY_")
    with serving("the registry", [str(program), "serve", str(config)], environment, found.log, f"http://{host}/v2/"):
        yield found


def configuration(images: Path, address: str) -> dict[str, Any]:
    """What its own documentation describes; JSON is YAML."""
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(images)}, "delete": {"enabled": True}},
        "http": {"addr": address},
    }


def push(host: str, name: str, image: Image) -> str:
    """Have a registry that asks for no password keep an image; by what it can be pulled: ``host/name``.

    Blobs that are there are not sent again.
    """
    repository, _, tag = name.rpartition(":")
    base = f"http://{host}/v2/{repository}"
    for blob in (image.config, *image.layers):
        if not _has(f"{base}/blobs/{blob.digest}"):
            place = _request("POST", f"{base}/blobs/uploads/").headers["Location"]
            joint = "&" if "?" in place else "?"
            _send("PUT", f"{place}{joint}digest={blob.digest}", blob, "application/octet-stream")
    _send("PUT", f"{base}/manifests/{tag}", image.manifest, image.manifest.media_type)
    return f"{host}/{name}"


def _has(url: str) -> bool:
    try:
        _request("HEAD", url)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise
    return True


def _send(method: str, url: str, blob: Blob, media_type: str) -> None:
    headers = {"Content-Type": media_type, "Content-Length": str(blob.size)}
    try:
        if isinstance(blob.source, bytes):
            _request(method, url, blob.source, headers)
        else:
            with blob.source.open("rb") as content:
                _request(method, url, content, headers)
    except OSError as error:
        raise LocalClusterError(f"the registry did not take {blob.digest}: {error}") from error


def _request(method: str, url: str, content: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """Without a proxy: its loopback address is its own."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, data=content, method=method, headers=dict(headers or {}))
    with opener.open(request, timeout=120) as answer:
        return answer
