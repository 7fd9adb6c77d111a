"""What the API server can't know is told by the operator, in the condition of the broken object, in the words of
`windlass validate`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.operator.things import NOW, Body
from windlass_operator.core.plan_definition import DEFINITIONS, plan_definition

BROKEN = Path(__file__).parents[1] / "api" / "broken"


def files() -> list[Any]:
    found = []
    for file in sorted(BROKEN.glob("*.yaml")):
        head, *objects = (json.loads(json.dumps(one)) for one in yaml.safe_load_all(file.read_text(encoding="utf-8")))
        if "server" not in head and objects[0]["kind"] in DEFINITIONS:
            found.append(pytest.param(head["expect"], objects, id=file.stem))
    return found


@pytest.mark.parametrize(("expected", "objects"), files())
def test_what_the_server_takes_though_it_is_wrong_is_not_ready(expected: list[Body], objects: list[Body]) -> None:
    specs = {(one["kind"], one["metadata"]["name"]): one["spec"] for one in objects}

    def find(kind: str, name: str, version: str | None) -> Body | None:
        spec = specs.get((kind, name))
        return spec if spec is not None and version in (None, spec.get("version")) else None

    body = objects[0]
    meta = {"namespace": "ns", "uid": "u", "generation": 3, **body["metadata"]}
    (condition,) = plan_definition(body["kind"], {**body, "metadata": meta}, find, NOW).status["conditions"]
    assert condition["status"] == "False"
    assert condition["observedGeneration"] == 3
    if expected[0]["reason"] != "InvalidValue":  # what only the models of `validate` know, the operator leaves to them
        assert condition["reason"] == expected[0]["reason"]
        assert condition["message"].startswith(f"{expected[0]['path']}: {expected[0]['message']}")
