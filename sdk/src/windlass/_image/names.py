"""Names of images that are templates, and where specs are to be found.

    "{{.image.default.fqn}}:{{.image.default.version}}"     the image called `default`, taken from a table

What a spec is called, it says itself (`image_name`). That is asked when manifests are made, and never while a user's
module is imported: the name depends on files which are not in the pod.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from windlass._exceptions import FlyteAssertion
from windlass._image.spec import ImageSpec

_PART = r"\{\{\s*\.images?\.(?P<name>[A-Za-z0-9_-]+)(?:\.(?P<part>\w+))?\s*\}\}"
_TEMPLATE = re.compile(_PART)
_FULL = re.compile(
    r"\{\{\s*\.images?\.(?P<name>[A-Za-z0-9_-]+)\.fqn\s*\}\}:\{\{\s*\.images?\.(?P=name)\.(?:version|tag|digest)\s*\}\}"
)


def resolve(template: str, images: Mapping[str, str]) -> str:
    """Puts images from a table in the place of `{{.image.NAME.fqn}}`, `{{.image.NAME.version}}` and `{{.image.NAME}}`.

    >>> resolve("{{.image.default.fqn}}:{{.image.default.version}}", {"default": "localhost:5000/app:v1"})
    'localhost:5000/app:v1'
    >>> resolve("{{.image.default.fqn}}-gpu:{{.image.default.version}}", {"default": "localhost:5000/app:v1"})
    'localhost:5000/app-gpu:v1'

    Raises:
        FlyteAssertion: the table has no such image, or what is asked of it makes no sense.
    """
    if "{{" not in template:
        return template
    text = _FULL.sub(lambda found: _image(found["name"], images, template), template)  # also right for a digest
    text = _TEMPLATE.sub(lambda found: _part(found, images, template), text)
    if "{{" in text:
        raise FlyteAssertion(
            f"the image {template!r} has a template that is not understood; write {{{{.image.NAME.fqn}}}},"
            " {{.image.NAME.version}} or {{.image.NAME}}"
        )
    return text


def specs_of(entities: Iterable[Any]) -> Iterator[ImageSpec]:
    """Every spec that is the image of a task, of an actor, or of a call in a workflow."""
    for entity in entities:
        for needed in entity.definitions():
            yield from getattr(needed, "image_specs", ())
            yield from getattr(getattr(needed, "settings", None), "image_specs", ())
            for node in needed.compile().nodes if needed.kind == "Workflow" else ():
                yield from getattr(node, "image_specs", ())


def _part(found: re.Match[str], images: Mapping[str, str], template: str) -> str:
    image = _image(found["name"], images, template)
    if found["part"] is None:
        return image
    repository, version = _split(image)
    if found["part"] == "fqn":
        return repository
    if found["part"] in ("version", "tag", "digest"):
        return version
    raise FlyteAssertion(f"the image {template!r} asks for `{found['part']}`, and an image has fqn and version")


def _image(name: str, images: Mapping[str, str], template: str) -> str:
    if name not in images:
        known = ", ".join(sorted(images)) or "none"
        raise FlyteAssertion(f"the image {template!r} asks for an image `{name}`, and there is no such; known: {known}")
    return images[name]


def _split(image: str) -> tuple[str, str]:
    """Repository and version; an image without a tag has Docker's, `latest`."""
    repository, at, digest = image.partition("@")
    if at:
        return repository, digest
    path, colon, tag = image.rpartition(":")
    return (path, tag) if colon and "/" not in tag else (image, "latest")
