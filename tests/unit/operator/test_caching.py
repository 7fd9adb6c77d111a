"""What the cache decides: the key, hit or miss and why, what is kept where, whose turn it is."""

from __future__ import annotations

import base64
import gzip
import json
import random
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from tests.properties.api_strategies import json_values
from tests.unit.operator.things import NOW, Body, task
from windlass_api import names
from windlass_api.cache_key import CacheKey
from windlass_api.manifests_check import validate_manifests
from windlass_operator.core.caching import (
    INLINE_OUTPUTS,
    CacheSettings,
    Entry,
    Expired,
    Hit,
    Holder,
    Mine,
    Miss,
    NotCached,
    Stale,
    Theirs,
    cache_of,
    entry,
    expired,
    holder_of,
    is_useless,
    judge,
    key_of,
    reservation,
    reserved,
    why,
)
from windlass_operator.settings import Settings

NOISE = "".join(random.Random(3).choices("0123456789abcdef", k=4000))  # compresses to about a half

SHAPE = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
INPUTS = {"n": {"type": "int"}, "rates": {"type": "list[float]", "default": []}, "verbose": {"type": "bool"}}
OUTPUTS = {"o0": {"type": "int"}, "shape": {"type": "struct", "schema": SHAPE}}
TASK = task(INPUTS, OUTPUTS, cache={"version": "1", "ignoredInputs": ["verbose"]})
GIVEN = {"n": 3, "rates": [0.5], "verbose": False}
MADE = {"o0": 7, "shape": {"n": 1}}


def key(given: Body | None = None, spec: Body = TASK, name: str = "jobs.f") -> CacheKey:
    return key_of(name, spec, GIVEN if given is None else given)


def kept(outputs: Body = MADE, *, of: CacheKey | None = None, after: float | None = None, **limits: int) -> Any:
    return entry(
        of or key(),
        outputs,
        execution="run-1",
        node="n2.n0",
        namespace="ns",
        now=NOW,
        cache=CacheSettings("1", expires_after=after),
        settings=Settings(**limits),  # type: ignore[arg-type]
    )


def spec(**changes: Any) -> Body:
    found = kept()
    assert isinstance(found, Entry)
    return {**found.manifest["spec"], **changes}


# Settings


@pytest.mark.parametrize(
    ("given", "means"),
    [
        (None, None),
        ({"enabled": False}, None),
        ({"enabled": False, "version": "1"}, None),
        ({"version": "1"}, CacheSettings("1")),
        ({"enabled": True, "version": "1"}, CacheSettings("1")),
        (
            {"version": "2", "serialize": True, "ignoredInputs": ["a"], "expiresAfter": "1h30m"},
            CacheSettings("2", True, ("a",), 5400.0),
        ),
    ],
    ids=["nothing said", "off", "turned off by a later layer", "on", "turned on", "everything"],
)
def test_how_results_are_kept_is_read_from_the_task(given: Body | None, means: CacheSettings | None) -> None:
    assert cache_of({} if given is None else {"cache": given}) == means


def test_without_a_cache_there_is_no_key() -> None:
    with pytest.raises(ValueError, match=r"the results of jobs\.f are not kept"):
        key(spec=task())


# Keys


def turned(value: Any) -> Any:
    """The same value, spelled otherwise: keys the other way round."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


ANY = task({"x": {"type": "any"}, "rate": {"type": "float"}, "verbose": {"type": "any"}}, cache=TASK["cache"])


@given(json_values, st.integers(-(2**53), 2**53), json_values, json_values)
def test_equal_inputs_have_equal_keys_however_they_are_spelled(x: Any, rate: int, one: Any, other: Any) -> None:
    first = key({"x": x, "rate": rate, "verbose": one}, ANY)
    second = key({"verbose": other, "rate": float(rate), "x": turned(x)}, ANY)
    assert first.digest == second.digest


@given(json_values, json_values, st.integers(0, 3), st.integers(0, 3))
def test_different_inputs_have_different_keys(x: Any, y: Any, one: int, other: int) -> None:
    spelled = [json.dumps([value, float(rate)], sort_keys=True) for value, rate in ((x, one), (y, other))]
    assume(spelled[0] != spelled[1])
    found = [key({"x": value, "rate": rate, "verbose": 1}, ANY).digest for value, rate in ((x, one), (y, other))]
    assert found[0] != found[1]


OTHERS: dict[str, tuple[CacheKey, str]] = {
    "another version": (key(spec={**TASK, "cache": {**TASK["cache"], "version": "2"}}), "the version is 2, was 1"),
    "another input": (key({**GIVEN, "n": 4}), "the value of n is another one (4b227777d4dd, was 4e07408562be)"),
    "another type": (
        key(spec={**TASK, "inputs": {**INPUTS, "n": {"type": "optional[int]"}}}),
        "the input n is optional[int], was int",
    ),
    "one input more": (
        key({**GIVEN, "m": 1}, {**TASK, "inputs": {**INPUTS, "m": {"type": "int"}}}),
        "the input m is int, was not there; the value of m is another one (6b86b273ff34, was ignored)",
    ),
    "another output": (
        key(spec={**TASK, "outputs": {**OUTPUTS, "o0": {"type": "str"}}}),
        "the output o0 is str, was int",
    ),
    "another task": (key(name="jobs.g"), "there is no result of this task yet"),
}
others = pytest.mark.parametrize(("other", "reason"), OTHERS.values(), ids=OTHERS)


@others
def test_what_makes_another_key_and_how_a_miss_is_explained(other: CacheKey, reason: str) -> None:
    assert other.digest != key().digest
    assert why(other, [spec()]) == reason


def test_code_image_and_resources_are_not_in_the_key() -> None:
    elsewhere = {"image": "other", "requests": {"cpu": 2}, "python": {"entrypoint": "m:g"}, "version": "v9"}
    assert key(spec={**TASK, **elsewhere}) == key()


def test_an_entry_without_a_whole_key_explains_nothing() -> None:
    assert why(key(), [{}, {"key": {"task": "jobs.f"}}]) == "there is no result of this task yet"


# Hit or miss


def test_a_hit_gives_the_outputs_and_says_where_they_are_from() -> None:
    assert judge(spec(), key(), TASK, NOW) == Hit(MADE, "taken from execution run-1, node n2.n0")
    by_hand = {part: value for part, value in spec().items() if part != "source"}
    assert judge(by_hand, key(), TASK, NOW) == Hit(MADE, "taken from an entry made by hand")


def test_a_result_without_outputs_is_one() -> None:
    silent = task(outputs={}, cache={"version": "1"})
    bare = {"key": {**key({}, silent).parts(), "interface": {}}}
    del bare["key"]["inputs"]
    assert judge(bare, key({}, silent), silent, NOW) == Hit({}, "taken from an entry made by hand")


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (spec(expiresAt="2027-01-15T08:00:00Z"), "it expired at 2027-01-15T08:00:00Z"),
        (spec(expiresAt="2027-01-15t08:59:59.9+01:00"), "it expired at 2027-01-15t08:59:59.9+01:00"),
        (spec(outputs={"o0": 7}), "its output shape is gone"),
        (spec(outputs=None), "its output o0 is gone"),
        (spec(outputs={**MADE, "o2": 1}), "the task has no output o2"),
        (spec(outputs={**MADE, "o0": "7"}), 'outputs.o0: expected int, got "7"'),
        (spec(outputs={**MADE, "shape": {}}), "outputs.shape.n: it is required"),
        (
            spec(key={**key().parts(), "version": "9"}),
            "it is not the one that its name promises (its key differs in: version)",
        ),
        (
            spec(key={"task": "jobs.f"}),
            "it is not the one that its name promises (its key differs in: task, version, interface, inputs)",
        ),
    ],
)
def test_an_entry_that_is_of_no_use_is_a_miss_that_says_why_and_is_replaced(there: Body, message: str) -> None:
    assert judge(there, key(), TASK, NOW) == Miss(f"there is a result, but {message}", replace=True)


def test_an_entry_counts_until_the_moment_that_it_expires() -> None:
    assert isinstance(judge(spec(expiresAt="2027-01-15T08:00:00.000001Z"), key(), TASK, NOW), Hit)


def test_no_entry_is_a_miss() -> None:
    assert judge(None, key(), TASK, NOW) == Miss("there is no result for these inputs yet")


@pytest.mark.parametrize(
    ("there", "useless"),
    [
        (spec(), False),
        (spec(outputs={**MADE, "o0": 8}), False),
        (spec(outputs={"o0": 7}), True),
        (spec(expiresAt="2027-01-15T08:00:00Z"), True),
        (spec(key={**key().parts(), "version": "9"}), True),
    ],
    ids=["the same", "other values", "one is lost", "expired", "another key"],
)
def test_a_fresh_result_gives_way_to_one_that_is_of_use(there: Body, useless: bool) -> None:
    assert is_useless(there, spec(), NOW) is useless


# Keeping


def test_an_entry_has_the_key_in_its_parts_the_outputs_and_where_they_are_from() -> None:
    found = kept(after=3600.0)
    assert found.values == ()
    assert found.manifest == {
        "apiVersion": "windlass.dev/v1alpha1",
        "kind": "CacheEntry",
        "metadata": {
            "name": f"cache-{key().digest}",
            "namespace": "ns",
            "labels": {"app.kubernetes.io/managed-by": "windlass", "windlass.dev/cached-task": "jobs.f"},
        },
        "spec": {
            "key": {
                "task": "jobs.f",
                "version": "1",
                "interface": {
                    "inputs": {"n": "int", "rates": "list[float]", "verbose": "bool"},
                    "outputs": {"o0": "int", "shape": f"struct {schema_digest()}"},
                },
                "inputs": {"n": digest_of(3), "rates": digest_of([0.5])},
            },
            "outputs": MADE,
            "source": {"execution": "run-1", "node": "n2.n0"},
            "expiresAt": "2027-01-15T09:00:00.000000Z",
        },
    }


def digest_of(value: Any) -> str:
    import hashlib

    return hashlib.sha256(names.canonical_json(value)).hexdigest()


def schema_digest() -> str:
    return digest_of(SHAPE)[:12]


def test_the_objects_are_what_the_contract_says() -> None:
    for found in (kept(), kept({"o0": "x" * INLINE_OUTPUTS, "shape": None}, after=1.0)):
        assert [str(finding) for _, finding in validate_manifests([found.manifest])] == []


def test_it_belongs_to_nobody_so_that_it_outlives_its_run() -> None:
    found = kept({"o0": "x" * INLINE_OUTPUTS})
    assert all("ownerReferences" not in one["metadata"] for one in (found.manifest, *found.values))


def read(value: Body) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(value["binaryData"]["value.json.gz"])))


def test_the_largest_outputs_stand_beside_until_the_others_fit() -> None:
    outputs = {"a": "a" * 20_000, "b": "b" * 15_000, "c": "c" * 25_000, "d": 1}
    found = kept(outputs)
    held = found.manifest["spec"]["outputs"]
    assert [name for name in outputs if held[name] != outputs[name]] == ["a", "c"]
    assert {names.content_hash(outputs[name]): outputs[name] for name in ("a", "c")} == {
        held[name]["$value"]: outputs[name] for name in ("a", "c")
    }
    assert {one["metadata"]["name"]: read(one) for one in found.values} == {
        names.value_name(found.manifest["metadata"]["name"], held[name]["$value"]): outputs[name] for name in ("a", "c")
    }
    assert all(one["immutable"] for one in found.values)


@pytest.mark.parametrize(("size", "beside"), [(INLINE_OUTPUTS - 4, 0), (INLINE_OUTPUTS - 3, 1)])
def test_outputs_are_inline_up_to_the_limit(size: int, beside: int) -> None:
    assert len(kept({"o0": "x" * size}).values) == beside


def test_equal_large_outputs_are_kept_once() -> None:
    found = kept({"a": "x" * 40_000, "b": "x" * 40_000})
    assert len(found.values) == 1


def test_data_that_looks_like_a_mark_is_escaped() -> None:
    data = {"$value": "0" * 16}
    assert kept({"o0": data}).manifest["spec"]["outputs"] == {"o0": {"$literal": data}}


def test_what_does_not_fit_a_config_map_is_not_kept_and_says_so() -> None:
    found = kept({"o0": NOISE * 10}, value_limit=1000)
    assert isinstance(found, NotCached)
    assert found.message.startswith("the output o0 has ")
    assert found.message.endswith(" bytes after compression; 1000 can be kept")


def test_what_has_expired_can_go() -> None:
    past = "2027-01-15T08:00:00Z"
    entries = [
        {"metadata": {"namespace": "ns", "name": name, "uid": f"u-{name}"}, "spec": spec(**given)}
        for name, given in (("a", {}), ("b", {"expiresAt": past}), ("c", {"expiresAt": "2999-01-01T00:00:00Z"}))
    ]
    assert expired(entries, NOW) == [Expired("ns", "b", "u-b")]


# Turns

ME = Holder("run-1", "u1", "n2.n0")


def test_a_reservation_goes_with_the_execution_that_holds_it() -> None:
    assert reservation(key(), ME, "ns", NOW) == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": f"cache-{key().digest}",
            "namespace": "ns",
            "labels": {"app.kubernetes.io/managed-by": "windlass", "windlass.dev/cached-task": "jobs.f"},
            "ownerReferences": [
                {"apiVersion": "windlass.dev/v1alpha1", "kind": "Execution", "name": "run-1", "uid": "u1"}
            ],
        },
        "spec": {"holderIdentity": "run-1/n2.n0", "acquireTime": "2027-01-15T08:00:00.000000Z"},
    }


@pytest.mark.parametrize("holder", [ME, ME._replace(element=0), ME._replace(element=17)])
def test_a_lease_says_who_holds_it(holder: Holder) -> None:
    assert holder_of(reservation(key(), holder, "ns", NOW)) == holder


def lease(identity: Any, owner: str = "run-2", uid: str = "u2") -> Body:
    owners = [{"apiVersion": names.API_VERSION, "kind": "Execution", "name": owner, "uid": uid}]
    return {"metadata": {"name": "l", "ownerReferences": owners}, "spec": {"holderIdentity": identity}}


@pytest.mark.parametrize(
    ("of", "whose"),
    [
        (lease("run-1/n2.n0", "run-1", "u1"), Mine()),
        (lease("run-1/n2.n0/3", "run-1", "u1"), Theirs),
        (lease("run-1/n1", "run-1", "u1"), Theirs),
        (lease("run-2/n0"), Theirs),
        (lease("run-2/n0/17"), Theirs),
        (lease("run-2/n0", uid="u0"), Stale()),
        (lease("run-1/n2.n0", "run-1", "u0"), Stale()),
        (lease("run-2/n0", owner="run-3"), Stale()),
        (lease("run-2"), Stale()),
        (lease("run-2/n0/x"), Stale()),
        (lease("run-2/n0/1/2"), Stale()),
        (lease(None), Stale()),
        ({"metadata": {"name": "l"}}, Stale()),
    ],
    ids=[
        "our own", "another element of ours", "another node of ours", "another execution", "an element of another",
        "one that is over", "an earlier execution of our name", "of nobody's", "without a node",
        "an element that is none", "too many parts", "without a holder", "empty",
    ],
)  # fmt: skip
def test_whose_turn_it_is(of: Body, whose: Any) -> None:
    found = reserved(of, ME, lambda holder: holder.uid in ("u1", "u2"))
    assert isinstance(found, Theirs) if whose is Theirs else found == whose


def test_whoever_waits_is_told_for_whom() -> None:
    found = reserved(lease("run-2/n0/17"), ME, lambda _: True)
    assert found == Theirs(
        "waits for execution run-2, node n0, element 17, which computes this result", Holder("run-2", "u2", "n0", 17)
    )
