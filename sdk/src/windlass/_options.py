"""The options that say how a task runs, and what each becomes in the contract.

One list, used by `@task(...)` and by `with_overrides(...)`: an option is written once here, with its check, and
both take it. The result is the contract's `Overrides`: a mapping of the fields that were set, where absent means
inherit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from windlass._resources import Resources, merged_resources

ANY = "any"
RUN_OPTIONS = ("container_image", "environment", "requests", "limits", "resources", "retries", "retry_on")

RetryOn = str | type[BaseException] | Iterable[str | type[BaseException]]


def overrides(
    *,
    container_image: str | None = None,
    environment: Mapping[str, str] | None = None,
    requests: Resources | None = None,
    limits: Resources | None = None,
    resources: Resources | None = None,
    retries: int | None = None,
    retry_on: RetryOn | None = None,
) -> dict[str, Any]:
    """The options as fields of the contract's `Overrides`, in its order; only what was given."""
    found = {
        "image": None if container_image is None else _image(container_image),
        "env": None if environment is None else _environment(environment),
        "resources": merged_resources(requests, limits, resources) or None,
        "retries": None if retries is None else _retries(retries),
        "retryOn": None if retry_on is None else _retry_on(retry_on),
    }
    return {field: value for field, value in found.items() if value is not None}


def _image(image: Any) -> str:
    if not isinstance(image, str) or not image.strip():
        raise TypeError(f"container_image takes an image's name such as 'python:3.12-slim', not {image!r}")
    return image


def _environment(environment: Any) -> dict[str, str]:
    if not isinstance(environment, Mapping):
        raise TypeError(f"environment takes a dict of texts, not {environment!r}")
    for name, value in environment.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(
                f"environment takes texts, but has {name!r}: {value!r}; write {str(name)!r}: {str(value)!r}"
            )
    return dict(environment)


def _retries(retries: Any) -> int:
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ValueError(f"retries takes a number of further attempts, 0 or more, not {retries!r}")
    return retries


def _retry_on(retry_on: Any) -> list[str]:
    items = [retry_on] if isinstance(retry_on, str | type) else list(retry_on)
    names = []
    for item in items:
        if isinstance(item, str) and item:
            names.append(item)
        elif isinstance(item, type) and issubclass(item, BaseException):
            names.append(item.__name__)
        else:
            raise TypeError(f"retry_on takes exception classes, their names, or {ANY!r}, not {item!r}")
    return names
