"""Values that a status has no room for: `{"$value": HASH}` in it, the value itself in a ConfigMap of the Execution's;
or `{"$stored": …}`, and the value in the store, which this machine needs access to.

Each is read when it is asked for, once. See docs/decisions/0004-large-values-as-configmaps.md.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from windlass._failure import TaskError
from windlass._remote import objects
from windlass._remote.by_name import ByName
from windlass._remote.client import Cluster, NotThereError, remote_error
from windlass_api.names import value_name
from windlass_api.stored import any_in

MARK = "$value"
KEY = "value.json.gz"
_HASH = re.compile(r"[0-9a-f]{16}\Z")

Read = Callable[[str], Any]
"""The value of a hash."""


class Values(ByName):
    """Values by name, as a status has them; the large ones are read when they are asked for."""

    def __init__(self, values: Mapping[str, Any], read: Read) -> None:
        self._values: dict[str, Any] = dict(values)
        self._read = read

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        digest = digest_of(value)
        if digest is not None:
            value = self._values[name] = _Known(from_store(self._read(digest)))
        elif not isinstance(value, _Known):
            value = self._values[name] = _Known(from_store(value))
        return value.value if isinstance(value, _Known) else value

    def plain(self, name: str) -> Any:
        """A value as the status has it."""
        value = self._values[name]
        return value.value if isinstance(value, _Known) else value

    def __repr__(self) -> str:
        return repr({name: value.value if isinstance(value, _Known) else value for name, value in self._values.items()})


class _Known:
    """A large value that was read; it may look like a mark itself."""

    def __init__(self, value: Any) -> None:
        self.value = value


def from_store(value: Any) -> Any:
    """The value with all that lies in the store in its place. Raises RemoteError where that can't be read."""
    if any_in(value) is None:
        return value
    from windlass.runtime.values import Reader  # noqa: PLC0415  few values lie in the store

    try:
        return Reader().inlined(value)
    except (TaskError, ModuleNotFoundError) as error:
        raise remote_error(f"{error}. This machine reads the store by the variables that S3 clients read") from error


def digest_of(value: Any) -> str | None:
    """The hash in a mark; None where the value is there.

    >>> digest_of({"$value": "0123456789abcdef"}), digest_of({"$value": "other data"})
    ('0123456789abcdef', None)
    """
    found = value.get(MARK) if isinstance(value, Mapping) and len(value) == 1 else None
    return found if isinstance(found, str) and _HASH.match(found) else None


def reader(cluster: Cluster, namespace: str, execution: str) -> Read:
    """Reads large values of an Execution."""

    def read(digest: str) -> Any:
        name = value_name(execution, digest)
        try:
            found = objects.get(cluster, "ConfigMap", name, namespace)
        except NotThereError as error:
            message = f"a large value of {execution} is gone with the ConfigMap {name} in namespace {namespace}"
            raise remote_error(message, 404) from error
        return unpacked(found)

    return read


def unpacked(config_map: Mapping[str, Any]) -> Any:
    """The value in its ConfigMap. Raises RemoteError where there is none to be read."""
    try:
        return json.loads(gzip.decompress(base64.b64decode(config_map["binaryData"][KEY])))
    except (KeyError, ValueError, OSError, EOFError) as error:
        where = f"the ConfigMap {config_map['metadata']['name']} holds no large value"
        raise remote_error(f"{where}: {KEY}: {error}", 500) from error
