"""A store that speaks S3 on this machine: versitygw over a folder, a part of a cluster, or as long as a `with` lasts.

    with running(folder) as store:
        store.endpoint                 "http://127.0.0.1:23456"
        store.environment()            what clients find it and its keys by

It listens on one address, and keeps everything in the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcluster.binaries import ensure_object_store
from localcluster.ports import free_ports
from localcluster.servers import environment_without, serving

BUCKET, SECRET = "windlass", "windlass-store"
"""In the store of a cluster, and what the chart is told that the keys are in."""


@dataclass(frozen=True)
class ObjectStore:
    """A running store, and the keys of its administrator."""

    endpoint: str
    folder: Path
    """Its buckets are in `objects`."""
    access_key: str = "windlass"
    secret_key: str = "windlass-secret"
    region: str = "us-east-1"

    def environment(self) -> dict[str, str]:
        """The variables that S3 clients read."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def keys(self) -> dict[str, str]:
        """The variables by which its program knows them."""
        return {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}

    def chart_values(self) -> str:
        """What the chart of Windlass has to be told of it. JSON is YAML."""
        values = {
            "prefix": f"s3://{BUCKET}/{{namespace}}",
            "endpoint": self.endpoint,
            "region": self.region,
            "pathStyle": True,
            "secret": SECRET,
        }
        return json.dumps({"store": values}, indent=2) + "\n"

    def secret_file(self) -> str:
        """The keys, as `kubectl create secret --from-env-file` and shells read them, and where it is."""
        told = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
        return "".join(f"{name}={self.environment()[name]}\n" for name in told)


def arguments(address: str, folder: Path) -> tuple[str, ...]:
    """What its program is told. Folders in `objects` are its buckets."""
    listening = ("--port", address, "--quiet", "--keep-alive")
    return (*listening, "posix", "--sidecar", str(folder / "properties"), str(folder / "objects"))


def make_folders(folder: Path, *buckets: str) -> None:
    """What has to be there before its program starts."""
    for name in ("properties", "objects", *(f"objects/{bucket}" for bucket in buckets)):
        (folder / name).mkdir(parents=True, exist_ok=True)


@contextmanager
def running(folder: Path, host: str = "127.0.0.1") -> Iterator[ObjectStore]:
    """Start one that keeps its objects in ``folder``. ``host`` is the address of this machine that it listens on: that
    of a cluster's link (``Cluster.machine_address``) where pods are to reach it.
    """
    program = ensure_object_store()
    make_folders(folder)
    address = f"{host}:{free_ports(1)[0]}"
    store = ObjectStore(f"http://{address}", folder)
    command = [str(program), *arguments(address, folder)]
    environment = environment_without("VGW_", "ROOT_") | store.keys()
    with serving("the object store", command, environment, folder / "log", store.endpoint):
        yield store
