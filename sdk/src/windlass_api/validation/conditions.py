"""Conditions: whether `when` is an expression, leads somewhere, and can be true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from windlass_api import cel
from windlass_api.findings import INVALID_EXPRESSION, UNREACHABLE, Finding
from windlass_api.types import Type
from windlass_api.wiring import Scope, Spec, unknown_finding


def when_findings(owner: Spec, scope: Scope, path: str, consequence: str) -> Iterator[Finding]:
    """What is wrong with the `when` of a node or a case; `consequence` is what follows where it is never true."""
    when = owner.get("when")
    if when is None:
        return
    try:
        expression = cel.parse(str(when))
    except cel.CelSyntaxError as error:
        yield Finding(path, INVALID_EXPRESSION, str(error))
        return
    unknown = [unknown_finding(ref, scope, path) for ref in expression.refs]
    yield from (finding for finding in unknown if finding is not None)
    try:
        kind = expression.kind(lambda ref: _cel_kind(scope.known_type(ref)[0]))
    except cel.CelError as error:
        yield Finding(path, INVALID_EXPRESSION, str(error))
        return
    if kind not in (None, "bool"):
        yield Finding(path, INVALID_EXPRESSION, f"`{when}` is {kind}, a condition is a bool; compare it with something")
    elif not expression.refs and _constant(expression) is False:
        yield Finding(path, UNREACHABLE, f"`{when}` is never true: {consequence}")


def _constant(expression: cel.Expression) -> Any:
    try:
        return expression.evaluate(lambda ref: None)
    except cel.CelError:
        return False


_CEL_KINDS = {
    "none": "null",
    "bool": "bool",
    "int": "int",
    "str": "string",
    "date": "string",
    "bytes": "string",
    "list": "list",
    "dict": "map",
    "struct": "map",
    "file": "map",
    "directory": "map",
    "dataframe": "map",
    "pickle": "map",
    # Texts which may be spelled in several ways, so that comparing them as texts would be wrong:
    "datetime": "datetime",
    "timedelta": "timedelta",
}


def _cel_kind(of: Type) -> str | None:
    """The kind of all values of a type, if it is one: a float may be written as an int, a union may be either."""
    return _CEL_KINDS.get(of.name)
