"""What a worker has to know: one JSON document in its pod's environment, and some choices with defaults.

The operator writes `WINDLASS_WORKER`; an administrator, or the author of the ActorEnvironment by its `environment`, may
set the others.

| variable | what | default |
|---|---|---|
| `WINDLASS_ACTOR_MAX_CALLS` | a process is replaced after so many calls; 0: never | 0 |
| `WINDLASS_ACTOR_MAX_MEMORY` | the part of the memory limit above which a process is replaced; 0: never | 0.9 |
| `WINDLASS_ACTOR_PROCESSES` | processes that are kept warm, one for each bundle of code | 3 |
| `WINDLASS_ACTOR_KILL_GRACE` | seconds from the signal that ends a call (SIGTERM) to the one that can't be caught | 5 |
| `WINDLASS_ACTOR_DRAIN_GRACE` | seconds that a running call has when the pod is told to end | 20 |
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

WORKER = "WINDLASS_WORKER"
POD, POD_UID = "WINDLASS_POD", "WINDLASS_POD_UID"
WORK = "/var/run/windlass/work"


class SettingsError(Exception):
    """The environment does not say what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a worker is a function of. Times are in seconds."""

    namespace: str
    pool: str
    revision: str
    dispatcher: str
    """HOST:PORT of the Service before the replicas of the operator."""
    server_name: str = ""
    """What the dispatcher's certificate is for; empty: the host's name."""
    authority: str = ""
    """The certificate authority of the dispatcher, as PEM. Empty: no TLS."""
    token: str = ""
    """The file with the pod's token, read anew for each connection."""
    ttl: float = 90
    slots: int = 1
    pod: str = ""
    pod_uid: str = ""
    max_calls: int = 0
    max_memory: float = 0.9
    processes: int = 3
    kill_grace: float = 5
    drain_grace: float = 20
    folder: str = ""
    """Where code is unpacked."""


def read(environment: Mapping[str, str]) -> Settings:
    """The settings in these variables.

    Raises:
        SettingsError: one is missing or can't be understood.
    """
    text = environment.get(WORKER)
    if text is None:
        raise SettingsError(f"{WORKER} is not set: this program is started by the operator")
    try:
        document = json.loads(text)
        return Settings(
            namespace=document["namespace"],
            pool=document["pool"],
            revision=document["revision"],
            dispatcher=document["dispatcher"],
            server_name=document.get("serverName") or "",
            authority=document.get("authority") or "",
            token=document.get("token") or "",
            ttl=float(document.get("ttlSeconds", 90)),
            slots=int(document.get("slots") or 1),
            pod=environment.get(POD, ""),
            pod_uid=environment.get(POD_UID, ""),
            max_calls=int(_number(environment, "WINDLASS_ACTOR_MAX_CALLS", 0)),
            max_memory=_number(environment, "WINDLASS_ACTOR_MAX_MEMORY", 0.9),
            processes=max(1, int(_number(environment, "WINDLASS_ACTOR_PROCESSES", 3))),
            kill_grace=_number(environment, "WINDLASS_ACTOR_KILL_GRACE", 5),
            drain_grace=_number(environment, "WINDLASS_ACTOR_DRAIN_GRACE", 20),
            folder=_folder(),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"{WORKER} can't be understood: {error!r}") from error


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise SettingsError(f"{name} takes a number, 0 or more, not {text!r}")
    return number


def _folder() -> str:
    """A folder of this worker's own: in the pod's work folder, or where temporary files go."""
    return tempfile.mkdtemp(prefix="windlass-code-", dir=WORK if os.access(WORK, os.W_OK) else None)
