"""Plays rows against an API server, real or in memory: makes their Executions, answers, acts, and waits for the ends.

Nothing here waits: ``step`` does what can be done now, so that any number of rows is played at once.
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from tests.matrix.row import Act, Body, Ended, Row, Run
from windlass_api import names

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODULES = {path.stem: path for path in sorted((HERE / "modules").glob("*.py"))}
CHANGED = {path.stem: path for path in sorted((HERE / "modules" / "changed").glob("*.py"))}
EXAMPLES = {f"examples/{path.stem}": path for path in sorted((ROOT / "examples").glob("*.py"))}
KINDS = ("Workflow", "Task", "LaunchPlan")


class Api(Protocol):
    """What is asked of an API server (``tests.harness.Api`` is one)."""

    def create(self, plural: str, body: Body) -> Body:
        """Create an object."""

    def find(self, plural: str, name: str) -> Body | None:
        """Read an object, if there is one."""

    def list(self, plural: str) -> list[Body]:
        """Read all objects of a kind."""

    def merge(self, plural: str, name: str, changes: Body) -> Body:
        """Merge changes into an object."""


@functools.cache
def manifests(path: Path) -> tuple[Body, ...]:
    """The objects of a user's module, as `windlass render` writes them."""
    command = [sys.executable, "-m", "windlass._cli", "render", str(path), "-o", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


def plural_of(kind: str) -> str:
    """The resource of a kind."""
    return "configmaps" if kind == "ConfigMap" else names.plural(kind)


def apply(api: Api, path: Path) -> None:
    """Create the objects of a module, or bring them in line with it."""
    for manifest in manifests(path):
        plural, name = plural_of(manifest["kind"]), manifest["metadata"]["name"]
        there = api.find(plural, name)
        if there is None:
            api.create(plural, manifest)
        elif "spec" in manifest and there["spec"] != manifest["spec"]:
            api.merge(plural, name, {"spec": manifest["spec"]})


def reference(path: Path, entity: str) -> Body:
    """How an Execution names a workflow, task or launch plan of a module."""
    there = {kind: {one["metadata"]["name"] for one in manifests(path) if one["kind"] == kind} for kind in KINDS}
    for kind in KINDS:
        exact = f"{path.stem}.{entity}".replace("_", "-")
        for name in there[kind]:
            if name == exact or (kind == "LaunchPlan" and name.startswith(f"{entity}-")):
                return {kind[0].lower() + kind[1:]: {"name": name}}
    raise LookupError(f"{path} has no {entity}: {there}")


@dataclass
class Picture:
    """What there is in a namespace at one moment."""

    executions: Mapping[str, Body]
    signals: list[Body]

    @classmethod
    def of(cls, api: Api) -> Picture:
        """Look."""
        executions = {one["metadata"]["name"]: one for one in api.list("executions")}
        return cls(executions, api.list("signals"))


class Play:
    """One row under way."""

    def __init__(self, row: Row, runs: tuple[Run, ...], path: Path, api: Api, number: int) -> None:
        self.row, self.runs, self.ended = row, runs, list[Ended]()
        self._path, self._api = path, api
        self._name = f"r{number}"
        self._begun: set[int] = set()
        self._acted: dict[int, list[Act]] = {}
        self._answered: dict[str, int] = {}
        self._broken: list[str] = []

    @property
    def over(self) -> bool:
        """Whether all its runs have ended."""
        return len(self.ended) == len(self.runs)

    def step(self, picture: Picture) -> None:
        """Do what can be done now."""
        at = len(self.ended)
        if self.over or not self._begin(at):
            return
        following = at + 1
        while following < len(self.runs) and self.runs[following].beside:
            self._begin(following)
            following += 1
        found = picture.executions.get(self._execution(at))
        if found is None:
            if self.runs[at].gone and self._acted.get(at) == []:
                self._end(at, {}, picture, gone=True)
            return
        run, status = self.runs[at], found.get("status") or {}
        self._answer(run, picture)
        self._act(at, status)
        if status.get("finishedAt") and not run.gone:
            self._end(at, status, picture)
        elif status.get("finishedAt"):
            self._acted[at] = []  # now it may go

    def told(self) -> str:
        """What is waited for, for people."""
        return f"{self.row} ({self._execution(len(self.ended))})"

    def _execution(self, index: int) -> str:
        return f"{self._name}-{index}"

    def _begin(self, index: int) -> bool:
        """Whether a run had begun before; begins it otherwise."""
        if index in self._begun:
            return True
        run = self.runs[index]
        if run.changed:
            apply(self._api, CHANGED[self._path.stem])
        spec: Body = {**reference(self._path, self.row.entity), "inputs": dict(run.inputs), **run.spec}
        if run.resumes is not None:
            spec["resumeFrom"] = {"execution": self._execution(run.resumes)}
        body = {"apiVersion": names.API_VERSION, "kind": "Execution", "spec": spec}
        self._api.create("executions", {**body, "metadata": {"name": self._execution(index)}})
        self._begun.add(index)
        self._answered.clear()
        return False

    def _answer(self, run: Run, picture: Picture) -> None:
        for signal in picture.signals:
            spec, phase = signal["spec"], (signal.get("status") or {}).get("phase")
            if spec["execution"] != self._execution(len(self.ended)) or spec["name"] not in run.answers:
                continue
            answers, given = run.answers[spec["name"]], self._answered.get(spec["name"], 0)
            waits = "answer" not in spec if given == 0 else (phase == "Invalid" and given < len(answers))
            if waits and given < len(answers) and spec.get("answer") != answers[given]:
                change = {"value": None, "approved": None, **answers[given]}
                self._api.merge("signals", signal["metadata"]["name"], {"spec": {"answer": change}})
                self._answered[spec["name"]] = given + 1

    def _act(self, index: int, status: Body) -> None:
        waiting = self._acted.setdefault(index, list(self.runs[index].acts))
        if not waiting:
            return
        nodes = {name: node["phase"] for name, node in (status.get("nodes") or {}).items()} | {"": status.get("phase")}
        act = waiting[0]
        if all(nodes.get(name) == phase for name, phase in act.when.items()):
            for name, phase in act.holds.items():
                if nodes.get(name) != phase:
                    self._broken.append(f"{name} was {nodes.get(name)}, not {phase}, when {dict(act.when)}")
            self._api.merge("executions", self._execution(index), act.change)
            waiting.pop(0)

    def _end(self, index: int, status: Body, picture: Picture, *, gone: bool = False) -> None:
        name = self._execution(index)
        children = sum(
            (one["metadata"].get("labels") or {}).get(names.LABEL_PARENT) == name for one in picture.executions.values()
        )
        values = {digest: self._value(name, digest) for digest in references(status)}
        self.ended.append(Ended(name, status, children, gone, tuple(self._broken), values))
        self._broken.clear()

    def _value(self, execution: str, digest: str) -> Any:
        found = self._api.find("configmaps", names.value_name(execution, digest))
        assert found is not None, f"the value {digest} of {execution} is not there"
        return json.loads(gzip.decompress(base64.b64decode(found["binaryData"]["value.json.gz"])))


def references(value: Any) -> set[str]:
    """The hashes of the large values that something refers to."""
    if isinstance(value, dict):
        if set(value) == {"$value"}:
            return {value["$value"]}
        return {digest for part in value.values() for digest in references(part)}
    return {digest for part in value for digest in references(part)} if isinstance(value, list) else set()
