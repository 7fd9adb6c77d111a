"""Inputs and outputs of runs: JSON in the cluster, Python values here, converted when one is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass import _store, _types
from windlass._entity import Entity
from windlass._exceptions import FlyteValueException
from windlass._modules import caller
from windlass._remote.by_name import ByName
from windlass._remote.contract_types import annotation_of
from windlass_api.findings import did_you_mean


class Outputs(ByName):
    """Values by name: `outputs["o0"]`, `outputs.o0`, or, as another type, `outputs.get("o0", as_type=Point)`.

    Args:
        values: JSON by name.
        types: what the contract says of each: `{"type": "int"}`.
        annotations: the Python types, where they are known.
        what: what they are of, for messages.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        types: Mapping[str, Mapping[str, Any]] | None = None,
        annotations: Mapping[str, Any] | None = None,
        what: str = "the values",
    ) -> None:
        self._values = values  # large ones are read when they are asked for
        self._types = dict(types or {})
        self._annotations = dict(annotations or {})
        self._what = what
        self._native: dict[str, Any] = {}

    @property
    def literals(self) -> dict[str, Any]:
        """The JSON, by name."""
        return dict(self._values)

    @property
    def native_values(self) -> dict[str, Any]:
        """What has been converted so far, by name."""
        return dict(self._native)

    def update_type_hints(self, type_hints: Mapping[str, Any]) -> None:
        """Says Python types of values; what was converted is converted anew."""
        self._annotations.update(type_hints)
        for name in type_hints:
            self._native.pop(name, None)

    def get(self, attr: str, as_type: Any = None) -> Any:
        """A value, as that type or as the best that is known of it. Raises KeyError where there is none."""
        if attr not in self._values:
            raise KeyError(f"{self._what} have no {attr}{did_you_mean(attr, self._values)}")
        if as_type is not None:
            return _types.from_wire(self._values[attr], as_type, f"{attr} of {self._what}:")
        if attr not in self._native:
            annotation = self._annotations.get(attr) or annotation_of(self._types.get(attr, {}))
            self._native[attr] = _types.from_wire(self._values[attr], annotation, f"{attr} of {self._what}:")
        return self._native[attr]

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self.get(name)
        except KeyError as error:
            raise AttributeError(str(error.args[0])) from None

    def __repr__(self) -> str:
        return f"Outputs({self._values!r})"


def inputs_of(entity: Entity, inputs: Mapping[str, Any], type_hints: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The inputs of a run as JSON; only what is given, for the cluster knows the defaults.

    Raises:
        FlyteValueException: an input is unknown, or a required one is missing.
        TypeTransformerFailedError: a value does not fit.
    """
    parameters = entity.interface.inputs
    for name in inputs:
        if name not in parameters:
            raise FlyteValueException(
                name,
                f"{caller()}: Unexpected keyword: {entity.name} has no such input{did_you_mean(name, parameters)}",
            )
    missing = [name for name, one in parameters.items() if one.required and name not in inputs]
    if missing:
        raise FlyteValueException(
            missing[0], f"{caller()}: {entity.name} needs the input{'s' * (len(missing) > 1)} {', '.join(missing)}"
        )
    hints = type_hints or {}
    return {
        name: _as_json(value, hints.get(name, parameters[name].python_type), _types.argument_of(entity.name, name))
        for name, value in inputs.items()
    }


def _as_json(value: Any, python_type: Any, where: str) -> Any:
    from windlass._artifacts import resolve  # noqa: PLC0415  it may be an artifact that the cluster has given

    if resolve.is_artifact(value) and getattr(value, "literal", None) is not None:
        return resolve.resolved(value, python_type, where)
    return _types.to_wire(value, python_type, where)


def download(data: Any, folder: str, *, recursive: bool = True) -> list[str]:
    """Copies the files, folders and tables that values refer to into a local folder; where they are now.

    Args:
        data: Outputs, or JSON with references (`{"uri": …}`) in it.
        folder: the folder; it is made.
        recursive: also what stands inside lists and dicts; else only what is at the top.
    """
    values = data.literals if isinstance(data, Outputs) else data
    found = dict(_references(values, "", 64 if recursive else 1))
    if not found:
        raise FlyteValueException(values, f"{caller()}: there is no file, folder or table in it to download")
    return [_fetch(uri, _store.join(folder, *path.split("/"))) for path, uri in found.items()]


def _references(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and isinstance(value.get("uri"), str):
        yield path or _store.name_of(value["uri"]), value["uri"]
    elif depth and isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            safe = str(key).replace("/", "_").replace("..", "_")
            yield from _references(item, f"{path}/{safe}" if path else safe, depth - 1)


def _fetch(uri: str, target: str) -> str:
    if _store.stat(uri).is_dir:
        return _store.get_tree(uri, target)
    return _store.get_file(uri, _store.join(target, _store.name_of(uri)))
