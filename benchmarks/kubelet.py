"""Plays the kubelet for a benchmark: every pod of an Execution succeeds a moment after it appeared.

    python benchmarks/kubelet.py NAMESPACE [--after 0.1]

Pods come over one watch, and their ends go out as one PATCH each, over the operator's own light client: what plays the
kubelet must not take the CPU that is being measured. Says ``ready`` when it watches. Then every pod is two lines, with
times of the system's monotonic clock: ``seen NAME TIME`` when the watch brought it, ``ended NAME TIME`` when the API
server had its end.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import zlib
from collections.abc import Mapping
from typing import Any

from windlass_api import names
from windlass_operator.clients.cluster import KubernetesCluster
from windlass_operator.clients.watch import Watch

MERGE_PATCH = "application/merge-patch+json"
SPREAD_TASK = "spread"
SPREAD = 5.0
"""The pods of this task last up to so many seconds longer, each by its node's name, in no order."""

RECORD = '{"v":1,"outputs":{"o0":1},"timings":{"boot":1,"import":1,"inputs":1,"user":1,"outputs":1}}'
"""What the runtime of a small task leaves."""


class Kubelet:
    """The pods of one namespace."""

    def __init__(self, cluster: KubernetesCluster, namespace: str, after: float) -> None:
        self._cluster, self._after = cluster, after
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._seen: set[str] = set()
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """For ever."""
        watch = Watch(self._cluster, self._pods, names.LABEL_EXECUTION, self._changed, self._listed)
        await watch.list()
        print("ready", flush=True)
        await watch.follow()

    def _listed(self, pods: list[Mapping[str, Any]], _: int) -> None:
        for pod in pods:
            self._changed("ADDED", pod)

    def _changed(self, change: str, pod: Mapping[str, Any]) -> None:
        name = pod["metadata"]["name"]
        if change == "ADDED" and name not in self._seen:
            self._seen.add(name)
            print("seen", name, time.monotonic(), flush=True)
            asyncio.get_running_loop().call_later(self._lasts(pod["metadata"]), self._start_end, name)

    def _lasts(self, meta: Mapping[str, Any]) -> float:
        if meta["annotations"][names.ANNOTATION_TASK] != SPREAD_TASK:
            return self._after
        return self._after + SPREAD * (zlib.crc32(meta["labels"][names.LABEL_NODE].encode()) / 2**32)

    def _start_end(self, name: str) -> None:
        task = asyncio.create_task(self._end(name))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, name: str) -> None:
        answer = await self._cluster.request(
            "PATCH", f"{self._pods}/{name}/status", _succeeded(), content_type=MERGE_PATCH
        )
        print("ended" if answer.ok else f"refused {answer.status}", name, time.monotonic(), flush=True)


def _succeeded() -> dict[str, Any]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now, "message": RECORD}
    container = {"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
    return {
        "status": {"phase": "Succeeded", "containerStatuses": [{**container, "state": {"terminated": ended}}]},
    }


async def _main(namespace: str, after: float) -> None:
    cluster = await KubernetesCluster.connect(lambda *_: None)
    try:
        await Kubelet(cluster, namespace, after).run()
    finally:
        await cluster.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("namespace")
    parser.add_argument("--after", type=float, default=0.1, help="seconds that a pod lasts (default: %(default)s)")
    options = parser.parse_args()
    asyncio.run(_main(options.namespace, options.after))
