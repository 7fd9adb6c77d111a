"""Asking a registry whether it has an image, by its HTTP API and with nothing but the standard library.

    HEAD /v2/REPOSITORY/manifests/TAG ──┬── 200          it is there
                                        ├── 404          it is not
                                        ├── 401 Basic    again, with the password
                                        ├── 401 Bearer   fetch a token where it says, again with that
                                        └── else         nobody can tell, and why

Credentials are those that Docker and Podman keep. They go to the registry, or to where it says that tokens are given,
and nowhere else: not along a redirect, and not over plain HTTP unless that stays on this machine.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import os
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 20.0
DOCKER_HUB = "docker.io"

_HUB_API = "registry-1.docker.io"
_HUB_KEY = "index.docker.io"  # under which Docker keeps the credentials for its hub
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_NOT_ALLOWED = (401, 403)
_TOKEN_USER = "<token>"  # noqa: S105  how a credential helper says that the secret is a refresh token


class Reference(NamedTuple):
    """An image's name, taken apart. `version` is a tag, or a digest such as `sha256:…`."""

    host: str
    repository: str
    version: str


class Answer(NamedTuple):
    """Whether an image exists; None where nobody can tell, and then why."""

    exists: bool | None
    reason: str = ""


class Credentials(NamedTuple):
    """What a registry wants to see: a password, or a token that is exchanged for others."""

    user: str
    secret: str

    @property
    def basic(self) -> str:
        """The header's value."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


def parse(image: str) -> Reference:
    """Takes a name apart as Docker does: without a host it is Docker Hub's.

    >>> parse("localhost:5000/team/forecast:v1")
    Reference(host='localhost:5000', repository='team/forecast', version='v1')
    >>> parse("python")
    Reference(host='docker.io', repository='library/python', version='latest')
    """
    name, _, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    has_host = slash and ("." in first or ":" in first or first == "localhost")
    host, path = (first, rest) if has_host else (DOCKER_HUB, name)
    repository, colon, tag = path.rpartition(":") if ":" in path.rpartition("/")[2] else (path, "", "")
    if host == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(host, repository, digest or (tag if colon else "latest"))


def is_loopback(host: str) -> bool:
    """Whether a registry is on this machine, so that it may speak plain HTTP."""
    name = host.rpartition(":")[0] if re.search(r":[0-9]+\Z", host) else host
    name = name.strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def look_up(image: str, config: str | Path | None = None) -> Answer:
    """Asks the image's registry.

    Args:
        image: a full name, with a tag or a digest.
        config: a file with credentials, instead of those of Docker and Podman.

    Raises:
        FileNotFoundError: there is no file `config`.
        ValueError: it can't be read as one.
    """
    reference = parse(image)
    credentials = find_credentials(reference, config)
    try:
        status = _manifest_status(reference, credentials)
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = getattr(error, "reason", None) or error
        return Answer(None, f"{reference.host} does not answer as a registry: {cause}")
    if status in (200, 404):
        return Answer(status == 200)
    if status in _NOT_ALLOWED:
        who = f"{credentials.user!r} may not see it" if credentials else "it wants credentials, and there are none"
        return Answer(None, f"{reference.host} answered {status}: {who}")
    return Answer(None, f"{reference.host} answered {status}")


# -- the conversation --------------------------------------------------------------------------------------------------


class _Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def _manifest_status(reference: Reference, credentials: Credentials | None) -> int:
    host = _HUB_API if reference.host == DOCKER_HUB else reference.host
    scheme = "http" if is_loopback(host) else "https"
    url = f"{scheme}://{host}/v2/{urllib.parse.quote(reference.repository)}/manifests/{reference.version}"
    accept = {"Accept": ", ".join(_MANIFESTS)}
    first = _request("HEAD", url, accept)
    if first.status != 401:
        return first.status
    authorization = _authorization(first.headers.get("Www-Authenticate", ""), credentials)
    if authorization is None:
        return first.status
    return _request("HEAD", url, {**accept, "Authorization": authorization}).status


def _authorization(challenge: str, credentials: Credentials | None) -> str | None:
    """What to answer a challenge; None where there is nothing to say."""
    kind, _, rest = challenge.partition(" ")
    if kind.lower() == "basic":
        return credentials.basic if credentials and credentials.user != _TOKEN_USER else None
    if kind.lower() != "bearer":
        return None
    token = _token({name.lower(): value for name, value in _PARAMETER.findall(rest)}, credentials)
    return f"Bearer {token}" if token else None


def _token(challenge: Mapping[str, str], credentials: Credentials | None) -> str | None:
    """Fetches a token from where the registry says; without credentials an anonymous one."""
    realm = challenge.get("realm", "")
    place = urllib.parse.urlsplit(realm)
    if place.scheme != "https" and not (place.scheme == "http" and is_loopback(place.netloc)):
        raise ValueError(f"it sends to {realm!r} for a token, which is no https address")
    asked = {name: challenge[name] for name in ("service", "scope") if name in challenge}
    if credentials and credentials.user == _TOKEN_USER:
        form = {"grant_type": "refresh_token", "refresh_token": credentials.secret, "client_id": "windlass", **asked}
        answer = _request("POST", realm, {}, urllib.parse.urlencode(form).encode())
    else:
        headers = {"Authorization": credentials.basic} if credentials else {}
        separator = "&" if place.query else "?"
        answer = _request("GET", f"{realm}{separator}{urllib.parse.urlencode(asked)}", headers)
    if answer.status != 200:
        return None
    found = json.loads(answer.body)
    return found.get("token") or found.get("access_token") if isinstance(found, dict) else None


class _KeepPasswords(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but tells the password to nobody else."""

    def redirect_request(self, req: urllib.request.Request, *arguments: Any) -> urllib.request.Request | None:
        followed = super().redirect_request(req, *arguments)
        if followed is not None:
            followed.method = req.get_method() if req.get_method() == "HEAD" else followed.method
            if followed.host != req.host or followed.type != req.type:
                followed.remove_header("Authorization")
        return followed


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> _Response:
    """One request; the answer, whatever its status."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310  the scheme was chosen above
    direct = [urllib.request.ProxyHandler({})] if is_loopback(request.host) else []  # a proxy's loopback is its own
    opener = urllib.request.build_opener(_KeepPasswords, *direct)
    try:
        with opener.open(request, timeout=SECONDS) as response:
            return _Response(response.status, dict(response.headers), response.read(1 << 20))
    except urllib.error.HTTPError as error:
        with error:
            return _Response(error.code, {k.title(): v for k, v in error.headers.items()}, b"")


# -- credentials -------------------------------------------------------------------------------------------------------


def find_credentials(reference: Reference, config: str | Path | None = None) -> Credentials | None:
    """What is kept for a registry: in `config`, or else where Podman and Docker keep it."""
    if config is not None and not Path(config).is_file():
        raise FileNotFoundError(f"ImageSpec(registry_config=…): there is no file {config}")
    for file in [Path(config)] if config is not None else _kept_files():
        found = _credentials_in(file, reference) if file.is_file() else None
        if found:
            return found
    return None


def _kept_files() -> Iterator[Path]:
    named = os.environ.get("REGISTRY_AUTH_FILE")
    if named:
        yield Path(named)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime, "containers", "auth.json")
    yield Path(f"/run/containers/{os.getuid()}/auth.json")
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "containers", "auth.json")
    yield Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker", "config.json")


def _credentials_in(file: Path, reference: Reference) -> Credentials | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is no JSON file with credentials: {error}") from None
    for key in _keys(reference):
        helper = (kept.get("credHelpers") or {}).get(key)
        found = _from_helper(helper, key) if helper else _from_entry(_entry(kept.get("auths") or {}, key))
        if found:
            return found
    store = kept.get("credsStore")
    return _from_helper(store, next(iter(_hosts(reference)))) if store else None


def _keys(reference: Reference) -> Iterator[str]:
    """Under what credentials may be kept: for the repository, for a path above it, for the host."""
    hosts = list(_hosts(reference))
    parts = reference.repository.split("/")
    for length in range(len(parts), 0, -1):
        yield from ("/".join([host, *parts[:length]]) for host in hosts)
    yield from hosts


def _hosts(reference: Reference) -> Iterator[str]:
    if reference.host == DOCKER_HUB:
        yield f"https://{_HUB_KEY}/v1/"
    yield reference.host


def _entry(auths: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An entry by its key, which old versions of Docker wrote as an address."""
    for kept, entry in auths.items():
        if kept == key or _plain(kept) == _plain(key):
            return entry or {}
    return {}


def _plain(key: str) -> str:
    text = re.sub(r"\Ahttps?://", "", key).rstrip("/")
    return re.sub(r"/v[12]\Z", "", text)


def _from_entry(entry: Mapping[str, Any]) -> Credentials | None:
    if entry.get("identitytoken"):
        return Credentials(_TOKEN_USER, entry["identitytoken"])
    if entry.get("username") and entry.get("password"):
        return Credentials(entry["username"], entry["password"])
    try:
        user, colon, secret = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    except ValueError:
        return None
    return Credentials(user, secret.rstrip("\0")) if colon else None


def _from_helper(helper: str, server: str) -> Credentials | None:
    """Asks a program such as `docker-credential-pass`."""
    command = [f"docker-credential-{helper}", "get"]
    try:
        done = subprocess.run(  # noqa: S603  the user's own configuration names it
            command, input=server, capture_output=True, text=True, timeout=SECONDS, check=True
        )
        found = json.loads(done.stdout)
        return Credentials(found["Username"], found["Secret"])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError):
        return None  # it has none for this registry, which most of them say by failing
