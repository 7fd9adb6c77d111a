"""What a row of the matrix is, and whether a run came out as its row says.

A row is data: a workflow of a tiny module, one run of it or several, and what must come of each. Three worlds play the
same rows (see ``worlds``): this process, as ``windlass run`` does it; the operator with an API server in memory and a
kubelet that starts the real runtime; and a real cluster. What is said here holds in all of them, but where a row says
that, and why, a world is different.

What a run says of its nodes is exact: whoever isn't in ``nodes`` has succeeded, and whoever isn't in ``attempts`` had
one attempt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]
Facts = Mapping[str, Any]

LOCAL, MEMORY, CLUSTER = "local", "memory", "cluster"


@dataclass(frozen=True)
class Act:
    """What somebody does to a run as soon as nodes are in these phases ("" is the run itself)."""

    when: Facts
    change: Body
    """What is merged into the Execution."""
    holds: Facts = field(default_factory=dict)
    """Phases that nodes must have at that moment."""


@dataclass(frozen=True)
class Run:
    """One run, and what must come of it."""

    inputs: Facts = field(default_factory=dict)
    phase: str = "Succeeded"
    outputs: Facts | None = None
    error: Facts = field(default_factory=dict)
    """``node`` and ``code`` as they are; ``type``, and ``message``, a part of it."""
    nodes: Facts = field(default_factory=dict)
    """The phases of those that did not succeed."""
    attempts: Facts | None = field(default_factory=dict)
    """The number of the last attempt, of those that had more than one. None where that is another's to say."""
    failures: Facts = field(default_factory=dict)
    """Whose fault the failed attempts were, of some nodes."""
    cache: Facts = field(default_factory=dict)
    """Of some nodes: the state of the cache, and a part of what is said of it."""
    reasons: Facts = field(default_factory=dict)
    """Of some nodes: a part of why their result was taken over, or not (``resumeFrom``)."""
    elements: Facts = field(default_factory=dict)
    """Of some maps: their elements, as run lengths."""
    gave: Facts = field(default_factory=dict)
    """What some nodes gave."""
    stored: tuple[str, ...] = ()
    """The nodes whose output is too large for a status, and stands in it as a reference."""
    order: tuple[tuple[str, str], ...] = ()
    """The first ended before the second started."""
    children: int = 0
    """How many child Executions there are."""
    equal: bool = False
    """Whether all its outputs are equal."""
    same: tuple[int, ...] = ()
    """The earlier runs of the row whose outputs it has, too."""
    other: tuple[int, ...] = ()
    """The earlier runs whose outputs it does not have."""
    spec: Facts = field(default_factory=dict)
    """More of the Execution's spec."""
    resumes: int | None = None
    """The earlier run whose results it may take over."""
    answers: Mapping[str, tuple[Facts, ...]] = field(default_factory=dict)
    """By gate: what is answered, and what after that was of no use."""
    acts: tuple[Act, ...] = ()
    changed: bool = False
    """Whether the module was changed before it."""
    beside: bool = False
    """Whether it begins together with the one before."""
    gone: bool = False
    """Whether nothing of it is left in the end."""


@dataclass(frozen=True)
class Differs:
    """What is different in one of the worlds, and why."""

    world: str
    why: str
    run: Run | None = None
    """What comes of it there; None: it isn't tried there."""


@dataclass(frozen=True)
class Row:
    """One behaviour."""

    module: str
    entity: str
    name: str
    runs: tuple[Run, ...]
    differs: tuple[Differs, ...] = ()

    def __str__(self) -> str:
        return f"{self.module}: {self.name}"

    def runs_in(self, world: str) -> tuple[Run, ...]:
        """The runs as they are in a world; none where it isn't tried there."""
        for one in self.differs:
            if one.world == world:
                return () if one.run is None else (one.run,)
        return self.runs


@dataclass(frozen=True)
class Ended:
    """What became of a run in a cluster."""

    name: str
    status: Body
    children: int = 0
    gone: bool = False
    broken: tuple[str, ...] = ()
    """What was not as an act found it."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The large values that its status refers to, by hash."""


def differences(run: Run, ended: Ended, before: list[Ended]) -> list[str]:
    """What did not come out as it must, in words."""
    return [*ended.broken, *(_gone(ended) if run.gone else _differences(run, ended, before))]


def _gone(ended: Ended) -> Iterator[str]:
    if not ended.gone:
        yield f"{ended.name} is still there"


def _differences(run: Run, ended: Ended, before: list[Ended]) -> Iterator[str]:
    status = ended.status
    yield from _compare("phase", run.phase, status.get("phase"))
    outputs = whole(ended, status.get("outputs"))
    if run.outputs is not None:
        yield from _compare("outputs", run.outputs, outputs)
    for index in run.same:
        yield from _compare(
            f"outputs (as in run {index})", whole(before[index], before[index].status["outputs"]), outputs
        )
    if run.equal and len({str(value) for value in (outputs or {}).values()}) != 1:
        yield f"its outputs are not equal: {outputs}"
    for index in run.other:
        if before[index].status["outputs"] == outputs:
            yield f"it has the outputs of run {index}"
    yield from _wrong_error(run.error, status.get("error") or {})
    yield from _wrong_nodes(run, ended)
    yield from _compare("child Executions", run.children, ended.children)


def _wrong_error(wanted: Facts, found: Body) -> Iterator[str]:
    for part, value in wanted.items():
        given = found.get(part) or ""
        if (value not in given) if part == "message" else (value != given):
            yield f"error.{part}: {value!r} was expected, not {given!r}"
    if not wanted and found:
        yield f"an error: {found}"


def _wrong_nodes(run: Run, ended: Ended) -> Iterator[str]:
    nodes = ended.status.get("nodes") or {}
    phases = {name: node["phase"] for name, node in nodes.items() if node["phase"] != "Succeeded"}
    yield from _compare("nodes that did not succeed", dict(run.nodes), phases)
    if run.attempts is not None:
        attempts = {name: node["attempt"] for name, node in nodes.items() if node.get("attempt")}
        yield from _compare("attempts", dict(run.attempts), attempts)
    for name, failures in run.failures.items():
        yield from _compare(f"failures of {name}", failures, nodes[name].get("failures"))
    for name, (state, part) in run.cache.items():
        cache = nodes[name].get("cache") or {}
        if cache.get("state") != state or part not in cache.get("message", ""):
            yield f"cache of {name}: {state} ({part}) was expected, not {cache}"
    for name, part in run.reasons.items():
        if part not in nodes[name].get("resume", ""):
            yield f"resume of {name}: {part!r} was expected, not {nodes[name].get('resume')!r}"
    for name, lengths in run.elements.items():
        yield from _compare(f"elements of {name}", lengths, nodes[name]["elements"].get("phases"))
    for name, outputs in run.gave.items():
        yield from _compare(f"outputs of {name}", outputs, whole(ended, nodes[name].get("outputs")))
    for name in run.stored:
        if any(set(value) != {"$value"} for value in nodes[name]["outputs"].values()):
            yield f"outputs of {name}: a reference was expected"
    for first, second in run.order:
        if nodes[first]["finishedAt"] > nodes[second]["startedAt"]:
            yield f"{second} started before {first} had ended"


def _compare(what: str, wanted: Any, found: Any) -> Iterator[str]:
    if wanted != found:
        yield f"{what}: {wanted!r} was expected, not {found!r}"


def whole(ended: Ended, outputs: Body | None) -> Body | None:
    """Outputs with the large ones among them."""
    if outputs is None:
        return None
    return {
        name: ended.values[value["$value"]] if isinstance(value, dict) and set(value) == {"$value"} else value
        for name, value in outputs.items()
    }
