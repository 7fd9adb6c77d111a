"""Definitions that are in the cluster, as something to look at, to run, and to call in a workflow.

They are references (`_reference`): in a graph they stand by name and version, and their code does not run here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from windlass._reference import ReferenceEntity, ReferenceLaunchPlan, ReferenceTask, ReferenceWorkflow
from windlass._remote.client import Object
from windlass._remote.contract_types import interface_of

E = TypeVar("E")


class Identifier(NamedTuple):
    """What a definition is called. Project and domain are empty where the context's namespace is meant."""

    resource_type: str
    project: str
    domain: str
    name: str
    version: str


class FetchedEntity(ReferenceEntity[..., Any]):
    """What all have in common. `object` is what the cluster has; `id` what it is called."""

    object: Object
    resource_type: ClassVar[str]

    @classmethod
    def from_object(
        cls, obj: Object, project: str | None = None, domain: str | None = None, called: str | None = None
    ) -> Any:
        """The definition of an object; `called` is the name that it was asked for by."""
        found = cls(project or "", domain or "", called or obj["metadata"]["name"], obj["spec"].get("version") or "")
        found.object = obj
        found._interface = found.read_interface()
        return found

    def read_interface(self) -> Any:
        """Inputs and outputs, as its spec says them."""
        return interface_of(self.object["spec"])

    @property
    def object_name(self) -> str:
        """The name of its object."""
        name: str = self.object["metadata"]["name"]
        return name

    @property
    def namespace(self) -> str | None:
        """The namespace it is in."""
        namespace: str = self.object["metadata"]["namespace"]
        return namespace

    @property
    def id(self) -> Identifier:
        """What it is called."""
        return Identifier(self.resource_type, self.project, self.domain, self.name, self.version)

    @property
    def spec(self) -> dict[str, Any]:
        """What its object says."""
        spec: dict[str, Any] = self.object["spec"]
        return spec

    @property
    def description(self) -> str:
        """What it says of itself."""
        return str(self.spec.get("description") or "")


class FlyteTask(FetchedEntity, ReferenceTask[..., Any]):
    """A Task of the cluster."""

    resource_type = "Task"


class FlyteWorkflow(FetchedEntity, ReferenceWorkflow[..., Any]):
    """A Workflow of the cluster."""

    resource_type = "Workflow"

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """Its nodes, as its object has them."""
        return list(self.spec.get("nodes") or ())


class FlyteLaunchPlan(FetchedEntity, ReferenceLaunchPlan[..., Any]):
    """A LaunchPlan of the cluster. Its inputs are its workflow's, but for those that it fixes."""

    resource_type = "LaunchPlan"
    workflow_spec: Mapping[str, Any]

    @classmethod
    def of_workflow(
        cls, obj: Object, workflow: Mapping[str, Any], project: str | None, domain: str | None, called: str | None
    ) -> FlyteLaunchPlan:
        """The plan of an object; `workflow` is the spec of the workflow that it runs, empty where there is none."""
        found: FlyteLaunchPlan = cls.from_object(obj, project, domain, called)
        spec = obj["spec"]
        fixed, defaults = spec.get("fixedInputs") or {}, spec.get("defaultInputs") or {}
        inputs = {
            name: {**declared, "default": defaults[name]} if name in defaults else declared
            for name, declared in (workflow.get("inputs") or {}).items()
            if name not in fixed
        }
        found.workflow_spec = workflow
        found._interface = interface_of({"inputs": inputs, "outputs": workflow.get("outputs")})
        return found

    @property
    def is_active(self) -> bool:
        """Whether its schedule and trigger work."""
        return not self.spec.get("suspend")

    @property
    def workflow_id(self) -> Identifier:
        """The workflow that it runs."""
        target = self.spec["workflow"]
        return Identifier("Workflow", self.project, self.domain, target["name"], target.get("version") or "")

    @property
    def default_inputs(self) -> dict[str, Any]:
        """Its defaults, as JSON."""
        return dict(self.spec.get("defaultInputs") or {})

    @property
    def fixed_inputs(self) -> dict[str, Any]:
        """Its fixed inputs, as JSON."""
        return dict(self.spec.get("fixedInputs") or {})


class LazyEntity(Generic[E]):
    """A definition that is fetched when it is first used."""

    def __init__(self, name: str, getter: Callable[[], E]) -> None:
        self._name = name
        self._getter = getter
        self._entity: E | None = None

    @property
    def name(self) -> str:
        """What it was asked for by."""
        return self._name

    def entity_fetched(self) -> bool:
        """Whether it is there yet."""
        return self._entity is not None

    @property
    def entity(self) -> E:
        """The definition itself."""
        if self._entity is None:
            self._entity = self._getter()
        return self._entity

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.entity, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the definition."""
        return self.entity(*args, **kwargs)  # type: ignore[operator]  # what is fetched can be called

    def __repr__(self) -> str:
        return f"LazyEntity({self._name})" if self._entity is None else f"LazyEntity({self._entity!r})"


ENTITIES: dict[str, type[FetchedEntity]] = {
    entity.resource_type: entity for entity in (FlyteTask, FlyteWorkflow, FlyteLaunchPlan)
}
