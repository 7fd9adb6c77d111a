"""The connections of a worker to the replicas of the operator, kept up.

One stream goes to the address of a Service, behind which any of the replicas answers (its `Welcome.replica` says
which); one goes to each of the other `Welcome.peers`, which are those that any replica tells of. A stream that breaks
is dialled again, with pauses that grow and differ from worker to worker, for as long as its replica is one of the
peers; the Service is asked only while there is no other.

A stream begins with who the worker is. What it has it says when it is asked, in an Inventory made at that moment, and
all that happens afterwards follows in order, so a replica knows everything whenever it was that it came. Of two streams
to one replica the later is given up before that: a call that is on its way by the other would be missing in its
Inventory, and be taken for lost.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import grpc
import grpc.aio

from windlass.runtime.warm import logs
from windlass.runtime.warm.settings import Settings
from windlass_api.protocol import METHOD, SILENT_BEATS, dispatcher_pb2 as pb

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
DEFAULT_BEAT = 10.0
LAST_WORDS = 2.0
"""Seconds that a replica has to hear the last that a worker says."""
WELCOME_WITHIN = 20.0
"""Seconds that a replica has to answer a Hello in."""
_MESSAGE = 256 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_send_message_length", _MESSAGE),
    ("grpc.max_receive_message_length", _MESSAGE),
    ("grpc.enable_retries", 0),
)


def pause(failures: int, chance: float) -> float:
    """Seconds until the next attempt, after so many that failed; `chance` is between 0 and 1."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 20)) * (0.5 + chance / 2)


class Worker(Protocol):
    """What streams want of the supervisor."""

    def hello(self) -> pb.FromWorker:
        """Who it is."""

    def received(self, stream: Stream, message: pb.ToWorker) -> None:
        """A replica has said something."""


class Stream:
    """The stream to one address."""

    def __init__(self, address: str, settings: Settings, worker: Worker) -> None:
        self.address = address
        self.replica = ""
        """Which replica answers there, as it has told."""
        self.peers: frozenset[str] = frozenset()
        """Those that it knew of when it told last."""
        self.welcomed = self.was_welcomed = False
        """Whether somebody has answered: on this stream, and on the last that there was."""
        self.beat = DEFAULT_BEAT
        self.known: pb.State | None = None
        """What the other side takes our state to be, where that is certain. Of a call that it has sent it knows by
        itself that it begins and ends.
        """
        self.connection = 0
        """Counts how often it has been dialled."""
        self._settings = settings
        self._worker = worker
        self._outgoing: asyncio.Queue[pb.FromWorker | None] | None = None
        self._heard = 0.0
        self._call: Any = None
        self._broken_off = ""

    def send(self, message: pb.FromWorker) -> None:
        """Says something, in order. Where nobody is connected it is not lost: an Inventory will say it."""
        if self._outgoing is not None:
            self._outgoing.put_nowait(message)

    @property
    def connected(self) -> bool:
        """Whether there is a stream, somebody has answered on it, and it isn't given up."""
        return self._outgoing is not None and self.welcomed and not self._broken_off

    def silent_since(self, now: float) -> float:
        """Seconds since the other side has said something."""
        return now - self._heard

    def tell(self, state: pb.State) -> None:
        """Says what is free and warm, unless the other side knows."""
        if self.known != state:
            self.known = state
            self.send(pb.FromWorker(state=state))

    def counts(self, more: int) -> None:
        """By what it has just been told of a call of its own, the other side takes so many slots more for free."""
        if self.known is not None:
            self.known = pb.State(free=max(0, self.known.free + more), code=self.known.code)

    def break_off(self, why: str) -> None:
        """Ends the stream now; whoever keeps it up will dial again if that is wanted."""
        if self._call is not None:
            self._broken_off = why
            self._call.cancel()

    def finish(self) -> None:
        """Says what is left to say, and that nothing more will follow."""
        if self._outgoing is not None:
            self._outgoing.put_nowait(None)

    async def connect(self) -> str:
        """One connection, until it breaks; why it did."""
        self.welcomed = self.was_welcomed = False
        self._broken_off = ""
        try:
            async with self._channel() as channel:
                method = channel.stream_stream(
                    METHOD,
                    request_serializer=pb.FromWorker.SerializeToString,
                    response_deserializer=pb.ToWorker.FromString,
                )
                self._call = method(metadata=self._metadata())
                return await self._talk(self._call)
        except (grpc.aio.AioRpcError, grpc.aio.UsageError, OSError, ValueError) as error:
            return _told(error)
        finally:
            self._outgoing = self._call = None
            self.welcomed = False
            self.replica = ""

    async def _talk(self, call: Any) -> str:
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        self.known = None
        self.connection += 1
        self._outgoing = asyncio.Queue()
        self._outgoing.put_nowait(self._worker.hello())
        self._writer = loop.create_task(self._write(call, self._outgoing))
        try:
            while (message := await call.read()) is not grpc.aio.EOF:
                if self._broken_off:
                    return self._broken_off  # whoever has given it up relies on nothing more being heard
                self._heard = loop.time()
                if message.WhichOneof("message") == "welcome":
                    self.welcomed = self.was_welcomed = True
                    self.replica = message.welcome.replica
                    self.beat = message.welcome.heartbeat_seconds or DEFAULT_BEAT
                self._worker.received(self, message)
            return f"{(await call.code()).name}: {await call.details() or 'the other side ended it'}"
        except asyncio.CancelledError:
            if not self._broken_off:
                raise
            return self._broken_off
        finally:
            self._writer.cancel()
            call.cancel()

    async def _write(self, call: Any, outgoing: asyncio.Queue[pb.FromWorker | None]) -> None:
        try:
            while (message := await outgoing.get()) is not None:
                await call.write(message)
            await call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            return  # the reader learns of it, and tells why

    def _channel(self) -> Any:
        settings = self._settings
        if not settings.authority:
            return grpc.aio.insecure_channel(self.address, options=_OPTIONS)
        name = (("grpc.ssl_target_name_override", settings.server_name),) if settings.server_name else ()
        credentials = grpc.ssl_channel_credentials(root_certificates=settings.authority.encode())
        return grpc.aio.secure_channel(self.address, credentials, options=(*_OPTIONS, *name))

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        if not self._settings.token:
            return ()
        token = Path(self._settings.token).read_text().strip()
        return (("authorization", f"Bearer {token}"),)


def _told(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return f"{type(error).__name__}: {error}"


class Streams:
    """All streams of a worker."""

    def __init__(self, settings: Settings, worker: Worker, chance: Callable[[], float] = random.random) -> None:
        self._settings = settings
        self._worker = worker
        self._chance = chance
        self._peers: frozenset[str] = frozenset()
        self._service = Stream(settings.dispatcher, settings, worker)
        self._direct: dict[str, Stream] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closing = False
        self._changed = asyncio.Event()

    def start(self) -> None:
        """Begins to dial."""
        self._keep(self._service, self._wants_service)

    def broadcast(self, message: pb.FromWorker, first: Stream | None = None) -> None:
        """Says something to every replica; to `first` before the others."""
        if first is not None:
            first.send(message)
        for stream in self:
            if stream is not first:
                stream.send(message)

    def __iter__(self) -> Iterator[Stream]:
        yield self._service
        yield from tuple(self._direct.values())

    @property
    def connected(self) -> list[Stream]:
        """Those on which a replica has answered."""
        return [stream for stream in self if stream.connected]

    def welcome(self, stream: Stream, peers: Iterable[str]) -> None:
        """A replica has told who there is. One that has just begun may know less than the others: all of them count."""
        stream.peers = frozenset(peers)
        self._peers = stream.peers.union(*(one.peers for one in self.connected))
        self._drop_double(stream)
        self._dial_peers()

    def _drop_double(self, stream: Stream) -> None:
        """One stream to each replica: the one that was there first stays."""
        if any(one.connected and one.replica == stream.replica for one in self if one is not stream):
            stream.break_off("there is another stream to this replica")

    def _dial_peers(self) -> None:
        for address in self._peers - self._direct.keys() - {self._settings.dispatcher}:
            if self._wants(address):
                self._direct[address] = Stream(address, self._settings, self._worker)
                self._keep(self._direct[address], functools.partial(self._wants, address))

    def _wants(self, address: str) -> bool:
        return address in self._peers and not (self._service.connected and self._service.replica == address)

    def _wants_service(self) -> bool:
        return not any(stream.connected for stream in self._direct.values())

    def _keep(self, stream: Stream, wanted: Callable[[], bool]) -> None:
        task = asyncio.get_running_loop().create_task(self._keep_up(stream, wanted), name=f"stream to {stream.address}")
        self._tasks[stream.address] = task

    async def _keep_up(self, stream: Stream, wanted: Callable[[], bool]) -> None:
        failures = 0
        while not self._closing:
            if not wanted():
                if stream is not self._service:
                    del self._direct[stream.address]
                    return
                self._changed.clear()
                await self._changed.wait()
                continue
            why = await stream.connect()
            self._changed.set()
            if self._closing:
                return
            self._dial_peers()
            if wanted():
                logs.tell(f"the stream to {stream.address} broke off: {why}")
            failures = 0 if stream.was_welcomed else failures + 1
            await asyncio.sleep(pause(failures, self._chance()))

    def beat(self, now: float) -> None:
        """Breaks off what is silent. Called every now and then; raises what has gone wrong by a mistake of ours."""
        for task in self._tasks.values():
            if task.done() and not task.cancelled():
                task.result()
        for stream in self:
            limit = SILENT_BEATS * stream.beat if stream.welcomed else WELCOME_WITHIN
            if stream.silent_since(now) > limit:
                stream.break_off("it was silent for too long")

    async def close(self) -> None:
        """Says what is left to say to each, and ends them."""
        self._closing = True
        for stream in self:
            stream.finish()
        connected = [self._tasks[stream.address] for stream in self if stream.connected]
        if connected:
            await asyncio.wait(connected, timeout=LAST_WORDS)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
