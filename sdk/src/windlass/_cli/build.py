"""`windlass build FILE [NAME…]`: builds the images that a file describes by `ImageSpec`, where they are missing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from windlass import _project
from windlass._image.names import specs_of
from windlass._image.spec import ImageSpec
from windlass._modules import shown
from windlass_api.findings import did_you_mean

if TYPE_CHECKING:
    from windlass._image.builders import Verdict

NAME = "build"
HELP = "build the images of a Python file that are not there yet"


class ImagesError(Exception):
    """An image that a run in a cluster needs can't be had."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Builds the image of each ImageSpec that FILE defines or that its tasks use, and pushes it if the spec has a"
        " registry. An image that exists is left alone: its tag is a hash of its content. Prints the images' names."
    )
    parser.add_argument("file", metavar="FILE", help="the Python file")
    parser.add_argument("names", metavar="NAME", nargs="*", help="only the ImageSpecs of these names in FILE")
    parser.add_argument(
        "--builder",
        metavar="BUILDER",
        help="docker, podman, buildah or one that FILE registers, for specs that name none (default: who is there)",
    )
    parser.add_argument("--force", action="store_true", help="build and push also what exists")
    parser.add_argument("--print", action="store_true", help="print the Containerfiles, and build nothing")


def run(arguments: argparse.Namespace) -> int:
    """Builds."""
    from windlass._image.builders import ImageBuildError, build  # noqa: PLC0415  30 ms, which other commands don't need

    module = _project.load(arguments.file)
    try:
        chosen = _chosen(module, arguments.names)
        if arguments.print:
            print("\n".join(text for spec in chosen for text in _texts(spec)), end="")
            return 0
        for spec in chosen:
            wanted = spec.force_push() if arguments.force else spec
            print(build(wanted, builder=arguments.builder, report=_tell), flush=True)
    except (ImageBuildError, ValueError, RuntimeError) as error:
        print(f"windlass: {error}", file=sys.stderr)
        return 1
    return 0


def build_all(specs: Iterable[ImageSpec]) -> None:
    """Builds what a cluster needs and is missing, and says so. Raises ImagesError where that fails."""
    specs = list(dict.fromkeys(specs))
    if not specs:
        return
    from windlass._image.builders import ImageBuildError, build  # noqa: PLC0415  as above

    for spec in specs:
        name = spec.image_name()
        try:
            build(spec, report=_tell)
        except (ImageBuildError, ValueError, RuntimeError, OSError) as error:
            raise ImagesError(f"the image {name} can't be had: {error}\nNothing was sent to the cluster.") from error
        if spec.registry is None and spec.builder != "noop":
            _tell_that_it_stays_here(name)


def _tell_that_it_stays_here(name: str) -> None:
    """A cluster elsewhere would wait for it in vain, and can't say why."""
    print(
        f"{name} has no registry, so it stays on this machine: pods can run it only where the cluster takes images"
        " from here. Otherwise say ImageSpec(registry=…).",
        file=sys.stderr,
        flush=True,
    )


def _tell(name: str, verdict: Verdict) -> None:
    print(f"{'building' if verdict.needed else 'not building'} {name}: {verdict.why}", file=sys.stderr, flush=True)


def _texts(spec: ImageSpec) -> Iterator[str]:
    """The Containerfiles of a spec and of those it is based on, each under its image's name and the files it needs."""
    from windlass._image.containerfile import containerfile  # noqa: PLC0415  as above
    from windlass._image.context import gather  # noqa: PLC0415

    if isinstance(spec.base_image, ImageSpec):
        yield from _texts(spec.base_image)
    files = gather(spec)
    beside = "".join(f"# with {place}\n" for place in files)
    yield f"# {spec.image_name()}\n{beside}{containerfile(spec, files)}"


def _chosen(module: ModuleType, names: list[str]) -> list[ImageSpec]:
    there = {name: value for name, value in vars(module).items() if isinstance(value, ImageSpec)}
    for name in names:
        if name not in there:
            file = shown(str(module.__file__))
            raise _project.ProjectError(f"{file} has no ImageSpec `{name}`{did_you_mean(name, there)}")
    found = [there[name] for name in names] or [*there.values(), *_used(module)]
    if not found:
        raise _project.ProjectError(f"{shown(str(module.__file__))} has no ImageSpec, so there is nothing to build")
    return list(dict.fromkeys(found))


def _used(module: ModuleType) -> list[ImageSpec]:
    """Specs that stand in the options of tasks and calls."""
    with _project.compiling(module):
        return list(specs_of(_project.named_in(module).values()))
