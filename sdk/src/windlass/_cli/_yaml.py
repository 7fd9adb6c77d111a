"""YAML, read and written the way the manifests are. The library is loaded by the first call: a local run needs none.

Manifests are large and plain: thousands of short texts in maps and lists. Those are written here, line by line, which
is ten times faster than the library; whatever needs quotes, blocks or folding is left to it, and looks the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

WIDTH = 120

_PLAIN = re.compile(r"[A-Za-z_/$][-A-Za-z0-9_./=<>&|()\[\]\"'$+]*(?: [-A-Za-z0-9_./=<>&|()\[\]\"'$+]+)*\Z")
"""Texts that mean themselves without quotes, wherever they stand, unless they are one of the words."""

_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"])
_QUOTED = frozenset(spelled for word in _WORDS for spelled in (word, word.upper(), word.capitalize()))
_LONGEST = 60  # in one line, however deep
_DEEPEST = 20


def dump(documents: Iterable[Any]) -> str:
    """Documents in block style, keys in their order, long texts as blocks, nothing shared by anchors."""
    writer = _Writer()
    return "---\n".join(writer.written(document) for document in documents)


class _Writer:
    """Writes documents. Texts repeat a lot: how each is written is found out once."""

    def __init__(self) -> None:
        self._texts: dict[str, str | None] = {}
        self._lines: list[str] = []

    def written(self, document: Any) -> str:
        """One document, with a line break at its end."""
        self._lines = []
        if isinstance(document, dict) and document:
            self._mapping(document, "")
        else:
            self._lines.append(by_library(document, WIDTH).rstrip("\n"))
        return "\n".join(self._lines) + "\n"

    def _mapping(self, mapping: dict[Any, Any], indent: str) -> None:
        lines = self._lines
        for key, value in mapping.items():
            name = self._scalar(key) if type(key) is str else None
            if name is None or len(indent) > _DEEPEST:
                self._by_library({key: value}, indent)
            elif type(value) is dict and value:
                lines.append(f"{indent}{name}:")
                self._mapping(value, f"{indent}  ")
            elif type(value) is list and value:
                lines.append(f"{indent}{name}:")
                self._sequence(value, indent)
            else:
                text = self._scalar(value)
                if text is None:
                    self._by_library({key: value}, indent)
                else:
                    lines.append(f"{indent}{name}: {text}")

    def _sequence(self, items: list[Any], indent: str) -> None:
        lines = self._lines
        for item in items:
            text = self._scalar(item)
            if text is not None:
                lines.append(f"{indent}- {text}")
            elif type(item) is dict and item:
                start = len(lines)
                self._mapping(item, f"{indent}  ")
                lines[start] = f"{indent}- {lines[start][len(indent) + 2 :]}"
            else:
                self._by_library([item], indent)

    def _scalar(self, value: Any) -> str | None:
        """A value in one line, if it is a simple one."""
        if type(value) is str:
            if value not in self._texts:
                self._texts[value] = _text(value)
            return self._texts[value]
        if value is None:
            return "null"
        if type(value) is bool:
            return "true" if value else "false"
        return str(value) if type(value) is int else None

    def _by_library(self, value: Any, indent: str) -> None:
        written = by_library(value, WIDTH - len(indent)).removesuffix("\n")
        self._lines += [indent + line if line else "" for line in written.split("\n")]


def _text(text: str) -> str | None:
    """How a text is written in one line; None where the library has to say."""
    if text in _QUOTED:
        return f"'{text}'"
    simple = len(text) <= _LONGEST and _PLAIN.match(text) and text.lower() not in _WORDS
    return text if simple else None


def by_library(document: Any, width: int) -> str:
    """A document as PyYAML writes it."""
    import yaml  # noqa: PLC0415  40 ms that a local run does without

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # the C one is six times faster
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else "'" if is_ambiguous(value) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return str(yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=width))


def is_ambiguous(text: str) -> bool:
    """Whether PyYAML writes a text plainly that kubectl's reader takes for a bool (``n``) or a number (``1e3``)."""
    if text in ("y", "Y", "n", "N"):
        return True
    for number in (float, lambda digits: int(digits, 0)):
        try:
            number(text)
        except ValueError:
            continue
        return True
    return False


def load_all(text: str, name: str) -> list[Any]:
    """The documents of a file. Raises ValueError, with line and column, where it is no YAML."""
    import yaml  # noqa: PLC0415  as above

    try:
        return [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        problem = getattr(error, "problem", None) or str(error)
        raise ValueError(f"{where}: this is no YAML: {problem}") from None
