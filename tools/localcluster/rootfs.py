"""A Debian root file system with Python, made once and kept packed.

It is the lowest layer of the images that have programs in them, and, unpacked, the place where Python
sources are compiled: bytecode has to come from the very Python that reads it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from localcluster import images, prerequisites
from localcluster.errors import LocalClusterError
from localcluster.images import Blob
from localcluster.locks import file_lock
from localcluster.paths import cache_home

SUITE = "bookworm"
PYTHON = "3.11"  # the suite's
PACKAGES = ("python3", "ca-certificates")

# What a container never reads.
_USELESS = (
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "usr/share/i18n/*",
    "usr/share/lintian/*",
    "usr/share/bash-completion/*",
    "usr/lib/*/gconv/*",
    "usr/lib/python3*/test",
    "usr/lib/python3*/idlelib",
    "var/lib/apt/lists/*",
    "var/cache/apt/*",
    "var/cache/debconf/*",
    "var/cache/ldconfig/*",
    "var/log/*",
    "dev/*",
    "tmp/*",
    "run/*",
)


def base_layer() -> Blob:
    """Debian and Python as an image layer."""
    ensure_rootfs()
    layer = images.packed_layer(_layer())
    if layer is None:
        raise LocalClusterError(f"{_layer()} has vanished while it was in use; try again")
    return layer


def ensure_rootfs() -> Path:
    """Debian and Python as a folder, to run programs of it in place; nobody changes it."""
    with file_lock(_folder().with_name(_folder().name + ".lock"), "the base image"):
        if not (_folder().is_dir() and images.packed_layer(_layer())):
            _make()
    return _folder()


def compile_sources(folder: Path, place: str) -> None:
    """Add bytecode to a folder of Python sources that an image will have at ``place``."""
    _prune_bytecode(folder)
    if not any(folder.rglob("*.py")):
        return
    command = [*_python(), "-m", "compileall", "-q", "-j", "0"]
    command += [
        "--invalidation-mode",
        "unchecked-hash",
        "-s",
        str(folder),
        "-p",
        place,
        str(folder),
    ]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=False,
    )
    if result.returncode:
        raise LocalClusterError(f"compiling {place} failed:\n{(result.stdout + result.stderr).strip()}")


def _prune_bytecode(folder: Path) -> None:
    for cache in sorted(folder.rglob("__pycache__")):
        shutil.rmtree(cache)


def _python() -> list[str]:
    """The rootfs's own Python, run by its own loader: no chroot, so paths mean the same on both sides."""
    root = ensure_rootfs()
    loader = next(root.glob("lib*/ld-linux*.so.*"))
    folders = sorted(path.parent for path in root.glob("usr/lib/*/libc.so.6"))
    library_path = ":".join(str(folder) for folder in folders)
    python = root / "usr" / "bin" / f"python{PYTHON}"
    return [str(loader), "--library-path", library_path, str(python), "-I"]


def _key() -> str:
    recipe = (SUITE, PACKAGES, _USELESS, images.machine())
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]


def _folder() -> Path:
    return cache_home() / "rootfs" / f"{SUITE}-{_key()}"


def _layer() -> Path:
    return _folder().with_name(_folder().name + ".tar")


def _make() -> None:
    prerequisites.require(prerequisites.IMAGES)
    if os.geteuid() != 0:
        raise LocalClusterError("making the base image needs root")
    mirror = find_mirror()
    _folder().parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(_folder(), ignore_errors=True)  # without its layer it is of no use
    with tempfile.TemporaryDirectory(dir=_folder().parent, prefix=".making-") as draft:
        root = Path(draft) / "root"
        _debootstrap(root, mirror)
        _slim(root)
        images.pack_layer(root, _layer(), keep_owners=True)
        root.rename(_folder())


def find_mirror() -> str:
    """The Debian mirror that this machine uses, or that the caller names."""
    named = os.environ.get("WINDLASS_DEBIAN_MIRROR")
    mirror = named or choose_mirror(_apt_repositories())
    if mirror is None:
        raise LocalClusterError(
            "apt on this machine knows no Debian mirror to make the base image from;\n"
            "name one: export WINDLASS_DEBIAN_MIRROR=URL"
        )
    return mirror


def choose_mirror(repositories: Sequence[tuple[str, str, str]]) -> str | None:
    """Of (address, release, origin) one with our suite, or else any of Debian: it has all suites."""
    for address, release, _ in repositories:
        if release == SUITE:
            return address
    for address, release, origin in repositories:
        if origin == "Debian" and "-" not in release:
            return address
    return None


def _apt_repositories() -> list[tuple[str, str, str]]:
    if not shutil.which("apt-get"):
        return []
    form = "$(REPO_URI) $(RELEASE) $(ORIGIN)"
    command = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [[*line.split(), "", ""] for line in dict.fromkeys(lines)]
    return [(row[0], row[1], row[2]) for row in rows]


def _debootstrap(root: Path, mirror: str) -> None:
    """In mounts of its own, so that an interrupted run leaves none."""
    command = ["unshare", "--mount", "--fork", "--kill-child", "debootstrap", "--variant=minbase"]
    command += [f"--include={','.join(PACKAGES)}", SUITE, str(root), mirror]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process:
            while process.poll() is None:
                _pause(process)
                seconds = time.monotonic() - started
                print(f"windlass: making the base image, {seconds:.0f} s", file=sys.stderr)
        if process.returncode:
            log.seek(0)
            end = "\n".join(log.read().splitlines()[-15:])
            raise LocalClusterError(f"{' '.join(command)} failed:\n{end}")


def _pause(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        return  # time to say that it still goes on


def _slim(root: Path) -> None:
    for pattern in _USELESS:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
