"""Docstrings: what a function says of itself, its parameters and what it returns, in the three customary styles.

Google              Sphinx                      NumPy
Args:               :param text: what to read   Parameters
    text: what…     :returns: the table         ----------
Returns:                                        text : str
    the table                                       what to read
"""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

_SPHINX = re.compile(r"\s*:(?:param|parameter|arg|argument)(?:\s+[^:]*?)?\s+(\w+)\s*:\s*(.*)")
_SPHINX_RETURN = re.compile(r"\s*:returns?:\s*(.*)")
_SPHINX_FIELD = re.compile(r"\s*:\w+[^:]*:")
_GOOGLE_HEAD = re.compile(r"(\w[\w ]*):\s*$")
_GOOGLE_ITEM = re.compile(r"\*{0,2}(\w+)(?:\s*\([^)]*\))?\s*:\s*(.*)")
_NUMPY_ITEM = re.compile(r"\*{0,2}(\w+)(?:\s*:.*)?$")

_PARAMETERS = ("args", "arguments", "parameters", "params", "inputs")
_RETURNS = ("returns", "return", "yields", "outputs")
_OTHER = (
    "raises",
    "example",
    "examples",
    "note",
    "notes",
    "see also",
    "warns",
    "warnings",
    "references",
    "attributes",
    "todo",
)


class Documentation(NamedTuple):
    """What a docstring says. Everything may be empty."""

    text: str
    parameters: dict[str, str]
    returns: str


def read_docstring(docstring: str | None) -> Documentation:
    """The parts of a docstring."""
    lines = _dedented(docstring or "").splitlines()
    text: list[str] = []
    parameters: dict[str, str] = {}
    returns = ""
    position = 0
    while position < len(lines):
        heading, after = _heading(lines, position)
        if heading:
            block, position = _block(lines, after, numpy=after == position + 2)
            if heading in _PARAMETERS:
                parameters |= _items(block, numpy=after == position + 2 or not _indented(lines, after))
            elif heading in _RETURNS:
                returns = _joined(_returned(block))
        elif found := _SPHINX.match(lines[position]):
            parameters[found[1]], position = _field(lines, position, found[2])
        elif found := _SPHINX_RETURN.match(lines[position]):
            returns, position = _field(lines, position, found[1])
        else:
            if not _SPHINX_FIELD.match(lines[position]):
                text.append(lines[position])
            position += 1
    return Documentation("\n".join(text).strip(), parameters, returns)


def _dedented(docstring: str) -> str:
    first, _, rest = docstring.expandtabs().partition("\n")
    return f"{first.strip()}\n{textwrap.dedent(rest)}".strip("\n")


def _heading(lines: list[str], position: int) -> tuple[str, int]:
    """The section that starts at a line, and where its content does."""
    line = lines[position].strip().lower()
    underline = lines[position + 1].strip() if position + 1 < len(lines) else ""
    known = (*_PARAMETERS, *_RETURNS, *_OTHER)
    if line in known and len(underline) >= 3 and not underline.strip("-"):
        return line, position + 2
    google = _GOOGLE_HEAD.match(line)
    if google and google[1] in known and not lines[position].startswith(" "):
        return google[1], position + 1
    return "", position


def _block(lines: list[str], start: int, *, numpy: bool) -> tuple[list[str], int]:
    """The lines of a section: to the next heading, and for Google's style only what is indented."""
    end = start
    while end < len(lines):
        if _heading(lines, end)[0] or (not numpy and lines[end].strip() and not lines[end].startswith(" ")):
            break
        end += 1
    return textwrap.dedent("\n".join(lines[start:end])).splitlines(), end


def _indented(lines: list[str], position: int) -> bool:
    return position < len(lines) and lines[position].startswith(" ")


def _items(block: list[str], *, numpy: bool) -> dict[str, str]:
    pattern = _NUMPY_ITEM if numpy else _GOOGLE_ITEM
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in block:
        item = pattern.match(line) if not line.startswith(" ") else None
        if item:
            current = found.setdefault(item[1], [])
            current.extend(item.groups()[1:])
        else:
            current.append(line)
    return {name: _joined(texts) for name, texts in found.items()}


def _returned(block: list[str]) -> list[str]:
    """What is returned, without the type that both styles may put first."""
    if len(block) > 1 and not block[0].startswith(" ") and block[1].startswith(" "):
        return block[1:]
    if block and (typed := re.match(r"[\w.\[\], |]+:\s+(.*)", block[0])):
        return [typed[1], *block[1:]]
    return block


def _field(lines: list[str], position: int, first: str) -> tuple[str, int]:
    texts, position = [first], position + 1
    while position < len(lines) and lines[position].startswith(" ") and not _SPHINX_FIELD.match(lines[position]):
        texts.append(lines[position])
        position += 1
    return _joined(texts), position


def _joined(texts: list[str]) -> str:
    return " ".join(text.strip() for text in texts if text.strip())
