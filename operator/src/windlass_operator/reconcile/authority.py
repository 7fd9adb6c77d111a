"""How replicas come by the keys of the dispatcher without the right to read Secrets.

::

    mounted already? ──yes──► use them
        │ no
    make new ones, create the Secret ──created──► use them: the Secret has the very same
        │ AlreadyExists: another replica was first
    wait until the kubelet has mounted them (a minute or so, once in the life of an installation)

The Secret is an optional volume of the operator's pods. Creating it is the only right in Secrets that the operator has:
it can neither read one nor change one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from windlass_operator.clients import certificates
from windlass_operator.clients.certificates import AUTHORITY, CERTIFICATE, KEY, CertificateError, Keys
from windlass_operator.clients.cluster import METADATA_ONLY, Cluster
from windlass_operator.manifests.objects import Manifest, labels
from windlass_operator.reconcile import paths

LOOK_AGAIN = 2.0
"""Seconds between two looks for what is mounted, or between two attempts to create it."""

log = logging.getLogger("windlass.dispatcher")


async def obtain(
    cluster: Cluster, namespace: str, secret: str, mounted: Path, hosts: Sequence[str], addresses: Sequence[str]
) -> Keys:
    """The keys of this installation's dispatcher, as soon as there are some. ``hosts`` and ``addresses`` are what a new
    certificate is for.
    """
    told = ""
    while True:
        try:
            return certificates.read(mounted)
        except OSError:  # not mounted (yet)
            keys, why = await _create(cluster, namespace, secret, hosts, addresses)
        if keys is not None:
            log.info("made the keys of the dispatcher: Secret %s/%s", namespace, secret)
            return keys
        if why != told:
            log.warning("actors can't be served yet: %s", why)
            told = why
        await asyncio.sleep(LOOK_AGAIN)


async def _create(
    cluster: Cluster, namespace: str, secret: str, hosts: Sequence[str], addresses: Sequence[str]
) -> tuple[Keys | None, str]:
    """New keys, where this replica was the first to make them; else why not."""
    try:
        keys = await asyncio.to_thread(certificates.make, hosts, addresses)
    except CertificateError as trouble:
        return None, str(trouble)
    body = secret_manifest(namespace, secret, keys)
    answer = await cluster.request("POST", paths.secrets(namespace), body, accept=METADATA_ONLY)
    if answer.ok:
        return keys, ""
    if answer.reason == "AlreadyExists":
        return None, f"the Secret {namespace}/{secret} is there, and not mounted yet"
    return None, f"the Secret {namespace}/{secret} can't be created: {answer.message}"


def secret_manifest(namespace: str, name: str, keys: Keys) -> Manifest:
    """Immutable, so that nobody changes it under the workers that trust it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "immutable": True,
        "metadata": {"name": name, "namespace": namespace, "labels": labels()},
        "stringData": {KEY: keys.key, CERTIFICATE: keys.certificate, AUTHORITY: keys.authority},
    }
