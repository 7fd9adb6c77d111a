"""`windlass logs`: from the pod while there is one, else from the store; what is said where there is neither."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.unit.sdk.fake_api import FakeApi, execution, thing
from windlass import _remote
from windlass._cli import main
from windlass._remote.client import Object, remote_error
from windlass_api.names import pod_name

POD = "/api/v1/namespaces/team/pods/{}/log"
TIMES = {"startedAt": "2026-11-22T19:00:05Z", "finishedAt": "2026-11-22T19:00:09Z"}
DONE = {"phase": "Succeeded", "task": "job.f", **TIMES}


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class WithLogs(FakeApi):
    """Pods' logs by path: bytes, or the status of a refusal. What is a list is given one after the other."""

    def __init__(self, *there: Any) -> None:
        super().__init__(*there)
        self.logs: dict[str, Any] = {}
        self.asked: list[Mapping[str, str]] = []
        self.pods: dict[str, list[Object]] = {}
        """By the selector that finds them."""

    def request(self, method: str, path: str, *, what: str, body: Any = None, **more: Any) -> Object:
        """As `Cluster.request`, with pods."""
        if path.endswith("/pods"):
            return {"items": self.pods.get(more["query"]["labelSelector"], [])}
        return super().request(method, path, what=what, body=body, **more)

    def text(self, path: str, query: Mapping[str, str], *, what: str, seconds: float) -> Iterator[bytes]:
        """As `Cluster.text`."""
        self.asked.append(query)
        found = self.logs.get(path, 404)
        if isinstance(found, list):
            found = found.pop(0)
        if isinstance(found, int):
            raise remote_error(f"{what}: refused", found)
        yield found


@pytest.fixture
def api(tmp_path: Path) -> WithLogs:
    links = [{"name": "Loki", "url": "https://loki/?ns=team&pod={pod}&from={start}&to={endMillis}&n={attempt}"}]
    nodes = {
        "n0": DONE,
        "n1": {**DONE, "attempt": 2},
        "n2": {**DONE, "elements": {"total": 9}},
        "n3": {**DONE, "execution": "run-1-n3-0"},
        "n4": {"phase": "Pending", "task": "job.f"},
        "n5": {**DONE, "cache": {"state": "Hit"}},
        "n6": {"phase": "Pending", "task": "job.f", "attempt": 1, "startedAt": TIMES["startedAt"]},
    }
    return WithLogs(
        execution("run-1", "Failed", nodes=nodes, logs={"folder": f"file://{tmp_path}/logs", "links": links}),
        execution("plain", "Failed", nodes={"n0": DONE}),
    )


@pytest.fixture
def cli(
    api: WithLogs, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., Result]:
    monkeypatch.setattr(_remote, "connect", lambda **_: api)

    def run(*words: str) -> Result:
        try:
            code = main(("logs", *words))
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capfdbinary.readouterr()
        return Result(code, out.decode(), err.decode())

    return run


def kept(folder: Path, name: str, text: str) -> None:
    file = folder / "logs" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_log_of_a_pod_that_is_there_comes_from_it(cli: Callable[..., Result], api: WithLogs) -> None:
    api.logs[POD.format("run-1-n1-2")] = b"live\n"
    assert cli("run-1", "n1") == (0, "live\n", "")
    assert api.asked == [{"container": "main"}]


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("n0",), "n0/0.log"),
        (("n1",), "n1/2.log"),
        (("n1", "--attempt", "0"), "n1/0.log"),
        (("n2", "--element", "7"), "n2/7/0.log"),
    ],
)
def test_that_of_a_pod_that_is_gone_comes_from_the_store(
    words: tuple[str, ...], file: str, cli: Callable[..., Result], tmp_path: Path
) -> None:
    kept(tmp_path, file, "kept\n")
    assert cli("run-1", *words) == (0, "kept\n", "")


def test_without_a_node_all_that_had_pods_of_their_own_tell_theirs(
    cli: Callable[..., Result], api: WithLogs, tmp_path: Path
) -> None:
    api.logs[POD.format("run-1-n0-0")] = b"live\n"
    kept(tmp_path, "n1/2.log", "kept\n")
    kept(tmp_path, "n6/0.log", "failed\n")
    told = [("n0 job.f, attempt 0", "live"), ("n1 job.f, attempt 2", "kept"), ("n6 job.f, attempt 0", "failed")]
    assert cli("run-1") == (0, "\n".join(f"==> {title} <==\n{text}\n" for title, text in told), "")
    assert cli("run-1", "--attempt", "2") == (0, "kept\n", "")


def test_of_an_element_the_last_attempt_is_the_last_one_that_left_a_pod_or_a_log(
    cli: Callable[..., Result], api: WithLogs, tmp_path: Path
) -> None:
    kept(tmp_path, "n2/7/0.log", "first\n")
    kept(tmp_path, "n2/7/1.log", "second\n")
    element = ("run-1", "n2", "--element", "7")
    assert cli(*element) == (0, "second\n", "")
    found = cli(*element, "--attempt", "2")
    assert found.code == 1 and "there is no attempt 2 of element 7 of n2; there are 0 to 1" in found.err
    labels = {"windlass.dev/execution": "run-1", "windlass.dev/node": "n2", "windlass.dev/element": "7"}
    pod = thing("Pod", "third", {}, metadata={"labels": {**labels, "windlass.dev/attempt": "2"}})
    api.pods[",".join(f"{key}={value}" for key, value in labels.items())] = [pod]
    api.logs[POD.format(pod_name("run-1", "n2", 2, 7))] = b"third\n"
    assert cli(*element) == (0, "third\n", "")
    assert cli(*element, "--attempt", "0") == (0, "first\n", "")


def test_following_waits_for_a_pod_that_has_not_begun(cli: Callable[..., Result], api: WithLogs) -> None:
    api.objects["/apis/windlass.dev/v1alpha1/namespaces/team/executions/run-1"]["status"]["phase"] = "Running"
    api.logs[POD.format("run-1-n0-0")] = [400, b"at last\n"]
    assert cli("run-1", "n0", "--follow") == (0, "at last\n", "")
    assert api.asked[-1] == {"container": "main", "follow": "true"}


def test_following_waits_for_the_first_attempt_to_begin(
    cli: Callable[..., Result], api: WithLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = api.objects["/apis/windlass.dev/v1alpha1/namespaces/team/executions/run-1"]["status"]
    status["phase"] = "Running"
    monkeypatch.setattr("time.sleep", lambda _: status["nodes"]["n4"].update(TIMES, phase="Queued"))
    api.logs[POD.format("run-1-n4-0")] = b"begun\n"
    assert cli("run-1", "n4", "--follow") == (0, "begun\n", "")


def test_following_a_pod_that_never_began_ends(cli: Callable[..., Result], api: WithLogs) -> None:
    api.logs[POD.format("run-1-n0-0")] = 400
    found = cli("run-1", "n0", "--follow")
    assert found.code == 1 and "run-1-n0-0 never started: windlass explain run-1 n0 says why" in found.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run-1", "n9"), "run-1 has no node 'n9'; it has n0, n1, n2, n3, n4, n5, n6"),
        (("run-1", "n2"), "n2 is a map: say which element, --element 0 to 8"),
        (("run-1", "n2", "--element", "9"), "n2 has no element 9; there are --element 0 to 8"),
        (("run-1", "n0", "--element", "0"), "n0 is no map, so it has no element 0: leave out --element"),
        (("run-1", "--element", "0"), "say which, windlass logs run-1 NODE --element 0"),
        (("run-1", "n0", "--attempt", "5"), "there is no attempt 5 of n0; the only one is 0"),
        (("run-1", "n1", "--attempt", "3"), "there is no attempt 3 of n1; there are 0 to 2"),
        (("run-1", "n1", "--attempt", "-1"), "there is no attempt -1 of n1; there are 0 to 2"),
        (("run-1", "--attempt", "3"), "there is no attempt 3 of any node of run-1; there are 0 to 2"),
        (("run-1", "n4"), "n4 has had no attempt, so it has no log: windlass explain run-1 n4 says why"),
        (("run-1", "n5"), "n5 has had no attempt, so it has no log: windlass explain run-1 n5 says why"),
        (("run-1", "n6"), "the pod run-1-n6-0 is gone"),
        (("run-1", "n3"), "n3 has no pod: run-1-n3-0 runs in its place; windlass logs run-1-n3-0"),
        (("run-1", "--follow"), "--follow goes on with one node: say which of n0, n1, n6"),
        (("run-1", "n0"), "the pod run-1-n0-0 is gone, and there is no log at file://"),
        (("plain", "n0"), "and the operator keeps no logs (the chart's logs.capture)"),
        (("nobody",), "Execution nobody"),
    ],
)
def test_what_can_not_be_shown_is_told(words: tuple[str, ...], told: str, cli: Callable[..., Result]) -> None:
    found = cli(*words)
    assert found.code == 1 and told in found.err


def test_of_a_container_whose_pod_is_gone_it_says_why_nothing_was_kept_and_what_to_do(
    cli: Callable[..., Result], api: WithLogs
) -> None:
    api.objects["/apis/windlass.dev/v1alpha1/namespaces/team/tasks/job.f"] = {"spec": {"container": {"command": ["x"]}}}
    found = cli("run-1", "n0")
    assert found.code == 1
    assert "the pod run-1-n0-0 is gone, and there is no log at file://" in found.err
    assert (
        "Its task is a container: what that prints is kept where the chart's logs.containers.enabled is on" in found.err
    )
    assert "let the program write to a file that is an output" in found.err
    assert found.err.rstrip().endswith("windlass logs run-1 n0 --links")
    api.logs[POD.format("run-1-n0-0")] = b"live\n"
    assert cli("run-1", "n0") == (0, "live\n", ""), "while the pod is there, its log is read"


def test_of_a_call_of_an_actor_the_log_comes_from_the_store_or_it_says_where_it_is_meanwhile(
    cli: Callable[..., Result], api: WithLogs, tmp_path: Path
) -> None:
    task = {"spec": {"python": {"entrypoint": "job:f"}, "actor": {"name": "words"}}}
    api.objects["/apis/windlass.dev/v1alpha1/namespaces/team/tasks/job.f"] = task
    for run, why in (("run-1", "there is no log at file://"), ("plain", "the operator keeps no logs")):
        found = cli(run, "n0")
        assert found.code == 1
        assert "is a call of the pool words; while its worker is there, kubectl logs -n team -l" in found.err
        assert f"windlass.dev/pool=words --tail=-1 has what it prints, in lines that begin with [{run}/n0]" in found.err
        assert why in found.err
    kept(tmp_path, "n0/0.log", "kept\n")
    assert cli("run-1", "n0") == (0, "kept\n", "")


def test_links_are_filled_in(cli: Callable[..., Result]) -> None:
    url = "https://loki/?ns=team&pod=run-1-n1-2&from=2026-11-22T19%3A00%3A05Z&to=1795374009000&n=2"
    assert cli("run-1", "n1", "--links") == (0, f"Loki: {url}\n", "")
