"""What an attempt needs before its child is started, and what follows when it is over: cache, children, capacity."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.properties.model_cluster import Model
from tests.unit.operator.things import NOW, Body, closure, flow, inputs_of, task
from windlass_api import names
from windlass_operator.core import attempts
from windlass_operator.core.actions import (
    Action,
    CreateExecution,
    Held,
    LookUp,
    Outcome,
    Release,
    Reserve,
    StoreEntry,
    Unavailable,
)
from windlass_operator.core.caching import Holder
from windlass_operator.core.observed import Place
from windlass_operator.core.segments import FLUSH
from windlass_operator.kinds.evidence import Failure, FailureKind, Succeeded
from windlass_operator.settings import Settings

ANY = {"type": "any"}
CACHED: Body = {"cache": {"version": "1"}}
SERIAL: Body = {"cache": {"version": "1", "serialize": True}}
USER = Failure(FailureKind.USER, "USER:RuntimeError", "it broke")
SYSTEM = Failure(FailureKind.SYSTEM, "Evicted", "no room")
OTHER = Holder("other", "u9", "a")


def cached(spec: Body = CACHED, *, n: Any = 3, cache: dict[str, Body] | None = None, run: Body | None = None) -> Model:
    """A run of one cached task, before its first pass."""
    of = closure(
        {"id": "a", "inputs": {"x": {"$ref": "inputs.n"}}},
        inputs={"n": ANY},
        outputs={"o0": {**ANY, "from": {"$ref": "nodes.a.outputs.o0"}}},
        t=task({"x": ANY}, {"o0": ANY}, **spec),
    )
    return Model(of, now=NOW, spec={"inputs": {"n": n}, **(run or {})}, cache={} if cache is None else cache)


def done(model: Model, kind: type[Action]) -> list[Any]:
    return [action for action in model.done if isinstance(action, kind)]


def finished(spec: Body = CACHED, gives: Any = 9, **how: Any) -> Model:
    """A run of one cached task that gave something."""
    model = cached(spec, **how)
    model.run_pass()
    model.succeed("a", o0=gives)
    model.run_pass()
    return model


def note(model: Model) -> Body:
    """What the status says about the cache."""
    told: Body = model.status["nodes"]["a"]["cache"]
    return told


# The cache.


def test_a_result_that_is_not_there_is_computed_and_kept() -> None:
    model = finished()
    assert [place.node for place in model.started] == ["a"]
    assert (
        note(model)
        == {
            "state": "Stored",
            "message": "there are no other results of this task",
            "entry": next(iter(model.cache)),
        }
        or note(model)["state"] == "Stored"
    )
    (kept,) = model.cache.values()
    assert kept["outputs"] == {"o0": 9}
    assert kept["source"] == {"execution": "ex", "node": "a"}


def test_a_result_that_is_there_is_taken_without_a_pod() -> None:
    model = cached(cache=finished().cache)
    model.run_pass()
    assert model.started == []
    assert (model.status["phase"], model.status["outputs"]) == ("Succeeded", {"o0": 9})
    assert (note(model)["state"], note(model)["message"]) == ("Hit", "taken from execution ex, node a")
    assert done(model, StoreEntry) == []


@pytest.mark.parametrize(
    ("spec", "n", "says"),
    [
        (CACHED, 4, "x"),
        ({"cache": {"version": "2"}}, 3, "version"),
    ],
    ids=["another input", "another version"],
)
def test_a_miss_says_why(spec: Body, n: int, says: str) -> None:
    model = cached(spec, n=n, cache=finished().cache)
    model.run_pass()
    assert [place.node for place in model.started] == ["a"]
    assert note(model)["state"] == "Miss"
    assert says in note(model)["message"]


def test_ignored_inputs_make_no_difference() -> None:
    spec = {"cache": {"version": "1", "ignoredInputs": ["x"]}}
    model = cached(spec, n=99, cache=finished(spec).cache)
    model.run_pass()
    assert note(model)["state"] == "Hit"


def test_an_entry_that_is_of_no_use_is_a_miss_and_replaced_in_time() -> None:
    there = finished().cache
    (entry,) = there
    model = cached(cache={entry: {**there[entry], "outputs": {}}})
    model.run_pass()
    assert note(model)["message"] == "there is a result, but its output o0 is gone"


def test_expiry_is_the_tasks_or_else_the_operators() -> None:
    def expires(spec: Body, ttl: float) -> Any:
        model = cached(spec)
        model.settings = replace(model.settings, cache_ttl=ttl)
        model.run_pass()
        model.succeed("a", o0=1)
        model.run_pass()
        return next(iter(model.cache.values())).get("expiresAt", "")[:19]

    assert expires(CACHED, 0) == ""
    assert expires(CACHED, 60) == "2027-01-15T08:01:00"
    assert expires({"cache": {"version": "1", "expiresAfter": "1h"}}, 60) == "2027-01-15T09:00:00"


def test_a_run_that_overwrites_looks_nothing_up_and_replaces_what_is_there() -> None:
    there = finished().cache
    model = cached(cache=there, run={"overwriteCache": True})
    model.run_pass()
    assert done(model, LookUp) == []
    model.succeed("a", o0=10)
    model.run_pass()
    assert next(iter(model.cache.values()))["outputs"] == {"o0": 10}
    assert note(model)["state"] == "Stored"


def test_a_failed_result_is_not_kept() -> None:
    model = cached()
    model.run_pass()
    model.fail("a", USER)
    model.run_pass()
    assert model.cache == {}
    assert note(model)["state"] == "Miss"


def test_a_retry_asks_the_cache_no_more_and_its_result_is_kept() -> None:
    model = cached()
    model.run_pass()
    model.fail("a", SYSTEM)
    model.now += 60
    model.run_pass()
    model.now += 60
    model.run_pass()
    asked = len(done(model, LookUp))
    model.succeed(Place("a", 1), o0=2)
    model.run_pass()
    assert len(done(model, LookUp)) == asked
    assert next(iter(model.cache.values()))["outputs"] == {"o0": 2}


def test_a_result_that_could_not_be_kept_is_one_all_the_same() -> None:
    model = cached()
    model.run_pass()
    model.succeed("a", o0=9)
    model.answers = lambda action: Held("Forbidden", "no right") if isinstance(action, StoreEntry) else None
    model.run_pass()
    assert model.status["phase"] == "Succeeded"
    assert (note(model)["state"], note(model)["message"]) == ("Failed", "it was not kept: no right")


NOISE = "".join(random.Random(3).choices("0123456789abcdef", k=120_000))  # compresses to about a half


def test_a_large_result_is_kept_beside_its_entry() -> None:
    model = finished(gives=NOISE)
    (kept,) = done(model, StoreEntry)
    assert [one["kind"] for one in kept.values] == ["ConfigMap"]
    assert NOISE not in str(kept.manifest)
    again = cached(cache=model.cache)
    again.run_pass()
    assert note(again)["state"] == "Hit"
    assert "$value" in str(again.status["nodes"]["a"]["outputs"]), "in the run that takes it, too"


def outage(outcome: Outcome, *kinds: type[Action]) -> Any:
    return lambda action: outcome if isinstance(action, kinds) else None


def test_while_the_cache_cannot_be_reached_nothing_is_started() -> None:
    model = cached()
    model.answers = outage(Unavailable("no answer"), LookUp)
    model.run_pass()
    assert model.started == []
    assert model.wake_at is not None
    model.answers = lambda _: None
    model.run_pass()
    assert len(model.started) == 1


def test_who_may_not_read_the_cache_computes() -> None:
    model = cached()
    model.answers = outage(Held("Forbidden", "no right"), LookUp)
    model.run_pass()
    assert len(model.started) == 1
    assert note(model)["message"] == "the cache could not be read: no right"


# One computes, and the others wait.


def test_who_has_the_turn_computes_and_gives_it_back() -> None:
    model = cached(SERIAL)
    model.run_pass()
    (entry,) = model.leases
    assert model.leases[entry] == Holder("ex", "u", "a")
    assert len(model.started) == 1
    model.succeed("a", o0=9)
    model.run_pass()
    assert model.leases == {}
    kinds = [type(action) for action in model.done if isinstance(action, StoreEntry | Release)]
    assert kinds == [StoreEntry, Release], "it is kept before others may look"


@pytest.mark.parametrize("retries", [0, 2])
def test_a_failure_gives_the_turn_back_once_it_is_final(retries: int) -> None:
    model = cached({**SERIAL, "retries": retries})
    model.run_pass()
    model.fail("a", replace(USER, recoverable=True))
    model.run_pass()
    assert bool(model.leases) == (retries > 0)


def test_a_retry_that_is_called_off_gives_the_turn_back() -> None:
    model = cached({**SERIAL, "retries": 2})
    model.run_pass()
    model.fail("a", replace(USER, recoverable=True))
    model.run_pass()
    model.spec = {**model.spec, "cancel": True}
    model.run_pass()
    assert model.status["phase"] == "Cancelled"
    assert model.leases == {}


def test_who_waits_for_anothers_result_looks_again_and_takes_it() -> None:
    model = cached(SERIAL)
    (entry,) = finished().cache
    model.leases[entry] = OTHER
    model.run_pass()
    assert model.started == []
    assert note(model)["state"] == "Waiting"
    assert model.node("a").reason == attempts.RESERVED
    assert model.wake_at == NOW + attempts.POLL
    model.run_pass()
    assert len(done(model, Reserve)) == 1, "not before its time"
    model.cache.update(finished().cache)
    del model.leases[entry]
    model.now += attempts.POLL
    model.run_pass()
    assert model.started == []
    assert (note(model)["state"], model.status["phase"]) == ("Hit", "Succeeded")
    assert model.leases == {}


def test_who_waits_takes_over_when_the_other_gave_up() -> None:
    model = cached(SERIAL)
    (entry,) = finished().cache
    model.leases[entry] = OTHER
    model.run_pass()
    del model.leases[entry]
    model.now += attempts.POLL
    model.run_pass()
    assert len(model.started) == 1
    assert model.leases[entry].execution == "ex"


def test_who_cannot_reserve_a_result_says_why() -> None:
    model = cached(SERIAL)
    model.answers = outage(Held("Forbidden", "no right"), Reserve)
    model.run_pass()
    assert model.started == []
    assert model.node("a").message == "it can't be reserved: no right"


def test_elements_of_a_map_each_have_their_own_entry_under_the_tasks_name() -> None:
    node = {"id": "m", "map": {"over": ["x"]}, "inputs": {"x": [1, 2]}}
    model = Model(closure(node, t=task({"x": ANY}, {"o0": ANY}, **SERIAL)), now=NOW)
    model.run_pass()
    assert {holder.element for holder in model.leases.values()} == {0, 1}
    for index in (0, 1):
        model.succeed("m", 0, index, o0=index)
    model.run_pass()
    assert model.leases == {}
    alone = closure({"id": "a", "inputs": {"x": 2}}, t=task({"x": ANY}, {"o0": ANY}, **SERIAL))
    other = Model(alone, now=NOW, cache=model.cache)
    other.run_pass()
    assert other.node("a").outputs == {"o0": 1}
    again = Model(model.closure, now=NOW, cache=model.cache)
    again.run_pass()
    assert again.status["nodes"]["m"]["cache"] == {"state": "Hit", "message": "2 of 2 elements were in the cache"}
    assert again.started == []


def test_an_operator_that_starts_again_still_knows_how_many_elements_were_in_the_cache() -> None:
    node = {"id": "m", "map": {"over": ["x"]}, "inputs": {"x": [1, 2]}}
    first = Model(closure(node, t=task({"x": ANY}, {"o0": ANY}, **SERIAL)), now=NOW)
    first.run_pass()
    for index in (0, 1):
        first.succeed("m", 0, index, o0=index)
    first.run_pass()
    of = closure({**node, "inputs": {"x": [1, 5, 2]}}, t=task({"x": ANY}, {"o0": ANY}, **SERIAL))
    model = Model(of, now=NOW, cache=first.cache)
    for _ in range(2):
        model.run_pass()
        model.now += FLUSH
    assert model.status["nodes"]["m"]["elements"]["succeeded"] == 2
    model.restart()
    model.run_pass()
    model.succeed("m", 0, 1, o0=5)
    model.now += FLUSH
    model.run_pass()
    assert model.status["nodes"]["m"]["cache"] == {"state": "Miss", "message": "2 of 3 elements were in the cache"}


def test_many_elements_that_wait_for_another_run_keep_nobody_busy_nor_the_rest_from_their_turn() -> None:
    node = {"id": "m", "map": {"over": ["x"]}, "inputs": {"x": list(range(200))}}
    of = closure(node, t=task({"x": ANY}, {"o0": ANY}, **SERIAL))
    first = Model(of, now=NOW, settings=Settings(max_parallel_pods=100))
    for _ in range(2):
        first.run_pass()
    second = Model(of, now=NOW, name="other", leases=first.leases)
    second.settings = Settings(max_parallel_pods=1000)
    for _ in range(3):
        second.run_pass()
    assert len(second.started) == 200 - len(first.started)
    before = len(second.plans)
    second.run_pass()
    assert len(second.plans) - before == 1
    assert second.wake_at == NOW + attempts.POLL


# Capacity.


@pytest.mark.parametrize(
    ("failures", "retries", "interruptible"),
    [(0, 2, True), (1, 2, True), (2, 2, False), (0, 0, True)],
    ids=["first", "second", "the last goes where it stays", "with no retries there is no last one to save"],
)
def test_the_last_attempt_of_an_interruptible_task_runs_on_demand(
    failures: int, retries: int, interruptible: bool
) -> None:
    settings = Settings(system_retries=retries, interruptible_node_selector={"spot": "true"})
    model = Model(closure({"id": "a"}, t=task(interruptible=True)), now=NOW, settings=settings)
    model.run_pass()
    for attempt in range(failures):
        model.fail(Place("a", attempt), SYSTEM)
        for _ in range(2):
            model.now += 60
            model.run_pass()
    spec = model.manifests[Place("a", failures)]["spec"]
    assert ("nodeSelector" in spec) is interruptible


def test_the_runs_overrides_and_service_account_reach_the_pod() -> None:
    run = {"overrides": {"image": "run:1", "env": {"B": "run"}}, "serviceAccountName": "reader"}
    of = closure({"id": "a", "overrides": {"image": "node:1"}}, t=task(image="task:1", env={"A": "a"}))
    model = Model(of, spec=run)
    model.run_pass()
    pod = model.manifests[Place("a", 0)]["spec"]
    env = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    assert (pod["containers"][0]["image"], env["A"], env["B"]) == ("run:1", "a", "run")
    assert pod["serviceAccountName"] == "reader"


def test_after_running_out_of_memory_the_next_attempt_has_more() -> None:
    spec = task(resources={"limits": {"memory": "1Gi"}}, maxMemory="3Gi")
    model = Model(closure({"id": "a"}, t=spec))
    model.run_pass()
    for attempt in range(2):
        model.end_pod(Place("a", attempt), "oom")
        for _ in range(2):
            model.now += 60
            model.run_pass()
    sizes = [
        model.manifests[place]["spec"]["containers"][0]["resources"]["limits"]["memory"] for place in model.started
    ]
    assert sizes == ["1Gi", str(2 * 2**30), str(3 * 2**30)]


# Child Executions.

INNER = flow(
    {"id": "n0"}, inputs={"n": {"type": "int"}}, outputs={"o0": {**ANY, "from": {"$ref": "nodes.n0.outputs.o0"}}}
)


def calling(run: Body | None = None, n: Any = 4, **model: Any) -> Model:
    """A run that starts a run of a launch plan."""
    plan = {"workflow": {"name": "inner"}, "labels": {"team": "data"}, "annotations": {"note": "x"}}
    node = {"id": "p", "launchPlan": {"name": "plan", "version": "v1"}, "inputs": {"n": {"$ref": "inputs.n"}}}
    of = closure(
        node, {"id": "z", "inputs": {"x": {"$ref": "nodes.p.outputs.o0"}}}, inputs={"n": ANY},
        plans={"plan": plan}, flows={"inner": INNER}, t=task({"x": {**ANY, "default": 0}}),
    )  # fmt: skip
    found = Model(of, spec={"inputs": {"n": n}, **(run or {})}, **model)
    found.run_pass()
    return found


def test_a_launch_plan_is_run_as_an_execution_of_its_own() -> None:
    model = calling()
    (made,) = done(model, CreateExecution)
    meta = made.manifest["metadata"]
    assert made.manifest["spec"] == {"launchPlan": {"name": "plan", "version": "v1"}, "inputs": {"n": 4}}
    assert meta["labels"] == {
        "team": "data", names.MANAGED_BY: "windlass", names.LABEL_PARENT: "ex", names.LABEL_NODE: "p",
        names.LABEL_ATTEMPT: "0",
    }  # fmt: skip
    assert meta["annotations"].items() >= {"note": "x", names.ANNOTATION_DEPTH: "1"}.items()
    assert [(one["uid"], one["controller"]) for one in meta["ownerReferences"]] == [("u", True)]
    assert model.status["nodes"]["p"]["execution"] == made.name
    model.succeed("p", o0=7)
    model.run_pass()
    assert inputs_of(model.manifests[Place("z", 0)]) == {"x": 7}


def test_what_the_run_says_of_itself_holds_for_its_children() -> None:
    run = {"overwriteCache": True, "overrides": {"env": {"A": "b"}}, "maxParallelism": 3}
    (made,) = done(calling(run), CreateExecution)
    assert made.manifest["spec"].items() >= {"overwriteCache": True, "overrides": {"env": {"A": "b"}}}.items()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"depth": 64}, "TooDeep"),
        ({"settings": Settings(child_inputs_limit=5)}, "InputsTooLarge"),
        ({"n": "four"}, "InvalidInputs"),
    ],
)
def test_a_child_that_cannot_be_fails_its_node(how: Body, code: str) -> None:
    model = calling(**how)
    assert (model.status["phase"], model.status["error"]["code"], model.started) == ("Failed", code, [])


def test_the_workflow_that_a_dynamic_task_gave_runs_as_a_revision_in_a_child() -> None:
    of = closure({"id": "a"}, t=task(python={"entrypoint": "m:f", "dynamic": True}))
    model = Model(of)
    model.run_pass()
    gave = {"nodes": [{"id": "dn0", "task": {"name": "t"}}], "outputs": {}}
    model.say("a", Succeeded({}, "", workflow=gave))
    model.run_pass()
    (made,) = done(model, CreateExecution)
    assert made.revision is not None
    version = names.dynamic_version(names.content_hash(gave))
    assert made.revision["data"] == {"kind": "Workflow", "name": "t", "spec": {**gave, "version": version}}
    assert made.manifest["spec"] == {"workflow": {"name": "t", "version": version}}
    assert model.status["nodes"]["a"]["execution"] == made.name
    model.run_pass()
    assert len(done(model, CreateExecution)) == 1
    model.succeed("a", o0=1)
    model.run_pass()
    assert model.node("a").outputs == {"o0": 1}
    assert len(model.started) == 1, "both are one attempt"


def test_a_child_of_a_dynamic_task_that_could_not_be_made_is_made_later() -> None:
    of = closure({"id": "a"}, t=task(python={"entrypoint": "m:f", "dynamic": True}))
    model = Model(of)
    model.run_pass()
    model.say("a", Succeeded({}, "", workflow={"nodes": []}))
    model.answers = outage(Unavailable("no answer"), CreateExecution)
    model.run_pass()
    assert (model.node("a").phase.value, model.node("a").reason) == ("Running", "Expanding")
    model.answers = lambda _: None
    model.run_pass()
    assert list(model.executions) == [Place("a", 0)]
