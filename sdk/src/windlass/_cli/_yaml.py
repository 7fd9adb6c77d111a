"""YAML, read and written the way the manifests are. The library is loaded by the first call: a local run needs none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def dump(documents: Iterable[Any]) -> str:
    """Documents in block style, keys in their order, long texts as blocks, nothing shared by anchors."""
    import yaml  # noqa: PLC0415  40 ms that a local run does without

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, indentless)

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else "'" if is_ambiguous(value) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return "---\n".join(
        yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120) for document in documents
    )


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
