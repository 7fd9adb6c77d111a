"""FlyteError: what the failure handler of a workflow is told."""

from __future__ import annotations

from typing import Any

from windlass._exceptions import TypeTransformerFailedError
from windlass._types.misfit import shown
from windlass._types.transformer import TypeTransformer

_FIELDS = ("message", "failed_node_id")


class FlyteError:
    """Why a workflow failed, as an input of its `on_failure` handler.

    `message` is the error of the node that failed, `failed_node_id` the id of that node.

        @task
        def clean_up(name: str, err: Optional[FlyteError] = None) -> None: ...

        @workflow(on_failure=clean_up)
        def pipeline(name: str) -> None: ...

    >>> FlyteError(message="disk full", failed_node_id="n3")
    FlyteError(message='disk full', failed_node_id='n3')
    """

    __slots__ = ("failed_node_id", "message")
    __windlass_transformer__ = "windlass._types.error:ErrorTransformer"

    def __init__(self, message: str, failed_node_id: str = "") -> None:
        self.message = message
        self.failed_node_id = failed_node_id

    def __repr__(self) -> str:
        return f"FlyteError(message={self.message!r}, failed_node_id={self.failed_node_id!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FlyteError):
            return NotImplemented
        return (self.message, self.failed_node_id) == (other.message, other.failed_node_id)

    def __hash__(self) -> int:
        return hash((self.message, self.failed_node_id))


class ErrorTransformer(TypeTransformer[FlyteError]):
    """A struct of two texts."""

    def __init__(self) -> None:
        super().__init__("error", FlyteError)

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        return "struct", {
            "type": "object",
            "title": "FlyteError",
            "properties": {name: {"type": "string"} for name in _FIELDS},
            "required": ["message"],
            "additionalProperties": False,
        }

    def to_wire(self, value: FlyteError, python_type: Any) -> Any:
        if not isinstance(value, FlyteError):
            raise TypeTransformerFailedError(f"expected a FlyteError, got {shown(value)}")
        return self._checked({name: getattr(value, name) for name in _FIELDS})

    def from_wire(self, value: Any, python_type: Any) -> FlyteError:
        if type(value) is not dict:
            raise TypeTransformerFailedError(f"expected a FlyteError, got {shown(value)}")
        return FlyteError(**self._checked(value))

    @staticmethod
    def _checked(fields: dict[str, Any]) -> dict[str, Any]:
        for name, text in fields.items():
            if name not in _FIELDS or type(text) is not str:
                raise TypeTransformerFailedError(
                    f"a FlyteError has the texts {' and '.join(_FIELDS)}, got {name}: {shown(text)}"
                )
        return fields
