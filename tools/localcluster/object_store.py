"""A store that speaks S3 on this machine, for as long as a `with` lasts: versitygw over a folder.

    with running(folder) as store:
        store.endpoint                 "http://127.0.0.1:23456"
        store.environment()            what clients find it and its keys by

It listens on one address, and keeps everything in the folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcluster.binaries import ensure_object_store
from localcluster.ports import free_ports
from localcluster.servers import environment_without, serving


@dataclass(frozen=True)
class ObjectStore:
    """A running store, and the keys of its administrator."""

    endpoint: str
    log: Path
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


@contextmanager
def running(folder: Path, host: str = "127.0.0.1") -> Iterator[ObjectStore]:
    """Start one that keeps its objects in ``folder``. ``host`` is the address of this machine that it listens on: that
    of a cluster's link (``Cluster.machine_address``) where pods are to reach it.
    """
    program = ensure_object_store()
    objects, properties = folder / "objects", folder / "properties"
    for path in (objects, properties):
        path.mkdir(parents=True, exist_ok=True)
    address = f"{host}:{free_ports(1)[0]}"
    store = ObjectStore(f"http://{address}", folder / "log")
    command = [str(program), "--port", address, "--quiet", "--keep-alive"]
    command += ["posix", "--sidecar", str(properties), str(objects)]
    keys = {"ROOT_ACCESS_KEY": store.access_key, "ROOT_SECRET_KEY": store.secret_key}
    with serving("the object store", command, environment_without("VGW_", "ROOT_") | keys, store.log, store.endpoint):
        yield store
