"""A worker's program against a dispatcher that says what it is told to: both real, over gRPC."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.dispatcher import Dispatcher, Worker, bundle, config_map_digest, order, worker
from windlass_api.protocol import dispatcher_pb2 as pb
from windlass_operator.clients import certificates
from windlass_operator.dispatch.calls import CallKey, Order, PoolKey
from windlass_operator.dispatch.dispatcher import Dispatcher as OperatorsDispatcher
from windlass_operator.dispatch.server import Server, Tls

HEAD = """
import os, signal, sys, time
from windlass import task, actor_cache, current_context
"""
JOB = {
    "job.py": HEAD
    + """
loaded = os.getpid()
calls = []

@actor_cache
def model(name: str) -> list:
    return []

@task
def double(x: int) -> int:
    return 2 * x

@task
def count() -> list[int]:
    calls.append(1)
    model("m").append(1)
    return [os.getpid(), len(calls), len(model("m"))]

@task
def wait(path: str) -> str:
    with open(path + ".runs", "a") as file:
        file.write("x")
    try:
        while not os.path.exists(path):
            time.sleep(0.005)
        return "waited"
    finally:
        open(path + ".finally", "w").close()

@task
def fails(text: str) -> int:
    print("about to fail")
    if text:
        raise ValueError(text)
    return 0
"""
}


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 55))


class Place:
    """A dispatcher, and a worker that has said hello to it."""

    def __init__(self, dispatcher: Dispatcher, worker: Worker, code: str, folder: Path) -> None:
        self.dispatcher = dispatcher
        self.worker = worker
        self.code = code
        self.folder = folder
        self._count = 0

    def start(self, entrypoint: str, timeout: float = 0, call: str | None = None, **inputs: Any) -> str:
        self._count += 1
        call = call or f"team/uid/call-{self._count}"
        self.dispatcher.run(call, order(f"job:{entrypoint}", inputs), self.code, timeout)
        return call

    async def outputs(self, entrypoint: str, **inputs: Any) -> Any:
        return (await self.dispatcher.outputs(self.start(entrypoint, **inputs))).get("o0")

    async def runs_at(self, path: Path) -> None:
        """Until the call that waits for that file has begun."""
        await exists(Path(f"{path}.runs"))


async def exists(path: Path) -> None:
    while not path.exists():
        await asyncio.sleep(0.005)


@asynccontextmanager
async def place(folder: Path, files: dict[str, str] | None = None, **more: Any) -> Any:
    async with Dispatcher().listening() as dispatcher:
        code = dispatcher.add(files or JOB)
        async with worker(folder / "worker", dispatcher.address, **more) as program:
            try:
                await dispatcher.until(lambda: dispatcher.connections)
                yield Place(dispatcher, program, code, folder)
            except BaseException:
                print(program.printed())
                raise


def body(*lines: str, returns: str = "int") -> dict[str, str]:
    """Code with one task `f(n)`, made of these lines, and `after`, which tells what it finds."""
    text = "\n    ".join((*lines, "return n"))
    return {"job.py": f"{HEAD}\n@task\ndef f(n: int = 0) -> {returns}:\n    {text}\n{AFTER}"}


AFTER = """
@task
def after() -> dict:
    return {
        "pid": os.getpid(), "cwd": os.getcwd(), "env": os.environ.get("LEFT", ""), "path": "/left" in sys.path,
        "handler": signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL, "umask": os.umask(0o22),
        "context": current_context().execution_id.name,
    }
"""


# ---- calls ----------------------------------------------------------------------------------------------------------


def test_a_call_runs_and_its_result_comes_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            call = at.start("double", x=4)
            assert await at.dispatcher.outputs(call) == {"o0": 8}
            assert {one.call for one in at.dispatcher.of("started")} <= {call}  # or it was too quick to be told
            result = await at.dispatcher.result(call)
            assert (result.exit_code, result.reason, result.log_tail) == (0, "", b"")
            assert 0 < result.started_at <= result.finished_at
            hello = at.dispatcher.connection.hello
            assert (hello.namespace, hello.pool, hello.revision, hello.pod, hello.pod_uid, hello.slots) == (
                *("team", "pool", "r1", "pool-r1-0", "uid-0"),
                1,
            )

    run(test)


def test_modules_and_what_actor_cache_keeps_live_as_long_as_the_process(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            first = await at.outputs("count")
            assert first[1:] == [1, 1]
            assert [await at.outputs("count") for _ in range(2)] == [[first[0], 2, 2], [first[0], 3, 3]]
            assert len(at.dispatcher.of("wanted")) == 1

    run(test)


def test_a_failure_has_its_record_and_the_last_that_it_printed(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            call = at.start("fails", text="no luck")
            error = await at.dispatcher.error(call)
            assert (error["kind"], error["type"], error["message"]) == ("user", "ValueError", "no luck")
            result = await at.dispatcher.result(call)
            assert (result.exit_code, result.reason) == (1, "")
            assert result.log_tail.startswith(b"about to fail\n")
            assert await at.outputs("double", x=1) == 2

    run(test)


def test_slots_and_code_are_told_but_not_what_a_replica_can_reckon(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            for _ in range(3):
                path = tmp_path / f"go-{_}"
                call = at.start("wait", path=str(path))
                await at.dispatcher.until(
                    lambda wanted=call: wanted in [one.call for one in at.dispatcher.of("started")]
                )
                path.touch()
                await at.dispatcher.result(call)
            await at.dispatcher.until(lambda: len(at.dispatcher.of("state")) == 2)
            told = [(one.free, list(one.code)) for one in at.dispatcher.of("state")]
            assert told == [(1, []), (0, [at.code])]

    run(test)


def test_a_brief_call_is_one_message(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            await at.outputs("double", x=1)
            before = len(at.dispatcher.heard)
            for x in range(20):
                await at.outputs("double", x=x)
            kinds = [one.WhichOneof("message") for one in at.dispatcher.heard[before:]]
            assert kinds.count("result") == 20
            assert kinds.count("started") < 20  # on a busy machine some of them are not brief
            assert set(kinds) <= {"result", "started", "state"}
            assert kinds.count("state") <= 1

    run(test)


def test_a_call_that_runs_is_not_run_again_and_one_that_is_held_is_answered(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            at.dispatcher.acknowledges = False
            path = tmp_path / "go"
            call = at.start("wait", path=str(path))
            await at.runs_at(path)
            at.start("wait", path=str(path), call=call)
            await at.dispatcher.until(lambda: len(at.dispatcher.of("started")) == 2)
            path.touch()
            assert await at.dispatcher.outputs(call) == {"o0": "waited"}
            at.start("wait", path=str(path), call=call)
            await at.dispatcher.until(lambda: len(at.dispatcher.of("result")) == 2)
            assert len({one.SerializeToString() for one in at.dispatcher.of("result")}) == 1
            at.dispatcher.connection.send(acknowledge=pb.Acknowledge(calls=[call]))
            at.start("wait", path=str(path), call=call)
            refused = await at.dispatcher.until(lambda: at.dispatcher.of("refused"))
            assert (refused[0].call, refused[0].reason) == (call, "its result has been acknowledged")
            assert Path(f"{path}.runs").read_text() == "x"

    run(test)


def test_without_a_slot_a_call_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            path = tmp_path / "go"
            first = at.start("wait", path=str(path))
            second = at.start("double", x=1)
            refused = await at.dispatcher.until(lambda: at.dispatcher.of("refused"))
            assert (refused[0].call, refused[0].reason) == (second, "no slot is free")
            path.touch()
            await at.dispatcher.outputs(first)
            assert at.dispatcher.result_of(second) is None

    run(test)


# ---- streams --------------------------------------------------------------------------------------------------------


def test_after_a_break_everything_that_is_held_or_runs_is_said_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            at.dispatcher.acknowledges = False
            held = at.start("double", x=4)
            await at.dispatcher.outputs(held)
            path = tmp_path / "go"
            running = at.start("wait", path=str(path))
            await at.runs_at(path)
            at.dispatcher.heard.clear()
            at.dispatcher.connection.end()
            has = (await at.dispatcher.until(lambda: at.dispatcher.of("inventory")))[0]
            assert ([one.call for one in has.results], list(has.running)) == ([held], [running])
            assert list(has.code) == [at.code]
            at.dispatcher.connection.send(acknowledge=pb.Acknowledge(calls=[held]))
            path.touch()
            assert await at.dispatcher.outputs(running) == {"o0": "waited"}
            at.dispatcher.heard.clear()
            at.dispatcher.connection.end()
            has = (await at.dispatcher.until(lambda: at.dispatcher.of("inventory")))[0]
            assert ([one.call for one in has.results], list(has.running)) == ([running], [])

    run(test)


def test_whoever_asks_what_a_worker_has_hears_of_all_that_was_sent_before(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            path = tmp_path / "go"
            running = at.start("wait", path=str(path))
            at.dispatcher.connection.send(ask=pb.Ask(number=7))
            has = await at.dispatcher.until(lambda: [one for one in at.dispatcher.of("inventory") if one.number == 7])
            assert list(has[0].running) == [running]
            path.touch()
            await at.dispatcher.outputs(running)

    run(test)


def test_of_two_streams_to_a_replica_the_later_one_is_given_up_before_it_says_what_there_is(tmp_path: Path) -> None:
    """A call may be on its way by the first, and would be missing in what it says."""

    async def test() -> None:
        async with Dispatcher().listening() as one:
            by_another_name = one.address.replace("127.0.0.1", "localhost")
            one.peers = [one.address, by_another_name]
            async with worker(tmp_path / "worker", one.address) as program:
                await one.until(lambda: len(one.connections) > 2)
                assert "there is another stream to this replica" in program.printed()
                assert one.connections[0].open
                assert len(one.of("inventory")) == 1

    run(test)


def test_a_dispatcher_that_comes_back_later_gets_what_happened_meanwhile(tmp_path: Path) -> None:
    async def test() -> None:
        first = Dispatcher()
        async with first.listening():
            address = first.address
            code = first.add(JOB)
            async with worker(tmp_path / "worker", address) as program:
                await first.until(lambda: first.connections)
                path = tmp_path / "go"
                first.run("c", order("job:wait", {"path": str(path)}), code)
                await exists(Path(f"{path}.runs"))
                await first._server.stop(None)
                path.touch()
                await exists(Path(f"{path}.finally"))
                second = Dispatcher()
                async with second.listening(address):
                    assert await second.outputs("c") == {"o0": "waited"}
                assert program.process.returncode is None

    run(test)


def test_a_worker_is_connected_to_each_replica_once_and_tells_all_of_them(tmp_path: Path) -> None:
    async def test() -> None:
        async with Dispatcher().listening() as one, Dispatcher().listening() as two:
            for replica in (one, two):
                replica.peers, replica.replica = [one.address, two.address], replica.address
                code = replica.add(JOB)
            async with worker(tmp_path / "worker", one.address):
                await two.until(lambda: two.connections)
                path = tmp_path / "go"
                two.run("slow", order("job:wait", {"path": str(path)}), code)
                await one.until(lambda: one.of("started"))
                assert [state.free for state in one.of("state")][-1] == 0  # the other one knows without a word
                one.run("late", order("job:double", {"x": 1}), code)
                assert (await one.until(lambda: one.of("refused")))[0].call == "late"
                path.touch()
                assert await one.outputs("slow") == await two.outputs("slow") == {"o0": "waited"}
                one.run("late", order("job:double", {"x": 1}), code)
                assert await one.outputs("late") == {"o0": 2}
                assert (len(one.connections), len(two.connections)) == (1, 1)

    run(test)


def test_a_replica_that_comes_later_is_dialled_when_the_others_tell_of_it(tmp_path: Path) -> None:
    async def test() -> None:
        one = OperatorsDispatcher(time.time, lambda *_: None, beat=0.2)
        one.replica = "one.example:1"
        peers = [one.replica]
        one.peers = lambda: tuple(peers)

        async def admit(_token: str, _hello: Any) -> None:
            return None

        server = Server(one, admit)
        port = await server.start("127.0.0.1:0", None)
        try:
            async with worker(tmp_path, f"127.0.0.1:{port}"), Dispatcher().listening() as two:
                two.peers, two.replica = [one.replica, two.address], two.address
                while not one.workers("team", "pool"):
                    await asyncio.sleep(0.01)
                peers.append(two.address)
                await two.until(lambda: two.connections)
        finally:
            await server.stop(0)

    run(test)


def test_a_replica_that_does_not_know_all_others_yet_makes_nobody_forgotten(tmp_path: Path) -> None:
    async def test() -> None:
        async with Dispatcher().listening() as one, Dispatcher().listening() as young:
            one.peers, one.replica = [one.address, young.address], one.address
            young.peers, young.replica = [one.address], young.address  # it has asked before it was ready itself
            async with worker(tmp_path / "worker", one.address):
                await young.until(lambda: young.connections)
                young.connections[0].end()  # so that the worker says again what it has
                await young.until(lambda: len(young.connections) == 2)

    run(test)


def test_a_silent_replica_is_taken_for_gone(tmp_path: Path) -> None:
    async def test() -> None:
        async with Dispatcher().listening() as dispatcher:
            dispatcher.beat = 0.2
            async with worker(tmp_path / "worker", dispatcher.address) as program:
                await dispatcher.until(lambda: len(dispatcher.connections) == 2)
                assert "it was silent for too long" in program.printed()
                await dispatcher.until(lambda: len(dispatcher.of("state")) > len(dispatcher.connections))

    run(test)


def test_the_token_is_read_anew_for_each_connection(tmp_path: Path) -> None:
    async def test() -> None:
        token = tmp_path / "token"
        token.write_text("first\n")
        async with place(tmp_path, token=str(token)) as at:
            assert at.dispatcher.connection.metadata["authorization"] == "Bearer first"
            token.write_text("second")
            at.dispatcher.connection.end()
            await at.dispatcher.until(lambda: len(at.dispatcher.connections) == 2)
            assert at.dispatcher.connection.metadata["authorization"] == "Bearer second"

    run(test)


def test_by_the_wrong_authority_it_speaks_with_nobody_and_by_the_right_one_with_the_operator_s_own_dispatcher(
    tmp_path: Path,
) -> None:
    """The contract test: the worker's program and the operator's server, by keys as the operator makes them."""

    async def test() -> None:
        keys, others = (certificates.make(["windlass-dispatcher"], []) for _ in range(2))
        code, content = bundle(JOB)

        async def find(_namespace: str, digest: str) -> bytes | str:
            return content if digest == code else f"no {digest}"

        tokens: list[str] = []

        async def admit(token: str, _hello: Any) -> None:
            tokens.append(token)

        dispatcher = OperatorsDispatcher(time.time, lambda *_: None, find_bundle=find, beat=5)
        server = Server(dispatcher, admit)
        port = await server.start("127.0.0.1:0", Tls(keys.key.encode(), keys.certificate.encode()))
        (tmp_path / "token").write_text("mine")
        trust: dict[str, Any] = {"serverName": "windlass-dispatcher", "token": str(tmp_path / "token")}
        address = f"127.0.0.1:{port}"
        try:
            async with worker(tmp_path / "stranger", address, authority=others.authority, **trust) as program:
                while "UNAVAILABLE" not in program.printed():
                    await asyncio.sleep(0.01)
            assert tokens == []
            async with worker(tmp_path / "worker", address, authority=keys.authority, **trust):
                pool = PoolKey("team", "pool", "r1")
                for number in range(3):
                    key = CallKey("team", "run-1", "uid", f"n{number}", 0)
                    document = order("job:double", {"x": number})
                    dispatcher.dispatch(
                        Order(key=key, pool=pool, name="x", document=document, spec={}, task="job.double", code=code)
                    )
                while len(dispatcher.ended("team", "run-1", "uid")) < 3:
                    await asyncio.sleep(0.01)
                found = dispatcher.views("team", "run-1", "uid").values()
                assert sorted(view.evidence.outputs["o0"] for view in found) == [0, 2, 4]  # type: ignore[union-attr]  # all succeeded
                assert dispatcher.held() == 3
                dispatcher.acknowledge([call.id for call in dispatcher.ended("team", "run-1", "uid")])
                dispatcher.drain("uid-0", "it is enough")
                assert tokens == ["mine"]
        finally:
            await server.stop(0)

    run(test)


def test_whatever_breaks_in_between_each_call_runs_once_and_no_result_is_lost(tmp_path: Path) -> None:
    """Streams are broken at random, calls handed out twice, results acknowledged late or not at all."""
    chance = random.Random(4)

    async def test() -> None:
        async with place(tmp_path) as at:
            dispatcher = at.dispatcher
            dispatcher.acknowledges = False
            for number in range(6):
                call, path = f"c{number}", tmp_path / f"go-{number}"
                if chance.random() < 0.5:
                    path.touch()
                while dispatcher.result_of(call) is None:
                    await dispatcher.until(lambda: dispatcher.connections[-1].open)
                    dispatcher.run(call, order("job:wait", {"path": str(path)}), at.code)
                    if chance.random() < 0.3:
                        dispatcher.connection.end()
                    path.touch()
                    await asyncio.sleep(chance.random() * 0.02)
                assert Path(f"{path}.runs").read_text() == "x"
                if chance.random() < 0.5:
                    await dispatcher.until(lambda: dispatcher.connections[-1].open)
                    dispatcher.connection.send(acknowledge=pb.Acknowledge(calls=[call]))

    run(test)


# ---- ends from outside ----------------------------------------------------------------------------------------------


def test_a_cancelled_call_cleans_up_and_its_process_is_replaced(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            before = await at.outputs("count")
            path = tmp_path / "go"
            call = at.start("wait", path=str(path))
            await at.runs_at(path)
            at.dispatcher.connection.send(cancel=pb.Cancel(call=call, reason="nobody needs it"))
            result = await at.dispatcher.result(call)
            assert (result.reason, result.exit_code) == ("Cancelled", 143)
            assert json.loads(result.record)["error"]["code"] == "Terminated"
            assert Path(f"{path}.finally").exists()
            after = await at.outputs("count")
            assert (after[0] != before[0], after[1:]) == (True, [1, 1])

    run(test)


def test_code_that_does_not_let_itself_be_interrupted_is_killed(tmp_path: Path) -> None:
    async def test() -> None:
        lines = ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "open('here', 'w').close()", "time.sleep(600)")
        env = {"WINDLASS_ACTOR_KILL_GRACE": "0.2"}
        async with place(tmp_path, body(*lines), env=env) as at:
            call = at.start("f", timeout=0.5)
            result = await at.dispatcher.result(call)
            assert (result.reason, result.exit_code, result.record) == ("TimedOut", 137, b"")
            assert (await at.outputs("after"))["context"] == "run-1"

    run(test)


def test_a_call_whose_code_is_still_on_its_way_can_be_cancelled(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            at.dispatcher.answers_wanted = False
            call = at.start("double", x=1)
            await at.dispatcher.until(lambda: at.dispatcher.of("wanted"))
            at.dispatcher.connection.send(cancel=pb.Cancel(call=call))
            result = await at.dispatcher.result(call)
            assert (result.reason, json.loads(result.record)["error"]["code"]) == ("Cancelled", "Terminated")
            at.dispatcher.answers_wanted = True
            at.dispatcher.give(at.code, at.dispatcher.connection)
            assert await at.outputs("double", x=1) == 2

    run(test)


# ---- what users' code does ------------------------------------------------------------------------------------------

ENDS: dict[str, tuple[str, int]] = {
    "os._exit": ("os._exit(3)", 3),
    "a crash": ("os.kill(os.getpid(), signal.SIGSEGV)", 139),
    "a kill": ("os.kill(os.getpid(), signal.SIGKILL)", 137),
    "a clean exit that says nothing": ("os._exit(0)", 0),
}


@pytest.mark.parametrize(("line", "code"), ENDS.values(), ids=ENDS)
def test_a_process_that_dies_is_a_result_with_its_code_and_last_words(tmp_path: Path, line: str, code: int) -> None:
    async def test() -> None:
        async with place(tmp_path, body("print('last words')", "sys.stdout.flush()", line)) as at:
            result = await at.dispatcher.result(at.start("f"))
            assert (result.exit_code, result.reason, result.record) == (code, "Error", b"")
            assert result.log_tail == b"last words\n"
            assert (await at.outputs("after"))["context"] == "run-1"

    run(test)


def test_a_process_that_died_between_calls_costs_no_call(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            pid = (await at.outputs("count"))[0]
            os.kill(pid, signal.SIGKILL)
            assert (await at.outputs("count"))[1:] == [1, 1]

    run(test)


def test_a_child_that_comes_out_of_the_function_does_not_answer(tmp_path: Path) -> None:
    lines = ("child = os.fork()", "if child: os.waitpid(child, 0)", "return 0 if child else 1")

    async def test() -> None:
        async with place(tmp_path, body(*lines)) as at:
            assert [await at.outputs("f") for _ in range(3)] == [0, 0, 0]
            assert len(at.dispatcher.of("result")) == 3

    run(test)


def test_what_a_call_has_started_goes_when_its_process_is_replaced(tmp_path: Path) -> None:
    lines = (
        "import subprocess",
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)",
        "open('pid.new', 'w').write(str(child.pid))",
        f"os.rename('pid.new', {str(tmp_path / 'pid')!r})",
        "time.sleep(600)",
    )

    async def test() -> None:
        async with place(tmp_path, body(*lines)) as at:
            call = at.start("f")
            await exists(tmp_path / "pid")
            pid = int((tmp_path / "pid").read_text())
            at.dispatcher.connection.send(cancel=pb.Cancel(call=call))
            await at.dispatcher.result(call)
            while _runs(pid):
                await asyncio.sleep(0.005)

    run(test)


def _runs(pid: int) -> bool:
    with suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


LEFTOVERS = {
    "the working folder": "os.chdir('/')",
    "a variable": "os.environ['LEFT'] = 'x'",
    "the import path": "sys.path.insert(0, '/left')",
    "a handler": "signal.signal(signal.SIGUSR1, lambda *_: None)",
    "a timer": "signal.setitimer(signal.ITIMER_REAL, 0.05)",
    "the umask": "os.umask(0o777)",
    "closed streams": "sys.stdout.close(); sys.stderr = None; os.close(1); os.close(2)",
    "files from 3 on closed": "os.closerange(3, 256)",
    "a thread that stays": "import threading; threading.Thread(target=time.sleep, args=(600,)).start()",
    "logging": "import logging; logging.basicConfig(level=1); logging.disable(50)",
}


@pytest.mark.parametrize("line", LEFTOVERS.values(), ids=LEFTOVERS)
def test_a_call_leaves_nothing_to_the_next(tmp_path: Path, line: str) -> None:
    async def test() -> None:
        async with place(tmp_path, body(line, "return os.getpid()")) as at:
            before = await at.outputs("after")
            assert await at.outputs("f") == before["pid"]
            await asyncio.sleep(0.06 if "ITIMER" in line else 0)
            assert await at.outputs("after") == before

    run(test)


def test_code_that_closes_all_files_fails_in_words(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path, body("os.closerange(3, 100_000)", "return 1")) as at:
            result = await at.dispatcher.result(at.start("f"))
            assert (result.exit_code, result.reason) == (70, "Error")
            assert b"closed files that it did not open" in result.log_tail

    run(test)


def test_an_exit_is_a_failure_like_in_a_pod(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path, body("sys.exit(3)")) as at:
            error = await at.dispatcher.error(at.start("f"))
            assert (error["kind"], error["type"]) == ("user", "SystemExit")

    run(test)


def test_what_a_call_wrote_for_itself_goes_with_it_and_what_it_cached_stays(tmp_path: Path) -> None:
    files = {
        "job.py": HEAD
        + """
from windlass import FlyteFile

@task
def scratch() -> str:
    return current_context().working_directory

@actor_cache
def fetched(name: str) -> str:
    return FlyteFile.new(name).path

@task
def keeps() -> str:
    path = fetched("a")
    open(path, "w").close()
    return path

@task
def there(path: str) -> bool:
    return os.path.exists(path)
"""
    }

    async def test() -> None:
        async with place(tmp_path, files) as at:
            assert not await at.outputs("there", path=await at.outputs("scratch"))
            assert await at.outputs("there", path=await at.outputs("keeps"))

    run(test)


# ---- recycling ------------------------------------------------------------------------------------------------------


def test_a_process_is_replaced_after_as_many_calls_as_are_allowed(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path, env={"WINDLASS_ACTOR_MAX_CALLS": "2"}) as at:
            found = [await at.outputs("count") for _ in range(5)]
            assert [one[1] for one in found] == [1, 2, 1, 2, 1]
            assert len({one[0] for one in found}) == 3
            assert "it has run 2 calls of at most 2" in at.worker.printed()

    run(test)


def test_processes_are_kept_for_as_many_bundles_as_are_allowed(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path, env={"WINDLASS_ACTOR_PROCESSES": "2"}) as at:
            codes = [at.dispatcher.add({**JOB, "other.py": str(number)}) for number in range(3)]
            for number, code in enumerate(codes):
                at.dispatcher.run(f"c{number}", order("job:count"), code)
                await at.dispatcher.outputs(f"c{number}")
            await at.dispatcher.until(lambda: at.dispatcher.of("state")[-1].free)
            assert sorted(at.dispatcher.of("state")[-1].code) == sorted(codes[1:])
            at.dispatcher.run("again", order("job:count"), codes[0])
            assert (await at.dispatcher.outputs("again"))["o0"][1] == 1
            assert len(at.dispatcher.of("wanted")) == 3

    run(test)


# ---- bundles --------------------------------------------------------------------------------------------------------


def test_a_large_bundle_comes_in_parts(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            code = at.dispatcher.add({**JOB, "noise": os.urandom(900_000).hex()})
            at.dispatcher.run("c", order("job:double", {"x": 1}), code)
            assert await at.dispatcher.outputs("c") == {"o0": 2}

    run(test)


def test_a_bundle_may_be_known_by_the_digest_of_its_config_map(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            _, content = bundle(JOB)
            code = config_map_digest(content)
            at.dispatcher.code[code] = content
            at.dispatcher.run("c", order("job:double", {"x": 1}), code)
            assert await at.dispatcher.outputs("c") == {"o0": 2}

    run(test)


def test_a_bundle_that_arrives_damaged_is_asked_for_once_more_and_then_a_failure(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            at.dispatcher.code[at.code] = b"damaged"
            error = await at.dispatcher.error(at.start("double", x=1))
            assert (error["kind"], error["code"]) == ("system", "BundleUnreadable")
            assert "arrived damaged" in error["message"]
            assert len(at.dispatcher.of("wanted")) == 2
            at.dispatcher.add(JOB)
            assert await at.outputs("double", x=1) == 2

    run(test)


def test_a_bundle_that_is_not_there_is_the_calls_failure_and_the_reason_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            at.dispatcher.code.clear()
            error = await at.dispatcher.error(at.start("double", x=1))
            assert error["message"] == f"there is no ConfigMap for {at.code}"

    run(test)


def test_without_a_bundle_the_code_is_the_images(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "worker").mkdir()
        (tmp_path / "worker" / "job.py").write_text(JOB["job.py"])
        async with place(tmp_path) as at:
            at.dispatcher.run("c", order("job:double", {"x": 1}), "")
            assert await at.dispatcher.outputs("c") == {"o0": 2}

    run(test)


WRITES = """
from windlass import FlyteFile

@task
def writes(text: str) -> FlyteFile:
    with open("made", "w") as file:
        file.write(text)
    return FlyteFile("made")
"""


def archived(folder: Path, files: dict[str, str]) -> dict[str, str]:
    """Code as the store has it."""
    _, packed = bundle(files)
    path = folder / f"{hashlib.sha256(packed).hexdigest()}.tar.gz"
    path.write_bytes(packed)
    return {"uri": f"file://{path}", "sha256": hashlib.sha256(gzip.decompress(packed)).hexdigest()}


def test_code_of_the_store_is_fetched_once_and_each_archive_has_its_own_process(tmp_path: Path) -> None:
    one = archived(tmp_path, JOB)
    other = archived(tmp_path, {"job.py": JOB["job.py"].replace("2 * x", "3 * x")})

    async def test() -> None:
        async with place(tmp_path) as at:

            async def outputs(call: str, entrypoint: str, archive: dict[str, str], **inputs: Any) -> Any:
                at.dispatcher.run(call, order(f"job:{entrypoint}", inputs, bundle=archive), "")
                return (await at.dispatcher.outputs(call))["o0"]

            first = await outputs("c1", "count", one)
            assert await outputs("c2", "double", other, x=2) == 6
            Path(one["uri"].removeprefix("file://")).unlink()
            assert await outputs("c3", "count", one) == [first[0], 2, 2], "it is in the same process, and unpacked"
            assert await outputs("c4", "double", one, x=2) == 4

    run(test)


def test_code_that_the_store_has_not_or_that_was_changed_there_is_the_calls_failure(tmp_path: Path) -> None:
    kept = archived(tmp_path, JOB)
    gone, changed = {**kept, "uri": f"file://{tmp_path}/gone"}, {**kept, "sha256": "0" * 64}

    async def test() -> None:
        async with place(tmp_path) as at:
            for call, archive, code, says in (
                ("c1", gone, "USER:CodeNotFound", "is gone; bring it again"),
                ("c2", changed, "BundleUnreadable", "is not the code that the task was made with"),
            ):
                at.dispatcher.run(call, order("job:double", {"x": 1}, bundle=archive), "")
                error = await at.dispatcher.error(call)
                assert error["code"] == code
                assert says in error["message"]
            at.dispatcher.run("c3", order("job:double", {"x": 1}, bundle=kept), "")
            assert await at.dispatcher.outputs("c3") == {"o0": 2}, "the worker goes on"

    run(test)


def test_each_call_writes_to_the_folder_of_its_run(tmp_path: Path) -> None:
    code = {"job.py": f"{HEAD}{WRITES}"}

    async def test() -> None:
        async with place(tmp_path, code) as at:
            for name in ("one", "two", "one"):
                folder = tmp_path / name
                call = f"c-{name}-{len(at.dispatcher.heard)}"
                at.dispatcher.run(call, order("job:writes", {"text": name}, store=str(folder)), at.code)
                found = (await at.dispatcher.outputs(call))["o0"]
                assert found["uri"].startswith(f"{folder}/")
                assert Path(found["uri"]).read_text() == name

    run(test)


# ---- the end --------------------------------------------------------------------------------------------------------


def test_told_to_drain_it_lets_the_running_call_end_and_goes_when_all_is_acknowledged(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path) as at:
            at.dispatcher.acknowledges = False
            path = tmp_path / "go"
            call = at.start("wait", path=str(path))
            await at.runs_at(path)
            at.dispatcher.connection.send(drain=pb.Drain(reason="a newer revision is there"))
            assert (await at.dispatcher.until(lambda: at.dispatcher.of("leaving")))[
                0
            ].reason == "a newer revision is there"
            at.start("double", x=1)
            refused = (await at.dispatcher.until(lambda: at.dispatcher.of("refused")))[0]
            assert refused.reason == "the worker is leaving: a newer revision is there"
            path.touch()
            await at.dispatcher.outputs(call)
            assert at.worker.process.returncode is None
            at.dispatcher.connection.send(acknowledge=pb.Acknowledge(calls=[call]))
            assert await at.worker.ended() == 0

    run(test)


def test_told_to_end_with_its_pod_a_call_has_the_grace_period_and_is_then_interrupted(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path, env={"WINDLASS_ACTOR_DRAIN_GRACE": "0.1"}) as at:
            path = tmp_path / "go"
            call = at.start("wait", path=str(path))
            await at.runs_at(path)
            at.worker.process.terminate()
            result = await at.dispatcher.result(call)
            assert (result.reason, result.exit_code) == ("Drained", 143)
            assert Path(f"{path}.finally").exists()
            assert await at.worker.ended() == 0

    run(test)


def test_without_work_it_says_that_it_leaves_and_ends(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path, ttlSeconds=0.4) as at:
            assert (await at.dispatcher.until(lambda: at.dispatcher.of("leaving")))[0].reason == (
                "it has had nothing to do for 0.4 seconds"
            )
            assert await at.worker.ended() == 0

    run(test)


# ---- what it prints -------------------------------------------------------------------------------------------------


def test_each_line_has_the_name_of_its_call(tmp_path: Path) -> None:
    lines = (
        "print('one')",
        "print('two', file=sys.stderr)",
        "os.system('echo three')",
        "print('four', end='')",
        "return 0",
    )

    async def test() -> None:
        async with place(tmp_path, body(*lines)) as at:
            for number in range(2):
                content = order("job:f", {}, execution="wc", node="count", element=number)
                at.dispatcher.run(f"c{number}", content, at.code)
                await at.dispatcher.outputs(f"c{number}")
            said = [f"[wc/count#{number}] {word}" for number in range(2) for word in ("one", "two", "three", "four")]
            while (printed := at.worker.printed().splitlines()) != said:
                assert len(printed) <= len(said), printed
                await asyncio.sleep(0.005)

    run(test)


def test_output_without_end_fills_no_memory(tmp_path: Path) -> None:
    lines = ("for _ in range(400): sys.stdout.write('x' * 100_000)", "raise ValueError('enough')")

    async def test() -> None:
        async with place(tmp_path, body(*lines)) as at:
            result = await at.dispatcher.result(at.start("f"))
            assert len(result.log_tail) <= 4096
            assert b"ValueError: enough" in result.log_tail
            peak = next(
                line for line in Path(f"/proc/{at.worker.pid}/status").read_text().splitlines() if "VmHWM" in line
            )
            assert int(peak.split()[1]) < 150_000, peak

    run(test)


# ---- an image that does not do --------------------------------------------------------------------------------------


def test_an_image_without_grpc_says_what_to_do(tmp_path: Path) -> None:
    python = (getattr(sys, "_base_executable", sys.executable), "-S")

    async def test() -> None:
        async with worker(tmp_path, "127.0.0.1:1", python=python) as program:
            assert await program.ended() == 1
            error = json.loads((tmp_path / "termination-log").read_text())["error"]
            assert error["code"] == "USER:NoGrpc"
            assert "pip install windlass[actors]" in error["message"]

    run(test)


def test_an_order_that_can_t_be_understood_ends_the_program_in_words(tmp_path: Path) -> None:
    async def test() -> None:
        async with worker(tmp_path, "127.0.0.1:1", env={"WINDLASS_WORKER": "{}"}) as program:
            assert await program.ended() == 1
            assert "WINDLASS_WORKER can't be understood: KeyError('namespace')" in program.printed()

    run(test)


# ---- logs that are kept ---------------------------------------------------------------------------------------------


def kept_at(folder: Path, call: str) -> tuple[Path, dict[str, Any]]:
    """Where the log of a call is to be, and how its order says so."""
    file = folder / "store" / call / "0.log"
    return file, {"log": {"uri": f"file://{file}", "limit": 4096}}


async def log_of(file: Path) -> str:
    await exists(file)
    return file.read_text()


PRINTS = {
    "job.py": HEAD
    + """
import subprocess

@task
def says(text: str) -> int:
    print(text)
    print("to stderr", file=sys.stderr)
    subprocess.run(["sh", "-c", "echo from a child"], check=True)
    return 1

@task
def silent() -> int:
    return 2

@task
def dies() -> int:
    print("last words", flush=True)
    os._exit(7)
    return 3
"""
}


def test_what_calls_print_is_kept_for_each_where_its_order_says(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path, PRINTS) as at:
            calls = {text: kept_at(tmp_path, text) for text in ("one", "two")}
            for text, (_, more) in calls.items():
                at.dispatcher.run(text, order("job:says", {"text": text}, **more), at.code)
                await at.dispatcher.result(text)
            quiet, more = kept_at(tmp_path, "quiet")
            at.dispatcher.run("quiet", order("job:silent", **more), at.code)
            await at.dispatcher.result("quiet")
            at.dispatcher.run("unkept", order("job:says", {"text": "unkept"}), at.code)
            await at.dispatcher.result("unkept")
            for text, (file, _) in calls.items():
                assert await log_of(file) == f"{text}\nto stderr\nfrom a child\n"
            assert "[run-1/n0] one\n" in at.worker.printed()
        assert not quiet.exists()
        assert {path.name for path in (tmp_path / "store").iterdir()} == {"one", "two"}

    run(test)


def test_a_worker_whose_calls_print_nothing_has_no_process_that_keeps_logs(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path, PRINTS) as at:
            _, more = kept_at(tmp_path, "quiet")
            at.dispatcher.run("quiet", order("job:silent", **more), at.code)
            await at.dispatcher.result("quiet")
            children = Path(f"/proc/{at.worker.pid}/task/{at.worker.pid}/children").read_text().split()
            assert not [one for one in children if b"keeper" in Path(f"/proc/{one}/cmdline").read_bytes()]

    run(test)


def test_the_log_of_a_call_whose_process_died_is_kept(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path, PRINTS) as at:
            file, more = kept_at(tmp_path, "dies")
            at.dispatcher.run("dies", order("job:dies", **more), at.code)
            assert (await at.dispatcher.result("dies")).exit_code == 7
            assert await log_of(file) == "last words\n"

    run(test)


def test_a_worker_that_leaves_has_brought_its_last_logs_to_the_store(tmp_path: Path) -> None:
    async def test() -> None:
        async with place(tmp_path, PRINTS) as at:
            file, more = kept_at(tmp_path, "one")
            at.dispatcher.run("one", order("job:says", {"text": "one"}, **more), at.code)
            await at.dispatcher.result("one")
            at.dispatcher.connection.send(drain=pb.Drain(reason="the test is over"))
            assert await at.worker.ended() == 0
            assert file.read_text() == "one\nto stderr\nfrom a child\n"

    run(test)


def test_a_store_that_takes_no_logs_is_told_of_and_stops_no_call(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "store").write_text("no folder")
        async with place(tmp_path, PRINTS) as at:
            _, more = kept_at(tmp_path, "one")
            for call in ("one", "two"):
                at.dispatcher.run(call, order("job:says", {"text": call}, **more), at.code)
                assert await at.dispatcher.outputs(call) == {"o0": 1}
            while at.worker.printed().count("windlass: the log can't be kept at file://") < 2:
                await asyncio.sleep(0.01)

    run(test)
