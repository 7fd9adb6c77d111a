"""The cache of local runs: looked up before a task runs, filled after it has; on this machine's disk (`disk`).

                 ┌─ nothing there ──────────────► work ── keep ──┐
    job ── key ──┼─ unusable: warn ─────────────► work ── keep ──┼──► outputs
                 └─ there, and so is its data ───────────────────┘

An entry that can't be read, or whose data is gone or was changed, is a miss and never a failure. What fails is not
kept. Files in a temporary folder are copied, since they go with the process; others stay where they are.

| variable | meaning |
|---|---|
| `WINDLASS_CACHE_HOME` | the folder, instead of `~/.cache/windlass` |
| `WINDLASS_LOCAL_CACHE_ENABLED=false` | nothing is looked up, nothing is kept |
| `WINDLASS_LOCAL_CACHE_OVERWRITE=true` | nothing is looked up, results are kept |
| `WINDLASS_LOCAL_CACHE_EXPLAIN=true` | why there was no result is told on stderr |

The last three also with `FLYTE_` for `WINDLASS_`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from windlass import _store
from windlass._cache import disk
from windlass._cache.disk import UnusableError
from windlass._modules import warn
from windlass_api.cache_key import CacheKey, Types, cache_key, why_missed
from windlass_api.durations import seconds
from windlass_api.references import changed
from windlass_api.types import REFERENCES, Type, parse_type

_NO = ("0", "false", "no", "off", "")
_told: set[str] = set()

Outputs = dict[str, Any]


def enabled() -> bool:
    """Whether local runs use the cache."""
    return _switch("ENABLED", "true")


def overwriting() -> bool:
    """Whether results that are there are replaced instead of used."""
    return _switch("OVERWRITE", "false")


def _switch(name: str, default: str) -> bool:
    names = (f"WINDLASS_LOCAL_CACHE_{name}", f"FLYTE_LOCAL_CACHE_{name}")
    value = next((os.environ[variable] for variable in names if variable in os.environ), default)
    return value.strip().lower() not in _NO


class Job:
    """A task with its inputs (JSON), of which there may be a result; `settings` are the contract's `cache`."""

    def __init__(
        self, task: str, settings: Mapping[str, Any], inputs: Mapping[str, Any], takes: Types, gives: Types
    ) -> None:
        self.task = task
        self.gives = gives
        self.serialize = bool(settings.get("serialize"))
        self.expires_after = seconds(settings["expiresAfter"]) if settings.get("expiresAfter") else None
        ignored: Collection[str] = settings.get("ignoredInputs") or ()
        self.key = cache_key(task, settings["version"], inputs, takes, gives, ignored, _content)


def _content(uri: str) -> str | None:
    """The digest of a local file or folder; None where nothing is there, or it lies elsewhere."""
    if _store.is_remote(uri):
        return None
    try:
        return disk.content_of(Path(_store.local_path(uri)))
    except OSError:
        return None


def remembered(job: Job, work: Callable[[], Outputs]) -> Outputs:
    """The outputs: from the cache, or by doing the work, which is then kept."""
    if not enabled():
        return work()
    if not job.serialize:
        return _looked_up_or_done(job, work)
    found = _lookup(job)[0]
    if found is not None:
        return found
    with _turn(job):
        return _looked_up_or_done(job, work)  # again: whoever had the turn before may have done it


def _looked_up_or_done(job: Job, work: Callable[[], Outputs]) -> Outputs:
    found, replace = _lookup(job)
    if found is not None:
        return found
    outputs = work()
    try:
        _keep(job, outputs, replace)
    except OSError as error:
        warn(f"the result of {job.task} could not be put into the cache at {disk.home()}: {error}")
    return outputs


# ---- looking up -----------------------------------------------------------------------------------------------------


def _lookup(job: Job) -> tuple[Outputs | None, bool]:
    """The outputs, if they are there; and whether what is there shall be replaced."""
    if overwriting():
        return None, True
    try:
        entry = disk.read(job.key.digest)
        if entry is not None and _has_expired(entry):
            _tell_of_miss(job, "its result has expired")
            return None, True
        outputs = None if entry is None else _resolved(job, entry)
    except UnusableError as reason:
        warn(f"a result of {job.task} in the cache at {disk.home()} is of no use: {reason}. The task is run again")
        return None, True
    if outputs is not None:
        _tell_of_hit(job)
    else:
        _tell_of_miss(job)
    return outputs, False


def _has_expired(entry: Mapping[str, Any]) -> bool:
    expires = entry.get("expires")
    return isinstance(expires, int | float) and expires <= time.time()


def _tell_of_miss(job: Job, why: str = "") -> None:
    if _switch("EXPLAIN", "false"):
        sys.stderr.write(f"windlass: {job.task} is not in the cache: {why or explain(job)}\n")


def _resolved(job: Job, entry: Mapping[str, Any]) -> Outputs:
    """The outputs, with the places of copied data filled in and all data seen to be there."""
    kept, marks = entry.get("kept") or {}, entry.get("marks") or {}

    def place(part: Any, of: Type) -> Any:
        if of.name not in REFERENCES:
            return part
        uri = part["uri"]
        here = str(disk.data_path(kept[uri])) if uri in kept else uri
        _check_data(here, marks.get(uri))
        return {**part, "uri": here}

    if set(entry["outputs"]) != set(job.gives):
        raise UnusableError("its outputs are not those of the task")
    return _changed_outputs(entry["outputs"], job.gives, place)


def _check_data(uri: str, mark: list[int] | None) -> None:
    """Raises where the data of a result is gone, or is not what it was when the result was kept."""
    try:
        there = _store.exists(uri)
    except Exception as error:  # whatever a store's library raises: what can't be reached can't be used
        raise UnusableError(f"its data at {uri} can't be reached ({error})") from error
    if not there:
        raise UnusableError(f"its data at {uri} is gone")
    if mark is not None and disk.mark(Path(_store.local_path(uri))) != mark:
        raise UnusableError(f"its data at {uri} was changed")


def _tell_of_hit(job: Job) -> None:
    """Once for each task: who wonders why it did not run shall not have to search."""
    if job.task not in _told:
        _told.add(job.task)
        sys.stderr.write(f"windlass: {job.task}: from the cache (to forget it: windlass local-cache clear)\n")


def explain(job: Job) -> str:
    """Why there is no result for the job, in words."""
    return why_missed(job.key, [key for _, key in entries() if key is not None])


# ---- keeping --------------------------------------------------------------------------------------------------------


def _keep(job: Job, outputs: Outputs, replace: bool) -> None:
    """Writes the entry, and what its data needs to outlive this process."""
    data = disk.Data(job.key.digest)
    kept: dict[str, str] = {}
    marks: dict[str, list[int]] = {}

    def note(part: Any, of: Type) -> Any:
        if of.name in REFERENCES and not _store.is_remote(part["uri"]):
            path = Path(_store.local_path(part["uri"]))
            if disk.is_temporary(path):
                kept[part["uri"]] = data.add(path)
                path = disk.data_path(kept[part["uri"]])
            marks[part["uri"]] = disk.mark(path)
        return part

    try:
        _changed_outputs(outputs, job.gives, note)
        now = time.time()
        entry = {"key": job.key.parts(), "written": round(now), "outputs": outputs}
        if job.expires_after is not None:
            entry["expires"] = now + job.expires_after
        written = disk.write(job.key.digest, {**entry, "kept": kept, "marks": marks}, replace=replace)
    except OSError:
        data.discard()
        raise
    if not written:  # another run was faster
        data.discard()


def _changed_outputs(outputs: Mapping[str, Any], types: Types, change: Callable[[Any, Type], Any]) -> Outputs:
    found = {}
    for name, value in outputs.items():
        expression, schema = types[name]
        found[name] = changed(value, parse_type(expression), schema, change)
    return found


@contextmanager
def _turn(job: Job) -> Iterator[None]:
    """Of several runs of a serialized task with equal inputs, one at a time is in here."""
    try:
        import fcntl  # noqa: PLC0415  there is none on Windows

        lock = disk.lock_file(job.key.digest).open("ab")
    except (ImportError, OSError) as error:
        warn(f"{job.task} is not serialized, since no file can be locked in {disk.home()}: {error}")
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"windlass: {job.task} waits for another run of it with the same inputs\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---- for the command line -------------------------------------------------------------------------------------------


def entries() -> Iterator[tuple[Path, CacheKey | None]]:
    """The file of each entry and its key; None where it can't be read."""
    for path in disk.files():
        yield path, _key_in(path)


def _key_in(path: Path) -> CacheKey | None:
    try:
        return CacheKey.of_parts((disk.read_file(path) or {})["key"])
    except (UnusableError, KeyError, TypeError):
        return None


def clear(tasks: Collection[str] = ()) -> int:
    """Forgets all results, or those of some tasks (`module.function`, or just `function`); says how many."""
    found = list(entries())
    if not tasks:
        disk.remove_all()
        return len(found)
    named = [path for path, key in found if key is not None and {key.task, key.task.rpartition(".")[2]} & set(tasks)]
    for path in named:
        disk.remove(path)
    return len(named)


__all__ = ["Job", "clear", "enabled", "entries", "explain", "overwriting", "remembered"]
