"""The streams of workers: gRPC, and the generated messages. Loaded when there is an ActorEnvironment, not before.

A stream begins with a Hello. Whether the worker is who it says it is, ``admit`` finds out with the token that it has
brought; until then nothing it says is taken. What is said to a worker is written one after the other, and writing waits
while the worker does not read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import grpc
import grpc.aio

from windlass_api.protocol import METHOD, dispatcher_pb2 as pb
from windlass_operator.dispatch.dispatcher import Dispatcher, Link
from windlass_operator.dispatch.messages import (
    Acknowledge,
    Ask,
    Cancel,
    Drain,
    FromWorker,
    Heartbeat,
    Hello,
    Inventory,
    Leaving,
    Part,
    Refused,
    Result,
    Run,
    Started,
    State,
    ToWorker,
    Wanted,
    Welcome,
)

MESSAGE_LIMIT = 64 * 1024 * 1024
"""Bytes of a message: an Inventory has all results that a worker holds."""
HELLO_WITHIN = 20.0
"""Seconds that a worker has to say who it is."""
STREAMS = 10_000

log = logging.getLogger("windlass.dispatch")


class NotAdmitted(NamedTuple):
    """Why a worker is not let in, and whether asking again is in vain."""

    message: str
    for_good: bool = True


Admit = Callable[[str, Hello], Awaitable[NotAdmitted | None]]
"""(token, Hello) → None where the worker is who it says it is."""


class Tls(NamedTuple):
    """What the dispatcher proves itself by: PEM."""

    key: bytes
    certificate: bytes


class Server:
    """The server of one replica."""

    def __init__(self, dispatcher: Dispatcher, admit: Admit) -> None:
        self._dispatcher, self._admit = dispatcher, admit
        self._server: grpc.aio.Server | None = None
        self._beats: asyncio.Task[None] | None = None

    async def start(self, address: str, tls: Tls | None) -> int:
        """Listen at HOST:PORT, by TLS unless there is none; the port.

        Raises:
            OSError: it can't be listened there.
        """
        options = (
            ("grpc.max_receive_message_length", MESSAGE_LIMIT),
            ("grpc.max_send_message_length", MESSAGE_LIMIT),
            ("grpc.max_concurrent_streams", STREAMS),
            ("grpc.so_reuseport", 0),
            ("grpc.optimization_target", "latency"),
        )
        server = self._server = grpc.aio.server(options=options)
        method = grpc.stream_stream_rpc_method_handler(
            self._work, request_deserializer=pb.FromWorker.FromString, response_serializer=pb.ToWorker.SerializeToString
        )
        service, name = METHOD.strip("/").split("/")
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: method}),))
        try:
            if tls is None:
                port = server.add_insecure_port(address)
            else:
                pair = (tls.key, tls.certificate)
                port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        except RuntimeError as trouble:
            raise OSError(f"workers can't be listened for at {address}: {trouble}") from trouble
        if not port:
            raise OSError(f"workers can't be listened for at {address}: it is taken, or not an address of this machine")
        await server.start()
        self._beats = asyncio.create_task(self._dispatcher.keep_alive())
        return int(port)

    async def stop(self, grace: float = 1.0) -> None:
        """End all streams, and listen no more."""
        self._dispatcher.hang_up("this replica leaves")
        if self._beats is not None:
            self._beats.cancel()
        if self._server is not None:
            await self._server.stop(grace)

    async def _work(self, requests: AsyncIterator[pb.FromWorker], context: Any) -> None:
        hello = await self._hello(context)
        refusal = await self._admit(_token(context), hello)
        if refusal is not None:
            log.warning("worker %s/%s was refused: %s", hello.namespace, hello.pod, refusal.message)
            code = grpc.StatusCode.PERMISSION_DENIED if refusal.for_good else grpc.StatusCode.UNAVAILABLE
            await context.abort(code, refusal.message)
        link = self._dispatcher.connect(hello)
        reading = asyncio.create_task(self._read(context, link))
        writing = asyncio.create_task(_write(context, link))
        try:
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._dispatcher.disconnected(link)
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)
        for task in (reading, writing):
            if not task.cancelled() and task.exception() is not None and not _is_end(task.exception()):
                raise task.exception()  # type: ignore[misc]  # it is one
        context.set_details(link.over)

    async def _hello(self, context: Any) -> Hello:
        try:
            first = await asyncio.wait_for(context.read(), HELLO_WITHIN)
        except asyncio.TimeoutError:
            first = grpc.aio.EOF
        hello = None if first is grpc.aio.EOF or not first.HasField("hello") else _read_hello(first.hello)
        if hello is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a stream begins with a Hello")
            raise AssertionError("abort raises")
        return hello

    async def _read(self, context: Any, link: Link) -> None:
        """Take in what a worker says, until it ends the stream. One that is silent is the dispatcher's to end."""
        while (message := await context.read()) is not grpc.aio.EOF:
            said = read(message)
            if said is not None:
                self._dispatcher.received(link, said)


async def _write(context: Any, link: Link) -> None:
    while (message := await link.next()) is not None:
        await context.write(write(message))


def _is_end(trouble: BaseException | None) -> bool:
    """Whether it is a way in which streams end."""
    return isinstance(trouble, grpc.RpcError | grpc.aio.UsageError)


def _token(context: Any) -> str:
    for key, value in context.invocation_metadata() or ():
        if key.lower() == "authorization":
            kind, _, token = str(value).partition(" ")
            return token.strip() if kind.lower() == "bearer" else ""
    return ""


# ---- messages ↔ plain values ----------------------------------------------------------------------------------------


def read(message: pb.FromWorker) -> FromWorker | None:  # noqa: PLR0911  one per message
    """What a worker says. None for what a newer one may say, and for a second Hello."""
    match message.WhichOneof("message"):
        case "inventory":
            return _read_inventory(message.inventory)
        case "state":
            return State(message.state.free, tuple(message.state.code))
        case "wanted":
            return Wanted(message.wanted.code)
        case "started":
            return Started(message.started.call, message.started.at)
        case "result":
            return read_result(message.result)
        case "refused":
            return Refused(message.refused.call, message.refused.reason)
        case "leaving":
            return Leaving(message.leaving.reason)
        case _:
            return None


def _read_hello(hello: pb.Hello) -> Hello:
    return Hello(
        namespace=hello.namespace,
        pool=hello.pool,
        revision=hello.revision,
        pod=hello.pod,
        pod_uid=hello.pod_uid,
        slots=hello.slots,
    )


def _read_inventory(inventory: pb.Inventory) -> Inventory:
    return Inventory(
        number=inventory.number,
        running=tuple(inventory.running),
        results=tuple(read_result(result) for result in inventory.results),
        code=tuple(inventory.code),
    )


def read_result(result: pb.Result) -> Result:
    """How a call ended."""
    return Result(
        result.call,
        result.record,
        result.started_at,
        result.finished_at,
        result.exit_code,
        result.reason,
        result.log_tail,
    )


def write(message: ToWorker) -> pb.ToWorker:  # noqa: PLR0911  one per message
    """What is said to a worker."""
    match message:
        case Run(call, order, code, timeout):
            return pb.ToWorker(run=pb.Run(call=call, order=order, code=code, timeout_seconds=timeout))
        case Part(code, part, last, problem):
            return pb.ToWorker(bundle=pb.Bundle(code=code, part=part, last=last, problem=problem))
        case Cancel(call, reason):
            return pb.ToWorker(cancel=pb.Cancel(call=call, reason=reason))
        case Acknowledge(calls):
            return pb.ToWorker(acknowledge=pb.Acknowledge(calls=calls))
        case Drain(reason):
            return pb.ToWorker(drain=pb.Drain(reason=reason))
        case Welcome(peers, heartbeat, replica):
            return pb.ToWorker(welcome=pb.Welcome(peers=peers, heartbeat_seconds=heartbeat, replica=replica))
        case Ask(number):
            return pb.ToWorker(ask=pb.Ask(number=number))
        case Heartbeat():
            return pb.ToWorker(heartbeat=pb.Heartbeat())
