"""The examples of autoscalers lead to the pool of examples/actors.py, by metrics that the operator has.

That an API server takes the HorizontalPodAutoscaler is seen in tests/contract/test_crds.py; KEDA is not there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from windlass_api.v1alpha1.actor_environment import ActorEnvironment

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "autoscaling").glob("*.yaml"))
FROM_PROMETHEUS = {"windlass_actor_calls"}
"""What the adapter calls what it has computed."""


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_what_is_scaled_is_a_pool_of_the_examples(path: Path) -> None:
    target = load(path)["spec"]["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"]) == ("windlass.dev/v1alpha1", ActorEnvironment.__name__)
    assert ActorEnvironment.SCALES
    assert f'name="{target["name"]}"' in (ROOT / "examples" / "actors.py").read_text()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_metrics_that_are_asked_for_are_those_of_the_operator(path: Path) -> None:
    known = set(re.findall(r"`(windlass_\w+)`", (ROOT / "docs" / "reference" / "metrics.md").read_text()))
    asked = set(re.findall(r"windlass_\w+", path.read_text()))
    assert {"windlass_actor_calls_waiting", "windlass_actor_calls_running"} <= asked
    assert asked - FROM_PROMETHEUS <= known


def test_the_metric_of_the_autoscaler_is_the_one_that_the_rule_makes() -> None:
    text = (ROOT / "examples" / "autoscaling" / "hpa.yaml").read_text()
    rule = re.search(r"name: \{as: (\w+)\}", text)
    (metric,) = yaml.safe_load(text)["spec"]["metrics"]
    assert rule is not None and metric["external"]["metric"]["name"] == rule[1]
    assert rule[1] in FROM_PROMETHEUS


def test_keda_asks_prometheus_for_a_number_by_which_it_divides() -> None:
    spec = load(ROOT / "examples" / "autoscaling" / "keda.yaml")["spec"]
    assert set(spec) == {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "triggers"}
    (trigger,) = spec["triggers"]
    assert trigger["type"] == "prometheus"
    assert set(trigger["metadata"]) == {"serverAddress", "query", "threshold"}
    assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA takes texts only"
    assert float(trigger["metadata"]["threshold"]) > 0
    assert spec["minReplicaCount"] == 1, "at 0 no call runs"
