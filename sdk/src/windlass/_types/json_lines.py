"""JSON values, and files of them: `Iterator[JSON]` travels as a file in the store with one value on each line.

A producer may yield more than fits into memory, and a consumer reads the lines as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from windlass._exceptions import TypeTransformerFailedError
from windlass._types.misfit import Misfit, shown
from windlass._types.plain import plain, read_plain
from windlass._types.transformer import TypeTransformer

if TYPE_CHECKING:
    JSON = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None
else:

    class JSON:
        """A JSON value: None, bool, int, float, str, or a list or dict of such.

            @task
            def records() -> Iterator[JSON]:
                for row in source():
                    yield {"id": row.id, "name": row.name}

        Unlike `Any` it is never pickled: what is no JSON is refused.
        """

        __windlass_transformer__ = "windlass._types.json_lines:JSONTransformer"


FORMAT = "jsonl"


class JSONTransformer(TypeTransformer[Any]):
    """One JSON value, which travels as itself."""

    def __init__(self) -> None:
        super().__init__("json", object)

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        return "any", None

    def to_wire(self, value: Any, python_type: Any) -> Any:
        try:
            return plain(value)
        except Misfit as misfit:
            raise TypeTransformerFailedError(str(misfit)) from None

    def from_wire(self, value: Any, python_type: Any) -> Any:
        return read_plain(value)


class IteratorTransformer(TypeTransformer[Iterator[Any]]):
    """An iterator of JSON values, which travels as a file of lines."""

    def __init__(self) -> None:
        super().__init__("json lines", Iterator)  # type: ignore[type-abstract]  # it stands for all iterators

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        return f"file[{FORMAT}]", None

    def to_wire(self, value: Any, python_type: Any) -> Any:
        import json  # noqa: PLC0415  tasks that have no such iterator may do without

        from windlass import _store  # noqa: PLC0415  as above

        if not hasattr(value, "__next__") and type(value) is not list:
            raise TypeTransformerFailedError(f"expected an iterator of JSON values, got {shown(value)}")
        uri = _store.new_uri("data.jsonl")
        with _store.open(uri, "w", newline="\n") as file:
            for number, item in enumerate(value, 1):
                try:
                    copy = plain(item)
                except Misfit as misfit:
                    raise TypeTransformerFailedError(f"item {number} is no JSON: {misfit}") from None
                file.write(json.dumps(copy, ensure_ascii=False, allow_nan=False) + "\n")
        return {"uri": uri, "format": FORMAT}

    def from_wire(self, value: Any, python_type: Any) -> Iterator[Any]:
        if type(value) is not dict or type(value.get("uri")) is not str:
            raise TypeTransformerFailedError(f"expected a file of JSON lines, got {shown(value)}")
        return _lines(value["uri"])


def _lines(uri: str) -> Iterator[Any]:
    import json  # noqa: PLC0415  as above

    from windlass import _store  # noqa: PLC0415  as above

    with _store.open(uri, "r", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    item = json.loads(line)
                except ValueError as error:
                    raise TypeTransformerFailedError(f"{uri}, line {number}: this is no JSON: {error}") from None
                yield item
