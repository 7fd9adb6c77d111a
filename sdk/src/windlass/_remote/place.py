"""Where a remote is: its cluster, and which namespace a project and domain are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NoReturn

from windlass import _store
from windlass._exceptions import FlyteNotImplementedException
from windlass._modules import caller
from windlass._namespaces import namespace_of
from windlass._remote.client import Cluster, connect
from windlass._remote.registering import is_interactive
from windlass._remote.settings import Config, config_of

_PROJECT_VARIABLES = ("UNION_CURRENT_PROJECT", "FLYTE_INTERNAL_EXECUTION_PROJECT")
_DOMAIN_VARIABLES = ("UNION_CURRENT_DOMAIN", "FLYTE_INTERNAL_EXECUTION_DOMAIN")
_NO_SERVICE = "there is no such service: the cluster's own API server holds everything"


class Place:
    """A cluster, and the defaults of whoever talks to it. It connects when it is first asked something."""

    def __init__(
        self,
        config: Config | str | None = None,
        default_project: str | None = None,
        default_domain: str | None = None,
        data_upload_location: str | None = None,
        interactive_mode_enabled: bool | None = None,
        **kwargs: Any,
    ) -> None:
        if data_upload_location is not None and data_upload_location.startswith("flyte://"):
            raise ValueError(
                f"{caller()}: data_upload_location takes an address of a store, such as s3://bucket/folder, not"
                f" {data_upload_location!r}"
            )
        self._config = config_of(config, kwargs)
        self._default_project = default_project
        self._default_domain = default_domain
        self._data_upload_location = data_upload_location
        self._interactive = is_interactive() if interactive_mode_enabled is None else interactive_mode_enabled
        self._connection: Cluster | None = None

    @property
    def cluster(self) -> Cluster:
        """The connection, made when it is first needed. Raises RemoteError where there is none to be had."""
        if self._connection is None:
            config = self._config
            self._connection = connect(kubeconfig=config.kubeconfig, context=config.context, namespace=config.namespace)
        return self._connection

    def namespace(self, project: str | None = None, domain: str | None = None) -> str:
        """The namespace of a project and domain; where neither they nor a default are said, the context's own."""
        project, domain = project or self.default_project, domain or self.default_domain
        return namespace_of(project, domain) if project or domain else self.cluster.namespace

    @property
    def config(self) -> Config:
        """Which cluster is meant."""
        return self._config

    @property
    def context(self) -> str:
        """The context of the kubeconfig; empty in a pod."""
        return self.cluster.context

    @property
    def default_project(self) -> str | None:
        """The project where none is said; None: the namespace of the context, whatever it is."""
        return self._default_project or _first(_PROJECT_VARIABLES)

    @property
    def default_domain(self) -> str | None:
        """The domain where none is said."""
        return self._default_domain or _first(_DOMAIN_VARIABLES)

    @property
    def interactive_mode_enabled(self) -> bool:
        """Whether versions are made up where none is given, as in a notebook."""
        return self._interactive

    @property
    def file_access(self) -> ModuleType:
        """The store: `put_file`, `get_file`, `open`, `listdir`, ….  New data goes where `remote_context` says."""
        return _store

    @contextmanager
    def remote_context(self) -> Iterator[Place]:
        """While it is entered, files and tables are written to `data_upload_location`."""
        with _store.raw_output_prefix(self._data_upload_location):
            yield self

    @property
    def code_store(self) -> str | None:
        """Where code goes that is too large for a ConfigMap: where data goes."""
        return self._data_upload_location or os.environ.get("WINDLASS_RAW_OUTPUT_PREFIX") or None

    # ---- what there is no use for ----

    @property
    def client(self) -> NoReturn:
        """Refused: there is no gRPC client. `cluster.request` sends requests to the API server."""
        raise _no_client("client", "remote.cluster.request(method, path, what=…) sends requests to it")

    @property
    def sync_channel(self) -> NoReturn:
        """Refused: there is no gRPC channel."""
        raise _no_client("sync_channel", _NO_SERVICE)

    def async_channel(self) -> NoReturn:
        """Refused: there is no gRPC channel."""
        raise _no_client("async_channel", _NO_SERVICE)

    @property
    def apps_service_client(self) -> NoReturn:
        """Refused: apps are App objects; see `deploy_app`."""
        raise _no_client("apps_service_client", "apps are App objects: deploy_app, stop_app")

    @property
    def artifacts_client(self) -> NoReturn:
        """Refused: artifacts are Artifact objects; see `search_artifacts`."""
        raise _no_client("artifacts_client", "artifacts are Artifact objects: search_artifacts, create_artifact")

    @property
    def authorizer_service_client(self) -> NoReturn:
        """Refused: Kubernetes RBAC says who may do what."""
        raise _no_client("authorizer_service_client", "RBAC says who may do what: kubectl auth can-i")

    @property
    def hooks_async_client(self) -> NoReturn:
        """Refused: there is no such service."""
        raise _no_client("hooks_async_client", _NO_SERVICE)

    @property
    def hooks_sync_client(self) -> NoReturn:
        """Refused: there is no such service."""
        raise _no_client("hooks_sync_client", _NO_SERVICE)

    @property
    def images_client(self) -> NoReturn:
        """Refused: images are built where you are; see ImageSpec."""
        raise _no_client("images_client", "images are built by ImageSpec, where you are")

    @property
    def secret_client(self) -> NoReturn:
        """Refused: secrets are Secret objects."""
        raise _no_client(
            "secret_client", "secrets are Secret objects: kubectl create secret generic GROUP --from-literal=KEY=…"
        )

    @property
    def user_service_client(self) -> NoReturn:
        """Refused: who you are, the kubeconfig says."""
        raise _no_client("user_service_client", "who you are, the kubeconfig says: kubectl auth whoami")

    @property
    def users_client(self) -> NoReturn:
        """Refused: who you are, the kubeconfig says."""
        raise _no_client("users_client", "who you are, the kubeconfig says: kubectl auth whoami")


def _no_client(name: str, instead: str) -> FlyteNotImplementedException:
    return FlyteNotImplementedException(f"{caller()}: {name}: Windlass has no gRPC services; {instead}")


def _first(variables: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in variables if os.environ.get(name)), None)
