"""Inputs on the command line: `--name value` by the type of the input, and the help that lists them.

What a text means for a type is `_text_values`' matter. Beside that:

    --flag, --no-flag    true and false
    --name @path         the value is in a file: as it is for str, JSON or YAML for the rest; `@-` is standard input
    --name @@text        a text that starts with @
    --name value.json    the same as @value.json, where JSON is needed; likewise .yaml and .yml

Option names are the inputs' own; dashes may stand for underscores.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from windlass import _store, _types
from windlass._bindings import kind_of
from windlass._bundle import checked_store
from windlass._calls import default_of
from windlass._cli import _yaml
from windlass._docstrings import read_docstring
from windlass._entity import Entity
from windlass._interface import Parameter, is_lookup
from windlass._text_values import TextError, checked, parse_text
from windlass_api import references
from windlass_api.findings import did_you_mean
from windlass_api.types import Type

_JSON = ("list", "dict", "struct")
_FILES = (".json", ".yaml", ".yml")
_WIDEST = 40


class InputError(Exception):
    """An input is missing, unknown or does not fit."""


def split(entity: Entity, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The texts of the inputs named in the words, and the words which are none of theirs."""
    parameters = entity.interface.inputs
    texts: dict[str, str] = {}
    others: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        option, equals, text = word.partition("=")
        name = option.removeprefix("--").replace("-", "_")
        negated = name.removeprefix("no_")
        if not word.startswith("--") or (name not in parameters and not _is_flag(parameters.get(negated))):
            others.append(word)
            continue
        if name not in parameters:
            name, equals, text = negated, "=", "false"
        elif not equals:
            text = _following(name, parameters[name], rest)
        if name in texts:
            raise InputError(f"--{name} is given twice")
        texts[name] = text
    return texts, others


def parse(entity: Entity, texts: Mapping[str, str]) -> dict[str, Any]:
    """The inputs as JSON; every one is checked, and none that is needed may be missing."""
    parameters = entity.interface.inputs
    missing = [name for name, parameter in parameters.items() if parameter.required and name not in texts]
    if missing:
        raise InputError(f"{entity.short_name} needs {' and '.join(f'--{name}' for name in missing)}")
    return {name: value_of(text, parameters[name].python_type, f"--{name}") for name, text in texts.items()}


def to_python(entity: Entity, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as the function takes them."""
    parameters = entity.interface.inputs
    return {name: _types.from_wire(value, parameters[name].python_type, f"--{name}:") for name, value in inputs.items()}


def brought(entity: Entity, inputs: Mapping[str, Any], store: str | None) -> dict[str, Any]:
    """The inputs for a run in a cluster: files and folders of this machine are brought to the store.

    What is an address is the pods' to read. Raises InputError where a file needs a store, or can't be brought there.
    """
    where = checked_store(store) if store and "://" in store else None
    found: dict[str, Any] = {}
    for name, value in inputs.items():
        kind = kind_of(entity.interface.inputs[name].python_type)

        def bring(part: Any, _: Type, option: str = f"--{name}") -> Any:
            return _brought(part, where, option) if isinstance(part, Mapping) else part

        found[name] = references.changed(value, kind.type, kind.schema, bring)
    return found


def _brought(reference: Mapping[str, Any], store: str | None, option: str) -> dict[str, Any]:
    path = reference["uri"]
    if _store.scheme_of(path):
        return dict(reference)
    if store is None:
        raise InputError(
            f"{option}: {path} is on this machine, where no pod can read it. Say which store it is to be brought to,"
            " --store s3://bucket/folder, or give an address that pods read; for a file of that name in the pods'"
            f" image, file://{Path(path).absolute()}"
        )
    try:
        with _store.raw_output_prefix(store):
            uri = (_store.put_tree if Path(path).is_dir() else _store.put_file)(path)
    except Exception as error:  # whatever the driver of the scheme raises
        told = f"{option}: {path} can't be brought to {store}: {type(error).__name__}: {error}"
        raise InputError(told) from error
    print(f"brought {path} to {uri}", file=sys.stderr, flush=True)
    return {**reference, "uri": uri}


def unknown(entity: Entity, word: str) -> str:
    """What is wrong with a word that nobody knows."""
    if not word.startswith("-"):
        return f"unexpected argument {word!r}; inputs are given as --name value"
    known = [f"--{name}" for name in entity.interface.inputs]
    return f"{entity.short_name} has no input {word.partition('=')[0]}{did_you_mean(word.partition('=')[0], known)}"


def listing(entity: Entity) -> str:
    """The inputs with types, defaults and descriptions, one line each."""
    if not entity.interface.inputs:
        return f"{entity.short_name} has no inputs"
    described = read_docstring(entity.description).parameters
    rows = [_row(entity, parameter) for parameter in entity.interface.inputs.values()]
    width = max(len(option) for option, _ in rows)
    lines = []
    for (option, note), name in zip(rows, entity.interface.inputs, strict=True):
        text = f"{described[name]} ({note})" if described.get(name) else f"({note})"
        lines.append(f"  {option:<{width}}  {text}")
    return f"inputs of {entity.short_name}:\n" + "\n".join(lines)


def _row(entity: Entity, parameter: Parameter) -> tuple[str, str]:
    if parameter.required:
        note = "required"
    else:
        known = parameter.default
        default = repr(known) if is_lookup(known) else json.dumps(default_of(entity, parameter), ensure_ascii=False)
        note = f"default: {default if len(default) <= 60 else default[:59] + '…'}"
    return f"--{parameter.name} {_shape(parameter)}", note


def _shape(parameter: Parameter) -> str:
    """The type, or what to choose from."""
    kind = kind_of(parameter.python_type)
    choices = "|".join(map(str, (kind.schema or {}).get("enum", ()))) if kind.type.name == "enum" else ""
    return choices if 0 < len(choices) <= _WIDEST else str(kind.type)


def _is_flag(parameter: Parameter | None) -> bool:
    return parameter is not None and parameter.python_type is bool


def _following(name: str, parameter: Parameter, rest: list[str]) -> str:
    if _is_flag(parameter) and (not rest or rest[0].lower() not in ("true", "false")):
        return "true"
    if not rest:
        raise InputError(f"--{name} needs a value ({kind_of(parameter.python_type).type})")
    return rest.pop(0)


def value_of(text: str, python_type: Any, option: str) -> Any:
    """What a text, or the file that it names, stands for; `option` is what it was given for."""
    kind = kind_of(python_type)
    if text.startswith("@@"):
        text = text[1:]
    elif text.startswith("@") or (kind.type.name in _JSON and text.endswith(_FILES)):
        return _checked(_from_file(text.removeprefix("@"), kind.type, option), python_type, option)
    try:
        return parse_text(text, python_type, option)
    except TextError as error:
        raise InputError(str(error)) from None


def _checked(value: Any, python_type: Any, option: str) -> Any:
    try:
        return checked(value, python_type, option)
    except TextError as error:
        raise InputError(str(error)) from None


def _from_file(name: str, type: Type, option: str) -> Any:  # noqa: A002  it is what it is
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{option}: {name} can't be read: {getattr(error, 'strerror', None) or error}") from None
    if type.name == "str":
        return text
    try:
        return _read_json(text, name) if name.endswith(".json") else _read_yaml(text, name)
    except ValueError as error:
        raise InputError(f"{option}: {error}") from None


def _read_json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name}:{error.lineno}:{error.colno}: this is no JSON: {error.msg}") from None


def _read_yaml(text: str, name: str) -> Any:
    """YAML, which JSON is too; JSON is tried first, since it is read without loading a library."""
    try:
        return json.loads(text)
    except ValueError:
        documents = _yaml.load_all(text, name)
    if len(documents) != 1:
        raise ValueError(f"{name} holds {len(documents)} YAML documents; one value is expected")
    return documents[0]
