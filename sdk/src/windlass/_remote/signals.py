"""Gates that wait for a person: Signal objects, answered by patching `spec.answer`.

Who answers names a gate by its name in the workflow, by its node, or by its object; where several runs of one gate are
meant, the one that waits counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from windlass import _types
from windlass._bindings import kind_of
from windlass._exceptions import TypeTransformerFailedError
from windlass._modules import caller
from windlass._remote import objects
from windlass._remote.client import Cluster, NotThereError, Object
from windlass._remote.contract_types import annotation_of
from windlass_api import types

NOT_FOUND = 404


class SignalID(NamedTuple):
    """What a gate is called: its name in the workflow, and the run that waits at it."""

    signal_id: str
    execution_id: str


class Signal:
    """A gate that a run waits at. `type` is what the contract says of the value that is asked for, or approved."""

    def __init__(self, obj: Object) -> None:
        spec = obj["spec"]
        self.object = obj
        self.id = SignalID(spec["name"], spec["execution"])
        self.type: str = spec.get("type") or "bool"
        self.ask: str = spec["ask"]
        self.answer: dict[str, Any] | None = spec.get("answer")

    @property
    def value(self) -> Any:
        """The answer: the value that was given, or whether it was approved; None before."""
        answer = self.answer or {}
        if "approved" in answer:
            return answer["approved"]
        if "value" not in answer:
            return None
        return _types.from_wire(answer["value"], self.python_type, f"the answer to {self.id.signal_id}:")

    @property
    def python_type(self) -> Any:
        """The type of the value that is asked for, as the contract says it."""
        spec = self.object["spec"]
        return annotation_of({key: spec[key] for key in ("type", "schema") if key in spec})

    @property
    def phase(self) -> str:
        """Waiting, Answered, Invalid (which waits for a better answer), or Expired."""
        found: str | None = (self.object.get("status") or {}).get("phase")
        return found or ("Waiting" if self.answer is None else "Answered")

    @property
    def waits(self) -> bool:
        """Whether it can be answered."""
        return self.phase in ("Waiting", "Invalid") and (self.answer is None or self.phase == "Invalid")

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called: by the workflow, by its node, by its object."""
        name = self.object["metadata"]["name"]
        short = name.removeprefix(f"{self.id.execution_id}.")
        return self.id.signal_id, self.object["spec"].get("node") or "", name, short

    def __repr__(self) -> str:
        state = "waits" if self.answer is None else f"answered with {self.answer}"
        return f"<signal {self.id.signal_id} of {self.id.execution_id}: {state}>"


def list_signals(cluster: Cluster, namespace: str, execution: str, at_most: int | None, selector: str) -> list[Signal]:
    """The gates of a run that were reached."""
    found = objects.list_all(cluster, "Signal", namespace, selector=selector)
    mine = [Signal(obj) for obj in found if obj["spec"]["execution"] == execution]
    return mine if at_most is None else mine[:at_most]


def answer(
    cluster: Cluster,
    namespace: str,
    execution: str,
    signal: str,
    value: Any,
    *,
    python_type: Any = None,
    literal_type: str | None = None,
) -> Signal:
    """Answers a gate: a bool approves or rejects where approval is asked for, else it is the value.

    Raises:
        FlyteEntityNotExistException: the run does not wait at such a gate.
        TypeTransformerFailedError: the value is not of the type that is asked for.
    """
    found = _signal(cluster, namespace, execution, signal)
    if found.ask == "Approval":
        if not isinstance(value, bool):
            raise TypeError(f"{caller()}: {signal} asks for approval, which is True or False, not {value!r}")
        given: dict[str, Any] = {"approved": value}
    else:
        spec = found.object["spec"]
        declared = (
            {"type": literal_type} if literal_type else {key: spec[key] for key in ("type", "schema") if key in spec}
        )
        annotation = python_type if python_type is not None else annotation_of(declared)
        _check_type(signal, annotation, spec.get("type", "any"))
        given = {"value": _types.to_wire(value, annotation, f"the answer to {signal}:")}
    return give(cluster, found, given)


def give(cluster: Cluster, signal: Signal, given: dict[str, Any]) -> Signal:
    """Writes an answer, `{"approved": …}` or `{"value": …}`, with a `message` if there is one; in place of one that
    did not fit.
    """
    meta = signal.object["metadata"]
    return Signal(objects.put(cluster, "Signal", meta["name"], meta["namespace"], "/spec/answer", given))


def pick(there: Iterable[Signal], execution: str, gate: str) -> Signal:
    """The gate of that name; one that waits, if there is one. Raises NotThereError."""
    there = list(there)
    meant = [one for one in there if gate in one.names]
    if not meant:
        reached = ", ".join(dict.fromkeys(one.id.signal_id for one in there)) or "none yet"
        raise NotThereError(
            f"{execution} does not wait at a gate {gate}; it has reached {reached}{_waiting(there)}", NOT_FOUND
        )
    return next((one for one in meant if one.waits), meant[0])


def _waiting(there: Iterable[Signal]) -> str:
    waiting = ", ".join(dict.fromkeys(one.id.signal_id for one in there if one.waits))
    return f", and waits at {waiting}" if waiting else ""


def _check_type(signal: str, annotation: Any, asked: str) -> None:
    """A type that the caller names has to be the one that is asked for."""
    said = kind_of(annotation).type
    if not types.assignable(said, types.parse_type(asked)):
        raise TypeTransformerFailedError(f"{caller()}: {signal} asks for {asked}, but {said} is said of the answer")


def _signal(cluster: Cluster, namespace: str, execution: str, signal: str) -> Signal:
    try:
        return pick(list_signals(cluster, namespace, execution, None, ""), f"{execution} in {namespace}", signal)
    except NotThereError as error:
        raise NotThereError(f"{caller()}: {error}", NOT_FOUND) from None
