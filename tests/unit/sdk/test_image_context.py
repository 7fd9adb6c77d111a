"""The files that an image is built from, and the digest of them that its tag has."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from types import ModuleType

import pytest

from windlass._image.context import File, gather, write
from windlass._image.spec import CopyFileDetection, ImageSpec


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(place: str, content: str = "") -> Path:
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def contents(spec: ImageSpec) -> dict[str, str]:
    return {place: file.read().decode() for place, file in gather(spec).items()}


def test_requirements_include_others_which_come_along_under_names_of_their_own() -> None:
    put(
        "sub/requirements.txt", "-r more.txt\n--constraint=../limits.txt  # limits\nnumpy\n-r https://e.example/r.txt\n"
    )
    put("sub/more.txt", "-r requirements.txt\npandas\n")
    put("limits.txt", "numpy<2\n")
    assert contents(ImageSpec(requirements="sub/requirements.txt")) == {
        "requirements/0.txt": "-r 1.txt\n--constraint=2.txt  # limits\nnumpy\n-r https://e.example/r.txt\n",
        "requirements/1.txt": "-r 0.txt\npandas\n",
        "requirements/2.txt": "numpy<2\n",
    }


def test_a_missing_file_is_named_with_what_named_it() -> None:
    put("requirements.txt", "-r nowhere.txt\n")
    with pytest.raises(FileNotFoundError, match=r"requirements\.txt includes nowhere\.txt"):
        gather(ImageSpec(requirements="requirements.txt"))
    with pytest.raises(FileNotFoundError, match=r"ImageSpec\(copy=…\): there is no data in "):
        gather(ImageSpec(copy=["data"]))
    with pytest.raises(FileNotFoundError, match="source_root"):
        gather(ImageSpec(source_root="nowhere"))
    put("file")
    with pytest.raises(ValueError, match="is no folder"):
        gather(ImageSpec(source_root="file"))


def test_copies_keep_their_places_and_leave_out_what_python_writes() -> None:
    put("data/a/words.txt", "w")
    put("data/.hidden", "h")
    put("data/__pycache__/x.pyc", "c")
    put("data/__pycache__/x.pyc.140", "half written")
    put("data/old.pyc", "c")
    put("one.txt", "1")
    assert contents(ImageSpec(copy=["data", "one.txt"])) == {
        "copy/data/.hidden": "h",
        "copy/data/a/words.txt": "w",
        "copy/one.txt": "1",
    }
    assert contents(ImageSpec(copy=["./data/a/"])) == {"copy/data/a/words.txt": "w"}


def test_links_are_followed_and_those_to_nowhere_or_round_in_a_circle_refused(folder: Path) -> None:
    put("elsewhere/words.txt", "w")
    Path("data").mkdir()
    Path("data/link").symlink_to(folder / "elsewhere")
    assert contents(ImageSpec(copy=["data"])) == {"copy/data/link/words.txt": "w"}
    Path("data/lost").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError, match="it is no file, or a link to nowhere"):
        gather(ImageSpec(copy=["data"]))
    Path("data/lost").unlink()
    Path("data/round").symlink_to(folder / "data")
    with pytest.raises(ValueError, match="a link to a folder that it is in"):
        gather(ImageSpec(copy=["data"]))


def test_all_source_files_stand_where_the_project_has_them() -> None:
    put("src/app/flow.py", "f")
    put("src/app/data.csv", "d")
    put("src/.git/HEAD", "g")
    put("other.py", "o")
    spec = ImageSpec(source_root="src", source_copy_mode=CopyFileDetection.ALL)
    assert contents(spec) == {"source/app/flow.py": "f", "source/app/data.csv": "d"}
    assert gather(ImageSpec(source_root="src", source_copy_mode=CopyFileDetection.NO_COPY)) == {}


def test_loaded_modules_stand_where_import_finds_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("src/own_module.py", "elsewhere/other_module.py", "src/not_loaded.py"):
        put(place, place)
    for place in ("src/own_module.py", "elsewhere/other_module.py"):
        module = ModuleType(Path(place).stem)
        module.__file__ = str(folder / place)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert contents(ImageSpec(source_root="src")) == {"source/own_module.py": "src/own_module.py"}


def test_without_a_mode_no_source_file_is_in_the_image() -> None:
    put("flow.py")
    assert gather(ImageSpec()) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda: put("requirements.txt", "pandas\n"),
        lambda: put("data/words.txt", "other"),
        lambda: put("data/more.txt"),
        lambda: Path("data/words.txt").rename("data/terms.txt"),
        lambda: Path("data/words.txt").chmod(0o755),
        lambda: put("src/app.py", "changed"),
    ],
    ids=["requirements", "content", "another file", "a name", "executable", "source"],
)
def test_a_change_of_what_is_in_the_image_changes_the_tag(change: object) -> None:
    spec = three_kinds()
    before = spec.tag
    assert callable(change)
    change()
    assert spec.tag != before
    assert ImageSpec(base_image=spec).tag != ImageSpec(base_image="b").tag


def three_kinds() -> ImageSpec:
    put("requirements.txt", "numpy\n")
    put("data/words.txt", "words")
    put("src/app.py", "app")
    return ImageSpec(
        requirements="requirements.txt", copy=["data"], source_root="src", source_copy_mode=CopyFileDetection.ALL
    )


def test_times_and_rights_for_others_do_not(folder: Path) -> None:
    spec = three_kinds()
    before = spec.tag
    os.utime("data/words.txt", (1, 1))
    Path("data/words.txt").chmod(0o600)
    assert spec.tag == before


def test_a_changed_base_changes_what_is_built_on_it() -> None:
    upper = ImageSpec(base_image=three_kinds())
    before = upper.tag
    put("data/words.txt", "other")
    assert upper.tag != before


def test_the_context_on_disk_is_readable_for_everyone_and_always_the_same(folder: Path) -> None:
    target = folder / "context"
    target.mkdir()
    secret = put("words.txt", "w")
    secret.chmod(0o600)
    old = os.umask(0o077)
    try:
        write({"copy/a/words.txt": File(secret), "copy/run": File(b"#!/bin/sh\n", executable=True)}, target)
    finally:
        os.umask(old)
    modes = {
        str(path.relative_to(target)): oct(stat.S_IMODE(path.stat().st_mode)) for path in sorted(target.rglob("*"))
    }
    assert modes == {"copy": "0o755", "copy/a": "0o755", "copy/a/words.txt": "0o644", "copy/run": "0o755"}
    assert {path.stat().st_mtime for path in target.rglob("*")} == {0}
