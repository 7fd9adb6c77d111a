"""What goes into a container as text and comes back as text is the same value, for every type that has a text."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, strategies as st

from windlass import _container_io as io, _types
from windlass._bindings import kind_of
from windlass_api import templates

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
INTS = st.integers(-(2**63), 2**63 - 1)
UTC = datetime.timezone.utc

VALUES: st.SearchStrategy[tuple[Any, Any]] = st.one_of(
    st.tuples(st.just(bool), st.booleans()),
    st.tuples(st.just(int), INTS),
    st.tuples(st.just(float), st.floats(allow_nan=False)),
    st.tuples(st.just(str), TEXTS),
    st.tuples(st.just(bytes), st.binary()),
    st.tuples(st.just(datetime.datetime), st.datetimes(timezones=st.just(UTC))),
    st.tuples(st.just(datetime.date), st.dates()),
    st.tuples(st.just(datetime.timedelta), st.timedeltas()),
    st.tuples(st.just(dict[str, Any]), st.dictionaries(TEXTS, INTS | TEXTS | st.booleans())),
    st.tuples(st.just(int | None), INTS | st.none()),
)


@given(VALUES)
def test_a_value_that_a_container_copies_from_input_to_output_is_the_same(pair: tuple[Any, Any]) -> None:
    python_type, value = pair
    kind = kind_of(python_type)
    with TemporaryDirectory() as folder:
        wire = _types.to_wire(value, python_type, "x")
        io.write_inputs(folder, {"x": wire}, {"x": kind.type})
        assert json.loads((Path(folder) / "inputs.json").read_text())["x"] == wire
        back = io.read_outputs(folder, {"x": (kind.type, kind.schema)}, "c")["x"]
    assert _types.from_wire(back, python_type, "x") == value
    assert type(_types.from_wire(back, python_type, "x")) is type(value)


@given(st.timedeltas())
def test_a_duration_as_python_prints_it_is_read_back(duration: datetime.timedelta) -> None:
    kind = kind_of(datetime.timedelta)
    with TemporaryDirectory() as folder:
        (Path(folder) / "x").write_text(str(duration))
        wire = io.read_outputs(folder, {"x": (kind.type, None)}, "c")["x"]
    assert _types.from_wire(wire, datetime.timedelta, "x") == duration


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_float_reads_back_as_it_and_has_no_exponent_up_to_21_digits(value: float) -> None:
    text = templates.text_of(value, kind_of(float).type)
    assert float(text) == value
    assert not ("e+" in text and abs(value) < 1e21)
    assert len(text.lstrip("-")) <= max(len(repr(abs(value))), 21)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), TEXTS), TEXTS)
def test_a_text_without_templates_is_left_alone_and_a_template_is_replaced_once(
    texts: dict[str, str], around: str
) -> None:
    if not list(templates.template_words(around)):
        assert templates.substituted(around, texts) == around
    for name, text in texts.items():
        assert templates.substituted(f"<{{{{.inputs.{name}}}}}>", texts) == f"<{text}>"
