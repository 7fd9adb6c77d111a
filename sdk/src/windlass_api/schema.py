"""Schemas: models → structural OpenAPI → CustomResourceDefinitions.

Pydantic speaks JSON Schema, Kubernetes wants its structural subset of OpenAPI v3. On the way definitions are put in
place of their references, "X or null" becomes X (a field that is not set is absent), titles and
`additionalProperties: false` go (the API server prunes what it does not know), and empty defaults go. What is
Kubernetes' own (list keys, CEL rules, free-form values) stands in the models and passes through.

    python -m windlass_api.schema crds/        writes one file per kind, byte for byte the same each time
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from windlass_api.names import CATEGORY, GROUP, VERSION, plural
from windlass_api.v1alpha1.kinds import KINDS
from windlass_api.v1alpha1.meta import Column, KindModel

Schema = dict[str, Any]

HEADER = (
    "# Generated from windlass_api by `make generate` (python -m windlass_api.schema); edit the models, not this.\n"
)

_DROPPED = ("title", "additionalProperties", "default", "$defs")
_ORDER = ("description", "type", "format", "enum", "pattern")  # first, as people read; the rest follows by name


def crd(kind_model: type[KindModel]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind, as it is applied."""
    kind = kind_model.__name__
    resource = plural(kind)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource}.{GROUP}", "labels": {"app.kubernetes.io/part-of": CATEGORY}},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": resource,
                "singular": kind.lower(),
                "shortNames": list(kind_model.SHORT_NAMES),
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(column) for column in kind_model.COLUMNS],
                    "subresources": _subresources(kind_model),
                    "schema": {"openAPIV3Schema": root_schema(kind_model)},
                }
            ],
        },
    }


def root_schema(kind_model: type[KindModel]) -> Schema:
    """The structural schema of a kind. What a model says of metadata is not in it: the API server forbids that."""
    schema = structural(kind_model.model_json_schema(by_alias=True))
    properties = schema["properties"]
    properties["apiVersion"] = {"type": "string"}
    properties["kind"] = {"type": "string"}
    properties["metadata"] = {"type": "object"}
    schema["required"] = ["spec"]
    return schema


def structural(json_schema: Mapping[str, Any]) -> Schema:
    """A JSON Schema of pydantic as a structural schema."""
    return _structural(json_schema, json_schema.get("$defs", {}))


def write(folder: Path) -> list[Path]:
    """Write all CRDs into a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write_one(kind_model, folder) for kind_model in KINDS]


def dump(document: Mapping[str, Any]) -> str:
    """The one spelling of a generated YAML file."""
    return HEADER + yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)


def main(arguments: list[str]) -> int:
    """`python -m windlass_api.schema FOLDER`"""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m windlass_api.schema FOLDER\n")
        return 2
    for path in write(Path(arguments[0])):
        sys.stdout.write(f"{path}\n")
    return 0


def _write_one(kind_model: type[KindModel], folder: Path) -> Path:
    path = folder / f"{plural(kind_model.__name__)}.yaml"
    path.write_text(dump(crd(kind_model)), encoding="utf-8")
    return path


def _subresources(kind_model: type[KindModel]) -> dict[str, Any]:
    found: dict[str, Any] = {"status": {}} if "status" in kind_model.model_fields else {}
    if kind_model.SCALES:
        paths = ("spec.replicas", "status.replicas", "status.selector")
        fields = ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
        found["scale"] = {field: f".{path}" for field, path in zip(fields, paths, strict=True)}
    return found


def _column(column: Column) -> dict[str, Any]:
    found = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.description:
        found["description"] = column.description
    return found | ({"priority": column.priority} if column.priority else {})


def _structural(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    flat = _flatten(schema, definitions)
    result = {key: value for key, value in flat.items() if key not in _DROPPED}
    if "const" in result:
        result["enum"] = [result.pop("const")]
    if "properties" in result:
        result["properties"] = {name: _structural(value, definitions) for name, value in result["properties"].items()}
    if "items" in result:
        result["items"] = _structural(result["items"], definitions)
    if isinstance(flat.get("additionalProperties"), Mapping):
        result["additionalProperties"] = _structural(flat["additionalProperties"], definitions)
    return _ordered(result)


def _flatten(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """The schema with what it refers to in place, and without its "or null". What stands outside wins."""
    result = dict(schema)
    while True:
        options = result.get("anyOf", [])
        some = [option for option in options if option.get("type") != "null"]
        if len(some) == 1:
            result = dict(some[0]) | {key: value for key, value in result.items() if key != "anyOf"}
        elif "$ref" in result:
            name = result.pop("$ref").rsplit("/", 1)[-1]
            result = dict(definitions[name]) | result
        else:
            return result


def _ordered(schema: Schema) -> Schema:
    return {key: schema[key] for key in (*_ORDER, *sorted(schema.keys() - set(_ORDER))) if key in schema}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
