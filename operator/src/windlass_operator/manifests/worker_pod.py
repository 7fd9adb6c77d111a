"""A warm worker of an ActorEnvironment → its pod. It looks as the environment says, by the steps of tasks' pods.

The *worker contract*: the command, and beside the author's variables ``WINDLASS_WORKER`` with all that the worker has
to know as JSON, and who it is. It proves that by a ServiceAccount token that is good for calling the dispatcher and
nothing else, since that is its audience; and it knows the dispatcher by a certificate authority that comes with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass_api import names
from windlass_api.protocol import AUDIENCE
from windlass_operator.manifests.look import RUNTIME, PodLook, dressed, identify, mount
from windlass_operator.manifests.objects import Manifest, labels, owner_reference
from windlass_operator.settings import RuntimeDelivery, Settings

WORKER = "WINDLASS_WORKER"
POD, POD_UID = "WINDLASS_POD", "WINDLASS_POD_UID"
TOKEN_FOLDER = "/var/run/windlass/token"  # noqa: S105  a place, not a secret
TOKEN_SECONDS = 3600
"""How long a token is good for. The kubelet puts a new one there long before."""
SERVER_NAME = "windlass-dispatcher"
"""What the dispatcher's certificate is for, however a replica is reached: by a Service, or by its pod's address."""
DEFAULT_TTL = 90
SLOTS = 1
"""Calls that a worker runs at a time."""
TEMPLATE = "template"
"""In a resolved spec: the template of the PodTemplate object that the environment names. No ActorEnvironment has it."""


def resolved(spec: Mapping[str, Any], template: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """All that the workers of an environment are a function of: what it says, and the template of the PodTemplate
    object that it names, if it names one.
    """
    return spec if template is None else {**spec, TEMPLATE: template}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAsk:
    """Everything the pod of a worker is a function of."""

    environment: str
    namespace: str
    uid: str
    """The ActorEnvironment's: deleting it deletes its workers, with the operator up or down."""
    revision: str
    index: int
    spec: Mapping[str, Any]
    """The environment's, resolved."""
    dispatcher: str
    """HOST:PORT."""
    authority: str
    """The certificate authority of the dispatcher: PEM. Empty: it speaks without TLS."""
    settings: Settings = field(default_factory=Settings)


def build(ask: WorkerAsk) -> Manifest:
    """The pod of one worker.

    Raises:
        InvalidPodError: no pod can be as the environment says.
    """
    look = PodLook(
        namespace=ask.namespace,
        spec=ask.spec,
        template=ask.spec.get(TEMPLATE),
        interruptible=bool(ask.spec.get("interruptible")),
        settings=ask.settings,
    )
    pod, container = dressed(look)
    identify(
        pod,
        names.worker_name(ask.environment, ask.revision, ask.index),
        ask.namespace,
        labels(
            **{names.LABEL_POOL: names.label_value(ask.environment), names.LABEL_POOL_REVISION: ask.revision},
        ),
        {names.ANNOTATION_AUTHORITY: names.content_hash(ask.authority)},
        owner_reference("ActorEnvironment", ask.environment, ask.uid, controller=True),
    )
    _command(container, ask)
    _orders(container, ask)
    _token(pod, container)
    return pod


def _command(container: Manifest, ask: WorkerAsk) -> None:
    if ask.settings.runtime_delivery is RuntimeDelivery.NONE:
        container["command"] = ["python3", "-m", "windlass.runtime.worker"]
    else:
        container["command"] = ["python3", f"{RUNTIME}/windlass/runtime/worker.py"]


def _orders(container: Manifest, ask: WorkerAsk) -> None:
    """What it has to know. The last of the variables, so that nothing overrides it."""
    container["env"] += [
        {"name": POD, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": POD_UID, "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": WORKER, "value": worker_document(ask)},
    ]


def worker_document(ask: WorkerAsk) -> str:
    """The JSON in ``WINDLASS_WORKER``. ``$`` is written as an escape: Kubernetes would expand ``$(NAME)`` in it."""
    ttl = ask.spec.get("ttlSeconds")
    document = {
        "namespace": ask.namespace,
        "pool": ask.environment,
        "revision": ask.revision,
        "dispatcher": ask.dispatcher,
        "serverName": SERVER_NAME,
        "authority": ask.authority,
        "token": f"{TOKEN_FOLDER}/token",
        "ttlSeconds": DEFAULT_TTL if ttl is None else ttl,
        "slots": SLOTS,
    }
    return json.dumps(document, separators=(",", ":")).replace("$", "\\u0024")


def _token(pod: Manifest, container: Manifest) -> None:
    source = {"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}}
    mount(pod, container, "token", TOKEN_FOLDER, {"projected": {"sources": [source]}})
