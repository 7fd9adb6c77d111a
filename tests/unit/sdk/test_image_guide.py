"""The Python in docs/guides/images.md runs as it stands."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from windlass._image.builders import ImageBuildEngine

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "images.md"
SNIPPETS = re.findall(r"(?<!-->\n)^```python\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"snippet_{number}_of_images"
    (tmp_path / f"{name}.py").write_text(SNIPPETS[number])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    monkeypatch.setattr(ImageBuildEngine, "_REGISTRY", {})
    import_module(name)
    monkeypatch.delitem(sys.modules, name)


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) >= 2
