"""Values that lie in the store, and travel as a reference: pickles, arrays, JSON lines; hashes, batches, hints."""

from __future__ import annotations

import decimal
import json
import pickle
import subprocess
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Optional, Protocol, Union

import numpy as np
import numpy.typing as npt
import pytest

from windlass import _store
from windlass._exceptions import FlyteDataNotFoundException, TypeTransformerFailedError, UnsupportedTypeError
from windlass._types import argument_of, from_wire, output_of, pickles, resolve, to_wire, type_expression
from windlass._types.annotated import BatchSize, HashMethod, kwtypes
from windlass._types.json_lines import JSON
from windlass_api.types import check_value, parse_type

HERE = argument_of("m.f", "a")


class Model:
    def __init__(self, weight: int) -> None:
        self.weight = weight

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and other.weight == self.weight

    __hash__ = None  # type: ignore[assignment]  # it has none


class Finer(Model):
    pass


class Sized(Protocol):
    def size(self) -> int: ...


class Unpicklable:
    def __reduce__(self) -> Any:
        raise RuntimeError("no")


@dataclass
class Trained:
    name: str
    model: Model
    spare: Optional[Model] = None  # noqa: UP045  users write these
    weights: Optional[npt.NDArray[np.float64]] = None  # noqa: UP045  as above


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nobody has been warned yet, and what is stored goes with the test."""
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", str(tmp_path / "raw"))
    monkeypatch.setattr(pickles, "_warned", set())
    resolve.forget()
    yield
    resolve.forget()


@pytest.fixture
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def there_and_back(value: Any, python_type: Any) -> Any:
    """What a consumer gets; the contract accepts what travels."""
    wire = to_wire(value, python_type, HERE)
    expression, schema = type_expression(python_type)
    assert check_value(wire, parse_type(expression), schema) == []
    return from_wire(json.loads(json.dumps(wire, allow_nan=False)), python_type, HERE)


# ---- pickles --------------------------------------------------------------------------------------------------------


def test_classes_that_nobody_knows_are_pickled_with_one_warning() -> None:
    with pytest.warns(
        UserWarning, match="values of type .*Model travel as pickles, as nothing else carries them"
    ) as told:
        assert type_expression(Model) == ("pickle", None)
        assert type_expression(list[Model]) == ("list[pickle]", None)
        wire = to_wire(Model(3), Model, HERE)
    assert len(told) == 1
    assert set(wire) == {"uri", "type", "format"}
    assert wire["type"] == f"{__name__}.Model"
    assert wire["format"] == "pickle"
    assert pickle.loads(_store.read_bytes(wire["uri"])) == Model(3)
    assert from_wire(wire, Model, HERE) == Model(3)


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(
    ("value", "python_type"),
    [
        ({1, 2}, set[int]),
        (frozenset("a"), frozenset),
        (1 + 2j, complex),
        (decimal.Decimal("1.1"), decimal.Decimal),
        (Finer(1), Model),
        (len, Callable[[Any], int]),
        (int, type[int]),
        (Path("a"), Path),
        ([Model(1), Model(2)], list[Model]),
        ({"a": {1}}, dict[str, set[int]]),
        (Trained("x", Model(1), Model(2)), Trained),
        (None, Optional[Model]),  # noqa: UP045  users write these
        (Model(1), Model | int | None),
        (4, Model | int | None),
        (3, object),
    ],
)
def test_what_is_pickled_comes_back(value: Any, python_type: Any) -> None:
    back = there_and_back(value, python_type)
    assert (back, type(back)) == (value, type(value))


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(
    ("value", "python_type", "words"),
    [
        (None, Model, "Cannot pickle None Value: annotate it as Optional["),
        (3, Model, "Model, got 3 of type int"),
        ([Model(1), 3], list[Model], "Model, got 3 of type int (at [1])"),
        (Unpicklable(), Unpicklable, "it can't be pickled: RuntimeError: no"),
        (Trained("x", None), Trained, "Cannot pickle None Value"),  # type: ignore[arg-type]
    ],
)
def test_what_can_not_be_pickled_is_refused(value: Any, python_type: Any, words: str) -> None:
    with pytest.raises(TypeTransformerFailedError) as error:
        to_wire(value, python_type, HERE)
    assert words in str(error.value)


@pytest.mark.usefixtures("_quiet")
def test_a_protocol_takes_whatever_there_is() -> None:
    assert there_and_back(Model(1), Sized) == Model(1)


@pytest.mark.usefixtures("_quiet")
def test_a_pickle_that_can_not_be_read_says_where_it_is_and_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"cnosuchmodule\nThing\n.")
    reference = {"uri": str(tmp_path / "bad"), "type": "nosuchmodule.Thing", "format": "pickle"}
    with pytest.raises(TypeTransformerFailedError) as error:
        from_wire(reference, Model, HERE)
    assert f"the pickle of nosuchmodule.Thing in {tmp_path}/bad can't be read here: ModuleNotFoundError" in str(
        error.value
    )
    for wire in (3, {}, {"uri": 3}, {"$pickle": 3}, {"$pickle": {"uri": None}}):
        with pytest.raises(TypeTransformerFailedError, match=r"expected the pickle of a value of type .*Model, got"):
            from_wire(wire, Model, HERE)
    with pytest.raises(TypeTransformerFailedError, match=r"expected .*Model, got \{1\} of type set"):
        from_wire(to_wire({1}, set, HERE), Model, HERE)


@pytest.mark.usefixtures("_quiet")
def test_a_pickle_that_is_gone_is_the_store_s_error_with_the_place() -> None:
    with pytest.raises(FlyteDataNotFoundException, match=r"(?s)Failed argument 'a':.*/nowhere"):
        from_wire({"uri": "/nowhere/x", "type": "x"}, Model, HERE)


def test_plain_pickle_does_where_cloudpickle_is_not_installed(tmp_path: Path) -> None:
    script = (
        "import sys, warnings; sys.modules['cloudpickle'] = None; warnings.simplefilter('ignore')\n"
        "from windlass._types import to_wire, from_wire\n"
        "wire = to_wire({1, 2}, set, 'x:')\n"
        "assert from_wire(wire, set, 'x:') == {1, 2}\n"
        "print('pickle' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


# ---- Any ------------------------------------------------------------------------------------------------------------


def test_json_values_are_themselves_under_any() -> None:
    value = {"a": [1, 2.5, None, True, {"b": "c"}]}
    assert to_wire(value, Any, HERE) == value
    assert there_and_back(None, Any) is None


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        [1, {"a": (2, 3)}],
        {1: "a"},
        2**70,
        float("inf"),
        "a\ud800",
        OrderedDict(a=1),
        Model(1),
        {"$pickle": {"uri": "/etc/passwd"}},
        {"uri": "/etc/passwd", "format": "pickle"},
        [{"$pickle": {"uri": "x", "type": "y"}}],
    ],
    ids=repr,
)
def test_under_any_what_is_no_json_is_pickled_as_a_whole(value: Any) -> None:
    wire = to_wire(value, Any, HERE)
    assert list(wire) == ["$pickle"]
    back = there_and_back(value, Any)
    assert (back, type(back)) == (value, type(value))
    assert there_and_back([value], list[Any]) == [value]
    assert there_and_back({"a": value}, dict[str, Any]) == {"a": value}


def test_under_any_a_pickle_is_told_with_its_reason_once() -> None:
    with pytest.warns(
        UserWarning, match=r"type tuple travel as pickles, as a value of type Any: expected a JSON"
    ) as told:
        to_wire((1,), Any, HERE)
        to_wire((2,), Any, HERE)
    assert len(told) == 1


@pytest.mark.usefixtures("_quiet")
def test_a_pickle_is_read_where_any_is_expected_and_the_other_way_round() -> None:
    assert from_wire(to_wire(Model(1), Model, HERE), Any, HERE) == Model(1)
    assert from_wire([to_wire(Model(1), Model, HERE)], Any, HERE) == [Model(1)]
    assert from_wire(to_wire(Model(1), Any, HERE), Model, HERE) == Model(1)


@pytest.mark.parametrize(
    "wire", [{"$pickle": 3}, {"$pickle": {"path": "x"}}, {"uri": 3, "format": "pickle"}, {"uri": "x", "format": "csv"}]
)
def test_what_only_looks_like_a_pickle_is_data(wire: Any) -> None:
    assert from_wire(wire, Any, HERE) == wire


@pytest.mark.usefixtures("_quiet")
def test_under_any_even_what_contains_itself_travels() -> None:
    endless: list[Any] = []
    endless.append(endless)
    back = there_and_back(endless, Any)
    assert back[0] is back


@pytest.mark.usefixtures("_quiet")
def test_a_bare_dict_is_json_unless_pickles_are_allowed() -> None:
    open_dict = Annotated[dict, kwtypes(allow_pickle=True)]
    assert there_and_back({1: {2}}, open_dict) == {1: {2}}
    assert to_wire({"a": 1}, open_dict, HERE) == {"a": 1}
    assert type_expression(open_dict) == ("dict[str, any]", None)
    with pytest.raises(TypeTransformerFailedError, match=r"expected a JSON value .*, got \{2\} of type set \(at a\)"):
        to_wire({"a": {2}}, dict, HERE)
    with pytest.raises(TypeTransformerFailedError, match="the keys of a dict must be str, got the key 1"):
        to_wire({1: 2}, dict, HERE)


# ---- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize("item", [Model, Any])
def test_pickles_of_a_list_may_come_in_batches(item: Any) -> None:
    models = [Model(number) for number in range(5)]
    batched = Annotated[list[item], BatchSize(2)]
    wire = to_wire(models, batched, HERE)
    assert len(wire) == 3
    assert from_wire(wire, batched, HERE) == models
    assert from_wire(wire, list[item], HERE) == models
    assert to_wire([], batched, HERE) == []
    assert type_expression(batched) == type_expression(list[item])
    with pytest.raises(TypeTransformerFailedError, match="got 3 of type int"):
        to_wire(3, batched, HERE)


@pytest.mark.usefixtures("_quiet")
def test_a_batch_is_checked_item_by_item_and_can_not_be_taken_for_one() -> None:
    batched = Annotated[list[Model], BatchSize(2)]
    with pytest.raises(TypeTransformerFailedError, match=r"got 3 of type int \(at \[1\]\)"):
        to_wire([Model(1), 3], batched, HERE)
    wire = to_wire([Model(1), Model(2)], batched, HERE)
    with pytest.raises(TypeTransformerFailedError, match=r"expected .*Model, got \[.* of type list"):
        from_wire(wire[0], Model, HERE)


def test_json_values_need_no_batches() -> None:
    assert to_wire([1, 2, 3], Annotated[list[Any], BatchSize(2)], HERE) == [1, 2, 3]


def test_batches_of_what_is_not_pickled_mean_nothing_which_is_told() -> None:
    with pytest.warns(UserWarning, match=r"BatchSize\(2\) means nothing for list\[int\]: its items are not pickled"):
        assert to_wire([1, 2, 3], Annotated[list[int], BatchSize(2)], HERE) == [1, 2, 3]


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "2"])
def test_a_batch_has_at_least_one_item(size: Any) -> None:
    with pytest.raises(ValueError, match="BatchSize takes a whole number of items, at least 1"):
        BatchSize(size)


# ---- numpy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.array([1.5, np.nan]),
        np.array(["a", "bc"]),
        np.zeros((0, 4), dtype="complex64"),
        np.array(5),
        np.array([("a", 1)], dtype=[("name", "U3"), ("n", "i4")]),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_are_files(array: npt.NDArray[Any]) -> None:
    assert type_expression(np.ndarray) == ("file[npy]", None)
    assert type_expression(npt.NDArray[np.float64]) == ("file[npy]", None)
    back = there_and_back(array, np.ndarray)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype


def test_arrays_of_objects_need_permission() -> None:
    objects = np.array([{"a": 1}, None], dtype=object)
    with pytest.raises(TypeTransformerFailedError, match=r"has to be pickled; say so: .*kwtypes\(allow_pickle=True\)"):
        to_wire(objects, np.ndarray, HERE)
    allowed = Annotated[np.ndarray, kwtypes(allow_pickle=True)]
    assert list(there_and_back(objects, allowed)) == [{"a": 1}, None]
    with pytest.raises(TypeTransformerFailedError, match="allow_pickle=False"):
        from_wire(to_wire(objects, allowed, HERE), np.ndarray, HERE)


def test_a_consumer_may_map_the_file() -> None:
    wire = to_wire(np.arange(3), np.ndarray, HERE)
    mapped = from_wire(wire, Annotated[np.ndarray, kwtypes(mmap_mode="r")], HERE)
    assert isinstance(mapped, np.memmap)
    assert mapped.tolist() == [0, 1, 2]


def test_arrays_may_be_anywhere() -> None:
    held = there_and_back({"a": [np.arange(2), None]}, dict[str, list[Optional[np.ndarray]]])  # noqa: UP045  users write these
    assert held["a"][0].tolist() == [0, 1]
    assert held["a"][1] is None


@pytest.mark.parametrize("value", [[1, 2], 3, None])
def test_what_is_no_array_is_refused(value: Any) -> None:
    with pytest.raises(TypeTransformerFailedError, match=r"expected numpy\.ndarray, got"):
        to_wire(value, np.ndarray, HERE)
    with pytest.raises(TypeTransformerFailedError, match="expected the file of a numpy array, got"):
        from_wire(value, np.ndarray, HERE)


# ---- iterators ------------------------------------------------------------------------------------------------------


def test_iterators_of_json_are_files_of_lines_read_one_by_one() -> None:
    seen = []

    def produce() -> Iterator[Any]:
        for number in range(3):
            seen.append(number)
            yield {"number": number, "text": "ü\n\u2028"}

    assert type_expression(Iterator[JSON]) == ("file[jsonl]", None)
    wire = to_wire(produce(), Iterator[JSON], HERE)
    assert seen == [0, 1, 2]
    assert len(_store.read_bytes(wire["uri"]).splitlines()) == 3
    lines = from_wire(wire, Iterator[JSON], HERE)
    assert next(lines) == {"number": 0, "text": "ü\n\u2028"}
    assert len(list(lines)) == 2
    assert list(there_and_back([1, None, "a"], Iterator[JSON])) == [1, None, "a"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (iter([1, {2}]), r"item 2 is no JSON: expected a JSON value .*, got \{2\} of type set"),
        (iter([float("nan")]), "item 1 is no JSON: nan would come back as text"),
        ({"a": 1}, "expected an iterator of JSON values, got {'a': 1} of type dict"),
    ],
)
def test_lines_are_json_and_nothing_else(value: Any, words: str) -> None:
    with pytest.raises(TypeTransformerFailedError, match=words):
        to_wire(value, Iterator[JSON], HERE)


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("1\n\n{oops\n")
    lines = from_wire({"uri": str(tmp_path / "a.jsonl")}, Iterator[JSON], HERE)
    assert next(lines) == 1
    with pytest.raises(TypeTransformerFailedError, match=r"a.jsonl, line 3: this is no JSON"):
        next(lines)
    with pytest.raises(TypeTransformerFailedError, match="expected a file of JSON lines, got 3"):
        from_wire(3, Iterator[JSON], HERE)


def test_json_alone_is_any_without_pickles() -> None:
    assert type_expression(JSON) == ("any", None)
    assert there_and_back({"a": [1]}, JSON) == {"a": [1]}
    with pytest.raises(TypeTransformerFailedError, match="expected a JSON value"):
        to_wire({1}, JSON, HERE)


def test_other_iterators_are_lists_on_the_wire() -> None:
    assert to_wire(iter([1, 2]), Iterator[int], HERE) == [1, 2]
    back = there_and_back((number for number in (1, 2)), Iterator[int])
    assert next(back) == 1
    assert list(back) == [2]
    with pytest.raises(TypeTransformerFailedError, match=r"expected int, got 'x' of type str \(at \[1\]\)"):
        to_wire(iter([1, "x"]), Iterator[int], HERE)
    with pytest.raises(TypeTransformerFailedError, match=r"expected Iterator\[int\], got 3"):
        to_wire(3, Iterator[int], HERE)


# ---- hashes ---------------------------------------------------------------------------------------------------------


def total(array: npt.NDArray[Any]) -> str:
    return f"sum {array.sum()}"


HASHED = Annotated[np.ndarray, HashMethod(total)]


@pytest.mark.usefixtures("_quiet")
def test_a_hash_method_gives_a_reference_its_digest() -> None:
    assert to_wire(np.arange(3), HASHED, HERE)["hash"] == "sum 3"
    assert to_wire([np.arange(2)], list[HASHED], HERE)[0]["hash"] == "sum 1"
    assert to_wire(np.arange(3), Optional[HASHED], HERE)["hash"] == "sum 3"  # noqa: UP045  users write these
    assert to_wire({1}, Annotated[Any, HashMethod(repr)], HERE)["$pickle"]["hash"] == "{1}"
    assert "hash" not in to_wire(np.arange(3), np.ndarray, HERE)
    assert type_expression(HASHED) == type_expression(np.ndarray)
    assert from_wire(to_wire(np.arange(3), HASHED, HERE), np.ndarray, HERE).tolist() == [0, 1, 2]


def test_a_hash_of_what_travels_inline_is_not_used_which_is_told_once() -> None:
    hashed = Annotated[int, HashMethod(str)]
    with pytest.warns(
        UserWarning, match="the HashMethod beside int is not used: 3 of type int travels by itself"
    ) as told:
        assert to_wire(3, hashed, HERE) == 3
        assert to_wire(4, hashed, HERE) == 4
    assert len(told) == 1


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda array: array.nothing(), "its HashMethod failed: AttributeError"),
        (lambda array: 3, "its HashMethod should return a text, it returned 3 of type int"),
    ],
)
def test_a_hash_method_that_fails_is_told(function: Any, words: str) -> None:
    with pytest.raises(TypeTransformerFailedError, match=words):
        to_wire(np.arange(3), Annotated[np.ndarray, HashMethod(function)], HERE)


# ---- unions of references, hints ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_quiet")
def test_references_of_a_union_say_their_kind() -> None:
    union = Union[np.ndarray, Model, set, int]  # type: ignore[type-arg]  # noqa: UP007  users write these
    assert to_wire(np.arange(2), union, HERE)["kind"] == "file[npy]"
    assert there_and_back(np.arange(2), union).tolist() == [0, 1]
    assert there_and_back({3}, union) == {3}
    assert there_and_back(Model(2), union) == Model(2)
    assert there_and_back(7, union) == 7


@pytest.mark.usefixtures("_quiet")
def test_data_that_looks_like_a_reference_is_ambiguous_beside_one() -> None:
    union = np.ndarray | dict[str, Any]
    assert there_and_back({"a": 1}, union) == {"a": 1}
    assert there_and_back(np.arange(2), union).tolist() == [0, 1]
    with pytest.raises(TypeError, match="Ambiguous choice of variant for union type"):
        to_wire({"uri": "x"}, union, HERE)


def test_hints_can_be_hashed_so_that_an_optional_takes_them() -> None:
    assert hash(kwtypes(a=int)) == hash(kwtypes(a=int))
    assert Optional[Annotated[np.ndarray, kwtypes(allow_pickle=True)]] is not None  # noqa: UP045  users write these
    assert kwtypes(a=int, b=str) == {"a": int, "b": str}


def test_outputs_that_do_not_fit_name_task_and_position() -> None:
    with pytest.raises(TypeTransformerFailedError) as error:
        to_wire([1], np.ndarray, output_of("m.f", 0))
    assert str(error.value) == (
        "Failed to convert outputs of task 'm.f' at position 0.\n"
        "Failed to convert type list to type numpy.ndarray.\n"
        "Error Message: expected numpy.ndarray, got [1] of type list"
    )


def test_a_name_that_leads_nowhere_is_no_pickle() -> None:
    with pytest.raises(UnsupportedTypeError, match="could not be resolved"):
        type_expression("Nowhere")
