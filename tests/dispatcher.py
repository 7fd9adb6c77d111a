"""A small dispatcher for tests of workers: it says what it is told to, and writes down what it hears.

It is the server of `proto/windlass/v1alpha1/dispatcher.proto` in the test's own process, and decides nothing. A worker
is the real program, `runtime/worker.py`, started as its pod starts it.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

import windlass
from windlass_api.protocol import METHOD, dispatcher_pb2 as pb

WORKER = Path(windlass.__file__).parent / "runtime" / "worker.py"
PATIENCE = 30.0
PART = 512 * 1024


def bundle(files: dict[str, str]) -> tuple[str, bytes]:
    """A bundle of code, and its digest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, source in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(source.encode())
            archive.addfile(entry, io.BytesIO(source.encode()))
    content = gzip.compress(packed.getvalue(), mtime=0)
    return hashlib.sha256(content).hexdigest()[:16], content


def order(entrypoint: str, inputs: dict[str, Any] | None = None, **more: Any) -> bytes:
    """What a call is asked with."""
    about = {"execution": "run-1", "namespace": "team", "node": "n0", "attempt": 0, "limit": 1 << 20}
    task = entrypoint.replace(":", ".")
    return json.dumps({**about, "task": task, "entrypoint": entrypoint, "inputs": inputs or {}, **more}).encode()


class Connection:
    """One stream of a worker's."""

    def __init__(self, context: Any, hello: pb.Hello, metadata: dict[str, str]) -> None:
        self.hello = hello
        self.metadata = metadata
        self.open = True
        self._context = context
        self._outgoing: asyncio.Queue[pb.ToWorker | None] = asyncio.Queue()

    def send(self, **message: Any) -> None:
        """Says something to the worker."""
        self._outgoing.put_nowait(pb.ToWorker(**message))

    def end(self) -> None:
        """Breaks the stream off."""
        self._outgoing.put_nowait(None)

    async def write(self) -> None:
        """What is to be said, until the end."""
        while (message := await self._outgoing.get()) is not None:
            await self._context.write(message)


class Dispatcher:
    """One replica."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.heard: list[pb.FromWorker] = []
        self.code: dict[str, bytes] = {}
        self.peers: list[str] = []
        self.replica = ""
        """Its address, unless something else is said."""
        self.beat = 10.0
        self.acknowledges = True
        self.answers_wanted = True
        self._changed = asyncio.Event()
        self.address = ""

    # ---- the server -------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def listening(self, address: str = "127.0.0.1:0", credentials: Any = None) -> AsyncIterator[Dispatcher]:
        """Open for workers."""
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        self._server.add_generic_rpc_handlers((self._handler(),))
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        await self._server.start()
        self.address = f"127.0.0.1:{port}"
        try:
            yield self
        finally:
            await self._server.stop(None)

    def _handler(self) -> grpc.GenericRpcHandler:
        _, service, method = METHOD.split("/")
        handler = grpc.stream_stream_rpc_method_handler(
            self._work,
            request_deserializer=pb.FromWorker.FromString,
            response_serializer=pb.ToWorker.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(service, {method: handler})

    async def _work(self, requests: Any, context: Any) -> None:
        first = await context.read()
        metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
        connection = Connection(context, first.hello, metadata)
        self.connections.append(connection)
        replica = self.replica or self.address
        connection.send(welcome=pb.Welcome(peers=self.peers, heartbeat_seconds=self.beat, replica=replica))
        connection.send(ask=pb.Ask(number=len(self.connections)))
        self._note(first, connection)
        writing = asyncio.ensure_future(connection.write())
        reading = asyncio.ensure_future(self._read(context, connection))
        try:
            await asyncio.wait([writing, reading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            connection.open = False
            for task in (writing, reading):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            self._changed.set()

    async def _read(self, context: Any, connection: Connection) -> None:
        while (message := await context.read()) is not grpc.aio.EOF:
            self._note(message, connection)

    def _note(self, message: pb.FromWorker, connection: Connection) -> None:
        self.heard.append(message)
        kind = message.WhichOneof("message")
        if kind == "wanted" and self.answers_wanted:
            self.give(message.wanted.code, connection)
        if kind == "result" and self.acknowledges:
            connection.send(acknowledge=pb.Acknowledge(calls=[message.result.call]))
        if kind == "inventory" and self.acknowledges and message.inventory.results:
            connection.send(acknowledge=pb.Acknowledge(calls=[one.call for one in message.inventory.results]))
        self._changed.set()

    def give(self, code: str, connection: Connection) -> None:
        """Sends a bundle, or says that there is none."""
        content = self.code.get(code)
        if content is None:
            connection.send(bundle=pb.Bundle(code=code, problem=f"there is no ConfigMap for {code}"))
            return
        parts = [content[at : at + PART] for at in range(0, len(content), PART)] or [b""]
        for number, part in enumerate(parts):
            connection.send(bundle=pb.Bundle(code=code, part=part, last=number == len(parts) - 1))

    # ---- what tests ask ---------------------------------------------------------------------------------------------

    def add(self, files: dict[str, str]) -> str:
        """Knows that code; its digest."""
        digest, content = bundle(files)
        self.code[digest] = content
        return digest

    @property
    def connection(self) -> Connection:
        """The stream that was opened last."""
        return self.connections[-1]

    def run(self, call: str, content: bytes, code: str, timeout: float = 0) -> None:
        """Hands out a call."""
        self.connection.send(run=pb.Run(call=call, order=content, code=code, timeout_seconds=timeout))

    def of(self, kind: str) -> list[Any]:
        """All that was heard of one kind."""
        return [getattr(one, kind) for one in self.heard if one.WhichOneof("message") == kind]

    def result_of(self, call: str) -> pb.Result | None:
        """A call's result, once it is known: said, or in an Inventory."""
        said = [*self.of("result"), *(one for inventory in self.of("inventory") for one in inventory.results)]
        return next((one for one in said if one.call == call), None)

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Waits until that is so; what it gave."""
        async with _patience(f"{condition}"):
            while not (found := condition()):
                self._changed.clear()
                if condition():
                    continue
                await self._changed.wait()
        return found

    async def result(self, call: str) -> pb.Result:
        """A call's result, waited for."""
        found: pb.Result = await self.until(lambda: self.result_of(call))
        return found

    async def outputs(self, call: str) -> Any:
        """Its outputs, waited for."""
        result = await self.result(call)
        told = json.loads(result.record or b"{}")
        assert "outputs" in told, (told, result)
        return told["outputs"]

    async def error(self, call: str) -> Any:
        """The error in its record, waited for."""
        result = await self.result(call)
        return json.loads(result.record)["error"]


@asynccontextmanager
async def _patience(what: str) -> AsyncIterator[None]:
    """A deadline: Python 3.10 has none of its own for a block."""
    task = asyncio.current_task()
    assert task is not None
    late: list[bool] = []

    def give_up() -> None:
        late.append(True)
        task.cancel()

    timer = asyncio.get_running_loop().call_later(PATIENCE, give_up)
    try:
        yield
    except asyncio.CancelledError:
        if late:
            raise AssertionError(f"waited {PATIENCE:g} seconds for {what}") from None
        raise
    finally:
        timer.cancel()


class Worker:
    """A worker's program, as its pod starts it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def printed(self) -> str:
        """What its pod's log has by now."""
        return self._log.read_text()

    async def ended(self) -> int:
        """Its exit code, waited for."""
        return await asyncio.wait_for(self.process.wait(), PATIENCE)


@asynccontextmanager
async def worker(
    folder: Path, dispatcher: str, *, env: dict[str, str] | None = None, python: Iterable[str] = (), **more: Any
) -> AsyncIterator[Worker]:
    """A worker that runs meanwhile, in a folder of its own."""
    document = {
        "namespace": "team",
        "pool": "pool",
        "revision": "r1",
        "dispatcher": dispatcher,
        "ttlSeconds": 60,
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    variables = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "HOME": str(folder),
        "WINDLASS_RESULT": str(folder / "termination-log"),
        "WINDLASS_WORKER": json.dumps(document),
        "WINDLASS_POD": "pool-r1-0",
        "WINDLASS_POD_UID": "uid-0",
        **(env or {}),
    }
    with log.open("wb") as output:
        command = [*(tuple(python) or (sys.executable,)), str(WORKER)]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield Worker(process, log)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), PATIENCE)
            except asyncio.TimeoutError:
                process.kill()
                await process.wait()


def config_map_digest(content: bytes) -> str:
    """The digest by which the operator knows a ConfigMap that holds nothing but a bundle."""
    from windlass_api import names

    packed = base64.b64encode(content).decode()
    return names.content_hash({"data": {}, "binaryData": {"bundle.tar.gz": packed}})
