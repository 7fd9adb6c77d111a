"""Running workflows right here, with the meaning they have on a cluster.

Values go through the same conversion to JSON and back between tasks, so that what would change on its way through a
cluster changes here too. A call runs with the overrides it was given: the workflow has been compiled before it runs,
and its nodes are met again in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from windlass._calls import Scope, trace, with_defaults
from windlass._compile import Node, check_override_names
from windlass._promise import Binding
from windlass_api.overrides import effective

if TYPE_CHECKING:
    from windlass._entity import Entity
    from windlass._workflow import Workflow


class ValueStep:
    """The step behind a value that is there already: order has nothing left to decide, and neither have overrides."""

    def before(self, later: Any) -> None:
        """It was."""

    def override(self, options: dict[str, Any]) -> None:
        """What is to be overridden was taken from the compiled node when the task ran; only the names are checked."""
        check_override_names(options)


class LocalRun(Scope):
    """The scope of a local run."""

    def __init__(self, nodes: list[Node]) -> None:
        super().__init__()
        self._nodes = iter(nodes)

    def run(self, entity: Entity, inputs: dict[str, Binding]) -> tuple[dict[str, Binding], ValueStep]:
        """A call of an entity runs it."""
        node = next(self._nodes, None)
        layer = node.overrides if node is not None and node.entity is entity else None
        overrides = effective(entity.overrides, layer) if layer else entity.overrides
        return entity.run(with_defaults(entity, inputs), overrides), ValueStep()

    @contextmanager
    def group(self) -> Iterator[ValueStep]:
        """A sub-workflow's body just runs."""
        yield ValueStep()


def run_workflow(workflow: Workflow, inputs: dict[str, Any]) -> dict[str, Any]:
    """Its body runs, and each task in it at once: JSON in, JSON out."""
    return trace(LocalRun(workflow.nodes), workflow, inputs)
