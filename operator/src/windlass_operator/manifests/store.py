"""The store in a pod: where the data of a run goes, and as whom its pods come there.

Everything that a run writes is in a folder of its own, named by what it is and by its uid, so that what is left of runs
that are gone can be told from the rest:

    s3://bucket/windlass/team-a/word-count-x7k2p.0b6f…-…/9c41…/part.csv
    └──── the prefix ─────────┘ └ the run's folder ────┘ └ an object of its own

Credentials are variables that refer to a Secret of the run's namespace, or a role of the pod's ServiceAccount. The
operator never sees either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from windlass_operator.manifests.objects import Manifest
from windlass_operator.settings import StoreSettings

PREFIX = "WINDLASS_RAW_OUTPUT_PREFIX"
PATH_STYLE = "WINDLASS_S3_PATH_STYLE"
VOLUME = "store"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""The variables, and the keys of the Secret. The last may be missing there."""
REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""The same, for different clients."""
PLACEHOLDERS = ("namespace", "project", "domain")
_URI = re.compile(r"[a-z][a-z0-9+.-]+://\S+")


class Run(NamedTuple):
    """Whose data it is."""

    namespace: str
    execution: str
    uid: str
    prefix: str = ""
    """Where its Execution or launch plan wants it."""


def add_access(pod: Manifest, container: Manifest, settings: StoreSettings) -> None:
    """What a pod needs to get at the store, whosever data it writes there: variables, the volume, an account."""
    add_variables(container, _variables(settings))
    if settings.secret:
        add_variables(container, {key: _from_secret(settings.secret, key) for key in KEYS})
    if settings.volume:
        pod["spec"].setdefault("volumes", []).append({"name": VOLUME, **settings.volume})
        container.setdefault("volumeMounts", []).append({"name": VOLUME, "mountPath": settings.mount})
    if settings.service_account:
        pod["spec"].setdefault("serviceAccountName", settings.service_account)


def add_variables(container: Manifest, variables: Mapping[str, Any]) -> None:
    """Variables by name: a text, or where it is from. Those that the container has already stay as they are."""
    given = {one["name"] for one in container.setdefault("env", [])}
    given |= set(REGION) if given & set(REGION) else set()
    added = [
        {"name": name, **({"value": value} if isinstance(value, str) else {"valueFrom": value})}
        for name, value in variables.items()
        if name not in given
    ]
    container["env"][:0] = added


def run_folder(settings: StoreSettings, run: Run) -> str:
    """Where the data of a run goes; nothing where there is no store.

    >>> run_folder(StoreSettings(prefix="s3://b/{project}"), Run("fruit-development", "e1", "77"))
    's3://b/fruit/e1.77'
    """
    prefix = run.prefix or settings.prefix
    if not prefix:
        return ""
    return f"{in_namespace(prefix, run.namespace)}/{run.execution}.{run.uid}"


def in_namespace(prefix: str, namespace: str) -> str:
    """A prefix with its placeholders filled in. The namespace of a project and domain is ``project-domain``."""
    project, _, domain = namespace.rpartition("-")
    values = {"namespace": namespace, "project": project or namespace, "domain": domain if project else ""}
    for name, value in values.items():
        prefix = prefix.replace(f"{{{name}}}", value)
    return prefix.rstrip("/")


def problem_of(prefix: str, settings: StoreSettings) -> str:
    """Why data can't go there; nothing where it can."""
    filled = in_namespace(prefix, "p-d")
    unknown = re.search(r"[{}]", filled)
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return f"{prefix!r} has a placeholder that is not known; there are {known}"
    if not _URI.fullmatch(filled):
        return f"{prefix!r} is no URI such as s3://bucket/folder or file://{settings.mount}"
    if not filled.startswith("file:"):
        return ""
    if not settings.volume:
        return f"{prefix!r} would be lost with each pod: file:// needs a volume that all pods share (store.volume)"
    path = filled.removeprefix("file://")
    if ".." in path.split("/") or not f"{path}/".startswith(f"{settings.mount.rstrip('/')}/"):
        return f"{prefix!r} is not on the volume that pods share, which they have at {settings.mount}"
    return ""


def _variables(settings: StoreSettings) -> dict[str, str]:
    chosen = {
        **dict(sorted(settings.env.items())),
        "AWS_ENDPOINT_URL_S3": settings.endpoint,
        **dict.fromkeys(REGION, settings.region),
        PATH_STYLE: "true" if settings.path_style else "",
    }
    return {name: value for name, value in chosen.items() if value}


def _from_secret(secret: str, key: str) -> Manifest:
    return {"secretKeyRef": {"name": secret, "key": key, **({"optional": True} if key == KEYS[-1] else {})}}
