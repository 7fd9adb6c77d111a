"""Which cluster is meant, and what goes along with definitions when they are registered.

The API says endpoints, projects and serialization settings; a kubeconfig, namespaces, and a few of these settings are
what they come to here. What can mean nothing is refused with the reason.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from enum import Enum
from typing import Any

from windlass._modules import caller
from windlass._remote.client import servers_of_contexts

_LOCAL = ("127.0.0.1", "localhost", "[::1]", "0.0.0.0")  # noqa: S104  recognised, not listened on


class Config:
    """A cluster: the kubeconfig, one of its contexts, and a namespace where something else than theirs is meant.

    Args:
        kubeconfig: a path; else KUBECONFIG, `~/.kube/config`, or, in a pod, its service account.
        context: a context of the kubeconfig; else its current one.
        namespace: where things go that name neither project nor domain; else that of the context.
    """

    def __init__(self, kubeconfig: str | None = None, context: str | None = None, namespace: str | None = None) -> None:
        self.kubeconfig = kubeconfig
        self.context = context
        self.namespace = namespace

    @classmethod
    def auto(cls, config_file: Any = None) -> Config:
        """That of a kubeconfig, by default of the environment."""
        return cls(kubeconfig=None if config_file is None else os.fspath(config_file))

    @classmethod
    def for_endpoint(
        cls, endpoint: str, insecure: bool = False, data_config: Any = None, config_file: str | None = None
    ) -> Config:
        """The context of the kubeconfig that is called so, or whose API server it is.

        Raises:
            ValueError: there is none.
        """
        if insecure:
            warnings.warn(
                f"{caller()}: insecure means nothing here: whether the server's certificate is checked stands in the"
                " kubeconfig (insecure-skip-tls-verify)",
                stacklevel=2,
            )
        if data_config is not None:
            warnings.warn(
                f"{caller()}: data_config means nothing here: the store's credentials come from the environment"
                " (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, …)",
                stacklevel=2,
            )
        contexts = servers_of_contexts(config_file)
        wanted = _host(endpoint)
        found = [name for name, server in contexts.items() if endpoint == name or _host(server) == wanted]
        if not found:
            raise ValueError(
                f"{caller()}: no context of the kubeconfig is called {endpoint} or has its API server there; there is"
                f" {', '.join(f'{name} ({server})' for name, server in contexts.items()) or 'none'}"
            )
        return cls(config_file, found[0])

    @classmethod
    def for_sandbox(cls, config_file: str | None = None) -> Config:
        """The one context of the kubeconfig whose API server is on this machine.

        Raises:
            ValueError: there is none, or more than one.
        """
        contexts = servers_of_contexts(config_file)
        found = [name for name, server in contexts.items() if _host(server).rpartition(":")[0] in _LOCAL]
        if len(found) != 1:
            raise ValueError(
                f"{caller()}: for_sandbox takes the context whose API server is on this machine; there is"
                f" {', '.join(found) or 'none'}: name it, UnionRemote(context=…), or start a cluster, make cluster-up"
            )
        return cls(config_file, found[0])

    def __repr__(self) -> str:
        given = {name: value for name, value in vars(self).items() if value is not None}
        return f"Config({', '.join(f'{name}={value!r}' for name, value in given.items())})"


class CopyFileDetection(Enum):
    """Which code travels with tasks."""

    LOADED_MODULES = "auto"
    ALL = "all"
    NO_COPY = "none"


class FastPackageOptions:
    """How code is packed.

    Args:
        ignores: not supported: hidden and generated files are left out by themselves.
        keep_default_ignores: not supported, likewise.
        copy_style: which code: the modules that are loaded, everything below the project's root, or none.
        show_files: prints what is packed.
    """

    def __init__(
        self,
        ignores: Any = None,
        keep_default_ignores: bool = True,
        copy_style: CopyFileDetection | None = None,
        show_files: bool = False,
    ) -> None:
        if ignores or not keep_default_ignores:
            raise ValueError(
                f"{caller()}: what is packed can't be chosen file by file: hidden and generated files are left out;"
                " choose copy_style"
            )
        self.copy_style = copy_style
        self.show_files = show_files


class FastSerializationSettings:
    """Whether code travels with the tasks; else it is expected in their image."""

    def __init__(
        self, enabled: bool = False, destination_dir: str | None = None, distribution_location: str | None = None
    ) -> None:
        if destination_dir not in (None, ".", "") or distribution_location is not None:
            raise ValueError(
                f"{caller()}: code travels in a ConfigMap and is unpacked into the pod's working directory; neither"
                " place can be chosen"
            )
        self.enabled = enabled


class Image:
    """An image: its name, and where it is."""

    def __init__(self, name: str, fqn: str, tag: str | None = None, digest: str | None = None) -> None:
        self.name = name
        self.fqn = fqn
        self.tag = tag
        self.digest = digest

    @property
    def full(self) -> str:
        """The whole reference.

        >>> Image("default", "ghcr.io/me/app", "v1").full
        'ghcr.io/me/app:v1'
        """
        return f"{self.fqn}@{self.digest}" if self.digest else f"{self.fqn}:{self.tag}" if self.tag else self.fqn


class ImageConfig:
    """The images of a registration: `default_image` is for tasks whose author named none."""

    def __init__(self, default_image: Image | None = None, images: list[Image] | None = None) -> None:
        self.default_image = default_image
        self.images = list(images or ())

    @classmethod
    def auto(cls, config_file: Any = None, img_name: str | None = None) -> ImageConfig:
        """With that image as the default."""
        if config_file is not None:
            raise ValueError(f"{caller()}: images are not read from a configuration file; give img_name")
        return cls() if img_name is None else cls(_image("default", img_name))

    @classmethod
    def from_images(cls, default_image: str, m: Mapping[str, str] | None = None) -> ImageConfig:
        """With that default and named images."""
        return cls(_image("default", default_image), [_image(name, image) for name, image in (m or {}).items()])


class SerializationSettings:
    """What goes along with definitions.

    Args:
        image_config: the image of tasks that name none.
        project: with `domain`, the namespace.
        domain: see project.
        version: the version that the definitions get.
        env: environment variables of all tasks; those of a task itself win.
        fast_serialization_settings: whether code travels along; unset: it does.
        source_root: with `copy_all`, the folder whose files travel along.
    """

    def __init__(
        self,
        image_config: ImageConfig | None = None,
        project: str | None = None,
        domain: str | None = None,
        version: str | None = None,
        env: Mapping[str, str] | None = None,
        fast_serialization_settings: FastSerializationSettings | None = None,
        source_root: str | None = None,
    ) -> None:
        self.image_config = image_config
        self.project = project
        self.domain = domain
        self.version = version
        self.env = dict(env or {})
        self.fast_serialization_settings = fast_serialization_settings
        self.source_root = source_root


def config_of(given: Config | str | None, kwargs: dict[str, Any]) -> Config:
    """The cluster that the arguments of UnionRemote mean: a Config, a kubeconfig's path, or a context's name."""
    unknown = [name for name in kwargs if name not in ("kubeconfig", "context", "namespace")]
    if unknown:
        raise TypeError(
            f"{caller()}: UnionRemote takes kubeconfig, context and namespace besides its parameters, not"
            f" {', '.join(unknown)}: there is no gRPC connection to set up"
        )
    if isinstance(given, str):
        given = Config(kubeconfig=given) if os.sep in given or os.path.exists(given) else Config(context=given)  # noqa: PTH110
    found = given or Config()
    return Config(
        kwargs.get("kubeconfig") or found.kubeconfig,
        kwargs.get("context") or found.context,
        kwargs.get("namespace") or found.namespace,
    )


def _image(name: str, reference: str) -> Image:
    fqn, at, digest = reference.partition("@")
    if at:
        return Image(name, fqn, digest=digest)
    head, slash, last = reference.rpartition("/")
    last, _, tag = last.partition(":")
    return Image(name, head + slash + last, tag or None)


def _host(url: str) -> str:
    """`host:port` of a URL, or of what is written without a scheme."""
    rest = url.partition("://")[2] or url
    host = rest.partition("/")[0]
    return host if ":" in host.rpartition("]")[2] else f"{host}:443"
