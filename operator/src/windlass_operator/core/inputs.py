"""The inputs of an attempt as its pod gets them: large values set apart.

A value whose JSON is long doesn't fit a pod's environment (Linux allows 128 KiB for one variable). It becomes a
ConfigMap named by its content, shared by all nodes of the Execution that get it, and stands in the document as
``{"$value": hash}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass_api import names, refs
from windlass_operator.kinds.evidence import Failure, FailureKind
from windlass_operator.manifests.objects import compress
from windlass_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class NodeInputs:
    """The inputs as the pod gets them, and the large values beside them by hash."""

    document: Mapping[str, Any] = field(default_factory=dict)
    large: Mapping[str, bytes] = field(default_factory=dict)
    size: int = 0
    """The bytes of the small ones."""


NOTHING = NodeInputs()


def set_apart(
    node: str, inputs: Mapping[str, Any], settings: Settings, beside: NodeInputs = NOTHING
) -> NodeInputs | Failure:
    """The inputs of a node, or why there can't be any. ``beside`` are others that go to the same pod."""
    document, large = dict(beside.document), dict(beside.large)
    total = beside.size
    for name, value in inputs.items():
        data = names.canonical_json(value)
        if len(data) <= settings.inline_value_limit:
            document[name] = refs.escape(value)
            total += len(data)
            continue
        if len(compress(data)) > settings.value_limit:
            return _too_large(
                node, f".{name}", len(data), f"a value may have {settings.value_limit} bytes after compression"
            )
        digest = names.content_hash(data)
        large[digest] = data
        document[name] = {"$value": digest}
    if total > settings.inline_inputs_limit:
        return _too_large(
            node, "", total, f"the small inputs of one node may have {settings.inline_inputs_limit} bytes together"
        )
    return NodeInputs(document, large, total)


def all_inline(node: str, inputs: Mapping[str, Any], settings: Settings) -> NodeInputs | Failure:
    """The inputs of a call of an actor's task: none is set apart, since they travel by a stream."""
    document = {name: refs.escape(value) for name, value in inputs.items()}
    total = len(names.canonical_json(document))
    if total > settings.call_inputs_limit:
        limit = settings.call_inputs_limit
        return _too_large(node, "", total, f"the inputs of a call to a warm worker may have {limit} bytes")
    return NodeInputs(document, {}, total)


def _too_large(node: str, part: str, size: int, limit: str) -> Failure:
    advice = "pass less, or the place where the data is"
    return Failure(FailureKind.USER, "InputsTooLarge", f"nodes.{node}.inputs{part}: {size} bytes; {limit}; {advice}")
