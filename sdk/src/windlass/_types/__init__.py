"""Between Python and the wire: which annotations a task may use, and how their values travel as JSON.

Three functions are the whole of it:

* `type_expression(int | None)` → `("optional[int]", None)`: what a manifest says of a parameter; a type that contains a
  struct or an enum also gets the JSON schema of the value.
* `to_wire(value, python_type, where)` → JSON; `from_wire` is its inverse. `where` opens every error, and the two places
  where users meet one have their wording here (`argument_of`, `output_of`).

| annotation | expression | on the wire |
|---|---|---|
| `None`, `bool`, `int`, `str` | the same | null, true/false, number, string |
| `float` | `float` | number; not-a-number and the infinities are the strings `NaN`, `Infinity`, `-Infinity` |
| `datetime`, `date`, `timedelta` | the same | `2024-01-02T03:04:05.000006Z`, `2024-01-02`, `1h2m3.5s` |
| `bytes` | `bytes` | base64 text |
| `list[T]`, `Iterator[T]` | `list[T]` | array |
| `dict[K, T]`, `dict` | `dict[K, T]`, `dict[str, any]` | object; a key that is no text is written as its JSON |
| `Optional[T]`, `Union[A, B]`, `A \\| B` | `optional[T]`, `union[A, B]` | that of the variant, without a tag |
| an Enum, `Literal[…]` | `enum` + schema | the value |
| a dataclass, a TypedDict, a pydantic model, a protobuf message | `struct` + schema | object |
| `Any` | `any` | the JSON value itself; what is none, `{"$pickle": {"uri": …}}` |
| numpy arrays, `Iterator[JSON]`, files, frames | `file[npy]`, `file[jsonl]`, `dataframe` … | object with a `uri` |
| a class with a transformer of the user's | what the transformer says | what the transformer writes |
| any other | `pickle`, and a warning | object with a `uri` |

Values must be of exactly the annotated class: an int is not a float, a bool is not an int, a subclass is not its base.
The one way back that is lenient: a JSON integer is accepted for a float, since Kubernetes writes 1.0 as 1.
What can't come back as it was is refused on its way out, never changed: keys that are no strings in a bare `dict`,
integers beyond 64 bits (Kubernetes would round them), and a value of a union which two variants would read differently.

    resolve      annotation → shape, and the order in which it is looked for
    shape        what every shape can do
    scalars  binary  times  containers  keyed  unions  enums  structs  pickles  plain        the shapes
    schemas                                                  their descriptions, put together
    transformer                                              how users teach it their own classes
    foreign  arrays  models  messages  json_lines  error     transformers, loaded when they are met
    annotated  hashed                                        hints beside a type

This package is imported in every pod, before the user's code: it stays away from whatever only some annotations need
(`dataclasses`, which loads `inspect`, `datetime`, `json`) until such an annotation is at hand, whose author has loaded
it already.
"""

from __future__ import annotations

from typing import Any

from windlass._exceptions import FlyteException, TypeTransformerFailedError
from windlass._types.misfit import Misfit, name_of
from windlass._types.resolve import shape_of

__all__ = ["argument_of", "from_wire", "name_of", "output_of", "to_wire", "type_expression"]


def type_expression(python_type: Any) -> tuple[str, dict[str, Any] | None]:
    """The contract's name of a type, and the JSON schema of its values where it contains a struct or an enum.

    Raises `UnsupportedTypeError` (a ValueError, TypeError and AssertionError) naming the part that can't be carried.
    """
    shape = shape_of(python_type)
    expression = shape.expression
    if not shape.described:
        return expression, None
    from windlass._types.schemas import hoisted  # noqa: PLC0415  no pod describes types

    return expression, hoisted(shape.schema(()))


def to_wire(value: Any, python_type: Any, where: str) -> Any:
    """The JSON of a value of that type, or an error that opens with `where` and shows the path inside the value."""
    try:
        return shape_of(python_type).encode(value)
    except (Misfit, RecursionError, FlyteException) as error:
        raise _told(error, where, value, python_type) from error.__cause__


def from_wire(value: Any, python_type: Any, where: str) -> Any:
    """The value that this JSON stands for; the inverse of `to_wire`."""
    try:
        return shape_of(python_type).decode(value)
    except (Misfit, RecursionError, FlyteException) as error:
        raise _told(error, where, value, python_type) from error.__cause__


def argument_of(task: str, argument: str) -> str:
    """The place of an input in an error."""
    return f"Failed to convert inputs of task '{task}':\n  Failed argument '{argument}':"


def output_of(task: str, position: int) -> str:
    """The place of an output in an error."""
    return f"Failed to convert outputs of task '{task}' at position {position}."


def _told(error: Exception, where: str, value: Any, python_type: Any) -> Exception:
    """The error that users see."""
    if isinstance(error, Misfit):
        return error.error_class(_message(where, value, python_type, str(error)))
    if isinstance(error, RecursionError):
        finding = "it is nested too deeply to travel as JSON, or it contains itself"
        return TypeTransformerFailedError(_message(where, value, python_type, finding))
    if error.args and isinstance(error.args[0], str):  # of the store: its class says who has to act
        error.args = (f"{where} {error.args[0]}", *error.args[1:])
    return error


def _message(where: str, value: Any, python_type: Any, finding: str) -> str:
    """A place that ends in a colon is followed by the finding at once, any other one by what was to become what."""
    if where.endswith(":"):
        return f"{where} {finding}"
    conversion = f"Failed to convert type {name_of(type(value))} to type {name_of(python_type)}."
    return f"{where}\n{conversion}\nError Message: {finding}"
