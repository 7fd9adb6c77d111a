"""The logs of container tasks: whose are kept, when, where, and what is told of those that can't be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.sdk.fake_api import FakeApi, execution
from windlass._remote import keeping
from windlass._remote.client import Cluster, RemoteError, remote_error
from windlass._remote.keeping import Ended, Keeper, ended_of
from windlass_api import names

OWNER = {"kind": "Execution", "name": "run-1", "uid": "u-1", "controller": True}
OVER = {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 0}}}]}
RUNNING = {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"running": {}}}]}


def pod(
    status: Mapping[str, Any] = OVER, *, node: str = "n0", element: int | None = None, **meta: Any
) -> dict[str, Any]:
    """A pod of a container task."""
    labels = {names.LABEL_NODE: node, names.LABEL_ATTEMPT: "1"}
    if element is not None:
        labels[names.LABEL_ELEMENT] = str(element)
    metadata = {
        "name": names.pod_name("run-1", node, 1, element), "namespace": "team", "uid": f"pod-{node}", "labels": labels,
        "annotations": {names.ANNOTATION_RUNNER: "container"}, "ownerReferences": [OWNER], **meta,
    }  # fmt: skip
    return {"metadata": metadata, "status": status}


def test_a_pod_counts_once_its_container_has_ended_or_it_is_being_deleted() -> None:
    assert ended_of(pod()) == Ended("team", "run-1-n0-1", "pod-n0", "run-1", "u-1", "n0", 1, None, is_over=True)
    assert ended_of(pod({"phase": "Failed"}, node="n2", element=7)) is not None
    leaving = ended_of(pod(RUNNING, deletionTimestamp="2026-11-22T19:00:05Z"))
    assert leaving is not None and not leaving.is_over
    assert ended_of(pod(RUNNING)) is None


@pytest.mark.parametrize(
    "other",
    [
        {"annotations": {}},
        {"ownerReferences": []},
        {"ownerReferences": [{**OWNER, "kind": "Job"}]},
        {"name": "another"},
        {"labels": {names.LABEL_NODE: "n0"}},
        {"labels": {names.LABEL_NODE: "n0", names.LABEL_ATTEMPT: "1", names.LABEL_ELEMENT: "../x"}},
    ],
)
def test_no_other_pod_counts(other: dict[str, Any]) -> None:
    assert ended_of(pod(**other)) is None


class Api(FakeApi):
    """One run, and what reading a log gives: bytes, or the status of a refusal."""

    def __init__(self, *there: Any) -> None:
        super().__init__(*there)
        self.log: bytes | int = b"said\n"
        self.asked: list[Mapping[str, str]] = []

    def text(self, path: str, query: Mapping[str, str], *, what: str, seconds: float) -> Iterator[bytes]:
        """As `Cluster.text`."""
        self.asked.append(query)
        assert path == "/api/v1/namespaces/team/pods/run-1-n0-1/log"
        if isinstance(self.log, int):
            raise remote_error(f"{what}: refused", self.log)
        yield self.log


class Watched(Api):
    """Pods that are there, and what becomes of them; then nobody may see pods any more."""

    def __init__(self, *there: Any) -> None:
        super().__init__(*there)
        self.pages: list[Any] = []
        self.watches: list[Any] = []
        self.versions: list[str] = []

    def request(self, method: str, path: str, *, what: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """As `Cluster.request`."""
        if not path.endswith("/pods"):
            return super().request(method, path, what=what, body=body)
        page: dict[str, Any] = self._next(self.pages, what)
        return page

    def watch(self, path: str, query: Mapping[str, str], *, what: str, seconds: float) -> Iterator[dict[str, Any]]:
        """As `Cluster.watch`."""
        self.versions.append(query["resourceVersion"])
        yield from self._next(self.watches, what)

    def _next(self, given: list[Any], what: str) -> Any:
        found = given.pop(0) if given else 403
        if isinstance(found, int):
            raise remote_error(f"{what}: refused", found)
        return found


def listed(*pods: dict[str, Any], version: str) -> dict[str, Any]:
    return {"items": [*pods], "metadata": {"resourceVersion": version}}


def test_pods_are_listed_and_watched_through_trouble_until_it_is_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_PAUSE", 0.0)
    monkeypatch.setattr(keeping, "_PAUSE_LAST", 0.0)
    folder = f"file://{tmp_path}/team/logs"
    run = execution("run-1", "Running", nodes={"n0": {}, "n1": {}, "n2": {}}, logs={"folder": folder})
    run["metadata"]["uid"] = "u-1"
    api = Watched(run)
    api.pages = [
        {**listed(pod(RUNNING), version="1"), "metadata": {"continue": "more"}},
        listed(version="2"),
        503,
        listed(pod(), version="5"),
        listed(version="8"),
    ]
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "4"}}}
    ended = {"type": "MODIFIED", "object": pod(resourceVersion="3")}
    gone = {"type": "DELETED", "object": pod(resourceVersion="6")}
    api.watches = [[ended, ended, bookmark], 503, [gone], [{"type": "ERROR", "object": {"code": 410}}], 403]
    told: list[str] = []
    mine = keeper(api, tmp_path, told)
    with pytest.raises(RemoteError, match="pods in all namespaces: refused"):
        mine.follow("")
    mine._pool.shutdown(wait=True)
    assert api.versions == ["2", "4", "5", "6", "8"]
    assert api.asked == [{"container": "main"}], "once for each pod"
    assert [line for line in told if "can't be seen" in line] == [
        "the pods can't be seen for now: pods in all namespaces: refused"
    ] * 2
    assert mine._taken == set(), "a pod that is gone is forgotten"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    run = execution(
        "run-1", "Running", nodes={"n0": {"phase": "Running"}}, logs={"folder": f"file://{tmp_path}/team/logs"}
    )
    run["metadata"]["uid"] = "u-1"
    return Api(run)


def keeper(api: Api, tmp_path: Path, told: list[str], limit: int = 1 << 20) -> Keeper:
    return Keeper(cast(Cluster, api), f"file://{tmp_path}/{{namespace}}", limit, told.append)


def over(is_over: bool = True) -> Ended:
    return Ended("team", "run-1-n0-1", "pod-n0", "run-1", "u-1", "n0", 1, None, is_over)


def test_a_log_is_brought_to_where_windlass_logs_looks_for_it_and_only_once(api: Api, tmp_path: Path) -> None:
    told: list[str] = []
    keeper(api, tmp_path, told).keep(over())
    file = tmp_path / "team" / "logs" / "n0" / "1.log"
    assert file.read_text() == "said\n"
    assert told == [f"the log of team/run-1-n0-1: 5 bytes at file://{file}"]
    keeper(api, tmp_path, told).keep(over())
    assert api.asked == [{"container": "main"}], "one that starts anew finds it there"


def test_a_pod_that_is_being_deleted_is_followed_to_its_end(api: Api, tmp_path: Path) -> None:
    keeper(api, tmp_path, []).keep(over(is_over=False))
    assert api.asked == [{"container": "main", "follow": "true"}]


def test_of_a_long_log_the_beginning_and_the_end_are_kept(api: Api, tmp_path: Path) -> None:
    api.log = b"".join(b"line %d\n" % number for number in range(10_000))
    keeper(api, tmp_path, [], limit=1024).keep(over())
    kept = (tmp_path / "team" / "logs" / "n0" / "1.log").read_text()
    assert kept.startswith("line 0\n") and kept.endswith("line 9999\n") and "bytes of the log are not kept" in kept
    assert len(kept) < 1200


@pytest.mark.parametrize(("status", "told"), [(404, ["the log of team/run-1-n0-1 is lost"]), (400, [])])
def test_a_pod_that_is_gone_or_never_started_has_none(status: int, told: list[str], api: Api, tmp_path: Path) -> None:
    api.log, heard = status, list[str]()
    keeper(api, tmp_path, heard).keep(over())
    assert [line.partition(":")[0] for line in heard] == told
    assert not (tmp_path / "team").exists()


def test_what_may_pass_is_raised_and_told_and_tried_again(api: Api, tmp_path: Path) -> None:
    api.log = 503
    told: list[str] = []
    mine = keeper(api, tmp_path, told)
    with pytest.raises(RemoteError):
        mine.keep(over())
    mine._guarded(over())
    assert told == [
        "the log of team/run-1-n0-1 is not kept yet: NotReachableError: the log of team/run-1-n0-1: refused"
    ]
    api.log = b"at last\n"
    mine._try_again()
    mine._pool.shutdown(wait=True)
    assert (tmp_path / "team" / "logs" / "n0" / "1.log").read_text() == "at last\n"


def test_what_can_not_be_read_is_given_up_after_a_while(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_TRIES", 2)
    api.log = 503
    told: list[str] = []
    mine = keeper(api, tmp_path, told)
    for _ in range(2):
        mine._guarded(over())
    assert mine._again.qsize() == 1
    assert "is lost: it could not be read 2 times, at last: the log of team/run-1-n0-1: refused" in told[-1]


def test_what_the_store_does_not_take_is_tried_for_ever(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_TRIES", 1)
    (tmp_path / "team").write_text("no folder")
    told: list[str] = []
    mine = keeper(api, tmp_path, told)
    for _ in range(3):
        mine._guarded(over())
    assert mine._again.qsize() == 3
    assert all(line.startswith("the log of team/run-1-n0-1 is not kept yet: ") for line in told)


def test_nothing_goes_to_where_the_store_is_not(api: Api, tmp_path: Path) -> None:
    told: list[str] = []
    Keeper(cast(Cluster, api), "s3://bucket/{namespace}", 1024, told.append).keep(over())
    (line,) = told
    assert line.endswith("is not below s3://bucket/{namespace}") and api.asked == []


def test_nor_for_a_run_that_is_another_one_or_gone_or_keeps_no_logs(api: Api, tmp_path: Path) -> None:
    told: list[str] = []
    mine = keeper(api, tmp_path, told)
    mine.keep(over()._replace(execution_uid="u-2"))
    mine.keep(over()._replace(execution="nobody"))
    (run,) = api.objects.values()
    del run["status"]["logs"]
    mine.keep(over())
    assert (told, api.asked) == ([], [])


def test_a_node_that_the_status_does_not_know_yet_is_waited_for(api: Api, tmp_path: Path) -> None:
    told: list[str] = []
    mine = keeper(api, tmp_path, told)
    mine._guarded(over()._replace(node="n7"))
    assert (told, api.asked, mine._again.qsize()) == ([], [], 1)


@pytest.mark.parametrize(
    ("folder", "prefix", "fits"),
    [
        ("s3://b/team-dev/e.1/logs", "s3://b/{namespace}", True),
        ("s3://b/team/dev/e.1/logs", "s3://b/{project}/{domain}/", True),
        ("s3://b/e.1/logs", "s3://b", True),
        ("s3://b/other/e.1/logs", "s3://b/{namespace}", False),
        ("s3://b/team-dev-2/e.1/logs", "s3://b/{namespace}", False),
        ("s3://b/team-dev/../x/logs", "s3://b/{namespace}", False),
        ("s3://bb/e.1/logs", "s3://b", False),
    ],
)
def test_a_folder_is_in_the_store_or_it_is_not(folder: str, prefix: str, fits: bool) -> None:
    assert keeping.is_below(folder, prefix, "team-dev") == fits
