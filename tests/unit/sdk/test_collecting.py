"""What is left of runs that are gone is removed, and so is code; nothing that anything refers to ever is.

With a real API server: tests/integration/test_store_collect.py.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from windlass import _store
from windlass._bundle import Bundle, upload
from windlass._remote import collecting
from windlass._remote.client import Cluster, RemoteError, remote_error
from windlass_api import names

NOW = 2_000_000_000.0
DAY = 86_400.0


class Api:
    """A cluster whose objects are in a dictionary."""

    def __init__(self, objects: Mapping[str, list[dict[str, Any]]] | None = None, refuses: str = "") -> None:
        self.objects = dict(objects or {})
        self.refuses = refuses
        self.asked: list[str] = []

    def request(self, method: str, path: str, *, what: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        self.asked.append(path)
        plural = path.rpartition("/")[2]
        if plural == self.refuses:
            raise remote_error(f"{what}: forbidden", 403)
        items, start = self.objects.get(plural, []), int((query or {}).get("continue", "0"))
        token = str(start + 1) if start + 1 < len(items) else None
        return {"items": items[start : start + 1], "metadata": {"continue": token}}  # one per page


def uid(number: int) -> str:
    """A uid."""
    return str(uuid.UUID(int=number))


def put(root: Path, run: str, name: str, content: str = "x", age: float = 60 * DAY) -> str:
    """An object of a run."""
    path = root / run / uuid.uuid4().hex / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    os.utime(path, (NOW - age, NOW - age))
    return str(path)


def collected(prefix: str, api: Api | None = None, ttl: float = 30 * DAY, **how: Any) -> list[str]:
    """The names of the folders that were removed."""
    cluster = cast("Cluster", api or Api())
    found = collecting.collect(cluster, prefix, ttl, NOW, **{"dry_run": False, **how})
    return sorted(one.uri.rpartition("/")[2] for one in found)


def body(plural: str, **fields: Any) -> dict[str, list[dict[str, Any]]]:
    """A cluster with one object."""
    return {plural: [{"metadata": {"uid": uid(99)}, **fields}]}


def test_the_folder_of_a_run_that_is_gone_goes_once_it_is_old(tmp_path: Path) -> None:
    old, young = f"old.{uid(1)}", f"young.{uid(2)}"
    put(tmp_path, old, "a.csv")
    put(tmp_path, young, "a.csv")
    kept = put(tmp_path, young, "b.csv", age=29 * DAY)
    assert collected(str(tmp_path), dry_run=True) == [old]
    assert (tmp_path / old).exists()
    assert collected(str(tmp_path)) == [old]
    assert not (tmp_path / old).exists()
    assert Path(kept).exists()
    assert collected(str(tmp_path)) == []


def test_what_is_no_folder_of_a_run_is_left_alone(tmp_path: Path) -> None:
    for name in ("code", "e.not-a-uid", f"{uid(1)}", "checkpoints"):
        put(tmp_path, name, "a")
    (tmp_path / f"file.{uid(3)}").write_text("x")
    assert collected(str(tmp_path)) == []


PACKED = base64.b64encode(gzip.compress(json.dumps({"uri": f"s3://b/e.{uid(1)}/1/a"}).encode())).decode()
MENTIONS = [
    ("executions", {"metadata": {"uid": uid(1)}}),
    ("executions", {"spec": {"inputs": {"x": {"uri": f"s3://b/ns/e.{uid(1)}/1/a"}}}}),
    ("executions", {"status": {"nodes": {"n0": {"deck": f"s3://b/e.{uid(1)}/d/deck.html"}}}}),
    ("cacheentries", {"spec": {"outputs": {"o0": {"$stored": {"uri": f"s3://b/e.{uid(1)}/1/o0.json"}}}}}),
    ("artifacts", {"spec": {"value": [f"file:///store/e.{uid(1)}/1/a"]}}),
    ("workflows", {"spec": {"nodes": [{"inputs": {"x": {"uri": f"s3://b/e.{uid(1)}/1/a"}}}]}}),
    ("configmaps", {"binaryData": {"value.json.gz": PACKED}}),
    ("configmaps", {"data": {"x": f"s3://b/e.{uid(1)}/1/a"}}),
    ("controllerrevisions", {"data": {"x": f"s3://b/e.{uid(1)}/1/a"}}),
]


@pytest.mark.parametrize(
    ("plural", "fields"), MENTIONS, ids=[f"{plural}-{n}" for n, (plural, _) in enumerate(MENTIONS)]
)
def test_what_anything_in_the_cluster_refers_to_stays(plural: str, fields: dict[str, Any], tmp_path: Path) -> None:
    put(tmp_path, f"e.{uid(1)}", "a.csv")
    put(tmp_path, f"other.{uid(2)}", "a.csv")
    assert collected(str(tmp_path), Api(body(plural, **fields))) == [f"other.{uid(2)}"]


def test_every_kind_is_asked_for_all_its_pages(tmp_path: Path) -> None:
    put(tmp_path, f"e.{uid(1)}", "a")
    several = [{"metadata": {"uid": uid(number)}} for number in (7, 8, 1)]
    api = Api({"executions": several})
    assert collected(str(tmp_path), api) == []
    asked = {path.rpartition("/")[2] for path in api.asked}
    assert asked == {*names.PLURALS.values(), "configmaps", "controllerrevisions"}


@pytest.mark.parametrize("plural", [*names.PLURALS.values(), "configmaps", "controllerrevisions"])
def test_where_a_part_of_the_cluster_can_not_be_read_nothing_is_removed(plural: str, tmp_path: Path) -> None:
    put(tmp_path, f"e.{uid(1)}", "a.csv")
    with pytest.raises(RemoteError, match="forbidden"):
        collected(str(tmp_path), Api(refuses=plural))
    assert (tmp_path / f"e.{uid(1)}").exists()


def test_a_value_that_cannot_be_read_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, f"alive.{uid(1)}", "o0.json")
    put(tmp_path, f"gone.{uid(2)}", "a.csv")

    def broken(*_: Any) -> Any:
        raise PermissionError("no")

    monkeypatch.setattr(_store, "open", broken)
    with pytest.raises(RemoteError, match="nothing is removed"):
        collected(str(tmp_path), Api(body("executions", metadata={"uid": uid(1)})))


def test_placeholders_stand_for_folders_and_chosen_namespaces_for_theirs_alone(tmp_path: Path) -> None:
    runs = {"a/data": f"e.{uid(1)}", "b/data": f"f.{uid(2)}", "a/else": f"g.{uid(3)}"}
    for folder, run in runs.items():
        put(tmp_path / folder, run, "x")
    assert collected(f"{tmp_path}/{{namespace}}/data", namespaces=["b", "c"], dry_run=True) == [f"f.{uid(2)}"]
    api = Api()
    assert collected(f"file://{tmp_path}/{{project}}/data", api) == [f"e.{uid(1)}", f"f.{uid(2)}"]
    assert all("/namespaces/" not in path for path in api.asked)
    with pytest.raises(ValueError, match="the prefix of all namespaces"):
        collected(str(tmp_path), namespaces=["a"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    alive=st.sets(st.integers(0, 7)),
    refers=st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 7))),
    where=st.integers(0, 3),
)
def test_nothing_that_is_referred_to_by_however_many_steps_is_removed(
    alive: set[int], refers: dict[int, set[int]], where: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("store")
    for number in range(8):
        filler = "x" * (where * (1 << 19) - 40)  # references at the edge of what is read at a time
        told = filler + " ".join(f"s3://b/r{other}.{uid(other)}/k" for other in refers.get(number, ()))
        put(root, f"r{number}.{uid(number)}", "o0.json", told)
    reached, new = set(alive), set(alive)
    while new:
        new = {other for one in new for other in refers.get(one, ())} - reached
        reached |= new
    api = Api({"executions": [{"metadata": {"uid": uid(number)}} for number in alive]})
    assert collected(str(root), api) == sorted(f"r{number}.{uid(number)}" for number in set(range(8)) - reached)
    assert {path.name for path in root.iterdir()} == {f"r{number}.{uid(number)}" for number in reached}


def archive(folder: Path, digit: str = "a", age: float = 60 * DAY) -> Path:
    """Code in the store; its name is the hash, of which all digits are the same."""
    path = folder / "code" / f"{digit * 64}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"code")
    os.utime(path, (NOW - age, NOW - age))
    return path


ADDRESS = f"s3://elsewhere/code/{'a' * 64}.tar.gz"
SPEC = {"python": {"code": {"archive": {"uri": ADDRESS, "sha256": "a" * 64}}}}
PACKED_CODE = base64.b64encode(gzip.compress(json.dumps(SPEC).encode())).decode()
MENTIONS_OF_CODE = [
    ("tasks", {"spec": SPEC}),
    ("controllerrevisions", {"data": {"spec": SPEC}}),
    ("controllerrevisions", {"data": {"tasks": json.dumps(SPEC)}}),
    ("executions", {"spec": {"inputs": {"x": ADDRESS}}}),
    ("actorenvironments", {"metadata": {"annotations": {"somebody.dev/code": ADDRESS}}}),
    ("configmaps", {"binaryData": {"x.json.gz": PACKED_CODE}}),
]


@pytest.mark.parametrize(
    ("plural", "fields"), MENTIONS_OF_CODE, ids=[f"{plural}-{n}" for n, (plural, _) in enumerate(MENTIONS_OF_CODE)]
)
def test_code_goes_but_for_what_anything_in_the_cluster_refers_to(
    plural: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    used, unused = archive(tmp_path), archive(tmp_path, "b")
    assert collected(str(tmp_path), Api(body(plural, **fields))) == [unused.name]
    assert used.exists() and not unused.exists()
    assert collected(str(tmp_path)) == [used.name]


def test_code_stays_that_a_value_in_the_folder_of_a_living_run_refers_to(tmp_path: Path) -> None:
    used = archive(tmp_path)
    put(tmp_path, f"alive.{uid(1)}", "o0.json", json.dumps(SPEC))
    assert collected(str(tmp_path), Api(body("executions", metadata={"uid": uid(1)}))) == []
    assert used.exists()
    assert collected(str(tmp_path)) == [used.name, f"alive.{uid(1)}"]


def test_only_archives_that_are_called_by_their_hash_are_code(tmp_path: Path) -> None:
    folder = archive(tmp_path).parent
    for name in ("abc.tar.gz", f"{'a' * 63}.tar.gz", f"{'a' * 64}.zip", f".{'b' * 64}.tar.gz.0.part"):
        (folder / name).write_text("x")
        os.utime(folder / name, (1, 1))
    (folder / f"{'c' * 64}.tar.gz").mkdir()
    assert collected(str(tmp_path)) == [f"{'a' * 64}.tar.gz"]


def test_code_is_looked_for_wherever_the_placeholders_begin_and_by_one_namespace_in_its_own_folder_only(
    tmp_path: Path,
) -> None:
    shared, mine, other = archive(tmp_path), archive(tmp_path / "a"), archive(tmp_path / "b", "b")
    prefix = f"{tmp_path}/{{namespace}}"
    assert collected(f"{tmp_path.parent}/{{project}}/{{namespace}}", namespaces=["a"]) == [mine.name]
    assert shared.exists() and other.exists()
    assert collected(prefix) == [shared.name, other.name]


def test_code_that_is_gone_when_its_turn_comes_is_none_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, left = archive(tmp_path), archive(tmp_path, "b")
    assert collected(str(tmp_path), During(gone.unlink)) == [left.name]


class During(Api):
    """A cluster that takes so long to answer that something happens meanwhile."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self.happens: Callable[[], object] | None = happens

    def request(self, *words: Any, **how: Any) -> dict[str, Any]:
        if self.happens is not None:
            self.happens()
            self.happens = None
        return super().request(*words, **how)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    age=st.floats(0, 90 * DAY),
    ttl=st.floats(0, 90 * DAY),
    later=st.floats(0, DAY - 1),
    meanwhile=st.booleans(),
)
def test_code_that_is_brought_again_is_there_for_a_day_whoever_collects_meanwhile_and_afterwards(
    age: float, ttl: float, later: float, meanwhile: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The Task that refers to it is applied within that day."""
    root, now = tmp_path_factory.mktemp("store"), time.time()
    digest, data = "a" * 64, b"code"
    file = root / "code" / f"{digest}.tar.gz"
    file.parent.mkdir()
    file.write_bytes(data)
    os.utime(file, (now - age, now - age))
    bundle = Bundle("code-a", data, (), {"uri": str(file), "sha256": digest})

    def gone(api: Api, now: float) -> list[collecting.Collected]:
        return list(collecting.collect(cast("Cluster", api), str(root), ttl, now, dry_run=False))

    if meanwhile:  # it was listed as an old one
        assert gone(During(lambda: upload(bundle)), now) == []
    else:
        upload(bundle)
    assert gone(Api(), now + later) == []
    assert file.read_bytes() == data
