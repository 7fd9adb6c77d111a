"""Secrets: what a task asks for, and where its code finds it.

    @task(secret_requests=[Secret(group="db", key="password", env_var="DB_PASSWORD")])
    def load() -> int:
        password = current_context().secrets.get("db", "password")

In a cluster `group` is the name of a Kubernetes Secret and `key` a key of its data; the operator puts the value into
the pod. On one's own machine the value comes from an environment variable or a file. The code asks in the same way, and
this is where it is looked for, in this order:

| where | local | pod |
|---|---|---|
| variable `_FSEC_DB_PASSWORD` (group, version and key in capitals) | yes | yes |
| variable `DB_PASSWORD` (the same without the prefix) | yes | no |
| variable that a request of the task names for it (`env_var`) | yes | yes |
| file `/etc/secrets/db/password`, as written or in small letters | yes | yes |

A character that no shell takes in a variable's name may be `_` there (`my-group` → `MY_GROUP`). Prefix and folder are
the environment's: `WINDLASS_SECRETS_ENV_PREFIX`, `WINDLASS_SECRETS_DEFAULT_DIR`, `WINDLASS_SECRETS_FILE_PREFIX`, each
also with `FLYTE_` for `WINDLASS_`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any

from windlass._environment import variables

ENV_PREFIX, FOLDER, FILE_PREFIX = "_FSEC_", "/etc/secrets", ""
"""Where secrets are looked for unless the environment says otherwise."""


class Secret:
    """A secret that a task asks for, in `secret_requests`.

    Args:
        group: the name of the Kubernetes Secret. Without one, the cluster's default Secret.
        key: the key in it. Without one, all its keys.
        group_version: the version of the group, which is a part of the Kubernetes Secret's name.
        mount_requirement: how the code gets it: `Secret.MountType.ANY`, `ENV_VAR` or `FILE`.
        env_var: an environment variable (`[A-Z_][A-Z0-9_]*`) that holds the value; with `FILE`, the file's path.

    Raises:
        ValueError: `env_var` can't be the name of a variable.
        TypeError: a part is of another type.

    >>> Secret(group="db", key="password").short_string()
    'db/password'
    """

    class MountType(Enum):
        """How the code gets a secret. The numbers are those that other SDKs put on the wire."""

        ANY = 0
        """As the cluster likes best."""

        ENV_VAR = 1
        """As an environment variable."""

        FILE = 2
        """As a file."""

    def __init__(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | None = None,
        mount_requirement: MountType = MountType.ANY,
        env_var: str | None = None,
    ) -> None:
        self.group = _text(group, "group")
        self.key = _text(key, "key")
        self.group_version = _text(group_version, "group_version")
        self.env_var = _variable(_text(env_var, "env_var"))
        if not isinstance(mount_requirement, MountType):
            raise TypeError(f"mount_requirement takes one of Secret.MountType, not {mount_requirement!r}")
        self.mount_requirement = mount_requirement

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for: there is neither a group nor a key."""
        return self.group is None and self.key is None

    def to_contract(self) -> dict[str, Any]:
        """The item of `secrets` in a manifest.

        >>> Secret("db", "password", mount_requirement=Secret.MountType.FILE).to_contract()
        {'group': 'db', 'key': 'password', 'mount': 'File'}
        """
        mount = None if self.mount_requirement is MountType.ANY else _MOUNTS[self.mount_requirement]
        parts = {"group": self.group, "key": self.key, "version": self.group_version, "env": self.env_var}
        return {field: value for field, value in {**parts, "mount": mount}.items() if value is not None}

    def to_flyte_idl(self) -> dict[str, Any]:
        """The item of `secrets` in a manifest: what stands for a Flyte message here."""
        return self.to_contract()

    @classmethod
    def from_flyte_idl(cls, pb2_object: Any) -> Secret:
        """The secret of a manifest's item, or of a Flyte message (or whatever has its attributes).

        >>> Secret.from_flyte_idl({"group": "db", "mount": "Env"}).mount_requirement.name
        'ENV_VAR'
        """
        if isinstance(pb2_object, Mapping):
            return cls._from_contract(pb2_object)
        parts = {name: getattr(pb2_object, name, None) or None for name in ("group", "key", "group_version", "env_var")}
        mount = getattr(pb2_object, "mount_requirement", 0)
        return cls(**parts, mount_requirement=MountType(getattr(mount, "value", mount)))

    @classmethod
    def _from_contract(cls, item: Mapping[str, Any]) -> Secret:
        fields = {"group": "group", "key": "key", "version": "group_version", "env": "env_var"}
        unknown = set(item) - {*fields, "mount"}
        if unknown:
            raise ValueError(f"a secret in a manifest has no {sorted(unknown)[0]!r}: {dict(item)!r}")
        mounts = {word: mount for mount, word in _MOUNTS.items()}
        mount = item.get("mount", "Any")
        if mount not in mounts:
            raise ValueError(f"the mount of a secret in a manifest is one of {', '.join(mounts)}, not {mount!r}")
        parts = {parameter: item.get(field) for field, parameter in fields.items()}
        return cls(**parts, mount_requirement=mounts[mount])

    def serialize_to_string(self) -> bytes:
        """The item of `secrets` in a manifest as JSON, in bytes."""
        return self._json().encode()

    def short_string(self) -> str:
        """What it is called: group, version and key. Never its value, which is not known here."""
        return "/".join(part for part in (self.group, self.group_version, self.key) if part)

    def verbose_string(self) -> str:
        """All of it, as JSON."""
        return self._json()

    def _json(self) -> str:
        import json  # noqa: PLC0415  not needed to define a task

        return json.dumps(self.to_contract())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        return f"Secret({', '.join(f'{name}={value!r}' for name, value in vars(self).items() if value is not None)})"


MountType = Secret.MountType
_MOUNTS = {MountType.ANY: "Any", MountType.ENV_VAR: "Env", MountType.FILE: "File"}


def _text(value: Any, name: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"the {name} of a Secret is a text, not {value!r}")
    return value or None


def _variable(name: str | None) -> str | None:
    if name is not None and not (name.isascii() and name.isidentifier() and name == name.upper()):
        raise ValueError(f"env_var={name!r}: a variable is named in capitals, digits and _, such as DB_PASSWORD")
    return name


# ---- finding them ---------------------------------------------------------------------------------------------------


class SecretsManager:
    """`current_context().secrets`: see the module's page for where it looks.

    `secrets.db.password` is short for `secrets.get("db", "password")`.
    """

    def __init__(self, *, local: bool = True, requests: Iterable[Mapping[str, Any]] = ()) -> None:
        self._local = local
        self._requests = tuple(requests)

    def get(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | None = None,
        encode_mode: str = "r",
    ) -> Any:
        """The value: a text without the blanks around it, or with `encode_mode="rb"` bytes as they are.

        Raises:
            ValueError: it is not there; the message tells everywhere that was looked.
        """
        if encode_mode not in ("r", "rb"):
            raise ValueError(f"encode_mode is 'r' for a text or 'rb' for bytes, not {encode_mode!r}")
        asked = _Asked(group, group_version, key)
        variables = list(dict.fromkeys(self._variables(asked)))
        for name in variables:
            value = os.environ.get(name)
            if value is not None:
                return self._read(self._path_in(name, asked, value), value, encode_mode)
        files = list(dict.fromkeys(self._files(asked)))
        for path in files:
            if os.path.isfile(path):  # noqa: PTH113  pathlib is not loaded in pods
                return self._read(path, "", encode_mode)
        raise ValueError(
            f"Unable to find the secret {asked}: there is none of the environment variables {', '.join(variables)}, and"
            f" no file {' or '.join(files)}. Please make sure that the task asks for it:"
            f" secret_requests=[{asked.request()}]"
            + (f"; for a local run, export {variables[0]}=…" if self._local else "")
        )

    def get_secrets_env_var(
        self, group: str | None = None, key: str | None = None, group_version: str | None = None
    ) -> str:
        """The environment variable that is looked at first.

        >>> SecretsManager().get_secrets_env_var("db", "password")
        '_FSEC_DB_PASSWORD'
        """
        return _setting("ENV_PREFIX", ENV_PREFIX) + _Asked(group, group_version, key).variable()

    def get_secrets_file(
        self, group: str | None = None, key: str | None = None, group_version: str | None = None
    ) -> str:
        """The file that is looked at last.

        >>> SecretsManager().get_secrets_file("DB", "Password", group_version="2")
        '/etc/secrets/db/2/password'
        """
        return _Asked(group, group_version, key).file(str.lower)

    def __getattr__(self, group: str) -> _Group:
        if group.startswith("__"):
            raise AttributeError(group)
        return _Group(self, group)

    def _variables(self, asked: _Asked) -> Iterator[str]:
        """The names, from the one that is looked at first."""
        prefix = _setting("ENV_PREFIX", ENV_PREFIX)
        spellings = dict.fromkeys((asked.variable(), _plain(asked.variable())))
        yield from (prefix + name for name in spellings)
        if self._local and prefix:
            yield from spellings
        yield from (request["env"] for request in self._requests if "env" in request and asked.is_met_by(request))

    def _files(self, asked: _Asked) -> Iterator[str]:
        yield asked.file(str)
        yield asked.file(str.lower)

    def _path_in(self, variable: str, asked: _Asked, value: str) -> str | None:
        """The path that a variable holds instead of the value, as that of a secret asked for as a file does."""
        holders = [request for request in self._requests if asked.is_met_by(request)]
        is_path = any(request.get("env") == variable and request.get("mount") == "File" for request in holders)
        return value if is_path and os.path.isfile(value) else None  # noqa: PTH113  as above

    @staticmethod
    def _read(path: str | None, value: str, mode: str) -> Any:
        if path is None:
            return value.encode("utf-8", "surrogateescape") if mode == "rb" else value.strip()
        with open(path, "rb") as file:  # noqa: PTH123  as above
            content = file.read()
        if mode == "rb":
            return content
        try:
            return content.decode().strip()
        except UnicodeDecodeError:
            raise ValueError(f"the secret in {path} is no text: ask for it with encode_mode='rb'") from None


class _Group:
    """`secrets.db`: its keys are attributes."""

    def __init__(self, secrets: SecretsManager, group: str) -> None:
        self._secrets = secrets
        self._group = group

    def __getattr__(self, key: str) -> str:
        if key.startswith("__"):
            raise AttributeError(key)
        value: str = self._secrets.get(self._group, key)
        return value


class _Asked:
    """Which secret is looked for."""

    def __init__(self, group: str | None, version: str | None, key: str | None) -> None:
        if not group and not key:
            raise ValueError("which secret? Give its group, its key or both: secrets.get(group, key)")
        self.group, self.version, self.key = group or None, version or None, key or None
        self.parts = [part for part in (group, version, key) if part]

    def __str__(self) -> str:
        words = [f"key {self.key}"] if self.key else []
        words += [f"group {self.group}"] if self.group else []
        return " in ".join(words) + (f" (version {self.version})" if self.version else "")

    def request(self) -> str:
        """How a task asks for it, as one writes it."""
        parts = {"group": self.group, "key": self.key, "group_version": self.version}
        return f"Secret({', '.join(f'{name}={value!r}' for name, value in parts.items() if value)})"

    def variable(self) -> str:
        return "_".join(self.parts).upper()

    def file(self, spelled: type[str] | Any) -> str:
        *folders, name = (spelled(part) for part in self.parts)
        prefix = _setting("FILE_PREFIX", FILE_PREFIX)
        return os.path.join(_setting("DEFAULT_DIR", FOLDER), *folders, prefix + name)  # noqa: PTH118  as above

    def is_met_by(self, request: Mapping[str, Any]) -> bool:
        """Whether it is what the request asks for. A single name, `get("token")`, may be a key without a group."""
        wanted = [request.get(field) for field in ("group", "version", "key")]
        return self.parts == [part for part in wanted if part]


def _plain(variable: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in variable)


def _setting(name: str, default: str) -> str:
    for product in ("WINDLASS", "FLYTE"):
        value = os.environ.get(f"{product}_SECRETS_{name}")
        if value is not None:
            return value.strip()
    return default


@contextmanager
def exported(requests: Iterable[Mapping[str, Any]]) -> Iterator[None]:
    """Sets the variables that the requests name, as the operator does in a pod; for local runs.

    A variable that is set already stays, and one whose secret is not to be found stays unset: the code may not need it.
    """
    found = {}
    for request in requests:
        variable = request.get("env")
        if variable is not None and variable not in os.environ:
            value = _local_value(request)
            if value is not None:
                found[variable] = value
    with variables(found):
        yield


def _local_value(request: Mapping[str, Any]) -> str | None:
    """What the variable of a request holds here: the value, or the path where a file is asked for."""
    manager = SecretsManager()
    asked = _Asked(request.get("group"), request.get("version"), request.get("key"))
    if request.get("mount") == "File":
        return next((path for path in manager._files(asked) if os.path.isfile(path)), None)  # noqa: PTH113  as above
    try:
        value: str = manager.get(request.get("group"), request.get("key"), request.get("version"))
    except ValueError:
        return None
    return value


__all__ = ["MountType", "Secret", "SecretsManager", "exported"]
