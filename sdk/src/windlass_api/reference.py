"""Reference pages: what each kind looks like, written from the same models as the CRDs.

python -m windlass_api.reference docs/reference/        writes one page per kind, byte for byte the same each time
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from windlass_api.names import API_VERSION, CATEGORY, plural
from windlass_api.schema import root_schema
from windlass_api.v1alpha1.kinds import KINDS
from windlass_api.v1alpha1.meta import Column, KindModel

HEADER = "<!-- Generated from windlass_api by `make generate` (python -m windlass_api.reference); edit those. -->\n"


def page(kind_model: type[KindModel]) -> str:
    """The page of a kind in Markdown."""
    kind = kind_model.__name__
    schema = root_schema(kind_model)
    parts = [
        HEADER,
        f"# {kind}\n",
        f"{schema['description']}\n",
        f"`apiVersion: {API_VERSION}`, `kind: {kind}`. kubectl knows it as `{plural(kind)}`, "
        f"{', '.join(f'`{name}`' for name in kind_model.SHORT_NAMES)}, and with all others as `{CATEGORY}`.\n",
        "## Columns of `kubectl get`\n",
        _table(("column", "shows", "field"), map(_column_row, kind_model.COLUMNS)),
    ]
    for section in ("spec", "status"):
        if section not in schema["properties"]:
            continue
        parts += [f"## {section}\n", f"{schema['properties'][section]['description']}\n"]
        parts.append(_table(("field", "type", "meaning"), _field_rows(schema["properties"][section], section)))
    rules = list(_rule_rows(schema, ""))
    if rules:
        parts += ["## Rules\n", "The API server holds objects to these, besides the types and limits above.\n"]
        parts.append(_table(("at", "rule"), rules))
    return "\n".join(parts)


def write(folder: Path) -> list[Path]:
    """Write all pages into a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write_one(kind_model, folder) for kind_model in KINDS]


def main(arguments: list[str]) -> int:
    """`python -m windlass_api.reference FOLDER`"""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m windlass_api.reference FOLDER\n")
        return 2
    for path in write(Path(arguments[0])):
        sys.stdout.write(f"{path}\n")
    return 0


def _write_one(kind_model: type[KindModel], folder: Path) -> Path:
    path = folder / f"{kind_model.__name__.lower()}.md"
    path.write_text(page(kind_model), encoding="utf-8")
    return path


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _column_row(column: Column) -> tuple[str, ...]:
    wide = " (with `-o wide`)" if column.priority else ""
    return (column.name.upper() + wide, column.description, f"`{column.path}`")


def _field_rows(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        where = f"{path}.{name}"
        meaning = field.get("description", "") + (" **Required.**" if name in required else "")
        yield (f"`{where}`", _type_of(field), meaning + _limits(field))
        yield from _nested_rows(field, where)


def _nested_rows(field: Mapping[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    if "properties" in field:
        yield from _field_rows(field, path)
    elif "properties" in field.get("items", {}):
        yield from _field_rows(field["items"], f"{path}[]")
    elif "properties" in field.get("additionalProperties", {}):
        yield from _field_rows(field["additionalProperties"], f"{path}.NAME")


def _type_of(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "items" in field:
        return f"list of {_type_of(field['items'])}"
    if "additionalProperties" in field:
        return f"map of {_type_of(field['additionalProperties'])}"
    if field.get("format") == "date-time":
        return "time"
    return str(field.get("type", "any value"))


def _limits(field: Mapping[str, Any]) -> str:
    shown = [f"{words} {field[key]}{unit}" for key, (words, unit) in _LIMITS.items() if key in field]
    return f" ({', '.join(shown)})" if shown else ""


_LIMITS = {
    "maximum": ("at most", ""),
    "maxLength": ("at most", " characters"),
    "maxItems": ("at most", " items"),
    "maxProperties": ("at most", " entries"),
}


def _rule_rows(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield (f"`{(path + rule.get('fieldPath', '')).lstrip('.') or 'the object'}`", rule["message"])
    for name, field in schema.get("properties", {}).items():
        yield from _rule_rows(field, f"{path}.{name}")
    if "items" in schema:
        yield from _rule_rows(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from _rule_rows(schema["additionalProperties"], f"{path}.NAME")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
