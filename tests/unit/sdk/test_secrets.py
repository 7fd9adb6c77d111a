"""Secrets: what a task asks for, and where its code finds it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from windlass import MountType, Secret, current_context, task
from windlass._secrets import SecretsManager


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of secrets, and an environment without any."""
    for name in list(os.environ):
        if name.startswith("_FSEC_") or "_SECRETS_" in name:
            monkeypatch.delenv(name)
    monkeypatch.setenv("WINDLASS_SECRETS_DEFAULT_DIR", str(tmp_path))
    return tmp_path


def put(folder: Path, place: str, content: str | bytes) -> Path:
    file = folder / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


# ---- the noun -------------------------------------------------------------------------------------------------------


def test_a_secret_becomes_an_item_of_the_contract() -> None:
    whole = Secret("db", "password", "3", Secret.MountType.ENV_VAR, "DB_PASSWORD")
    assert whole.to_contract() == {
        "group": "db",
        "key": "password",
        "version": "3",
        "env": "DB_PASSWORD",
        "mount": "Env",
    }
    assert Secret(key="token").to_contract() == {"key": "token"}
    assert Secret(group="db", mount_requirement=MountType.FILE).to_contract() == {"group": "db", "mount": "File"}


@pytest.mark.parametrize(
    "secret",
    [
        Secret("db", "password", "3", MountType.FILE, "DB_PASSWORD"),
        Secret(key="token"),
        Secret(group="db", group_version="1"),
        Secret(),
    ],
    ids=repr,
)
def test_it_comes_back_from_the_contract(secret: Secret) -> None:
    assert Secret.from_flyte_idl(secret.to_flyte_idl()) == secret
    assert Secret.from_flyte_idl(json.loads(secret.serialize_to_string())) == secret
    assert hash(Secret.from_flyte_idl(secret.to_contract())) == hash(secret)


def test_it_can_be_made_of_a_message_of_another_sdk() -> None:
    message = SimpleNamespace(group="db", key="password", group_version="", mount_requirement=2, env_var="")
    assert Secret.from_flyte_idl(pb2_object=message) == Secret("db", "password", mount_requirement=MountType.FILE)


def test_a_mistaken_item_of_a_manifest_is_refused() -> None:
    with pytest.raises(ValueError, match="'name'"):
        Secret.from_flyte_idl({"name": "db"})
    with pytest.raises(ValueError, match="one of Any, Env, File, not 'Volume'"):
        Secret.from_flyte_idl({"group": "db", "mount": "Volume"})


def test_its_texts_name_it_and_an_empty_one_says_so() -> None:
    secret = Secret("db", "password", "3")
    assert secret.short_string() == "db/3/password"
    assert json.loads(secret.verbose_string()) == secret.to_contract()
    assert repr(Secret(key="token", env_var="TOKEN")) == (
        "Secret(key='token', env_var='TOKEN', mount_requirement=<MountType.ANY: 0>)"
    )
    assert (Secret().is_empty, secret.is_empty, Secret(key="token").is_empty) == (True, False, False)


@pytest.mark.parametrize("name", ["db_password", "DB-PASSWORD", "1PASSWORD", "DB PASSWORD", "ÄRGER", "A=B"])
def test_a_variable_has_a_variables_name(name: str) -> None:
    with pytest.raises(ValueError, match="env_var="):
        Secret(key="password", env_var=name)


def test_a_file_may_have_a_variable_for_its_path() -> None:
    secret = Secret("db", "password", mount_requirement=MountType.FILE, env_var="DB_PASSWORD_FILE")
    assert secret.to_contract()["env"] == "DB_PASSWORD_FILE"


def test_parts_of_the_wrong_kind_are_refused() -> None:
    wrongs: list[dict[str, Any]] = [{"group": 1}, {"key": b"k"}, {"group_version": 3}, {"mount_requirement": "FILE"}]
    for wrong in wrongs:
        with pytest.raises(TypeError):
            Secret(**wrong)


def test_what_is_no_secret_can_not_be_asked_for() -> None:
    wrongs: list[Any] = [["db"], "db", [{"key": "token"}]]
    for wrong in wrongs:
        with pytest.raises(AssertionError, match="Secret"):
            task(secret_requests=wrong)


# ---- where it is looked for -----------------------------------------------------------------------------------------


def test_the_environment_comes_before_the_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = SecretsManager()
    put(folder, "db/password", "from the file")
    assert secrets.get("db", "password") == "from the file"
    monkeypatch.setenv("DB_PASSWORD", "unprefixed")
    assert secrets.get("db", "password") == "unprefixed"
    monkeypatch.setenv("_FSEC_DB_PASSWORD", "prefixed")
    assert secrets.get("db", "password") == "prefixed"
    assert secrets.db.password == "prefixed"


def test_in_a_pod_only_the_prefixed_variable_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "somebody else's")
    secrets = SecretsManager(local=False)
    with pytest.raises(ValueError, match="Unable to find"):
        secrets.get("db", "password")
    put(folder, "db/password", "mounted")
    assert secrets.get("db", "password") == "mounted"


@pytest.mark.parametrize(
    ("arguments", "variable", "file"),
    [
        ({"group": "db", "key": "password"}, "_FSEC_DB_PASSWORD", "db/password"),
        ({"group": "db", "key": "password", "group_version": "v2"}, "_FSEC_DB_V2_PASSWORD", "db/v2/password"),
        ({"key": "Token"}, "_FSEC_TOKEN", "token"),
        ({"group": "Token"}, "_FSEC_TOKEN", "token"),
    ],
)
def test_names_of_variables_and_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, str], variable: str, file: str
) -> None:
    secrets = SecretsManager()
    assert secrets.get_secrets_env_var(**arguments) == variable
    assert secrets.get_secrets_file(**arguments) == str(folder / file)
    put(folder, file, "in the file")
    assert secrets.get(**arguments) == "in the file"
    monkeypatch.setenv(variable, "in the variable")
    assert secrets.get(**arguments) == "in the variable"


def test_a_key_in_mixed_case_is_found_as_it_is_written(folder: Path) -> None:
    put(folder, "Db/ApiKey", "mixed")
    assert SecretsManager().get("Db", "ApiKey") == "mixed"
    put(folder, "db/apikey", "small")
    assert SecretsManager().get("DB", "APIKEY") == "small"


def test_a_name_that_no_shell_takes_may_be_written_with_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_FSEC_MY_DB_API_KEY", "plain")
    assert SecretsManager(local=False).get("my-db", "api.key") == "plain"
    monkeypatch.setenv("_FSEC_MY-DB_API.KEY", "exact")
    assert SecretsManager(local=False).get("my-db", "api.key") == "exact"


@pytest.mark.parametrize("product", ["WINDLASS", "FLYTE"])
def test_the_environment_may_move_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, product: str) -> None:
    monkeypatch.delenv("WINDLASS_SECRETS_DEFAULT_DIR")
    monkeypatch.setenv(f"{product}_SECRETS_DEFAULT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv(f"{product}_SECRETS_FILE_PREFIX", "sec-")
    monkeypatch.setenv(f"{product}_SECRETS_ENV_PREFIX", "OTHER_")
    secrets = SecretsManager()
    assert secrets.get_secrets_env_var("db", "password") == "OTHER_DB_PASSWORD"
    put(tmp_path, "elsewhere/db/sec-password", "moved")
    assert secrets.get("db", "password") == "moved"
    monkeypatch.setenv("OTHER_DB_PASSWORD", "variable")
    assert secrets.get("db", "password") == "variable"


def test_a_text_loses_the_blanks_around_it_and_bytes_stay_as_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "g/k", b"\n \xc3\xa4 \n")
    assert SecretsManager().get("g", "k") == "ä"
    assert SecretsManager().get("g", "k", encode_mode="rb") == b"\n \xc3\xa4 \n"
    monkeypatch.setenv("_FSEC_G_K", " v \n")
    assert SecretsManager().get("g", "k") == "v"
    assert SecretsManager().get("g", "k", encode_mode="rb") == b" v \n"
    with pytest.raises(ValueError, match="encode_mode"):
        SecretsManager().get("g", "k", encode_mode="w")
    put(folder, "g/binary", b"\xff\x00")
    with pytest.raises(ValueError, match="is no text: ask for it with encode_mode='rb'"):
        SecretsManager().get("g", "binary")


def test_what_to_write_for_a_missing_secret_can_be_pasted(folder: Path) -> None:
    with pytest.raises(ValueError, match="asks for it") as told:
        SecretsManager().get("db", "token", "3")
    assert "secret_requests=[Secret(group='db', key='token', group_version='3')]" in str(told.value)


def test_what_is_not_there_is_told_with_all_places_and_what_to_write(folder: Path) -> None:
    with pytest.raises(ValueError, match="Unable to find the secret key Key in group My-Db") as told:
        SecretsManager().get("My-Db", "Key")
    for part in (
        *("_FSEC_MY-DB_KEY", "_FSEC_MY_DB_KEY", "MY_DB_KEY", str(folder / "My-Db/Key"), str(folder / "my-db/key")),
        "secret_requests=[Secret(group='My-Db', key='Key'",
        "export _FSEC_MY",
    ):
        assert part in str(told.value)


def test_nothing_can_not_be_looked_for() -> None:
    for arguments in ((), ("", ""), (None, None)):
        with pytest.raises(ValueError, match="which secret"):
            SecretsManager().get(*arguments)


def test_the_lookup_does_not_pretend_to_have_every_attribute() -> None:
    assert not hasattr(SecretsManager(), "__wrapped__")
    assert not hasattr(SecretsManager().db, "__wrapped__")


# ---- in a task ------------------------------------------------------------------------------------------------------


@task(secret_requests=[Secret("db", "password", env_var="TEST_DB_PASSWORD")])
def connect() -> list[str]:
    return [os.environ.get("TEST_DB_PASSWORD", "not set"), current_context().secrets.get("db", "password")]


@task(secret_requests=[Secret("db", "key", mount_requirement=MountType.FILE, env_var="TEST_DB_KEY")])
def sign() -> list[str]:
    path = os.environ.get("TEST_DB_KEY", "not set")
    return [path, current_context().secrets.get("db", "key")]


@task(secret_requests=[Secret("db", "absent", env_var="TEST_ABSENT")])
def careless() -> str:
    return os.environ.get("TEST_ABSENT", "not set")


@pytest.mark.parametrize("where", ["_FSEC_DB_PASSWORD", "DB_PASSWORD", "file"])
def test_the_variable_that_a_request_names_is_set_while_the_task_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "file":
        put(folder, "db/password", "s3cret\n")
    else:
        monkeypatch.setenv(where, "s3cret")
    assert connect() == ["s3cret", "s3cret"]
    assert "TEST_DB_PASSWORD" not in os.environ


def test_a_value_in_the_variable_that_a_request_names_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DB_PASSWORD", "exported by hand")
    assert connect() == ["exported by hand", "exported by hand"]
    assert os.environ["TEST_DB_PASSWORD"] == "exported by hand"


def test_a_variable_that_is_set_by_hand_stays_whatever_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DB_PASSWORD", "by hand")
    monkeypatch.setenv("_FSEC_DB_PASSWORD", "prefixed")
    assert connect() == ["by hand", "prefixed"]


def test_for_a_file_the_variable_holds_its_path(folder: Path) -> None:
    file = put(folder, "db/key", "-----BEGIN\n")
    assert sign() == [str(file), "-----BEGIN"]


def test_a_path_in_the_variable_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DB_KEY", str(put(folder, "somewhere.pem", "pem")))
    assert sign()[1] == "pem"


def test_a_secret_that_is_not_there_matters_only_to_code_that_wants_it() -> None:
    assert careless() == "not set"
    with pytest.raises(ValueError, match=r"Error encountered while executing .*\n.*Unable to find the secret"):
        connect()


def test_the_manifest_names_the_secrets() -> None:
    assert connect.overrides["secrets"] == [{"group": "db", "key": "password", "env": "TEST_DB_PASSWORD"}]
