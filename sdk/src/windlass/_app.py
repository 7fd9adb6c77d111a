"""`App`: a service that keeps running, such as a page or an endpoint for a model.

    app = App(name="dashboard", container_image="ghcr.io/me/dashboard:v1", port=8080, replicas=2)
    UnionRemote().deploy_app(app)

It becomes a Deployment and a Service; `stop_app` scales it to nothing and keeps what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from windlass._modules import caller
from windlass._options import POD_OPTIONS, settle

if TYPE_CHECKING:
    from windlass._image import ImageSpec
    from windlass._pod_template import PodTemplate
    from windlass._resources import Resources
    from windlass._secrets import Secret
    from windlass.accelerators import BaseAccelerator


class App:
    """A service that keeps running.

    Args:
        name: small letters, digits and `-`.
        container_image: the image, by name or as an ImageSpec.
        args: arguments in place of the image's own; a text is split like a shell would.
        command: what to run in place of the image's entrypoint, likewise.
        port: the port that it listens on; its Service has the same one.
        replicas: pods of it.
        version: the author's label for it.
        description: what it is, for people.
        environment: environment variables.
        requests: what the scheduler sets aside for each pod.
        limits: what each pod may use at most.
        resources: requests and limits at once.
        accelerator: which GPU or TPU each pod needs.
        shared_memory: whether its processes share memory, and how much.
        secret_requests: the Secrets it may read.
        interruptible: whether it may run on nodes that can go away at any time.
        pod_template: what its pods are like beyond these options.
        pod_template_name: a PodTemplate object in the cluster to start from.
        labels: labels of its pods.
        annotations: annotations of its pods.

    Raises:
        ValueError: the name, port or number of replicas can't be; there is neither image nor command.

    >>> App(name="page", container_image="nginx:1", port=80).manifest_spec()
    {'port': 80, 'image': 'nginx:1'}
    """

    kind: ClassVar[str] = "App"

    def __init__(
        self,
        name: str,
        container_image: str | ImageSpec | None = None,
        args: str | Iterable[str] | None = None,
        command: str | Iterable[str] | None = None,
        port: int = 8080,
        replicas: int = 1,
        version: str | None = None,
        description: str | None = None,
        environment: Mapping[str, str] | None = None,
        requests: Resources | None = None,
        limits: Resources | None = None,
        resources: Resources | None = None,
        accelerator: BaseAccelerator | None = None,
        shared_memory: bool | str | None = None,
        secret_requests: Iterable[Secret] | None = None,
        interruptible: bool | None = None,
        pod_template: PodTemplate | None = None,
        pod_template_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        given = dict(locals())
        self.name = _name(name)
        self.port = _number("port", port, 1, 65535)
        self.replicas = _number("replicas", replicas, 0, 1000)
        self.command, self.args = _words("command", command), _words("args", args)
        self.version, self.description = version, description
        if container_image is None and not self.command:
            raise ValueError(f"{caller()}: the app {name} has neither container_image nor command: what shall it run?")
        self._fields, self._settings = settle({option: given[option] for option in POD_OPTIONS}, POD_OPTIONS, "App")

    @property
    def image_specs(self) -> tuple[Any, ...]:
        """The images that have to be built before it can run."""
        return self._settings.image_specs

    def manifest_spec(self) -> dict[str, Any]:
        """What its object says."""
        later = {field: value.find(None) for field, value in self._settings.later.items()}
        spec = {
            "version": self.version,
            "description": self.description,
            "command": self.command,
            "args": self.args,
            "port": self.port,
            "replicas": None if self.replicas == 1 else self.replicas,
        }
        return {**{field: value for field, value in spec.items() if value is not None}, **self._fields, **later}

    def __repr__(self) -> str:
        return f"<app {self.name}>"


def _name(name: Any) -> str:
    from windlass_api.names import is_dns_label  # noqa: PLC0415  few modules have apps

    if not isinstance(name, str) or not is_dns_label(name):
        raise ValueError(
            f"{caller()}: the name of an app has small letters, digits and `-`, 63 at most, as a Service; not {name!r}"
        )
    return name


def _number(what: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{caller()}: {what} takes a number from {least} to {most}, not {value!r}")
    return value


def _words(what: str, words: Any) -> list[str] | None:
    if words is None:
        return None
    if isinstance(words, str):
        import shlex  # noqa: PLC0415  few modules have apps

        return shlex.split(words)
    found = list(words)
    if not all(isinstance(word, str) for word in found):
        raise TypeError(f"{caller()}: {what} takes texts, not {found!r}")
    return found
