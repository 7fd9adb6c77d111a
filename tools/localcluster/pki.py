"""Keys, certificates and tokens of one cluster: made once, together, and never changed.

One authority signs what the API server shows to others (``apiserver``) and what it shows to the kubelet
(``apiserver-client``). Everyone who calls the API server has a token instead of a certificate: a table of
tokens is a file that one can read.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

NODE_NAME = "node"

# Who calls the API server: user name, and the groups that give the user its rights.
USERS: dict[str, tuple[str, str]] = {
    "admin": ("admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
}


def create(folder: Path, server: str, names: Sequence[str]) -> None:
    """Make the whole folder at once, or, when interrupted, none of it."""
    if folder.exists():
        return
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    _service_account_key(draft)
    _authority(draft)
    _certificate(draft, "apiserver", "/CN=kube-apiserver", f"subjectAltName={','.join(names)}")
    _certificate(
        draft,
        "apiserver-client",
        "/O=system:masters/CN=kube-apiserver-kubelet-client",
        "extendedKeyUsage=clientAuth",
    )
    _credentials(draft, server)
    draft.rename(folder)


def kubeconfig(server: str, authority: str, user: str, token: str) -> str:
    """A kubeconfig that needs no other file. JSON is YAML."""
    context = {"cluster": "windlass", "user": user}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "windlass",
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(authority.encode()).decode(),
                },
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "windlass", "context": context}],
        "current-context": "windlass",
    }
    return json.dumps(config, indent=2) + "\n"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, complete or not at all."""
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.rename(path)


def _credentials(folder: Path, server: str) -> None:
    authority = (folder / "ca.crt").read_text()
    rows: list[tuple[str, ...]] = []
    for component, (user, groups) in USERS.items():
        token = secrets.token_urlsafe(24)
        rows.append((token, user, user, groups) if groups else (token, user, user))
        write_private(folder / f"{component}.kubeconfig", kubeconfig(server, authority, user, token))
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    write_private(folder / "tokens.csv", table.getvalue())


def _service_account_key(folder: Path) -> None:
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{folder}/sa.key")


def _authority(folder: Path) -> None:
    _request(folder, "ca", "/CN=windlass-local-cluster")


def _certificate(folder: Path, name: str, subject: str, extension: str) -> None:
    signer = ("-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key")
    leaf = ("-addext", "basicConstraints=critical,CA:FALSE", "-addext", extension)
    _request(folder, name, subject, *signer, *leaf)


def _request(folder: Path, name: str, subject: str, *more: str) -> None:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    files = ("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt")
    _openssl("req", "-x509", *key, *files, "-days", "3650", "-subj", subject, *more)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True)
