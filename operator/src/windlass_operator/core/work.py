"""The working state of one pass: what is the case so far, and what has been asked for.

It lives for the call of ``plan_execution`` only. The rooms beside it (``attempts``, ``mapping``, ``waiting``,
``workflows``) each know one sort of node, and do to it what they are asked: ``settle`` folds in what is the case,
``start`` begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from windlass_api import durations, names, overrides
from windlass_api.stored import stored
from windlass_operator.core.actions import Action, CreateValue, LookUp, SaveValue
from windlass_operator.core.closure import Node
from windlass_operator.core.facts import Facts
from windlass_operator.core.gates import NAMESPACE, End, Hold
from windlass_operator.core.inputs import NodeInputs
from windlass_operator.core.observed import AskValue, NodeState, Observed, Previous, Question, Stored
from windlass_operator.core.settling import Target
from windlass_operator.core.states import NodePhase
from windlass_operator.core.values import Values, json_size
from windlass_operator.kinds.evidence import Failure, FailureKind
from windlass_operator.manifests.objects import Manifest, compress, owner_reference, value_config_map

SMALL = 128
"""Bytes of an output that stands in the status even when that is full: a reference to it wouldn't be shorter."""


class Work:
    """See the module."""

    def __init__(self, observed: Observed, nodes: Mapping[str, NodeState], size: int) -> None:
        self.observed = observed
        self.learned: dict[Question, Any] = {}
        """Answers that this pass knows without asking."""
        self.facts = Facts(observed, nodes, self.learned)
        self.size = size
        """The bytes of the outputs in the status."""
        self.before: dict[str, CreateValue] = {}
        self.actions: list[Action] = []
        self.short_of_room = 0
        """How many pods more there would be if the namespaces' shares let them."""
        self.wake_at: float | None = None
        self._earlier: Values | None = None
        self.again = False
        """Whether there is more to do at once."""

    @property
    def now(self) -> float:
        """The time."""
        return self.observed.now

    @property
    def values(self) -> Values:
        """What references mean."""
        return self.facts.values

    def values_of(self, previous: Previous) -> Values:
        """The values of the earlier run that this one goes on from; read once in a pass, however many ask."""
        if self._earlier is None:
            given, nodes = previous.spec.get("inputs") or {}, previous.state.nodes
            known = self.observed.known
            self._earlier = Values(previous.name, previous.closure, nodes, given, known, lambda _: None)
        return self._earlier

    @property
    def owner(self) -> Manifest:
        """The Execution, as the owner of what is made for it."""
        return owner_reference("Execution", self.observed.name, self.observed.uid)

    def state(self, node: Node) -> NodeState:
        """The node as it is so far."""
        return self.facts.nodes[node.id]

    def target(self, node: Node, element: int | None = None) -> Target:
        """What has the attempts of a node, or of an element of it."""
        run = self.observed.spec.get("overrides")
        spec = overrides.effective(node.spec, run) if run else node.spec
        return Target(node, spec) if element is None else Target(node, spec, element)

    def put(self, node: Node, state: NodeState) -> None:
        """The node is in this state now."""
        self.facts.put(node, state)

    def wake(self, when: float | None) -> None:
        """Look again at this time, if nothing happens before."""
        if when is None:
            return
        if when <= self.now:
            return
        self.wake_at = when if self.wake_at is None else min(self.wake_at, when)

    def look_up(self, question: Question) -> None:
        """Find an answer, and plan again."""
        action = LookUp(question)
        if action not in self.actions:
            self.actions.append(action)

    def hold(self, node: Node, hold: Hold) -> None:
        """The node has to wait."""
        self.wake(hold.until)
        state = self.state(node)
        if hold.reason and (state.reason, state.message) != (hold.reason, hold.message):
            self.put(node, replace(state, reason=hold.reason, message=hold.message))

    def queue(self, node: Node, hold: Hold) -> None:
        """The node is ready, and waits for its turn: as long as its ``queueTimeout`` lets it."""
        if self.gave_up(node, hold.message):
            return
        self.hold(node, hold)
        self.short_of_room += hold.reason == NAMESPACE

    def gave_up(self, node: Node, why: str) -> bool:
        """Whether a node that is ready has waited for its child as long as it may. If so, it fails."""
        state, spec = self.state(node), self.target(node).spec
        seconds = queue_limit(spec)
        until = state.until if state.until is not None else (self.now + seconds if seconds else None)
        if until is not None and self.now >= until:
            self.fail(node, queue_timeout(spec, why))
            return True
        self.wake(until)
        if state.until != until:
            self.put(node, replace(state, until=until))
        return False

    def end(self, node: Node, end: End) -> None:
        """The node ends."""
        self.put(node, ended(self.state(node), end, self.now))

    def fail(self, node: Node, failure: Failure) -> None:
        """The node fails."""
        self.end(node, End(NodePhase.FAILED, failure.code, failure.message, failure))

    def values_for(self, inputs: NodeInputs) -> tuple[str, ...]:
        """Have the large inputs of a pod made; their ConfigMaps."""
        made = []
        for digest, data in inputs.large.items():
            name = names.value_name(self.observed.name, digest)
            made.append(name)
            if name not in self.before:
                self.before[name] = CreateValue(name, self._value(name, data))
        return tuple(made)

    def kept(self, node: str, outputs: Mapping[str, Any]) -> Mapping[str, Any] | Failure:
        """Outputs as they are kept: in the status what is small, the rest in ConfigMaps of their own.

        Raises:
            NotKnownError: they lie with another Execution, and have to be read first.
        """
        kept: dict[str, Any] = {}
        for name, given in outputs.items():
            value = self.values.read(given)
            length = json_size(value)
            if self._stands_in_status(value, length):
                kept[name] = value
                self.size += length
                continue
            stored = self._save(node, name, value)
            if isinstance(stored, Failure):
                return stored
            kept[name] = stored
        return kept

    def _stands_in_status(self, value: Any, length: int) -> bool:
        settings = self.observed.settings
        if (
            isinstance(value, Mapping)
            and stored(value) is None
            and any(isinstance(key, str) and key.startswith("$") for key in value)
        ):
            return False  # it would read as a reference
        fits = length <= settings.inline_output_limit and self.size + length <= settings.status_limit
        return fits or length <= SMALL

    def _save(self, node: str, output: str, value: Any) -> Stored | Failure:
        data, settings = names.canonical_json(value), self.observed.settings
        packed = len(compress(data))
        if packed > settings.value_limit:
            text = (
                f"the output {output} has {len(data)} bytes, {packed} after compression; the operator keeps no more"
                f" than {settings.value_limit} of a value. Return less, or the place where the data is"
            )
            return Failure(FailureKind.USER, "OutputTooLarge", text)
        digest = names.content_hash(data)
        name = names.value_name(self.observed.name, digest)
        self.actions.append(SaveValue(node, name, self._value(name, data)))
        self.learned[AskValue(self.observed.name, digest)] = value
        return Stored(digest)

    def _value(self, name: str, data: bytes) -> Manifest:
        return value_config_map(name, self.observed.namespace, data, self.observed.name, self.owner)


def queue_limit(spec: Mapping[str, Any]) -> float:
    """Seconds that an attempt may wait for its child to be made; 0 is without limit."""
    limit = spec.get("queueTimeout")
    return durations.seconds(limit) if limit else 0.0


def queue_timeout(spec: Mapping[str, Any], why: str) -> Failure:
    """The failure of what has waited longer than that."""
    text = f"it was not its turn within its queueTimeout of {spec['queueTimeout']}" + (f": {why}" if why else "")
    return Failure(FailureKind.USER, "QueueTimeout", text)


def ended(state: NodeState, end: End, now: float) -> NodeState:
    """The state of what ends."""
    return replace(
        state,
        phase=end.phase,
        reason=end.reason,
        message=end.message,
        failure=end.failure,
        finished_at=now,
        retry_at=None,
        until=None,
    )


def succeeded(state: NodeState, outputs: Mapping[str, Any], now: float) -> NodeState:
    """The state of what has succeeded."""
    return replace(
        state,
        phase=NodePhase.SUCCEEDED,
        outputs=outputs,
        reason="",
        message="",
        started_at=state.started_at if state.started_at is not None else now,
        finished_at=now,
        retry_at=None,
        until=None,
    )
