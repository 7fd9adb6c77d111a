"""`ImageSpec`: what a task's image holds, and nothing about how it is made.

    image = ImageSpec(packages=["pandas==2.2.3"], apt_packages=["git"], registry="registry.example/team")

    @task(container_image=image)
    def count(path: str) -> int: ...

A spec has two digests, and they answer different questions:

    id     of the fields as they are written. The same here and in the pod, where the files that the fields name are
           not; so `is_container()` compares it with the one that the image carries.
    tag    of the id and of the content of those files. Another content, another image; `image_name()` ends in it.

This module is loaded in a pod whenever a user's module makes a spec, so it reads no file, asks no registry and loads
little. Reading files is `context`, making the text for a builder `containerfile`, building `builders`.
"""

from __future__ import annotations

import enum
import os.path
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from windlass._modules import PACKAGE, locate

ID_VARIABLE = "WINDLASS_IMAGE_ID"
"""The environment variable in which an image says the `id` of the spec that it was made from."""

RUNTIME_PACKAGES_VARIABLE = "WINDLASS_RUNTIME_PACKAGES"
"""The environment variable with what to install before a task starts: requirements, quoted as for a shell."""

IN_A_POD = "WINDLASS_TASK"  # the runtime's order: where it is set, a task runs in its pod

DEFAULT_NAME = "windlass"
DEFAULT_PLATFORM = "linux/amd64"
DEFAULT_TAG_FORMAT = "{spec_hash}"

RENAMED: dict[str, str] = {}
"""Names that users' builders gave to images which they built in this process: the one asked for → their own."""

_LISTS = (
    "packages",
    "conda_packages",
    "conda_channels",
    "apt_packages",
    "pip_extra_index_url",
    "entrypoint",
    "commands",
    "copy",
    "runtime_packages",
)
_TEXTS = (
    "python_version",
    "builder",
    "source_root",
    "registry",
    "requirements",
    "cuda",
    "cudnn",
    "pip_index",
    "pip_extra_args",
    "registry_config",
    "tag_format",
    "python_exec",
)
FIELDS = (
    "name",
    "python_version",
    "builder",
    "source_root",
    "env",
    "registry",
    "packages",
    "conda_packages",
    "conda_channels",
    "requirements",
    "apt_packages",
    "cuda",
    "cudnn",
    "base_image",
    "platform",
    "pip_index",
    "pip_extra_index_url",
    "pip_secret_mounts",
    "pip_extra_args",
    "registry_config",
    "entrypoint",
    "commands",
    "tag_format",
    "source_copy_mode",
    "copy",
    "python_exec",
    "runtime_packages",
    "builder_options",
    "builder_config",
)
# How an image is built, where it is pushed, and what is added to it later is no part of what it is.
_NO_PART_OF_THE_IMAGE = (
    "registry",
    "builder",
    "builder_options",
    "registry_config",
    "pip_secret_mounts",
    "runtime_packages",
    "tag_format",
)
_PATHS = ("source_root", "requirements")
_NEED_BUILDING = (
    "conda_channels",
    "conda_packages",
    "packages",
    "requirements",
    "apt_packages",
    "commands",
    "copy",
    "source_copy_mode",
    "entrypoint",
)
_LOCKS_OF_OTHER_TOOLS = {
    "uv.lock": "uv export --format requirements-txt --no-emit-project -o requirements.txt",
    "poetry.lock": "poetry export -o requirements.txt",
    "pyproject.toml": "pip-compile pyproject.toml -o requirements.txt",
    "pylock.toml": "uv export --format requirements-txt --no-emit-project -o requirements.txt",
}

_MAY_HAVE_LINES = ("commands", "entrypoint")
_NOT_IN_A_LINE = re.compile(r"[\n\r\0]")

_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*\Z")
_REGISTRY = re.compile(
    r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?"
    r"(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*\Z"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_PYTHON_VERSION = re.compile(r"[0-9]+\.[0-9]+(?:\.[0-9]+)?\Z")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){0,3}\Z")
_WORD = re.compile(r"[^\s,]+\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?\Z")


class CopyFileDetection(enum.Enum):
    """Which of the project's files are copied into the image."""

    LOADED_MODULES = 1
    """The project's modules that are loaded when the image is built."""

    ALL = 2
    """Every file below `source_root`, but for what is hidden, generated or installed."""

    NO_COPY = 3
    """None: the code travels with the manifests."""


class ImageSpec:
    """What a container image holds. `windlass build FILE` builds the images of a file that are not there yet.

    A spec never changes: the `with_…` methods return another one. Two specs with the same fields are equal.

    >>> image = ImageSpec(name="Forecast", packages=["pandas==2.2.3"], registry="registry.example/team")
    >>> image.image_name().rpartition(":")[0]
    'registry.example/team/forecast'
    >>> image.with_packages("polars").packages
    ['pandas==2.2.3', 'polars']
    >>> image.is_container()  # here; in a pod only where the image is this one
    True

    Args:
        name: the name of the image, without registry and tag; taken in lower case (default: "windlass").
        python_version: "3.12" or "3.12.4". Default: that of the base image if one is given, else the version
            that runs this code.
        builder: what builds it: "docker", "podman", "buildah", "noop" (nothing is built, `base_image` is used as it
            is), or a name given to `ImageBuildEngine.register`. Default, also by the name "default": whichever is
            there.
        source_root: the folder that `source_copy_mode` copies from (default: the working folder). Given alone, it
            means `CopyFileDetection.LOADED_MODULES`.
        env: environment variables. `$NAME` in a value stands for an earlier variable; write `\\$` for a dollar.
        registry: where it is pushed, such as "localhost:5000" or "registry.example/team". Default: nowhere, it stays
            on this machine.
        packages: Python packages, as pip takes them.
        conda_packages: conda packages; with them, Python itself is conda's.
        conda_channels: where these come from (default: conda-forge).
        requirements: the path of a requirements file, relative to the working folder. Files that it includes by `-r`
            or `-c` come along.
        apt_packages: Debian packages.
        cuda: a version of CUDA such as "12.4.1": the base is then NVIDIA's image.
        cudnn: a version of cuDNN such as "9", beside `cuda`.
        base_image: a name of an image, or another spec, which is then built first. Default: the official Python
            image.
        platform: one platform or several, separated by commas (default: "linux/amd64").
        pip_index: the package index to use instead of pip's own.
        pip_extra_index_url: further package indexes.
        pip_secret_mounts: pairs (file here, path there) that exist while pip runs and are not in the image.
        pip_extra_args: further options of `pip install`, as for a shell.
        registry_config: a JSON file with credentials in the format of Docker's config.json (default: where Docker
            and Podman keep theirs).
        entrypoint: instead of the entrypoint of the base image; [] removes it. Tasks in Python don't use it.
        commands: shell commands to run, after all else.
        tag_format: the tag, with `{spec_hash}` for the content hash (default: that alone). Without `{spec_hash}`
            nothing tells whether an image is up to date, so it is built each time.
        source_copy_mode: which source files are copied to /root. Default: none, since the code travels with the
            manifests.
        copy: files and folders, relative to the working folder, to copy to the same place below /root.
        python_exec: the Python that pip installs for, by its path in the image.
        runtime_packages: packages to install in the pod, before the task starts; the image needs pip.
        builder_options: options of the builder's build command: {"no-cache": True, "build-arg": ["A=1", "B=2"]}.
        builder_config: {"micromamba_image": …}, the image that conda's Python is made in.

    Raises:
        ValueError: a field has the wrong type or form, or two fields contradict each other.
    """

    name: str
    python_version: str | None
    builder: str | None
    source_root: str | None
    env: dict[str, str] | None
    registry: str | None
    packages: list[str] | None
    conda_packages: list[str] | None
    conda_channels: list[str] | None
    requirements: str | None
    apt_packages: list[str] | None
    cuda: str | None
    cudnn: str | None
    base_image: str | ImageSpec | None
    platform: str
    pip_index: str | None
    pip_extra_index_url: list[str] | None
    pip_secret_mounts: list[tuple[str, str]] | None
    pip_extra_args: str | None
    registry_config: str | None
    entrypoint: list[str] | None
    commands: list[str] | None
    tag_format: str | None
    source_copy_mode: CopyFileDetection | None
    copy: list[str] | None
    python_exec: str | None
    runtime_packages: list[str] | None
    builder_options: dict[str, Any] | None
    builder_config: dict[str, Any] | None
    _is_force_push: bool
    _project: str | None

    def __init__(
        self,
        name: str = DEFAULT_NAME,
        python_version: str | None = None,
        builder: str | None = None,
        source_root: str | None = None,
        env: dict[str, str] | None = None,
        registry: str | None = None,
        packages: list[str] | None = None,
        conda_packages: list[str] | None = None,
        conda_channels: list[str] | None = None,
        requirements: str | None = None,
        apt_packages: list[str] | None = None,
        cuda: str | None = None,
        cudnn: str | None = None,
        base_image: str | ImageSpec | None = None,
        platform: str = DEFAULT_PLATFORM,
        pip_index: str | None = None,
        pip_extra_index_url: list[str] | None = None,
        pip_secret_mounts: list[tuple[str, str]] | None = None,
        pip_extra_args: str | None = None,
        registry_config: str | None = None,
        entrypoint: list[str] | None = None,
        commands: list[str] | None = None,
        tag_format: str | None = None,
        source_copy_mode: CopyFileDetection | None = None,
        copy: list[str] | None = None,
        python_exec: str | None = None,
        runtime_packages: list[str] | None = None,
        builder_options: dict[str, Any] | None = None,
        builder_config: dict[str, Any] | None = None,
    ) -> None:
        given = {**locals(), "name": name or DEFAULT_NAME, "platform": platform or DEFAULT_PLATFORM}
        values = {field: _checked(field, given[field]) for field in FIELDS}
        if values["source_root"] is not None and values["source_copy_mode"] is None:
            values["source_copy_mode"] = CopyFileDetection.LOADED_MODULES
        _check_together(values)
        self.__dict__.update(values, _is_force_push=False, _project=_project_of_the_caller(values))

    # -- what it is called ---------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The digest of the fields: 22 letters, digits and underscores. It is the same here and in a pod."""
        return digest(_identity(self))

    @property
    def tag(self) -> str:
        """The image's tag: `tag_format` with the content hash in it.

        Raises:
            FileNotFoundError: a file that the spec names is not there.
        """
        from windlass._image.context import content_hash  # noqa: PLC0415  reads files, which a pod never needs

        return (self.tag_format or DEFAULT_TAG_FORMAT).format(spec_hash=content_hash(self))

    def image_name(self) -> str:
        """The image's full name with its tag. It asks nobody: the same spec and files give the same name.

        >>> ImageSpec(base_image="python:3.12-slim", builder="noop").image_name()
        'python:3.12-slim'
        """
        if self.builder == "noop" and isinstance(self.base_image, str):
            return self.base_image
        name = f"{self.registry}/{self.name}:{self.tag}" if self.registry else f"{self.name}:{self.tag}"
        return RENAMED.get(name, name)

    def pod_environment(self) -> dict[str, str]:
        """The environment variables that a pod needs for what the image does not hold.

        >>> ImageSpec(packages=["pandas"]).with_runtime_packages(["polars>1"]).pod_environment()
        {'WINDLASS_RUNTIME_PACKAGES': "'polars>1'"}
        """
        found = {**(self.env or {}), ID_VARIABLE: self.id} if self.builder == "noop" else {}
        if self.runtime_packages:
            found[RUNTIME_PACKAGES_VARIABLE] = _quoted(self.runtime_packages)
            if self.pip_index:
                found["PIP_INDEX_URL"] = self.pip_index
            if self.pip_extra_index_url:
                found["PIP_EXTRA_INDEX_URL"] = " ".join(self.pip_extra_index_url)
        return found

    # -- where it is ---------------------------------------------------------------------------------------------

    def exist(self) -> bool | None:
        """Whether the image is in its registry, or on this machine if it has no registry. None: nobody can tell."""
        from windlass._image.builders import look  # noqa: PLC0415  asks a registry, which a pod never does

        return look(self).exists

    def is_container(self) -> bool:
        """Whether this code runs in this image. Always true on your own machine, so that imports can depend on it:

        if image.is_container():
            import torch
        """
        found = os.environ.get(ID_VARIABLE)
        if found is None and IN_A_POD not in os.environ:
            return True
        return found == self.id

    # -- other specs ---------------------------------------------------------------------------------------------

    @classmethod
    def from_env(cls, *, pinned_packages: list[str] | None = None, **kwargs: Any) -> ImageSpec:
        """A spec with the Python version of this environment, and packages in the versions that are installed here.

        >>> import pytest
        >>> ImageSpec.from_env(pinned_packages=["pytest"]).packages == [f"pytest=={pytest.__version__}"]
        True

        Args:
            pinned_packages: names of installed packages.
            **kwargs: other fields of the spec, but for `python_version`.

        Raises:
            ValueError: a package is not installed here, or `python_version` is given.
        """
        if kwargs.get("python_version") is not None:
            raise ValueError("from_env takes the Python version of this environment: leave python_version out")
        _check_list("pinned_packages", pinned_packages)
        kwargs["packages"] = [*(kwargs.get("packages") or ()), *map(_pinned, pinned_packages or ())]
        if kwargs.get("python_exec") is None:
            kwargs["python_version"] = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return cls(**kwargs)

    def with_packages(self, packages: str | list[str]) -> ImageSpec:
        """Another spec with further Python packages."""
        return self._extended("packages", packages)

    def with_apt_packages(self, apt_packages: str | list[str]) -> ImageSpec:
        """Another spec with further Debian packages."""
        return self._extended("apt_packages", apt_packages)

    def with_commands(self, commands: str | list[str]) -> ImageSpec:
        """Another spec that runs further commands."""
        return self._extended("commands", commands)

    def with_copy(self, src: str | list[str]) -> ImageSpec:
        """Another spec with further files and folders copied below /root."""
        return self._extended("copy", src)

    def with_runtime_packages(self, runtime_packages: list[str]) -> ImageSpec:
        """Another spec with packages to install in the pod, before the task starts. The image stays the same one."""
        return self._extended("runtime_packages", runtime_packages)

    def with_builder_options(self, builder_options: dict[str, Any]) -> ImageSpec:
        """Another spec with further options of the builder; one that is there already gets the new value."""
        _check_mapping("builder_options", builder_options)
        return self._changed(builder_options={**(self.builder_options or {}), **builder_options})

    def force_push(self) -> ImageSpec:
        """Another spec that is built and pushed even where the image exists."""
        changed = self._changed()
        changed.__dict__["_is_force_push"] = True
        return changed

    def _extended(self, field: str, more: str | list[str]) -> ImageSpec:
        if not isinstance(more, str):
            _check_list(field, more)
        return self._changed(**{field: [*(getattr(self, field) or ()), *([more] if isinstance(more, str) else more)]})

    def _changed(self, **changes: Any) -> ImageSpec:
        other = type(self)(**{**{field: getattr(self, field) for field in FIELDS}, **changes})
        other.__dict__.update(_is_force_push=self._is_force_push, _project=self._project)
        return other

    __replace__ = _changed  # copy.replace(spec, packages=[…])

    # -- as a value ----------------------------------------------------------------------------------------------

    def __setattr__(self, field: str, value: object) -> NoReturn:
        raise AttributeError(f"an ImageSpec can't be changed; make another one that differs in `{field}`")

    def __delattr__(self, field: str) -> NoReturn:
        self.__setattr__(field, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageSpec) and self._as_value() == other._as_value()

    def __hash__(self) -> int:
        return hash((self.name, self.registry, tuple(self.packages or ())))

    def __repr__(self) -> str:
        defaults = {"name": DEFAULT_NAME, "platform": DEFAULT_PLATFORM}
        given = ((field, getattr(self, field)) for field in FIELDS)
        return f"ImageSpec({', '.join(f'{f}={value!r}' for f, value in given if value != defaults.get(f))})"

    def _as_value(self) -> list[Any]:
        return [self._is_force_push, *(getattr(self, field) for field in FIELDS)]


def digest(value: Any) -> str:
    """22 letters, digits and underscores for a JSON value: a tag can hold them, and start with any of them."""
    import base64  # noqa: PLC0415  a module that makes a spec and never asks for its id does without these
    import hashlib  # noqa: PLC0415
    import json  # noqa: PLC0415

    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    short = hashlib.sha256(text.encode()).digest()[:16]
    return base64.urlsafe_b64encode(short).decode().rstrip("=").replace("-", "_")


def _quoted(requirements: Sequence[str]) -> str:
    """As one line of text, which `shlex.split` takes apart again."""
    import shlex  # noqa: PLC0415  for runtime packages alone

    return shlex.join(requirements)


def _identity(spec: ImageSpec) -> dict[str, Any]:
    """The fields that were given, as JSON."""
    found: dict[str, Any] = {}
    for field in FIELDS:
        value = getattr(spec, field)
        if value is None or field in _NO_PART_OF_THE_IMAGE:
            continue
        if isinstance(value, ImageSpec):
            value = _identity(value)
        elif isinstance(value, enum.Enum):
            value = value.name
        elif field in _PATHS:
            value = _portable(value, spec._project)
        found[field] = value
    return found


def _portable(path: str, project: str | None) -> str:
    """A path as the pod would spell it: from the project's root, which is elsewhere there."""
    return path if project is None or not os.path.isabs(path) else os.path.relpath(path, project)  # noqa: PTH117  light


def _project_of_the_caller(values: Mapping[str, Any]) -> str | None:
    """The root of the project whose code makes the spec. Only where a path is absolute does it matter."""
    if not any(os.path.isabs(values[field] or "") for field in _PATHS):  # noqa: PTH117  pathlib is not loaded in pods
        return None
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return locate(frame.f_code.co_filename)[0]


def _pinned(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  for from_env alone

    try:
        return f"{package}=={version(package)}"
    except PackageNotFoundError:
        if (
            IN_A_POD in os.environ
        ):  # another image than this one, which is_container() will say; its module must load nevertheless
            return package
        raise ValueError(f"pinned_packages: {package!r} is not installed here, so it has no version to pin") from None


# -- checks ------------------------------------------------------------------------------------------------------------


def _checked(field: str, value: Any) -> Any:
    """A field's value, or a ValueError that names the field."""
    if field in _LISTS:
        _check_list(field, value)
        value = None if value is None else list(value)
    elif field in _TEXTS and value is not None:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str) or not value or _NOT_IN_A_LINE.search(value):
            _refuse(field, value, "a text of one line, or None")
    check = _CHECKS.get(field)
    return value if value is None or check is None else check(field, value)


def _check_list(field: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        _refuse(field, value, "a list of strings, or None")
    if field not in _MAY_HAVE_LINES and any(map(_NOT_IN_A_LINE.search, value)):
        _refuse(field, value, "a list of strings of one line each")


def _check_mapping(field: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        _refuse(field, value, "a dict whose keys are strings")
    return dict(value)


def _check_name(field: str, value: Any) -> str:
    if not isinstance(value, str) or not _NAME.match(value.lower()):
        _refuse(field, value, "an image's name: letters and digits, with single . _ - or / between them")
    return value.lower()


def _check_registry(field: str, value: str) -> str:
    value = value.rstrip("/")
    if not _REGISTRY.match(value):
        raise ValueError(
            f"Invalid container registry name: {value!r}. Write a host, with port and path if it has them:"
            " 'localhost:5000', 'registry.example/team'"
        )
    return value


def _check_env(field: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        _refuse(field, value, "a dict of texts")
    for name, text in value.items():
        if not isinstance(name, str) or not _VARIABLE.match(name):
            raise ValueError(f"ImageSpec(env=…): {name!r} is no name of an environment variable")
        if not isinstance(text, str) or _NOT_IN_A_LINE.search(text):
            raise ValueError(f"ImageSpec(env=…): {name} takes one line of text, not {text!r}")
    return dict(value)


def _check_base_image(field: str, value: Any) -> Any:
    if not isinstance(value, ImageSpec) and not (isinstance(value, str) and _WORD.match(value)):
        _refuse(field, value, "the name of an image, or an ImageSpec")
    return value


def _check_platform(field: str, value: Any) -> str:
    if not isinstance(value, str) or not all(_PLATFORM.match(one) for one in value.split(",")):
        _refuse(field, value, "a platform such as 'linux/amd64', or several separated by commas")
    return value


def _check_python_version(field: str, value: str) -> str:
    if not _PYTHON_VERSION.match(value):
        _refuse(field, value, "a version such as '3.12' or '3.12.4'")
    return value


def _check_version(field: str, value: str) -> str:
    if not _VERSION.match(value):
        _refuse(field, value, "a version such as '12.4.1'")
    return value


def _check_extra_args(field: str, value: str) -> str:
    import shlex  # noqa: PLC0415  few specs have them

    try:
        shlex.split(value)
    except ValueError as error:
        raise ValueError(f"ImageSpec({field}={value!r}) is no list of words as a shell has them: {error}") from None
    return value


def _check_requirements(field: str, value: str) -> str:
    way_out = _LOCKS_OF_OTHER_TOOLS.get(os.path.basename(value))  # noqa: PTH119  pathlib is not loaded in pods
    if way_out:
        raise ValueError(
            f"ImageSpec(requirements={value!r}): pip installs the packages, and this is no requirements file;"
            f" make one: {way_out}"
        )
    return value


def _check_secret_mounts(field: str, value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, list | tuple) or not all(_is_pair(pair) for pair in value):
        _refuse(field, value, "a list of pairs of strings (file here, path in the image without blanks)")
    return [(source, target) for source, target in value]


def _is_pair(value: Any) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    source, target = value
    return isinstance(source, str) and isinstance(target, str) and _WORD.match(target) is not None


def _check_copy(field: str, value: list[str]) -> list[str]:
    for path in value:
        if os.path.isabs(path) or ".." in path.replace("\\", "/").split("/"):  # noqa: PTH117  pathlib is not loaded in pods
            raise ValueError(
                f"ImageSpec(copy=…): {path!r} leads out of the working folder; absolute paths and '..' have no place"
                " below /root"
            )
    return value


def _check_copy_mode(field: str, value: Any) -> CopyFileDetection:
    if not isinstance(value, CopyFileDetection):
        _refuse(field, value, "a CopyFileDetection, such as CopyFileDetection.ALL")
    return value


def _check_tag_format(field: str, value: str) -> str:
    try:
        tag = value.format(spec_hash="x" * 22)
    except (LookupError, ValueError):
        tag = ""
    if not _TAG.match(tag):
        _refuse(field, value, "a tag with {spec_hash} in it, such as '{spec_hash}-dev'")
    return value


def _check_builder_config(field: str, value: Any) -> dict[str, Any]:
    config = _check_mapping(field, value)
    for key, image in config.items():
        if key != "micromamba_image" or not isinstance(image, str) or not _WORD.match(image):
            raise ValueError(
                f"ImageSpec(builder_config=…): {key!r}: {image!r} means nothing here; it takes"
                " {'micromamba_image': 'the name of an image'} (packages are installed by the image's own pip)"
            )
    return config


_CHECKS = {
    "name": _check_name,
    "python_version": _check_python_version,
    "env": _check_env,
    "cuda": _check_version,
    "cudnn": _check_version,
    "pip_extra_args": _check_extra_args,
    "registry": _check_registry,
    "requirements": _check_requirements,
    "base_image": _check_base_image,
    "platform": _check_platform,
    "pip_secret_mounts": _check_secret_mounts,
    "tag_format": _check_tag_format,
    "source_copy_mode": _check_copy_mode,
    "copy": _check_copy,
    "builder_options": _check_mapping,
    "builder_config": _check_builder_config,
}


def _check_together(values: Mapping[str, Any]) -> None:
    """What one field alone can't tell."""
    given = {field for field, value in values.items() if value is not None}
    if "cudnn" in given and "cuda" not in given:
        raise ValueError("ImageSpec(cudnn=…) needs cuda=…, the version of CUDA that it belongs to")
    if "cuda" in given and "base_image" in given:
        raise ValueError("ImageSpec(cuda=…) takes NVIDIA's image as its base: leave base_image out, or cuda")
    if "conda_channels" in given and "conda_packages" not in given:
        raise ValueError("ImageSpec(conda_channels=…) says where conda_packages come from, and there are none")
    for field in ("conda_packages", "python_version" if "base_image" in given else "", "cuda"):
        if "python_exec" in given and field in given:
            raise ValueError(
                f"ImageSpec(python_exec=…) takes the Python that the base image has, and {field}=… would bring another"
                " one: leave one of them out"
            )
    if values["builder"] == "noop":
        _check_noop(values, given)


def _check_noop(values: Mapping[str, Any], given: set[str]) -> None:
    if not isinstance(values["base_image"], str):
        raise ValueError("ImageSpec(builder='noop') uses base_image as it is: it has to be the name of an image")
    for field in _NEED_BUILDING:
        if field in given and values[field] not in ([], CopyFileDetection.NO_COPY):
            raise ValueError(
                f"ImageSpec(builder='noop') builds nothing, so {field}=… can't have an effect: leave it or the builder"
                " out (runtime_packages are installed in the pod)"
            )


def _refuse(field: str, value: Any, wanted: str) -> NoReturn:
    raise ValueError(f"ImageSpec({field}=…) must be {wanted}, not {value!r}")
