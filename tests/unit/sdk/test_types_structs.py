"""Dataclasses with everything in them, generic ones, TypedDicts, pydantic models, protobuf messages, FlyteError."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import (  # noqa: UP035  users write Tuple
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NotRequired,
    Optional,
    Tuple,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import pydantic
import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    message_factory,
    struct_pb2,
    wrappers_pb2,
)

from windlass._exceptions import RestrictedTypeError, TypeTransformerFailedError, UnsupportedTypeError
from windlass._types import argument_of, from_wire, to_wire, type_expression
from windlass._types.error import FlyteError
from windlass_api.types import check_value, descend, parse_type

HERE = argument_of("m.f", "a")
WHEN = datetime(2024, 1, 2, tzinfo=timezone.utc)
T = TypeVar("T")
U = TypeVar("U")


class Colour(Enum):
    RED = "red"


@dataclass
class Inner:
    when: datetime
    colour: Colour = Colour.RED


@dataclass
class Other:
    name: str


@dataclass(frozen=True)
class Outer:
    inner: Inner
    maybe: Optional[Inner] = None  # noqa: UP045  users write these
    either: Union[Inner, Other, int] = 3  # noqa: UP007  as above
    by_day: dict[date, list[Inner]] = field(default_factory=dict)
    mode: Literal["fast", "slow"] = "fast"
    note: Any = None
    small: Annotated[int, "between 0 and 9"] = 0


@dataclass
class Box(Generic[T]):
    content: T
    next: Optional[Box[T]] = None  # noqa: UP045  users write these


@dataclass
class Pair(Generic[T, U]):
    first: list[T]
    second: U


@dataclass
class Swapped(Pair[U, str], Generic[U]):
    third: U | None = None


@dataclass
class Secretive:
    seed: InitVar[int]
    x: int = 0


@dataclass
class Lenient:
    seed: InitVar[int] = 3
    x: int = 0


@dataclass(slots=True, kw_only=True)
class Slotted:
    x: int


class Movie(TypedDict):
    name: str
    year: NotRequired[int]


def there_and_back(value: Any, python_type: Any) -> Any:
    """What a consumer gets; the contract accepts what travels."""
    wire = to_wire(value, python_type, HERE)
    expression, schema = type_expression(python_type)
    assert check_value(wire, parse_type(expression), schema) == []
    return from_wire(json.loads(json.dumps(wire, allow_nan=False)), python_type, HERE)


NOON = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)


# ---- dataclasses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        Outer(Inner(NOON)),
        Outer(Inner(NOON), Inner(NOON), Other("x"), {date(2024, 1, 1): [Inner(NOON)]}, "slow", {"a": [1, None]}, 9),
        Outer(Inner(NOON), either=Inner(NOON)),
    ],
)
def test_whatever_a_dataclass_holds_comes_back(value: Any) -> None:
    assert there_and_back(value, Outer) == value
    assert there_and_back([value], list[Outer]) == [value]
    assert there_and_back({"k": value}, Optional[dict[str, Outer]]) == {"k": value}  # noqa: UP045  users write these


def test_the_path_to_what_does_not_fit_goes_through_all_levels() -> None:
    broken = Outer(Inner(NOON), by_day={date(2024, 1, 1): [Inner(NOON), Inner("noon")]})  # type: ignore[arg-type]
    with pytest.raises(TypeTransformerFailedError) as error:
        to_wire([broken], list[Outer], HERE)
    assert str(error.value) == (
        "Failed to convert inputs of task 'm.f':\n  Failed argument 'a': expected datetime.datetime, got 'noon' of type"
        " str (at [0].by_day['2024-01-01'][1].when)"
    )


def test_parts_of_a_dataclass_have_types_for_promises() -> None:
    expression, schema = type_expression(Outer)
    parts = {
        ("inner", "when"): "datetime",
        ("inner", "colour"): "enum",
        ("maybe",): "optional[struct]",
        ("mode",): "enum",
        ("by_day",): "dict[date, list[struct]]",
        ("note",): "any",
    }
    for path, expected in parts.items():
        assert str(descend(parse_type(expression), schema, path)[0]) == expected


def test_a_generic_dataclass_takes_its_parameters() -> None:
    assert there_and_back(Box(1, Box(2)), Box[int]) == Box(1, Box(2))
    assert there_and_back(Pair([1], {"a": 1.5}), Pair[int, dict[str, float]]) == Pair([1], {"a": 1.5})
    with pytest.raises(TypeTransformerFailedError, match=r"expected int, got 'x' of type str \(at next.content\)"):
        to_wire(Box(1, Box("x")), Box[int], HERE)


def test_a_type_variable_that_is_not_given_is_any_and_a_subclass_gives_those_of_its_base() -> None:
    assert there_and_back(Box([1, "x"]), Box) == Box([1, "x"])
    assert there_and_back(Swapped([1], "x", 2), Swapped[int]) == Swapped([1], "x", 2)
    with pytest.raises(TypeTransformerFailedError, match=r"expected str, got 1 of type int \(at second\)"):
        to_wire(Swapped([1], 1, 2), Swapped[int], HERE)  # type: ignore[arg-type]


class Corner(NamedTuple):
    x: int
    name: str = "n"


@dataclass
class Betas:
    size: tuple[int, int] = (1, 2)
    mixed: Optional[Tuple[float, Inner]] = None  # noqa: UP006, UP045  users write these
    many: tuple[int, ...] = ()
    corners: list[Corner] = field(default_factory=list)
    anything: tuple = ()  # type: ignore[type-arg]  # users write it
    some: list = field(default_factory=list)  # type: ignore[type-arg]  # as above


@pytest.mark.parametrize(
    "value",
    [
        Betas(),
        Betas((3, 4), (0.5, Inner(WHEN)), (1, 2, 3), [Corner(1), Corner(2, "m")], ("a", 1), [1, {"a": None}]),
    ],
)
def test_tuples_named_tuples_and_bare_lists_are_fine_as_fields(value: Betas) -> None:
    wire = to_wire(value, Betas, HERE)
    expression, schema = type_expression(Betas)
    assert check_value(wire, parse_type(expression), schema, "x") == []
    assert from_wire(json.loads(json.dumps(wire)), Betas, HERE) == value


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": (1, 2, 3)}, r"tuple\[int, int\] has 2 parts, got 3 \(at size\)"),
        ({"size": (1, "x")}, r"expected int, got 'x' of type str \(at size\[1\]\)"),
        ({"many": {1}}, r"expected tuple\[int, ...\], got \{1\} of type set \(at many\)"),
    ],
)
def test_a_tuple_that_does_not_fit_is_refused_with_the_part(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeTransformerFailedError, match=words):
        to_wire(Betas(**fields), Betas, HERE)
    wire = {"size": [1, 2], "many": [1]} | {name: list(value) for name, value in fields.items()}
    if fields.get("many") is None:
        with pytest.raises(TypeTransformerFailedError, match=words):
            from_wire(wire, Betas, HERE)


def test_a_tuple_is_no_input_even_where_a_field_has_the_same_annotation() -> None:
    pair = tuple[int, int]

    @dataclass
    class Holder:
        point: pair = (1, 2)  # one object for both

    Holder.__annotations__["point"] = pair
    assert to_wire(Holder(), Holder, HERE) == {"point": [1, 2]}
    for annotation in (pair, list[pair]):  # as above
        with pytest.raises(RestrictedTypeError, match="a tuple is how several outputs are written"):
            type_expression(annotation)


def test_an_int_is_a_float_where_a_field_is_one() -> None:
    @dataclass
    class Rates:
        first: float
        more: dict[str, list[float]]

    made = from_wire(to_wire(Rates(1, {"a": [1, 2.5]}), Rates, HERE), Rates, HERE)
    assert made == Rates(1.0, {"a": [1.0, 2.5]})
    assert type(made.first) is float and type(made.more["a"][0]) is float
    for wrong in (True, "1"):
        with pytest.raises(TypeTransformerFailedError, match=r"expected float, got .* \(at first\)"):
            to_wire(Rates(wrong, {}), Rates, HERE)  # type: ignore[arg-type]  # that is the mistake


def test_slots_and_keyword_only_fields_are_no_matter() -> None:
    assert there_and_back(Slotted(x=1), Slotted) == Slotted(x=1)


def test_a_constructor_that_wants_more_than_the_fields_is_refused() -> None:
    with pytest.raises(UnsupportedTypeError, match="its constructor needs 'seed', an InitVar without a default"):
        type_expression(Secretive)
    assert there_and_back(Lenient(x=2), Lenient) == Lenient(x=2)


def test_a_value_of_a_subclass_is_no_value_of_its_base() -> None:
    @dataclass
    class More(Other):
        age: int = 0

    with pytest.raises(TypeTransformerFailedError, match=r"expected .*Other, got .*More"):
        to_wire(More("x"), Other, HERE)


def test_a_field_that_was_deleted_is_told() -> None:
    other = Other("x")
    del other.name
    with pytest.raises(TypeTransformerFailedError, match="has lost its field 'name'"):
        to_wire(other, Other, HERE)


def test_dataclasses_of_a_union_are_told_apart_by_their_fields() -> None:
    union = Inner | Other | None
    assert there_and_back(Other("x"), union) == Other("x")
    assert there_and_back(Inner(NOON), union) == Inner(NOON)
    twin = dataclasses.make_dataclass("Twin", [("name", str)])
    with pytest.raises(TypeError, match=r"Ambiguous choice of variant for union type .*Other .* as well as .*Twin"):
        to_wire(Other("x"), Other | twin, HERE)


def test_a_typed_dict_is_a_struct_of_its_keys() -> None:
    assert type_expression(Movie)[0] == "struct"
    assert there_and_back({"name": "Metropolis", "year": 1927}, Movie) == {"name": "Metropolis", "year": 1927}
    assert there_and_back({"name": "Metropolis"}, Movie) == {"name": "Metropolis"}
    for wrong, words in (({}, "needs the field 'name'"), ({"name": "x", "yaer": 1}, "has no field 'yaer'")):
        with pytest.raises(TypeTransformerFailedError, match=words):
            to_wire(wrong, Movie, HERE)


# ---- pydantic -------------------------------------------------------------------------------------------------------


class Address(pydantic.BaseModel):
    street: str = pydantic.Field(alias="streetName")
    built: date = date(1900, 1, 1)


class Person(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=0, default=1)
    score: float = 0.5
    addresses: list[Address] = []
    price: Decimal = Decimal("1.10")
    key: UUID = UUID(int=1)
    tags: set[str] = set()
    point: tuple[int, float] = (1, 2.0)
    boss: Optional[Person] = None  # noqa: UP045  users write these

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def loud(self) -> str:
        return self.name.upper()


class Ids(pydantic.RootModel[list[int]]):
    pass


class Strict(pydantic.BaseModel):
    model_config = {"strict": True, "extra": "forbid"}
    x: float
    when: datetime = NOON
    inside: tuple[int, ...] = ()


class Wrapper(pydantic.BaseModel, Generic[T]):
    content: T


@dataclass
class Holder:
    person: Person
    ids: Ids


ADA = Person(name="Ada", age=2**53 + 1, addresses=[Address(streetName="Elm")], tags={"x"}, boss=Person(name="Bob"))


@pytest.mark.parametrize(
    ("value", "python_type"),
    [
        (ADA, Person),
        ([ADA], list[Person]),
        (ADA, Person | None),
        (Ids([1, 2]), Ids),
        (Strict(x=1.0, inside=(1, 2)), Strict),
        (Wrapper[int](content=3), Wrapper[int]),
        (Holder(ADA, Ids([1])), Holder),
    ],
)
def test_pydantic_models_come_back(value: Any, python_type: Any) -> None:
    back = there_and_back(value, python_type)
    assert (back, type(back)) == (value, type(value))


def test_fields_of_a_model_go_by_their_names() -> None:
    wire = to_wire(ADA, Person, HERE)
    assert wire["addresses"] == [{"street": "Elm", "built": "1900-01-01"}]
    assert wire["age"] == 2**53 + 1
    assert "loud" not in wire
    expression, schema = type_expression(list[Person])
    assert str(descend(parse_type(expression), schema, (0, "addresses", 0, "built"))[0]) == "date"
    assert str(descend(parse_type(expression), schema, (0, "boss", "age"))[0]) == "int"
    with pytest.raises(LookupError, match="did you mean `name`"):
        descend(parse_type(expression), schema, (0, "nmae"))


def test_two_models_of_one_name_keep_their_own_schemas() -> None:
    other = pydantic.create_model("Address", house=(int, ...))
    holder = pydantic.create_model("Holder", address=(other, ...))
    both = dataclasses.make_dataclass("Both", [("person", Person), ("holder", holder)])
    _, schema = type_expression(both)
    assert str(descend(parse_type("struct"), schema, ("person", "addresses", 0, "street"))[0]) == "str"
    assert str(descend(parse_type("struct"), schema, ("holder", "address", "house"))[0]) == "int"
    twice = type_expression(dataclasses.make_dataclass("Twice", [("one", Person), ("other", list[Person])]))[1]
    assert twice is not None
    assert sorted(twice["$defs"]) == ["Address", "Person"]
    value = both(ADA, holder(address={"house": 3}))
    assert there_and_back(value, both) == value


def test_numbers_that_are_not_finite_survive_in_a_model() -> None:
    assert to_wire(Person(name="x", score=math.inf), Person, HERE)["score"] == "Infinity"
    assert math.isnan(there_and_back(Person(name="x", score=math.nan), Person).score)
    with pytest.raises(TypeTransformerFailedError, match=r"(?s)Strict refused its values: .*valid number"):
        to_wire(Strict(x=math.nan), Strict, HERE)


def test_a_dict_is_taken_in_place_of_a_model_and_validated() -> None:
    assert there_and_back({"name": "x", "age": 3}, Person) == Person(name="x", age=3)
    with pytest.raises(TypeTransformerFailedError, match="greater than or equal to 0"):
        to_wire({"name": "x", "age": -1}, Person, HERE)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Address(streetName="x"), "expected .*Person, got Address"),
        (3, "expected .*Person, got 3 of type int"),
        (Person(name="x", age=2**70), r"the integer is beyond 64 bits"),
        (Person.model_construct(name=b"\xff"), "pydantic can't write"),  # type: ignore[arg-type]
    ],
)
def test_what_no_model_can_write_is_refused(value: Any, words: str) -> None:
    with pytest.raises(TypeTransformerFailedError, match=words):
        to_wire(value, Person, HERE)


@pytest.mark.parametrize("wire", [{"age": 3}, {"name": 3}, [], "Ada"])
def test_what_a_model_refuses_is_told(wire: Any) -> None:
    with pytest.raises(TypeTransformerFailedError, match=r"Failed argument 'a': .*Person"):
        from_wire(wire, Person, HERE)


# ---- protobuf -------------------------------------------------------------------------------------------------------


def _reading() -> Any:
    """A message class with fields of every kind, made without a compiler."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="windlass_test.proto", package="windlass.test", syntax="proto3")
    file.dependency.append("google/protobuf/struct.proto")
    file.dependency.append("google/protobuf/wrappers.proto")
    reading = file.message_type.add(name="Reading")
    entry = reading.nested_type.add(name="CountsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kinds.TYPE_INT64, label=kinds.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=kinds.TYPE_INT64, label=kinds.LABEL_OPTIONAL)
    fields: list[tuple[str, Any, Any, str | None]] = [
        ("sensor_id", kinds.TYPE_INT64, kinds.LABEL_OPTIONAL, None),
        ("unsigned", kinds.TYPE_UINT64, kinds.LABEL_OPTIONAL, None),
        ("value", kinds.TYPE_DOUBLE, kinds.LABEL_OPTIONAL, None),
        ("raw", kinds.TYPE_BYTES, kinds.LABEL_OPTIONAL, None),
        ("history", kinds.TYPE_INT64, kinds.LABEL_REPEATED, None),
        ("counts", kinds.TYPE_MESSAGE, kinds.LABEL_REPEATED, ".windlass.test.Reading.CountsEntry"),
        ("before", kinds.TYPE_MESSAGE, kinds.LABEL_OPTIONAL, ".windlass.test.Reading"),
        ("all", kinds.TYPE_MESSAGE, kinds.LABEL_REPEATED, ".windlass.test.Reading"),
        ("extra", kinds.TYPE_MESSAGE, kinds.LABEL_OPTIONAL, ".google.protobuf.Struct"),
        ("maybe", kinds.TYPE_MESSAGE, kinds.LABEL_OPTIONAL, ".google.protobuf.Int64Value"),
        ("rest", kinds.TYPE_MESSAGE, kinds.LABEL_OPTIONAL, ".google.protobuf.ListValue"),
    ]
    for number, (name, kind, label, type_name) in enumerate(fields, 1):
        reading.field.add(name=name, number=number, type=kind, label=label, type_name=type_name)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("windlass.test.Reading"))


Reading: Any = _reading()


def test_protobuf_messages_come_back_with_ints_as_ints() -> None:
    value = Reading(sensor_id=2**53 + 1, unsigned=2**64 - 1, value=1.0, raw=b"\xff", history=[1, -(2**62)])
    value.counts[7] = 2**60
    value.before.sensor_id = 5
    value.all.add(history=[3])
    value.extra.update({"long": 1, "text": "12", "fields": ["1"]})
    value.maybe.value = 9
    value.rest.extend(["1", 2.0])
    wire = to_wire(value, Reading, HERE)
    assert wire["sensor_id"] == 2**53 + 1
    assert wire["unsigned"] == str(2**64 - 1)
    assert wire["history"] == [1, -(2**62)]
    assert wire["counts"] == {"7": 2**60}
    assert wire["before"]["sensor_id"] == 5
    assert wire["before"]["history"] == []
    assert wire["all"][0]["history"] == [3]
    assert wire["maybe"] == 9
    assert wire["extra"] == {"long": 1.0, "text": "12", "fields": ["1"]}
    assert wire["rest"] == ["1", 2.0]
    back = there_and_back(value, Reading)
    assert (back, type(back)) == (value, Reading)
    assert there_and_back([value], list[Reading]) == [value]


@pytest.mark.parametrize(
    "value",
    [
        duration_pb2.Duration(seconds=3),
        wrappers_pb2.Int64Value(value=2**60),
        wrappers_pb2.StringValue(value="x"),
        struct_pb2.ListValue(values=[struct_pb2.Value(number_value=1.5)]),
        struct_pb2.Struct(fields={"a": struct_pb2.Value(string_value="x")}),
        descriptor_pb2.DescriptorProto(name="x"),
        Reading(value=math.nan),
    ],
)
def test_messages_whose_json_is_no_object_are_structs_too(value: Any) -> None:
    assert str(there_and_back(value, type(value))) == str(value)


def test_what_is_no_such_message_is_refused() -> None:
    with pytest.raises(TypeTransformerFailedError, match=r"expected .*Reading, got 3"):
        to_wire(3, Reading, HERE)
    with pytest.raises(TypeTransformerFailedError, match=r"protobuf refused the JSON: .*no field named"):
        from_wire({"sensorid": 3}, Reading, HERE)
    with pytest.raises(TypeTransformerFailedError, match=r"expected .*Reading, got 3"):
        from_wire(3, Reading, HERE)


# ---- FlyteError -----------------------------------------------------------------------------------------------------


def test_a_flyte_error_is_a_struct_of_two_texts() -> None:
    error = FlyteError("disk full", "n3")
    assert to_wire(error, FlyteError, HERE) == {"message": "disk full", "failed_node_id": "n3"}
    assert there_and_back(error, Optional[FlyteError]) == error  # noqa: UP045  users write these
    assert from_wire({"message": "x"}, FlyteError, HERE) == FlyteError("x")
    assert type_expression(FlyteError | None)[0] == "optional[struct]"
    assert error != FlyteError("disk full", "n4")
    assert len({error, FlyteError("disk full", "n3")}) == 1


@pytest.mark.parametrize("wire", ["x", {"message": 3}, {"message": "x", "node": "n0"}])
def test_what_is_no_flyte_error_is_refused(wire: Any) -> None:
    with pytest.raises(TypeTransformerFailedError, match="FlyteError"):
        from_wire(wire, FlyteError, HERE)
