"""The options of `@task` and of `with_overrides`: what each becomes, and what is refused where it is written."""

from __future__ import annotations

import datetime
import inspect
import json
import subprocess
import sys
import typing
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from windlass import FlyteMissingTypeException, Resources, task, workflow
from windlass._cache import Cache, CacheFunctionBody
from windlass._documentation import Description, Documentation, SourceCode
from windlass._dynamic import DynamicTask
from windlass._eager import EagerTask
from windlass._image import ImageSpec
from windlass._options import (
    DECK_FIELDS,
    NODE_OPTIONS,
    TASK_OPTIONS,
    ExecutionBehavior,
    TaskSettings,
    override,
    settle,
)
from windlass._pod_template import PodTemplate
from windlass._secrets import Secret
from windlass._task import PythonTask
from windlass.accelerators import A100, T4, V5E
from windlass_api.overrides import OVERRIDE_FIELDS
from windlass_api.v1alpha1.overrides import Overrides

SURFACE = json.loads((Path(__file__).parents[2] / "conformance" / "api-surface.json").read_text())


def spelled(value: object) -> str | None:
    """A case's name; pytest counts those whose spelling would change from run to run."""
    text = str(value)
    return None if " at 0x" in text else text


class Image:
    """Like an ImageSpec: its tag is work to find out."""

    def __init__(self) -> None:
        self.asked = 0

    def image_name(self) -> str:
        self.asked += 1
        return "registry/built:abc"


@task
def one(a: int = 1) -> int:
    return a


def fields(**options: Any) -> dict[str, Any]:
    """The contract's fields of a task with these options."""
    found: dict[str, Any] = task(**options)(one.function).overrides
    return found


# ---- one list -------------------------------------------------------------------------------------------------------


def test_task_has_every_parameter_of_the_api_and_settle_knows_them() -> None:
    signature = inspect.signature(task)
    assert set(SURFACE["functions"]["task"]) <= set(signature.parameters)
    assert set(signature.parameters) - {"_task_function", "kwargs"} <= set(TASK_OPTIONS)
    deprecated = {"cache_version", "cache_serialize", "cache_ignore_input_vars"}
    assert set(TASK_OPTIONS) - set(signature.parameters) == deprecated


def test_type_checkers_see_the_same_parameters_as_people() -> None:
    overload = inspect.signature(typing.get_overloads(task)[1])
    mine = inspect.signature(task)
    for name, parameter in mine.parameters.items():
        if name not in ("_task_function", "kwargs"):
            assert overload.parameters[name].default == parameter.default
            assert overload.parameters[name].annotation == parameter.annotation
    assert set(overload.parameters) == {"_task_function", *TASK_OPTIONS}


def test_every_parameter_of_task_is_explained() -> None:
    explained = inspect.getdoc(task) or ""
    for name in inspect.signature(task).parameters:
        assert f"    {name}: " in explained or name == "_task_function"


def test_defaults_mean_not_given() -> None:
    given = {name: parameter.default for name, parameter in inspect.signature(task).parameters.items()}
    options = {name: value for name, value in given.items() if name in TASK_OPTIONS}
    assert settle(options)[0] == {}


def test_with_overrides_has_every_override_of_the_api() -> None:
    page = "node_name name aliases requests limits resources timeout retries interruptible task_config container_image"
    page += " accelerator shared_memory pod_template cache cache_version cache_serialize"
    assert set(page.split()) <= set(NODE_OPTIONS)


ALL: dict[str, Any] = {
    "container_image": "python:3.12",
    "environment": {"A": "1"},
    "resources": Resources(cpu=1),
    "accelerator": T4,
    "shared_memory": "1Gi",
    "secret_requests": [Secret(group="g", key="k")],
    "interruptible": True,
    "pod_template": PodTemplate(labels={"a": "b"}),
    "pod_template_name": "base",
    "labels": {"team": "data"},
    "annotations": {"note": "Any text."},
    "retries": 2,
    "retry_on": [OSError],
    "timeout": 90,
    "queue_timeout": 600,
    "pending_timeout": datetime.timedelta(minutes=5),
    "max_memory": "8Gi",
    "cache": Cache(version="1"),
    "enable_deck": True,
}


def test_every_field_of_the_contract_has_an_option_and_is_as_the_contract_wants_it() -> None:
    found = fields(**ALL)
    assert set(found) == set(OVERRIDE_FIELDS)
    Overrides.model_validate(found)


def test_every_option_that_says_how_a_task_runs_is_an_override_too_but_for_the_deck() -> None:
    given = {name: value for name, value in ALL.items() if name != "enable_deck"}
    found, _ = override(given, {})
    assert found == {field: value for field, value in fields(**ALL).items() if field != "deck"}


# ---- what each becomes ----------------------------------------------------------------------------------------------

BECOMES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"interruptible": False}, {"interruptible": False}),
    ({"timeout": datetime.timedelta(minutes=1, seconds=30)}, {"timeout": "1m30s"}),
    ({"timeout": datetime.timedelta(milliseconds=1500)}, {"timeout": "1.5s"}),
    ({"timeout": 100}, {"timeout": "1m40s"}),
    (
        {"queue_timeout": 600, "pending_timeout": datetime.timedelta(minutes=5)},
        {"queueTimeout": "10m", "pendingTimeout": "5m"},
    ),
    ({"queue_timeout": 0, "pending_timeout": 0}, {}),
    ({"max_memory": "8Gi"}, {"maxMemory": "8Gi"}),
    ({"max_memory": 1024}, {"maxMemory": "1024"}),
    ({"shared_memory": True}, {"sharedMemory": {}}),
    ({"shared_memory": "2Gi"}, {"sharedMemory": {"size": "2Gi"}}),
    ({"accelerator": A100.partition_1g_5gb}, {"accelerator": {"device": "nvidia-tesla-a100", "partition": "1g.5gb"}}),
    ({"secret_requests": [Secret("g", "k", env_var="K")]}, {"secrets": [{"group": "g", "key": "k", "env": "K"}]}),
    (
        {"pod_template": PodTemplate({"hostPID": True})},
        {"podTemplate": {"spec": {"hostPID": True}, "primaryContainer": "primary"}},
    ),
    ({"pod_template_name": "base"}, {"podTemplateName": "base"}),
    ({"labels": {"a": "b", "c": ""}}, {"labels": {"a": "b", "c": ""}}),
    ({"annotations": {"a": "free text: ÄÖ"}}, {"annotations": {"a": "free text: ÄÖ"}}),
    ({"enable_deck": True}, {"deck": {"enabled": True}}),
    ({"enable_deck": False}, {"deck": {"enabled": False}}),
    (
        {"enable_deck": True, "deck_fields": ("Source Code", "Input")},
        {"deck": {"enabled": True, "fields": ["SourceCode", "Input"]}},
    ),
    (
        {"cache": Cache(version="7", serialize=True, ignored_inputs=("a",))},
        {"cache": {"version": "7", "serialize": True, "ignoredInputs": ["a"]}},
    ),
    ({"cache": True, "cache_version": "7"}, {"cache": {"version": "7"}}),
    (
        {"cache": True, "cache_version": "7", "cache_serialize": True, "cache_ignore_input_vars": ("a",)},
        {"cache": {"version": "7", "serialize": True, "ignoredInputs": ["a"]}},
    ),
    (
        {"resources": Resources(gpu=8), "accelerator": V5E.slice_2x4},
        {
            "resources": {"requests": {"google.com/tpu": "8"}, "limits": {"google.com/tpu": "8"}},
            "accelerator": {"device": "tpu-v5-lite-podslice", "topology": "2x4"},
        },
    ),
    (
        {"limits": Resources(gpu=1), "accelerator": T4},
        {"resources": {"limits": {"nvidia.com/gpu": "1"}}, "accelerator": {"device": "nvidia-tesla-t4"}},
    ),
    ({"resources": Resources()}, {}),
]


@pytest.mark.parametrize(("options", "becomes"), BECOMES, ids=spelled)
def test_an_option_becomes_a_field(options: dict[str, Any], becomes: dict[str, Any]) -> None:
    found = fields(**options)
    assert found == becomes
    Overrides.model_validate(found)


def test_a_member_of_an_enum_names_a_deck_s_field() -> None:
    from windlass._data.deck import DeckField

    found = fields(enable_deck=True, deck_fields=tuple(DeckField))["deck"]["fields"]
    assert sorted(found) == sorted(DECK_FIELDS)


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"retrys": 1}, ValueError, r"^Unrecognized argument\(s\) for task: retrys\. It takes .*retries"),
    ({"interruptible": 1}, TypeError, "interruptible takes True or False"),
    (
        {"timeout": "90s"},
        ValueError,
        "timeout should be duration represented as either a datetime.timedelta or int sec",
    ),
    ({"timeout": 1.5}, ValueError, r"datetime\.timedelta or int seconds"),
    ({"timeout": True}, ValueError, r"datetime\.timedelta or int seconds"),
    ({"timeout": -1}, ValueError, "a duration of 0"),
    ({"queue_timeout": "1h"}, ValueError, r"queue_timeout should be duration .* datetime\.timedelta or int seconds"),
    ({"pending_timeout": -1}, ValueError, "pending_timeout takes a duration of 0"),
    ({"max_memory": "8GB"}, ValueError, "max_memory takes an amount of memory such as '8Gi'"),
    ({"max_memory": 1.5}, ValueError, "max_memory takes an amount of memory"),
    ({"shared_memory": "lots"}, ValueError, "True or a size such as '2Gi'"),
    ({"accelerator": "T4"}, TypeError, "one of windlass.accelerators"),
    ({"secret_requests": ["password"]}, AssertionError, r"should be of type Secret: write Secret\(key='password'\)"),
    ({"secret_requests": Secret(key="x")}, AssertionError, "a list of Secret objects"),
    ({"secret_requests": [Secret()]}, ValueError, "asks for nothing"),
    ({"pod_template": {"spec": {}}}, TypeError, "takes a PodTemplate"),
    ({"pod_template_name": PodTemplate()}, TypeError, "the name of a PodTemplate"),
    ({"labels": {"a": "no blanks"}}, ValueError, "is not possible in Kubernetes"),
    ({"labels": {"a": "x" * 64}}, ValueError, "at most 63"),
    ({"labels": {"a": 1}}, TypeError, "write 'a': '1'"),
    ({"annotations": ["a"]}, TypeError, "a dict of texts"),
    ({"container_image": "{{.image.default.fqn}}"}, ValueError, "no configuration of images"),
    ({"container_image": 3}, TypeError, "an image's name such as"),
    ({"enable_deck": True, "disable_deck": False}, ValueError, "can't both be given"),
    ({"enable_deck": True, "deck_fields": ("Plots",)}, ValueError, "no field of a deck: take some of SourceCode"),
    ({"cache": "yes"}, TypeError, "takes True, False or a Cache"),
    ({"cache": Cache(version="1"), "cache_version": "2"}, ValueError, "cache_ignore_input_vars are deprecated"),
    ({"cache": Cache(version="1"), "cache_serialize": False}, ValueError, "are deprecated. Please use Cache object"),
    ({"cache_serialize": True}, ValueError, "cache_serialize needs a cache"),
    ({"cache_ignore_input_vars": ("a",)}, ValueError, "cache_ignore_input_vars needs a cache"),
    ({"cache": True, "cache_ignore_input_vars": "a"}, TypeError, r"write \('a',\)"),
    ({"cache": True, "cache_version": 1}, TypeError, "cache_version takes a text"),
    ({"resources": Resources(cpu=1), "limits": Resources(cpu=1)}, ValueError, "can't be used together"),
    ({"node_dependency_hints": [one]}, ValueError, "should only be used on dynamic tasks"),
    ({"task_resolver": object()}, ValueError, "module:function"),
    ({"task_config": object()}, ValueError, "no plugin for tasks of kind object"),
    ({"docs": 3}, TypeError, "a text or a Documentation"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=spelled)
def test_a_value_that_can_not_be_is_refused_at_decoration(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        task(**options)


def test_a_task_may_say_everything_at_once() -> None:
    @task(
        cache=True,
        retries=1,
        interruptible=True,
        timeout=60,
        container_image="python:3.12",
        environment={"A": "1"},
        requests=Resources(cpu=1),
        limits=Resources(cpu=2),
        secret_requests=[Secret(key="k")],
        task_resolver=None,
        enable_deck=True,
        deck_fields=("Input",),
        pod_template=PodTemplate(),
        pod_template_name="base",
        accelerator=T4,
        shared_memory=True,
        labels={"team": "data"},
        annotations={"note": "x"},
        queue_timeout=60,
        pending_timeout=60,
        max_memory="1Gi",
        cache_version="1",
    )
    def busy(a: int) -> int:
        return a

    assert busy(a=2) == 2
    assert set(busy.overrides) == set(OVERRIDE_FIELDS) - {"retryOn"}
    Overrides.model_validate(busy.overrides)


# ---- what takes work ------------------------------------------------------------------------------------------------


def test_an_image_s_name_is_found_out_when_it_is_needed_and_once_per_task() -> None:
    image = Image()
    make = task(container_image=image)  # type: ignore[call-overload]  # like an ImageSpec
    made = make(one.function)
    assert image.asked == 0
    assert made.overrides["image"] == made.overrides["image"] == "registry/built:abc"
    assert image.asked == 1
    assert make(one.function).overrides["image"] == "registry/built:abc"
    assert made.settings.image_specs == (image,)


def test_importing_a_task_loads_nothing_that_only_its_manifest_needs() -> None:
    code = (
        "import sys\nfrom windlass import task, Resources\nfrom windlass.accelerators import T4\n"
        "@task(cache=True, retries=1, resources=Resources(cpu=1), accelerator=T4, shared_memory=True)\n"
        "def f(a: int) -> int:\n    return a\n"
        "heavy = {'ast', 'inspect', 'json', 'hashlib', 'dataclasses', 'windlass._cache', 'windlass._documentation'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_cache_without_version_is_that_of_the_function_s_body() -> None:
    @task(cache=True)
    def body(a: int) -> int:
        return a + 1

    policy = CacheFunctionBody()
    found = body.overrides["cache"]["version"]
    assert found == task(cache=Cache(policies=[policy]))(body.function).overrides["cache"]["version"]
    assert found != task(cache=True)(one.function).overrides["cache"]["version"]


def test_one_decorator_may_make_several_tasks() -> None:
    @task
    def other(a: int) -> int:
        return a * 2

    make = task(cache=True, retries=1)
    first, second = make(one.function), make(other.function)
    first.overrides["env"] = {"A": "1"}
    assert first.overrides["cache"] != second.overrides["cache"]
    assert "env" not in second.overrides


def test_a_policy_is_told_what_the_task_is_like() -> None:
    class Policy:
        def get_version(self, salt: str, params: Any) -> str:
            seen.append(params)
            return "v"

    seen: list[Any] = []
    template = PodTemplate()
    made = task(cache=Cache(policies=[Policy()]), container_image="i", pod_template=template, pod_template_name="n")(
        one.function
    )
    assert made.overrides["cache"]["version"]
    assert (seen[0].func, seen[0].container_image) == (one.function, "i")
    assert (seen[0].pod_template, seen[0].pod_template_name) == (template, "n")


def test_an_ignored_input_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ignores the input 'b', which is none of a"):
        fields(cache=Cache(version="1", ignored_inputs=("b",)))


# ---- what only the SDK uses -----------------------------------------------------------------------------------------


def test_each_call_of_a_deprecated_task_warns_at_its_line() -> None:
    old = task(deprecated="use `new`")(one.function)
    with pytest.warns(DeprecationWarning, match=r"test_options\.one is deprecated: use `new`") as warned:
        assert old(a=2) == 2
    assert warned[0].filename == __file__


def test_a_deprecated_task_warns_in_a_workflow() -> None:
    old = task(deprecated="use `new`")(one.function)

    @workflow
    def uses_it() -> int:
        return old(a=1)

    with pytest.warns(DeprecationWarning, match="use `new`"):
        uses_it.compile()


def test_docs_take_the_place_of_the_docstring() -> None:
    docs = Documentation(
        "Short.", Description("Long.", uri="https://x.example/y"), SourceCode(link="https://x.example")
    )
    documented = task(docs=docs)(one.function)
    assert documented.description == "Short.\n\nLong.\n\nhttps://x.example/y\n\nSource: https://x.example"
    assert task(docs="Only this.")(one.function).description == "Only this."
    assert Documentation("S", "L").text() == "S\n\nL"


def test_pickle_untyped_lets_a_parameter_go_without_annotation() -> None:
    def untyped(a) -> int:  # type: ignore[no-untyped-def]  # that is what it is for
        return int(a)

    with pytest.raises(FlyteMissingTypeException):
        task(untyped)
    assert task(pickle_untyped=True)(untyped)(a=3) == 3


def test_execution_modes_are_those_of_the_decorators_for_them() -> None:
    def body(a: int) -> int:
        return one(a=a)

    async def driver(a: int) -> int:
        return a

    mode = PythonTask.ExecutionBehavior
    made = task(execution_mode=mode.DYNAMIC, retries=1, node_dependency_hints=[one])(body)
    assert isinstance(made, DynamicTask)
    assert made.overrides == {"retries": 1}
    assert list(made.definitions()) == [one, made]
    assert isinstance(task(execution_mode=mode.EAGER)(driver), EagerTask)
    assert type(task(execution_mode=mode.DEFAULT)(body)) is PythonTask
    assert mode is ExecutionBehavior


def test_a_function_may_be_given_together_with_options() -> None:
    given: Any = task
    made = given(one.function, retries=2)
    assert (made.overrides, made(a=5)) == ({"retries": 2}, 5)


def test_disable_deck_is_deprecated_and_means_the_opposite() -> None:
    with pytest.warns(FutureWarning, match="use enable_deck") as warned:
        made = task(disable_deck=False)(one.function)
    assert made.overrides == {"deck": {"enabled": True}}
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deck_fields": ("Input",)}, "deck_fields has no effect"),
        ({"cache_version": "1"}, "no effect without cache=True"),
    ],
)
def test_what_has_no_effect_warns(options: dict[str, Any], message: str) -> None:
    with pytest.warns(UserWarning, match=message) as warned:
        assert fields(**options) == {}
    assert warned[0].filename == __file__


class Pod:
    """Like the configuration of a plugin for pods."""

    def __init__(self, pod_spec: Any) -> None:
        self.pod_spec = pod_spec
        self.primary_container_name = "work"


class Big:
    """A configuration that says itself what it needs."""

    def __init__(self, cores: str) -> None:
        self.cores = cores

    def to_overrides(self) -> Mapping[str, Any]:
        return {"resources": {"requests": {"cpu": self.cores}}, "retries": 7}


def test_a_task_config_may_say_what_it_needs_and_options_win() -> None:
    config = Big("8")
    made = task(task_config=config, retries=1)(one.function)
    assert made.overrides == {"resources": {"requests": {"cpu": "8"}}, "retries": 1}
    assert made.task_config is config


def test_a_plugin_s_pod_is_a_pod_template() -> None:
    assert fields(task_config=Pod({"hostPID": True})) == {
        "podTemplate": {"spec": {"hostPID": True}, "primaryContainer": "work"}
    }


# ---- with_overrides -------------------------------------------------------------------------------------------------


def node(*calls: dict[str, Any], of: Callable[..., Any] = one) -> Any:
    """The node of a call with these overrides, one after the other."""

    @workflow
    def overriding() -> int:
        promise = of()
        for options in calls:
            promise = promise.with_overrides(**options)
        return promise  # type: ignore[no-any-return]  # a promise

    return overriding.nodes[0]


def test_later_overrides_add_to_earlier_ones() -> None:
    found = node(
        {"retries": 1, "environment": {"A": "1"}, "requests": Resources(cpu=1)},
        {"environment": {"B": "2"}, "limits": Resources(mem="1Gi")},
        {"retries": 0},
    ).overrides
    assert found == {
        "retries": 0,
        "env": {"A": "1", "B": "2"},
        "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}},
    }


def test_a_node_has_an_id_and_a_name() -> None:
    found = node({"node_name": "My node_1", "name": "nice"})
    assert (found.id, found.name) == ("my-node-1", "nice")


@pytest.mark.parametrize(
    ("option", "field"),
    [("timeout", "timeout"), ("queue_timeout", "queueTimeout"), ("pending_timeout", "pendingTimeout")],
)
def test_no_timeout_lifts_the_task_s(option: str, field: str) -> None:
    assert node({option: None}).overrides == {field: "0s"}
    assert node({"retries": None, "name": None}).overrides == {}


CACHED = {"version": "1", "serialize": True, "ignoredInputs": ["a"]}
CACHES: list[tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any]]] = [
    ({"cache": False}, CACHED, {"enabled": False}),
    ({"cache": True}, CACHED, CACHED),
    ({"cache": True}, {"version": "1", "enabled": False}, {"version": "1"}),
    ({"cache_version": "2"}, CACHED, {**CACHED, "version": "2"}),
    ({"cache_serialize": False}, CACHED, {**CACHED, "serialize": False}),
    ({"cache": True, "cache_version": "2", "cache_serialize": True}, None, {"version": "2", "serialize": True}),
    ({"cache": Cache(version="3")}, CACHED, {"version": "3"}),
]


@pytest.mark.parametrize(("options", "held", "becomes"), CACHES, ids=spelled)
def test_a_node_s_cache_keeps_what_it_does_not_change(
    options: dict[str, Any], held: dict[str, Any] | None, becomes: dict[str, Any]
) -> None:
    found, _ = override(options, {} if held is None else {"cache": held})
    assert found == {"cache": becomes}
    Overrides.model_validate(found)


@pytest.mark.parametrize("options", [{"cache": True}, {"cache": Cache()}, {"cache_serialize": True}])
def test_a_cache_in_an_override_needs_a_version(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"test_options\.py:\d+: must specify cache version when overriding"):
        override(options, {})
    with pytest.raises(ValueError, match="must specify cache version when overriding"):
        override({"cache": Cache()}, {"cache": CACHED})


def test_a_request_above_the_task_s_limit_is_brought_down_to_it() -> None:
    limited = task(limits=Resources(cpu=2, mem="1Gi"))(one.function)
    with pytest.warns(UserWarning, match="cpu=4 is more than the task's limit; taking 2") as warned:
        found = node({"requests": Resources(cpu=4, mem="512Mi")}, of=limited).overrides
    assert found == {"resources": {"requests": {"cpu": "2", "memory": "512Mi"}}}
    assert warned[0].filename == __file__


def test_the_gpus_of_a_task_for_a_tpu_are_tpus_in_an_override_too() -> None:
    found = node({"limits": Resources(gpu=4)}, of=task(accelerator=V5E.slice_2x2)(one.function)).overrides
    assert found == {"resources": {"limits": {"google.com/tpu": "4"}}}


def test_an_image_in_an_override_is_found_out_at_once() -> None:
    image = Image()
    found, said = override({"container_image": image}, {})
    assert (found, said.image_specs) == ({"image": "registry/built:abc"}, (image,))


def test_a_task_config_of_the_same_class_changes_this_node_only() -> None:
    configured = task(task_config=Big("1"))(one.function)
    assert node({"task_config": Big("8")}, of=configured).overrides["resources"] == {"requests": {"cpu": "8"}}
    assert configured.task_config.cores == "1"
    assert configured.overrides["resources"] == {"requests": {"cpu": "1"}}
    with pytest.raises(ValueError, match="not of the class of the task's own"):
        node({"task_config": Pod({})}, of=configured)
    with pytest.raises(ValueError, match="not of the class"):
        node({"task_config": Big("8")})


def test_aliases_warn_that_nothing_reads_them() -> None:
    with pytest.warns(UserWarning, match="outputs go by their own names"):
        assert node({"aliases": {"o0": "total"}}).overrides == {}
    with pytest.raises(TypeError, match="aliases takes texts"):
        node({"aliases": {"o0": 1}})


NOT_OVERRIDES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"retrys": 1}, TypeError, r"test_options\.py:\d+: with_overrides takes no retrys; it takes node_name, .*retries"),
    ({"resources": Resources(cpu=1), "requests": Resources(cpu=1)}, ValueError, "can't be used together"),
    ({"timeout": "1h"}, ValueError, r"datetime\.timedelta or int seconds"),
    ({"shared_memory": False}, ValueError, "True or a size"),
    ({"cache": False, "cache_version": "1"}, ValueError, "turns the cache off"),
    ({"cache": Cache(version="1"), "cache_version": "2"}, ValueError, "are deprecated"),
    ({"node_name": 3}, TypeError, "node_name takes a text"),
    ({"enable_deck": True}, TypeError, "takes no enable_deck"),
    ({"retries": -1}, ValueError, "0 or more"),
]


@pytest.mark.parametrize(("options", "error", "message"), NOT_OVERRIDES, ids=spelled)
def test_what_can_not_be_overridden_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        node(options)


def test_a_promise_is_no_override() -> None:
    called: Any = one

    @workflow
    def promising(n: int) -> Any:
        return called(a=n).with_overrides(retries=n)

    with pytest.raises(AssertionError, match="Cannot use a promise in the"):
        promising.compile()


def test_overrides_count_in_a_local_run_too() -> None:
    tried: list[int] = []

    @task
    def flaky() -> int:
        tried.append(1)
        if tried:
            raise OSError("not now")
        return 1

    called: Any = flaky

    @workflow
    def stubborn() -> Any:
        return called().with_overrides(retries=2, retry_on=[OSError])

    with pytest.raises(OSError, match="not now"):
        stubborn()
    assert len(tried) == 3


def test_settings_without_options_are_empty() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        settings = TaskSettings()
        settings.warn_of_use("x")
    assert (settings.image_specs, settings.options, settings.node_dependency_hints) == ((), {}, ())


def one_more(n: int) -> int:
    return n + 1


def test_what_a_spec_leaves_to_the_pod_stands_under_the_authors_environment() -> None:
    spec = ImageSpec(name="n", registry="localhost:5000").with_runtime_packages(["polars>1"])
    packages = {"WINDLASS_RUNTIME_PACKAGES": "'polars>1'"}
    assert task(container_image=spec)(one_more).overrides["env"] == packages
    own = task(container_image=spec, environment={"A": "b"})(one_more)
    assert own.overrides["env"] == {**packages, "A": "b"}
    assert "env" not in task(container_image="python:3")(one_more).overrides


def test_a_local_run_does_not_look_for_the_tag_of_an_image(tmp_path: Path) -> None:
    spec = ImageSpec(name="n", requirements=str(tmp_path / "missing.txt"))
    step = task(container_image=spec, retries=1)(one_more)
    assert step(n=1) == 2
    with pytest.raises((OSError, ValueError), match=r"missing\.txt"):
        step.overrides  # noqa: B018
