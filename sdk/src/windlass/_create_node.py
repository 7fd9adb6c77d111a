"""`create_node`: a call whose node is at hand, for those who order nodes rather than values.

first = create_node(prepare)
second = create_node(load, path="x")
first >> second                   # or first.runs_before(second)
return second.o0                  # or second.outputs["o0"]
"""

from __future__ import annotations

from typing import Any

from windlass import _exceptions
from windlass._current import current_scope
from windlass._entity import Entity
from windlass._modules import caller
from windlass._promise import Promise, Several, Step, Void, _Ordered


class CreatedNode(_Ordered):
    """A call in a workflow. Its outputs are attributes, and in `outputs` by name."""

    __slots__ = ("_outputs", "_result")

    def __init__(self, entity: Entity, result: Any) -> None:
        self._result = result
        self._outputs = _by_name(entity, result)
        clash = [name for name in self._outputs if hasattr(type(self), name)]
        if clash:
            raise _exceptions.FlyteAssertion(
                f"{caller()}: the output {clash[0]} of {entity.name} is called like an attribute of nodes: call the"
                " entity itself instead of create_node, or give its output another name"
            )

    @property
    def _step(self) -> Step | None:  # type: ignore[override]  # that of its outputs
        step: Step | None = self._result._step
        return step

    @property
    def id(self) -> str:
        """The id of the node, or of the last one where the call is a sub-workflow."""
        nodes = getattr(self._step, "nodes", None)
        return str(nodes[-1].id) if nodes else "local"

    @property
    def outputs(self) -> dict[str, Promise]:
        """The promises by name."""
        if not self._outputs:
            raise self._nothing()
        return self._outputs

    def __getattr__(self, name: str) -> Promise:
        if name.startswith("_"):
            raise AttributeError(name)
        if not self._outputs:
            raise self._nothing()
        if name not in self._outputs:
            raise AttributeError(f"{self!r} has no output {name!r}; it has {', '.join(self._outputs)}")
        return self._outputs[name]

    def __repr__(self) -> str:
        return f"Node({self.id}: {self._result!r})"

    def _nothing(self) -> AssertionError:
        return AssertionError(f"{caller()}: Outputs of a non-output producing task {self.id} cannot be passed")


def create_node(entity: Entity, *args: Any, **kwargs: Any) -> CreatedNode:
    """Calls an entity in the body of a workflow, and gives its node in place of its outputs.

    Raises:
        FlyteAssertion: positional arguments; outside of a workflow; an output called like an attribute of nodes.
    """
    if args:
        raise _exceptions.FlyteAssertion(
            f"{caller()}: Only Keyword Arguments are supported by create_node: {entity!r} is given {len(args)} by"
            " position"
        )
    if current_scope() is None:
        raise _exceptions.FlyteAssertion(
            f"{caller()}: Cannot create node when not compiling...: create_node stands in the body of a workflow; here,"
            " call the entity"
        )
    if not isinstance(entity, Entity):
        raise _exceptions.FlyteAssertion(
            f"{caller()}: create_node takes a task, workflow or launch plan, not {entity!r}"
        )
    return CreatedNode(entity, entity.called((), kwargs))


def _by_name(entity: Entity, result: Any) -> dict[str, Promise]:
    if isinstance(result, Several):
        return dict(zip(result._names, result, strict=True))
    if isinstance(result, Void):
        return {}
    return dict.fromkeys(entity.interface.outputs, result)
