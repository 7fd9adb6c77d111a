"""Which cluster a remote means, which namespace, and what it refuses with a reason; without any cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from windlass import _store
from windlass._app import App
from windlass._exceptions import FlyteAssertion, FlyteNotImplementedException
from windlass._remote import settings
from windlass._remote.client import (
    AlreadyThereError,
    NotAllowedError,
    NotReachableError,
    NotThereError,
    RefusedError,
    RemoteError,
    remote_error,
)
from windlass._remote.registering import is_interactive
from windlass._remote.remote import FlyteRemote, Remote, UnionRemote
from windlass._remote.settings import Config, Image, ImageConfig

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: far
clusters:
- {name: far, cluster: {server: "https://api.example.com"}}
- {name: near, cluster: {server: "https://127.0.0.1:6443"}}
contexts:
- {name: far, context: {cluster: far, user: me, namespace: of-the-context}}
- {name: near, context: {cluster: near, user: me}}
users:
- {name: me, user: {token: secret}}
"""


@pytest.fixture(autouse=True)
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("UNION_CURRENT_PROJECT", "UNION_CURRENT_DOMAIN", "WINDLASS_RAW_OUTPUT_PREFIX", "WINDLASS_CONSOLE_URL"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


# ---- the cluster ----


def test_a_remote_is_the_current_context_by_default() -> None:
    remote = UnionRemote()
    assert (remote.context, remote.cluster.server) == ("far", "https://api.example.com")
    assert remote.namespace() == "of-the-context"
    assert Remote is FlyteRemote is UnionRemote


def test_a_remote_may_be_a_kubeconfig_a_context_or_a_config(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    assert UnionRemote(str(kubeconfig)).context == "far"
    assert UnionRemote(Config(str(kubeconfig), "near")).cluster.server == "https://127.0.0.1:6443"
    assert UnionRemote.auto(kubeconfig, context="near").context == "near"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    assert UnionRemote("near").context == "near"
    assert UnionRemote.auto(namespace="mine").namespace() == "mine"
    assert repr(UnionRemote("near").config) == "Config(context='near')"


@pytest.mark.parametrize("endpoint", ["near", "https://127.0.0.1:6443", "127.0.0.1:6443"])
def test_an_endpoint_is_a_context_or_its_api_server(endpoint: str) -> None:
    assert UnionRemote.for_endpoint(endpoint).context == "near"
    assert UnionRemote.for_endpoint("api.example.com").context == "far"


def test_an_endpoint_that_no_context_has_is_refused_with_those_there_are(kubeconfig: Path) -> None:
    with pytest.raises(ValueError, match=r"there is far \(https://api.example.com\), near"):
        UnionRemote.for_endpoint("union.example.com", config_file=kubeconfig)


def test_what_an_endpoint_cannot_mean_is_told() -> None:
    with pytest.warns(UserWarning, match="insecure means nothing here"):
        UnionRemote.for_endpoint("near", insecure=True)
    with pytest.warns(UserWarning, match="data_config means nothing here"):
        UnionRemote.for_endpoint("near", data_config=object())


def test_the_sandbox_is_the_one_cluster_on_this_machine(kubeconfig: Path) -> None:
    assert UnionRemote.for_sandbox().context == "near"
    kubeconfig.write_text(KUBECONFIG.replace("https://api.example.com", "https://localhost:1"))
    with pytest.raises(ValueError, match="there is far, near: name it"):
        UnionRemote.for_sandbox()


def test_without_a_kubeconfig_the_places_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(RemoteError, match="no kubeconfig at /nowhere"):
        UnionRemote.for_sandbox()
    remote = UnionRemote()
    with pytest.raises(RemoteError, match="no kubeconfig at /nowhere"):
        _ = remote.cluster


def test_a_kubeconfig_that_has_nothing_is_told(kubeconfig: Path) -> None:
    kubeconfig.write_text("{}")
    with pytest.raises(ValueError, match="there is none: name it"):
        UnionRemote.for_sandbox()


def test_an_api_key_is_refused() -> None:
    with pytest.raises(FlyteAssertion, match="credentials are in a kubeconfig"):
        UnionRemote.from_api_key("key")


def test_arguments_of_a_grpc_client_are_refused() -> None:
    with pytest.raises(TypeError, match="not insecure_channel: there is no gRPC"):
        UnionRemote(insecure_channel=True)


@pytest.mark.parametrize(
    "name",
    [
        "client",
        "sync_channel",
        "apps_service_client",
        "artifacts_client",
        "authorizer_service_client",
        "hooks_async_client",
        "hooks_sync_client",
        "images_client",
        "secret_client",
        "user_service_client",
        "users_client",
    ],
)
def test_clients_of_services_that_are_not_there_say_so(name: str) -> None:
    with pytest.raises(FlyteNotImplementedException, match=f"{name}: Windlass has no gRPC services; "):
        getattr(UnionRemote(), name)
    with pytest.raises(NotImplementedError):
        UnionRemote().async_channel()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0, NotReachableError),
        (401, NotAllowedError),
        (403, NotAllowedError),
        (404, NotThereError),
        (409, AlreadyThereError),
        (422, RefusedError),
        (503, NotReachableError),
        (500, RemoteError),
    ],
)
def test_refusals_are_the_exceptions_of_the_api(status: int, kind: type[RemoteError]) -> None:
    error = remote_error("why", status)
    assert type(error) is kind
    assert (str(error), error.status) == ("why", status)


# ---- the namespace ----


def test_a_project_and_a_domain_are_a_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    assert UnionRemote().namespace("shop", "production") == "shop-production"
    assert UnionRemote().namespace("shop") == "shop-development"
    assert UnionRemote(default_project="shop").namespace() == "shop-development"
    assert UnionRemote(default_domain="staging").namespace() == "flytesnacks-staging"
    assert UnionRemote(default_project="shop").default_domain is None
    monkeypatch.setenv("UNION_CURRENT_PROJECT", "of-the-pod")
    monkeypatch.setenv("UNION_CURRENT_DOMAIN", "there")
    assert UnionRemote().namespace() == "of-the-pod-there"
    assert UnionRemote(default_project="mine").default_project == "mine"
    monkeypatch.setenv("WINDLASS_NAMESPACE_TEMPLATE", "ns-{project}")
    assert UnionRemote().namespace() == "ns-of-the-pod"


# ---- where data goes ----


def test_files_go_where_the_remote_says(tmp_path: Path) -> None:
    remote = UnionRemote(data_upload_location=str(tmp_path / "store"))
    with remote.remote_context():
        assert _store.current_prefix() == str(tmp_path / "store")
    assert remote.file_access is _store


def test_an_upload_location_of_another_platform_is_refused() -> None:
    with pytest.raises(ValueError, match="an address of a store"):
        UnionRemote(data_upload_location="flyte://my-s3-bucket/data")


def test_a_file_is_stored_under_its_digest_or_a_name(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("hello")
    remote = UnionRemote(data_upload_location=str(tmp_path / "store"))
    digest, uri = remote.upload_file(file)
    assert digest.hex() == "5d41402abc4b2a76b9719d911017c592"
    assert uri == f"{tmp_path}/store/{digest.hex()}/a.txt"
    assert remote.get(uri) == b"hello"
    assert remote.upload_file(file, "p", "d", "root")[1] == f"{tmp_path}/store/p/d/root/a.txt"
    assert remote.get(None) is None
    assert remote.get_extra_headers_for_protocol("s3://b") == {}


def test_a_file_has_to_go_somewhere_that_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("hello")
    with pytest.raises(FlyteAssertion, match=r"where shall .* go"):
        UnionRemote().upload_file(file)


def test_links_are_addresses_at_the_api_server_or_a_console() -> None:
    assert UnionRemote().generate_console_http_domain() == "https://api.example.com"


def test_links_may_lead_to_a_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_CONSOLE_URL", "https://headlamp.example.com/c/main/{plural}/{namespace}/{name}")
    assert UnionRemote().generate_console_http_domain() == "https://headlamp.example.com"


# ---- small nouns ----


def test_images_of_a_registration_are_named_whole() -> None:
    assert Image("a", "ghcr.io/me/app").full == "ghcr.io/me/app"
    found = ImageConfig.from_images("localhost:5000/app:v1", {"gpu": "localhost:5000/app@sha256:1"})
    assert found.default_image is not None
    assert (found.default_image.fqn, found.default_image.full) == ("localhost:5000/app", "localhost:5000/app:v1")
    assert found.images[0].full == "localhost:5000/app@sha256:1"
    assert ImageConfig.auto().default_image is None
    assert ImageConfig.auto(img_name="a:1").default_image is not None
    with pytest.raises(ValueError, match="give img_name"):
        ImageConfig.auto("config.yaml")


@pytest.mark.parametrize(
    "make",
    [
        lambda: settings.FastPackageOptions(ignores=["a"]),
        lambda: settings.FastSerializationSettings(destination_dir="/root"),
        lambda: settings.FastSerializationSettings(distribution_location="s3://b"),
    ],
)
def test_what_cannot_be_chosen_about_code_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"test_remote_settings\.py:\d+"):
        make()


def test_a_notebook_is_known_by_its_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys, "ps1", raising=False)
    assert not is_interactive()
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert is_interactive()
    assert UnionRemote().interactive_mode_enabled
    assert not UnionRemote(interactive_mode_enabled=False).interactive_mode_enabled


def test_an_app_says_what_runs() -> None:
    app = App(
        name="page",
        container_image="nginx:1",
        args="-g 'daemon off;'",
        command=["nginx"],
        port=80,
        replicas=2,
        version="v1",
        environment={"A": "b"},
    )
    assert app.manifest_spec() == {
        "version": "v1",
        "command": ["nginx"],
        "args": ["-g", "daemon off;"],
        "port": 80,
        "replicas": 2,
        "image": "nginx:1",
        "env": {"A": "b"},
    }
    assert app.image_specs == ()


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ({"name": "My Page"}, ValueError, "small letters"),
        ({"port": 0}, ValueError, "from 1 to 65535"),
        ({"replicas": -1}, ValueError, "from 0 to 1000"),
        ({"container_image": None}, ValueError, "what shall it run"),
        ({"args": [1]}, TypeError, "takes texts"),
    ],
)
def test_an_app_that_cannot_be_is_refused(given: dict[str, Any], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        App(**{"name": "page", "container_image": "nginx:1", **given})
