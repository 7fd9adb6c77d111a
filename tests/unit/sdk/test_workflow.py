"""`@workflow`: compiled lazily, calls and their messages, edges, sub-workflows, overrides, outputs."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Optional

import pydantic
import pytest

import windlass
from windlass import Resources, TypeTransformerFailedError, task, workflow
from windlass._compile import Node
from windlass._documentation import Documentation
from windlass._plan_options import Options


class Both(NamedTuple):
    first: int
    second: str


@task
def one() -> int:
    return 1


@task
def add(a: int, b: int = 10) -> int:
    return a + b


@task
def both(a: int) -> Both:
    return Both(a, str(a))


@task
def note(text: str) -> None:
    print(text)


@task
def anything(value: Any) -> None:
    print(value)


@task
def listed(values: list[int] = []) -> int:  # noqa: B006  that is the case
    return len(values)


@workflow
def twice(a: int, by: int = 2) -> int:
    return add(a=add(a=a, b=by), b=by)


@workflow
def quiet(text: str) -> None:
    note(text=text) >> note(text="again")  # type: ignore[operator]  # promises, in a workflow


def anyhow(entity: Any) -> Any:
    """The entity to be called in ways that its type forbids."""
    return entity


def edges(nodes: list[Node]) -> dict[str, list[str]]:
    """The ids that each node comes after, by `>>`."""
    return {node.id: [upstream.id for upstream in node.after] for node in nodes}


def nodes_of(body: Callable[[], Any]) -> list[Node]:
    """The nodes of a workflow without inputs and outputs, whatever the body returns."""

    def quietly() -> None:
        body()

    return workflow(quietly).nodes


# ---- compiling ----


def test_a_broken_body_fails_only_when_the_graph_is_needed() -> None:
    @workflow
    def broken() -> int:
        return undefined_name  # type: ignore[name-defined,no-any-return]  # noqa: F821  that is the mistake

    with pytest.raises(NameError):
        broken.compile()
    with pytest.raises(NameError):
        broken()


def test_the_body_runs_once_to_compile_and_once_more_for_each_local_run() -> None:
    runs: list[str] = []

    @workflow
    def counted() -> int:
        runs.append("run")
        return one()

    counted()
    assert len(runs) == 2
    counted()
    assert len(runs) == 3


def test_nodes_are_numbered_in_order_of_calls() -> None:
    @workflow
    def chain(a: int = 3) -> int:
        return add(a=add(a=a), b=one())

    assert [(node.id, node.name) for node in chain.nodes] == [("n0", "add"), ("n1", "one"), ("n2", "add")]
    assert chain() == 14


def test_arguments_may_be_positional_or_by_keyword() -> None:
    def body() -> None:
        add(1, 2)
        add(1, b=2)
        add(b=2, a=1)

    assert [node.inputs for node in nodes_of(body)] == [{"a": 1, "b": 2}] * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: anyhow(add)(1, 2, 3),
            "Received more arguments than expected in function '.*add': 3 for the 2 inputs a, b",
        ),
        (lambda: anyhow(add)(1, a=2), "Got multiple values for argument 'a' in function"),
        (
            lambda: anyhow(add)(1, c=2),
            "Received unexpected keyword argument 'c' in function .*it has the 2 inputs a, b",
        ),
        (lambda: anyhow(add)(*[]), "Input a of type int was not specified for function .*add"),
        (lambda: anyhow(twice)(*[]), "Input a of type int was not specified for function .*twice"),
    ],
    ids=["too many", "twice", "unknown", "missing", "missing in a sub-workflow"],
)
def test_a_call_that_does_not_fit_names_the_line_of_the_call(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(AssertionError, match=rf"test_workflow\.py:\d+: {message}"):
        nodes_of(call)


def test_a_missing_input_is_a_flyte_assertion() -> None:
    with pytest.raises(windlass.FlyteAssertion):
        nodes_of(lambda: anyhow(add)(*[]))


def test_a_default_of_none_counts_only_where_the_type_allows_it() -> None:
    @task
    def strict(a: int = None) -> int:  # type: ignore[assignment]  # noqa: RUF013  that is the case
        return a

    @task
    def lenient(a: Optional[int] = None) -> int:  # noqa: UP045  the old spelling must work too
        return a or 0

    nodes_of(lambda: anyhow(lenient)(*[]))
    with pytest.raises(windlass.FlyteAssertion, match="Input a of type"):
        nodes_of(lambda: anyhow(strict)(*[]))


def test_a_mutable_default_is_refused_in_a_workflow_but_works_in_a_direct_call() -> None:
    assert listed() == 0
    with pytest.raises(windlass.FlyteAssertion, match="mutable default argument"):
        nodes_of(lambda: anyhow(listed)(*[]))
    nodes_of(lambda: listed(values=[1]))


def test_a_workflow_that_calls_itself_is_refused() -> None:
    @workflow
    def endless(a: int) -> int:
        result: int = endless(a=a)
        return result

    with pytest.raises(windlass.FlyteAssertion, match=r"can't contain itself: .*endless → .*endless"):
        endless.compile()


def test_two_threads_may_run_one_workflow_at_once() -> None:
    meeting = threading.Barrier(2, timeout=10)

    @task
    def meet(a: int) -> int:
        meeting.wait()
        return a

    @workflow
    def met(a: int) -> int:
        return meet(a=a)

    met.compile()
    results: list[int] = []
    threads = [threading.Thread(target=lambda number=number: results.append(met(a=number))) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [1, 2]


# ---- order ----


def test_the_arrow_orders_calls_and_its_value_is_the_right_operand() -> None:
    def body() -> None:
        first, second, third = one(), note(text="x"), both(a=1)
        assert (first >> third) is third  # type: ignore[operator,comparison-overlap]
        first >> second >> third  # type: ignore[operator]

    assert edges(nodes_of(body)) == {"n0": [], "n1": ["n0"], "n2": ["n0", "n1"]}


def test_runs_before_is_the_same_edge() -> None:
    def body() -> None:
        last, first = one(), note(text="x")
        first.runs_before(last)  # type: ignore[attr-defined]

    assert edges(nodes_of(body)) == {"n0": ["n1"], "n1": []}


def test_ordering_a_sub_workflow_orders_its_first_and_last_nodes() -> None:
    def body() -> None:
        start, middle, end = one(), twice(a=1), note(text="x")
        start >> middle >> end  # type: ignore[operator]

    assert edges(nodes_of(body)) == {"n0": [], "n1": ["n0"], "n2": [], "n3": ["n2"]}


def test_a_sub_workflow_without_outputs_can_be_ordered() -> None:
    def body() -> None:
        quiet(text="x") >> one()  # type: ignore[operator]

    assert edges(nodes_of(body)) == {"n0": [], "n1": ["n0"], "n2": ["n1"]}


def test_a_cycle_of_arrows_is_refused_with_its_calls() -> None:
    def body() -> None:
        a, b = one(), note(text="x")
        a >> b  # type: ignore[operator]
        b >> a  # type: ignore[operator]

    with pytest.raises(windlass.FlyteAssertion, match=r"wait for each other: [^\n]*\n.*test_workflow\.py:\d+"):
        nodes_of(body)


def test_only_calls_can_be_ordered() -> None:
    with pytest.raises(TypeError, match="`>>` orders calls"):
        nodes_of(lambda: one() >> 3)

    @workflow
    def of_input(a: int) -> None:
        a >> one()

    with pytest.raises(windlass.FlyteAssertion, match="an input of the workflow"):
        of_input.compile()


# ---- sub-workflows ----


def test_a_sub_workflow_becomes_part_of_the_same_graph() -> None:
    @workflow
    def outer(a: int) -> int:
        return twice(a=twice(a=a), by=one())

    assert [node.id for node in outer.nodes] == ["n0", "n1", "n2", "n3", "n4"]
    assert [repr(node.inputs) for node in outer.nodes] == [
        "{'a': inputs.a, 'b': 2}",
        "{'a': nodes.n0.outputs.o0, 'b': 2}",
        "{}",
        "{'a': nodes.n1.outputs.o0, 'b': nodes.n2.outputs.o0}",
        "{'a': nodes.n3.outputs.o0, 'b': nodes.n2.outputs.o0}",
    ]
    assert outer(a=1) == 7


def test_constants_given_to_a_sub_workflow_are_checked_by_its_types_and_can_be_taken_apart() -> None:
    @workflow
    def first_of(values: list[int]) -> int:
        return add(a=values[0], b=0)

    @workflow
    def outer() -> int:
        return first_of(values=[7, 8])

    assert outer.nodes[0].inputs == {"a": 7, "b": 0}
    assert outer() == 7
    with pytest.raises(windlass.TypeTransformerFailedError, match="Failed to Bind variable 'values'"):
        nodes_of(lambda: first_of(values=["x"]))  # type: ignore[list-item]  # that is the mistake
    with pytest.raises(windlass.FlytePromiseAttributeResolveException, match="index 0 is out of range"):
        nodes_of(lambda: first_of(values=[]))


# ---- overrides ----


def test_overrides_are_kept_with_the_node_and_merge_call_by_call() -> None:
    def body() -> None:
        call: Any = add(a=1)
        call.with_overrides(retries=2, environment={"A": "1"}, requests=Resources(cpu=1))
        call.with_overrides(container_image="img", environment={"B": "2"}, limits=Resources(cpu=2))

    assert nodes_of(body)[0].overrides == {
        "image": "img",
        "env": {"A": "1", "B": "2"},
        "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
        "retries": 2,
    }


def test_one_call_is_overridden_not_the_task() -> None:
    def body() -> None:
        one().with_overrides(retries=2)  # type: ignore[attr-defined]
        one()

    assert [node.overrides for node in nodes_of(body)] == [{"retries": 2}, {}]


def test_the_display_name_and_the_id_can_be_changed() -> None:
    def body() -> None:
        first: Any = one()
        first.with_overrides(name="The first", node_name="My_first.Node")
        add(a=first)

    nodes = nodes_of(body)
    assert (nodes[0].id, nodes[0].name) == ("my-first--node", "The first")
    assert repr(nodes[1].inputs["a"]) == 'nodes["my-first--node"].outputs.o0'


def test_an_over_long_id_is_shortened_and_an_empty_one_refused() -> None:
    nodes = nodes_of(lambda: one().with_overrides(node_name="x" * 80))  # type: ignore[attr-defined]
    assert len(nodes[0].id) <= 63
    with pytest.raises(ValueError, match="no letter or digit"):
        nodes_of(lambda: one().with_overrides(node_name="__"))  # type: ignore[attr-defined]


def test_two_nodes_of_one_id_are_refused() -> None:
    def body() -> None:
        one()
        note(text="x").with_overrides(node_name="n0")  # type: ignore[attr-defined]

    with pytest.raises(windlass.FlyteAssertion, match=r"two nodes have the id n0: .*one.*and.*note"):
        nodes_of(body)


def test_unknown_overrides_are_refused_with_the_known_ones() -> None:
    with pytest.raises(
        TypeError, match=r"test_workflow\.py:\d+: with_overrides takes no retrys; it takes node_name, .*retries"
    ):
        nodes_of(lambda: one().with_overrides(retrys=3))  # type: ignore[attr-defined]


def test_overrides_can_not_be_promises_and_go_on_calls_of_tasks_only() -> None:
    with pytest.raises(AssertionError, match="Cannot use a promise in the"):
        nodes_of(lambda: one().with_overrides(retries=one()))  # type: ignore[attr-defined]
    with pytest.raises(windlass.FlyteAssertion, match="overrides go on the calls inside it"):
        nodes_of(lambda: twice(a=1).with_overrides(retries=1))  # type: ignore[attr-defined]


# ---- outputs ----


def test_inputs_constants_lists_and_parts_may_be_returned() -> None:
    @workflow
    def returning(a: int) -> tuple[int, str, list[int], int]:
        return a, "constant", [one(), 2], both(a=a).first

    assert repr(returning.compile().outputs) == (
        "{'o0': inputs.a, 'o1': 'constant', 'o2': [nodes.n0.outputs.o0, 2], 'o3': nodes.n1.outputs.first}"
    )
    assert tuple(returning(a=5)) == (5, "constant", [1, 2], 5)


def test_named_outputs_of_a_workflow() -> None:
    @workflow
    def named(a: int) -> Both:
        result = both(a=a)
        return Both(result.first, result.second)

    @workflow
    def passed_on(a: int) -> Both:
        return both(a=a)

    assert named(a=3) == passed_on(a=3) == Both(3, "3")


def test_a_workflow_without_outputs_returns_nothing_or_what_returns_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    @workflow
    def passing_on() -> None:
        return note(text="x")

    @workflow
    def talkative():  # type: ignore[no-untyped-def]  # that is the mistake
        return one()

    assert quiet(text="x") is None
    assert passing_on() is None
    assert capsys.readouterr().out == "x\nagain\nx\n"
    with pytest.raises(windlass.FlyteValueException, match=r"test_workflow\.py:\d+: .*its signature has no outputs"):
        talkative.compile()


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda: "x", r"test_workflow\.py:\d+: Failed to bind output o0 for function .*: .*int"),
        (lambda: both(a=1).second, "Failed to bind output o0 .*expected int, got str"),
        (lambda: note(text="x"), "Failed to bind output o0 .*returns nothing"),
        (lambda: both(a=1), "Failed to bind output o0 .*multi-valued tuple"),
    ],
    ids=["a constant", "a promise", "nothing", "several"],
)
def test_what_does_not_fit_the_declared_output_is_refused(result: Callable[[], Any], message: str) -> None:
    @workflow
    def wrong() -> int:
        return result()  # type: ignore[no-any-return]

    with pytest.raises(windlass.FlyteValidationException, match=message):
        wrong.compile()


def test_as_many_values_are_returned_as_outputs_are_declared() -> None:
    @workflow
    def short() -> tuple[int, int]:
        return one()  # type: ignore[return-value]

    with pytest.raises(
        windlass.FlyteValidationException,
        match=r"test_workflow\.py:\d+: .* has the 2 outputs o0, o1, but returned Promise",
    ):
        short.compile()


def test_defaults_of_a_workflow_are_used_where_it_is_called() -> None:
    @workflow
    def defaulted(a: int = 4, names: list[str] = ["x"]) -> tuple[int, list[str]]:  # noqa: B006  promises can't change it
        return add(a=a), names

    assert tuple(defaulted()) == (14, ["x"])
    assert tuple(defaulted(a=1, names=[])) == (11, [])


# ---- settings ----


def test_docs_take_the_place_of_the_docstring() -> None:
    def body() -> None:
        """Its own."""
        one()

    assert workflow(body).description == "Its own."
    assert workflow(docs="Other words.")(body).description == "Other words."
    assert workflow(docs=Documentation(short_description="Short."))(body).description == "Short."


def test_parameters_without_a_type_are_taken_as_anything_where_that_is_wanted() -> None:
    def untyped(a) -> None:  # type: ignore[no-untyped-def]  # that is the case
        anything(value=a)

    with pytest.raises(windlass.FlyteMissingTypeException):
        workflow(untyped)
    taken = workflow(pickle_untyped=True)(untyped)
    assert taken.interface.inputs["a"].python_type is Any


def test_default_options_are_options() -> None:
    options = Options(labels={"team": "a"})
    assert workflow(default_options=options)(lambda: None).default_options is options
    with pytest.raises(windlass.FlyteValidationException, match=r"default_options takes Options"):
        workflow(default_options={"labels": {}})(lambda: None)  # type: ignore[call-overload]  # that is the mistake


class _Colour(enum.Enum):
    RED = "red"


class _Shade(enum.Enum):
    RED = "red"
    DARK = "dark"


@task
def _shade() -> _Shade:
    return _Shade.DARK


@task
def _colour() -> _Colour:
    return _Colour.RED


@task
def _takes_colour(colour: _Colour) -> str:
    return colour.value


@task
def _takes_shade(shade: _Shade) -> str:
    return shade.value


def test_an_enum_goes_where_all_its_values_are_known_and_nowhere_else() -> None:
    @workflow
    def fits() -> str:
        return _takes_shade(shade=_colour())  # type: ignore[arg-type]  # that is the point

    @workflow
    def does_not() -> str:
        return _takes_colour(colour=_shade())  # type: ignore[arg-type]  # that is the point

    assert fits() == "red"
    with pytest.raises(TypeTransformerFailedError, match=r"colour.*another enum.*values that this one lacks"):
        does_not.compile()


class _Model(pydantic.BaseModel):
    a: int
    b: str = "x"


@task
def _three() -> int:
    return 3


@task
def _takes_model(model: _Model) -> str:
    return f"{model.a}{model.b}"


@task
def _takes_keys(by_day: dict[int, int]) -> int:
    return sum(key * value for key, value in by_day.items())


def test_promises_may_stand_in_models_and_under_keys_that_are_no_texts() -> None:
    @workflow
    def built() -> tuple[str, str, int]:
        mapping: Any = {"a": _three(), "b": "y"}
        return (
            _takes_model(model=_Model.model_construct(a=_three(), b="x")),
            _takes_model(model=mapping),
            _takes_keys(by_day={2: _three(), 10: 1}),
        )

    assert built() == ("3x", "3y", 16)
    assert built.nodes[5].inputs["by_day"].keys() == {"2", "10"}
