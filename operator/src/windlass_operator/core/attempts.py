"""Attempts: what a node, or an element of a map, needs before its child is started, and what it gives afterwards.

::

    inputs ──► an earlier run's result? ──► the cache's? ──► somebody else computing it? ──► child: a pod, an Execution
                                                                    pod of a dynamic task ──► the Execution it asked for

What may be looked up is looked up first: a node whose question has no answer yet stays as it is, and is planned again
with the answer in the same pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from windlass_api import durations, names
from windlass_api.cache_key import CacheKey
from windlass_api.protocol import SILENT_BEATS
from windlass_operator.core import caching, resuming
from windlass_operator.core.actions import CreateExecution, CreatePod, Dispatch, Release, Reserve, StoreEntry
from windlass_operator.core.closure import NodeKind
from windlass_operator.core.gates import End, Hold
from windlass_operator.core.inputs import NOTHING, NodeInputs, all_inline, set_apart
from windlass_operator.core.observed import AskCache, CacheNote, NodeState
from windlass_operator.core.settling import CACHED, LOOKS, Target, child_of
from windlass_operator.core.states import NodePhase
from windlass_operator.core.values import InvalidInputsError
from windlass_operator.core.work import Work, ended, succeeded
from windlass_operator.kinds import kind_of
from windlass_operator.kinds.evidence import Failure, FailureKind, Succeeded
from windlass_operator.manifests.execution import child_execution, dynamic_revision
from windlass_operator.manifests.look import PodLook, bundle_of
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.pod import PodAsk, call_document
from windlass_operator.manifests.templates import InvalidPodError

POLL = 1.0
"""Seconds between two looks at a result that somebody else computes."""
RESERVED = "CacheReserved"
CONNECTING, RECOVERING = "ActorConnecting", "ActorRecovering"
"""Reasons of a node that waits to hear from its pool's workers whether one of them has its call already: for a moment,
as whenever one starts; and longer than a worker that lives may say nothing, which somebody should look at.
"""


class Begun(NamedTuple):
    """What came of trying to start an attempt: the state it is in, or why it has to wait."""

    state: NodeState
    hold: Hold | None = None
    cached: Mapping[str, Any] | None = None
    """The cached outputs that its pod has to look for, before it does anything else."""


def begin(  # noqa: PLR0911  one per kind of child, and per obstacle
    work: Work, target: Target, state: NodeState, inputs: Mapping[str, Any], beside: NodeInputs = NOTHING
) -> Begun | Failure:
    """Start an attempt, unless its result is there already. ``inputs`` are complete; ``beside`` are those of them that
    all elements of a map share, as pods get them.

    Raises:
        NotKnownError: something has to be looked up first.
    """
    found = None
    if state.attempt == 0:
        state = resuming.reuse(work, target, state, inputs)
        if state.terminal:
            return Begun(state)
        cached = _from_cache(work, target, state, inputs)
        if cached.hold is not None or cached.state.terminal:
            return cached
        state, found = cached.state, cached.cached
    if target.node.kind is NodeKind.PLAN:
        return _begin_execution(work, target, state, inputs)
    if target.node.actor is not None:
        return _begin_call(work, target, state, inputs, found)
    apart = {name: value for name, value in inputs.items() if name not in beside.document}
    prepared = set_apart(target.node.id, apart, work.observed.settings, beside)
    if isinstance(prepared, Failure):
        return prepared
    ask = _pod_ask(work, target, state, prepared, inputs, found)
    manifest = _manifest(ask)
    if isinstance(manifest, Failure):
        return manifest
    values = work.values_for(prepared)
    work.actions.append(CreatePod(target.node.id, state.attempt, ask.name, manifest, target.element, values))
    return Begun(_queued(work, target, state))


def _manifest(ask: PodAsk) -> Manifest | Failure:
    """The pod of an attempt, or why there can't be one."""
    try:
        return kind_of(ask.look.spec).desired(ask)
    except InvalidPodError as wrong:
        return Failure(FailureKind.USER, wrong.reason, wrong.message)


def _queued(work: Work, target: Target, state: NodeState, **more: Any) -> NodeState:
    """The attempt has its child, unless the API server does not take it: so ``until`` counts until it is seen."""
    work.facts.took_room(target.node)
    return replace(
        state,
        phase=NodePhase.QUEUED,
        started_at=state.started_at if state.started_at is not None else work.now,
        reason="",
        message="",
        retry_at=None,
        stuck_since=None,
        unsure=False,
        **more,
    )


def _pod_ask(
    work: Work,
    target: Target,
    state: NodeState,
    inputs: NodeInputs,
    given: Mapping[str, Any],
    cached: Mapping[str, Any] | None,
) -> PodAsk:
    observed, settings = work.observed, work.observed.settings
    last = state.system_failures >= settings.system_retries
    look = PodLook(
        namespace=observed.namespace,
        spec=target.spec,
        code=target.node.code,
        template=observed.closure.pod_templates.get(target.spec.get("podTemplateName") or ""),
        service_account=observed.setting("serviceAccountName"),
        interruptible=bool(target.spec.get("interruptible")) and not (last and settings.system_retries > 0),
        oom_failures=state.oom_failures,
        settings=settings,
    )
    return PodAsk(
        look=look,
        execution=observed.name,
        uid=observed.uid,
        node=target.node.id,
        element=target.label,
        attempt=state.attempt,
        task=target.node.target,
        inputs=inputs.document,
        given=given,
        values=tuple(inputs.large),
        cached=caching.to_look_for(cached, target.spec) if cached is not None else None,
        raw_output_prefix=observed.setting("rawOutputPrefix") or "",
        closure=observed.closure.hash,
    )


# ---- calls of actors ------------------------------------------------------------------------------------------------


def _begin_call(
    work: Work, target: Target, state: NodeState, inputs: Mapping[str, Any], cached: Mapping[str, Any] | None
) -> Begun | Failure:
    """Hand an attempt to the workers of its pool, unless one of them may have it already."""
    observed, actor = work.observed, target.node.actor
    assert actor is not None
    if not observed.pinned:
        return Begun(state, Hold())
    if actor.environment in observed.unsure:
        return _hearing(work, actor.environment, state)
    given = all_inline(target.node.id, inputs, observed.settings)
    if isinstance(given, Failure):
        return given
    ask = _pod_ask(work, target, state, given, inputs, cached)
    limit, bundle = target.spec.get("timeout"), bundle_of(ask.look)
    work.actions.append(
        Dispatch(
            target.node.id,
            state.attempt,
            ask.name,
            actor.environment,
            actor.revision,
            observed.closure.environments[actor.environment],
            call_document(ask),
            target.node.target,
            names.pinned_code_digest(target.node.code) if target.node.code else "",
            durations.seconds(limit) if limit else 0.0,
            target.element,
            bundle["sha256"] if isinstance(bundle, Mapping) else "",
        )
    )
    return Begun(_queued(work, target, state))


def _hearing(work: Work, environment: str, state: NodeState) -> Begun:
    """What it may have to wait for is said by workers who are about to connect, or by nobody for a while."""
    since = state.stuck_since if state.stuck_since is not None else work.now
    until = since + SILENT_BEATS * work.observed.settings.dispatcher_heartbeat
    work.wake(until)
    text = f"waits to hear from the workers of {environment} what they have"
    reason = CONNECTING if work.now < until else RECOVERING
    return Begun(replace(state, stuck_since=since), Hold(reason=reason, message=text))


# ---- child Executions -----------------------------------------------------------------------------------------------


def _begin_execution(work: Work, target: Target, state: NodeState, inputs: Mapping[str, Any]) -> Begun | Failure:
    node = target.node
    reference = {"name": node.target, **({"version": node.version} if node.version else {})}
    made = _child(work, target, state, {"launchPlan": reference, "inputs": dict(inputs)})
    if isinstance(made, Failure):
        return made
    work.actions.append(made)
    return Begun(_queued(work, target, state, execution=made.name))


def expand(work: Work, target: Target, state: NodeState) -> NodeState:
    """Run the workflow that a dynamic task gave, if it is there, as a child: the attempt goes on in it."""
    view = child_of(target, state.attempt, work.observed)
    if state.terminal or view is None or not isinstance(view.evidence, Succeeded) or view.evidence.workflow is None:
        return state
    revision, reference = dynamic_revision(
        target.node.target, view.evidence.workflow, work.observed.namespace, work.owner
    )
    made = _child(work, target, state, {"workflow": reference})
    if isinstance(made, Failure):
        return ended(state, End(NodePhase.FAILED, made.code, made.message, made), work.now)
    work.actions.append(replace(made, revision=revision))
    return replace(state, execution=made.name)


def _child(work: Work, target: Target, state: NodeState, spec: Mapping[str, Any]) -> CreateExecution | Failure:
    observed = work.observed
    if observed.depth + 1 > observed.settings.max_depth:
        text = f"executions inside of executions are {observed.settings.max_depth} deep at most: does it call itself?"
        return Failure(FailureKind.USER, "TooDeep", text)
    size = len(names.canonical_json(spec.get("inputs") or {}))
    if size > observed.settings.child_inputs_limit:
        limit = observed.settings.child_inputs_limit
        text = f"nodes.{target.node.id}.inputs: {size} bytes; those of an execution may have {limit}; pass less"
        return Failure(FailureKind.USER, "InputsTooLarge", text)
    name = names.child_name(observed.name, target.node.id, state.attempt, target.label)
    handed = {
        field: observed.spec[field] for field in ("overwriteCache", "suspend", "overrides") if observed.spec.get(field)
    }
    prefix = observed.setting("rawOutputPrefix")
    if prefix and not target.spec.get("rawOutputPrefix"):  # a plan may want its own
        handed["rawOutputPrefix"] = prefix
    manifest = child_execution(
        name=name,
        namespace=observed.namespace,
        parent=observed.name,
        owner=work.owner,
        place=(target.node.id, state.attempt, target.label),
        depth=observed.depth + 1,
        closure=observed.closure.hash,
        spec={**spec, **handed},
        labels_of_plan=target.spec.get("labels") or {} if target.node.kind is NodeKind.PLAN else {},
        annotations_of_plan=target.spec.get("annotations") or {} if target.node.kind is NodeKind.PLAN else {},
    )
    return CreateExecution(target.node.id, state.attempt, name, manifest, target.element)


# ---- the cache ------------------------------------------------------------------------------------------------------


def _from_cache(work: Work, target: Target, state: NodeState, inputs: Mapping[str, Any]) -> Begun:
    settings = caching.cache_of(target.spec)
    if settings is None:
        return Begun(state)
    key = caching.key_of(target.node.target, target.spec, inputs)
    entry = names.cache_name(key.digest)
    if any(isinstance(action, StoreEntry) and action.name == entry for action in work.actions):
        work.again = True  # it is about to be kept: look for it then
        return Begun(state, Hold())
    overwrite = bool(work.observed.setting("overwriteCache"))
    message = "the run overwrites what is cached"
    if not overwrite:
        found = _look(work, target, key, AskCache(entry, target.node.target, near=True))
        if isinstance(found, caching.Hit):
            return _found(work, target, state, found, entry)
        message = found
    if settings.serialize:
        waiting = _wait_for_turn(work, target, state, key)
        if waiting is not None:
            return waiting
        if not overwrite:  # while we waited for our turn, somebody may have computed it
            again = _look(work, target, key, AskCache(entry, target.node.target, near=False))
            if isinstance(again, caching.Hit):
                hit = _found(work, target, state, again, entry)
                if hit.cached is None:
                    work.actions.append(Release(entry, _holder(work, target)))
                return hit
    return Begun(replace(state, cache=CacheNote("Miss", message, entry)))


def _look(work: Work, target: Target, key: CacheKey, question: AskCache) -> caching.Hit | str:
    """What the cache has, or why it is of no use."""
    try:
        spec, others = work.values.answer(question)
    except InvalidInputsError as refused:
        return f"the cache could not be read: {refused.failure.message}"
    verdict = caching.judge(spec, key, target.spec, work.now)
    if isinstance(verdict, caching.Hit):
        return verdict
    return caching.why(key, others) if spec is None else verdict.message


def _found(work: Work, target: Target, state: NodeState, hit: caching.Hit, entry: str) -> Begun:
    """A result of the cache's. Where some of it lies in the store, its pod looks for that first: what isn't there any
    more is computed again.
    """
    if not work.observed.settings.store.prefix or not caching.lies_elsewhere(hit.outputs, target.spec):
        return Begun(_hit(work, state, hit, entry))
    note = CacheNote("Checking", f"{hit.message}{LOOKS}", entry)
    return Begun(replace(state, cache=note), cached=hit.outputs)


def _hit(work: Work, state: NodeState, hit: caching.Hit, entry: str) -> NodeState:
    note = CacheNote("Hit", hit.message, entry)
    return replace(succeeded(state, dict(hit.outputs), work.now), cache=note, reason=CACHED)


def _wait_for_turn(work: Work, target: Target, state: NodeState, key: CacheKey) -> Begun | None:
    """None when it is our turn to compute a result that others want, too."""
    entry = names.cache_name(key.digest)
    me = _holder(work, target)
    known = work.observed.reservations.get((entry, me.identity))
    if known is not None and known.mine:
        return None
    if known is not None and work.now - known.at < POLL:
        note = CacheNote("Waiting", known.message, entry)
        return Begun(replace(state, cache=note), Hold(known.at + POLL, RESERVED, known.message))
    work.actions.append(Reserve(entry, me, caching.reservation(key, me, work.observed.namespace, work.now)))
    return Begun(state, Hold())


def _holder(work: Work, target: Target) -> caching.Holder:
    """Who it is that computes a result."""
    return caching.Holder(work.observed.name, work.observed.uid, target.node.id, target.label)


def after(work: Work, target: Target, state: NodeState, inputs: Callable[[], Mapping[str, Any]]) -> NodeState:
    """What follows when an attempt has come to its end: its result goes into the cache, and whoever waits for it may
    look. ``inputs`` are asked for only where they are needed.
    """
    settings = caching.cache_of(target.spec)
    if settings is None or state.resume.startswith(resuming.TAKEN) or not _is_computed(state):
        return state
    try:
        return _shared(work, target, state, inputs, settings)
    except InvalidInputsError:  # what it was computed from is not at hand any more: then it is kept for nobody
        return state


def _shared(
    work: Work,
    target: Target,
    state: NodeState,
    inputs: Callable[[], Mapping[str, Any]],
    settings: caching.CacheSettings,
) -> NodeState:
    """A result in the cache, and its turn given back."""
    if state.cache is None:  # we crashed after its child was made
        state = replace(state, cache=CacheNote("Miss", "", _entry_of(target, inputs())))
    entry = state.cache.entry if state.cache is not None else ""
    if state.phase is NodePhase.SUCCEEDED and state.outputs is not None:
        state = _store(work, target, state, inputs(), settings)
    if settings.serialize and state.terminal:
        work.actions.append(Release(entry, _holder(work, target)))
    return state


def _is_computed(state: NodeState) -> bool:
    """Whether it is no result of the cache's."""
    return state.cache is None or state.cache.state in ("Miss", "Checking", "Waiting")


def _entry_of(target: Target, inputs: Mapping[str, Any]) -> str:
    return names.cache_name(caching.key_of(target.node.target, target.spec, inputs).digest)


def _store(
    work: Work, target: Target, state: NodeState, inputs: Mapping[str, Any], settings: caching.CacheSettings
) -> NodeState:
    """Keep a result that was computed."""
    observed, note = work.observed, state.cache or CacheNote("Miss")
    if settings.expires_after is None and observed.settings.cache_ttl:
        settings = replace(settings, expires_after=observed.settings.cache_ttl)
    made = caching.entry(
        caching.key_of(target.node.target, target.spec, inputs),
        {name: work.values.read(value) for name, value in (state.outputs or {}).items()},
        execution=observed.name,
        node=target.node.id,
        namespace=observed.namespace,
        now=work.now,
        cache=settings,
        settings=observed.settings,
    )
    if isinstance(made, caching.NotCached):
        return replace(state, cache=CacheNote("Failed", made.message, note.entry))
    overwrite = bool(observed.setting("overwriteCache")) or note.state == "Checking"  # what is there is of no use
    work.actions.append(StoreEntry(target.node.id, target.element, note.entry, made.manifest, made.values, overwrite))
    message = "there was a result, but some of it was gone from the store" if note.state == "Checking" else note.message
    return replace(state, cache=CacheNote("Stored", message, note.entry))
