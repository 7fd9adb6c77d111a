"""Calls of actors' tasks, from the Execution to the worker and back: the whole operator in memory, workers played."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from tests.api_server import Body
from tests.warm import (
    NAMESPACE,
    Fleet,
    World,
    chain,
    environment,
    increments,
    run,
    task,
    wide,
)
from windlass_operator.core import settling
from windlass_operator.core.observed import NodeState
from windlass_operator.core.states import NodePhase
from windlass_operator.dispatch.calls import Phase
from windlass_operator.dispatch.messages import Result
from windlass_operator.manifests.look import BUNDLE_KEY
from windlass_operator.reconcile import paths
from windlass_operator.settings import Settings, StoreSettings

Story = Callable[[World, Fleet], Awaitable[None]]


def played(story: Story, *definitions: Body, settings: Settings | None = None) -> World:
    """A story in a world that has a pool, tasks and workflows."""
    pool = environment()

    async def play() -> World:
        world = World(settings or Settings(backoff_base=0.01))
        async with world:
            for body in (pool, *definitions):
                world.create(body)
            await story(world, Fleet(world, pool))
        return world

    return asyncio.run(play())


async def never(order: Mapping[str, Any]) -> Body:
    """A function that does not end by itself."""
    await asyncio.Event().wait()
    raise AssertionError


def outputs(status: Body) -> Any:
    assert status["phase"] == "Succeeded", status
    return status["outputs"]["o0"]


def test_a_chain_of_calls_needs_hardly_a_write() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        workers = [await fleet.add(pod) for pod in ("w0", "w1")]
        world.writes = 0
        world.create(run())
        assert outputs(await world.finished("e")) == 60
        assert world.writes <= 20
        assert sum(len(worker.ran) for worker in workers) == 60
        await world.until(lambda: not any(worker.results for worker in workers), "all results to be acknowledged")
        assert not world.dispatcher.board.calls

    played(story, task(), chain(60))


def test_a_map_fans_out_over_the_pool() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        workers = [await fleet.add(pod) for pod in ("w0", "w1")]
        world.create(run())
        status = await world.finished("e")
        assert outputs(status) == list(range(1, 101))
        assert "Stalled" not in {condition["type"] for condition in status["conditions"]}, "all is as it should be"
        assert all(worker.ran for worker in workers)
        assert len({call for worker in workers for call in worker.ran}) == sum(len(worker.ran) for worker in workers)
        await world.until(lambda: not any(worker.results for worker in workers), "all results to be acknowledged")

    played(story, task(), wide(100))


def test_a_worker_that_has_an_archive_of_the_store_at_hand_is_chosen_and_sent_no_code() -> None:
    sha = "5f" * 32

    async def story(world: World, fleet: Fleet) -> None:
        workers = [await fleet.add(pod) for pod in ("w0", "w1", "w2")]
        workers[1].code[sha] = b""
        await fleet.disconnect("w1")
        await fleet.connect(workers[1])
        world.create(run())
        assert outputs(await world.finished("e")) == 6
        assert [len(worker.ran) for worker in workers] == [0, 6, 0]

    archive = {"uri": f"s3://b/{sha}.tar.gz", "sha256": sha}
    stored = Settings(store=StoreSettings(prefix="s3://b/x"))
    played(story, task(python={"entrypoint": "m:inc", "code": {"archive": archive}}), chain(6), settings=stored)


def test_a_map_goes_by_its_concurrency_and_not_by_the_limits_of_pods() -> None:
    most = 0

    async def story(world: World, fleet: Fleet) -> None:
        def look(order: Mapping[str, Any]) -> Body:
            nonlocal most
            calls = world.dispatcher.board.calls.values()
            most = max(most, sum(call.phase is not Phase.DONE for call in calls))
            return increments(order)

        for pod in ("w0", "w1", "w2", "w3"):
            await fleet.add(pod, look)
        world.create(run())
        assert outputs(await world.finished("e")) == list(range(1, 13))

    played(story, task(), wide(12, concurrency=3), settings=Settings(max_parallel_pods=1, max_pods=1))
    assert most == 3


def test_without_its_pool_an_execution_waits_and_heals() -> None:
    async def play() -> None:
        world = World()
        async with world:
            world.create(task())
            world.create(chain(1))
            world.create(run())
            reason = "ActorEnvironmentNotFound"
            await world.until(lambda: reason in str(world.status("e").get("conditions")), reason)
            pool = environment()
            world.create(pool)
            await Fleet(world, pool).add("w0")
            assert outputs(await world.finished("e")) == 1

    asyncio.run(play())


def test_a_run_stays_with_the_workers_that_it_was_admitted_with() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        world.create(run())
        await world.until(lambda: world.dispatcher.demands(NAMESPACE, "models"), "the demand")
        (demand,) = world.dispatcher.demands(NAMESPACE, "models")
        worker = await fleet.add("w0")
        assert demand.revision == worker.revision
        assert demand.spec == {"replicas": 8}
        await world.finished("e")

    played(story, task(), chain(1))


def test_what_a_call_waits_for_is_said() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        world.create(run())
        node = await world.until(lambda: world.status("e").get("nodes", {}).get("n0", {}).get("reason"), "a reason")
        assert node in ("WorkerStarting", "DispatcherNotReady")
        await fleet.add("w0")
        await world.finished("e")

    played(story, task(), chain(1))


def test_an_exception_is_retried_as_the_task_says() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        def fails_once(order: Mapping[str, Any]) -> Body:
            if order["attempt"]:
                return increments(order)
            return {"error": {"kind": "user", "code": "USER:ValueError", "message": "no", "recoverable": True}}

        await fleet.add("w0", fails_once)
        world.create(run())
        status = await world.finished("e")
        assert outputs(status) == 1
        assert status["nodes"]["n0"]["attempt"] == 1
        assert status["nodes"]["n0"]["failures"] == {"user": 1, "system": 0}

    played(story, task(retries=1), chain(1))


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (Result("", exit_code=3, reason="Error", log_tail=b"bye"), "ExitCode"),
        (Result("", exit_code=137, reason="OOMKilled"), "OOMKilled"),
        (Result("", reason="TimedOut"), "TimeoutExpired"),
        (Result("", record=b'{"v":1,"error":{"kind":"user","code":"USER:KeyError","message":"x"}}'), "USER:KeyError"),
        (Result("", record=b'{"v":1,"outputs":{}}'), "MissingOutput"),
    ],
)
def test_how_a_call_ended_is_read_as_of_a_pod(result: Result, code: str) -> None:
    async def story(world: World, fleet: Fleet) -> None:
        await fleet.add("w0", lambda _: result)
        world.create(run())
        status = await world.finished("e")
        assert (status["phase"], status["error"]["code"]) == ("Failed", code)

    played(story, task(), chain(1))


def test_a_call_that_ran_too_long_says_how_long_it_may_run() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        await fleet.add("w0", lambda _: Result("", reason="TimedOut"))
        world.create(run())
        status = await world.finished("e")
        assert status["error"]["message"] == "the attempt ran longer than its timeout of 3s"

    played(story, task(timeout="3s"), chain(1))


def test_a_worker_that_dies_costs_one_more_attempt_of_what_it_ran() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        dead = await fleet.add("w0", never)
        world.create(run())
        await world.until(lambda: dead.ran, "the call to begin")
        alive = await fleet.add("w1")
        await fleet.kill("w0")
        status = await world.finished("e")
        assert outputs(status) == 1
        assert status["nodes"]["n0"]["failures"] == {"user": 0, "system": 1}
        assert len(alive.ran) == 1

    played(story, task(), chain(1))


def test_a_broken_stream_costs_nothing() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        gate = asyncio.Event()

        async def waits(order: Mapping[str, Any]) -> Body:
            await gate.wait()
            return increments(order)

        worker = await fleet.add("w0", waits)
        world.create(run())
        await world.until(lambda: worker.ran, "the call to begin")
        await fleet.disconnect("w0")
        gate.set()
        await world.until(lambda: worker.results, "the result to be there")
        await fleet.connect(worker)
        status = await world.finished("e")
        assert outputs(status) == 1 and len(worker.ran) == 1
        assert "failures" not in status["nodes"]["n0"]

    played(story, task(), chain(1))


@pytest.mark.parametrize("ends_meanwhile", [True, False])
def test_an_operator_that_starts_anew_learns_from_the_workers(ends_meanwhile: bool) -> None:
    async def story(world: World, fleet: Fleet) -> None:
        gate = asyncio.Event()

        async def waits(order: Mapping[str, Any]) -> Body:
            if order["node"] == "n1":
                await gate.wait()
            return increments(order)

        worker = await fleet.add("w0", waits)
        world.create(run())
        await world.until(lambda: len(worker.ran) == 2, "the second call to begin")
        await fleet.disconnect("w0")
        world.crash()
        if ends_meanwhile:
            gate.set()
            await world.until(lambda: not worker.running, "it to end")
        world.start(fleet.workers)
        await asyncio.sleep(0.05)
        assert len(worker.ran) == 2
        await fleet.connect(worker)
        gate.set()
        status = await world.finished("e")
        assert outputs(status) == 3
        assert len(worker.ran) == len(set(worker.ran)) == 3
        await world.until(lambda: not worker.results, "all results to be acknowledged")

    played(story, task(), chain(3))


def test_a_run_that_is_cancelled_ends_its_calls() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        worker = await fleet.add("w0", never)
        created = world.create(run())
        await world.until(lambda: worker.running, "the call to begin")
        path = f"/apis/windlass.dev/v1alpha1/namespaces/{NAMESPACE}/executions/e"
        world.answer("PATCH", path, {"spec": {"cancel": True}}, "application/merge-patch+json")
        status = await world.finished("e")
        assert status["phase"] == "Cancelled", created
        assert not worker.running
        await world.until(lambda: not worker.results and not world.dispatcher.board.calls, "nothing to be left")

    played(story, task(), wide(5))


def test_a_run_that_is_deleted_ends_its_calls() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        worker = await fleet.add("w0", never)
        world.create(run())
        await world.until(lambda: worker.running, "the call to begin")
        world.answer("DELETE", f"/apis/windlass.dev/v1alpha1/namespaces/{NAMESPACE}/executions/e", {})
        await world.until(lambda: not worker.running and not world.dispatcher.board.calls, "nothing to be left")
        await world.until(lambda: not worker.results, "nothing to be held")

    played(story, task(), chain(2))


def test_a_run_of_which_all_is_written_down_ends_its_calls_when_it_is_deleted() -> None:
    """No news of a call, and no write that is refused, wakes it any more."""

    async def story(world: World, fleet: Fleet) -> None:
        async def never(order: Mapping[str, Any]) -> Body:
            await asyncio.Event().wait()
            raise AssertionError

        def is_told() -> bool:
            nodes = world.status("e").get("nodes") or {}
            return bool(nodes) and nodes["n0"]["phase"] == "Running"

        worker = await fleet.add("w0", never)
        world.create(run())
        await world.until(is_told, "the call to be told of")
        world.answer("DELETE", f"/apis/windlass.dev/v1alpha1/namespaces/{NAMESPACE}/executions/e", {})
        await world.until(lambda: not worker.running and not world.dispatcher.board.calls, "nothing to be left")

    played(story, task(), chain(2))


def test_calls_of_a_run_that_was_deleted_unheard_end_when_its_status_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(world: World, fleet: Fleet) -> None:
        worker = await fleet.add("w0", never)
        world.create(run())
        await world.until(lambda: worker.running, "the call to begin")
        with monkeypatch.context() as patch:
            patch.setattr(world, "changed", lambda *_: None)
            world.answer("DELETE", f"/apis/windlass.dev/v1alpha1/namespaces/{NAMESPACE}/executions/e", {})
        await world.until(lambda: not worker.running and not world.dispatcher.board.calls, "nothing to be left")

    played(story, task(), wide(5))


def test_a_call_that_no_worker_takes_in_time_has_failed() -> None:
    async def story(world: World, _: Fleet) -> None:
        world.create(run())
        status = await world.finished("e")
        assert (status["phase"], status["error"]["code"]) == ("Failed", "QueueTimeout")

    played(story, task(queueTimeout="0.2s"), chain(1))


def test_inputs_that_are_too_large_for_a_call_are_refused_with_the_limit() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        await fleet.add("w0")
        world.create(run())
        status = await world.finished("e")
        assert status["error"]["code"] == "InputsTooLarge"
        assert "6 bytes" in status["error"]["message"]

    played(story, task(), wide(2), settings=Settings(call_inputs_limit=6, backoff_base=0.01))


def test_code_comes_by_the_stream_once_for_each_worker() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        content = bytes(range(256)) * 3000
        data = {BUNDLE_KEY: base64.b64encode(content).decode()}
        body = {"kind": "ConfigMap", "metadata": {"name": "code"}, "binaryData": data}
        world.answer("POST", paths.config_maps(NAMESPACE), body)
        worker = await fleet.add("w0")
        world.create(run())
        assert outputs(await world.finished("e")) == 2
        assert list(worker.code.values()) == [content]
        assert set(worker.problems.values()) == {""}

    python = {"entrypoint": "m:inc", "code": {"configMap": "code"}}
    played(story, task(python=python), chain(2))


@pytest.mark.parametrize(
    ("prefix", "own", "folder"),
    [
        ("", "", None),
        ("s3://b/{namespace}", "", "s3://b/ns/e.{uid}"),
        ("s3://b/{namespace}", "s3://mine", "s3://mine/e.{uid}"),
    ],
    ids=["no store", "the cluster's", "the run's own"],
)
def test_a_call_writes_to_the_folder_of_its_run(prefix: str, own: str, folder: str | None) -> None:
    orders: list[Mapping[str, Any]] = []

    async def story(world: World, fleet: Fleet) -> None:
        def notes(order: Mapping[str, Any]) -> Body:
            orders.append(order)
            return increments(order)

        await fleet.add("w0", notes)
        made = run()
        made["spec"] = {**made["spec"], **({"rawOutputPrefix": own} if own else {})}
        uid = world.create(made)["metadata"]["uid"]
        assert outputs(await world.finished("e")) == 2
        assert {order.get("store") for order in orders} == {folder and folder.format(uid=uid)}

    played(story, task(), chain(2), settings=Settings(store=StoreSettings(prefix=prefix), backoff_base=0.01))
    assert len(orders) == 2


def test_a_dynamic_task_that_runs_in_a_pool_gives_a_workflow_that_runs_as_a_child() -> None:
    async def story(world: World, fleet: Fleet) -> None:
        def gives(order: Mapping[str, Any]) -> Body:
            if order["task"] == "inc":
                return increments(order)
            inner = chain(2)["spec"]
            return {"workflow": inner}

        await fleet.add("w0", gives)
        world.create(run())
        assert outputs(await world.finished("e")) == 2

    python = {"entrypoint": "m:dyn", "dynamic": True}
    played(story, task(), task("dyn", python=python), chain(1, task="dyn"))


def test_a_call_that_is_handed_out_anew_is_not_stuck_any_more() -> None:
    """Else its run would be Stalled for no reason, which the API server doesn't take as a status."""
    target: Any = SimpleNamespace(node=SimpleNamespace(actor=SimpleNamespace(environment="pool")))
    nobody_has_it: Any = SimpleNamespace(unsure=frozenset())
    stuck = NodeState(NodePhase.QUEUED, reason="WorkersFail", message="worker w0: Error", stuck_since=1.0)
    again = settling._without_call(target, stuck, nobody_has_it, stopping=False)
    assert again == NodeState(NodePhase.PENDING)
