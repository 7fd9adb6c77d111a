"""A spec → the Containerfile that a builder gets. Text in, text out: no file is read, nobody is asked.

    FROM micromamba AS python      only where Python is conda's: /opt/windlass/python is made here, …
    FROM base
    RUN apt-get                    apt_packages
    COPY --from=python             … and copied
    ENV                            env: what follows sees it
    RUN pip install                requirements, packages
    COPY                           copy, source files
    RUN                            commands
    ENTRYPOINT, ENV                entrypoint; the id of the spec

Whoever the base image's user is, the steps run as root, and the image's own user is nobody (65532), as in the pods.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Iterator

from windlass._image.context import COPIES, REQUIREMENTS, SOURCES
from windlass._image.spec import ID_VARIABLE, ImageSpec

HOME = "/root"
CONDA_PREFIX = "/opt/windlass/python"
MICROMAMBA = "docker.io/mambaorg/micromamba:2.0.5"
NOBODY = "65532:65532"

_HEAD = "# Made by Windlass from an ImageSpec; change that, and build again."
_APT = "DEBIAN_FRONTEND=noninteractive apt-get"
_PIP = "PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_BREAK_SYSTEM_PACKAGES=1"
_NEWEST_WITH_NUMBERED_CUDNN = (12, 3)  # NVIDIA's tags up to this version of CUDA name the version of cuDNN


def containerfile(spec: ImageSpec, places: Iterable[str], base: str | None = None) -> str:
    """The text of the Containerfile.

    Args:
        spec: what the image holds.
        places: the files of the build context, as `context.gather` lists them.
        base: the name of the base image; None means what the spec says.
    """
    places = list(places)
    steps = [*_as_root(spec, places)]
    lines = [_HEAD, *_conda_stage(spec, base), f"FROM {base or base_image(spec)}"]
    if steps:
        lines += ["USER root", *steps, f"USER {NOBODY}"]
    return "\n".join([*lines, *_settings(spec, places)]) + "\n"


def base_image(spec: ImageSpec) -> str:
    """The name of the image that the spec starts from."""
    if isinstance(spec.base_image, ImageSpec):
        return spec.base_image.image_name()
    if spec.base_image is not None:
        return spec.base_image
    if spec.cuda is not None:
        return f"docker.io/nvidia/cuda:{spec.cuda}{_cudnn(spec)}-runtime-ubuntu22.04"
    return f"docker.io/library/python:{spec.python_version or _this_python()}-slim"


def pulled_images(spec: ImageSpec, base: str | None = None) -> list[str]:
    """Every image that building this one starts from."""
    conda = [_micromamba(spec)] if _conda_python(spec) else []
    return [*conda, base or base_image(spec)]


def secrets(spec: ImageSpec) -> list[tuple[str, str]]:
    """What a builder has to provide while pip runs: (id of the secret, file here)."""
    return [(f"windlass-{number}", source) for number, (source, _) in enumerate(spec.pip_secret_mounts or ())]


# -- the steps, each true alone ----------------------------------------------------------------------------------------


def _as_root(spec: ImageSpec, places: list[str]) -> Iterator[str]:
    yield from _apt_install(spec)
    if _conda_python(spec):
        yield f"COPY --from=python {CONDA_PREFIX} {CONDA_PREFIX}"
        yield f"ENV PATH={CONDA_PREFIX}/bin:$PATH"
    yield from _environment(spec)
    yield from _pip_install(spec, places)
    yield from _copies(places)
    yield from (_run(command) for command in spec.commands or () if command.strip())


def _apt_install(spec: ImageSpec) -> Iterator[str]:
    if spec.apt_packages:
        packages = shlex.join(spec.apt_packages)
        yield (
            f"RUN {_APT} update && {_APT} install -y --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*"
        )


def _environment(spec: ImageSpec) -> Iterator[str]:
    yield from (f"ENV {name}={_env_text(value)}" for name, value in (spec.env or {}).items())


def _pip_install(spec: ImageSpec, places: list[str]) -> Iterator[str]:
    wanted = [shlex.quote(package) for package in spec.packages or ()]
    if REQUIREMENTS in places:
        yield "COPY requirements/ /opt/windlass/requirements/"
        wanted.insert(0, f"--requirement /opt/windlass/{REQUIREMENTS}")
    if not wanted:
        return
    mounts = "".join(
        f"--mount=type=secret,id={identity},target={target},required=true "
        for (identity, _), (_, target) in zip(secrets(spec), spec.pip_secret_mounts or (), strict=True)
    )
    python = shlex.quote(spec.python_exec or "python3")
    options = shlex.join(["--no-cache-dir", *index_options(spec), *shlex.split(spec.pip_extra_args or "")])
    yield f"RUN {mounts}{_PIP} {python} -m pip install {options} {' '.join(wanted)}"


def index_options(spec: ImageSpec) -> list[str]:
    """The options that tell pip where packages come from."""
    index = ["--index-url", spec.pip_index] if spec.pip_index else []
    return index + [word for url in spec.pip_extra_index_url or () for word in ("--extra-index-url", url)]


def _copies(places: list[str]) -> Iterator[str]:
    """/root is closed to others in most images, and tasks don't run as root."""
    found = [folder for folder in (COPIES, SOURCES) if any(place.startswith(f"{folder}/") for place in places)]
    if found:
        yield f"RUN mkdir -p {HOME} && chmod 0755 {HOME}"
    yield from (f"COPY {folder}/ {HOME}/" for folder in found)
    if found:
        yield f"WORKDIR {HOME}"
    if SOURCES in found:
        yield f"ENV PYTHONPATH={HOME}"


def _run(command: str) -> str:
    """A command as the shell gets it. Lines of their own would be instructions, so several go as a JSON text."""
    text = command.strip()
    if "\n" not in text and not text.endswith("\\"):
        return f"RUN {text}"
    return f"RUN {json.dumps(['/bin/sh', '-c', text])}"


def _settings(spec: ImageSpec, places: list[str]) -> Iterator[str]:
    if spec.entrypoint is not None:
        yield f"ENTRYPOINT {json.dumps(spec.entrypoint)}"
    yield f"ENV {ID_VARIABLE}={spec.id}"


def _env_text(value: str) -> str:
    """A value in quotes, where `$NAME` and `\\$` mean what they mean in a Containerfile and all else itself."""
    escaped = "".join(
        "\\\\" if letter == "\\" and value[position + 1 : position + 2] != "$" else letter
        for position, letter in enumerate(value)
    )
    return '"' + escaped.replace('"', '\\"') + '"'


# -- conda's Python ----------------------------------------------------------------------------------------------------


def _conda_python(spec: ImageSpec) -> str | None:
    """The version of Python that conda has to bring: conda packages need it, and images that have another or none."""
    if spec.python_exec is not None:
        return None
    has = python_of(spec.base_image) if isinstance(spec.base_image, ImageSpec) else None
    wanted = spec.python_version or has or _this_python()
    if spec.conda_packages or spec.cuda is not None:
        return wanted
    brings_another = spec.base_image is not None and spec.python_version not in (None, has)
    return wanted if brings_another else None


def python_of(spec: ImageSpec) -> str | None:
    """The version of Python in the image, if the spec decides it."""
    if spec.python_version is not None:
        return spec.python_version
    if isinstance(spec.base_image, ImageSpec):
        return python_of(spec.base_image)
    return _this_python() if spec.base_image is None or spec.conda_packages else None


def _has_conda(spec: str | ImageSpec | None) -> bool:
    return isinstance(spec, ImageSpec) and (_conda_python(spec) is not None or _has_conda(spec.base_image))


def _conda_stage(spec: ImageSpec, base: str | None) -> Iterator[str]:
    """A stage that makes the environment at the place where it will be, or adds to the one of the base image."""
    version = _conda_python(spec)
    if version is None:
        return
    _refuse_two_pythons(spec)
    yield f"FROM {_micromamba(spec)} AS python"
    yield "USER root"
    command = "create"
    if _has_conda(spec.base_image):
        yield f"COPY --from={base or base_image(spec)} {CONDA_PREFIX} {CONDA_PREFIX}"
        command = "install"
    channels = [word for channel in spec.conda_channels or ["conda-forge"] for word in ("--channel", channel)]
    words = [command, "--yes", "--prefix", CONDA_PREFIX, *channels, f"python={version}", "pip"]
    driver = f"CONDA_OVERRIDE_CUDA={spec.cuda} " if spec.cuda else ""
    yield f"RUN {driver}micromamba {shlex.join([*words, *(spec.conda_packages or ())])}"


def _refuse_two_pythons(spec: ImageSpec) -> None:
    """Packages that the base spec installed for its own Python would be there, and could not be imported."""
    base = spec.base_image
    while isinstance(base, ImageSpec) and not _has_conda(base):
        if base.packages or base.requirements:
            raise ValueError(
                f"the packages of the base image {base.name!r} are installed for its own Python, and this spec brings"
                " conda's: give the base conda_packages too (pip is enough), or this one its packages"
            )
        base = base.base_image


def _micromamba(spec: ImageSpec) -> str:
    return str((spec.builder_config or {}).get("micromamba_image", MICROMAMBA))


def _cudnn(spec: ImageSpec) -> str:
    if spec.cudnn is None:
        return ""
    version = tuple(int(part) for part in (spec.cuda or "").split(".")[:2] if part.isdigit())
    if version <= _NEWEST_WITH_NUMBERED_CUDNN:
        return f"-cudnn{spec.cudnn}"
    if spec.cudnn.partition(".")[0] != "9":
        raise ValueError(f"NVIDIA's images of CUDA {spec.cuda} have cuDNN 9 and no other: write cudnn='9'")
    return "-cudnn"


def _this_python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
