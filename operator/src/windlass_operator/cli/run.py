"""``windlass-operator run``: the operator itself, in a cluster or beside one."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import os
import re
import secrets
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import kopf

from windlass_api import logs, names
from windlass_operator.cli.dispatching import serve_workers
from windlass_operator.cli.pod_settings import pod_settings
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import Cluster, KubernetesCluster
from windlass_operator.clients.watch import Watch
from windlass_operator.core.sharding import Terms
from windlass_operator.handlers import KINDS, build_registry, build_settings
from windlass_operator.manifests.store import problem_of
from windlass_operator.reconcile.eventing import EventPoster
from windlass_operator.reconcile.loop import WORKERS, Reconciler
from windlass_operator.reconcile.shards import EVERYTHING, ClusterLeases, Handover, ShardKeeper
from windlass_operator.settings import (
    LogLink,
    LogSettings,
    PodSettings,
    RuntimeDelivery,
    Settings,
    StoreSettings,
)
from windlass_operator.telemetry import Telemetry
from windlass_operator.telemetry.logs import configure
from windlass_operator.telemetry.server import serve

LEAST_LOG = 1024
MOST_OF_A_CALL = 32 * 1024 * 1024
"""Bytes of inputs, or of a result: half of what a message of a stream may have (dispatch.server.MESSAGE_LIMIT)."""
DEAF = 300.0
"""Seconds without a word on a watch (bookmarks come about every minute) after which the operator calls itself
unhealthy.
"""

LAST_PASSES = 10.0
"""Seconds that passes which are under way get to end, before the operator leaves its shards to others."""

MAX_PORT = 65535
IDENTITY = re.compile(r"[a-z0-9]([-a-z0-9.]{0,198}[a-z0-9])?")

IMAGE_VOLUMES_SINCE = (1, 35)
"""The Kubernetes version from which image volumes are there without being asked for."""


log = logging.getLogger("windlass.shards")


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
    _register_limits(parser, defaults)
    _register_pods(parser)
    _register_store(parser, defaults.store)
    _register_logs(parser, defaults.logs)
    _register_actors(parser, defaults)
    _register_sharing(parser, defaults)
    parser.add_argument("--log-format", choices=["text", "json"], default="text", help="(default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="log every transition")
    parser.set_defaults(function=_run)


def _register_limits(parser: argparse.ArgumentParser, defaults: Settings) -> None:
    """What runs may take."""
    parser.add_argument(
        "--max-pods",
        type=_count,
        default=defaults.max_pods,
        metavar="N",
        help="unfinished pods of all Executions at a time; 0: no limit (default: %(default)s)",
    )
    parser.add_argument(
        "--max-pods-per-namespace",
        type=_count,
        default=defaults.max_pods_per_namespace,
        metavar="N",
        help="the same for those of one namespace (default: %(default)s)",
    )
    parser.add_argument(
        "--namespace-weight",
        type=_weight,
        action="append",
        default=[],
        metavar="NS=W",
        help="how much of the pods a namespace gets where there aren't enough (may be given several times; default: 1)",
    )
    parser.add_argument(
        "--oom-factor",
        type=_factor,
        default=defaults.oom_factor,
        metavar="X",
        help="times the memory for an attempt after one that ran out of it, up to maxMemory (default: %(default)s)",
    )
    parser.add_argument(
        "--interruptible-node-selector",
        type=_labels,
        default=defaults.interruptible_node_selector,
        metavar="JSON",
        help="labels of the nodes that interruptible attempts go to (default: any node)",
    )
    parser.add_argument(
        "--interruptible-tolerations",
        type=_tolerations,
        default=defaults.interruptible_tolerations,
        metavar="JSON",
        help="a list of the tolerations of interruptible attempts (default: none)",
    )
    parser.add_argument(
        "--max-depth",
        type=_positive,
        default=defaults.max_depth,
        metavar="N",
        help="Executions inside of each other (default: %(default)s)",
    )
    parser.add_argument(
        "--ttl-after-finished",
        type=_seconds,
        default=defaults.ttl_after_finished,
        metavar="SECONDS",
        help="delete Executions so long after they end, unless they say so themselves; 0: never (default: %(default)s)",
    )
    parser.add_argument(
        "--cache-ttl",
        type=_seconds,
        default=defaults.cache_ttl,
        metavar="SECONDS",
        help="how long cached results count, unless their task says so; 0: for ever (default: %(default)s)",
    )
    parser.add_argument(
        "--outputs-grace",
        type=_seconds,
        default=defaults.outputs_grace,
        metavar="SECONDS",
        help="how long storing the files that a container task leaves may take (default: %(default)s)",
    )


def _register_pods(parser: argparse.ArgumentParser) -> None:
    """What pods are like."""
    parser.add_argument(
        "--pods",
        type=_about_pods,
        default=PodSettings(),
        metavar="JSON",
        help="templates, accelerators and more of the pods of tasks, as in the chart's value `pods`",
    )


def _register_store(parser: argparse.ArgumentParser, defaults: StoreSettings) -> None:
    """Where pods put what is too big to travel."""
    parser.add_argument(
        "--store-prefix",
        default=defaults.prefix,
        metavar="URI",
        help="where data goes, such as s3://bucket/windlass/{namespace} (default: there is no store)",
    )
    parser.add_argument(
        "--store-endpoint", default=defaults.endpoint, metavar="URL", help="the store's URL (default: Amazon's)"
    )
    parser.add_argument("--store-region", default=defaults.region, metavar="NAME", help="the store's region")
    parser.add_argument(
        "--store-path-style", action="store_true", help="name buckets in the path of a URL rather than in its host"
    )
    parser.add_argument(
        "--store-secret",
        default=defaults.secret,
        metavar="NAME",
        help="the Secret, in each namespace with runs, that has AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
    parser.add_argument(
        "--store-env", type=_labels, default=defaults.env, metavar="JSON", help="further variables of pods"
    )
    parser.add_argument(
        "--store-volume",
        type=_object,
        default=defaults.volume,
        metavar="JSON",
        help='the volume that pods share, such as {"persistentVolumeClaim": {"claimName": "store"}}',
    )
    parser.add_argument(
        "--store-mount",
        type=_path,
        default=defaults.mount,
        metavar="PATH",
        help="where pods have it (default: %(default)s)",
    )
    parser.add_argument(
        "--store-service-account",
        default=defaults.service_account,
        metavar="NAME",
        help="the ServiceAccount of pods whose run says none",
    )


def _register_actors(parser: argparse.ArgumentParser, defaults: Settings) -> None:
    """The dispatcher that the workers of ActorEnvironments call."""
    parser.add_argument(
        "--dispatcher-listen",
        type=_address_or_none,
        default=defaults.dispatcher_listen,
        metavar="HOST:PORT",
        help="where workers of actors are served (default: nowhere, and calls of actors wait)",
    )
    parser.add_argument(
        "--dispatcher-service",
        default=defaults.dispatcher_service,
        metavar="NAME",
        help="the Service, beside the Leases, that is in front of all replicas' dispatchers",
    )
    parser.add_argument(
        "--dispatcher-address",
        type=_address_or_none,
        default=defaults.dispatcher_address,
        metavar="HOST:PORT",
        help="where workers call instead (default: the Service, else where this replica listens)",
    )
    parser.add_argument(
        "--dispatcher-secret",
        default=defaults.dispatcher_secret,
        metavar="NAME",
        help="the Secret, beside the Leases, with the dispatcher's keys; the first replica makes it (default: no TLS)",
    )
    parser.add_argument(
        "--dispatcher-keys",
        default=defaults.dispatcher_keys,
        metavar="FOLDER",
        help="where that Secret is mounted (default: %(default)s)",
    )
    parser.add_argument(
        "--pod-ip",
        default=os.environ.get("POD_IP", defaults.pod_ip),
        metavar="IP",
        help="where this replica is itself, apart from the Service (default: $POD_IP)",
    )
    parser.add_argument(
        "--dispatcher-heartbeat",
        type=_duration,
        default=defaults.dispatcher_heartbeat,
        metavar="SECONDS",
        help="between two signs of life; who misses three is taken for gone (default: %(default)s)",
    )
    parser.add_argument(
        "--max-parallel-calls",
        type=_positive,
        default=defaults.max_parallel_calls,
        metavar="N",
        help="calls of one Execution that are handed out, or wait for a worker, at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--call-inputs-limit",
        type=_call_limit,
        default=defaults.call_inputs_limit,
        metavar="BYTES",
        help="the inputs of a call as JSON (default: %(default)s)",
    )
    parser.add_argument(
        "--call-outputs-limit",
        type=_call_limit,
        default=defaults.call_outputs_limit,
        metavar="BYTES",
        help="the result record of a call (default: %(default)s)",
    )


def _register_logs(parser: argparse.ArgumentParser, defaults: LogSettings) -> None:
    """What becomes of logs."""
    parser.add_argument(
        "--capture-logs", action="store_true", help="have pods keep what they print in the store; it needs one"
    )
    parser.add_argument(
        "--log-limit",
        type=_log_limit,
        default=defaults.limit,
        metavar="BYTES",
        help="of each attempt: half of it its beginning, half its end (default: %(default)s)",
    )
    parser.add_argument(
        "--log-link",
        type=_log_link,
        action="append",
        default=[],
        metavar="NAME=URL",
        help="a link to the logs of an attempt, with placeholders such as {namespace} and {pod}; may be given again",
    )


def _register_sharing(parser: argparse.ArgumentParser, defaults: Settings) -> None:
    """Several replicas."""
    parser.add_argument(
        "--lease-namespace",
        default=os.environ.get("POD_NAMESPACE", defaults.lease_namespace),
        metavar="NS",
        help="where the replicas keep the Leases by which they share the work (default: $POD_NAMESPACE)",
    )
    parser.add_argument(
        "--no-leases",
        action="store_true",
        help="this is the only replica and does all the work, as it is where no namespace for Leases is known",
    )
    parser.add_argument(
        "--identity",
        type=_identity,
        default=os.environ.get("POD_NAME") or None,
        metavar="NAME",
        help="this replica's name among the others (default: $POD_NAME, else one made up)",
    )
    parser.add_argument(
        "--shards",
        type=_positive,
        default=defaults.shards,
        metavar="N",
        help="the parts that replicas share, the same for all of them (default: %(default)s)",
    )
    parser.add_argument(
        "--lease-duration",
        type=_duration,
        default=defaults.lease_duration,
        metavar="SECONDS",
        help="how long a silent replica's shards are left to it (default: %(default)s)",
    )


def _count(text: str) -> int:
    return _number(text, int, 0)


def _positive(text: str) -> int:
    return _number(text, int, 1)


def _call_limit(text: str) -> int:
    """Bytes of what a message to or from a worker carries: as much as a pod's record, and what a stream takes."""
    found = _number(text, int, Settings().outputs_limit)
    if found > MOST_OF_A_CALL:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {MOST_OF_A_CALL}, what workers' streams take")
    return found


def _seconds(text: str) -> float:
    return _number(text, float, 0)


def _duration(text: str) -> float:
    return _number(text, float, 1)


def _factor(text: str) -> float:
    return _number(text, float, 1)


N = TypeVar("N", int, float)


def _number(text: str, kind: Callable[[str], N], least: int) -> N:
    """A number that is large enough."""
    try:
        found = kind(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of this kind") from problem
    if not least <= found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not {least} or more")
    return found


def _weight(text: str) -> tuple[str, float]:
    namespace, _, number = text.partition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = 0.0
    if not namespace or not 0 < weight < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} isn't NAMESPACE=WEIGHT with a weight above 0, such as team-a=2")
    return namespace, weight


def _labels(text: str) -> dict[str, str]:
    found = _json(text)
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object of texts")
    return found


def _object(text: str) -> dict[str, Any]:
    found = _json(text)
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object")
    return found


def _about_pods(text: str) -> PodSettings:
    try:
        return pod_settings(_object(text))
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"pods.{problem}") from problem


def _path(text: str) -> str:
    if not text.startswith("/") or text.rstrip("/") == "":
        raise argparse.ArgumentTypeError(f"{text!r} is no absolute path of a folder, such as /var/run/windlass/store")
    return text.rstrip("/")


def _log_limit(text: str) -> int:
    if not text.isdigit() or int(text) < LEAST_LOG:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes, {LEAST_LOG} or more")
    return int(text)


def _log_link(text: str) -> LogLink:
    name, _, template = text.partition("=")
    problem = logs.problem_of(template)
    if not name or problem:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=URL: {problem or 'the name is missing'}")
    return LogLink(name, template)


def _tolerations(text: str) -> tuple[dict[str, Any], ...]:
    found = _json(text)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON list of objects")
    return tuple(found)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON: {problem}") from problem


def _identity(text: str) -> str:
    if not IDENTITY.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} can't be a part of a Lease's name: lower-case letters, digits, -, ."
        )
    return text


def _made_up_identity() -> str:
    host = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-")
    return f"{host or 'operator'}-{secrets.token_hex(4)}"


def _address(text: str) -> str:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or int(port) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} isn't HOST:PORT, such as 127.0.0.1:8080")
    return f"{host}:{port}"


def _address_or_none(text: str) -> str:
    return _address(text) if text else ""


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
        settings = await _settings(arguments, cluster)
        keeper = _shard_keeper(settings, cluster)
        reconciler = Reconciler(cluster, settings, telemetry, keeper or EVERYTHING)
        everywhere = arguments.namespace or [""]
        watches = [_pod_watch(cluster, reconciler, namespace) for namespace in everywhere]
        watches += [_worker_watch(cluster, reconciler, namespace) for namespace in everywhere]
        telemetry.gauges(lambda: len(reconciler.queue), reconciler.live, lambda: _age(watches))
        telemetry.gauges_of_sharing(
            lambda: keeper.held if keeper is not None else 0, lambda: reconciler.store.capacity.waiting
        )
        sharing = Sharing(keeper, Handover(reconciler.store, reconciler.queue, settings.shards, reconciler.pools))
        telemetry.actors.gauges(reconciler.pools.counts, reconciler.dispatcher.held)
        beside = [poster.run(cluster), reconciler.cache.keep_swept(arguments.namespace or [""])]
        if settings.dispatcher_listen:
            beside.append(_actors(cluster, settings, reconciler))
        beside += [_listen_to_kubelets(cluster, reconciler, namespace) for namespace in arguments.namespace or [""]]
        return await _serve(arguments, reconciler, beside, telemetry, watches, sharing)
    finally:
        await cluster.close()


async def _actors(cluster: Cluster, settings: Settings, reconciler: Reconciler) -> None:
    try:
        await serve_workers(cluster, settings, reconciler)
    except OSError as trouble:
        raise StartError(str(trouble)) from trouble


@dataclass(frozen=True, slots=True)
class Sharing:
    """How this replica shares the work with others, if there are any."""

    keeper: ShardKeeper | None
    handover: Handover

    def jobs(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run beside the rest."""
        return [self.keeper.run(self.handover)] if self.keeper is not None else []

    async def leave(self) -> None:
        """Leave the work to the others."""
        if self.keeper is not None:
            await self.keeper.leave(self.handover, LAST_PASSES)


def _shard_keeper(settings: Settings, cluster: Cluster) -> ShardKeeper | None:
    """The keeper of this replica's shards; None where it is the only one."""
    if not settings.lease_namespace:
        log.info("no Leases: this has to be the only operator that looks after these namespaces")
        return None
    terms = Terms(settings.lease_duration)
    leases = ClusterLeases(cluster, settings.lease_namespace, settings.identity, settings.shards, terms, clock.now)
    return ShardKeeper(leases, settings.identity, settings.shards, terms, clock.monotonic)


async def _connect(observe: Any) -> KubernetesCluster:
    try:
        return await KubernetesCluster.connect(observe)
    except Exception as trouble:
        raise StartError(f"no API server is configured ({trouble}); run in a cluster, or set KUBECONFIG") from trouble


async def _serve(
    arguments: argparse.Namespace,
    reconciler: Reconciler,
    beside: list[Coroutine[Any, Any, None]],
    telemetry: Telemetry,
    watches: list[Watch],
    sharing: Sharing,
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
        reconciler.pools.all_listed()
        jobs: list[Coroutine[Any, Any, Any]] = [*beside, *(watch.follow() for watch in watches)]
        jobs += [*sharing.jobs(), *(reconciler.work() for _ in range(WORKERS))]
        tasks = [asyncio.create_task(job) for job in jobs]
        tasks.append(asyncio.create_task(_kopf(arguments, reconciler, ready)))
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await sharing.leave()
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
    def listed(raws: list[Mapping[str, Any]], version: int) -> None:
        reconciler.pods_listed(raws, version, namespace)

    return Watch(cluster, _pods(namespace), names.LABEL_EXECUTION, reconciler.pod_event, listed)


def _worker_watch(cluster: KubernetesCluster, reconciler: Reconciler, namespace: str) -> Watch:
    def listed(raws: list[Mapping[str, Any]], version: int) -> None:
        reconciler.pools.pods_listed(raws, version, namespace)

    return Watch(cluster, _pods(namespace), names.LABEL_POOL, reconciler.pools.pod_event, listed)


def _pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"


async def _listen_to_kubelets(cluster: KubernetesCluster, reconciler: Reconciler, namespace: str) -> None:
    """What kubelets say of volumes that they can't give to pods: a Secret that is missing, say. Where Events can't be
    read, only the reasons are lacking.
    """
    path = f"/api/v1/namespaces/{namespace}/events" if namespace else "/api/v1/events"
    about = "involvedObject.kind=Pod,reason=FailedMount"
    watch = Watch(cluster, path, "", reconciler.mount_event, reconciler.mounts_listed, about)
    await watch.list()
    await watch.follow()


def _age(watches: list[Watch]) -> float:
    now = clock.monotonic()
    return max(watch.age(now) for watch in watches)


async def _settings(arguments: argparse.Namespace, cluster: KubernetesCluster) -> Settings:
    """The settings, after a look at the API server: does it answer, has it our kinds, which version is it?"""
    for namespace in arguments.namespace or [""]:
        for kind in KINDS:
            await _check_readable(cluster, namespace, names.plural(kind))
    leases = "" if arguments.no_leases else arguments.lease_namespace
    return Settings(
        default_image=arguments.default_image,
        runtime_delivery=await _delivery(arguments.runtime_delivery, cluster),
        runtime_image=arguments.runtime_image,
        operator_image=arguments.operator_image,
        image_pull_policy=arguments.image_pull_policy,
        image_pull_grace=arguments.image_pull_grace,
        system_retries=arguments.system_retries,
        max_parallel_pods=arguments.max_parallel_pods,
        oom_factor=arguments.oom_factor,
        interruptible_node_selector=arguments.interruptible_node_selector,
        interruptible_tolerations=arguments.interruptible_tolerations,
        pods=arguments.pods,
        max_depth=arguments.max_depth,
        ttl_after_finished=arguments.ttl_after_finished,
        cache_ttl=arguments.cache_ttl,
        outputs_grace=arguments.outputs_grace,
        store=store_of(arguments),
        logs=logs_of(arguments),
        max_pods=arguments.max_pods,
        max_pods_per_namespace=arguments.max_pods_per_namespace,
        namespace_weights=dict(arguments.namespace_weight),
        dispatcher_listen=arguments.dispatcher_listen,
        dispatcher_service=arguments.dispatcher_service,
        dispatcher_address=arguments.dispatcher_address,
        dispatcher_secret=arguments.dispatcher_secret,
        dispatcher_keys=arguments.dispatcher_keys,
        dispatcher_heartbeat=arguments.dispatcher_heartbeat,
        max_parallel_calls=arguments.max_parallel_calls,
        call_inputs_limit=arguments.call_inputs_limit,
        call_outputs_limit=arguments.call_outputs_limit,
        pod_ip=arguments.pod_ip,
        shards=arguments.shards,
        lease_duration=arguments.lease_duration,
        lease_namespace=leases,
        identity=(arguments.identity or _made_up_identity()) if leases else "",
    )


def store_of(arguments: argparse.Namespace) -> StoreSettings:
    """Where pods put data.

    Raises:
        StartError: they could not.
    """
    found = StoreSettings(
        prefix=arguments.store_prefix,
        endpoint=arguments.store_endpoint,
        region=arguments.store_region,
        path_style=arguments.store_path_style,
        secret=arguments.store_secret,
        env=arguments.store_env,
        volume=arguments.store_volume,
        mount=arguments.store_mount,
        service_account=arguments.store_service_account,
    )
    problem = problem_of(found.prefix, found) if found.prefix else ""
    if problem:
        raise StartError(f"--store-prefix: {problem}")
    return found


def logs_of(arguments: argparse.Namespace) -> LogSettings:
    """What becomes of logs.

    Raises:
        StartError: there is no store for them, or there are too many links.
    """
    if arguments.capture_logs and not arguments.store_prefix:
        raise StartError("--capture-logs needs a store to keep logs in: --store-prefix (the chart's store.prefix)")
    if len(arguments.log_link) > logs.MAX_LINKS:
        raise StartError(f"--log-link: there are {len(arguments.log_link)} links, and a status takes {logs.MAX_LINKS}")
    return LogSettings(capture=arguments.capture_logs, limit=arguments.log_limit, links=tuple(arguments.log_link))


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
