"""Entities → objects in a cluster: with a version, with their code, with what the settings say.

A version is the author's label for all that is registered at once. Definitions refer to each other by it, so that a
later registration changes nothing about what an earlier one runs.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from windlass import _emit
from windlass._artifacts.artifact import Artifact, specification_of
from windlass._artifacts.query import ArtifactQuery
from windlass._bundle import Bundle, files_below, loaded_modules, make_bundle
from windlass._entity import Entity
from windlass._exceptions import FlyteAssertion
from windlass._interface import is_lookup
from windlass._launch_plan import LaunchPlan
from windlass._modules import caller, locate, module_file
from windlass._namespaces import namespace_of
from windlass._options import settle
from windlass._plan_options import Options, run_fields
from windlass._remote.client import Object
from windlass._remote.settings import CopyFileDetection, FastPackageOptions, SerializationSettings
from windlass._workflow import Workflow
from windlass_api.findings import NOT_FOUND
from windlass_api.names import content_hash

VERSIONED = ("Task", "Workflow", "LaunchPlan")
_REFERENCES = {"task": "Task", "workflow": "Workflow", "launchPlan": "LaunchPlan"}
_ELSEWHERE = tuple(NOT_FOUND.values())


def entities_of(entity: Entity, *, default_plan: bool) -> list[Entity]:
    """All that a registration of the entity registers."""
    first: list[Entity] = [entity]
    if default_plan and isinstance(entity, Workflow):
        first.append(LaunchPlan.get_default_launch_plan(None, entity))
    return _emit.complete(first)


def plan_of(entity: Entity, *, default_plan: bool) -> LaunchPlan | None:
    """The launch plan whose settings the options of a registration are: the entity, or its default plan."""
    if isinstance(entity, LaunchPlan):
        return entity
    return LaunchPlan.get_default_launch_plan(None, entity) if default_plan and isinstance(entity, Workflow) else None


def objects_of(
    definitions: Sequence[Entity],
    bundle: Bundle | None,
    *,
    namespace: str,
    settings: SerializationSettings | None = None,
    options: Options | None = None,
    plan: LaunchPlan | None = None,
) -> list[Object]:
    """The objects, held against the contract; not in a version yet. The options are settings of the plan."""
    _refuse_other_namespaces(definitions, namespace)
    if options is not None and plan is None:
        warn_of_options()
    objects = _emit.manifests(definitions, bundle, namespace)
    for obj in objects:
        apply_settings(obj, settings or SerializationSettings())
        if options is not None and plan is not None and is_of(obj, plan):
            obj["spec"].update(plan_fields(options))
    _check(objects)
    return objects


def warn_of_options() -> None:
    """Options without a plan."""
    warnings.warn(
        f"{caller()}: options are settings of a launch plan, and none is registered here: they have no effect",
        stacklevel=2,
    )


def in_version(objects: Iterable[Object], version: str) -> list[Object]:
    """The objects, as that version of themselves, and referring to each other's."""
    found = list(objects)
    there = {(obj["kind"], obj["metadata"]["name"]) for obj in found}
    for obj in found:
        if obj["kind"] in VERSIONED:
            _pin(obj["spec"], there, version)
            obj["spec"] = {"version": version, **obj["spec"]}
    return found


def derived_version(objects: Iterable[Object]) -> str:
    """A version made of what the objects say, the code's hash included: the same again where nothing has changed."""
    return content_hash(
        [{"kind": obj["kind"], **{key: obj[key] for key in ("metadata", "spec") if key in obj}} for obj in objects]
    )


def bundle_for(
    entity: Entity,
    settings: SerializationSettings | None = None,
    *,
    copy_all: bool = False,
    root: str | None = None,
    options: FastPackageOptions | None = None,
    store: str | None = None,
) -> Bundle | None:
    """The code that travels with an entity; None where it is expected in the image. What no ConfigMap can hold goes to
    the store below that prefix.
    """
    chosen = options and options.copy_style
    if copy_all and chosen not in (None, CopyFileDetection.ALL):
        raise ValueError(f"{caller()}: copy_all and {chosen} of fast_package_options contradict each other; give one")
    style = chosen or (CopyFileDetection.ALL if copy_all else CopyFileDetection.LOADED_MODULES)
    fast = None if settings is None else settings.fast_serialization_settings
    if style is CopyFileDetection.NO_COPY or (fast is not None and not fast.enabled):
        return None
    file = module_file(entity.home)
    if file is None:
        raise FlyteAssertion(
            f"{caller()}: {entity.name} is defined in {entity.home}, which is no file, so that no pod could import it:"
            " put it into a module"
        )
    files = loaded_modules()
    if style is CopyFileDetection.ALL:
        files = {**files_below(Path(root or (settings and settings.source_root) or locate(file)[0])), **files}
    if options is not None and options.show_files:
        sys.stderr.write("".join(f"{place}\n" for place in sorted(files)))
    return make_bundle(files, store)


def is_interactive() -> bool:
    """Whether this is a notebook or a Python prompt."""
    return "get_ipython" in dir(sys.modules.get("builtins")) or hasattr(sys, "ps1")


def apply_settings(obj: Object, settings: SerializationSettings) -> None:
    """Image and environment for a task that says nothing of them."""
    spec = obj["spec"] if obj["kind"] == "Task" else None
    if spec is None:
        return
    if settings.env:
        spec["env"] = {**settings.env, **spec.get("env", {})}
    if settings.image_config is not None and settings.image_config.default_image is not None:
        spec.setdefault("image", settings.image_config.default_image.full)


def plan_fields(options: Options) -> dict[str, Any]:
    """Options as fields of a LaunchPlan."""
    given = options.settings()
    notifications = given.pop("notifications", None)
    fields = run_fields(**given)
    if notifications is not None:
        fields["notifications"] = [one.manifest() for one in notifications]
    return fields


def is_of(obj: Object, entity: Entity) -> bool:
    """Whether the object is the entity's."""
    return (obj["kind"], obj["metadata"]["name"]) == (entity.kind, entity.object_name)


def _pin(spec: dict[str, Any], there: set[tuple[str, str]], version: str) -> None:
    """Nodes, the failure node, and a plan's workflow name the version of what is registered with them."""
    holders: list[Any] = [*(spec.get("nodes") or ()), spec.get("onFailure"), spec]
    for holder in holders:
        for field, kind in _REFERENCES.items():
            reference = isinstance(holder, Mapping) and holder.get(field)
            if isinstance(reference, dict) and (kind, reference.get("name")) in there:
                reference.setdefault("version", version)


def _refuse_other_namespaces(definitions: Sequence[Entity], namespace: str) -> None:
    """A reference to another namespace could not be found from this one, nor could an artifact."""
    for definition in definitions:
        for artifact in _artifacts_of(definition):
            if artifact.project or artifact.domain:
                place = namespace_of(artifact.project, artifact.domain)
                if place != namespace:
                    raise FlyteAssertion(
                        f"{caller()}: {definition.name} names {artifact!r} in the namespace {place}, but is registered"
                        f" in {namespace}: definitions find and make artifacts within one namespace only"
                    )
        if not isinstance(definition, Workflow):
            continue
        for node in definition.nodes:
            other = getattr(node.entity, "namespace", None)
            if other is not None and other != namespace:
                raise FlyteAssertion(
                    f"{node.location}: {definition.name} refers to {node.entity.name} in the namespace {other}, but is"
                    f" registered in {namespace}: Kubernetes objects refer to each other within one namespace only"
                )


def _artifacts_of(definition: Entity) -> Iterator[Artifact | ArtifactQuery]:
    """What a definition says of artifacts: defaults, outputs, the trigger."""
    if isinstance(definition, LaunchPlan):
        if definition.trigger is not None:
            yield definition.trigger.query
        return
    if definition.kind not in ("Task", "Workflow"):
        return
    yield from (one.default for one in definition.interface.inputs.values() if is_lookup(one.default))
    for python_type in definition.interface.outputs.values():
        specification = specification_of(python_type)
        if specification is not None:
            yield specification.artifact


def _check(objects: list[Object]) -> None:
    """The contract's rules, but for what is in the cluster already."""
    from windlass_api.manifests_check import validate_manifests  # noqa: PLC0415  loads pydantic, 150 ms

    problems = [
        f"{objects[position]['kind']} {objects[position]['metadata']['name']}: {finding}"
        for position, finding in validate_manifests(objects)
        if finding.reason not in _ELSEWHERE
    ]
    if problems:
        raise FlyteAssertion("\n".join(problems))


def add_resources(spec: dict[str, Any], resources: Any) -> None:
    """Resources for a task that names none."""
    if "resources" not in spec:
        fields, _ = settle({"resources": resources}, ("resources",), "default_resources")
        spec.update(fields)
