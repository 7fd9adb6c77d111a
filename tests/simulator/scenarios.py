"""Random histories: what is applied, what people do meanwhile, and how much goes wrong. All of it follows from a seed.

``Maker`` draws one; what there is to draw from is in ``features``.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.simulator.fates import Fates
from tests.simulator.features import (
    CALLS,
    INT,
    INTERFACE,
    LIST,
    NODES,
    RUNS,
    TASKS,
    WORKFLOWS,
    Act,
    Body,
    Draft,
    chosen,
    manifest,
    supported,
)
from windlass_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class Trouble:
    """How much goes wrong between the operator and the API server: chances, and numbers of times."""

    until: float = 0.0
    refused: float = 0.0
    lost: float = 0.0
    repeated: float = 0.0
    quota: float = 0.0
    deaf: float = 0.0
    doubled: float = 0.0
    delay: float = 0.01
    """The longest that news takes."""
    crashes: float = 0.0
    """The chance of a crash per request."""
    jumps: tuple[tuple[float, float], ...] = ()
    """When the wall clock jumps, and by how much."""
    broken: float = 0.0
    """The chance per message that a worker's stream breaks, or goes dead."""
    deaths: float = 0.0
    """The chance that a worker dies of no call."""

    @property
    def calm(self) -> bool:
        """Whether nothing goes wrong."""
        return not self.until


@dataclass(frozen=True, slots=True)
class Scenario:
    """One history, before it happens."""

    seed: int
    settings: Settings
    fates: Fates
    trouble: Trouble
    acts: tuple[Act, ...]
    """In the order of their times."""
    settled: bool
    """Whether the definitions of the beginning were judged before it: their passes would change nothing, and cost much,
    so the operator hears of those only that change."""
    replicas: int = 1
    """Operators that share the Executions out among themselves."""

    @property
    def has_actors(self) -> bool:
        """Whether there are warm workers."""
        return any(act.kind == "ActorEnvironment" for act in self.acts)

    def versions(self, kind: str, name: str) -> list[Body]:
        """The specs that an object has one after the other."""
        return [act.body["spec"] for act in self.acts if act.body and (act.kind, act.name) == (kind, name)]

    def acted(self, verb: str, kind: str = "Execution", name: str = "") -> bool:
        """Whether somebody does this at all."""
        return any((act.verb, act.kind) == (verb, kind) and name in ("", act.name) for act in self.acts)


class Maker:
    """Makes the scenario of a seed."""

    def __init__(self, seed: int) -> None:
        self.seed, self.dice = seed, Random(seed)
        self.tasks: dict[str, Body] = {}
        self.workflows: dict[str, Body] = {}
        self.plans: dict[str, Body] = {}
        self.pools: dict[str, Body] = {}
        """ActorEnvironments."""
        self.acts: list[Act] = []

    def scenario(self) -> Scenario:
        """All of it."""
        self._make_tasks()
        if self.dice.random() < 0.35:
            self._make_pool()
        for _ in range(1 + self._chance(0.5, *_CALLING)):
            self._make_workflow(f"w{len(self.workflows)}")
        crowd = bool(self.pools) and self.dice.random() < 0.1
        if crowd:
            self._make_crowd()
        self._apply_definitions()
        for number in range(self.dice.choice((1, 1, 1, 2, 2, 3))):
            self._make_run(f"e{number}")
        if self.dice.random() < 0.25:
            self._edit()
        slow = 0.1 if crowd else self.dice.choice((0.1, 1.0, 1.0, 5.0))
        fates = Fates(self.seed, self.dice.choice((0.0, 0.05, 0.1, 0.3)), slow)
        acts = tuple(sorted(self.acts, key=lambda act: act.at))
        settled = self.dice.random() < 0.92
        replicas = 2 if self.pools and self.dice.random() < (0.8 if crowd else 0.4) else 1
        return Scenario(self.seed, self._settings(), fates, self._trouble(), acts, settled, replicas)

    def tasks_of(self, sort: str) -> list[str]:
        """The plain tasks, the dynamic ones, or those of actors."""
        return [name for name, spec in self.tasks.items() if _sort(spec) == sort]

    def kind_of(self, task: str) -> str:
        """The type of a task's output."""
        kind: str = self.tasks[task]["outputs"]["o0"]["type"]
        return kind

    def moment(self) -> float:
        """Some time: now, or when much is going on, or rather late."""
        return self.dice.choice((0.0, 0.01, self.dice.uniform(0, 3), self.dice.uniform(0, 30)))

    def later(self, verb: str, run: Act, after: float) -> None:
        """Something is done to a run."""
        self.acts.append(Act(run.at + after, verb, "Execution", run.name))

    def _chance(self, chance: float, *needs: tuple[str, str]) -> int:
        return sum(self.dice.random() < chance for _ in range(2)) if any(supported(*row) for row in needs) else 0

    def _make_tasks(self) -> None:
        shapes: list[tuple[str, Body, str, Body]] = [
            ("int", {"a": {"type": INT}, "b": {"type": INT, "default": 3}}, INT, {}),
            ("sum", {"xs": {"type": LIST, "default": []}}, INT, {}),
            ("list", {"a": {"type": INT}}, LIST, {}),
        ]
        if supported("task", "python.dynamic"):
            shapes.append(("dyn", {"a": {"type": INT}}, INT, {"dynamic": True}))
        for name, inputs, kind, python in shapes:
            spec: Body = {
                "inputs": inputs,
                "outputs": {"o0": {"type": kind}},
                "python": {"entrypoint": "m:f", **python},
            }
            for feature in chosen(self.dice, TASKS, 0.6):
                feature.make(spec, self.dice)
            self.tasks[name] = spec

    def _make_pool(self) -> None:
        """An ActorEnvironment, and a task that runs in it."""
        dice = self.dice
        self.pools["pool"] = {"replicas": dice.choice((1, 1, 2, 3)), "ttlSeconds": dice.choice((1, 10, 40))}
        spec: Body = {
            "inputs": {"a": {"type": INT}, "b": {"type": INT, "default": 3}},
            "outputs": {"o0": {"type": INT}},
            "python": {"entrypoint": "m:f"},
            "actor": {"name": "pool"},
        }
        for feature in chosen(dice, CALLS, 0.6):
            feature.make(spec, dice)
        self.tasks["call"] = spec

    def _make_crowd(self) -> None:
        """Many short calls at once, for several workers: whatever moves or breaks, some are on their way."""
        self.pools["pool"]["replicas"] = 3
        node = {
            "id": "many",
            "task": {"name": "call"},
            "map": {"over": ["a"]},
            "inputs": {"a": [self.dice.randrange(100) for _ in range(self.dice.choice((12, 24)))]},
        }
        outputs = {"o0": {"type": LIST, "from": {"$ref": "nodes.many.outputs.o0"}}}
        self.workflows["crowd"] = {"inputs": INTERFACE, "nodes": [node], "outputs": outputs}
        run = manifest("Execution", "crowd", {"workflow": {"name": "crowd"}})
        self.acts.append(Act(self.dice.uniform(0, 6), "apply", "Execution", "crowd", run))

    def _make_workflow(self, name: str) -> None:
        self.workflows[name] = self._workflow(name)
        if supported("kind", "LaunchPlan") and self.dice.random() < 0.5:
            plan: Body = {"workflow": {"name": name}}
            plan |= self.dice.choice(({}, {"defaultInputs": {"n": 1}}, {"fixedInputs": {"xs": [4, 2]}}))
            self.plans[f"p-{name}"] = plan

    def _workflow(self, name: str) -> Body:
        draft = Draft(name, self.dice, self)
        for number in range(self.dice.choice((1, 2, 2, 3, 3, 4, 5, 7))):
            node: Body = {"id": f"n{number}" if self.dice.random() < 0.9 else f"n-{number}"}
            if draft.nodes and self.dice.random() < 0.25:
                node["when"] = draft.condition()
            if draft.nodes and self.dice.random() < 0.2:
                node["dependsOn"] = [self.dice.choice(draft.nodes)["id"]]
            (feature,) = chosen(self.dice, NODES, 1.0)
            feature.make(draft, node)
        everything_given = [ref for kind in draft.gives.values() for ref in kind if ref.startswith("nodes.")]
        spec: Body = {
            "inputs": INTERFACE,
            "nodes": draft.nodes,
            "outputs": {
                "o0": {"type": INT, "from": {"$ref": draft.gives[INT][-1]}},
                "all": {"type": "any", "from": [{"$ref": ref} for ref in everything_given]},
            },
        }
        for feature in chosen(self.dice, WORKFLOWS, 0.5):
            feature.make(draft, spec)
        return spec

    def _apply_definitions(self) -> None:
        """In any order, and some of them late."""
        late = self.dice.random() < 0.2
        for number in range(2):
            data = {"data": {"bundle": f"{number} {self.seed}"}}
            self.acts.append(
                Act(0.0, "apply", "ConfigMap", f"code-{number}", manifest("ConfigMap", f"code-{number}", data))
            )
        for kind, known in (
            ("ActorEnvironment", self.pools),
            ("Task", self.tasks),
            ("Workflow", self.workflows),
            ("LaunchPlan", self.plans),
        ):
            for name, spec in known.items():
                when = self.dice.uniform(0, 5) if late else 0.0
                self.acts.append(Act(when, "apply", kind, name, manifest(kind, name, spec)))

    def _make_run(self, name: str) -> None:
        dice = self.dice
        target: Body = {"workflow": {"name": list(self.workflows)[-1]}}
        inputs: Body = {"n": dice.randrange(100), "xs": [dice.randrange(100) for _ in range(dice.choice((0, 1, 3, 6)))]}
        if dice.random() < 0.1:
            target, inputs = {"task": {"name": "call" if self.pools else "int"}}, {"a": dice.randrange(100)}
        elif self.plans and supported("execution", "launchPlan") and dice.random() < 0.2:
            target, inputs = {"launchPlan": {"name": dice.choice(list(self.plans))}}, {"n": dice.randrange(100)}
        when = 0.0 if dice.random() < 0.5 else dice.uniform(0, 6)
        run = Act(when, "apply", "Execution", name, manifest("Execution", name, {**target, "inputs": inputs}))
        self.acts.append(run)
        for feature in chosen(dice, RUNS, 0.35):
            feature.make(self, run)

    def _edit(self) -> None:
        """Somebody changes a definition in mid-run; or takes it away, and brings it again."""
        when = self.dice.uniform(0, 20)
        if self.pools and self.dice.random() < 0.5:
            self._edit_pool(when)
            return
        if self.dice.random() < 0.5:
            name = self.dice.choice([*self.tasks_of("plain"), *self.tasks_of("dynamic")])
            spec = {**self.tasks[name], "env": {"EDITED": "yes"}}
            self.acts.append(Act(when, "apply", "Task", name, manifest("Task", name, spec)))
            return
        name = list(self.workflows)[-1]
        if self.dice.random() < 0.3:
            self.acts.append(Act(when, "remove", "Workflow", name))
            when += self.dice.uniform(0, 10)
        self.plans.pop(f"p-{name}", None)  # from here on nothing is made that could call it
        del self.workflows[name]
        spec = self._workflow(name)
        self.acts.append(Act(when, "apply", "Workflow", name, manifest("Workflow", name, spec)))

    def _edit_pool(self, when: float) -> None:
        """Other workers, more of them or fewer; or none, for a while."""
        spec = self.pools["pool"]
        if self.dice.random() < 0.3:
            self.acts.append(Act(when, "remove", "ActorEnvironment", "pool"))
            when += self.dice.uniform(0, 10)
        change = self.dice.choice(({}, {"env": {"EDITED": "yes"}}, {"replicas": 0}, {"replicas": 3}))
        self.acts.append(_applied_pool(when, {**spec, **change}))
        if change == {"replicas": 0}:
            self.acts.append(_applied_pool(when + self.dice.uniform(0, 20), spec))

    def _settings(self) -> Settings:
        dice = self.dice
        return Settings(
            system_retries=dice.choice((0, 1, 3)),
            backoff_base=dice.choice((0.1, 1.0)),
            backoff_cap=10.0,
            max_parallel_pods=dice.choice((1, 2, 500, 500)),
            max_pods=dice.choice((0, 0, 0, 2)),
            inline_value_limit=dice.choice((12, 16 * 1024, 16 * 1024)),
            dispatcher_heartbeat=15.0,
            shards=4,
        )

    def _trouble(self) -> Trouble:
        dice = self.dice
        if dice.random() < 0.25:
            return Trouble()
        until = dice.uniform(10, 120)

        def some(*chances: float) -> float:
            return dice.choice((0.0, 0.0, *chances))

        jumps = sorted((dice.uniform(0, until), dice.choice((-600, -60, 5, 90, 600))) for _ in range(dice.randrange(3)))
        return Trouble(
            until=until,
            refused=some(0.02, 0.2),
            lost=some(0.02, 0.2),
            repeated=some(0.02, 0.1),
            quota=some(0.1, 0.3),
            deaf=some(0.05, 0.3),
            doubled=some(0.1, 0.5),
            delay=dice.choice((0.01, 0.5, 5.0)),
            crashes=some(0.01, 0.05),
            jumps=tuple(jumps) if dice.random() < 0.3 else (),
            broken=some(0.1, 0.3) if self.pools else 0.0,
            deaths=some(0.2) if self.pools else 0.0,
        )


def _sort(spec: Body) -> str:
    return "dynamic" if "dynamic" in spec["python"] else "call" if "actor" in spec else "plain"


def _applied_pool(when: float, spec: Body) -> Act:
    return Act(when, "apply", "ActorEnvironment", "pool", manifest("ActorEnvironment", "pool", spec))


_CALLING = (("node", "workflow"), ("node", "launchPlan"))


def dynamic_workflow(fates: Fates, task: str, inputs: Body) -> Body:
    """The workflow that a dynamic task gives: a task or two, of its input."""
    dice = fates.draw("dynamic", task, inputs)
    nodes: list[Body] = [{"id": "dn0", "task": {"name": "int"}, "inputs": {"a": inputs["a"]}}]
    if dice.random() < 0.5:
        nodes.append({"id": "dn1", "task": {"name": "int"}, "inputs": {"a": {"$ref": "nodes.dn0.outputs.o0"}}})
    given = {"$ref": f"nodes.{nodes[-1]['id']}.outputs.o0"}
    return {"inputs": {}, "nodes": nodes, "outputs": {"o0": {"type": INT, "from": given}}}
