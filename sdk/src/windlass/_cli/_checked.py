"""From a Python file to checked manifests: what `render`, `validate` and `run --remote` have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from windlass import _emit, _project
from windlass._bundle import Bundle, checked_store, files_below, loaded_modules, make_bundle, upload
from windlass._entity import Entity
from windlass._modules import locate
from windlass_api.findings import NOT_FOUND

PREFIX_VARIABLE = "WINDLASS_RAW_OUTPUT_PREFIX"
COPY = ("auto", "all", "none")
COPY_HELP = (
    "which code travels with the tasks: `auto`, the project's modules that the file loads; `all`, every file of"
    " the project,"
    " data included; `none`, nothing, the image has the code (default: auto)"
)


STORE_HELP = (
    "the store for code that is too large for a ConfigMap, such as s3://bucket/folder; the pods read it from there"
    " (default: $WINDLASS_RAW_OUTPUT_PREFIX)"
)


def store_of(given: str | None = None) -> str | None:
    """Where code goes that is too large for a ConfigMap. Raises BundleError where what is given is no such place."""
    return checked_store(given) if given else os.environ.get(PREFIX_VARIABLE) or None


class InvalidManifestsError(Exception):
    """Manifests that break a rule of the contract; one line for each finding."""


def bundle_of(module: ModuleType, definitions: Iterable[Entity], copy: str, store: str | None) -> Bundle | None:
    """The code bundle for definitions of a module; None where none of them runs code, or the image has it."""
    if copy == "none" or not any(item.kind == "Task" for item in definitions):
        return None
    files = loaded_modules()
    if copy == "all":
        files = {**files_below(Path(locate(str(module.__file__))[0])), **files}
    return make_bundle(files, store)


def manifests_of(
    module: ModuleType,
    definitions: Sequence[Entity],
    *,
    copy: str,
    namespace: str | None,
    image: str | None = None,
    store: str | None = None,
) -> list[dict[str, Any]]:
    """The objects of the definitions, held against the contract; code that goes to the store is there."""
    bundle = bundle_of(module, definitions, copy, store)
    objects = rendered(module, definitions, bundle, namespace=namespace, image=image)
    problems = [finding for _, finding in findings(objects, range(len(objects)))]
    if problems:
        raise InvalidManifestsError("\n".join(problems))
    if bundle is not None and upload(bundle):
        print(f"brought the code to {bundle.reference['archive']['uri']}", file=sys.stderr, flush=True)
    return objects


def rendered(
    module: ModuleType,
    definitions: Sequence[Entity],
    bundle: Bundle | None,
    *,
    namespace: str | None,
    image: str | None = None,
) -> list[dict[str, Any]]:
    """The objects of the definitions; `image` is for tasks whose author named none."""
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
