"""`conditional`: branches, nesting, merging of outputs, errors; and what becomes of it in a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Optional

import pytest

import windlass
from windlass import _emit, task, workflow
from windlass._compile import Node
from windlass._conditional import conditional
from windlass_api.manifests_check import validate_manifests

Calls = list[str]
calls: Calls = []


class Both(NamedTuple):
    first: int
    second: str


class Swapped(NamedTuple):
    second: str
    first: int


class Lonely(NamedTuple):
    first: int


@pytest.fixture(autouse=True)
def _no_calls_yet() -> Iterator[None]:
    calls.clear()
    yield
    calls.clear()


@task
def add(a: int, b: int = 1) -> int:
    calls.append(f"add {a} {b}")
    return a + b


@task
def word(text: str) -> str:
    return text


@task
def is_even(n: int) -> bool:
    calls.append(f"is_even {n}")
    return n % 2 == 0


@task
def both(n: int) -> Both:
    return Both(n, str(n))


@task
def swapped(n: int) -> Swapped:
    return Swapped(str(-n), -n)


@task
def lonely(n: int) -> Lonely:
    return Lonely(n)


@task
def note(text: str) -> None:
    calls.append(text)


@task
def maybe(n: int) -> Optional[int]:  # noqa: UP045  the old spelling must work too
    return n or None


def compiled(body: Callable[[], Any]) -> list[Node]:
    """The nodes of a workflow without inputs and outputs."""

    def quietly() -> None:
        body()

    return workflow(quietly).nodes


def manifest_nodes(entity: Any) -> list[dict[str, Any]]:
    """The nodes in the manifest, which is valid."""
    assert validate_manifests(_emit.manifests(_emit.complete([entity]))) == []
    return _emit.manifest(entity)["spec"]["nodes"]  # type: ignore[no-any-return]


@workflow
def sized(n: int) -> str:
    return (  # type: ignore[no-any-return]
        conditional("size")
        .if_(n > 100)
        .then(word(text="large"))
        .elif_(n > 10)
        .then(word(text="medium"))
        .else_()
        .then(word(text="small"))
    )


# ---- running ----


@pytest.mark.parametrize(("n", "result"), [(101, "large"), (100, "medium"), (11, "medium"), (10, "small")])
def test_the_first_branch_whose_condition_is_true_is_taken(n: int, result: str) -> None:
    assert sized(n=n) == result


def test_only_the_calls_of_the_branch_that_is_taken_run() -> None:
    @workflow
    def picky(n: int) -> int:
        return conditional("c").if_(n == 1).then(add(a=add(a=1))).else_().then(add(a=100))  # type: ignore[no-any-return]

    assert picky(n=1) == 3
    assert calls == ["add 1 1", "add 2 1"]
    calls.clear()
    assert picky(n=2) == 101
    assert calls == ["add 100 1"]


def test_the_default_of_an_input_may_be_the_condition() -> None:
    @workflow
    def defaulted(flag: bool = True) -> str:
        return conditional("f").if_(flag.is_true()).then(word(text="yes")).else_().then(word(text="no"))  # type: ignore

    assert (defaulted(), defaulted(flag=False)) == ("yes", "no")


def test_a_condition_computed_inside_the_chain_works() -> None:
    @workflow
    def chained(n: int) -> int:
        return (  # type: ignore[no-any-return]
            conditional("c")
            .if_(add(a=n) == 5)
            .then(add(a=1))
            .elif_(add(a=n, b=2) == 7)
            .then(add(a=2))
            .else_()
            .then(add(a=3))
        )

    assert [chained(n=n) for n in (4, 5, 6)] == [2, 3, 4]


def test_conditionals_nest_to_any_depth() -> None:
    @workflow
    def nested(a: int, b: int) -> int:
        return (  # type: ignore[no-any-return]
            conditional("outer")
            .if_(a > 0)
            .then(
                conditional("inner")
                .if_(b > 0)
                .then(conditional("innermost").if_(a == b).then(add(a=1)).else_().then(add(a=2)))
                .else_()
                .then(add(a=3))
            )
            .elif_(b > 0)
            .then(
                conditional("other")
                .if_(
                    is_even(n=b) == True  # noqa: E712  the other spelling of is_true()
                )
                .then(add(a=4))
                .else_()
                .fail("odd")
            )
            .else_()
            .then(add(a=5))
        )

    cases = {(1, 1): 2, (1, 2): 3, (1, 0): 4, (0, 2): 5, (0, 0): 6}
    assert {case: nested(a=case[0], b=case[1]) for case in cases} == cases
    with pytest.raises(ValueError, match=r"^odd$"):
        nested(a=0, b=1)
    manifest_nodes(nested)


def test_nothing_runs_in_a_branch_around_a_taken_one() -> None:
    @workflow
    def guarded(a: int) -> int:
        return (  # type: ignore[no-any-return]
            conditional("outer")
            .if_(a > 0)
            .then(
                conditional("inner")
                .if_(
                    is_even(n=a) == True  # noqa: E712  the other spelling of is_true()
                )
                .then(add(a=a))
                .else_()
                .fail("never")
            )
            .else_()
            .then(add(a=0))
        )

    assert guarded(a=-1) == 1
    assert calls == ["add 0 1"]


def test_sub_workflows_parts_and_conditionals_work_in_branches_that_are_not_taken() -> None:
    @workflow
    def sub(n: int) -> Both:
        result = both(n=n)
        return Both(result.first, result.second)

    @workflow
    def user(n: int) -> int:
        return (  # type: ignore[no-any-return]
            conditional("c")
            .if_(n == 1)
            .then(add(a=sub(n=sub(n=n).first).first, b=both(n=n)[0]))
            .else_()
            .then(sub(n=7).first)
        )

    assert (user(n=1), user(n=2)) == (2, 7)


def test_results_may_be_inputs_and_plain_values() -> None:
    @workflow
    def plain(n: int) -> int:
        return conditional("c").if_(n > 5).then(n).elif_(n == 5).then(50).else_().then(add(a=n))  # type: ignore

    assert [plain(n=n) for n in (6, 5, 4)] == [6, 50, 5]


def test_the_overrides_of_a_call_are_its_own_whichever_branch_is_taken() -> None:
    attempts: list[int] = []

    @task
    def flaky(succeed_at: int) -> int:
        attempts.append(1)
        if len(attempts) < succeed_at:
            raise windlass.FlyteRecoverableException("not yet")
        return len(attempts)

    @workflow
    def chosen(n: int) -> int:
        return (  # type: ignore[no-any-return]
            conditional("c")
            .if_(n == 1)
            .then(flaky(succeed_at=1))
            .elif_(n == 2)
            .then(flaky(succeed_at=2).with_overrides(retries=1))  # type: ignore[attr-defined]
            .else_()
            .then(flaky(succeed_at=2))
        )

    assert chosen(n=2) == 2
    attempts.clear()
    with pytest.raises(windlass.FlyteRecoverableException):
        chosen(n=3)


def test_a_branch_may_fail_with_a_message() -> None:
    @workflow
    def strict(n: int) -> int:
        return conditional("c").if_(n > 0).then(add(a=n)).else_().fail("n has to be positive")  # type: ignore

    assert strict(n=1) == 2
    with pytest.raises(ValueError, match=r"^n has to be positive$"):
        strict(n=0)
    assert manifest_nodes(strict)[-1]["select"][-1] == {"fail": "n has to be positive"}


def test_all_branches_may_fail() -> None:
    @workflow
    def hopeless(n: int) -> None:
        conditional("c").if_(n > 0).fail("positive").else_().fail("negative")

    for n, message in ((1, "positive"), (-1, "negative")):
        with pytest.raises(ValueError, match=message):
            hopeless(n=n)
    manifest_nodes(hopeless)


def test_a_message_is_a_text() -> None:
    for wrong in ("", None, 3):
        with pytest.raises(ValueError, match=r"fail\(\) takes the message"):
            compiled(lambda wrong=wrong: conditional("c").if_(add(a=1) == 1).fail(wrong))  # type: ignore[misc]


# ---- what it gives ----


def test_outputs_are_merged_by_name_in_the_order_of_the_first_branch() -> None:
    @workflow
    def merged(n: int) -> Both:
        result = conditional("c").if_(n > 0).then(both(n=n)).else_().then(swapped(n=n))
        return Both(result.first, result.second)

    assert (merged(n=2), merged(n=-3)) == (Both(2, "2"), Both(3, "3"))


def test_what_not_all_branches_have_is_left_out() -> None:
    @workflow
    def common(n: int) -> int:
        return conditional("c").if_(n > 0).then(both(n=n)).elif_(n == 0).fail("zero").else_().then(lonely(n=n))  # type: ignore

    assert (common(n=2), common(n=-3)) == (2, -3)
    assert list(manifest_nodes(common)[-1]["select"][0]["outputs"]) == ["first"]


def test_a_named_output_stays_named() -> None:
    @workflow
    def named(n: int) -> int:
        return conditional("c").if_(n > 0).then(lonely(n=n)).else_().then(lonely(n=0)).first  # type: ignore[no-any-return]

    assert named(n=4) == 4


def test_one_branch_without_outputs_makes_the_whole_result_nothing() -> None:
    def used() -> None:
        result = conditional("c").if_(add(a=1) == 2).then(add(a=1)).else_().then(note(text="x"))
        add(a=result)

    with pytest.raises(AssertionError, match=r"conditional\('c'\).*returns nothing"):
        compiled(used)


def test_a_conditional_without_outputs_only_decides_what_runs() -> None:
    @workflow
    def told(n: int) -> None:
        conditional("c").if_(n > 0).then(note(text="more")).else_().then(note(text="less"))

    told(n=1)
    told(n=-1)
    assert calls == ["more", "less"]
    assert [(node["name"], node["when"]) for node in manifest_nodes(told)] == [
        ("note", "inputs.n > 0"),
        ("note", "!(inputs.n > 0)"),
    ]


def test_without_an_else_nothing_may_happen() -> None:
    @workflow
    def careful(n: int) -> None:
        conditional("c").if_(n > 0).then(note(text="more")).elif_(n == 0).then(note(text="zero"))

    for n in (1, 0, -1):
        careful(n=n)
    assert calls == ["more", "zero"]


def test_without_an_else_a_branch_may_still_fail() -> None:
    @workflow
    def checked(n: int) -> int:
        conditional("c").if_(n > 100).fail("too much")
        return add(a=n)

    assert checked(n=100) == 101
    with pytest.raises(ValueError, match="too much"):
        checked(n=101)
    assert manifest_nodes(checked)[-1]["select"] == [{"when": "inputs.n > 100", "fail": "too much"}]


def test_without_an_else_there_is_no_value() -> None:
    def body() -> Any:
        return add(a=conditional("c").if_(add(a=1) == 2).then(add(a=1)))

    with pytest.raises(
        AssertionError, match=r"test_conditional\.py:\d+: At least an if/else is required\. Dangling If is not allowed"
    ):
        compiled(body)

    @workflow
    def returned() -> int:
        return conditional("c").if_(add(a=1) == 2).then(add(a=1))  # type: ignore[no-any-return]

    with pytest.raises(windlass.FlyteValidationException, match=r"should always end with an `else_\(\)`"):
        returned.compile()


def test_a_dangling_conditional_is_no_result_of_a_branch() -> None:
    def body() -> None:
        inner = conditional
        conditional("o").if_(add(a=1) == 2).then(inner("i").if_(add(a=1) == 2).then(add(a=1))).else_().then(add(a=1))

    with pytest.raises(AssertionError, match="Dangling If is not allowed"):
        compiled(body)


def test_the_type_is_the_widest_of_the_branches() -> None:
    @workflow
    def wide(n: int) -> Optional[int]:  # noqa: UP045  the old spelling must work too
        return conditional("c").if_(n > 0).then(add(a=n)).else_().then(maybe(n=0))  # type: ignore[no-any-return]

    assert (wide(n=1), wide(n=0)) == (2, None)


def test_branches_of_different_types_are_refused() -> None:
    with pytest.raises(
        windlass.FlyteAssertion, match=r"test_conditional\.py:\d+: the branches .*different types for o0: int, str"
    ):
        compiled(lambda: conditional("c").if_(add(a=1) == 2).then(add(a=1)).else_().then(word(text="x")))


def test_calls_are_ordered_around_a_conditional() -> None:
    @workflow
    def ordered(n: int) -> None:
        first, last = note(text="first"), note(text="last")
        middle = conditional("c").if_(n > 0).then(note(text="more")).else_().then(note(text="less"))
        first >> middle >> last

    after = {node["id"]: node.get("dependsOn") for node in manifest_nodes(ordered)}
    assert after == {"n0": None, "n1": ["n2", "n3"], "n2": ["n0"], "n3": ["n0"]}


def test_a_dangling_conditional_can_be_ordered() -> None:
    @workflow
    def ordered(n: int) -> None:
        maybe_told = conditional("c").if_(n > 0).then(note(text="more"))
        maybe_told >> note(text="last")

    assert manifest_nodes(ordered)[-1]["dependsOn"] == ["n0"]
    ordered(n=0)
    assert calls == ["last"]


# ---- the graph ----


def test_nodes_of_branches_carry_their_condition_and_one_node_chooses() -> None:
    nodes = manifest_nodes(sized)
    assert [node.get("when") for node in nodes] == [
        "inputs.n > 100",
        "!(inputs.n > 100) && inputs.n > 10",
        "!(inputs.n > 100) && !(inputs.n > 10)",
        None,
    ]
    assert nodes[-1] == {
        "id": "n3",
        "name": "size",
        "select": [
            {"when": "inputs.n > 100", "outputs": {"o0": {"$ref": "nodes.n0.outputs.o0"}}},
            {"when": "inputs.n > 10", "outputs": {"o0": {"$ref": "nodes.n1.outputs.o0"}}},
            {"outputs": {"o0": {"$ref": "nodes.n2.outputs.o0"}}},
        ],
    }


def test_inner_nodes_carry_the_conditions_around_them() -> None:
    @workflow
    def nested(a: int, b: int) -> int:
        return (  # type: ignore[no-any-return]
            conditional("o")
            .if_((a > 0) | (b > 9))
            .then(conditional("i").if_(b > 0).then(add(a=1)).else_().then(add(a=2)))
            .else_()
            .then(add(a=3))
        )

    nodes = manifest_nodes(nested)
    assert [(node["name"], node.get("when")) for node in nodes] == [
        ("add", "(inputs.a > 0 || inputs.b > 9) && inputs.b > 0"),
        ("add", "(inputs.a > 0 || inputs.b > 9) && !(inputs.b > 0)"),
        ("i", "inputs.a > 0 || inputs.b > 9"),
        ("add", "!(inputs.a > 0 || inputs.b > 9)"),
        ("o", None),
    ]


def test_a_conditional_in_a_sub_workflow_joins_the_graph() -> None:
    @workflow
    def outer(n: int) -> str:
        return word(text=sized(n=n))

    assert [node["name"] for node in manifest_nodes(outer)] == ["word", "word", "word", "size", "word"]
    assert (outer(n=1000), outer(n=1)) == ("large", "small")


def test_what_a_branch_makes_can_not_be_used_outside_of_it() -> None:
    kept: list[Any] = []

    def keep(promise: Any) -> Any:
        kept.append(promise)
        return promise

    def as_argument() -> None:
        conditional("c").if_(add(a=1) == 2).then(keep(add(a=5))).else_().then(add(a=6))
        add(a=kept[-1])

    def in_another_branch() -> None:
        conditional("c").if_(add(a=1) == 2).then(keep(add(a=5))).else_().then(add(a=kept[-1]))

    def as_condition() -> None:
        conditional("c").if_(add(a=1) == 2).then(keep(add(a=5))).elif_(kept[-1] == 1).then(add(a=1))

    for body in (as_argument, in_another_branch, as_condition):
        with pytest.raises(windlass.FlyteAssertion, match=r"test_conditional\.py:\d+: .*runs only in a branch of"):
            compiled(body)

    @workflow
    def returned() -> int:
        conditional("c").if_(add(a=1) == 2).then(keep(add(a=5))).else_().then(add(a=6))
        return kept[-1]  # type: ignore[no-any-return]

    with pytest.raises(windlass.FlyteAssertion, match="runs only in a branch of"):
        returned.compile()


def test_overrides_go_on_the_calls_in_the_branches() -> None:
    def body() -> None:
        made: Any = conditional("c").if_(add(a=1) == 2).then(add(a=1)).else_().then(add(a=2))
        made.with_overrides(retries=1)

    with pytest.raises(windlass.FlyteAssertion, match="overrides go on the calls inside it"):
        compiled(body)


def test_a_condition_that_the_cluster_could_not_take_is_refused_with_the_line() -> None:
    def body() -> None:
        n = add(a=1)
        chain = conditional("c").if_(n == 0).then(add(a=0))
        for value in range(60):
            chain = chain.elif_((n == 10**17 + value) | (n == 10**16 + value)).then(add(a=value))

    with pytest.raises(windlass.FlyteAssertion, match=r"test_conditional\.py:\d+: .*too much for the cluster"):
        compiled(body)


# ---- mistakes ----


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (lambda c: c.if_(add(a=1)), "unary expressions"),
        (lambda c: c.if_(True), "Logical (and/or/is/not) operations are not supported"),
        (lambda c: c.if_(add(a=1) is None), "Logical (and/or/is/not) operations are not supported"),
        (lambda c: c.if_("x"), "a condition is made of Comparison"),
        (lambda c: c.if_(add(a=1) == 1).then(add(a=1)).elif_(add(a=1)), "unary expressions"),
        (lambda c: c.if_(add(a=1) == 1).then(None), "then() takes what a call gives"),
        (lambda c: c.if_(add(a=1) == 1).then([1]), "then() takes what a call gives"),
    ],
)
def test_what_is_no_condition_or_result_is_refused(start: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        compiled(lambda: start(conditional("c")))
    assert message in str(caught.value)
    assert "test_conditional.py:" in str(caught.value)


def test_a_chain_is_written_in_one_go() -> None:
    def twice() -> None:
        case = conditional("c").if_(add(a=1) == 1)
        case.then(add(a=1))
        case.then(add(a=2))

    def from_a_branch() -> None:
        chain = conditional("c").if_(add(a=1) == 1).then(add(a=1))
        conditional("d").if_(add(a=1) == 1).then(chain.else_().then(add(a=1)))

    def after_its_order() -> None:
        chain = conditional("c").if_(add(a=1) == 1).then(add(a=1))
        chain >> add(a=1)
        chain.else_()

    for body in (twice, from_a_branch, after_its_order):
        with pytest.raises(AssertionError, match=r"has its then or fail already|is written in one go"):
            compiled(body)


@pytest.mark.parametrize("start", [lambda c: c, lambda c: c.if_(add(a=1) == 1)], ids=["conditional", "if_"])
def test_a_branch_that_is_left_open_is_refused(start: Callable[[Any], Any]) -> None:
    with pytest.raises(AssertionError, match=r"test_conditional\.py:\d+: .*has no then or fail"):
        compiled(lambda: start(conditional("c")))


def test_a_conditional_stands_in_a_workflow() -> None:
    with pytest.raises(AssertionError, match="Branches can only be invoked within a workflow context!"):
        conditional("c")

    @task
    def inside() -> None:
        conditional("c")

    with pytest.raises(AssertionError, match="Branches can only be invoked within a workflow context!"):
        inside()


def test_there_are_not_too_many_branches() -> None:
    def body() -> None:
        n = add(a=1)
        chain = conditional("c").if_(n == 0).then(1)
        for value in range(1, 70):
            chain = chain.elif_(n == value).then(1)

    with pytest.raises(windlass.FlyteAssertion, match="more than 64 branches"):
        compiled(body)
