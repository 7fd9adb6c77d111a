"""Schemas put together from parts: definitions (`$defs`) move to the root, where every `$ref` looks for them.

A pydantic model inside a list or a dataclass brings a schema of its own, with references that count from its own root.
"""

from __future__ import annotations

from typing import Any

_DEFINITIONS = "$defs"
_PREFIX = "#/$defs/"
_DATA = ("default", "enum", "const", "examples")  # keywords whose values are data, not schemas

Names = dict[str, str]


def hoisted(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with all definitions at its root; two of one name which differ get different names."""
    hoist = _Hoist()
    body: dict[str, Any] = hoist.schema(schema, {})
    return {**body, _DEFINITIONS: hoist.definitions} if hoist.definitions else body


class _Hoist:
    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self._blocks: list[tuple[dict[str, Any], Names]] = []

    def schema(self, node: Any, names: Names) -> Any:
        if type(node) is list:
            return [self.schema(item, names) for item in node]
        if type(node) is not dict:
            return node
        if type(node.get(_DEFINITIONS)) is dict:
            names = self._names_of(node[_DEFINITIONS])
        return {key: self._member(key, item, names) for key, item in node.items() if key != _DEFINITIONS}

    def _member(self, key: str, item: Any, names: Names) -> Any:
        if key in _DATA:
            return item
        if key == "$ref" and type(item) is str and item.startswith(_PREFIX):
            return _PREFIX + names.get(item.removeprefix(_PREFIX), item.removeprefix(_PREFIX))
        if key == "properties" and type(item) is dict:
            return {name: self.schema(inner, names) for name, inner in item.items()}
        return self.schema(item, names)

    def _names_of(self, block: dict[str, Any]) -> Names:
        """The names by which the definitions of a block go at the root."""
        for known, names in self._blocks:
            if known == block:
                return names
        names = {name: self._free(name) for name in block}
        self._blocks.append((block, names))
        self.definitions.update(dict.fromkeys(names.values()))
        for name, definition in block.items():
            self.definitions[names[name]] = self.schema(definition, names)
        return names

    def _free(self, name: str) -> str:
        number, free = 2, name
        while free in self.definitions:
            number, free = number + 1, f"{name}_{number}"
        return free
