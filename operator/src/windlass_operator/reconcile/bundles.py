"""Where the dispatcher finds code bundles: in the closures' own ConfigMaps."""

from __future__ import annotations

import base64

from windlass_api import names
from windlass_operator.clients.cluster import Cluster
from windlass_operator.dispatch.dispatcher import FindBundle
from windlass_operator.manifests.look import BUNDLE_KEY
from windlass_operator.reconcile import paths


def bundles(cluster: Cluster) -> FindBundle:
    """A finder for one cluster."""

    async def find(namespace: str, digest: str) -> bytes | str:
        path = paths.config_maps(namespace, names.pinned_code_name(digest))
        answer = await cluster.request("GET", path)
        if not answer.ok:
            return f"the ConfigMap with the code can't be read: {answer.message}"
        packed = (answer.body.get("binaryData") or {}).get(BUNDLE_KEY)
        if packed is None:
            return f"the ConfigMap {names.pinned_code_name(digest)} has no {BUNDLE_KEY}"
        return base64.b64decode(packed)

    return find
