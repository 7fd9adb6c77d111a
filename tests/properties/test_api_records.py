"""Records come back as they were written, plain and compressed; and nothing at all makes the reader raise."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, strategies as st

from windlass_api import records

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(LEAVES | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)
BODIES = st.sampled_from(["outputs", "workflow", "error"])


@given(body=BODIES, content=st.dictionaries(TEXTS, VALUES))
def test_a_record_comes_back_as_it_was(body: str, content: dict[str, Any]) -> None:
    record = {"v": records.VERSION, body: content}
    text = json.dumps(record, ensure_ascii=False)
    assert records.decode(text) == record
    assert records.decode(records.compressed(text.encode()).decode()) == record


@given(text=st.text())
def test_a_text_is_a_record_or_none(text: str) -> None:
    assert records.decode(text) is None


@given(record=st.dictionaries(st.sampled_from(["v", "z", "outputs", "error", "workflow", "timings"]), VALUES))
def test_json_is_a_record_or_none(record: dict[str, Any]) -> None:
    found = records.decode(json.dumps({"v": 1, **record}))
    assert found is None or any(isinstance(found.get(body), dict) for body in ("outputs", "error", "workflow"))


@given(data=st.binary(), cut=st.integers(0, 40))
def test_half_a_compressed_record_is_none(data: bytes, cut: int) -> None:
    whole = records.compressed(json.dumps({"v": 1, "outputs": {"o0": list(data)}}).encode()).decode()
    z = json.loads(whole)["z"]
    half = z[: max(len(z) - 1 - cut, 0)]
    assert records.decode(json.dumps({"v": 1, "z": half})) is None
