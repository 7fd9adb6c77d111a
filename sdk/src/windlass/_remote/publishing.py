"""The part of a remote that writes definitions: registers entities with their code, activates and deactivates plans."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import EllipsisType
from typing import Any

from windlass import _emit
from windlass._bundle import Bundle, files_below, make_bundle, upload
from windlass._entity import Entity
from windlass._image import builders, names as image_names
from windlass._launch_plan import LaunchPlan
from windlass._modules import caller
from windlass._plan_options import Options
from windlass._reference import ReferenceEntity
from windlass._remote import objects, registering
from windlass._remote.client import Object
from windlass._remote.entities import FetchedEntity, FlyteLaunchPlan, FlyteTask, FlyteWorkflow, Identifier
from windlass._remote.fetching import Fetching
from windlass._remote.settings import CopyFileDetection, FastPackageOptions, ImageConfig, SerializationSettings
from windlass._task import Task
from windlass._workflow import Workflow
from windlass_api.names import API_VERSION


class Publishing(Fetching):
    """Writes definitions."""

    def register_task(
        self,
        entity: Task,
        serialization_settings: SerializationSettings | None = None,
        version: str | None = None,
    ) -> FlyteTask:
        """Applies a task, with its code, and gives it back as the cluster has it.

        Args:
            entity: the task.
            serialization_settings: image, environment, namespace and code.
            version: its version; required but in a notebook, here or in the settings.

        Raises:
            ValueError: there is no version.
        """
        found: FlyteTask = self._register(entity, version, serialization_settings)
        return found

    def register_workflow(
        self,
        entity: Workflow,
        serialization_settings: SerializationSettings | None = None,
        version: str | None = None,
        default_launch_plan: bool | None = True,
        options: Options | None = None,
    ) -> FlyteWorkflow:
        """Applies a workflow, all that it needs, and their code.

        Args:
            entity: the workflow.
            serialization_settings: image, environment, namespace and code.
            version: the version of all of it; required but in a notebook, here or in the settings.
            default_launch_plan: whether the plan of the workflow's own name is applied as well.
            options: settings of that plan.

        Raises:
            ValueError: there is no version.
        """
        found: FlyteWorkflow = self._register(
            entity, version, serialization_settings, default_plan=bool(default_launch_plan), options=options
        )
        return found

    def fast_register_workflow(
        self,
        entity: Workflow,
        serialization_settings: SerializationSettings | None = None,
        version: str | None = None,
        default_launch_plan: bool | None = True,
        options: Options | None = None,
        fast_package_options: FastPackageOptions | None = None,
    ) -> FlyteWorkflow:
        """As `register_workflow`, but `fast_package_options` say which code travels along, not the settings."""
        root = None if serialization_settings is None else serialization_settings.source_root
        bundle = registering.bundle_for(entity, root=root, options=fast_package_options, store=self.code_store)
        found: FlyteWorkflow = self._register(
            entity,
            version,
            serialization_settings,
            default_plan=bool(default_launch_plan),
            options=options,
            bundle=bundle,
        )
        return found

    def register_launch_plan(
        self,
        entity: LaunchPlan,
        version: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        options: Options | None = None,
        serialization_settings: SerializationSettings | None = None,
    ) -> FlyteLaunchPlan:
        """Applies a launch plan, its workflow and all that this needs. It stays active if it was, and inactive else.

        Args:
            entity: the plan.
            version: the version of all of it; required but in a notebook, here or in the settings.
            project: with `domain`, the namespace.
            domain: see project.
            options: settings that come before the plan's own.
            serialization_settings: image, environment and code.

        Raises:
            ValueError: there is no version.
        """
        found: FlyteLaunchPlan = self._register(
            entity, version, serialization_settings, project=project, domain=domain, options=options
        )
        return found

    def register_script(
        self,
        entity: Workflow | Task | LaunchPlan,
        image_config: ImageConfig | None = None,
        version: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        destination_dir: str = ".",
        copy_all: bool = False,
        default_launch_plan: bool = True,
        options: Options | None = None,
        source_path: str | os.PathLike[str] | None = None,
        module_name: str | None = None,
        envs: Mapping[str, str] | None = None,
        default_resources: Any = None,
        fast_package_options: FastPackageOptions | None = None,
    ) -> FetchedEntity:
        """Applies an entity with its code, in a version that is made of what is applied.

        Args:
            entity: a workflow, task or launch plan.
            image_config: the image of tasks that name none.
            version: the version; unset: a hash of the definitions and the code.
            project: with `domain`, the namespace.
            domain: see project.
            destination_dir: where code is unpacked: only `.`, the pod's working directory.
            copy_all: whether all files of the project travel along, not only the modules that are loaded.
            default_launch_plan: of a workflow, whether the plan of its own name is applied as well.
            options: settings of that plan.
            source_path: with `copy_all`, the folder whose files travel along; it means nothing without, and warns.
            module_name: not needed: an entity knows its module.
            envs: environment variables of all tasks.
            default_resources: Resources of tasks that name none.
            fast_package_options: which code travels along.
        """
        if destination_dir not in (".", ""):
            raise ValueError(
                f"{caller()}: destination_dir can't be chosen: code is unpacked into the pod's working directory"
            )
        if module_name is not None and module_name != entity.home:
            raise ValueError(f"{caller()}: {entity.name} is in the module {entity.home}, not in {module_name}")
        root = None if source_path is None else os.fspath(source_path)
        whole = fast_package_options is not None and fast_package_options.copy_style is CopyFileDetection.ALL
        if root is not None and not (copy_all or whole):
            warnings.warn(
                f"{caller()}: source_path is the folder whose files travel along, but without copy_all only the modules"
                " that are loaded do: give copy_all=True as well, or leave it out",
                stacklevel=2,
            )
        bundle = registering.bundle_for(
            entity, copy_all=copy_all, root=root, options=fast_package_options, store=self.code_store
        )
        found: FetchedEntity = self._register(
            entity,
            version,
            SerializationSettings(image_config, env=envs),
            project=project,
            domain=domain,
            default_plan=default_launch_plan,
            options=options,
            bundle=bundle,
            derive=True,
            resources=default_resources,
        )
        return found

    def raw_register(
        self,
        cp_entity: Object | Iterable[Object],
        settings: SerializationSettings | None = None,
        version: str | None = None,
        create_default_launchplan: bool = True,
        options: Options | None = None,
        og_entity: Entity | None = None,
    ) -> Identifier | None:
        """Applies objects that are manifests already. Prefer the other methods for entities.

        Args:
            cp_entity: a manifest, or several.
            settings: project, domain and version; image and environment of tasks that say nothing of them.
            version: the version that they get.
            create_default_launchplan: whether the plan of its own name is applied too, where the last is a Workflow.
            options: settings of that plan.
            og_entity: the workflow that the last is of: its `default_options` are settings of that plan as well.

        Returns:
            What the last of them is called.
        """
        given = [dict(cp_entity)] if isinstance(cp_entity, Mapping) else [dict(obj) for obj in cp_entity]
        if not given:
            return None
        settings = settings or SerializationSettings()
        namespace = self.namespace(settings.project, settings.domain)
        last = given[-1]
        if create_default_launchplan and last["kind"] == "Workflow":
            given += _default_plan(given, og_entity)
        _apply_options(given, last, options)
        placed = [
            {**obj, "metadata": {**obj["metadata"], "namespace": namespace}, **_settled(obj, settings)} for obj in given
        ]
        version = version or settings.version
        objects.apply(self.cluster, registering.in_version(placed, version) if version else placed)
        return Identifier(
            last["kind"], settings.project or "", settings.domain or "", last["metadata"]["name"], version or ""
        )

    def fast_package(
        self,
        root: str | os.PathLike[str],
        deref_symlinks: bool = True,
        output: str | None = None,
        options: FastPackageOptions | None = None,
    ) -> tuple[bytes, str]:
        """Packs the files of a folder as tasks' code, and stores the package as a ConfigMap.

        Args:
            root: the folder.
            deref_symlinks: files and folders that links point to are packed; only True.
            output: a folder that gets a copy of the package.
            options: `show_files` prints what is packed; all files are, whatever `copy_style` can say.

        Returns:
            The package's MD5, and where it is: `configmap://NAMESPACE/NAME`, or an address of the store.
        """
        if not deref_symlinks:
            raise ValueError(f"{caller()}: a package has no symlinks: the files that they point to are packed")
        if options is not None and options.copy_style not in (None, CopyFileDetection.ALL):
            raise ValueError(
                f"{caller()}: fast_package packs all files of a folder; {options.copy_style} is for"
                " fast_register_workflow and register_script"
            )
        files = files_below(Path(root), follow=True)
        if options is not None and options.show_files:
            print("\n".join(sorted(files)))  # noqa: T201  that is what show_files asks for
        bundle = make_bundle(files, self.code_store)
        if output is not None:
            Path(output).mkdir(parents=True, exist_ok=True)
            (Path(output) / f"{bundle.name}.tar.gz").write_bytes(bundle.data)
        digest = hashlib.md5(bundle.data, usedforsecurity=False).digest()
        if bundle.archive is not None:
            upload(bundle)
            return digest, bundle.archive["uri"]
        obj = _emit.code_manifest(bundle)
        obj["metadata"]["namespace"] = self.namespace()
        objects.apply(self.cluster, [obj])
        return digest, f"configmap://{obj['metadata']['namespace']}/{bundle.name}"

    def activate_launchplan(self, ident: Identifier | FlyteLaunchPlan | str) -> FlyteLaunchPlan:
        """Lets a plan's schedule and trigger work. Of an older version: the plan becomes that version again.

        Args:
            ident: an Identifier, what `fetch_launch_plan` gives, or a name.
        """
        return self._set_active(ident, True)

    def deactivate_launchplan(self, ident: Identifier | FlyteLaunchPlan | str) -> FlyteLaunchPlan:
        """Stops a plan's schedule and trigger. It can still be run by hand."""
        return self._set_active(ident, False)

    # ---- underneath ----

    def _register(
        self,
        entity: Entity,
        version: str | None,
        settings: SerializationSettings | None,
        *,
        project: str | None = None,
        domain: str | None = None,
        default_plan: bool = False,
        options: Options | None = None,
        bundle: Bundle | EllipsisType | None = ...,
        derive: bool = False,
        resources: Any = None,
    ) -> Any:
        """Applies the entity and all that it needs in one version; the entity as the cluster has it.

        Without a bundle (`...`), the settings say which code travels along; None is none.
        """
        if isinstance(entity, ReferenceEntity):
            raise ValueError(f"{caller()}: {entity!r} is a reference to what is in a cluster; it can't be registered")
        settings = settings or SerializationSettings()
        version = version or settings.version
        if version is None and not derive and not self.interactive_mode_enabled:
            raise ValueError(
                f"{caller()}: version is required: give one, or let it be made of the code: remote.register_script"
            )
        project, domain = project or settings.project, domain or settings.domain
        made = self._objects(
            registering.entities_of(entity, default_plan=default_plan),
            registering.bundle_for(entity, settings, store=self.code_store)
            if isinstance(bundle, EllipsisType)
            else bundle,
            self.namespace(project, domain),
            settings,
            options,
            registering.plan_of(entity, default_plan=default_plan),
            resources,
        )
        version = version or registering.derived_version(made)
        applied = objects.apply(self.cluster, registering.in_version(made, version))
        mine = next(obj for obj in applied if registering.is_of(obj, entity))
        if mine["kind"] == "LaunchPlan":
            return self._launch_plan(mine, project, domain, entity.name)
        kinds: dict[str, type[FetchedEntity]] = {"Task": FlyteTask, "Workflow": FlyteWorkflow}
        return kinds[mine["kind"]].from_object(mine, project, domain, entity.name)

    def _objects(
        self,
        definitions: list[Entity],
        bundle: Bundle | None,
        namespace: str,
        settings: SerializationSettings,
        options: Options | None,
        plan: LaunchPlan | None,
        resources: Any = None,
    ) -> list[Object]:
        """The objects of definitions whose images are there, and their code, if it is the store's."""
        for spec in dict.fromkeys(image_names.specs_of(definitions)):
            builders.build(spec)
        if bundle is not None:
            upload(bundle)
        made = registering.objects_of(
            definitions, bundle, namespace=namespace, settings=settings, options=options, plan=plan
        )
        for obj in made:
            if obj["kind"] == "Task" and resources is not None:
                registering.add_resources(obj["spec"], resources)
            if obj["kind"] == "LaunchPlan":
                self._keep_activation(obj)
        return made

    def _keep_activation(self, obj: Object) -> None:
        """A plan that is active stays so: registering it again is no decision about that."""
        there = objects.find(self.cluster, "LaunchPlan", obj["metadata"]["name"], obj["metadata"]["namespace"])
        if there is not None and not there["spec"].get("suspend"):
            obj["spec"].pop("suspend", None)

    def _set_active(self, ident: Identifier | FlyteLaunchPlan | str, active: bool) -> FlyteLaunchPlan:
        if isinstance(ident, str):
            ident = Identifier("LaunchPlan", "", "", ident, "")
        if isinstance(ident, FlyteLaunchPlan):
            ident = Identifier("LaunchPlan", ident.project, ident.domain, ident.object_name, ident.version)
        wanted, project, domain, called = self._definition(
            "LaunchPlan", ident.project, ident.domain, ident.name, ident.version or None
        )
        name, namespace = wanted["metadata"]["name"], wanted["metadata"]["namespace"]
        if "resourceVersion" in wanted["metadata"]:
            changes = {"spec": {"suspend": None if active else True}}
            changed = objects.patch(self.cluster, "LaunchPlan", name, namespace, changes)
        else:  # an older version: the plan becomes what it was
            now = objects.get(self.cluster, "LaunchPlan", name, namespace)
            now["spec"] = {**wanted["spec"], "suspend": not active}
            changed = objects.replace(self.cluster, now)
        return self._launch_plan(changed, project, domain, called)


def _default_plan(given: list[Object], entity: Entity | None) -> list[Object]:
    """The plan of the name of the last of the manifests, a Workflow; nothing where it is among them."""
    name = given[-1]["metadata"]["name"]
    if any((obj["kind"], obj["metadata"]["name"]) == ("LaunchPlan", name) for obj in given):
        return []
    if isinstance(entity, Workflow):
        return [_emit.manifest(LaunchPlan.get_default_launch_plan(None, entity))]
    spec = {"workflow": {"name": name}}
    return [{"apiVersion": API_VERSION, "kind": "LaunchPlan", "metadata": {"name": name}, "spec": spec}]


def _apply_options(given: list[Object], last: Object, options: Options | None) -> None:
    """The options are settings of the last manifest's plan, or of the last if it is one."""
    if options is None:
        return
    name, plans = last["metadata"]["name"], 0
    for at, obj in enumerate(given):
        if obj["kind"] == "LaunchPlan" and obj["metadata"]["name"] == name:
            given[at], plans = {**obj, "spec": {**obj["spec"], **registering.plan_fields(options)}}, plans + 1
    if not plans:
        registering.warn_of_options()


def _settled(obj: Object, settings: SerializationSettings) -> Object:
    """The spec of a manifest with the settings."""
    if "spec" not in obj:
        return {}
    found = {"kind": obj["kind"], "spec": dict(obj["spec"])}
    registering.apply_settings(found, settings)
    return {"spec": found["spec"]}
