"""Actors: the environment's manifest, its tasks, and the cache that lives as long as a worker."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from windlass import Resources, current_context, task, workflow
from windlass._actor import OWNED, ActorEnvironment, ActorTask, actor_cache
from windlass._cache import Cache
from windlass._data.files import FlyteFile
from windlass._emit import complete, manifest, manifests
from windlass._pod_template import PodTemplate
from windlass._secrets import Secret
from windlass.accelerators import T4
from windlass_api.v1alpha1.actor_environment import ActorEnvironmentSpec
from windlass_api.v1alpha1.task import TaskSpec

pool = ActorEnvironment(name="pool", environment={"ROLE": "worker"}, secret_requests=[Secret(key="token")])


@pool.task
def twice(n: int) -> int:
    """Doubles."""
    return 2 * n


@pool.task(retries=2, cache=Cache(version="1"), timeout=60)
def careful(n: int = 1) -> int:
    return n


@workflow
def both(n: int = 3) -> int:
    return twice(n=careful(n=n))


# ---- the environment ------------------------------------------------------------------------------------------------


def everything() -> ActorEnvironment:
    return ActorEnvironment(
        name="everything",
        container_image="python:3.12",
        replica_count=3,
        ttl_seconds=300,
        environment={"A": "1"},
        requests=Resources(cpu=1),
        limits=Resources(gpu=1),
        accelerator=T4,
        secret_requests=[Secret(group="g", key="k")],
        pod_template=PodTemplate(labels={"team": "data"}),
        interruptible=True,
        pod_template_name="near-the-data",
    )


def test_an_environment_says_how_many_workers_and_what_they_are_like() -> None:
    spec = everything().spec()
    version = spec.pop("version")
    assert re.fullmatch("[0-9a-f]{15}", version)
    assert version == everything().version
    assert spec == {
        "replicas": 3,
        "ttlSeconds": 300,
        "image": "python:3.12",
        "env": {"A": "1"},
        "resources": {"requests": {"cpu": "1"}, "limits": {"nvidia.com/gpu": "1"}},
        "accelerator": {"device": "nvidia-tesla-t4"},
        "secrets": [{"group": "g", "key": "k"}],
        "interruptible": True,
        "podTemplate": {"primaryContainer": "primary", "labels": {"team": "data"}},
        "podTemplateName": "near-the-data",
    }
    ActorEnvironmentSpec.model_validate({**spec, "version": version})


def test_without_settings_there_is_one_worker() -> None:
    assert ActorEnvironment("small").spec() == {"version": ActorEnvironment("small").version, "replicas": 1}


DIFFERENT: list[dict[str, Any]] = [
    {"name": "other"},
    {"replica_count": 2},
    {"ttl_seconds": 60},
    {"environment": {"A": "1"}},
    {"container_image": "x"},
    {"interruptible": True},
    {"pod_template": PodTemplate({"hostPID": True})},
    {"pod_template_name": "base"},
]


@pytest.mark.parametrize("change", DIFFERENT, ids=str)
def test_any_setting_makes_another_version_and_the_same_settings_are_the_same_pool(change: dict[str, Any]) -> None:
    base: dict[str, Any] = {"name": "base"}
    assert ActorEnvironment(**base).version == ActorEnvironment(**base).version
    assert ActorEnvironment(**{**base, **change}).version != ActorEnvironment(**base).version
    assert len({ActorEnvironment(**base), ActorEnvironment(**base), ActorEnvironment(**{**base, **change})}) == 2


def test_an_image_spec_is_asked_for_its_name_when_it_is_needed() -> None:
    class Image:
        asked = 0

        def image_name(self) -> str:
            self.asked += 1
            return "built:1"

    image = Image()
    environment = ActorEnvironment("x", container_image=image)  # type: ignore[arg-type]  # like an ImageSpec
    assert (image.asked, environment.image_specs) == (0, (image,))
    assert environment.spec()["image"] == environment.spec()["image"] == "built:1"
    assert image.asked == 1


@pytest.mark.parametrize("name", ["Pool", "a.b", "a_b", "-a", "a-", "", "x" * 64, None])
def test_a_name_that_kubernetes_would_not_take_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="small letters, digits and '-'"):
        ActorEnvironment(name=name)


@pytest.mark.parametrize("seconds", [29, 901, 0, True, "60"])
def test_a_ttl_out_of_its_range_is_refused(seconds: Any) -> None:
    with pytest.raises(ValueError, match=r"Actor TTL must be between 30s and 15m \(900s\)"):
        ActorEnvironment(name="x", ttl_seconds=seconds)


def test_the_ends_of_the_range_are_fine() -> None:
    assert [ActorEnvironment("x", ttl_seconds=seconds).ttl_seconds for seconds in (30, 900)] == [30, 900]


@pytest.mark.parametrize("count", [0, -1, True, 1.5])
def test_there_is_a_worker_at_least(count: Any) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        ActorEnvironment(name="x", replica_count=count)


# ---- its tasks ------------------------------------------------------------------------------------------------------


def test_a_task_of_an_environment_runs_in_this_process() -> None:
    assert (twice(4), careful(), both()) == (8, 1, 6)
    assert (twice.__name__, twice.__doc__) == ("twice", "Doubles.")
    assert isinstance(twice, ActorTask)


def test_its_manifest_names_the_pool_and_says_what_an_attempt_is_like() -> None:
    spec = manifest(careful)["spec"]
    assert spec["actor"] == {"name": "pool"}
    assert spec["python"] == {"entrypoint": f"{careful.module}:careful"}
    assert (spec["retries"], spec["timeout"], spec["cache"]) == (2, "1m", {"version": "1"})
    TaskSpec.model_validate(spec)


def test_the_pool_is_needed_wherever_its_task_is() -> None:
    assert list(twice.definitions()) == [pool, twice]
    assert list(dict.fromkeys(both.definitions())) == [pool, careful, twice, both]


def test_the_pool_has_its_manifest_once_before_its_tasks() -> None:
    found = [(one["kind"], one["metadata"]["name"]) for one in manifests(complete([both, twice]))]
    assert found[0] == ("ActorEnvironment", "pool")
    assert [kind for kind, _ in found] == ["ActorEnvironment", "Task", "Task", "Workflow"]
    assert manifests(complete([twice]))[0]["spec"] == pool.spec()


def test_the_environment_s_variables_are_there_in_a_local_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_FSEC_TOKEN", "open sesame")
    seen: list[str] = []

    @pool.task
    def look() -> str:
        import os

        return f"{os.environ['ROLE']}: {current_context().secrets.get(key='token')}"

    seen.append(look())
    assert seen == ["worker: open sesame"]


@pytest.mark.parametrize("option", OWNED)
def test_what_the_environment_owns_is_refused_for_a_task(option: str) -> None:
    with pytest.raises(TypeError, match=f"^{option} can't be given to a task of the ActorEnvironment 'pool'"):
        pool.task(**{option: None})  # type: ignore[call-overload]  # that is the mistake


@pytest.mark.parametrize("option", ["retrys", "execution_mode", "node_dependency_hints"])
def test_what_no_task_of_an_environment_has_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=rf"Unrecognized argument\(s\) for a task of .*: {option}"):
        pool.task(**{option: 1})  # type: ignore[call-overload]  # that is the mistake


def test_what_the_environment_owns_is_no_override_either() -> None:
    called: Any = careful

    @workflow
    def overriding() -> Any:
        return called().with_overrides(limits=Resources(cpu=1))

    with pytest.raises(TypeError, match=r"test_actor\.py:\d+: limits can't be overridden: .* ActorEnvironment"):
        overriding.compile()

    @workflow
    def fine() -> Any:
        return called().with_overrides(retries=5)

    assert fine.nodes[0].overrides == {"retries": 5}


def test_other_tasks_keep_their_overrides() -> None:
    plain: Any = task(careful.function)

    @workflow
    def overriding() -> Any:
        return plain().with_overrides(limits=Resources(cpu=1))

    assert overriding.nodes[0].overrides == {"resources": {"limits": {"cpu": "1"}}}


# ---- the cache ------------------------------------------------------------------------------------------------------


class Counter:
    """A function that tells how often it ran."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def function(self) -> Callable[..., Any]:
        def load(name: Any = "x", *rest: Any, size: Any = 1, **more: Any) -> list[Any]:
            """Loads."""
            self.calls.append((name, *rest, size, *more.items()))
            return [name]

        return load


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_a_result_is_kept_and_is_the_same_object(counter: Counter) -> None:
    load = actor_cache(f=counter.function())
    assert load("a") is load("a") is load(name="a") is load("a", size=1)
    assert len(counter.calls) == 1
    assert (load.__name__, load.__doc__) == ("load", "Loads.")


@pytest.mark.parametrize(
    "others",
    [
        [lambda f: f("a"), lambda f: f("b")],
        [lambda f: f("a"), lambda f: f("a", size=2)],
        [lambda f: f(1), lambda f: f(True), lambda f: f(1.0)],
        [lambda f: f("a", "b"), lambda f: f("a", "c"), lambda f: f("a", "b", "c")],
        [lambda f: f("a", k=1), lambda f: f("a", k=2), lambda f: f("a", j=1)],
        [lambda f: f(), lambda f: f(None)],
    ],
)
def test_other_arguments_are_another_result(counter: Counter, others: list[Callable[..., Any]]) -> None:
    load = actor_cache(counter.function())
    for call in others * 2:
        call(load)
    assert len(counter.calls) == len(others)


def test_two_functions_share_nothing(counter: Counter) -> None:
    one, two = actor_cache(counter.function()), actor_cache(counter.function())
    assert one("a") is not two("a")


def test_another_working_folder_is_other_code(
    counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = actor_cache(counter.function())
    load("a")
    monkeypatch.chdir(tmp_path)
    load("a")
    assert len(counter.calls) == 2


def test_a_file_is_told_by_its_address(counter: Counter, tmp_path: Path) -> None:
    load = actor_cache(counter.function())
    (tmp_path / "a").write_text("x")
    load(FlyteFile(str(tmp_path / "a")))
    load(FlyteFile(str(tmp_path / "a")))
    load(FlyteFile(str(tmp_path / "b")))
    load(FlyteFile("s3://bucket/a"))
    load(FlyteFile("s3://bucket/a"))
    assert len(counter.calls) == 3


def test_an_argument_that_can_not_be_hashed_is_named(counter: Counter) -> None:
    load = actor_cache(counter.function())
    with pytest.raises(TypeError, match=r"load apart: the argument size can't be hashed \(unhashable type: 'list'\)"):
        load("a", size=[1])
    assert counter.calls == []


def test_what_can_be_hashed_may_be_anything(counter: Counter) -> None:
    @dataclasses.dataclass(frozen=True)
    class Which:
        name: str

    load = actor_cache(counter.function())
    assert load(Which("a")) is load(Which("a")) is not load(Which("b"))


def test_what_raises_is_not_kept() -> None:
    tries: list[int] = []

    @actor_cache
    def flaky() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return len(tries)

    with pytest.raises(OSError, match="not yet"):
        flaky()
    assert (flaky(), flaky()) == (2, 2)


def test_threads_that_ask_at_the_same_time_wait_for_one_computation() -> None:
    started, release = threading.Event(), threading.Event()
    calls: list[int] = []

    @actor_cache
    def slow() -> object:
        calls.append(1)
        started.set()
        assert release.wait(10)
        return object()

    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(slow())) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    release.set()
    for thread in threads:
        thread.join(10)
    assert (len(calls), len(results), len(set(map(id, results)))) == (1, 8, 1)


def test_threads_that_wait_for_a_failure_get_it_too() -> None:
    started, release = threading.Event(), threading.Event()

    @actor_cache
    def slow() -> int:
        started.set()
        assert release.wait(10)
        raise OSError("gone")

    errors: list[BaseException] = []

    def ask() -> None:
        try:
            slow()
        except OSError as error:
            errors.append(error)

    first = threading.Thread(target=ask)
    first.start()
    assert started.wait(10)
    second = threading.Thread(target=ask)
    second.start()
    while second.is_alive() and _is_not_waiting(second):
        time.sleep(0)
    release.set()
    first.join(10)
    second.join(10)
    assert [str(error) for error in errors] == ["gone", "gone"]


def _is_not_waiting(thread: threading.Thread) -> bool:
    import sys
    import traceback

    frame = sys._current_frames().get(thread.ident or 0)
    return frame is None or not any(part.name == "wait" for part in traceback.extract_stack(frame))


def test_coroutines_that_ask_at_the_same_time_wait_for_one_computation() -> None:
    calls: list[str] = []

    @actor_cache
    async def slow(name: str) -> list[str]:
        calls.append(name)
        await asyncio.sleep(0)
        return [name]

    async def ask() -> list[Any]:
        return await asyncio.gather(*(slow("a") for _ in range(5)), slow("b"))

    found = asyncio.run(ask())
    assert calls == ["a", "b"]
    assert all(one is found[0] for one in found[:5])
    assert asyncio.run(slow("a")) is found[0]  # in another loop, too


def test_when_the_one_who_computes_is_cancelled_another_does_it() -> None:
    calls: list[int] = []

    async def ask() -> int:
        begun, go_on = asyncio.Event(), asyncio.Event()

        @actor_cache
        async def slow() -> int:
            calls.append(1)
            begun.set()
            await go_on.wait()
            return len(calls)

        first = asyncio.create_task(slow())
        await begun.wait()
        second, third = asyncio.create_task(slow()), asyncio.create_task(slow())
        await asyncio.sleep(0)
        third.cancel()
        first.cancel()
        go_on.set()
        result = await second
        assert [one.cancelled() for one in await _ended(first, third)] == [True, True]
        return result

    assert asyncio.run(ask()) == 2


async def _ended(*tasks: asyncio.Task[Any]) -> tuple[asyncio.Task[Any], ...]:
    await asyncio.gather(*tasks, return_exceptions=True)
    return tasks


def test_a_coroutine_that_raises_is_tried_again() -> None:
    tries: list[int] = []

    @actor_cache
    async def flaky() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return 7

    with pytest.raises(OSError, match="not yet"):
        asyncio.run(flaky())
    assert asyncio.run(flaky()) == 7


def test_a_function_that_needs_its_own_result_says_so_rather_than_waiting_for_ever() -> None:
    @actor_cache
    def loop() -> int:
        return loop()

    @actor_cache
    async def aloop() -> int:
        return await aloop()

    with pytest.raises(RuntimeError, match="was called by itself with the same arguments"):
        loop()
    with pytest.raises(RuntimeError, match="was called by itself with the same arguments"):
        asyncio.run(aloop())


def test_a_task_of_a_pool_may_use_it(counter: Counter) -> None:
    load = actor_cache(counter.function())

    @pool.task
    def answer(n: int) -> str:
        return f"{load('model')[0]} {n}"

    assert [answer(n) for n in (1, 2)] == ["model 1", "model 2"]
    assert len(counter.calls) == 1
