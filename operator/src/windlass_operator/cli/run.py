"""``windlass-operator run``: the operator itself, in a cluster or beside one."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, cast

import kopf

from windlass_api import names
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import KubernetesCluster
from windlass_operator.clients.watch import Watch
from windlass_operator.handlers import KINDS, build_registry, build_settings
from windlass_operator.reconcile.eventing import EventPoster
from windlass_operator.reconcile.loop import WORKERS, Reconciler
from windlass_operator.settings import RuntimeDelivery, Settings
from windlass_operator.telemetry import Telemetry
from windlass_operator.telemetry.logs import configure
from windlass_operator.telemetry.server import serve

DEAF = 300.0
"""Seconds without a word on a watch (bookmarks come about every minute) after which the operator calls itself
unhealthy.
"""

MAX_PORT = 65535

IMAGE_VOLUMES_SINCE = (1, 35)
"""The Kubernetes version from which image volumes are there without being asked for."""


class StartError(Exception):
    """The operator can't start; the message says what to do."""


def register(commands: Any) -> None:
    """Declare the command."""
    defaults = Settings()
    parser = commands.add_parser("run", help="run the operator", description=__doc__)
    parser.add_argument(
        "--listen",
        type=_address,
        default="127.0.0.1:8080",
        metavar="HOST:PORT",
        help="where /healthz, /readyz and /metrics are served (default: %(default)s)",
    )
    parser.add_argument(
        "--namespace",
        action="append",
        default=[],
        metavar="NS",
        help="watch only this namespace (may be given several times; default: all)",
    )
    parser.add_argument(
        "--default-image",
        default=defaults.default_image,
        metavar="IMG",
        help="the image of tasks that name none (default: %(default)s)",
    )
    parser.add_argument(
        "--runtime-delivery",
        choices=["auto", *(delivery.value for delivery in RuntimeDelivery)],
        default="auto",
        help="how the runtime gets into pods; auto: an image volume since Kubernetes 1.35, else an init container",
    )
    parser.add_argument(
        "--runtime-image",
        default=defaults.runtime_image,
        metavar="IMG",
        help="the image that is mounted (default: %(default)s)",
    )
    parser.add_argument(
        "--operator-image",
        default=defaults.operator_image,
        metavar="IMG",
        help="this operator's image, for the init container (default: %(default)s)",
    )
    parser.add_argument(
        "--image-pull-policy",
        default=defaults.image_pull_policy,
        choices=["Always", "IfNotPresent", "Never"],
        help="of task pods (default: %(default)s)",
    )
    parser.add_argument(
        "--image-pull-grace",
        type=float,
        default=defaults.image_pull_grace,
        metavar="SECONDS",
        help="how long a pod may fail to get its image (default: %(default)s)",
    )
    parser.add_argument(
        "--system-retries",
        type=int,
        default=defaults.system_retries,
        metavar="N",
        help="further attempts after failures that aren't the code's (default: %(default)s)",
    )
    parser.add_argument(
        "--max-parallel-pods",
        type=int,
        default=defaults.max_parallel_pods,
        metavar="N",
        help="unfinished pods of one Execution at a time (default: %(default)s)",
    )
    parser.add_argument("--log-format", choices=["text", "json"], default="text", help="(default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="log every transition")
    parser.set_defaults(function=_run)


def _address(text: str) -> str:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or int(port) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} isn't HOST:PORT, such as 127.0.0.1:8080")
    return f"{host}:{port}"


def _run(arguments: argparse.Namespace) -> int:
    configure(arguments.log_format, arguments.verbose)
    try:
        return asyncio.run(_operate(arguments))
    except StartError as trouble:
        print(f"windlass-operator: {trouble}", file=sys.stderr)  # noqa: T201 - a message to the person at the terminal
        return 1
    except KeyboardInterrupt:
        return 130


async def _operate(arguments: argparse.Namespace) -> int:
    poster = EventPoster()
    telemetry = Telemetry(poster, clock.now, clock.monotonic)
    cluster = await _connect(telemetry.api_answered)
    try:
        reconciler = Reconciler(cluster, await _settings(arguments, cluster), telemetry)
        watches = [_pod_watch(cluster, reconciler, namespace) for namespace in arguments.namespace or [""]]
        telemetry.gauges(lambda: len(reconciler.queue), reconciler.live, lambda: _age(watches))
        return await _serve(arguments, reconciler, poster.run(cluster), telemetry, watches)
    finally:
        await cluster.close()


async def _connect(observe: Any) -> KubernetesCluster:
    try:
        return await KubernetesCluster.connect(observe)
    except Exception as trouble:
        raise StartError(f"no API server is configured ({trouble}); run in a cluster, or set KUBECONFIG") from trouble


async def _serve(
    arguments: argparse.Namespace,
    reconciler: Reconciler,
    posting: Coroutine[Any, Any, None],
    telemetry: Telemetry,
    watches: list[Watch],
) -> int:
    ready = asyncio.Event()
    try:
        server = await serve(
            arguments.listen,
            telemetry,
            lambda: f"nothing heard from the API server for {_age(watches):.0f} s" if _age(watches) > DEAF else None,
            lambda: None if ready.is_set() else "not everything has been listed yet",
        )
    except OSError as trouble:
        raise StartError(f"can't listen on {arguments.listen}: {trouble.strerror or trouble}") from trouble
    try:
        await asyncio.gather(*(watch.list() for watch in watches))
        jobs: list[Coroutine[Any, Any, Any]] = [posting, *(watch.follow() for watch in watches)]
        jobs += [reconciler.work() for _ in range(WORKERS)]
        tasks = [asyncio.create_task(job) for job in jobs]
        tasks.append(asyncio.create_task(_kopf(arguments, reconciler, ready)))
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()
        return 0
    finally:
        await server.cleanup()


async def _kopf(arguments: argparse.Namespace, reconciler: Reconciler, ready: asyncio.Event) -> None:
    await kopf.operator(
        registry=build_registry(reconciler),
        settings=build_settings(),
        identity=cast("Any", names.FIELD_MANAGER),  # else kopf asks for our user's name, which a container may not have
        standalone=True,
        clusterwide=not arguments.namespace,
        namespaces=arguments.namespace,
        ready_flag=ready,
    )


def _pod_watch(cluster: KubernetesCluster, reconciler: Reconciler, namespace: str) -> Watch:
    path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
    return Watch(cluster, path, names.LABEL_EXECUTION, reconciler.pod_event, reconciler.pods_listed)


def _age(watches: list[Watch]) -> float:
    now = clock.monotonic()
    return max(watch.age(now) for watch in watches)


async def _settings(arguments: argparse.Namespace, cluster: KubernetesCluster) -> Settings:
    """The settings, after a look at the API server: does it answer, has it our kinds, which version is it?"""
    for namespace in arguments.namespace or [""]:
        for kind in KINDS:
            await _check_readable(cluster, namespace, names.plural(kind))
    return Settings(
        default_image=arguments.default_image,
        runtime_delivery=await _delivery(arguments.runtime_delivery, cluster),
        runtime_image=arguments.runtime_image,
        operator_image=arguments.operator_image,
        image_pull_policy=arguments.image_pull_policy,
        image_pull_grace=arguments.image_pull_grace,
        system_retries=arguments.system_retries,
        max_parallel_pods=arguments.max_parallel_pods,
    )


async def _check_readable(cluster: KubernetesCluster, namespace: str, plural: str) -> None:
    """Whether a kind of ours is there and may be read. One that was installed a moment ago is waited for."""
    where = f"/namespaces/{namespace}" if namespace else ""
    answer = await cluster.request("GET", f"/apis/{names.API_VERSION}{where}/{plural}", query={"limit": "1"})
    if answer.status == 404:
        raise StartError(f"the API server has no {plural}.{names.GROUP}; apply crds/*.yaml or install the chart first")
    if not answer.ok:
        raise StartError(f"{plural}.{names.GROUP} can't be read: {answer.message}")


async def _delivery(asked: str, cluster: KubernetesCluster) -> RuntimeDelivery:
    if asked != "auto":
        return RuntimeDelivery(asked)
    version = await cluster.request("GET", "/version")
    if not version.ok:
        raise StartError(f"the API server doesn't tell its version: {version.message}")
    found = (int(version.body["major"]), int("".join(filter(str.isdigit, version.body["minor"]))))
    return RuntimeDelivery.IMAGE_VOLUME if found >= IMAGE_VOLUMES_SINCE else RuntimeDelivery.INIT_CONTAINER
