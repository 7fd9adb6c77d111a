"""Child Executions: what a launch plan's node starts, and what runs the workflow that a dynamic task gave.

A child is an Execution like any other, owned by its parent: it goes when the parent goes, and everybody can look at it,
cancel it or see why it waits in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_api import names
from windlass_operator.manifests.objects import (
    Manifest,
    controller_revision,
    labels,
    place_annotations,
    place_labels,
)


def child_execution(
    *,
    name: str,
    namespace: str,
    parent: str,
    owner: Manifest,
    place: tuple[str, int, int | None],
    depth: int,
    closure: str,
    spec: Mapping[str, Any],
    labels_of_plan: Mapping[str, str],
    annotations_of_plan: Mapping[str, str],
) -> Manifest:
    """The Execution that runs an attempt of a node of another. ``place`` is node, attempt and element."""
    node, attempt, element = place
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Execution",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                **labels_of_plan,
                **labels(**{names.LABEL_PARENT: parent, **place_labels(node, attempt, element)}),
            },
            "annotations": {
                **annotations_of_plan,
                names.ANNOTATION_DEPTH: str(depth),
                **place_annotations(node, closure),
            },
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": dict(spec),
    }


def dynamic_revision(
    task: str, workflow: Mapping[str, Any], namespace: str, owner: Manifest
) -> tuple[Manifest, dict[str, str]]:
    """The workflow that a dynamic task gave, as a revision that an Execution can name; and that name.

    It is a revision of a Workflow that does not exist: called like the task, with a hash of its content as version.
    """
    digest = names.content_hash(workflow)
    version = names.dynamic_version(digest)
    data = {"kind": "Workflow", "name": task, "spec": {**workflow, "version": version}}
    marks = {
        names.LABEL_DEFINITION: definition_label("Workflow", task),
        names.LABEL_VERSION: names.label_value(version),
        names.LABEL_ROLE: "dynamic",
    }
    manifest = controller_revision(names.revision_name("Workflow", task, digest), namespace, data, 1, [owner], marks)
    return manifest, {"name": task, "version": version}


def definition_label(kind: str, name: str) -> str:
    """The label value that finds the revisions of a definition; names may be longer than label values."""
    return names.label_value(f"{kind.lower()}-{name}")
