"""From a Python file to checked manifests: what `render`, `validate` and `run --remote` have in common."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from windlass import _emit, _project
from windlass._bundle import Bundle, files_below, loaded_modules, make_bundle
from windlass._entity import Entity
from windlass._modules import locate
from windlass_api.findings import NOT_FOUND

COPY = ("auto", "all", "none")
COPY_HELP = (
    "which code travels with the tasks: `auto`, the project's modules that the file loads; `all`, every file of"
    " the project,"
    " data included; `none`, nothing, the image has the code (default: auto)"
)


class InvalidManifestsError(Exception):
    """Manifests that break a rule of the contract; one line for each finding."""


def bundle_of(module: ModuleType, copy: str) -> Bundle | None:
    """The code bundle for a module."""
    if copy == "none":
        return None
    files = loaded_modules()
    if copy == "all":
        files = {**files_below(Path(locate(str(module.__file__))[0])), **files}
    return make_bundle(files)


def manifests_of(
    module: ModuleType, definitions: Sequence[Entity], *, copy: str, namespace: str | None, image: str | None = None
) -> list[dict[str, Any]]:
    """The objects of the definitions, held against the contract."""
    objects = rendered(module, definitions, copy=copy, namespace=namespace, image=image)
    problems = [finding for _, finding in findings(objects, range(len(objects)))]
    if problems:
        raise InvalidManifestsError("\n".join(problems))
    return objects


def rendered(
    module: ModuleType, definitions: Sequence[Entity], *, copy: str, namespace: str | None, image: str | None = None
) -> list[dict[str, Any]]:
    """The objects of the definitions; `image` is for tasks whose author named none."""
    bundle = bundle_of(module, copy) if any(item.kind == "Task" for item in definitions) else None
    with _project.compiling(module):
        objects = _emit.manifests(definitions, bundle, namespace)
    for manifest in objects:
        if image is not None and manifest["kind"] == "Task":
            manifest["spec"].setdefault("image", image)
    return objects


def findings(objects: list[dict[str, Any]], from_python: Container[int] = ()) -> list[tuple[int, str]]:
    """What breaks a rule: the position of the object, and `Kind name: field: message`.

    `from_python` are the positions of what was rendered just now. What such an object refers to either stands beside it
    or is in the cluster already (`reference_task`, …), so nothing is missing there.
    """
    from windlass_api.manifests_check import validate_manifests  # noqa: PLC0415  loads pydantic, 150 ms

    return [
        (position, f"{label(objects[position])}: {finding}")
        for position, finding in validate_manifests(objects)
        if position not in from_python or finding.reason not in NOT_FOUND.values()
    ]


def label(manifest: Any) -> str:
    """What an object is called in messages."""
    if not isinstance(manifest, dict):
        return "a document"
    metadata = manifest.get("metadata")
    name = metadata.get("name") or metadata.get("generateName") if isinstance(metadata, dict) else None
    return f"{manifest.get('kind', 'an object without a kind')} {name or 'without a name'}"
