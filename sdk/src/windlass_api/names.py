"""Names: the group, the labels, and what every object is called.

A name is a function of what it stands for, so that creating twice is harmless and anyone can compute where to look.
Where a name would get too long or lose something on the way to Kubernetes' alphabet, it carries a hash of the
original, so that two things never share a name.

Called by the SDK (names of definitions and bundles) and by the operator (names of children). Knows nothing of either.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

GROUP = "windlass.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

CATEGORY = "windlass"
PLURALS = {
    "Task": "tasks",
    "Workflow": "workflows",
    "LaunchPlan": "launchplans",
    "ActorEnvironment": "actorenvironments",
    "Execution": "executions",
    "Signal": "signals",
    "Artifact": "artifacts",
    "CacheEntry": "cacheentries",
    "Backfill": "backfills",
    "App": "apps",
}

MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_EXECUTION = f"{GROUP}/execution"
LABEL_NODE = f"{GROUP}/node"
LABEL_ATTEMPT = f"{GROUP}/attempt"
LABEL_ELEMENT = f"{GROUP}/element"  # of a map, by number
LABEL_PARENT = f"{GROUP}/parent"  # on an Execution: the one that a node of started it
LABEL_PLAN = f"{GROUP}/launchplan"  # on an Execution: the LaunchPlan that it is a run of
LABEL_TASK = f"{GROUP}/cached-task"  # on a CacheEntry: the Task whose result it is
LABEL_VERSION = f"{GROUP}/version"
LABEL_DEFINITION = f"{GROUP}/definition"  # on a ControllerRevision: the Task or Workflow whose spec it keeps
LABEL_POOL = f"{GROUP}/pool"  # on a worker's pod: the ActorEnvironment
LABEL_POOL_REVISION = f"{GROUP}/pool-revision"  # on a worker's pod: which workers are alike, see worker_name
LABEL_ROLE = f"{GROUP}/role"  # on other objects of the operator's: what they are for, e.g. `closure`
ROLE_CODE = "code"  # on a ConfigMap: a bundle that the SDK brought for revisions, and that may go when they have gone
CODE_FOLDER = "code"  # below a store's prefix: where code bundles are
ANNOTATION_TASK = f"{GROUP}/task"  # on a pod: the Task's name, which may be longer than a label's value
ANNOTATION_NODE = f"{GROUP}/node-path"  # on a child: the node's whole id, where the label has a hash in its place
ANNOTATION_CLOSURE = f"{GROUP}/closure"  # on a child: what its Execution was pinned to when it was started
ANNOTATION_AUTHORITY = f"{GROUP}/authority"  # on a worker's pod: a hash of the certificate authority that it trusts
ANNOTATION_RUNNER = f"{GROUP}/runner"  # on a pod: the kind of its task, where that is not `python`
ANNOTATION_STOP_GRACE = (
    f"{GROUP}/stop-grace"  # on a pod: seconds to end in when it is stopped, not when it ends by itself
)
ANNOTATION_DEPTH = f"{GROUP}/depth"  # on an Execution: how many Executions it is below the one that a person started

FIELD_MANAGER = "windlass-operator"
SDK_FIELD_MANAGER = "windlass-sdk"

MAX_NAME = 253  # a DNS subdomain: the name of most objects
MAX_LABEL = 63  # a DNS label: the name of a pod, the value of a label
MAX_DERIVED_NAME = 200  # of a definition's name, so that names derived from it fit into MAX_NAME

_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_LOOKS_HASHED = re.compile(r"-[0-9a-f]{6}\Z")
LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
_LOOKS_LIKE_A_HASHED_GATE = re.compile(r"-[0-9a-f]{10}\Z")
_NOT_IN_LABEL = re.compile(r"[^-a-z0-9]+")
_NOT_IN_LABEL_VALUE = re.compile(r"[^-_.A-Za-z0-9]+")


def plural(kind: str) -> str:
    """The resource of a kind, as it stands in URLs and in the CRD's name."""
    return PLURALS[kind]


def is_dns_label(text: str) -> bool:
    """Whether the text may be a node id or the name of a pod."""
    return len(text) <= MAX_LABEL and _DNS_LABEL.match(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """Whether the text may be the name of an object."""
    return len(text) <= MAX_NAME and _DNS_SUBDOMAIN.match(text) is not None


def is_label_key(text: str) -> bool:
    """Whether the text may be the key of a label or an annotation."""
    return len(text.rpartition("/")[2]) <= MAX_LABEL and re.match(LABEL_KEY, text) is not None


def canonical_json(obj: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no blanks, ASCII. NaN and infinities are refused (ValueError)."""
    return json.dumps(obj, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def content_hash(obj: Any) -> str:
    """Sixteen hex digits which stand for a JSON value, or for bytes as they are."""
    return _digest(obj if isinstance(obj, bytes) else canonical_json(obj))[:16]


def kubernetes_name(python_name: str) -> str:
    """The object name of a dotted Python name: ``wordcount.count_words`` → ``wordcount.count-words``.

    Different names stay different. What survives the trip is kept readable; a name which loses something (capitals, a
    leading underscore, a dash of its own, length), or which looks as if it had, ends in six hex digits of its hash.
    """
    plain = python_name.replace("_", "-")
    if (
        "-" not in python_name
        and len(plain) <= MAX_DERIVED_NAME
        and is_dns_subdomain(plain)
        and not _LOOKS_HASHED.search(plain)
    ):
        return plain
    labels = [_NOT_IN_LABEL.sub("-", label).strip("-") for label in plain.lower().split(".")]
    readable = ".".join(label for label in labels if label) or "x"
    return f"{_cut(readable, MAX_DERIVED_NAME - 7)}-{_digest(python_name.encode('utf-8', 'surrogatepass'))[:6]}"


def pod_name(execution: str, node: str, attempt: int, element: int | None = None) -> str:
    """The pod of an attempt: ``wc-x1-n0-0``; of an attempt of a map's element: ``wc-x1-n0-17-0-`` and a hash.

    Ten hex digits are added where the plain name would be too long for a DNS label, or could be another's as well:
    a dash in a node id could belong to the execution's name, a dot has no place in a pod's host name, and an element
    could be taken for an attempt.
    """
    plain = f"{execution}-{node}-{attempt}"
    if element is None and "-" not in node and len(plain) <= MAX_LABEL and _DNS_LABEL.match(plain):
        return plain
    which = [attempt] if element is None else [element, attempt]
    digest = content_hash([execution, node, *which])[:10]
    tail = "".join(f"-{part}" for part in (*which, digest))
    return _cut(f"{execution}-{node}".replace(".", "-"), MAX_LABEL - len(tail)) + tail


def child_name(execution: str, node: str, attempt: int, element: int | None = None) -> str:
    """The child Execution of an attempt. It is called what the attempt's pod would be, by the same rules."""
    return pod_name(execution, node, attempt, element)


def signal_name(execution: str, gate: str) -> str:
    """The Signal which asks a gate's question: ``wc-x1.approve-model``.

    People type it, so it is the gate's own name where that is a DNS label; any other is made readable and hashed.
    """
    if is_dns_label(gate) and not _LOOKS_LIKE_A_HASHED_GATE.search(gate):
        return f"{execution}.{gate}"
    readable = _cut(_NOT_IN_LABEL.sub("-", gate.lower()).strip("-"), MAX_LABEL - 11) or "x"
    return f"{execution}.{readable}-{content_hash([gate])[:10]}"


def segment_name(execution: str, node: str, number: int) -> str:
    """The ConfigMap with a part of the results of a map's elements: ``wc-x1-n0-elements-0``.

    Hashed where the plain name would be too long, or where a dash in the node's id could belong to the execution's.
    """
    plain = f"{execution}-{node}-elements-{number}"
    if "-" not in node and len(plain) <= MAX_NAME:
        return plain
    tail = f"-elements-{number}-{content_hash([execution, node, number])[:10]}"
    return _cut(f"{execution}-{node}", MAX_NAME - len(tail)) + tail


def cache_name(digest: str) -> str:
    """The CacheEntry of a key, and the Lease of whoever computes its result while others wait."""
    return f"cache-{digest}"


def dynamic_version(hash: str) -> str:  # noqa: A002  the word the callers use
    """The version under which a workflow that a dynamic task made is kept."""
    return f"dyn-{hash}"


def pool_revision(spec: Mapping[str, Any]) -> str:
    """What tells pools of one ActorEnvironment apart: a hash of what its workers are like, which is what it says, and
    the template of the PodTemplate object that it names. How many there are is not part of it, so scaling makes no new
    pool.
    """
    return content_hash({field: value for field, value in spec.items() if field not in ("replicas", "description")})


def worker_name(environment: str, revision: str, index: int) -> str:
    """The pod of a worker: ``models-0123456789-0``. Hashed where that would be too long, or no DNS label."""
    tail = f"-{revision[:10]}-{index}"
    if len(environment) + len(tail) <= MAX_LABEL and _DNS_LABEL.match(environment):
        return environment + tail
    tail = f"-{content_hash([environment, revision])[:10]}-{index}"
    return _cut(environment.replace(".", "-"), MAX_LABEL - len(tail)) + tail


def revision_name(kind: str, name: str, hash: str) -> str:  # noqa: A002  the word the callers use
    """The ControllerRevision which keeps one spec of a Task or Workflow."""
    return _bounded(f"{kind.lower()}-{name}-{hash}", MAX_NAME)


def closure_name(hash: str) -> str:  # noqa: A002  the word the callers use
    """The ConfigMap which holds everything that executions of one definition need, pinned."""
    return f"closure-{hash}"


def code_name(hash: str) -> str:  # noqa: A002  the word the callers use
    """The ConfigMap of a code bundle, as the SDK emits it."""
    return f"code-{hash}"


def code_archive(prefix: str, sha256: str) -> str:
    """The address of a code bundle in a store: the same code is there once, whoever brings it.

    >>> code_archive("s3://bucket/windlass/", "9f86d0…")
    's3://bucket/windlass/code/9f86d0….tar.gz'
    """
    return f"{prefix.rstrip('/')}/{CODE_FOLDER}/{sha256}.tar.gz"


def pinned_code_name(name: str) -> str:
    """The operator's own copy of a code bundle's ConfigMap, which outlives the author's object."""
    return _bounded(f"pinned-{name}", MAX_NAME)


def pinned_code_digest(pinned: str) -> str:
    """What tells a code bundle apart, of the name of the operator's copy of it.

    >>> pinned_code_digest(pinned_code_name("0123456789abcdef"))
    '0123456789abcdef'
    """
    return pinned.removeprefix("pinned-")


def value_name(execution: str, hash: str) -> str:  # noqa: A002  the word the callers use
    """The ConfigMap of a value that is too large to stand in a pod's environment."""
    return _bounded(f"{execution}-value-{hash}", MAX_NAME)


def label_value(text: str) -> str:
    """The text as a label's value: itself where it may be one, else readable and hashed."""
    plain = _NOT_IN_LABEL_VALUE.sub("-", text).strip("-_.")
    if plain == text and len(text) <= MAX_LABEL:
        return text
    return f"{plain[: MAX_LABEL - 11].rstrip('-_.') or 'x'}-{content_hash(text)[:10]}"


def _bounded(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{_cut(text, limit - 17)}-{content_hash(text)}"


def _cut(text: str, limit: int) -> str:
    return text[:limit].rstrip("-.")


def _digest(data: bytes) -> str:
    import hashlib  # noqa: PLC0415  it loads OpenSSL (7 ms), which a pod rarely needs

    return hashlib.sha256(data).hexdigest()
