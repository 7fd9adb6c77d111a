"""Building images: which program does it, whether it is needed, and users' own builders.

    build(spec)
      └ its base first, if that is a spec too
      └ builder_of(spec)        named by the spec; else the user's own; else docker, podman or buildah: who is there
           └ should_build       not if it exists, unless force_push() or WINDLASS_FORCE_PUSH_IMAGE_SPEC
           └ build_image        Containerfile and context into a temporary folder, build, push

The three programs take nearly the same words, so each is a row of `PROGRAMS`. A builder of a user's is a subclass of
`ImageSpecBuilder`, registered by `ImageBuildEngine.register(name, builder)`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from windlass._exceptions import FlyteAssertion
from windlass._image import registry
from windlass._image.containerfile import base_image, containerfile, pulled_images, secrets
from windlass._image.context import gather, write
from windlass._image.registry import Answer
from windlass._image.spec import DEFAULT_TAG_FORMAT, RENAMED, ImageSpec

FORCE_PUSH_VARIABLES = ("WINDLASS_FORCE_PUSH_IMAGE_SPEC", "FLYTE_FORCE_PUSH_IMAGE_SPEC")
FAST_FAIL_VARIABLES = ("WINDLASS_IMG_FAST_FAIL", "FLYTE_IMG_FAST_FAIL")

DEFAULT = "default"
ELSEWHERE = {
    "envd": "envd is not used by Windlass",
    "union": "there is no Union service to build it",
}
"""Names of builders in other products: the spec says what the image holds, so any builder will do."""

_ASK_SECONDS = 30
_PLAIN_HTTP = ("--tls-verify=false",)


class ImageBuildError(FlyteAssertion):
    """An image can't be built."""

    def __str__(self) -> str:
        return str(self.args[0])


class Verdict(NamedTuple):
    """Whether an image has to be built, and why (not)."""

    needed: bool
    why: str


class ImageSpecBuilder(ABC):
    """Builds images of specs. Subclass it, and register an instance by `ImageBuildEngine.register`."""

    @abstractmethod
    def build_image(self, image_spec: ImageSpec) -> str | None:
        """Builds the image, and pushes it if the spec has a registry.

        Returns:
            The name under which it can be had, if that is not `image_spec.image_name()`; from then on it is.
        """

    def should_build(self, image_spec: ImageSpec) -> bool:
        """Whether the image has to be built: by default where it is missing, or building is forced.

        Raises:
            RuntimeError: nobody can tell whether it exists, and WINDLASS_IMG_FAST_FAIL is set.
        """
        return judged(image_spec).needed


def judged(spec: ImageSpec, program: Program | None = None) -> Verdict:
    """Whether an image has to be built, and why. `program` is asked for what has no registry."""
    if spec._is_force_push:
        return Verdict(True, "that is forced")
    if _is_set(FORCE_PUSH_VARIABLES):
        return Verdict(True, f"{FORCE_PUSH_VARIABLES[0]} is set")
    if "{spec_hash}" not in (spec.tag_format or DEFAULT_TAG_FORMAT):
        return Verdict(True, "its tag has no {spec_hash}, so nothing tells whether it is up to date")
    answer = look(spec, program)
    if answer.exists is None and _is_set(FAST_FAIL_VARIABLES):
        raise RuntimeError(f"nobody can tell whether {spec.image_name()} exists: {answer.reason}")
    if answer.exists is None:
        return Verdict(False, f"taken to exist, since nobody can tell: {answer.reason}")
    return Verdict(False, "it exists") if answer.exists else Verdict(True, "it does not exist")


def look(spec: ImageSpec, program: Program | None = None) -> Answer:
    """Whether the image is in its registry; of one without a registry, whether `program` has it on this machine."""
    name = spec.image_name()
    if spec.registry is not None or spec.builder == "noop":
        return registry.look_up(name, spec.registry_config)
    named = {one.name: one for one in PROGRAMS}
    asked = program or named.get(spec.builder or "") or next((one for one in PROGRAMS if one.is_there()), None)
    if asked is None or not asked.is_there():
        return Answer(None, "it has no registry, and no program that builds images is here to be asked")
    return Answer(asked.has(name))


# -- the programs ------------------------------------------------------------------------------------------------------


class Program(ImageSpecBuilder):
    """A builder that is a program of this machine."""

    name: ClassVar[str]
    asks: ClassVar[tuple[str, ...]]
    """The words that succeed where the program can build."""

    has_image: ClassVar[tuple[str, ...]]
    """The words that succeed where it has an image, whose name follows them."""

    def is_there(self) -> bool:
        """Whether the program is here and answers: `docker` alone is a client without an engine."""
        return shutil.which(self.name) is not None and self._succeeds(self.asks)

    def has(self, image: str) -> bool:
        """Whether it has the image on this machine."""
        return self._succeeds((*self.has_image, image))

    def build_image(self, image_spec: ImageSpec) -> None:
        """Builds, and pushes if the spec has a registry."""
        if not self.is_there():
            raise ImageBuildError(f"{self.name} is not here, or its engine does not answer: {_ways_out()}")
        files = gather(image_spec)
        with tempfile.TemporaryDirectory(prefix="windlass-image-") as place:
            folder = Path(place)
            context = folder / "context"
            context.mkdir()
            write(files, context)
            text = folder / "Containerfile"
            text.write_text(containerfile(image_spec, files), encoding="utf-8")
            for words, environment in self.commands(image_spec, text, context):
                self._run(words, environment)

    @abstractmethod
    def commands(self, spec: ImageSpec, text: Path, context: Path) -> Iterator[tuple[Sequence[str], Mapping[str, str]]]:
        """The words for each call of the program, in their order, and environment variables for it."""

    def _succeeds(self, words: Sequence[str]) -> bool:
        try:
            done = subprocess.run(  # noqa: S603  no shell, and the words are ours
                [self.name, *words], capture_output=True, check=False, timeout=_ASK_SECONDS, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def _run(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Runs the program; what it prints goes where our own messages go."""
        done = subprocess.run(  # noqa: S603  no shell; the words are ours and the spec's own options
            [self.name, *words], env={**os.environ, **environment}, check=False, stdin=subprocess.DEVNULL, stdout=2
        )
        if done.returncode:
            raise ImageBuildError(
                f"`{' '.join([self.name, *words[:2]])} …` ended with {done.returncode}; what it printed is above"
            )


class Docker(Program):
    """`docker buildx`, which needs Docker's engine."""

    name = "docker"
    asks = ("buildx", "ls")
    has_image = ("image", "inspect")

    def is_there(self) -> bool:
        """Whether the client is here with buildx, and the engine answers."""
        return super().is_there() and self._succeeds(("version", "--format", "{{.Server.Version}}"))

    def commands(self, spec: ImageSpec, text: Path, context: Path) -> Iterator[tuple[Sequence[str], Mapping[str, str]]]:
        """One call does it all."""
        environment = {}
        if spec.registry_config is not None:
            environment["DOCKER_CONFIG"] = str(_docker_config(_registry_config(spec), text.parent / "docker"))
        target = "--push" if spec.registry else "--load"
        words = ["buildx", "build", "--platform", spec.platform, "--tag", spec.image_name(), target]
        yield [*words, *_common(spec), "--file", str(text), str(context)], environment


class Containers(Program):
    """What `podman` and `buildah` have in common, which is nearly everything."""

    def commands(self, spec: ImageSpec, text: Path, context: Path) -> Iterator[tuple[Sequence[str], Mapping[str, str]]]:
        """Pulls, builds, pushes. What comes from a registry of this machine is pulled first: it alone may come by
        plain HTTP, which an option of the build itself would allow for all.
        """
        name = spec.image_name()
        several = "," in spec.platform
        credentials = [] if spec.registry_config is None else ["--authfile", str(_registry_config(spec))]
        local = [image for image in pulled_images(spec) if registry.is_loopback(registry.parse(image).host)]
        for image in () if several else local:
            yield ["pull", *_PLAIN_HTTP, "--platform", spec.platform, *credentials, image], {}
        if several and self._succeeds(("manifest", "exists", name)):  # the new images would be added to the old
            yield ["manifest", "rm", name], {}
        plain = _PLAIN_HTTP if several and len(local) == len(pulled_images(spec)) else ()
        tag = "--manifest" if several else "--tag"
        words = ["build", "--layers", "--force-rm", *plain, "--platform", spec.platform, tag, name, *credentials]
        yield [*words, *_common(spec), "--file", str(text), str(context)], {}
        if spec.registry:
            push = ["manifest", "push", "--all"] if several else ["push"]
            plain = _PLAIN_HTTP if registry.is_loopback(spec.registry.partition("/")[0]) else ()
            yield [*push, *plain, *credentials, name, f"docker://{name}"], {}


class Podman(Containers):
    """`podman`, which needs no engine on Linux."""

    name = "podman"
    asks = ("info",)
    has_image = ("image", "exists")


class Buildah(Containers):
    """`buildah`, which needs no engine."""

    name = "buildah"
    asks = ("info",)
    has_image = ("inspect", "--type", "image")


PROGRAMS: tuple[Program, ...] = (Docker(), Podman(), Buildah())
"""In the order in which they are looked for."""


def _docker_config(credentials: Path, folder: Path) -> Path:
    """Docker takes a folder of configuration rather than a file: the user's own, but with these credentials."""
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    folder.mkdir(mode=0o700)
    for entry in own.iterdir() if own.is_dir() else ():
        if entry.name != "config.json":
            (folder / entry.name).symlink_to(entry.absolute())
    kept = json.loads((own / "config.json").read_text()) if (own / "config.json").is_file() else {}
    (folder / "config.json").write_text(json.dumps({**kept, **json.loads(credentials.read_text())}))
    return folder


def _common(spec: ImageSpec) -> Iterator[str]:
    """What all three take: secrets, and the spec's own options."""
    for identity, source in secrets(spec):
        if not Path(source).is_file():
            raise FileNotFoundError(f"ImageSpec(pip_secret_mounts=…): there is no file {source}")
        yield from ("--secret", f"id={identity},src={Path(source).absolute()}")
    for option, value in (spec.builder_options or {}).items():
        yield from _option(option, value)


def _option(option: str, value: Any) -> Iterator[str]:
    flag = f"--{option.lstrip('-').replace('_', '-')}"
    for one in value if isinstance(value, list | tuple) else [value]:
        if one is None or isinstance(one, dict):
            raise ValueError(f"ImageSpec(builder_options=…): {option!r} takes a text, a number, a bool or a list")
        if one is True:
            yield flag
        else:
            yield f"{flag}={'false' if one is False else one}"


def _registry_config(spec: ImageSpec) -> Path:
    path = Path(spec.registry_config or "").absolute()
    if not path.is_file():
        raise FileNotFoundError(f"ImageSpec(registry_config=…): there is no file {path}")
    return path


class Noop(ImageSpecBuilder):
    """Builds nothing: the image is the spec's base."""

    def build_image(self, image_spec: ImageSpec) -> str:
        """The base image's name."""
        return base_image(image_spec)

    def should_build(self, image_spec: ImageSpec) -> bool:
        """Never."""
        return False


# -- choosing ----------------------------------------------------------------------------------------------------------


class ImageBuildEngine:
    """Builds specs by the builder that each names, and knows the builders that users registered."""

    _REGISTRY: ClassVar[dict[str, tuple[ImageSpecBuilder, int]]] = {}

    @classmethod
    def register(cls, builder_type: str, image_spec_builder: ImageSpecBuilder, priority: int = 5) -> None:
        """Adds a builder, or replaces the one of that name.

        Args:
            builder_type: its name, for `ImageSpec(builder=…)`.
            image_spec_builder: the builder.
            priority: of those that users registered, the one with the highest builds what names no builder.
        """
        if not isinstance(builder_type, str) or not builder_type:
            raise TypeError(f"the name of a builder is a text, not {builder_type!r}")
        if not isinstance(image_spec_builder, ImageSpecBuilder):
            raise TypeError(f"a builder is an instance of a subclass of ImageSpecBuilder, not {image_spec_builder!r}")
        cls._REGISTRY[builder_type] = (image_spec_builder, priority)

    @classmethod
    def build(cls, image_spec: ImageSpec) -> str:
        """Builds the image if it has to be; its name."""
        return build(image_spec)


def build(spec: ImageSpec, *, builder: str | None = None, report: Callable[[str, Verdict], None] | None = None) -> str:
    """Builds the image of a spec, and before it those of the specs that it is based on, where they have to be.

    Args:
        spec: what to build.
        builder: the name of a builder for specs that name none.
        report: called with the name of each image and what will be done, before it is.

    Returns:
        The image's name.

    Raises:
        ImageBuildError: there is nothing to build with, or building failed.
        RuntimeError: nobody can tell whether the image exists, and WINDLASS_IMG_FAST_FAIL is set.
    """
    if isinstance(spec.base_image, ImageSpec):
        build(spec.base_image, builder=builder, report=report)
    name = spec.image_name()
    chosen = builder_of(spec, builder)
    verdict = _verdict(chosen, spec)
    if report is not None:
        report(name, verdict)
    real = chosen.build_image(spec) if verdict.needed else None
    if real is not None and real != name:
        RENAMED[name] = real
    return spec.image_name()


def _verdict(builder: ImageSpecBuilder, spec: ImageSpec) -> Verdict:
    """As the builder decides; why, where it decides as they all do."""
    if isinstance(builder, Noop):
        return Verdict(False, "nothing is built by builder='noop'")
    if type(builder).should_build is ImageSpecBuilder.should_build:
        return judged(spec, builder if isinstance(builder, Program) else None)
    needed = builder.should_build(spec)
    return Verdict(needed, f"its builder says that it {'has to' if needed else 'need not'} be built")


def builder_of(spec: ImageSpec, default: str | None = None) -> ImageSpecBuilder:
    """Who builds a spec.

    Raises:
        ImageBuildError: nobody has that name, or nobody is there.
    """
    wanted = spec.builder or default or DEFAULT
    if wanted in ImageBuildEngine._REGISTRY:
        return ImageBuildEngine._REGISTRY[wanted][0]
    if wanted == "noop":
        return Noop()
    named = {program.name: program for program in PROGRAMS}
    if wanted in named:
        return named[wanted]
    if wanted != DEFAULT and wanted not in ELSEWHERE:
        known = [*ImageBuildEngine._REGISTRY, *named, "noop"]
        raise ImageBuildError(f"ImageSpec(builder={wanted!r}): there is no such builder, only {', '.join(known)}")
    if wanted in ELSEWHERE:
        warnings.warn(
            f"builder={wanted!r}: {ELSEWHERE[wanted]}; the image is built by what is here", UserWarning, stacklevel=2
        )
    return _whoever_is_there()


def _whoever_is_there() -> ImageSpecBuilder:
    registered = ImageBuildEngine._REGISTRY.values()
    if registered:
        return max(registered, key=lambda entry: entry[1])[0]
    found = next((program for program in PROGRAMS if program.is_there()), None)
    if found is None:
        raise ImageBuildError(f"nothing here can build an image: {_ways_out()}")
    return found


def _ways_out() -> str:
    return (
        "install and start one of docker (with buildx), podman or buildah; or register a builder of your own by"
        " ImageBuildEngine.register; or build the image elsewhere and name it by its text (`windlass build FILE"
        " --print` shows its Containerfile)"
    )


def _is_set(variables: Sequence[str]) -> bool:
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in variables)
