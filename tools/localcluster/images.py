"""Container images as files: layers and a configuration, packed the same way every time.

A layer is a tar file whose entries are sorted and carry no time, and no owner unless owners are meant to be
kept, so the same content has the same digest on every machine. An archive is an OCI image layout with one
or more images in it; layers that images share are in it once.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class Blob:
    """Content, its type, and its digest, which is its name."""

    media_type: str
    digest: str
    size: int
    source: Path | bytes

    @classmethod
    def of_json(cls, media_type: str, value: dict[str, Any]) -> Blob:
        """A blob made here."""
        content = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return cls(media_type, digest, len(content), content)

    @property
    def descriptor(self) -> dict[str, Any]:
        """How other blobs refer to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class Configuration:
    """What a container of the image starts with."""

    entrypoint: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    user: str = ""
    working_directory: str = "/"

    def to_oci(self) -> dict[str, Any]:
        """The ``config`` object of an OCI image configuration."""
        config: dict[str, Any] = {"WorkingDir": self.working_directory}
        config["Env"] = [_PATH, *self.environment]
        if self.entrypoint:
            config["Entrypoint"] = list(self.entrypoint)
        if self.user:
            config["User"] = self.user
        return config


@dataclass(frozen=True)
class Image:
    """Layers, lowest first, and a configuration, under one or more names."""

    names: tuple[str, ...]
    layers: tuple[Blob, ...]
    configuration: Configuration = field(default_factory=Configuration)

    @property
    def config(self) -> Blob:
        """The OCI image configuration."""
        layers = [layer.digest for layer in self.layers]  # not compressed: digests are diff ids
        value = {
            **platform(),
            "config": self.configuration.to_oci(),
            "rootfs": {"type": "layers", "diff_ids": layers},
            "history": [{"created_by": "windlass localcluster"} for _ in layers],
        }
        return Blob.of_json(f"{_OCI}.config.v1+json", value)

    @property
    def manifest(self) -> Blob:
        """The OCI manifest; its digest identifies the image."""
        value = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": self.config.descriptor,
            "layers": [layer.descriptor for layer in self.layers],
        }
        return Blob.of_json(f"{_OCI}.manifest.v1+json", value)


def machine() -> str:
    """This machine's processor, in the words of the kernel and of Python wheels."""
    return os.uname().machine


def platform() -> dict[str, str]:
    """This machine, in the words of the OCI."""
    return {"architecture": _ARCHITECTURES.get(machine(), machine()), "os": "linux"}


# Layers


def pack_layer(root: Path, target: Path, *, prefix: str = "", keep_owners: bool = False) -> Blob:
    """Pack what is below ``root``, to appear below ``prefix`` in the image, into ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}.draft")
    with draft.open("wb") as raw:
        hashing = _HashingWriter(raw)
        with tarfile.open(fileobj=hashing, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for entry in _entries(root, prefix, keep_owners=keep_owners):
                _add(tar, *entry)
    draft.replace(target)
    digest_file(target).write_text(hashing.digest)
    return Blob(f"{_OCI}.layer.v1.tar", hashing.digest, target.stat().st_size, target)


def packed_layer(target: Path) -> Blob | None:
    """The layer that an earlier run packed, if it finished."""
    noted = digest_file(target)
    if not (target.exists() and noted.exists()):
        return None
    return Blob(f"{_OCI}.layer.v1.tar", noted.read_text(), target.stat().st_size, target)


def digest_file(layer: Path) -> Path:
    """Where the digest of a packed layer is noted, so that it need not be read again."""
    return layer.with_name(layer.name + ".digest")


def _entries(root: Path, prefix: str, *, keep_owners: bool) -> Iterator[tuple[tarfile.TarInfo, Path]]:
    first_names: dict[tuple[int, int], str] = {}
    for name in _parents(prefix):
        yield _folder(name), root
    for path in sorted(_walk(root)):
        name = str(Path(prefix, path.relative_to(root)))
        info = _describe(path, name, first_names)
        _forget(info, owners=not keep_owners)
        yield info, path


def _walk(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        yield Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))


def _parents(prefix: str) -> list[str]:
    parts = Path(prefix).parts
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _folder(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info


def _describe(path: Path, name: str, first_names: dict[tuple[int, int], str]) -> tarfile.TarInfo:
    """An entry; of several hard links to a file the first has the content, the others its name."""
    status = path.lstat()
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid = status.st_mode & 0o7777, status.st_uid, status.st_gid
    if path.is_symlink():
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
    elif path.is_dir():
        info.type = tarfile.DIRTYPE
    elif status.st_nlink > 1 and (status.st_dev, status.st_ino) in first_names:
        info.type, info.linkname = tarfile.LNKTYPE, first_names[status.st_dev, status.st_ino]
    elif path.is_file():
        info.size = status.st_size
        first_names[status.st_dev, status.st_ino] = name
    else:
        raise ValueError(f"{path} is neither file, folder nor link: it has no place in an image")
    return info


def _forget(info: tarfile.TarInfo, *, owners: bool) -> None:
    info.mtime = 0
    info.uname = info.gname = ""
    if owners:
        info.uid = info.gid = 0


def _add(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    if info.isreg():
        with path.open("rb") as content:
            tar.addfile(info, content)
    else:
        tar.addfile(info)


class _HashingWriter(io.RawIOBase):
    """A file that is hashed while it is written."""

    def __init__(self, target: IO[bytes]) -> None:
        super().__init__()
        self._target = target
        self._hash = hashlib.sha256()

    def write(self, data: Any) -> int:
        """Called by tarfile with bytes; the base class allows any buffer."""
        self._hash.update(data)
        return self._target.write(data)

    @property
    def digest(self) -> str:
        """Of all that was written so far."""
        return f"sha256:{self._hash.hexdigest()}"


# Archives


def write_archive(images: Sequence[Image], target: IO[bytes]) -> None:
    """Write an OCI image layout with these images to a file or a pipe."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        _add_bytes(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add_bytes(tar, "index.json", json.dumps(_index(images), sort_keys=True).encode())
        for blob in _blobs(images):
            _add_blob(tar, blob)


def save_archive(images: Sequence[Image], target: Path) -> None:
    """The same as a file that is complete or absent."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + ".draft")
    with draft.open("wb") as file:
        write_archive(images, file)
    draft.replace(target)


def _index(images: Iterable[Image]) -> dict[str, Any]:
    manifests = []
    for image in images:
        for name in image.names:
            annotations = {
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": name.rpartition(":")[2],
            }
            manifests.append({**image.manifest.descriptor, "platform": platform(), "annotations": annotations})
    return {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": manifests}


def _blobs(images: Iterable[Image]) -> list[Blob]:
    every = [blob for image in images for blob in (image.manifest, image.config, *image.layers)]
    return list({blob.digest: blob for blob in every}.values())


def _add_blob(tar: tarfile.TarFile, blob: Blob) -> None:
    name = "blobs/" + blob.digest.replace(":", "/")
    if isinstance(blob.source, bytes):
        _add_bytes(tar, name, blob.source)
        return
    info = tarfile.TarInfo(name)
    info.size = blob.size
    with blob.source.open("rb") as content:
        tar.addfile(info, content)


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
