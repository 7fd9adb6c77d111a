"""Which images there are, and what is in each.

::

    localhost/windlass-base:python3      Debian, Python        (also localhost/python:3, the user's image)
    python:3                             the same with pip, in a cluster's registry, for images to be based on
    localhost/windlass-runtime:dev       the SDK as it is mounted into pods, boto3 and gRPC for images without them
    localhost/windlass-operator:dev      base + /app: dependencies + the operator's sources
                                              + /runtime: the SDK again, for clusters without image volumes

Each layer is kept under a hash of what goes into it. So a change of the operator's sources packs anew
nothing but the topmost layer, and without a change nothing is packed at all.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import tomllib

from localcluster import images, rootfs
from localcluster.errors import LocalClusterError
from localcluster.images import Blob, Configuration, Image
from localcluster.locks import file_lock
from localcluster.paths import REPOSITORY, cache_home

BASE = "localhost/windlass-base:python3"
USER = "localhost/python:3"
RUNTIME = "localhost/windlass-runtime:dev"
OPERATOR = "localhost/windlass-operator:dev"
BUILDING = "python:3"  # in a registry

SDK_PROJECT = REPOSITORY / "sdk"
API_SOURCES = SDK_PROJECT / "src" / "windlass_api"
SDK_SOURCES = SDK_PROJECT / "src" / "windlass"
OPERATOR_PROJECT = REPOSITORY / "operator"
OPERATOR_SOURCES = OPERATOR_PROJECT / "src" / "windlass_operator"
CONSTRAINTS = REPOSITORY / "constraints.txt"

# Distributions of our own: their sources are copied, not installed.
_OUR_OWN = ("windlass", "windlass-operator")

MOUNT = "/var/run/windlass/runtime"  # where the operator mounts the runtime into pods
NOBODY = "65532"
S3_FOLDER = "windlass_s3"
S3_SERVICES = ("s3", "sts", "sso", "sso-oidc")
ACTORS_FOLDER = "actors"  # where windlass/runtime/worker.py looks for gRPC: a folder for each Python
_PYTHON = ("LANG=C.UTF-8", "PYTHONUNBUFFERED=1")


def all_images() -> list[Image]:
    """Every image, built where it is not up to date."""
    return [base_image(), runtime_image(), operator_image()]


def base_image() -> Image:
    """Debian with Python. Under its second name it is what a user's image may be: it has no Windlass."""
    return Image((BASE, USER), (rootfs.base_layer(),), Configuration(environment=_PYTHON))


def building_image() -> Image:
    """The same with pip, this program's own: what ImageSpecs can be based on where nothing comes from the internet."""
    import pip  # noqa: PLC0415  this module is also used by Pythons without it

    plain = base_image()
    own = Path(pip.__file__).parent

    def fill(folder: Path) -> None:
        shutil.copytree(own, folder / own.name, ignore=shutil.ignore_patterns("__pycache__"))
        _make_readable(folder)

    layer = _layer(f"pip-{pip.__version__}", "usr/lib/python3/dist-packages", fill)
    return Image((BUILDING,), (*plain.layers, layer), plain.configuration)


def runtime_image() -> Image:
    """Files only, to be mounted: it has no program to run."""
    sources = _sources_layer("mounted", "", (API_SOURCES, SDK_SOURCES))
    return Image((RUNTIME,), (_s3_layer(""), _actors_layer(""), sources))


def operator_image() -> Image:
    """The operator, ready to run as nobody."""
    if not OPERATOR_SOURCES.is_dir():
        raise LocalClusterError(f"there are no operator's sources at {OPERATOR_SOURCES}")
    layers = (
        rootfs.base_layer(),
        _dependencies_layer(),
        _sources_layer("app", "app", (API_SOURCES, OPERATOR_SOURCES)),
        _s3_layer("runtime"),
        _actors_layer("runtime"),
        _sources_layer("runtime", "runtime", (API_SOURCES, SDK_SOURCES)),
    )
    configuration = Configuration(
        entrypoint=("python3", "-m", "windlass_operator"),
        environment=(*_PYTHON, "PYTHONPATH=/app"),
        user=f"{NOBODY}:{NOBODY}",
        working_directory="/app",
    )
    return Image((OPERATOR,), layers, configuration)


def _sources_layer(name: str, place: str, packages: Sequence[Path]) -> Blob:
    """Python packages with their bytecode, below one folder of the image (or at its root).

    The bytecode names its source by where pods see it: what is at the root of an image is mounted at ``MOUNT``.
    """
    present = [package for package in packages if package.is_dir()]
    key = _digest(_source_files(present))

    def fill(folder: Path) -> None:
        for package in present:
            shutil.copytree(package, folder / package.name, ignore=_not_for_images)
        _make_readable(folder)
        rootfs.compile_sources(folder, f"/{place}" if place else MOUNT)

    return _layer(f"{name}-{key}", place, fill)


def _dependencies_layer() -> Blob:
    """What the operator imports and did not write, in the versions that the constraints name."""
    projects = (OPERATOR_PROJECT, SDK_PROJECT)  # the contract's own dependencies are the SDK's
    requirements = foreign_requirements((one / "pyproject.toml").read_text() for one in projects)
    requirements += _extra("remote")  # the collector of the store asks the cluster by the SDK
    constraints = CONSTRAINTS.read_bytes() if CONSTRAINTS.exists() else b""
    recipe = repr((requirements, constraints, rootfs.PYTHON)).encode()

    def fill(folder: Path) -> None:
        _install(requirements, folder)
        _make_readable(folder)
        rootfs.compile_sources(folder, "/app")

    return _layer(f"dependencies-{hashlib.sha256(recipe).hexdigest()[:16]}", "app", fill)


def _s3_layer(place: str) -> Blob:
    """boto3 for images that have none, in a folder of its own beside the runtime's packages. Of the services that
    botocore knows, those that reading and writing takes.
    """
    requirements = _extra("s3")
    constraints = CONSTRAINTS.read_bytes() if CONSTRAINTS.exists() else b""
    recipe = repr((requirements, constraints, rootfs.PYTHON, S3_FOLDER, S3_SERVICES)).encode()

    def fill(folder: Path) -> None:
        packages = folder / S3_FOLDER
        _install(requirements, packages)
        for service in (packages / "botocore" / "data").iterdir():
            if service.is_dir() and service.name not in S3_SERVICES:
                shutil.rmtree(service)
        _make_readable(folder)
        rootfs.compile_sources(folder, f"/{place}" if place else MOUNT)

    return _layer(f"s3-{place or 'mounted'}-{hashlib.sha256(recipe).hexdigest()[:16]}", place, fill)


def _actors_layer(place: str) -> Blob:
    """gRPC for the workers of actors, which is compiled for one Python: here that of the base image, where the
    Dockerfile has it for all.
    """
    requirements = _extra("actors")
    constraints = CONSTRAINTS.read_bytes() if CONSTRAINTS.exists() else b""
    recipe = repr((requirements, constraints, rootfs.PYTHON, ACTORS_FOLDER)).encode()

    def fill(folder: Path) -> None:
        _install(requirements, folder / ACTORS_FOLDER / f"cp{rootfs.PYTHON.replace('.', '')}")
        _make_readable(folder)
        rootfs.compile_sources(folder, f"/{place}" if place else MOUNT)

    return _layer(f"actors-{place or 'mounted'}-{hashlib.sha256(recipe).hexdigest()[:16]}", place, fill)


def _extra(name: str) -> list[str]:
    """What an extra of the SDK asks for."""
    project = tomllib.loads((SDK_PROJECT / "pyproject.toml").read_text())["project"]
    found: list[str] = project["optional-dependencies"][name]
    return found


def foreign_requirements(projects: Iterable[str]) -> list[str]:
    """The dependencies that some pyproject.toml texts name, less those that are built here."""
    named = [requirement for text in projects for requirement in tomllib.loads(text)["project"].get("dependencies", [])]
    return sorted({one for one in named if _distribution(one) not in _OUR_OWN})


def _distribution(requirement: str) -> str:
    """The name at the start of a requirement, as package indexes compare names."""
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), None)
    return requirement[:end].lower().replace("_", "-").replace(".", "-")


def _install(requirements: Sequence[str], folder: Path) -> None:
    """For the image's Python and for no other, so wheels only."""
    if not requirements:
        return
    machine = images.machine()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)]
    command += ["--python-version", rootfs.PYTHON, "--only-binary=:all:", "--no-compile"]
    for generation in ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34"):
        command += ["--platform", f"{generation}_{machine}"]
    if CONSTRAINTS.exists():
        command += ["-c", str(CONSTRAINTS)]
    result = subprocess.run([*command, *requirements], capture_output=True, text=True, check=False)
    if result.returncode:
        words = " ".join([*command, *requirements])
        raise LocalClusterError(f"{words}\nfailed:\n{result.stderr.strip()}")
    shutil.rmtree(folder / "bin", ignore_errors=True)  # scripts that name the building Python


def _layer(name: str, place: str, fill: Callable[[Path], None]) -> Blob:
    """The cached layer of this name, or one of what ``fill`` puts into an empty folder."""
    target = cache_home() / "layers" / f"{name}.tar"
    found = images.packed_layer(target)
    if found:
        return found
    with file_lock(target.with_name(target.name + ".lock"), f"another build of {name}"):
        found = images.packed_layer(target)
        if found:
            return found
        with tempfile.TemporaryDirectory() as draft:
            folder = Path(draft) / "content"
            folder.mkdir(mode=0o755)
            fill(folder)
            return images.pack_layer(folder, target, prefix=place)


def _source_files(packages: Iterable[Path]) -> list[tuple[str, Path]]:
    found = []
    for package in packages:
        for path in sorted(package.rglob("*")):
            parts = path.relative_to(package.parent).parts
            if path.is_file() and not any(map(_is_unwanted, parts)):
                found.append(("/".join(parts), path))
    return found


def _digest(files: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256(rootfs.PYTHON.encode())
    for name, path in files:
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _is_unwanted(name: str) -> bool:
    return name in ("__pycache__", "tests", "test") or name.endswith((".pyc", ".pyo"))


def _not_for_images(_: str, names: list[str]) -> set[str]:
    return {name for name in names if _is_unwanted(name)}


def _make_readable(folder: Path) -> None:
    """Whatever the umask here, every user of the image may read."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
