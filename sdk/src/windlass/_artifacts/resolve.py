"""Queries and artifacts where a value is expected: as a default of a workflow or plan, or as an argument.

In a manifest they stand as queries, and an execution's are answered when it begins. Here and now they are answered from
this machine's artifacts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from windlass import _types
from windlass._artifacts import registry
from windlass._artifacts.artifact import Artifact
from windlass._artifacts.query import ArtifactQuery
from windlass._bindings import kind_of
from windlass._exceptions import TypeTransformerFailedError
from windlass_api.types import assignable, parse_type

if TYPE_CHECKING:
    from windlass._entity import Entity


def is_artifact(value: Any) -> bool:
    """Whether the value is an artifact, or a query for one."""
    return isinstance(value, Artifact | ArtifactQuery)


def query_form(value: Artifact | ArtifactQuery) -> dict[str, Any]:
    """What the contract says of it as a default."""
    return (value.query() if isinstance(value, Artifact) else value).manifest()


def resolved(
    value: Artifact | ArtifactQuery, python_type: Any, where: str, inputs: Mapping[str, Any] | None = None
) -> Any:
    """Its value as JSON, for a parameter of that type.

    Args:
        value: an artifact or a query.
        python_type: the parameter's type.
        where: the place; it opens the messages.
        inputs: the other inputs as JSON, for a query that refers to them.

    Raises:
        FlyteAssertion: there is none.
        TypeTransformerFailedError: it is of another type.
    """
    if isinstance(value, Artifact) and value.literal is None and value.python_val is not None:
        return _types.to_wire(value.python_val, python_type, where)
    if isinstance(value, Artifact) and value.literal is not None:
        found, found_type, told = value.literal, value.literal_type or "any", repr(value)
    else:
        query = value.query() if isinstance(value, Artifact) else value
        kept = registry.latest(query, inputs or {}, f"{where} ")
        found, found_type, told = kept.value, kept.type, repr(query)
    wanted = kind_of(python_type).type
    if not assignable(parse_type(found_type), wanted):
        raise TypeTransformerFailedError(f"{where} expected {wanted}, got {found_type} ({told})")
    return found


def filled(entity: Entity, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as JSON, completed by what the defaults find that are queries; in the order of the parameters."""
    found = {}
    for name, parameter in entity.interface.inputs.items():
        if name in inputs:
            found[name] = inputs[name]
        else:
            where = f"the default of '{name}' of {entity.name}:"
            found[name] = resolved(parameter.default, parameter.python_type, where, inputs)
    return found


def as_json(value: Any, python_type: Any, where: str, inputs: Mapping[str, Any] | None = None) -> Any:
    """Any value as JSON; an artifact or a query gives what it stands for."""
    if is_artifact(value):
        return resolved(value, python_type, where, inputs)
    return _types.to_wire(value, python_type, where)
