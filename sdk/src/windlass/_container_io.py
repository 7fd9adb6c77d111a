"""How values get into a container of any language, and out of it, as files. (As texts in its command, they are
`windlass_api.templates`'.)

    inputs  ── write_inputs ──► <input folder>/x                 its text; files and folders themselves
    outputs ◄── read_outputs ── <output folder>/y                the text, read by the output's type; files are stored
                              └ <output folder>/error            the container's own words for why it failed

| type | text | file |
|---|---|---|
| bool, int, float | `true`, `3`, `0.5` | the text |
| str | itself | itself |
| datetime, date, timedelta | `2024-01-02T03:04:05Z`, `2024-01-02`, `1h2m3s` | the text |
| enum | its value | the text |
| bytes | base64 | the bytes |
| None | `null` | the text; as an output, no file |
| list | `[a,b]` of its items' texts | a folder with the files `0`, `1`, …; as an output JSON |
| dict[str, T] | JSON | a folder with a file for each key; as an output JSON |
| other dicts, struct, any | JSON | JSON |
| file, directory, dataframe | its address | the file or folder itself |

Values are the contract's JSON, and types are its expressions: nothing here knows Python annotations, tasks or engines,
so that the helpers of a container's pod (`windlass.runtime.carrier`) move data by the same code.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from windlass import _store
from windlass._exceptions import FlyteAssertion, FlyteUserRuntimeException
from windlass_api.templates import ERROR_FILE, concrete, text_of
from windlass_api.types import ANY, NON_FINITE, REFERENCES, STR, Schema, Type, admits_null, alternatives, check_value

MAX_TEXT = 1024 * 1024
"""The most bytes of an output that is no file, and of the file `error`."""

ERROR = ERROR_FILE
METADATA_FILES = {"JSON": "inputs.json", "YAML": "inputs.yaml"}

_MOVED = tuple(name for name in REFERENCES if name != "pickle")
_DATETIME = re.compile(r"(\d{4}-\d{2}-\d{2})[ Tt](.*)", re.DOTALL)
_CLOCK = re.compile(r"(?:(-?\d+) days?, )?(-?)(\d+):(\d{2}):(\d{2}(?:\.\d+)?)\Z")


# ---- in -------------------------------------------------------------------------------------------------------------


def write_inputs(
    folder: str, inputs: Mapping[str, Any], types: Mapping[str, Type], metadata: str = "JSON", *, download: bool = True
) -> None:
    """Writes a file for each input, and one with all of them together (`inputs.json` or `inputs.yaml`).

    Without `download`, the file of what lies elsewhere holds its address.
    """
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103  paths are strings here, as in `_store`
    for name, value in inputs.items():
        _write(os.path.join(folder, name), value, types[name], download=download)  # noqa: PTH118  as above
    everything = json.dumps(dict(inputs), ensure_ascii=False, indent=2)  # which is YAML as well
    _write_bytes(os.path.join(folder, METADATA_FILES[metadata]), everything.encode())  # noqa: PTH118  as above


def _write(path: str, value: Any, of: Type, *, download: bool) -> None:
    kind = concrete(value, of)
    if kind.name in _MOVED and download:
        get = _store.get_file if kind.name == "file" else _store.get_tree
        if kind.name == "dataframe" and not _store.stat(value["uri"]).is_dir:
            get = _store.get_file
        get(value["uri"], path)
    elif kind.name == "list":
        _write_each(path, {str(place): item for place, item in enumerate(value)}, kind.args[0], download=download)
    elif kind.name == "dict" and kind.args[0] == STR and kind.args[1] != ANY:
        _write_each(path, value, kind.args[1], download=download)
    elif kind.name == "bytes":
        _write_bytes(path, base64.b64decode(value))
    else:
        _write_bytes(path, text_of(value, kind).encode("utf-8", "surrogatepass"))


def _write_each(path: str, items: Mapping[str, Any], of: Type, *, download: bool) -> None:
    os.makedirs(path, exist_ok=True)  # noqa: PTH103  as above
    for name, item in items.items():
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise FlyteAssertion(
                f"the key {name!r} can't be the name of a file, so the container can't be given this dict: rename the"
                " key, or take a struct (a dataclass, or `dict` alone), which is one file with JSON"
            )
        _write(os.path.join(path, name), item, of, download=download)  # noqa: PTH118  as above


def _write_bytes(path: str, data: bytes) -> None:
    with open(path, "wb") as file:  # noqa: PTH123  as above
        file.write(data)


# ---- out ------------------------------------------------------------------------------------------------------------


def read_outputs(
    folder: str, types: Mapping[str, tuple[Type, Schema | None]], what: str, *, upload: bool = True
) -> dict[str, Any]:
    """The outputs that a container left in the folder. `what` is the task, for errors.

    Without `upload`, the file of what lies elsewhere holds its address.

    Raises:
        FlyteUserRuntimeException: the container left a file `error`; its text is the message.
        FlyteAssertion: an output is not there, or is not of its type.
    """
    raise_left_error(folder)
    return {
        name: _read(os.path.join(folder, name), of, schema, f"the output {name} of {what}", upload=upload)  # noqa: PTH118  as above
        for name, (of, schema) in types.items()
    }


def raise_left_error(folder: str) -> None:
    """Fails as the container wants to, where it has left a file `error`; see `read_outputs`."""
    path = os.path.join(folder, ERROR)  # noqa: PTH118  as above
    if os.path.lexists(path):
        _refuse_what_is_no_data(path, f"the file {ERROR} of a container")
        raise FlyteUserRuntimeException(RuntimeError(f"User Error: {_head(path).strip()}"))


def _read(path: str, of: Type, schema: Schema | None, where: str, *, upload: bool) -> Any:
    if not os.path.lexists(path):
        if admits_null(of):
            return None
        raise FlyteAssertion(f"{where}: its container has written no file {os.path.basename(path)} there")  # noqa: PTH119  as above
    _refuse_what_is_no_data(path, where)
    moved = next((option for option in alternatives(of) if option.name in _MOVED), None)
    if moved is not None and upload:
        return _stored(path, moved, where)
    if os.path.isdir(path):  # noqa: PTH112  as above
        raise FlyteAssertion(f"{where}: its container has written a folder, but the type is {of}")
    if os.path.getsize(path) > MAX_TEXT:  # noqa: PTH202  as above
        raise FlyteAssertion(
            f"{where}: its file has more than {MAX_TEXT} bytes, which is too much for a value: declare a FlyteFile"
        )
    with open(path, "rb") as file:  # noqa: PTH123  as above
        return _parsed(file.read(), of, schema, where)


def _refuse_what_is_no_data(path: str, where: str) -> None:
    """Who reads is not who has written: a link could lead to what only the reader may see, a pipe never ends."""
    if os.path.islink(path):  # noqa: PTH114  as above
        folder = os.path.realpath(os.path.dirname(path))  # noqa: PTH120  as above
        if os.path.commonpath([folder, os.path.realpath(path)]) != folder:
            raise FlyteAssertion(f"{where}: its container has made a link that leads out of the folder of outputs")
    if not (os.path.isfile(path) or os.path.isdir(path)):  # noqa: PTH112, PTH113  as above
        raise FlyteAssertion(f"{where}: its container has made something there that is neither a file nor a folder")


def _stored(path: str, of: Type, where: str) -> dict[str, Any]:
    is_folder = os.path.isdir(path)  # noqa: PTH112  as above
    if of.name != "dataframe" and is_folder != (of.name == "directory"):
        found = "folder" if is_folder else "file"
        raise FlyteAssertion(f"{where}: its container has written a {found}, but the type is {of}")
    reference = {"uri": (_store.put_tree if is_folder else _store.put_file)(path)}
    return {**reference, "format": of.format} if of.format else reference


def _parsed(data: bytes, of: Type, schema: Schema | None, where: str) -> Any:
    """The value that the bytes are, by the first alternative of the type that they fit."""
    options = sorted(alternatives(of), key=lambda option: option.name in ("str", "any"))  # these take anything
    reasons = []
    for option in options:
        try:
            value = _READERS.get(option.name, _read_json)(data, schema)
        except ValueError as error:
            reasons.append(str(error))
            continue
        findings = check_value(value, option, None if option.name in _MOVED else schema)
        if not findings:
            return value
        reasons.append(findings[0].message)
    shown = data[:80].decode("utf-8", "replace")
    raise FlyteAssertion(f"{where}: expected {of}, got the text {shown!r}: {reasons[0]}")


Reader = Callable[[bytes, "Schema | None"], Any]


def _read_json(data: bytes, _schema: Schema | None) -> Any:
    return json.loads(data)


def _read_any(data: bytes, _schema: Schema | None) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode()


def _read_text(data: bytes, _schema: Schema | None) -> str:
    return data.decode()


def _read_bool(data: bytes, _schema: Schema | None) -> bool:
    text = data.decode().strip().lower()
    if text in ("true", "t", "1"):
        return True
    if text in ("false", "f", "0"):
        return False
    raise ValueError("a bool is written true or false")


def _read_int(data: bytes, _schema: Schema | None) -> int:
    return int(data.decode())


def _read_float(data: bytes, _schema: Schema | None) -> float | str:
    value = float(data.decode())
    if value != value:  # noqa: PLR0124  NaN, and math is not needed for anything else
        return NON_FINITE[0]
    return value if abs(value) != float("inf") else NON_FINITE[1 if value > 0 else 2]


def _read_bytes(data: bytes, _schema: Schema | None) -> str:
    return base64.b64encode(data).decode()


def _read_enum(data: bytes, schema: Schema | None) -> Any:
    text = data.decode().strip()
    for value in (schema or {}).get("enum", ()):
        if text == text_of(value, Type("enum")):
            return value
    return text


def _read_datetime(data: bytes, _schema: Schema | None) -> str:
    text = data.decode().strip()
    found = _DATETIME.match(text)
    return f"{found[1]}T{found[2]}" if found else text


def _read_date(data: bytes, _schema: Schema | None) -> str:
    text = data.decode().strip()
    found = _DATETIME.match(text)
    return found[1] if found else text


def _read_timedelta(data: bytes, _schema: Schema | None) -> str:
    """As Go writes it, or as Python does: `1 day, 2:03:04`."""
    text = data.decode().strip()
    found = _CLOCK.match(text)
    if found is None:
        return text
    days, sign, hours, minutes, seconds = found.groups()
    if days is None or not days.startswith("-"):
        return f"{sign}{int(days or 0) * 24 + int(hours)}h{int(minutes)}m{seconds}s"
    micros = -int(days) * 86_400_000_000 - (int(hours) * 3600 + int(minutes) * 60) * 1_000_000 - _micros(seconds)
    return f"-{micros // 1_000_000}.{micros % 1_000_000:06}s"


def _micros(seconds: str) -> int:
    whole, _, fraction = seconds.partition(".")
    return int(whole) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def _read_address(data: bytes, _schema: Schema | None) -> dict[str, Any]:
    return {"uri": data.decode().strip()}


def _read_none(data: bytes, _schema: Schema | None) -> None:
    if data.decode().strip() not in ("", "null"):
        raise ValueError("nothing is written as an empty file, null, or no file at all")


_READERS: dict[str, Reader] = {
    "any": _read_any,
    "none": _read_none,
    "bool": _read_bool,
    "int": _read_int,
    "float": _read_float,
    "str": _read_text,
    "bytes": _read_bytes,
    "datetime": _read_datetime,
    "date": _read_date,
    "timedelta": _read_timedelta,
    "enum": _read_enum,
    **dict.fromkeys(_MOVED, _read_address),
}


def _head(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123  as above
        return file.read(MAX_TEXT).decode("utf-8", "replace")
