"""What users write about the cache, and the versions it makes."""

from __future__ import annotations

import ast
import functools
import textwrap
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import windlass
from windlass import Cache, CacheFunctionBody, CachePolicy, VersionParameters, task, workflow
from windlass._cache.versions import _spelled


class Fixed:
    """A policy that always says the same, and what it was asked."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.asked: list[tuple[str, VersionParameters]] = []

    def get_version(self, salt: str, params: VersionParameters) -> str:
        self.asked.append((salt, params))
        return self.version


class Failing:
    def get_version(self, salt: str, params: VersionParameters) -> str:
        raise RuntimeError("no git here")

    def __repr__(self) -> str:
        return "Failing()"


def add(a: int, b: int) -> int:
    return a + b


PARAMS = VersionParameters(func=add)


@pytest.fixture
def module_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A module with that source; each call makes another one."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(source: str) -> ModuleType:
        name = f"cached_{uuid.uuid4().hex}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        return __import__(name)

    return make


# ---- the noun -------------------------------------------------------------------------------------------------------


def test_a_version_that_is_written_wins_over_policies_which_are_not_asked() -> None:
    policy = Fixed("from-policy")
    assert Cache(version="v1", policies=policy).get_version(PARAMS) == "v1"
    assert policy.asked == []


def test_several_policies_make_one_version_together_and_their_order_counts() -> None:
    one, other = Fixed("a"), Fixed("b")
    both = Cache(policies=[one, other], salt="pepper").get_version(PARAMS)
    assert len(both) == 64
    assert both == Cache(policies=[Fixed("ab")]).get_version(PARAMS)
    assert one.asked == other.asked == [("pepper", PARAMS)]
    assert both != Cache(policies=[other, one]).get_version(PARAMS)


def test_a_single_policy_needs_no_list_and_follows_the_protocol() -> None:
    assert isinstance(Fixed("a"), CachePolicy)
    assert isinstance(CacheFunctionBody(), CachePolicy)
    assert not isinstance(object(), CachePolicy)
    with pytest.raises(TypeError, match="Protocols cannot be instantiated"):
        CachePolicy()  # type: ignore[misc]  # that is the mistake
    assert Cache(policies=Fixed("a")).get_version(PARAMS) == Cache(policies=[Fixed("a")]).get_version(PARAMS)


def test_without_a_policy_the_functions_text_makes_the_version() -> None:
    assert Cache().get_version(PARAMS) == Cache(policies=CacheFunctionBody()).get_version(PARAMS)


def test_neither_a_version_nor_a_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="If version is not defined then at least one cache policy needs to be set"):
        Cache(policies=[])


def test_a_policy_that_fails_is_named_with_its_reason() -> None:
    with pytest.raises(
        ValueError, match=r"Failed to generate version for cache policy Failing\(\): no git here"
    ) as told:
        Cache(policies=Failing()).get_version(PARAMS)
    assert isinstance(told.value.__cause__, RuntimeError)


def test_a_policy_that_gives_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Failed to generate version for cache policy .*gave no text but 3"):
        Cache(policies=Fixed(3)).get_version(PARAMS)  # type: ignore[arg-type]  # that is the mistake


def test_what_has_no_get_version_is_no_policy() -> None:
    for wrong in ("body", CacheFunctionBody, [object()]):
        with pytest.raises(TypeError, match="a policy has a method get_version"):
            Cache(policies=wrong)  # type: ignore[arg-type]  # that is the mistake


@pytest.mark.parametrize(
    ("ignored", "names"), [((), ()), ("a", ("a",)), (("a", "b"), ("a", "b")), (["a"], ("a",))], ids=str
)
def test_ignored_inputs_are_a_name_or_several(ignored: Any, names: tuple[str, ...]) -> None:
    assert Cache("1", ignored_inputs=ignored).get_ignored_inputs() == names


@pytest.mark.parametrize("word", ["cache_version", "cache_serialize", "cache_ignore_input_vars"])
def test_an_older_word_in_a_cache_is_refused_with_the_new_ones(word: str) -> None:
    message = "cache_serialize, cache_version, and cache_ignore_input_vars are deprecated. Please use Cache object"
    with pytest.raises(ValueError, match=message) as told:
        Cache("1", **{word: "x"})  # type: ignore[arg-type]  # that is the mistake
    assert word in str(told.value).rpartition("move")[2]


@pytest.mark.parametrize("word", ["cache_version", "cache_serialize", "cache_ignore_input_vars"])
def test_an_older_word_beside_a_cache_is_refused(word: str) -> None:
    message = "cache_serialize, cache_version, and cache_ignore_input_vars are deprecated. Please use Cache object"
    with pytest.raises(ValueError, match=message):
        made: Any = task(cache=Cache("1"), **{word: ("a",) if word.endswith("vars") else "1"})  # type: ignore[call-overload]  # that is the mistake
        made(add)


def test_parts_of_the_wrong_kind_are_refused() -> None:
    for wrong in ({"version": 1}, {"version": ""}, {"serialize": "yes"}, {"salt": 3}, {"ignored_inputs": (1,)}):
        with pytest.raises(TypeError):
            Cache(**{"version": "1", **wrong})  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(TypeError, match="expires_after of a Cache is a timedelta"):
        Cache("1", expires_after=60)  # type: ignore[arg-type]  # likewise
    with pytest.raises(ValueError, match="expires_after of a Cache is more than nothing"):
        Cache("1", expires_after=timedelta())
    with pytest.raises(TypeError, match="not versoin"):
        Cache(versoin="1")


def test_equal_caches_are_equal_and_show_their_parts() -> None:
    assert Cache("1", serialize=True) == Cache("1", serialize=True) != Cache("1")
    assert repr(Cache("1", salt="s")) == (
        "Cache(version='1', serialize=False, ignored_inputs=(), salt='s', policies=None, expires_after=None)"
    )
    assert VersionParameters(func=add) == PARAMS != VersionParameters(func=add, container_image="python:3.12")
    assert "pod_template_name='gpu'" in repr(VersionParameters(func=add, pod_template=None, pod_template_name="gpu"))


# ---- the default policy ---------------------------------------------------------------------------------------------

PLAIN = """
    def f(a: int) -> int:
        total = a + 1
        return total
"""


def body_version(module: ModuleType, salt: str = "") -> str:
    return CacheFunctionBody().get_version(salt, VersionParameters(func=module.f))


@pytest.mark.parametrize(
    "same",
    [
        "def f(a: int) -> int:\n    # a comment\n    total = a + 1\n\n    return total  # another\n",
        "\n\ndef f(\n    a: int,\n) -> int:\n    total = (a + 1)\n    return total\n",
        "def f(a: int) -> int:\n    total = a + 1\n    return total\n\ndef g(): return 3\n",
    ],
    ids=["comments", "formatting", "other functions"],
)
def test_comments_formatting_and_neighbours_do_not_change_the_version(
    module_of: Callable[[str], ModuleType], same: str
) -> None:
    assert body_version(module_of(same)) == body_version(module_of(PLAIN))


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace("+ 1", "+ 2"),
        PLAIN.replace("a", "b"),
        PLAIN.replace("def f", "@staticmethod\n    def f"),
        PLAIN.replace("-> int", "-> float"),
        PLAIN.replace("+ 1", "+ 1.0"),
    ],
    ids=["a constant", "a name", "a decorator", "an annotation", "the type of a constant"],
)
def test_what_the_function_says_changes_the_version(module_of: Callable[[str], ModuleType], other: str) -> None:
    assert body_version(module_of(other)) != body_version(module_of(PLAIN))


def test_none_and_nothing_are_told_apart(module_of: Callable[[str], ModuleType]) -> None:
    bodies = ["return", "return None", "return []", "return ()", "return ''", "pass"]
    assert len({body_version(module_of(f"def f():\n    {body}\n")) for body in bodies}) == len(bodies)


def test_parts_of_a_tree_that_only_some_pythons_know_make_no_difference() -> None:
    function = ast.parse("def f(): pass").body[0]
    newer = ast.parse("def f(): pass").body[0]
    newer.__class__ = type("FunctionDef", (ast.FunctionDef,), {"_fields": (*ast.FunctionDef._fields, "novelty")})
    newer.novelty = []  # type: ignore[attr-defined]  # as type_params were before 3.12
    assert _spelled(newer) == _spelled(function)
    newer.novelty = [ast.Pass()]  # type: ignore[attr-defined]  # as above
    assert _spelled(newer) != _spelled(function)


def test_the_salt_changes_the_version(module_of: Callable[[str], ModuleType]) -> None:
    module = module_of(PLAIN)
    assert body_version(module, "a") != body_version(module, "b")


def test_the_text_of_a_task_is_that_of_its_function() -> None:
    @functools.wraps(add)
    def wrapped(a: int, b: int) -> int:
        return add(a, b)

    whole = CacheFunctionBody().get_version("", PARAMS)
    assert CacheFunctionBody().get_version("", VersionParameters(func=task(add))) == whole
    assert CacheFunctionBody().get_version("", VersionParameters(func=wrapped)) == whole


def test_a_function_without_source_and_no_function_at_all_need_a_version() -> None:
    made: dict[str, Any] = {}
    exec("def f() -> None: ...", made)
    for function in (made["f"], None):
        with pytest.raises(ValueError, match=r"Failed to generate version .*Cache\(version=…\)"):
            Cache().get_version(VersionParameters(func=function))


def overridden(promise: Any, **options: Any) -> int:
    """A call with other options; to a type checker it is the value that it gives."""
    value: int = promise.with_overrides(**options)
    return value


# ---- on a task ------------------------------------------------------------------------------------------------------


@task(cache=Cache(version="7", serialize=True, ignored_inputs=("b",)))
def cached(a: int, b: int) -> int:
    return a + b


@task(cache=True)
def by_body(a: int) -> int:
    return a


@task(cache=True, cache_version="3")
def by_hand(a: int) -> int:
    return a


def test_a_cache_becomes_the_contracts() -> None:
    assert cached.overrides["cache"] == {"version": "7", "serialize": True, "ignoredInputs": ["b"]}
    assert by_hand.overrides["cache"] == {"version": "3"}
    params = VersionParameters(func=by_body.function)
    assert by_body.overrides["cache"] == {"version": Cache().get_version(params)}


def test_no_version_is_made_before_somebody_asks() -> None:
    policy = Fixed("1")
    made = task(cache=Cache(policies=policy), container_image="python:3.12")(add)
    assert policy.asked == []
    assert made.overrides["cache"]["version"]
    ((_, params),) = policy.asked
    assert (params.func, params.container_image) == (add, "python:3.12")


def test_ignoring_an_input_that_there_is_not_is_refused() -> None:
    made = task(cache=Cache("1", ignored_inputs=("c",)))(add)
    with pytest.raises(ValueError, match="'c'"):
        made(a=1, b=2)


def test_serializing_or_ignoring_without_a_cache_is_refused() -> None:
    for option in ({"cache_serialize": True}, {"cache_ignore_input_vars": ("a",)}):
        with pytest.raises(ValueError, match="needs a cache"):
            task(**option)(add)


def test_a_node_may_turn_the_cache_off_and_change_its_version() -> None:
    @workflow
    def several(a: int) -> list[int]:
        return [
            cached(a=a, b=1),
            overridden(cached(a=a, b=2), cache=False),
            overridden(cached(a=a, b=3), cache=True, cache_version="8"),
            overridden(cached(a=a, b=4), cache=Cache(version="9")),
        ]

    found = [node.overrides.get("cache", {}) for node in several.nodes]
    assert [one.get("version") for one in found] == [None, None, "8", "9"]
    assert found[1] == {"enabled": False}


def test_a_cache_without_a_version_can_not_override() -> None:
    @workflow
    def wrong(a: int) -> int:
        return overridden(cached(a=a, b=1), cache=Cache())

    with pytest.raises(ValueError, match="must specify cache version when overriding"):
        _ = wrong.nodes


def test_the_names_are_public() -> None:
    assert {"Cache", "CachePolicy", "CacheFunctionBody", "VersionParameters"} <= set(windlass.__all__)
