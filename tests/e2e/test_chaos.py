"""A mixed load on a real node, while everything around it is killed again and again.

::

    load      chains, maps, dynamic tasks, plans, sub-workflows, gates, cached serialized tasks, retries, cancelled runs
    trouble   the operator: SIGKILL, 50 times and more · the API server: restarted once · pods: evicted, deleted

When something happens is drawn from a seed and counted in changes that are seen, never in seconds: so the operator dies
at other moments each time, and most often while it is at work. A witness sees every change of pods and Executions; what
must never happen is looked for in that.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3

from localcluster.cluster import Cluster
from tests.e2e.witness import Witness
from tests.harness import Api, ApiError, Body, Operator, wait_until
from tests.matrix.playing import MODULES, apply, reference
from windlass_api import names

KILLS = int(os.environ.get("WINDLASS_CHAOS_KILLS") or 50)
"""Times that the operator is killed; `make soak` asks for many more."""
LIMIT = 120.0 + 8.0 * KILLS
"""Seconds after which a load that isn't through is taken to be stuck."""

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(LIMIT + 400)]

MODULE = MODULES["mixture"]
ANSWERS: dict[str, Body] = {"fine?": {"approved": True}, "more": {"value": 5}}
AWAY = (ApiError, urllib3.exceptions.HTTPError, ValueError)
"""What an API server that is restarted answers."""

Load = dict[str, tuple[str, Body, Any]]


def the_load() -> Load:
    """By name: what is run, with which inputs, and what it gives (None: it is cancelled)."""
    load: Load = {}
    for n in range(4):
        load[f"chain-{n}"] = ("chain", {"n": n}, n + 10)
        load[f"expanded-{n}"] = ("expanded", {"n": n}, n + 103)
        load[f"nested-{n}"] = ("nested", {"n": n}, 2 * (n + 10))
        load[f"asked-{n}"] = ("asked", {"n": n}, n + 6)
        load[f"retried-{n}"] = ("retried", {"n": n}, n + 1)
    for n in range(6):
        load[f"cached-{n}"] = ("cached", {"n": n % 2}, (n % 2) ** 2)
    load["mapped-0"] = ("mapped", {"ns": [*range(40)]}, sum(n * n for n in range(40)))
    load["mapped-1"] = ("mapped", {"ns": [*range(30)]}, sum(n * n for n in range(30)))
    for n in range(2):
        load[f"endless-{n}"] = ("endless", {"n": n}, None)
    return load


class People:
    """Answers questions, and cancels what would go on for ever once its pods run."""

    def __init__(self, api: Api, load: Load) -> None:
        self._api, self._load = api, load

    def act(self, executions: list[Body]) -> None:
        """Whatever there is to do."""
        for one in self._api.list("signals"):
            if "answer" not in one["spec"]:
                answer = ANSWERS[one["spec"]["name"]]
                self._api.merge("signals", one["metadata"]["name"], {"spec": {"answer": answer}})
        for one in executions:
            name, nodes = one["metadata"]["name"], (one.get("status") or {}).get("nodes") or {}
            endless = name in self._load and self._load[name][2] is None
            if endless and nodes.get("n1", {}).get("phase") == "Running" and not one["spec"].get("cancel"):
                self._api.merge("executions", name, {"spec": {"cancel": True}})


WAYS = ("evict", "delete", "kill")


class Mischief:
    """Evicts and deletes pods. No attempt of one node meets it twice: it has that many retries only."""

    def __init__(self, api: Api, dice: random.Random) -> None:
        self._api, self._dice = api, dice
        self._met: set[tuple[str, str]] = set()
        self._ways = list(WAYS)
        dice.shuffle(self._ways)
        self.victims: set[str] = set()
        """The uids of pods."""
        self.done: Counter[str] = Counter()

    def act(self) -> None:
        """Do one thing."""
        running = [pod for pod in self._api.list("pods") if pod["status"].get("phase") == "Running"]
        victims = [
            pod for pod in running if "deletionTimestamp" not in pod["metadata"] and _place(pod) not in self._met
        ]
        if not victims:
            return
        pod = self._dice.choice(victims)
        self._met.add(_place(pod))
        name, how = pod["metadata"]["name"], self._ways[self.done.total() % len(WAYS)]
        try:
            if how == "evict":
                body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
                self._api.call("POST", self._api.path("pods", name) + "/eviction", body)
            else:
                grace = {"gracePeriodSeconds": 0} if how == "kill" else {}
                self._api.call("DELETE", self._api.path("pods", name), grace)
        except ApiError as gone:
            if gone.status != 404:
                raise
        else:
            self.done[how] += 1
            self.victims.add(pod["metadata"]["uid"])


def _place(pod: Body) -> tuple[str, str]:
    labels = pod["metadata"]["labels"]
    return labels[names.LABEL_EXECUTION], labels[names.LABEL_NODE] + labels.get(names.LABEL_ELEMENT, "")


class Executioner(threading.Thread):
    """Kills the operator after so many further changes as the dice say, and starts it again; ``KILLS`` times.

    Some lives end while the operator is still starting, most when it is at work.
    """

    def __init__(self, operator: Operator, witness: Witness, dice: random.Random) -> None:
        super().__init__()
        self._operator, self._witness, self._dice = operator, witness, dice
        self.over = threading.Event()
        self.kills = 0
        self.trouble: BaseException | None = None

    def run(self) -> None:
        """See the class."""
        try:
            while self.kills < KILLS and not self.over.is_set():
                self._round()
            if not self.over.is_set():
                self._operator.start()
        except BaseException as trouble:  # noqa: BLE001  whatever it is, the test asks for it
            self.trouble = trouble

    def _round(self) -> None:
        self._operator.start(until_ready=self._dice.random() < 0.8)
        target = self._witness.count() + self._dice.randint(1, 30)
        while self._witness.count() < target and not self.over.is_set():
            time.sleep(0.01)
        if not self.over.is_set():
            self._operator.kill(signal.SIGKILL)
            self.kills += 1


@pytest.fixture
def api(cluster: Cluster, no_operator: None, new_namespace: Callable[[Cluster], str]) -> Api:
    return Api(cluster, new_namespace(cluster))


@pytest.fixture
def operator(cluster: Cluster, api: Api) -> Iterator[Operator]:
    operator = Operator(cluster, api.namespace, "--runtime-delivery", "imageVolume")
    yield operator
    operator.__exit__()


def test_whatever_is_killed_everything_ends_as_it_must_and_nothing_runs_twice(
    cluster: Cluster, api: Api, operator: Operator
) -> None:
    seed = int(os.environ.get("WINDLASS_CHAOS_SEED") or random.SystemRandom().randrange(2**32))
    print(f"chaos: again with WINDLASS_CHAOS_SEED={seed}")
    dice, load = random.Random(seed), the_load()
    apply(api, MODULE)
    with Witness(api) as witness:
        executioner = Executioner(operator, witness, random.Random(dice.random()))
        executioner.start()
        try:
            mischief = _until_all_is_over(cluster, api, load, executioner, dice)
        finally:
            executioner.over.set()
            executioner.join()
        print(f"chaos: {executioner.kills} kills, {dict(mischief.done)}, {witness.count()} changes")
        assert executioner.trouble is None
        assert executioner.kills == KILLS
        assert mischief.done.keys() == set(WAYS), "each kind of mischief has to happen"
        _everything_ended_as_it_must(api, load)
        _nothing_ran_twice(witness, mischief.victims)
        _cancelled_ones_have_no_pods(api)
        _nothing_is_left(api)


def _until_all_is_over(
    cluster: Cluster, api: Api, load: Load, executioner: Executioner, dice: random.Random
) -> Mischief:
    """The load is brought in as there is room for it, so that the last kill still meets something at work."""
    people, mischief = People(api, load), Mischief(api, random.Random(dice.random()))
    coming, deadline = dice.sample(sorted(load), len(load)), time.monotonic() + LIMIT
    restart, next_mischief = dice.randint(15, 30), 3
    while True:
        assert time.monotonic() < deadline, f"not over after {executioner.kills} kills: {_unfinished(api)}"
        assert executioner.trouble is None, executioner.trouble
        try:
            executions = api.list("executions")
            open_ones = [one for one in executions if not (one.get("status") or {}).get("finishedAt")]
            while coming and len(open_ones) < 10:
                open_ones.append(_begin(api, coming[0], load))
                coming.pop(0)
            people.act(executions)
            if executioner.kills >= next_mischief:
                mischief.act()
                next_mischief += 2
            if restart and executioner.kills >= restart:
                cluster.restart("kube-apiserver")
                restart = 0
            if not open_ones and executioner.kills < KILLS:
                coming = _more(load)
            elif not open_ones:
                assert not restart, "the API server has to restart meanwhile"
                return mischief
        except AWAY as away:
            if isinstance(away, ApiError) and away.status < 500 and away.status not in (401, 403, 409, 429):
                raise
        time.sleep(0.1)


def _begin(api: Api, name: str, load: Load) -> Body:
    entity, inputs, _ = load[name]
    body: Body = {"apiVersion": names.API_VERSION, "kind": "Execution", "metadata": {"name": name}}
    try:
        return api.create("executions", {**body, "spec": {**reference(MODULE, entity), "inputs": inputs}})
    except ApiError as there:
        if there.status != 409:  # it was made, and nobody answered
            raise
        return body


def _more(load: Load) -> list[str]:
    """Another chain, where all has ended before enough kills."""
    name = f"more-{len(load)}"
    load[name] = ("chain", {"n": 1}, 11)
    return [name]


def _unfinished(api: Api) -> dict[str, Any]:
    return {
        one["metadata"]["name"]: one.get("status")
        for one in api.list("executions")
        if not (one.get("status") or {}).get("finishedAt")
    }


def _everything_ended_as_it_must(api: Api, load: Load) -> None:
    wrong = {}
    for name, (_, _, wanted) in load.items():
        status = api.get("executions", name)["status"]
        found = (status["phase"], status.get("outputs"))
        if found != (("Cancelled", None) if wanted is None else ("Succeeded", {"o0": wanted})):
            wrong[name] = status
    assert wrong == {}


def _nothing_ran_twice(witness: Witness, victims: set[str]) -> None:
    """No attempt has had two pods, and no node got another one after its result was written.

    But where the first was a victim: one that is gone before an operator that has died could write of it has left no
    trace, and is as good as never started. No result that survived was made twice.
    """
    uids: dict[str, set[str]] = defaultdict(set)
    written: dict[tuple[str, str], int] = {}
    for one in witness.changes("executions"):
        for node, state in ((one.body.get("status") or {}).get("nodes") or {}).items():
            if state["phase"] == "Succeeded":
                written.setdefault((one.name, node), one.version)
    late = []
    for one in witness.changes("pods"):
        if one.uid in uids[one.name]:
            continue
        uids[one.name].add(one.uid)
        labels, annotations = one.body["metadata"]["labels"], one.body["metadata"].get("annotations") or {}
        node = annotations.get(names.ANNOTATION_NODE) or labels[names.LABEL_NODE]
        if one.change == "ADDED" and written.get((labels[names.LABEL_EXECUTION], node), one.version) < one.version:
            late.append(one.name)
    assert {name: found - victims for name, found in uids.items() if len(found - victims) > 1} == {}
    assert late == []


def _cancelled_ones_have_no_pods(api: Api) -> None:
    def unfinished() -> list[str]:
        return [pod["metadata"]["name"] for pod in api.list("pods") if pod["status"]["phase"] in ("Pending", "Running")]

    wait_until(lambda: unfinished() == [], "the pods of what was cancelled to go", 60)


def _nothing_is_left(api: Api) -> None:
    """All goes with the Executions but definitions, their revisions and code, and the cache."""
    for one in api.list("executions"):
        if names.LABEL_PARENT not in (one["metadata"].get("labels") or {}):
            api.delete("executions", one["metadata"]["name"])

    def left() -> list[str]:
        found = [(kind, one) for kind in ("executions", "pods", "signals", "leases") for one in api.list(kind)]
        found += [("configmaps", one) for one in api.list("configmaps") if _belongs_to_a_run(one)]
        found += [("controllerrevisions", one) for one in api.list("controllerrevisions") if _belongs_to_a_run(one)]
        return [f"{kind}/{one['metadata']['name']}" for kind, one in found]

    try:
        wait_until(lambda: left() == [], "everything to go with the Executions", 90)
    except AssertionError:
        assert left() == []


def _belongs_to_a_run(item: Body) -> bool:
    owners = item["metadata"].get("ownerReferences") or ()
    return any(owner["kind"] == "Execution" for owner in owners)
