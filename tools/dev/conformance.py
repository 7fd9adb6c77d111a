"""The API to provide, held against `windlass` and against its tests; and docs/compatibility.md, written from both.

tests/conformance/ has the two inputs: `api-surface.json`, the names that users of the API know, and `choices.toml`,
where Windlass means something else by one of them, and why. What has no choice behaves as upstream does.

    surface ──┬─ items()      every function, class, parameter, method and property
              ├─ missing()    what `windlass` does not have
              └─ unused()     what no test uses
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import tomllib

import windlass
from dev.console import ROOT

HOME = ROOT / "tests" / "conformance"
PAGE = ROOT / "docs" / "compatibility.md"
TESTS = ROOT / "tests"
STATES = {
    "same": "as in the API that your code was written for",
    "better": "your code works as before; what was surprising, lost or silent there is not so here",
    "different": "means something of our own, for there is no admin API, no flyteidl and no Flyte backend here",
    "refused": "raises, or warns, and says what to do instead",
}
ANY = ("args", "kwargs", "kw", "to_dict_kwargs", "from_dict_kwargs")
"""Parameters that stand for any others."""


class Item(NamedTuple):
    """One thing of the API: `Cache`, `Cache(version)`, `Cache.get_version`, `Cache.get_version(params)`."""

    owner: str
    member: str | None = None
    parameter: str | None = None
    place: int = -1
    is_property: bool = False

    def __str__(self) -> str:
        name = self.owner if self.member is None else f"{self.owner}.{self.member}"
        return name if self.parameter is None else f"{name}({self.parameter})"


class Choice(NamedTuple):
    """Where Windlass differs, and which items of the surface that is about; none where it is about behaviour."""

    name: str
    state: str
    reason: str
    items: tuple[str, ...]


# ---- the two inputs -------------------------------------------------------------------------------------------------


def items() -> Iterator[Item]:
    """The whole surface, in its order."""
    surface = json.loads((HOME / "api-surface.json").read_text())
    for name, parameters in surface["functions"].items():
        yield Item(name)
        yield from _parameters(name, None, parameters)
    for name, parts in surface["classes"].items():
        yield Item(name)
        yield from _parameters(name, None, parts["init"])
        for method, parameters in parts["methods"].items():
            yield Item(name, method)
            yield from _parameters(name, method, parameters)
        for attribute in parts["properties"]:
            yield Item(name, attribute, is_property=True)


def _parameters(owner: str, member: str | None, names: Iterable[str]) -> Iterator[Item]:
    for place, name in enumerate(names):
        yield Item(owner, member, name, place)


def choices() -> list[Choice]:
    """What differs, and why."""
    known = {str(item) for item in items()}
    rows = tomllib.loads((HOME / "choices.toml").read_text())["choice"]
    return [
        Choice(row["name"], row["state"], row["reason"], tuple(row.get("items", known & {row["name"]}))) for row in rows
    ]


# ---- is it there? ---------------------------------------------------------------------------------------------------


def missing() -> list[Item]:
    """The items that `windlass` does not have."""
    return [item for item in items() if not _is_there(item)]


def _is_there(item: Item) -> bool:
    owner = getattr(windlass, item.owner, None)
    if owner is None or (item.member is None and item.parameter is None):
        return owner is not None
    if item.member is not None and item.parameter is None:
        return _has_member(owner, item.member, needs_call=not item.is_property)
    called = owner if item.member is None else getattr(owner, item.member, None)
    return called is not None and _takes(called, item.parameter or "")


def _has_member(owner: Any, name: str, *, needs_call: bool) -> bool:
    if needs_call:
        return callable(getattr(owner, name, None))
    return hasattr(owner, name) or any(name in vars(base).get("__annotations__", ()) for base in owner.__mro__)


def _takes(called: Callable[..., Any], parameter: str) -> bool:
    parameters = inspect.signature(called).parameters.values()
    if parameter in ANY:
        return any(one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL) for one in parameters) or parameter in {
            one.name for one in parameters
        }
    return parameter in {one.name for one in parameters}


# ---- does a test use it? --------------------------------------------------------------------------------------------


class Usage:
    """What the tests call and read, by the last part of its name."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        self.read: set[str] = set()
        self.keywords: dict[str, set[str]] = {}
        self.positional: dict[str, int] = {}

    def look_at(self, tree: ast.AST) -> None:
        """Adds what stands in a file."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                self.read.add(node.attr)
            elif isinstance(node, ast.Name):
                self.read.add(node.id)
            if isinstance(node, ast.Call):
                self._call(_last_name(node.func), node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.called.update(_last_name(decorator) for decorator in node.decorator_list)

    def _call(self, name: str, node: ast.Call) -> None:
        if name == "partial" and node.args:  # functools.partial(f, a=…), and pytest's parametrised calls
            name = _last_name(node.args[0])
        self.called.add(name)
        self.keywords.setdefault(name, set()).update(keyword.arg for keyword in node.keywords if keyword.arg)
        self.positional[name] = max(self.positional.get(name, 0), len(node.args))

    def has(self, item: Item) -> bool:
        """Whether a test uses the item."""
        name = item.member or item.owner
        if item.is_property:
            return name in self.read
        if item.parameter is None or item.parameter in ANY:
            return name in self.called
        return item.parameter in self.keywords.get(name, ()) or item.place < self.positional.get(name, 0)


def usage() -> Usage:
    """What all tests use."""
    found = Usage()
    for file in sorted(TESTS.rglob("test_*.py")):
        found.look_at(ast.parse(file.read_text()))
    return found


def unused() -> list[Item]:
    """The items that no test uses."""
    found = usage()
    return [item for item in items() if not found.has(item)]


def _last_name(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Call):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


# ---- the page -------------------------------------------------------------------------------------------------------

HEAD = """# Compatibility

Everything that the `union`/`flytekit` SDK's API page names, what it means here, and why where it differs. To move
a project, change `from union import …` or `from flytekit import …` to `from windlass import …`; names that live in
submodules there (`flytekit.types.file.CSVFile`, `flytekit.core.artifact.Inputs`, …) are in `windlass` itself, and
accelerators in `windlass.accelerators`.

The page is made from the conformance test, which holds every name, parameter, method and property against the package
and against the tests that use it."""


def write() -> None:
    """docs/compatibility.md."""
    PAGE.write_text("\n".join(page()).rstrip() + "\n")


def page() -> Iterator[str]:
    """The page's lines."""
    known = {name: choice for choice in choices() for name in choice.items}
    everything = list(items())
    yield from (HEAD, "", "| state | meaning |", "|---|---|")
    yield from (f"| {state} | {meaning} |" for state, meaning in STATES.items())
    owners = list(dict.fromkeys(item.owner for item in everything))
    yield from ("", "## Summary", "", "| name | " + " | ".join(STATES) + " |", "|---|" + "---:|" * len(STATES))
    for owner in owners:
        counts = [0] * len(STATES)
        for item in everything:
            if item.owner == owner:
                counts[list(STATES).index(_state(item, known))] += 1
        yield f"| [`{owner}`](#{owner.lower()}) | " + " | ".join(map(str, counts)) + " |"
    for owner in owners:
        yield from ("", f"## {owner}", "", "| name | state | reason |", "|---|---|---|")
        for item in everything:
            if item.owner == owner:
                choice = known.get(str(item))
                yield f"| `{item}` | {_state(item, known)} | {_cell(choice.reason) if choice else ''} |"
    yield from ("", "## Beyond the page", "", "Behaviour, and names that the page leans on without listing them.", "")
    yield from ("| what | state | reason |", "|---|---|---|")
    for choice in choices():
        if not choice.items:
            yield f"| {_cell(choice.name)} | {choice.state} | {_cell(choice.reason)} |"


def _state(item: Item, known: Mapping[str, Choice]) -> str:
    choice = known.get(str(item))
    return choice.state if choice else "same"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


__all__ = ["STATES", "Choice", "Item", "Usage", "choices", "items", "missing", "page", "unused", "usage", "write"]
