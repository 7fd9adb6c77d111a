"""What is asked for beside the pod that it becomes: a folder per case, `ask.yaml` and `pod.yaml`.

A new case is a folder with an `ask.yaml` in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from windlass_operator.cli.pod_settings import pod_settings
from windlass_operator.kinds import kind_of
from windlass_operator.manifests.look import PodLook
from windlass_operator.manifests.pod import PodAsk
from windlass_operator.settings import LogSettings, RuntimeDelivery, Settings, StoreSettings

CASES = Path(__file__).parent / "pods"


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_an_ask_becomes_its_pod(case: str, golden: Callable[[Path, dict[str, str]], None]) -> None:
    text = (CASES / case / "ask.yaml").read_text(encoding="utf-8")
    ask = _ask(yaml.safe_load(text))
    pod = kind_of(ask.look.spec).desired(ask)
    golden(CASES / case, {"ask.yaml": text, "pod.yaml": yaml.safe_dump(pod, sort_keys=False, width=120)})


def _ask(told: dict[str, Any]) -> PodAsk:
    settings = told.pop("settings", {})
    if "runtime_delivery" in settings:
        settings["runtime_delivery"] = RuntimeDelivery(settings["runtime_delivery"])
    settings["pods"] = pod_settings(settings.pop("pods", {}))
    settings["store"] = StoreSettings(**settings.pop("store", {}))
    settings["logs"] = LogSettings(**settings.pop("logs", {}))
    told["values"] = tuple(told.pop("values", ()))
    look = {field.name: told.pop(field.name) for field in fields(PodLook) if field.name in told}
    return PodAsk(look=PodLook(settings=replace(Settings(), **settings), **look), **told)
