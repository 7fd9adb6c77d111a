"""Classes of users and of other libraries: transformers, where they are looked for, and values inside others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Optional

import pandas as pd
import pydantic
import pytest

from windlass._data.datasets import StructuredDataset
from windlass._data.files import FlyteFile
from windlass._data.folders import FlyteDirectory
from windlass._exceptions import DuplicateHandlerError, TypeTransformerFailedError
from windlass._task import task
from windlass._types import argument_of, from_wire, resolve, to_wire, type_expression
from windlass._types.transformer import TypeEngine, TypeTransformer
from windlass._workflow import workflow
from windlass_api.types import check_value, descend, parse_type

HERE = argument_of("m.f", "a")


class Point:
    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]  # it has none


class Corner(Point):
    pass


class Vector(Point):
    pass


class PointTransformer(TypeTransformer[Point]):
    def __init__(self, t: type[Point] = Point) -> None:
        super().__init__("point", t)

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        return "str", {"type": "string", "pattern": "^.*,.*$"}

    def to_wire(self, value: Point, python_type: Any) -> Any:
        if not isinstance(value, Point):
            raise TypeTransformerFailedError(f"expected a point, got {value!r}")
        return f"{value.x},{value.y}"

    def from_wire(self, value: Any, python_type: Any) -> Point:
        made: Point = python_type(*map(float, value.split(",")))
        return made


class Careless(PointTransformer):
    def to_wire(self, value: Point, python_type: Any) -> Any:
        return {"x": (value.x,)}


class Shade(Enum):
    DARK = "dark"


@dataclass
class Line:
    start: Point
    end: Optional[Point] = None  # noqa: UP045  users write these


class Own:
    __windlass_transformer__ = f"{__name__}:OwnTransformer"


class OwnTransformer(TypeTransformer[Own]):
    def __init__(self) -> None:
        super().__init__("own", Own)

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        return "none", None

    def to_wire(self, value: Own, python_type: Any) -> Any:
        return None

    def from_wire(self, value: Any, python_type: Any) -> Own:
        return Own()


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(TypeEngine, "registered", dict(TypeEngine.registered))
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", str(tmp_path / "raw"))
    resolve.forget()
    yield
    monkeypatch.undo()
    resolve.forget()


def there_and_back(value: Any, python_type: Any) -> Any:
    """What a consumer gets; the contract accepts what travels."""
    wire = to_wire(value, python_type, HERE)
    expression, schema = type_expression(python_type)
    assert check_value(wire, parse_type(expression), schema) == []
    return from_wire(json.loads(json.dumps(wire, allow_nan=False)), python_type, HERE)


# ---- registration ---------------------------------------------------------------------------------------------------


def test_a_registered_transformer_carries_its_class_wherever_it_is() -> None:
    TypeEngine.register(PointTransformer())
    assert to_wire(Point(1, 2), Point, HERE) == "1,2"
    assert there_and_back(Point(1, 2), Point) == Point(1, 2)
    assert there_and_back([Point(1, 2)], list[Point]) == [Point(1, 2)]
    assert there_and_back({"a": None}, dict[str, Optional[Point]]) == {"a": None}  # noqa: UP045  users write these
    assert there_and_back(Line(Point(1, 2)), Line) == Line(Point(1, 2))
    assert type_expression(Point) == ("str", {"type": "string", "pattern": "^.*,.*$"})
    assert str(descend(parse_type("struct"), type_expression(Line)[1], ("start",))[0]) == "str"


def test_registration_reaches_annotations_that_were_looked_at_before() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert type_expression(list[Point])[0] == "list[pickle]"
    TypeEngine.register(PointTransformer())
    assert type_expression(list[Point])[0] == "list[str]"


def test_subclasses_use_it_unless_they_have_their_own() -> None:
    TypeEngine.register(PointTransformer())
    assert there_and_back(Corner(1, 2), Corner) == Corner(1, 2)
    TypeEngine.register(PointTransformer(Vector))
    assert there_and_back(Vector(1, 2), Vector) == Vector(1, 2)


def test_one_transformer_may_carry_several_classes() -> None:
    TypeEngine.register(PointTransformer(Corner), additional_types=[Vector])
    assert there_and_back(Vector(1, 2), Vector) == Vector(1, 2)
    assert resolve.handler_of(Point) is None


def test_a_second_transformer_for_a_class_is_refused_and_changes_nothing() -> None:
    TypeEngine.register(PointTransformer())
    with pytest.raises(DuplicateHandlerError, match=r"which <transformer point of .*Point> carries already") as error:
        TypeEngine.register(PointTransformer(Corner), additional_types=[Point])
    assert isinstance(error.value, ValueError)
    assert Corner not in TypeEngine.registered


@pytest.mark.parametrize("taken", [int, str, bytes, list, dict, datetime, type(None), pd.DataFrame, FlyteFile, Own])
def test_what_windlass_carries_itself_is_taken(taken: Any) -> None:
    with pytest.raises(
        DuplicateHandlerError, match="carries already; to use it for one value, put it into the annotation"
    ):
        TypeEngine.register(PointTransformer(taken))


def test_dataclasses_and_enums_may_be_given_a_transformer() -> None:
    TypeEngine.register(PointTransformer(Line))  # type: ignore[arg-type]  # for any class
    TypeEngine.register(PointTransformer(Shade))  # type: ignore[arg-type]  # likewise
    assert type_expression(Line)[0] == type_expression(Shade)[0] == "str"


def test_a_transformer_in_the_annotation_is_used_before_all_others() -> None:
    annotated = Annotated[Point, PointTransformer(), "a note"]
    assert to_wire(Point(1, 2), annotated, HERE) == "1,2"
    seen = []

    class Curious(PointTransformer):
        def to_wire(self, value: Point, python_type: Any) -> Any:
            seen.append(python_type)
            return super().to_wire(value, python_type)

    curious = Annotated[int, Curious(), "a note"]
    to_wire([Point(1, 2)], list[curious], HERE)
    assert seen == [curious]


def test_a_class_may_name_its_transformer() -> None:
    assert type_expression(Own) == ("none", None)
    assert isinstance(there_and_back(Own(), Own), Own)


def test_a_transformer_needs_all_three_methods() -> None:
    class Half(TypeTransformer[Point]):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Half("half", Point)  # type: ignore[abstract]  # that is it


# ---- errors ---------------------------------------------------------------------------------------------------------


def test_what_a_transformer_refuses_is_told_with_the_place() -> None:
    TypeEngine.register(PointTransformer())
    with pytest.raises(TypeTransformerFailedError) as error:
        to_wire([Point(1, 2), 3], list[Point], HERE)
    assert str(error.value) == (
        "Failed to convert inputs of task 'm.f':\n  Failed argument 'a': expected a point, got 3 (at [1])"
    )
    assert isinstance(error.value.__cause__, TypeTransformerFailedError)
    with pytest.raises(TypeTransformerFailedError, match="ValueError: could not convert string to float: 'x'"):
        from_wire("x,y", Point, HERE)


def test_what_a_transformer_writes_must_be_json() -> None:
    TypeEngine.register(Careless())
    with pytest.raises(TypeTransformerFailedError, match=r"wrote what is no JSON: expected a JSON value .*\(at x\)"):
        to_wire(Point(1, 2), Point, HERE)


# ---- files and frames inside others ---------------------------------------------------------------------------------


@dataclass
class Report:
    made: datetime
    text: FlyteFile
    table: Optional[FlyteFile["csv"]] = None  # type: ignore[name-defined]  # noqa: UP045, UP037, F821  users write these
    folders: Optional[list[FlyteDirectory]] = None  # noqa: UP045  likewise
    frame: Optional[pd.DataFrame] = None  # noqa: UP045  likewise
    data: Optional[StructuredDataset] = None  # noqa: UP045  likewise


class Model(pydantic.BaseModel):
    text: FlyteFile
    name: str = "x"


def test_files_and_frames_may_stand_anywhere(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "folder").mkdir()
    frame = pd.DataFrame({"a": [1, 2]})
    report = Report(
        datetime(2024, 1, 1, tzinfo=timezone.utc),
        FlyteFile(str(tmp_path / "a.txt")),
        folders=[FlyteDirectory(str(tmp_path / "folder"))],
        frame=frame,
        data=StructuredDataset(dataframe=frame),
    )
    back = there_and_back([report], list[Report])[0]
    assert Path(back.text).read_text() == "hello"
    assert back.table is None
    assert os.path.isdir(back.folders[0])  # noqa: PTH112  it is an os.PathLike
    assert back.frame.equals(frame)
    assert back.data.open(pd.DataFrame).all().equals(frame)
    held = there_and_back({"k": frame, "n": None}, dict[str, Optional[pd.DataFrame]])  # noqa: UP045  users write these
    assert held["k"].equals(frame)
    files = there_and_back([FlyteFile(str(tmp_path / "a.txt"))], list[FlyteFile])
    assert Path(files[0]).read_text() == "hello"


def test_parts_of_a_dataclass_that_are_files_have_types_for_promises() -> None:
    schema = type_expression(Report)[1]
    for name, expected in (("text", "file"), ("table", "optional[file[csv]]"), ("frame", "optional[dataframe]")):
        assert str(descend(parse_type("struct"), schema, (name,))[0]) == expected


def test_a_pathlike_is_given_the_file_untouched(tmp_path: Path) -> None:
    assert type_expression(os.PathLike) == ("file", None)
    (tmp_path / "a.txt").write_text("hello")
    back = there_and_back(str(tmp_path / "a.txt"), os.PathLike)
    assert isinstance(back, FlyteFile)
    assert Path(back).read_text() == "hello"


def test_a_file_or_a_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    union = FlyteFile | FlyteDirectory | str | None
    assert type(there_and_back(FlyteFile(str(tmp_path / "a.txt")), union)) is FlyteFile
    assert type(there_and_back(FlyteDirectory(str(tmp_path)), union)) is FlyteDirectory
    assert there_and_back("a text", union) == "a text"
    assert there_and_back(str(tmp_path / "a.txt"), union) == str(tmp_path / "a.txt")
    assert there_and_back(None, union) is None


# ---- in tasks -------------------------------------------------------------------------------------------------------


@task
def moved(line: Line, by: float) -> Line:
    return Line(Point(line.start.x + by, line.start.y))


@task
def wrong(line: Line) -> list[Point]:
    return [line.start, line]  # type: ignore[list-item]  # that is it


@workflow
def moving(line: Line, by: float = 1.0) -> Line:
    return moved(line=moved(line=line, by=by), by=by)


def test_values_of_users_classes_flow_through_workflows() -> None:
    TypeEngine.register(PointTransformer())
    assert moving(line=Line(Point(0, 0))) == Line(Point(2, 0))


def test_errors_say_which_argument_or_output_of_which_task() -> None:
    TypeEngine.register(PointTransformer())
    with pytest.raises(TypeTransformerFailedError) as error:
        moved(line=Line("here"), by=1.0)  # type: ignore[arg-type]
    assert f"Failed to convert inputs of task '{moved.name}':\n  Failed argument 'line': expected a point" in str(
        error.value
    )
    assert "(at start)" in str(error.value)
    with pytest.raises(TypeTransformerFailedError) as error:
        wrong(line=Line(Point(0, 0)))
    assert f"Failed to convert outputs of task '{wrong.name}' at position 0." in str(error.value)
    assert "expected a point, got Line(" in str(error.value)


# ---- what is loaded -------------------------------------------------------------------------------------------------


def test_no_annotation_loads_more_than_it_needs() -> None:
    script = (
        "import sys; before = set(sys.modules)\n"
        "import windlass._types as types\n"
        "for kind in (int, str, float, bool, None, list[int], dict[str, list[bool]], int | None):\n"
        "    types.type_expression(kind)\n"
        "types.to_wire([1], list[int], 'x:')\n"
        "print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.stderr == ""
    heavy = {"json", "dataclasses", "inspect", "datetime", "pickle", "pathlib", "asyncio", "binascii", "copy"}
    ours = {"times", "structs", "enums", "transformer", "models", "messages", "arrays", "json_lines", "keyed", "hashed"}
    loaded = set(done.stdout.split())
    assert "windlass._types.unions" in loaded
    assert sorted(loaded & (heavy | {f"windlass._types.{name}" for name in ours})) == []
