"""What is left of runs that are gone is removed, and nothing that anything refers to ever is.

With a real API server: tests/integration/test_store_collect.py.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from windlass import _store
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
