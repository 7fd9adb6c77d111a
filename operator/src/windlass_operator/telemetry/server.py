"""``/healthz``, ``/readyz`` and ``/metrics``.

Healthy means that the operator still hears from the API server; a process that has gone deaf should be restarted. Ready
means that it has seen everything once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from windlass_operator.telemetry.observer import Telemetry

Check = Callable[[], str | None]
"""None when all is well, else what isn't."""


async def serve(address: str, telemetry: Telemetry, healthy: Check, ready: Check) -> web.AppRunner:
    """Start serving on ``host:port``. The caller cleans the runner up."""
    host, _, port = address.rpartition(":")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=telemetry.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", _answer(healthy))
    app.router.add_get("/readyz", _answer(ready))
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host or "0.0.0.0", int(port)).start()  # noqa: S104 - the kubelet's probes come from outside the pod
    return runner


def _answer(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        trouble = check()
        return web.Response(text=trouble or "ok", status=503 if trouble else 200)

    return answer
