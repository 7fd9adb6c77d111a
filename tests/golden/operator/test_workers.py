"""What is asked for beside the worker's pod that it becomes: a folder per case, `ask.yaml` and `pod.yaml`.

A new case is a folder with an `ask.yaml` in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from windlass_operator.manifests.worker_pod import WorkerAsk, build
from windlass_operator.settings import RuntimeDelivery, Settings

CASES = Path(__file__).parent / "workers"


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_an_ask_becomes_its_worker(case: str, golden: Callable[[Path, dict[str, str]], None]) -> None:
    text = (CASES / case / "ask.yaml").read_text(encoding="utf-8")
    pod = build(_ask(yaml.safe_load(text)))
    golden(CASES / case, {"ask.yaml": text, "pod.yaml": yaml.safe_dump(pod, sort_keys=False, width=120)})


def _ask(told: dict[str, Any]) -> WorkerAsk:
    settings = told.pop("settings", {})
    if "runtime_delivery" in settings:
        settings["runtime_delivery"] = RuntimeDelivery(settings["runtime_delivery"])
    return WorkerAsk(settings=replace(Settings(), **settings), **told)
