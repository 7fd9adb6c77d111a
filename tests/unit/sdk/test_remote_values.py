"""Values of runs: types of the contract as annotations, inputs to JSON, outputs from it, downloads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from windlass import _types, task
from windlass._artifacts import Artifact
from windlass._bindings import kind_of
from windlass._exceptions import FlyteValueException, TypeTransformerFailedError
from windlass._remote import values
from windlass._remote.contract_types import annotation_of, interface_of
from windlass._remote.executing import refuse_local_files
from windlass._remote.values import Outputs


@dataclass
class Point:
    x: int
    y: float


class Colour(Enum):
    RED = "red"


def declared(python_type: Any) -> dict[str, Any]:
    expression, schema = _types.type_expression(python_type)
    return {"type": expression} if schema is None else {"type": expression, "schema": schema}


@pytest.mark.parametrize(
    ("python_type", "value"),
    [
        (int, 5),
        (float, 1.5),
        (str, "x"),
        (bool, True),
        (datetime, datetime(2024, 1, 2, tzinfo=timezone.utc)),
        (bytes, b"abc"),
        (list[int], [1, 2]),
        (dict[str, list[float]], {"a": [1.5]}),
        (int | None, None),
        (int | str, "x"),
        (Point, Point(1, 2.5)),
        (list[Point], [Point(1, 2.5)]),
        (Colour, Colour.RED),
        (dict[int, str], {3: "x"}),
    ],
)
def test_a_type_of_the_contract_carries_what_the_python_type_does(python_type: Any, value: Any) -> None:
    """Given as the author's own class, and wired as strictly as in the author's module."""
    annotation = annotation_of(declared(python_type))
    assert kind_of(annotation).type == kind_of(python_type).type
    assert kind_of(annotation).schema == kind_of(python_type).schema
    wire = _types.to_wire(value, python_type, "x:")
    if python_type != list[Point]:  # a list of objects is given as JSON
        assert _types.to_wire(value, annotation, "x:") == wire
    back = _types.from_wire(wire, annotation, "x:")
    assert _types.to_wire(back, annotation, "x:") == wire


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(TypeTransformerFailedError):
        _types.to_wire("five", annotation_of({"type": "int"}), "x:")
    with pytest.raises(TypeTransformerFailedError):
        _types.to_wire(["five"], annotation_of({"type": "list[int]"}), "x:")


def test_the_interface_of_a_spec_has_its_defaults() -> None:
    found = interface_of(
        {
            "inputs": {
                "a": {"type": "int"},
                "b": {"type": "datetime", "default": "2024-01-02T00:00:00Z"},
                "c": {"type": "optional[int]"},
                "d": {"type": "int", "artifact": {"name": "x"}},
            },
            "outputs": {"first": {"type": "int"}, "second": {"type": "str"}},
        }
    )
    assert [name for name, one in found.inputs.items() if one.required] == ["a"]
    assert found.inputs["b"].default == datetime(2024, 1, 2, tzinfo=timezone.utc)
    assert found.pack({"first": 1, "second": "x"}).second == "x"
    assert interface_of({"outputs": {"o0": {"type": "int"}}}).pack({"o0": 5}) == 5
    assert interface_of({}).pack({}) is None


# ---- outputs ----


def test_outputs_are_converted_when_they_are_asked_for() -> None:
    outputs = Outputs(
        {"o0": "2024-01-02T00:00:00Z", "point": {"x": 1, "y": 2.5}, "bad": "five"},
        {"o0": {"type": "datetime"}, "point": {"type": "struct"}, "bad": {"type": "int"}},
        what="the outputs of x",
    )
    assert outputs.o0 == outputs["o0"] == datetime(2024, 1, 2, tzinfo=timezone.utc)
    assert outputs.get("point") == {"x": 1, "y": 2.5}
    assert outputs.get("point", as_type=Point) == Point(1, 2.5)
    assert list(outputs.native_values) == ["o0", "point"]
    outputs.update_type_hints({"point": Point})
    assert outputs["point"] == Point(1, 2.5)
    assert outputs.literals["o0"] == "2024-01-02T00:00:00Z"
    assert (len(outputs), list(outputs), "o0" in outputs, "o1" in outputs) == (3, ["o0", "point", "bad"], True, False)
    with pytest.raises(TypeTransformerFailedError, match="bad of the outputs of x:"):
        _ = outputs["bad"]


def test_an_output_that_is_not_there_is_a_key_error_and_an_attribute_error() -> None:
    outputs = Outputs({"total": 1}, what="the outputs of x")
    with pytest.raises(KeyError, match="the outputs of x have no totl; did you mean `total`"):
        _ = outputs["totl"]
    with pytest.raises(AttributeError, match="have no totl"):
        _ = outputs.totl
    assert outputs["total"] == 1


def test_annotations_say_more_than_the_contract() -> None:
    outputs = Outputs({"o0": {"x": 1, "y": 2.0}}, {"o0": {"type": "struct"}}, {"o0": Point})
    assert outputs["o0"] == Point(1, 2.0)


# ---- inputs ----


@task
def takes(point: Point, n: int = 3) -> None: ...


def test_inputs_are_those_that_are_given() -> None:
    assert values.inputs_of(takes, {"point": Point(1, 2.5)}) == {"point": {"x": 1, "y": 2.5}}
    assert values.inputs_of(takes, {"point": {"x": 1}, "n": 5}, {"point": dict[str, int]}) == {
        "point": {"x": 1},
        "n": 5,
    }


def test_an_artifact_of_the_cluster_is_an_input_by_its_value() -> None:
    point = Artifact(name="p", version="v", literal={"x": 1, "y": 2.5}, literal_type="struct")
    assert values.inputs_of(takes, {"point": point}) == {"point": {"x": 1, "y": 2.5}}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"point": Point(1, 2.0), "m": 1}, r"Unexpected keyword: .*takes has no such input"),
        ({"n": 1}, "needs the input point"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_before_anything_runs(given: dict[str, Any], why: str) -> None:
    with pytest.raises(FlyteValueException, match=why):
        values.inputs_of(takes, given)
    with pytest.raises(ValueError):
        values.inputs_of(takes, given)


def test_a_file_in_this_process_folder_is_refused() -> None:
    from windlass import _store

    uri = _store.put_bytes(b"x", "a.txt")
    with pytest.raises(AssertionError, match="the input a would be written into a temporary folder"):
        refuse_local_files({"a": [{"uri": uri}], "b": "x"})
    refuse_local_files({"a": {"uri": "s3://bucket/a"}, "b": {"uri": "/shared/volume/a"}})


# ---- downloads ----


def test_files_and_folders_in_values_are_copied(tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "b.txt").write_text("b")
    (tmp_path / "a.txt").write_text("a")
    outputs = Outputs(
        {
            "file": {"uri": str(tmp_path / "a.txt")},
            "nested": [1, {"folder": {"uri": str(tmp_path / "tree")}}],
            "../odd": {"uri": f"file://{tmp_path}/a.txt"},
        }
    )
    found = values.download(outputs, str(tmp_path / "to"))
    assert (tmp_path / "to" / "file" / "a.txt").read_text() == "a"
    assert (tmp_path / "to" / "nested" / "1" / "folder" / "sub" / "b.txt").read_text() == "b"
    assert all(path.startswith(str(tmp_path / "to")) for path in found)
    assert len(values.download(outputs, str(tmp_path / "flat"), recursive=False)) == 2
    with pytest.raises(FlyteValueException, match="no file, folder or table"):
        values.download({"a": 1}, str(tmp_path))
