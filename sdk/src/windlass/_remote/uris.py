"""Addresses of values of runs, and of objects: `flyte://v1/PROJECT/DOMAIN/EXECUTION[/NODE]/i|o[/NAME]`, and
of the report of a node: `flyte://v1/PROJECT/DOMAIN/EXECUTION/NODE/d`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from windlass import _store
from windlass._artifacts.artifact import Artifact
from windlass._exceptions import FlyteValueException
from windlass._modules import caller
from windlass._remote.entities import FetchedEntity
from windlass._remote.executions import FlyteNodeExecution, FlyteTaskExecution, FlyteWorkflowExecution
from windlass._remote.values import Outputs
from windlass_api import artifacts

_SCHEME = "flyte://v1/"
_FORM = "flyte://v1/PROJECT/DOMAIN/EXECUTION[/NODE]/i|o[/NAME]"


class ValueAddress(NamedTuple):
    """Where a value of a run is: its inputs (`i`) or outputs (`o`), all or one; or the report of a node (`d`)."""

    project: str
    domain: str
    execution: str
    node: str | None
    side: str
    name: str | None


def parse(uri: str) -> ValueAddress:
    """Takes an address apart. Raises ValueError where it is none.

    >>> parse("flyte://v1/-/-/run/n0/o/o0")
    ValueAddress(project='', domain='', execution='run', node='n0', side='o', name='o0')
    """
    parts = uri[len(_SCHEME) :].split("/")
    marks = [at for at, part in enumerate(parts) if at >= 3 and part in ("i", "o", "d")]
    if not uri.startswith(_SCHEME) or not marks or marks[0] > 5 or len(parts) > marks[0] + 2:
        raise ValueError(f"{caller()}: the address of a value is {_FORM}, not {uri!r}")
    if parts[marks[0]] == "d" and marks[0] != 4:
        raise ValueError(f"{caller()}: {uri!r}: the report is that of a node, {_FORM.partition('[')[0]}/NODE/d")
    project, domain, execution = (part.strip("-") if at < 2 else part for at, part in enumerate(parts[:3]))
    node = parts[3] if marks[0] > 3 else None
    name = parts[marks[0] + 1] if len(parts) > marks[0] + 1 else None
    return ValueAddress(project, domain, execution, node, parts[marks[0]], name)


def value_of(execution: FlyteWorkflowExecution, where: ValueAddress) -> Any:
    """What is there: Outputs, or one value."""
    holder: Any = execution
    if where.node is not None:
        holder = execution.node_executions.get(where.node)
        if holder is None:
            known = ", ".join(execution.node_executions) or "none"
            raise FlyteValueException(where.node, f"{caller()}: {execution!r} has no such node; there is {known}")
    if where.side == "d":
        if holder.deck_uri is None:
            raise FlyteValueException(where.node, f"{caller()}: {holder!r} has left no report")
        return _store.read_bytes(holder.deck_uri).decode()
    found: Outputs | None = holder.inputs if where.side == "i" else holder.outputs
    if found is None:
        raise FlyteValueException(where.node, f"{caller()}: {holder!r} has no outputs")
    return found if where.name is None else found.get(where.name)


def object_of(entity: Any, namespace_of: Callable[[str | None, str | None], str]) -> tuple[str, str, str]:
    """Kind, namespace and name of the object that something is."""
    if isinstance(entity, FlyteTaskExecution):
        entity = entity.node
    if isinstance(entity, FlyteNodeExecution):
        entity = entity.execution
    if isinstance(entity, FlyteWorkflowExecution):
        return "Execution", entity.namespace, entity.id.name
    if isinstance(entity, FetchedEntity):
        return entity.resource_type, entity.namespace or "", entity.object_name
    if isinstance(entity, Artifact):
        identity = entity.concrete_artifact_id
        spec = {
            "name": entity.name,
            "version": identity.version,
            "partitions": identity.partitions,
            "timePartition": identity.time_partition,
        }
        return "Artifact", namespace_of(entity.project, entity.domain), artifacts.object_name(spec)
    raise ValueError(f"{caller()}: there is no link to {entity!r}: give a run, a definition or an artifact")
