"""The secrets that a task asks for → variables and files in its container, where ``current_context().secrets`` looks.

A request names a Secret of the pod's namespace: ``group``, with the version behind a dash where it has one
(``db`` + ``2`` → ``db-2``); without a group, the one that the administrator has chosen. The kubelet reads it, the
operator never does.

| asked for | found in the pod |
|---|---|
| ``Env``, or ``Any`` with a variable | the variable ``_FSEC_GROUP_VERSION_KEY``, and the variable that is named |
| ``File``, or ``Any`` | the file ``/etc/secrets/group/version/key``; a variable that is named holds its path |
| without a key | the whole Secret as a folder of files |

Whatever no shell takes in a variable's name is ``_``. Nothing is optional: a Secret or key that is missing keeps the
pod from starting, with its name in the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from windlass_api import names
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.templates import InvalidPodError

FOLDER = "/etc/secrets"
PREFIX = "_FSEC_"
REASON = "InvalidSecret"
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_WORD = re.compile(r"[-._a-zA-Z0-9]{1,63}")


class Request(NamedTuple):
    """A secret that is asked for."""

    where: str
    secret: str
    """The name of the Secret object."""
    folder: str
    """Where its files are."""
    parts: tuple[str, ...]
    """Group, version and key, as far as there are any."""
    key: str | None
    env: str | None
    as_file: bool


def request_of(item: Mapping[str, Any], place: int, default: str) -> Request:
    """What an item of ``secrets`` asks for. ``default`` is the Secret for those without a group.

    Raises:
        InvalidPodError: no Secret can have that name, or no key.
    """
    where = f"secrets[{place}]"
    group, version, key = (item.get(part) or None for part in ("group", "version", "key"))
    if group is None and not default:
        text = f"{where}: {key!r} has no group, and the operator has no default Secret (pods.defaultSecret)"
        raise InvalidPodError(REASON, text)
    secret = default if group is None else f"{group}-{version}" if version else group
    if not names.is_dns_subdomain(secret):
        text = f"{where}: {secret!r} can't be the name of a Secret: lower-case letters, digits, - and ."
        raise InvalidPodError(REASON, text)
    for word, pattern in ((key, _KEY), (version, _WORD)):
        if word is not None and (not pattern.fullmatch(word) or word in (".", "..")):
            raise InvalidPodError(REASON, f"{where}: {word!r} can't be a part of a Secret: letters, digits, -, _ and .")
    env, mount = item.get("env"), item.get("mount") or "Any"
    as_file = mount == "File" or (mount == "Any" and env is None) or key is None
    if key is None and (mount == "Env" or env is not None):
        text = f"{where}: without a key the whole Secret {secret} is asked for, and no variable can hold it; name a key"
        raise InvalidPodError(REASON, text)
    folders = [part for part in (group, version) if part]
    return Request(
        where, secret, "/".join([FOLDER, *folders]), tuple(part for part in (*folders, key) if part), key, env, as_file
    )


def provide(pod: Manifest, container: Manifest, items: Iterable[Mapping[str, Any]], default: str) -> None:
    """Give a container the secrets that are asked for.

    Raises:
        InvalidPodError: they can't be given.
    """
    requests = [request_of(item, place, default) for place, item in enumerate(items)]
    for one in requests:
        if not one.as_file:
            for name in filter(None, (_variable(one.parts), one.env)):
                source = {"secretKeyRef": {"name": one.secret, "key": one.key}}
                _set(container, {"name": name, "valueFrom": source})
        elif one.env is not None:
            _set(container, {"name": one.env, "value": f"{one.folder}/{one.key}"})
    _files(pod, container, [one for one in requests if one.as_file])


def _files(pod: Manifest, container: Manifest, requests: list[Request]) -> None:
    """A volume for each Secret; single files where the folder is that of all secrets."""
    found: dict[tuple[str, str], list[Request]] = {}
    for one in requests:
        found.setdefault((one.secret, one.folder), []).append(one)
    folders = {folder for _, folder in found}
    for number, ((secret, folder), wanted) in enumerate(found.items()):
        named = f"secret-{secret}"  # what the kubelet calls it in its complaints
        taken = {one["name"] for one in pod["spec"].setdefault("volumes", [])}
        volume = named if names.is_dns_label(named) and named not in taken else f"secret-{number}-of-task"
        source: Manifest = {"secretName": secret}
        keys = list(dict.fromkeys(one.key for one in wanted))
        if None not in keys:
            source["items"] = [{"key": key, "path": key} for key in keys]
        single = folder == FOLDER or any(other.startswith(f"{folder}/") for other in folders)
        if single and None in keys:
            text = f"{wanted[0].where}: {folder} can't be a whole Secret when versions of it are asked for as well"
            raise InvalidPodError(REASON, text)
        pod["spec"]["volumes"].append({"name": volume, "secret": source})
        mounts = [(f"{folder}/{key}", key) for key in keys] if single else [(folder, None)]
        for path, part in mounts:
            mount = {"name": volume, "mountPath": path, "readOnly": True, **({"subPath": part} if part else {})}
            container.setdefault("volumeMounts", []).append(mount)


def _variable(parts: tuple[str, ...]) -> str:
    """
    >>> _variable(("my-group", "2", "token"))
    '_FSEC_MY_GROUP_2_TOKEN'
    """
    return PREFIX + "".join(letter if letter.isalnum() else "_" for letter in "_".join(parts).upper())


def _set(container: Manifest, variable: Manifest) -> None:
    """A variable, in the place of one that has its name."""
    others = [one for one in container.get("env") or [] if one["name"] != variable["name"]]
    container["env"] = [*others, variable]
