"""The inputs of an attempt: bindings resolved, defaults filled in, types checked, large values set apart.

A value whose JSON is long doesn't fit a pod's environment (Linux allows 128 KiB for one variable). It becomes a
ConfigMap named by its content, shared by all nodes of the Execution that get it, and stands in the document as
``{"$value": hash}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from windlass_api import names, refs, validation
from windlass_operator.core.closure import Node
from windlass_operator.kinds.evidence import Failure, FailureKind
from windlass_operator.manifests.objects import compress
from windlass_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class NodeInputs:
    """The inputs as the pod gets them, and the large values beside them by hash."""

    document: Mapping[str, Any]
    large: Mapping[str, bytes]


def prepare(node: Node, lookup: Callable[[refs.Ref], Any], settings: Settings) -> NodeInputs | Failure:
    """The inputs of a node, or why there can't be any."""
    try:
        resolved = refs.resolve(node.inputs, lookup)
    except refs.RefValueError as problem:
        return Failure(FailureKind.USER, "UnresolvableReference", f"nodes.{node.id}.inputs: {problem}")
    complete, wrong = validation.complete_inputs(node.spec.get("inputs") or {}, resolved)
    if wrong:
        text = "; ".join(f"{finding.path.removeprefix('spec.')}: {finding.message}" for finding in wrong[:3])
        return Failure(FailureKind.USER, "InvalidInputs", f"nodes.{node.id}.{text}")
    return _set_apart(node, complete, settings)


def _set_apart(node: Node, inputs: Mapping[str, Any], settings: Settings) -> NodeInputs | Failure:
    document: dict[str, Any] = {}
    large: dict[str, bytes] = {}
    total = 0
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
    return NodeInputs(document, large)


def _too_large(node: Node, part: str, size: int, limit: str) -> Failure:
    advice = "pass less, or the place where the data is"
    return Failure(FailureKind.USER, "InputsTooLarge", f"nodes.{node.id}.inputs{part}: {size} bytes; {limit}; {advice}")
