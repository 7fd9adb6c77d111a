"""The program in a worker's pod: takes calls, finds each a process, and tells how it ended.

    Run ──► a slot? ──► the code, fetched if need be ──► a process, started if need be ──► Started ──► Result
             │ no                                                                            │
             └► Refused                          Cancel, timeout, SIGTERM ──► the process is told to end

Everything here happens in one thread and one event loop, so between two messages nothing changes. Calls are tasks of
the loop; whatever happens to one, its result is in the ledger before anything is said, and stays there until it has
been acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from windlass.runtime import VERSION, capture, ending, record, worker
from windlass.runtime.warm import bundles, keeping, kernel, logs, process, settings as given
from windlass.runtime.warm.ledger import Ledger
from windlass.runtime.warm.streams import Stream, Streams
from windlass_api.protocol import dispatcher_pb2 as pb

T = TypeVar("T")

TIMED_OUT, CANCELLED, DRAINED = "TimedOut", "Cancelled", "Drained"
_TICK = 1.0
_BRIEF = 0.005
"""Seconds: of a call that takes no longer, nobody has to know that it has begun. Its result says when it did."""
_ACKNOWLEDGED_WITHIN = 4.0
"""Seconds that results have to be acknowledged in when the pod is told to end: it will be killed after that."""
_KEPT_CODE = 16
"""Bundles that stay unpacked, beside those that a process runs."""


def main() -> int:
    """Works until there is nothing more to do; the exit code."""
    try:
        settings = given.read(os.environ)
    except given.SettingsError as error:
        return worker.refuse("BadWorker", str(error).replace('"', "'").replace("\\", "/"))
    return asyncio.run(Supervisor(settings).run())


class Call:
    """One call under way."""

    def __init__(self, run: pb.Run, asked_by: Stream) -> None:
        self.run = run
        self.asked_by, self.connection = asked_by, asked_by.connection
        self.archive = None if run.code else bundles.archive_of(run.order)
        self.code = run.code or (self.archive["sha256"] if self.archive else "")
        """What its code is known by. Empty: it is the image's own."""
        self.started = 0.0
        self.reason = ""
        """Why it is ended from outside, if it is."""
        self.why = ""
        self.process: process.Process | None = None
        self.told = False
        """Whether replicas know that it has begun."""
        self.stopped = asyncio.Event()

    def end(self, reason: str, why: str) -> None:
        """Ends it from outside; the first reason counts."""
        if not self.reason:
            self.reason, self.why = reason, why
            self.stopped.set()
            if self.process is not None:
                self.process.end()


class _Stopped(Exception):  # noqa: N818  it never leaves this module
    """A call is not wanted any more, and has not begun."""


class Supervisor:
    """A worker."""

    def __init__(self, settings: given.Settings) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.slots)
        self._streams = Streams(settings, self)
        self._shelf = process.Shelf()
        self._all: set[process.Process] = set()
        self._calls: dict[str, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._arriving = bundles.Arriving()
        self._folders: dict[str, str] = {}
        self._wanted: dict[str, asyncio.Future[bytes]] = {}
        self._fetching: dict[str, asyncio.Future[str]] = {}
        self._idle_since = time.monotonic()
        self._beaten = 0.0
        self._told_to_end_at: float | None = None
        self._limit = kernel.memory_limit()
        self._keeper = keeping.Keeper()
        self._copied = time.monotonic()

    # ---- its life ---------------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Until it has left; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_end)
        self._streams.start()
        try:
            while not self._done():
                await asyncio.sleep(min(_TICK, self.settings.ttl / 4, self._beat))
                self._tick(time.monotonic())
            await self._streams.close()
        finally:
            await asyncio.gather(*(one.killed() for one in tuple(self._all)))
            await asyncio.to_thread(self._keeper.close, self._left_for_logs())
        return 0

    def _left_for_logs(self) -> float:
        """Seconds that the last logs have to reach the store in: after those the pod may be killed."""
        if self._told_to_end_at is None:
            return capture.PATIENCE
        return max(1.0, min(capture.PATIENCE, self._told_to_end_at + self._grace - time.monotonic()))

    @property
    def _grace(self) -> float:
        """Seconds from the end of the pod being asked for to its results being acknowledged, or lost."""
        return self.settings.drain_grace + self.settings.kill_grace + _ACKNOWLEDGED_WITHIN

    def _done(self) -> bool:
        """Whether nobody needs it any more."""
        if self.ledger.finished:
            return True
        late = self._told_to_end_at is not None and time.monotonic() > self._told_to_end_at + self._grace
        if late:
            logs.tell(f"{len(self.ledger.held)} results were not acknowledged in time, and go with this pod")
        return late

    def _tick(self, now: float) -> None:
        """What is due."""
        if now - self._beaten >= self._beat:
            self._beaten = now
            for stream in self._streams.connected:
                stream.known = None
            self._tell_state()
        self._streams.beat(asyncio.get_running_loop().time())
        if all(one.pid for one in self._all):  # else one of our own could be taken for a stray
            kernel.reap({self._keeper.pid, *(one.pid for one in self._all)})
        if now - self._copied >= capture.PERIOD:
            self._copied = now
            for one in self._all:
                one.copy_log()
        if self.ledger.running:
            self._idle_since = now
        elif now - self._idle_since >= self.settings.ttl:
            self._leave(f"it has had nothing to do for {self.settings.ttl:g} seconds")
        if self._told_to_end_at is not None and now > self._told_to_end_at + self.settings.drain_grace:
            for call in self._calls.values():
                call.end(DRAINED, "the worker's pod was told to end")

    @property
    def _beat(self) -> float:
        """Seconds between heartbeats."""
        return min(one.beat for one in self._streams)

    def _told_to_end(self) -> None:
        """SIGTERM: the pod is deleted, or its node drained."""
        if self._told_to_end_at is None:
            self._told_to_end_at = time.monotonic()
        self._leave("its pod was told to end")

    def _leave(self, reason: str) -> None:
        if not self.ledger.leaving:
            self.ledger.leaving = reason
            logs.tell(f"this worker leaves: {reason}")
            self._streams.broadcast(pb.FromWorker(leaving=pb.Leaving(reason=reason)))
            self._tell_state()

    # ---- what it says -----------------------------------------------------------------------------------------------

    def hello(self) -> pb.FromWorker:
        """Who it is."""
        settings = self.settings
        return pb.FromWorker(
            hello=pb.Hello(
                namespace=settings.namespace,
                pool=settings.pool,
                revision=settings.revision,
                pod=settings.pod,
                pod_uid=settings.pod_uid,
                version=VERSION,
                slots=settings.slots,
            )
        )

    def _say_what_it_has(self, stream: Stream, ask: pb.Ask) -> None:
        """All of it, to a replica that may know nothing."""
        has = pb.Inventory(
            number=ask.number,
            running=self.ledger.running,
            results=self.ledger.held,
            code=sorted(self._shelf.code),
        )
        stream.send(pb.FromWorker(inventory=has))
        stream.known = None
        stream.tell(self.ledger.state(self._shelf.code))
        if self.ledger.leaving:
            stream.send(pb.FromWorker(leaving=pb.Leaving(reason=self.ledger.leaving)))

    def _tell_state(self, but: Stream | None = None) -> None:
        """Tells those who don't know what is free and warm; `but` is one who does."""
        state = self.ledger.state(self._shelf.code)
        for stream in self._streams:
            if stream is not but:
                stream.tell(state)

    # ---- what it is told --------------------------------------------------------------------------------------------

    def received(self, stream: Stream, message: pb.ToWorker) -> None:
        """A replica has said something."""
        kind = message.WhichOneof("message")
        if kind == "run":
            self._run(stream, message.run)
        elif kind == "acknowledge":
            self.ledger.acknowledge(message.acknowledge.calls)
            self._tell_state()  # it may have held too much to take another call
        elif kind == "bundle":
            self._bundle(message.bundle)
        elif kind == "cancel":
            call = self._calls.get(message.cancel.call)
            if call is not None:
                call.end(CANCELLED, message.cancel.reason or "it was cancelled")
        elif kind == "welcome":
            self._welcome(stream, message.welcome)
        elif kind == "ask":
            self._say_what_it_has(stream, message.ask)
        elif kind == "drain":
            self._leave(message.drain.reason or "the operator wants it to")

    def _welcome(self, stream: Stream, welcome: pb.Welcome) -> None:
        self._streams.welcome(stream, welcome.peers)
        for code in self._wanted:  # whoever was asked may be gone
            self._ask_for(code, stream)

    def _run(self, stream: Stream, run: pb.Run) -> None:
        answers = self.ledger.take(run.call)
        if answers is not None:
            for answer in answers:
                stream.send(answer)
            stream.known = None  # it took us for free, or has forgotten what it knew
            return
        call = self._calls[run.call] = Call(run, stream)
        self._spawn(self._perform(call))
        self._tell_state(but=stream)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- a call -----------------------------------------------------------------------------------------------------

    async def _perform(self, call: Call) -> None:
        """From the order to the result."""
        try:
            result = await self._result(call)
        except _Stopped:
            result = _failure(call, "Terminated", f"the call was ended before it began: {call.why}")
        except bundles.CodeError as error:
            result = _failure(call, error.code, str(error))
        except process.ProcessError as error:
            result = _failure(call, "WorkerProcess", str(error))
        except Exception as error:  # noqa: BLE001  a mistake of ours is the end of this call, and not of the worker
            result = _failure(call, "SYSTEM:Worker", f"the worker failed: {type(error).__name__}: {error}")
        self._idle_since = time.monotonic()
        del self._calls[call.run.call]
        self._streams.broadcast(self.ledger.ended(result), call.asked_by)
        if call.reason or call.connection != call.asked_by.connection:
            call.asked_by.known = None  # it may know of the call what another worker or replica has told
        elif call.told:
            call.asked_by.counts(1)
        self._tidy()
        self._tell_state()

    async def _result(self, call: Call) -> pb.Result:
        folder = await self._code(call)
        while True:
            runner = await self._process(call, folder)
            try:
                ended = await self._performed(call, runner)
                break
            except process.GoneError:
                continue  # it died while it had nothing to do: this call has not begun
            finally:
                runner.busy = False
        if call.reason and ended.record:
            runner.end()  # it was told to, and may have been just too quick to notice
        reason = ended.reason if not call.reason else call.reason if ended.exit_code or not ended.record else ""
        if not ended.record:
            logs.tell(
                f"{call.run.call}: its process ended with exit code {ended.exit_code} ({reason}); what actor_cache"
                " kept is gone"
            )
        return pb.Result(
            call=call.run.call,
            record=ended.record,
            started_at=call.started,
            finished_at=time.time(),
            exit_code=ended.exit_code,
            reason=reason,
            log_tail=ended.log_tail,
        )

    async def _performed(self, call: Call, runner: process.Process) -> process.Ending:
        call.process = runner
        if call.reason:
            raise _Stopped
        performing = await runner.begin(call.run.order)
        call.started = time.time()
        begun = self.ledger.started(call.run.call, call.started)
        telling = asyncio.get_running_loop().call_later(_BRIEF, self._tell_begun, call, begun)
        due = self._deadline(call)
        try:
            return await runner.ending_of(performing)
        finally:
            due.cancel()
            telling.cancel()

    def _tell_begun(self, call: Call, begun: pb.FromWorker) -> None:
        call.told = True
        self._streams.broadcast(begun, call.asked_by)
        call.asked_by.counts(-1)
        self._tell_state()

    def _deadline(self, call: Call) -> asyncio.TimerHandle:
        seconds = call.run.timeout_seconds
        why = f"it ran longer than its timeout of {seconds:g} seconds"
        timer = asyncio.get_running_loop().call_later(seconds or 1e9, call.end, TIMED_OUT, why)
        if not seconds:
            timer.cancel()
        return timer

    # ---- code -------------------------------------------------------------------------------------------------------

    async def _code(self, call: Call) -> str:
        """The folder with a call's code."""
        digest = call.code
        if not digest:
            return os.getcwd()  # noqa: PTH109  the image's own
        if call.archive is not None:
            return await self._from_store(call, call.archive)
        for again in (True, False):
            if digest in self._folders:
                self._folders[digest] = self._folders.pop(digest)  # used last
                return self._folders[digest]
            content = await self._unless_stopped(call, self._fetched(digest, call.asked_by))
            try:
                folder = await asyncio.to_thread(bundles.unpack, digest, content, self.settings.folder)
            except bundles.CodeError as error:
                if again and not error.by_user:
                    logs.tell(f"{error}; it is asked for again")
                    continue
                raise
            self._folders[digest] = folder
        return self._folders[digest]

    async def _from_store(self, call: Call, archive: dict[str, str]) -> str:
        """The folder with code that the store has, fetched once for all calls that want it at the same time."""
        if call.code not in self._folders:
            fetching = self._fetching.get(call.code)
            if fetching is None:
                fetching = asyncio.ensure_future(asyncio.to_thread(bundles.fetch, archive, self.settings.folder))
                self._fetching[call.code] = fetching
                fetching.add_done_callback(lambda _: self._fetching.pop(call.code))
            self._folders[call.code] = await self._unless_stopped(call, fetching)
        self._folders[call.code] = self._folders.pop(call.code)  # used last
        return self._folders[call.code]

    def _fetched(self, digest: str, stream: Stream) -> asyncio.Future[bytes]:
        future = self._wanted.get(digest)
        if future is None:
            future = self._wanted[digest] = asyncio.get_running_loop().create_future()
            self._ask_for(digest, stream)
        return future

    def _ask_for(self, digest: str, stream: Stream) -> None:
        self._arriving.begin(digest)
        stream.send(pb.FromWorker(wanted=pb.Wanted(code=digest)))

    def _bundle(self, part: pb.Bundle) -> None:
        wanted = self._wanted.get(part.code)
        if wanted is None:
            return
        if part.problem:
            del self._wanted[part.code]
            wanted.set_exception(bundles.CodeError(part.problem))
            return
        content = self._arriving.add(part.code, part.part, last=part.last)
        if content is not None:
            del self._wanted[part.code]
            wanted.set_result(content)

    async def _unless_stopped(self, call: Call, future: asyncio.Future[T]) -> T:
        stopped = asyncio.ensure_future(call.stopped.wait())
        waiting: list[asyncio.Future[Any]] = [future, stopped]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not future.done():
            raise _Stopped
        return future.result()

    # ---- processes --------------------------------------------------------------------------------------------------

    async def _process(self, call: Call, folder: str) -> process.Process:
        found = self._shelf.idle(call.code)
        if found is None:
            found = process.Process(call.code, folder, self.settings.kill_grace, self._keeper.keep)
            self._all.add(found)
            try:
                await found.start()
            finally:
                found.when_ended(lambda: self._all.discard(found))
        self._shelf.use(found)
        return found

    def _tidy(self) -> None:
        """Ends processes and removes code that are too many."""
        there = {one.pid: one for one in self._shelf.processes if one.alive}
        uses = {
            pid: process.Use(calls=one.calls, memory=kernel.resident(pid), used=one.used, busy=one.busy)
            for pid, one in there.items()
        }
        for pid, why in process.surplus(uses, self._bounds()).items():
            logs.tell(f"process {pid} is ended after {there[pid].calls} calls, with what actor_cache kept: {why}")
            there[pid].end()
        in_use = {one.folder for one in self._all}
        for digest in list(self._folders)[: max(0, len(self._folders) - _KEPT_CODE)]:
            if self._folders[digest] not in in_use:
                self._spawn(_remove(self._folders.pop(digest)))

    def _bounds(self) -> process.Bounds:
        share = self.settings.max_memory
        memory = int(self._limit * share) if self._limit and share else None
        return process.Bounds(self.settings.processes, self.settings.max_calls, memory)


async def _remove(folder: str) -> None:
    import shutil  # noqa: PLC0415  seldom

    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _failure(call: Call, code: str, message: str) -> pb.Result:
    """A call that did not begin has a record like one that did."""
    now = time.time()
    kind = "user" if code.startswith("USER:") else "system"
    told = {"kind": kind, "code": code, "type": code, "message": message, "traceback": "", "recoverable": False}
    logs.tell(f"{call.run.call}: {message}")
    return pb.Result(
        call=call.run.call,
        record=record.fit_error(told, {"timings": {}}, ending.DEFAULT_LIMIT),
        started_at=call.started or now,
        finished_at=now,
        exit_code=1,
        reason=call.reason,
    )
