"""ContainerTask without an engine: what its manifest says, texts and files by type, the engine's command line, and what
is refused. tests/integration/containers runs real containers.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest

import windlass
from windlass import (
    FlyteAssertion,
    FlyteUserRuntimeException,
    Resources,
    _container_io as io,
    _container_run as engine,
    task,
    workflow,
)
from windlass._bindings import kind_of
from windlass._cache import Cache
from windlass._container_task import ContainerTask
from windlass._current import current_scope
from windlass._data.files import FlyteFile
from windlass._data.folders import FlyteDirectory
from windlass._emit import manifest
from windlass._image.names import specs_of
from windlass._metadata import TaskMetadata
from windlass._pod_template import PodTemplate
from windlass._secrets import Secret
from windlass.accelerators import T4
from windlass_api import templates
from windlass_api.types import parse_type
from windlass_api.v1alpha1.task import TaskSpec

Format, Strategy = ContainerTask.MetadataFormat, ContainerTask.IOStrategy


def container(**options: Any) -> ContainerTask:
    return ContainerTask(**{"name": "c", "image": "alpine:3", "command": ["true"], **options})


full = ContainerTask(
    name="full",
    image="julia:1.11",
    command=["julia", "/app/area.jl"],
    inputs={"a": float, "b": (float, 2.5)},
    metadata=TaskMetadata(retries=3, cache=True, cache_version="1", timeout=60),
    arguments=["--a={{.inputs.a}}", "{{ .Inputs.b }}"],
    outputs={"area": float, "metadata": str},
    requests=Resources(cpu=1),
    limits=Resources(cpu=2),
    input_data_dir="/in/",
    output_data_dir="/out",
    metadata_format=Format.YAML,
    io_strategy=Strategy.DOWNLOAD_STREAM,
    secret_requests=[Secret(group="g", key="k")],
    pod_template=PodTemplate(labels={"team": "data"}),
    pod_template_name="base",
    local_logs=False,
    environment={"A": "1"},
    accelerator=T4,
    docs="Computes an area.",
)


# ---- its manifest ---------------------------------------------------------------------------------------------------


def test_a_manifest_says_all_of_it() -> None:
    spec = manifest(full)["spec"]
    assert spec == {
        "description": "Computes an area.",
        "inputs": {"a": {"type": "float"}, "b": {"type": "float", "default": 2.5}},
        "outputs": {"area": {"type": "float"}, "metadata": {"type": "str"}},
        "container": {
            "command": ["julia", "/app/area.jl"],
            "args": ["--a={{.inputs.a}}", "{{ .Inputs.b }}"],
            "inputDir": "/in",
            "outputDir": "/out",
            "metadataFormat": "YAML",
            "ioStrategy": {"download": "Stream"},
        },
        "image": "julia:1.11",
        "env": {"A": "1"},
        "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
        "accelerator": {"device": "nvidia-tesla-t4"},
        "secrets": [{"group": "g", "key": "k"}],
        "podTemplate": {"primaryContainer": "primary", "labels": {"team": "data"}},
        "podTemplateName": "base",
        "retries": 3,
        "timeout": "1m",
        "cache": {"version": "1"},
    }
    TaskSpec.model_validate(spec)


def test_without_options_a_manifest_says_the_command_only() -> None:
    assert container().runner() == {"container": {"command": ["true"]}}
    folders = container(inputs={"n": int}, outputs={"m": int}).runner()["container"]
    assert (folders["inputDir"], folders["outputDir"]) == ("/var/inputs", "/var/outputs")


@pytest.mark.parametrize(
    ("strategy", "moves"),
    [
        (Strategy.DOWNLOAD_EAGER, {"download": "Eager"}),
        (Strategy.UPLOAD_EAGER, {"upload": "Stream"}),
        (Strategy.UPLOAD_ON_EXIT, {"upload": "Eager"}),
        ([Strategy.DO_NOT_DOWNLOAD, Strategy.DO_NOT_UPLOAD], {"download": "None", "upload": "None"}),
    ],
)
def test_a_strategy_is_about_one_way_or_both(strategy: Any, moves: dict[str, str]) -> None:
    assert container(io_strategy=strategy).runner()["container"]["ioStrategy"] == moves


def test_resources_are_requests_and_limits() -> None:
    both = ContainerTask("c", "alpine:3", ["true"], resources=Resources(cpu=1))
    assert both.resources == {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"name": ""}, ValueError, "needs a name"),
    ({"command": "sh -c true"}, TypeError, "command takes a list of texts"),
    ({"arguments": [1]}, TypeError, "arguments takes a list of texts"),
    ({"command": ["{{.inputs.m}}"], "inputs": {"n": int}}, ValueError, r"no input 'm'; there are n"),
    ({"arguments": ["{{.outputPrefix}}"]}, ValueError, "has no meaning here"),
    ({"input_data_dir": "inputs"}, ValueError, "the full path of a folder"),
    ({"output_data_dir": "/"}, ValueError, "output_data_dir takes the full path"),
    ({"metadata_format": Format.PROTO}, ValueError, "JSON and YAML hold the same"),
    ({"metadata_format": "JSON"}, TypeError, r"ContainerTask\.MetadataFormat\.JSON or YAML"),
    ({"io_strategy": "eager"}, TypeError, "one for each way"),
    ({"io_strategy": [Strategy.DO_NOT_UPLOAD, Strategy.UPLOAD_EAGER]}, TypeError, "one for each way"),
    ({"outputs": {"error": str}}, ValueError, "can't be called 'error'"),
    ({"outputs": {"x": object}}, ValueError, "would be a pickle"),
    ({"inputs": {"not a name": int}}, ValueError, "named by an identifier"),
    ({"metadata": {"retries": 1}}, TypeError, "takes a TaskMetadata"),
    ({"metadata": TaskMetadata(retries=1), "retries": 2}, ValueError, "retries is given twice"),
    ({"enable_deck": True}, ValueError, "only Python code writes a deck"),
    ({"metadata": TaskMetadata(generates_deck=True)}, ValueError, "only Python code writes a deck"),
    ({"metadata": TaskMetadata(is_eager=True)}, ValueError, "Unrecognized argument.*execution_mode"),
    ({"retrys": 1}, ValueError, r"Unrecognized argument\(s\) for ContainerTask: retrys"),
    ({"requests": Resources(cpu=1), "resources": Resources(cpu=1)}, ValueError, "can't be used together"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # that an object is going to be a pickle
@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=str)
def test_what_can_not_be_is_refused_where_it_is_written(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        container(**options)


def test_other_templates_than_windlass_s_are_left_to_the_command() -> None:
    assert container(command=["docker", "ps", "--format", "{{.ID}}"]).runner()["container"]["command"][-1] == "{{.ID}}"


FILES: list[Any] = [FlyteFile, FlyteDirectory["csv"], FlyteFile | None]  # type: ignore[name-defined]  # a format, no type


@pytest.mark.parametrize("kind", FILES)
def test_a_file_by_template_is_refused_when_it_is_run_or_rendered(kind: Any, tmp_path: Path) -> None:
    by_template = container(command=["cat", "{{.inputs.infile}}"], inputs={"infile": kind})
    message = (
        r"FlyteFile and FlyteDirectory commands should not use the template syntax like this: \{\{\.inputs\.infile\}\}"
        r"\nWrite the path in the container instead: /var/inputs/infile"
    )
    with pytest.raises(AssertionError, match=message):
        by_template.runner()
    with pytest.raises(AssertionError, match="template syntax"):
        by_template.execute(infile=FlyteFile(str(tmp_path)))
    container(command=["cat", "{{.inputs.f}}"], inputs={"f": kind}, io_strategy=Strategy.DO_NOT_DOWNLOAD).runner()


# ---- as an object ---------------------------------------------------------------------------------------------------


def test_its_properties_say_what_it_is() -> None:
    assert (full.name, full.task_type, full.task_type_version) == ("full", "raw-container", 0)
    assert (full.docs, full.environment, full.task_config) == ("Computes an area.", {"A": "1"}, None)
    assert full.resources == {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}
    assert full.security_context == {"secrets": [{"group": "g", "key": "k"}]}
    assert container().security_context is None
    assert (full.enable_deck, full.disable_deck, full.deck_fields) == (False, True, [])
    assert full.metadata == TaskMetadata(retries=3, cache=True, cache_version="1", timeout=60, pod_template_name="base")
    assert container(cache=Cache(version="2", serialize=True)).metadata.cache_serialize
    assert container(deprecated="use another", interruptible=True).metadata.options() == {
        "deprecated": "use another",
        "interruptible": True,
    }


def test_it_knows_the_variable_that_holds_it() -> None:
    assert full.instantiated_in == __name__
    assert (full.find_lhs(), full.lhs) == ("full", "full")
    assert full.location == f"{__name__}.full"
    assert container().lhs is None
    with pytest.raises(FlyteAssertion, match=r"the raw-container c is in no variable of the module .*test_container"):
        container().find_lhs()


def test_it_knows_its_types_and_checks_values_against_them() -> None:
    assert full.get_input_types() == {"a": float, "b": float}
    assert full.get_type_for_input_var("a") is full.get_type_for_input_var("a", 1.5) is float
    assert full.get_type_for_output_var(k="metadata", v=None) is str
    assert full.interface is full.python_interface
    with pytest.raises(TypeError, match="Failed argument 'a'"):
        full.get_type_for_input_var(k="a", v="x")
    with pytest.raises(TypeError, match="outputs of task 'full' at position 1"):
        full.get_type_for_output_var("metadata", 3)
    with pytest.raises(KeyError):
        full.get_type_for_input_var("c", None)


def test_parts_of_its_manifest_can_be_asked_for() -> None:
    assert (full.get_container(None) or {})["image"] == "julia:1.11"
    assert (full.get_container(settings=None) or {})["args"] == ["--a={{.inputs.a}}", "{{ .Inputs.b }}"]
    assert full.get_k8s_pod(settings=None) == {"primaryContainer": "primary", "labels": {"team": "data"}}
    assert container().get_k8s_pod() is None
    assert full.get_extended_resources(settings=None) == {"accelerator": {"device": "nvidia-tesla-t4"}}
    assert container().get_extended_resources() is None
    assert full.construct_node_metadata() == {
        "name": "full",
        "retries": 3,
        "timeout": "1m",
        "cache": {"version": "1"},
    }


@pytest.mark.parametrize("method", ["get_config", "get_custom", "get_sql"])
def test_a_manifest_has_no_free_form_configuration(method: str) -> None:
    assert getattr(full, method)(settings=None) is None
    full.get_config(None)
    full.get_custom(None)
    full.get_sql(None)


METHODS = ("get_config", "get_container", "get_custom", "get_extended_resources", "get_k8s_pod", "get_sql")


@pytest.mark.parametrize("method", METHODS)
def test_there_are_no_serialization_settings(method: str) -> None:
    with pytest.raises(TypeError, match=f"{method} takes no serialization settings"):
        getattr(full, method)(object())


# ---- running it, with another engine --------------------------------------------------------------------------------

ENGINE = """#!{python}
# Stands in for docker: what it is asked for goes into a file, and it writes the outputs it is told to.
import json, os, pathlib, sys
if sys.argv[1] == "version":
    sys.exit(0)
with open(os.environ["ASKED"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
places = {{m.split("target=")[1]: m.split("source=")[1].split(",")[0] for m in sys.argv if m.startswith("type=bind")}}
for name, text in json.loads(os.environ["WRITES"]).items():
    (pathlib.Path(places["/var/outputs"]) / name).write_text(text)
print("from the container")
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """An engine that writes the outputs it is told to; what it was asked for."""
    program = tmp_path / "engine"
    program.write_text(ENGINE.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv(engine.VARIABLE, str(program))
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    monkeypatch.setenv("WRITES", "{}")

    def asked_for(**writes: str) -> list[list[str]]:
        monkeypatch.setenv("WRITES", json.dumps(writes))
        file = tmp_path / "asked"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    return asked_for


add = container(
    name="add",
    command=["add", "{{.inputs.a}}", "to={{.inputs.b}}"],
    inputs={"a": int, "b": (int, 1)},
    outputs={"sum": int},
)


def test_inputs_stand_in_the_command_whole_and_within_texts(asked: Callable[..., list[list[str]]]) -> None:
    asked(sum="5")
    assert add(a=2, b=3) == 5
    line = asked()[0]
    assert line[-5:] == ["--entrypoint", "add", "alpine:3", "2", "to=3"]


def test_it_can_be_executed_in_every_way_of_the_page(asked: Callable[..., list[list[str]]]) -> None:
    asked(sum="5")
    assert add.execute(a=2, b=3) == 5
    assert add.local_execute(None, a=2, b=3) == add.local_execute(ctx=current_scope(), a=2, b=3) == 5
    assert add.dispatch_execute(ctx=None, input_literal_map={"a": 2}) == {"sum": 5}
    assert add.sandbox_execute(None, {"a": 2, "b": 3}) == {"sum": 5}
    assert add.sandbox_execute(ctx=None, input_literal_map={"a": 2}) == {"sum": 5}
    assert add.local_execution_mode() == "LOCAL_TASK_EXECUTION"
    assert [line[-1] for line in asked()] == ["to=3", "to=3", "to=3", "to=1", "to=3", "to=1"]


@pytest.mark.parametrize(("given", "message"), [({}, "'a' is missing"), ({"a": 1, "c": 2}, "'c' is unknown")])
def test_a_direct_run_names_the_input_that_is_wrong(given: dict[str, Any], message: str) -> None:
    with pytest.raises(FlyteAssertion, match=message):
        add.dispatch_execute(None, given)


def test_there_are_no_flyte_contexts() -> None:
    with pytest.raises(TypeError, match="takes no context"):
        add.dispatch_execute("context", {"a": 1})  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(TypeError, match="or a scope of Windlass as ctx"):
        add.local_execute("context", a=1)
    with pytest.raises(TypeError, match="or a scope of Windlass as ctx"):
        add.compile("context", a=1)


def test_it_makes_a_node_in_a_workflow_that_is_being_compiled() -> None:
    @workflow
    def adding(n: int) -> int:
        add.compile(current_scope(), a=n)
        with pytest.raises(FlyteAssertion, match="can't run while a workflow is being compiled"):
            add.local_execute(a=n)
        return add.compile(None, n, b=2)  # type: ignore[no-any-return]  # a promise

    assert [node.name for node in adding.nodes] == ["add", "add"]
    with pytest.raises(FlyteAssertion, match="Cannot create node when not compiling"):
        add.compile(ctx=None, args=(), kwargs={})


def test_a_subclass_may_prepare_and_finish_each_run(asked: Callable[..., list[list[str]]]) -> None:
    class Careful(ContainerTask):
        def pre_execute(self, user_params: Any) -> Any:
            seen.append(user_params.task_id.name)
            return super().pre_execute(user_params)

        def post_execute(self, user_params: Any, rval: Any) -> Any:
            seen.append(user_params.task_id.name)
            return super().post_execute(user_params=user_params, rval=rval) + 1

    seen: list[str] = []
    asked(sum="5")
    careful = Careful(name="careful", image="i", command=["x"], outputs={"sum": int})
    assert careful() == 6
    assert seen == ["careful", "careful"]
    assert container().pre_execute(user_params=None) is None


def test_the_container_s_variables_are_not_this_process_s(asked: Callable[..., list[list[str]]]) -> None:
    class Looking(ContainerTask):
        def pre_execute(self, user_params: Any) -> Any:
            seen.append(os.environ.get("ROLE"))
            return user_params

    seen: list[str | None] = []
    Looking(name="looking", image="i", command=["x"], environment={"ROLE": "worker"})()
    assert "ROLE=worker" in asked()[0]
    assert seen == [None]


def test_a_cached_container_is_not_run_again(
    asked: Callable[..., list[list[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDLASS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    asked(sum="5")
    cached = container(inputs={"a": int}, outputs={"sum": int}, cache=True, cache_version="1")
    assert [cached(a=1), cached(a=1), cached(a=2)] == [5, 5, 5]
    assert len(asked()) == 2
    with pytest.raises(ValueError, match="no function whose code could be its cache's version"):
        container(cache=True).overrides  # noqa: B018  the version is found out by the first look


# ---- the engine -----------------------------------------------------------------------------------------------------


def test_the_command_line_is_a_function_of_its_arguments() -> None:
    line = engine.command(
        "docker",
        "windlass-c",
        engine.Container(
            image="alpine:3",
            command=["sh", "-c", "true"],
            args=["x"],
            env={"A": "1 2"},
            mounts={"/var/inputs": "/tmp/in"},
            secrets={"_FSEC_TOKEN": "hidden"},
        ),
    )
    assert line == [
        *["docker", "run", "--rm", "--name", "windlass-c", "--security-opt", "label=disable"],
        *["--mount", "type=bind,source=/tmp/in,target=/var/inputs"],
        *["--env", "A=1 2", "--env", "_FSEC_TOKEN", "--entrypoint", "sh", "alpine:3", "-c", "true", "x"],
    ]


def test_without_a_command_the_image_s_entrypoint_runs() -> None:
    line = engine.command("docker", "n", engine.Container("i", [], ["x"], {}, {}, {}))
    assert line[-2:] == ["i", "x"]
    assert "--entrypoint" not in line


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_docker_comes_before_podman_but_only_if_its_daemon_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(engine.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "podman", "exit 0")
    assert engine.find_engine() == str(tmp_path / "podman")
    program(tmp_path, "docker", "exit 0")
    assert engine.find_engine() == str(tmp_path / "docker")
    program(tmp_path, "docker", "echo 'Is the docker daemon running?' >&2; exit 1")
    assert engine.find_engine() == str(tmp_path / "podman")


def test_without_an_engine_the_error_says_why_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(engine.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "docker", "echo 'Is the docker daemon running?' >&2; exit 1")
    message = r"docker: Is the docker daemon running\?; podman: there is no such program\)\. Install podman"
    with pytest.raises(windlass.FlyteNotImplementedException, match=message):
        container()()
    monkeypatch.setenv(engine.VARIABLE, "nerdctl")
    with pytest.raises(windlass.FlyteNotImplementedException, match="nerdctl: there is no such program"):
        container()()


# ---- texts and files ------------------------------------------------------------------------------------------------


class Colour(Enum):
    RED = "red"
    TWO = 2


TEXTS = [
    (True, "bool", "true"),
    (3, "int", "3"),
    (3.0, "float", "3"),
    (0.1, "float", "0.1"),
    (1.5e300, "float", "1.5e+300"),
    (123456789012345680.0, "float", "123456789012345680"),
    ("NaN", "float", "NaN"),
    (3, "float", "3"),
    ("a b", "str", "a b"),
    (None, "none", "null"),
    (None, "optional[str]", "null"),
    ("x", "optional[str]", "x"),
    ("2024-01-02T03:04:05Z", "datetime", "2024-01-02T03:04:05Z"),
    ("1h2m3s", "timedelta", "1h2m3s"),
    ([1, 2], "list[int]", "[1,2]"),
    (["a", None], "list[optional[str]]", "[a,null]"),
    ([], "list[int]", "[]"),
    ({"a": [1, 2.0], "ä": "b"}, "struct", '{"a":[1,2.0],"ä":"b"}'),
    ({"a": 1}, "dict[str, int]", '{"a":1}'),
    ({"uri": "s3://b/x"}, "file[csv]", "s3://b/x"),
    ([{"uri": "s3://b/x"}], "list[file]", "[s3://b/x]"),
    ({"uri": "x"}, "struct", '{"uri":"x"}'),
    ("YQ==", "bytes", "YQ=="),
    ([1, "a"], "any", '[1,"a"]'),
]


@pytest.mark.parametrize(("value", "type_", "text"), TEXTS, ids=str)
def test_every_type_has_a_text(value: Any, type_: str, text: str) -> None:
    assert templates.text_of(value, parse_type(type_)) == text


def test_a_text_that_looks_like_a_template_is_not_filled_again() -> None:
    assert templates.substituted("{{.inputs.a}}{{$inputs.b}}{{.inputs.c}}", {"a": "{{.inputs.b}}", "b": "2"}) == (
        "{{.inputs.b}}2{{.inputs.c}}"
    )


def test_containers_of_files_are_folders(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).write_text(name)
    uris = [{"uri": str(tmp_path / name)} for name in ("x", "y")]
    inputs = {"files": uris, "named": {"one": uris[0]}, "nested": [[1], [2, 3]], "none": []}
    types = {"files": "list[file]", "named": "dict[str, file]", "nested": "list[list[int]]", "none": "list[int]"}
    folder = tmp_path / "in"
    io.write_inputs(str(folder), inputs, {name: parse_type(text) for name, text in types.items()})
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    found.pop("inputs.json")
    assert found == {
        "files/0": "x",
        "files/1": "y",
        "named/one": "x",
        "nested/0/0": "1",
        "nested/1/0": "2",
        "nested/1/1": "3",
    }
    assert list((folder / "none").iterdir()) == []


@pytest.mark.parametrize("key", ["../x", "a/b", "..", ""])
def test_a_key_that_is_no_file_name_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(FlyteAssertion, match="can't be the name of a file"):
        io.write_inputs(str(tmp_path), {"d": {key: 1}}, {"d": parse_type("dict[str, int]")})


READS: list[tuple[Any, bytes, Any]] = [
    (bool, b"true\n", True),
    (bool, b"FALSE", False),
    (bool, b"1", True),
    (int, b" 7\n", 7),
    (float, b"2.5\n", 2.5),
    (float, b"3", 3.0),
    (float, b"-inf", "-Infinity"),
    (float, b"nan", "NaN"),
    (str, b"  as it is\n", "  as it is\n"),
    (bytes, b"\x00\xff", "AP8="),
    (datetime.datetime, b"2024-01-02 03:04:05+01:00\n", "2024-01-02T03:04:05+01:00"),
    (datetime.date, b"2024-01-02T00:00:00Z", "2024-01-02"),
    (datetime.date, b"2024-01-02\n", "2024-01-02"),
    (datetime.timedelta, b"1h2m3.5s\n", "1h2m3.5s"),
    (datetime.timedelta, str(datetime.timedelta(days=1, hours=2, seconds=3)).encode(), "26h0m03s"),
    (datetime.timedelta, str(datetime.timedelta(seconds=-5)).encode(), "-5.000000s"),
    (Colour, b"red\n", "red"),
    (Colour, b"2", 2),
    (Literal["a", "b"], b"b\n", "b"),
    (list[int], b"[1, 2]", [1, 2]),
    (dict[str, float], b'{"a": 1.5}', {"a": 1.5}),
    (dict, b'{"a": [1]}', {"a": [1]}),
    (int | None, b"null", None),
    (int | None, b"3", 3),
    (str | None, b"null", None),
    (int | str, b"3", 3),
    (int | str, b"three", "three"),
    (Any, b'{"a": 1}', {"a": 1}),
    (Any, b"free text", "free text"),
]


@pytest.mark.parametrize(("python_type", "data", "value"), READS, ids=str)
def test_an_output_is_read_by_its_type(tmp_path: Path, python_type: Any, data: bytes, value: Any) -> None:
    (tmp_path / "y").write_bytes(data)
    kind = kind_of(python_type)
    found = io.read_outputs(str(tmp_path), {"y": (kind.type, kind.schema)}, "c")
    assert found == {"y": value}
    assert type(found["y"]) is type(value)


@pytest.mark.parametrize(
    ("python_type", "data", "message"),
    [
        (bool, b"maybe", "a bool is written true or false"),
        (int, b"2.5", r"the output y of c: expected int, got the text '2\.5'"),
        (float, b"", "expected float"),
        (datetime.timedelta, b"soon", "expected timedelta"),
        (Colour, b"blue", "expected enum"),
        (list[int], b'["a"]', r"expected list\[int\]"),
        (list[int], b"[1", r"expected list\[int\]"),
        (str, b"\xff", "expected str"),
        (None | int, b"x", r"expected optional\[int\]"),
    ],
)
def test_an_output_that_does_not_fit_is_refused(tmp_path: Path, python_type: Any, data: bytes, message: str) -> None:
    (tmp_path / "y").write_bytes(data)
    kind = kind_of(python_type)
    with pytest.raises(FlyteAssertion, match=message):
        io.read_outputs(str(tmp_path), {"y": (kind.type, kind.schema)}, "c")


def read(folder: Path, type_: str) -> Any:
    return io.read_outputs(str(folder), {"y": (parse_type(type_), None)}, "c")["y"]


def test_a_text_has_a_limit_that_files_do_not_have(tmp_path: Path) -> None:
    with (tmp_path / "y").open("wb") as file:
        file.truncate(io.MAX_TEXT + 1)
    with pytest.raises(FlyteAssertion, match="declare a FlyteFile"):
        read(tmp_path, "str")
    assert Path(read(tmp_path, "file")["uri"]).stat().st_size == io.MAX_TEXT + 1


def test_files_folders_and_tables_are_stored_with_their_format(tmp_path: Path) -> None:
    (tmp_path / "y").write_text("a,b")
    stored = read(tmp_path, "file[csv]")
    assert Path(stored["uri"]).read_text() == "a,b"
    assert stored["format"] == "csv"
    assert read(tmp_path, "dataframe[csv]")["format"] == "csv"
    with pytest.raises(FlyteAssertion, match="has written a file, but the type is directory"):
        read(tmp_path, "directory")
    (tmp_path / "y").unlink()
    (tmp_path / "y").mkdir()
    with pytest.raises(FlyteAssertion, match="has written a folder, but the type is file"):
        read(tmp_path, "file")
    with pytest.raises(FlyteAssertion, match="has written a folder, but the type is int"):
        read(tmp_path, "int")
    assert "uri" in read(tmp_path, "dataframe[parquet]")


def test_an_output_that_is_not_there_is_none_if_it_may_be(tmp_path: Path) -> None:
    assert read(tmp_path, "optional[file]") is None
    with pytest.raises(FlyteAssertion, match="has written no file y there"):
        read(tmp_path, "any")


def test_a_file_called_error_wins_over_outputs_and_has_a_limit_too(tmp_path: Path) -> None:
    (tmp_path / "y").write_text("1")
    (tmp_path / "error").write_text(f"bad luck\n{'x' * 2 * io.MAX_TEXT}")
    with pytest.raises(FlyteUserRuntimeException, match=r"^USER:RuntimeError: error=User Error: bad luck") as failed:
        read(tmp_path, "int")
    assert len(str(failed.value)) < io.MAX_TEXT + 100


# ---- the rest -------------------------------------------------------------------------------------------------------


def test_metadata_says_what_is_wrong_with_it() -> None:
    for options, message in [
        ({"cache": True}, "cache_version is not set"),
        ({"cache_serialize": True}, "cache_serialize needs a cache"),
        ({"cache_ignore_input_vars": ("a",)}, "cache_ignore_input_vars needs a cache"),
        ({"timeout": "1h"}, "datetime.timedelta or int seconds"),
    ]:
        with pytest.raises(ValueError, match=message):
            TaskMetadata(**options)  # type: ignore[arg-type]  # that is the mistake


def test_metadata_is_a_value() -> None:
    both = [TaskMetadata(retries=1, timeout=datetime.timedelta(hours=1)) for _ in range(2)]
    assert len(set(both)) == 1
    assert repr(TaskMetadata(retries=1)) == "TaskMetadata(retries=1)"


@task
def consume(area: float) -> float:
    return area


def test_outputs_of_a_container_are_promises_by_name(asked: Callable[..., list[list[str]]]) -> None:
    @workflow
    def areas(a: float) -> tuple[float, str]:
        result = full(a=a)
        return consume(area=result.area), result.metadata

    asked(area="2", metadata="m")
    assert [node.name for node in areas.nodes] == ["full", "consume"]


def test_inputs_and_outputs_have_folders_of_their_own_and_only_where_they_are_needed() -> None:
    with pytest.raises(ValueError, match="can't be in the same folder /data"):
        ContainerTask(name="x", image="i", command=["x"], input_data_dir="/data", output_data_dir="/data/")
    plain = ContainerTask(name="x", image="i", command=["x"])
    assert plain.runner() == {"container": {"command": ["x"]}}
    only_errors = ContainerTask(name="x", image="i", command=["x"], output_data_dir="/out")
    assert only_errors.runner()["container"]["outputDir"] == "/out"


def test_the_images_of_a_workflow_with_container_tasks_are_found() -> None:
    spec = windlass.ImageSpec(name="mine", base_image="debian")
    mine = ContainerTask(name="mine", image=spec, command=["x"])

    @windlass.workflow
    def wf() -> None:
        mine()

    assert list(specs_of([wf])) == [spec]
