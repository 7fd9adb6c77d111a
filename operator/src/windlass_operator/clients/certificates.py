"""Keys and certificates for the dispatcher of actors, made by ``openssl``, which each image of the operator has.

A certificate authority that signs one certificate and is then forgotten: its key is never kept, so nobody can sign
another. Whoever trusts it trusts this one certificate.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

DAYS = "3650"
KEY, CERTIFICATE, AUTHORITY = "tls.key", "tls.crt", "ca.crt"
"""What the parts are called in a Secret, and where it is mounted."""


class CertificateError(Exception):
    """There are no keys to be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a server shows and keeps, and whom its callers trust. All PEM."""

    key: str = field(repr=False)
    certificate: str
    authority: str


def make(names: Sequence[str], addresses: Sequence[str]) -> Keys:
    """New keys for a server that is called by these names and IP addresses. Blocks for some 50 ms.

    Raises:
        CertificateError: there is no ``openssl``, or it failed.
    """
    wanted = [f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _request(folder, "ca", "windlass-dispatcher-authority", "keyUsage=critical,keyCertSign")
        leaf = [
            "basicConstraints=critical,CA:FALSE",
            "extendedKeyUsage=serverAuth",
            f"subjectAltName={','.join(wanted)}",
        ]
        signer = ("-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key")
        _request(folder, "tls", names[0], *leaf, more=signer)
        return read(folder)


def read(folder: Path) -> Keys:
    """The keys in a folder.

    Raises:
        OSError: they aren't there.
    """
    key, certificate, authority = ((folder / name).read_text() for name in (KEY, CERTIFICATE, AUTHORITY))
    return Keys(key, certificate, authority)


def _openssl() -> str:
    found = shutil.which("openssl")
    if found is None:
        raise CertificateError("there is no program openssl to make the dispatcher's certificate with")
    return found


def _request(folder: Path, name: str, subject: str, *extensions: str, more: Sequence[str] = ()) -> None:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{folder}/{name}.key")
    added = [part for extension in extensions for part in ("-addext", extension)]
    about = ("-out", f"{folder}/{name}.crt", "-days", DAYS, "-subj", f"/CN={subject}")
    command = [_openssl(), "req", "-x509", *key, *about, *more, *added]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  none of it is a user's
    if done.returncode:
        raise CertificateError(f"openssl could not make the dispatcher's certificate: {done.stderr.strip()}")
