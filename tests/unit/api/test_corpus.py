"""Whole manifests: those in `complete/` have every field there is and nothing wrong; those in `broken/` have one thing
wrong each, and say which.

A broken file starts with what is expected: the findings about its first object, and under `server` the words of the
API server where that knows it, too (tests/contract holds it to them). The objects after the first are those that it
refers to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from windlass_api import schema
from windlass_api.findings import Finding
from windlass_api.manifests_check import validate_manifests
from windlass_api.overrides import OVERRIDE_FIELDS
from windlass_api.v1alpha1.kinds import KINDS
from windlass_api.v1alpha1.meta import KindModel
from windlass_api.v1alpha1.task import Task

HERE = Path(__file__).parent
BROKEN = sorted((HERE / "broken").glob("*.yaml"))
COMPLETE = sorted((HERE / "complete").glob("*.yaml"))

Manifest = dict[str, Any]


def load(file: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(file.read_text(encoding="utf-8")) if document is not None]


def complete() -> list[Manifest]:
    return [manifest for file in COMPLETE for manifest in load(file)]


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_what_is_broken_is_told_with_its_place(file: Path) -> None:
    head, *objects = load(file)
    expected = [Finding(one["path"], one["reason"], one["message"]) for one in head["expect"]]
    assert [finding for index, finding in validate_manifests(objects) if index == 0] == expected


def test_there_are_many_ways_to_be_wrong_and_each_kind_has_some() -> None:
    assert len(BROKEN) >= 80
    assert {load(file)[1]["kind"] for file in BROKEN} == {kind.__name__ for kind in KINDS}
    reasons = {one["reason"] for file in BROKEN for one in load(file)[0]["expect"]}
    assert len(reasons) >= 25


def test_complete_manifests_are_in_order() -> None:
    assert validate_manifests(complete()) == []


def missing(field: Mapping[str, Any], values: list[Any], path: str) -> Iterator[str]:
    """The fields of a schema that none of the values has."""
    for name, inner in field.get("properties", {}).items():
        given = [value[name] for value in values if isinstance(value, dict) and name in value]
        if not given:
            yield f"{path}.{name}"
        yield from missing(inner, given, f"{path}.{name}")
    if "items" in field:
        given = [item for value in values if isinstance(value, list) for item in value]
        yield from missing(field["items"], given, f"{path}[]")
    if isinstance(field.get("additionalProperties"), Mapping):
        given = [item for value in values if isinstance(value, dict) for item in value.values()]
        yield from missing(field["additionalProperties"], given, f"{path}[]")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_complete_manifests_have_every_field(kind: type[KindModel]) -> None:
    specs = [manifest["spec"] for manifest in complete() if manifest["kind"] == kind.__name__]
    lacking = set(missing(schema.root_schema(kind)["properties"]["spec"], specs, "spec"))
    if kind is not Task:  # what its fields have inside, the tasks show
        shared = "|".join(OVERRIDE_FIELDS)
        lacking = {path for path in lacking if not re.search(rf"\.(overrides|defaults)\.|\.({shared})\W", path)}
    assert lacking == set()
