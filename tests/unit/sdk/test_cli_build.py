"""`windlass build`: which images of a file it builds, and what it says. Real builds are in tests/integration/images."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from windlass._cli import main
from windlass._image.builders import ImageBuildEngine
from windlass._image.spec import RENAMED, ImageSpec

FILE = """
from windlass import task
from windlass._image import ImageSpec
from windlass._image.builders import ImageBuildEngine, ImageSpecBuilder

class Recording(ImageSpecBuilder):
    def build_image(self, image_spec):
        print("building", image_spec.name)

    def should_build(self, image_spec):
        return image_spec._is_force_push or image_spec.name != "there"

ImageBuildEngine.register("recording", Recording())
there = ImageSpec(name="there", base_image="b")
small = ImageSpec(name="small", base_image=there, packages=["p"])
again = ImageSpec(name="small", base_image=there, packages=["p"])

@task(container_image=ImageSpec(name="used", base_image="b"))
def work() -> None: ...
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ImageBuildEngine, "_REGISTRY", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "images_of_this_test.py"
    path.write_text(FILE)
    yield path
    sys.modules.pop(path.stem, None)
    RENAMED.clear()


def test_every_spec_of_a_file_is_built_once_and_its_base_before_it(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", str(file)]) == 0
    out, err = capsys.readouterr()
    base = ImageSpec(name="there", base_image="b")
    small = ImageSpec(name="small", base_image=base, packages=["p"]).image_name()
    used = ImageSpec(name="used", base_image="b").image_name()
    assert out.splitlines() == [base.image_name(), "building small", small, "building used", used]
    assert f"building {small}: its builder says that it has to be built" in err
    assert f"not building {base.image_name()}: its builder says that it need not be built" in err


def test_only_those_that_are_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(file), "there", "--force"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "building there",
        ImageSpec(name="there", base_image="b").image_name(),
    ]


def test_printing_builds_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(file), "small", "--print"]) == 0
    out = capsys.readouterr().out
    base = ImageSpec(name="there", base_image="b")
    assert out.startswith(f"# {base.image_name()}\n")
    assert f"FROM {base.image_name()}\nUSER root\nRUN " in out
    assert "building" not in out


def test_a_name_that_is_not_there_is_told_with_a_likely_one(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(file), "smal"]) == 2
    assert "has no ImageSpec `smal`; did you mean `small`?" in capsys.readouterr().err


def test_a_file_without_images_is_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("from windlass import task\n")
    assert main(["build", str(file)]) == 2
    assert "has no ImageSpec, so there is nothing to build" in capsys.readouterr().err


def test_what_goes_wrong_is_one_line_and_no_traceback(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("from windlass._image import ImageSpec\nimage = ImageSpec(builder='other', base_image='b')\n")
    assert main(["build", str(file)]) == 1
    assert capsys.readouterr().err.startswith("windlass: ImageSpec(builder='other'): there is no such builder")
    file.write_text("from windlass._image import ImageSpec\nimage = ImageSpec(requirements='nowhere.txt')\n")
    sys.modules.pop(file.stem)
    assert main(["build", str(file)]) == 1
    assert "there is no nowhere.txt" in capsys.readouterr().err


def test_a_run_in_a_cluster_ends_before_it_where_an_image_can_not_be_built(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(
        "from windlass import ImageSpec, task\n"
        "@task(container_image=ImageSpec(builder='other', base_image='b'))\n"
        "def work() -> None: ...\n"
    )
    assert main(["run", str(file), "work", "--remote", "--kubeconfig", "nowhere"]) == 1
    told = capsys.readouterr().err
    assert "can't be had: ImageSpec(builder='other'): there is no such builder" in told
    assert told.endswith("Nothing was sent to the cluster.\n")


def test_a_run_in_a_cluster_uses_the_name_that_a_builder_gives_and_tells_of_images_that_stay_here(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(
        "from windlass import ImageBuildEngine, ImageSpec, ImageSpecBuilder, task\n"
        "class Ours(ImageSpecBuilder):\n"
        "    def build_image(self, image_spec): return 'ours.example/it:1'\n"
        "    def should_build(self, image_spec): return True\n"
        "ImageBuildEngine.register('ours', Ours())\n"
        "@task(container_image=ImageSpec(base_image='b'))\n"
        "def work() -> None: ...\n"
    )
    sent: list[dict[str, Any]] = []

    def send(objects: list[dict[str, Any]], *_: object, **__: object) -> int:
        sent.extend(objects)
        return 0

    monkeypatch.setattr("windlass._remote.run_remote", send)
    assert main(["run", str(file), "work", "--remote"]) == 0
    assert [one["spec"]["image"] for one in sent if one["kind"] == "Task"] == ["ours.example/it:1"]
    assert "has no registry, so it stays on this machine" in capsys.readouterr().err
