"""The code bundle: what is in it, that it is always the same, and what it refuses."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import sys
import tarfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from windlass._bundle import (
    LIMIT,
    RENDERED_MARK,
    RENEWED_AFTER,
    Bundle,
    BundleError,
    files_below,
    loaded_modules,
    make_bundle,
    upload,
)


def written(root: Path, *names: str) -> None:
    """Small files, made with their folders."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")


def members(bundle: Bundle) -> dict[str, tarfile.TarInfo]:
    """What the archive holds."""
    with tarfile.open(fileobj=io.BytesIO(bundle.data), mode="r:gz") as archive:
        return {member.name: member for member in archive.getmembers()}


def test_the_same_files_give_the_same_bundle_whatever_their_times_places_and_owners(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        written(tmp_path / folder, "b.py", "a/__init__.py")
    os.utime(tmp_path / "there" / "b.py", (1, 1))
    (tmp_path / "there" / "b.py").chmod(0o600)
    one, other = (make_bundle(files_below(tmp_path / folder)) for folder in ("here", "there"))
    assert one == other
    assert list(members(one)) == ["a/__init__.py", "b.py"]
    assert {(member.mtime, member.uid, member.uname, member.mode) for member in members(one).values()} == {
        (0, 0, "", 0o644)
    }


def test_the_name_changes_with_the_content(tmp_path: Path) -> None:
    written(tmp_path, "a.py")
    before = make_bundle(files_below(tmp_path))
    (tmp_path / "a.py").write_text("x = 1\n")
    assert make_bundle(files_below(tmp_path)).name != before.name
    assert before.name.startswith("code-")


def test_the_name_does_not_depend_on_the_compressor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "a.py")
    before = make_bundle(files_below(tmp_path))
    compress = gzip.compress
    monkeypatch.setattr(
        gzip, "compress", lambda data, compresslevel, mtime: compress(data, compresslevel=1, mtime=mtime)
    )
    after = make_bundle(files_below(tmp_path))
    assert after.name == before.name


def test_scripts_stay_executable(tmp_path: Path) -> None:
    written(tmp_path, "run.sh")
    (tmp_path / "run.sh").chmod(0o700)
    assert members(make_bundle(files_below(tmp_path)))["run.sh"].mode == 0o755


def test_everything_below_the_root_means_no_hidden_generated_or_installed_files(tmp_path: Path) -> None:
    written(
        tmp_path,
        "flow.py",
        "data/words.csv",
        ".env",
        ".git/config",
        ".venv/lib/x.py",
        "venv/lib/x.py",
        "node_modules/x.js",
        "__pycache__/flow.cpython-311.pyc",
        "old.pyc",
        "proj.egg-info/PKG-INFO",
    )
    assert list(files_below(tmp_path)) == ["data/words.csv", "flow.py"]


def test_our_own_manifests_are_left_out_and_others_kept(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(f"{RENDERED_MARK} from flow: …\nkind: Task\n")
    (tmp_path / "mine.yaml").write_text("kind: Task\n")
    assert list(files_below(tmp_path)) == ["mine.yaml"]


def test_folders_that_are_links_are_not_followed(tmp_path: Path) -> None:
    written(tmp_path, "flow.py")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(files_below(tmp_path)) == ["flow.py"]


def test_loaded_modules_stand_where_import_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "pkg/__init__.py", "pkg/part.py", "elsewhere/ns/leaf.py")
    for name, file in {
        "pkg": "pkg/__init__.py",
        "pkg.part": "pkg/part.py",
        "ns.leaf": "elsewhere/ns/leaf.py",
    }.items():
        module = ModuleType(name)
        module.__file__ = str(tmp_path / file)
        monkeypatch.setitem(sys.modules, name, module)
    found = loaded_modules()
    assert {"pkg/__init__.py", "pkg/part.py", "ns/leaf.py"} <= set(found)
    assert found["ns/leaf.py"] == tmp_path / "elsewhere/ns/leaf.py"


def test_neither_the_standard_library_nor_installed_packages_nor_windlass_are_packed() -> None:
    found = [str(path) for path in loaded_modules().values()]
    assert not [path for path in found if "site-packages" in path or "/lib/python3" in path or "/sdk/src/" in path]


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    with pytest.raises(BundleError, match=r"gone\.py can't be read for the code bundle: No such file"):
        make_bundle(files_below(tmp_path))


def test_too_large_a_bundle_names_its_size_the_limit_the_largest_files_and_the_ways_out(tmp_path: Path) -> None:
    written(tmp_path, "small.py")
    (tmp_path / "noise.bin").write_bytes(random.Random(0).randbytes(LIMIT + 50_000))
    with pytest.raises(BundleError) as caught:
        make_bundle(files_below(tmp_path))
    message = str(caught.value)
    for part in (
        "949 KiB compressed",
        "the limit is 900 KiB compressed",
        "noise.bin",
        "`--store s3://bucket/windlass`",
        "`--copy auto`",
        "`--copy none`",
    ):
        assert part in message
    assert message.index("noise.bin") < message.index("small.py")


def test_a_whole_disk_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.bin").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(BundleError, match=r"has 953674 MiB in 1 files, .*\n.*huge\.bin"):
        make_bundle(files_below(tmp_path))


def test_a_bundle_up_to_the_limit_fits(tmp_path: Path) -> None:
    (tmp_path / "noise.bin").write_bytes(random.Random(0).randbytes(LIMIT - 20_000))
    assert len(make_bundle(files_below(tmp_path)).data) <= LIMIT


def large(folder: Path) -> dict[str, Path]:
    """The files of a project that no ConfigMap can hold."""
    written(folder, "flow.py")
    (folder / "noise.bin").write_bytes(random.Random(0).randbytes(LIMIT + 50_000))
    return files_below(folder)


def test_what_no_configmap_can_hold_is_for_the_store_named_by_its_content(tmp_path: Path) -> None:
    bundle = make_bundle(large(tmp_path), "s3://bucket/windlass/")
    assert bundle.archive is not None
    digest = hashlib.sha256(gzip.decompress(bundle.data)).hexdigest()
    assert bundle.reference == {"archive": {"uri": f"s3://bucket/windlass/code/{digest}.tar.gz", "sha256": digest}}
    written(tmp_path / "other", "small.py")
    small = make_bundle(files_below(tmp_path / "other"), "s3://bucket/windlass/")
    assert small.reference == {"configMap": small.name}


def test_it_is_brought_to_the_store_once_and_again_where_it_was_cut_short(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    bundle = make_bundle(large(tmp_path / "project"), f"file://{tmp_path}/store")
    assert bundle.archive is not None
    file = Path(bundle.archive["uri"].removeprefix("file://"))
    assert upload(bundle) and file.read_bytes() == bundle.data
    assert not upload(bundle)
    file.write_bytes(bundle.data[:100])
    assert upload(bundle) and file.read_bytes() == bundle.data


def test_it_may_lie_in_an_object_store(tmp_path: Path, s3_server: Any) -> None:
    bundle = make_bundle(large(tmp_path), s3_server.uri("windlass"))
    assert upload(bundle) and not upload(bundle)
    assert bundle.archive is not None
    assert s3_server.keys() == [f"windlass/code/{bundle.archive['sha256']}.tar.gz"]


def test_one_that_is_older_than_a_day_is_brought_again_so_that_it_is_not_collected_before_its_task_is_there(
    tmp_path: Path, s3_server: Any
) -> None:
    (tmp_path / "project").mkdir()
    for store in (f"file://{tmp_path}/store", s3_server.uri("windlass")):
        bundle = make_bundle(large(tmp_path / "project"), store)
        assert upload(bundle) and bundle.archive is not None
        path = bundle.archive["uri"].removeprefix("file://")
        if path.startswith("s3://"):  # the folder in which the server keeps it
            path = str(s3_server.store.folder / "objects" / path.removeprefix("s3://"))
        for age, again in ((0.9, False), (1.1, True), (0.0, False)):
            written = time.time() - age * RENEWED_AFTER
            if age:
                os.utime(path, (written, written))
            assert upload(bundle) is again, (store, age)
        assert time.time() - Path(path).stat().st_mtime < RENEWED_AFTER / 2


def test_a_store_that_does_not_take_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "store").write_text("no folder")
    bundle = make_bundle(large(tmp_path / "project"), f"file://{tmp_path}/store")
    with pytest.raises(BundleError, match=r"too large for a ConfigMap\) can't be brought to file://.*\.tar\.gz: "):
        upload(bundle)


@pytest.mark.parametrize("store", ["bucket/windlass", "s3://bucket/{namespace}"])
def test_a_store_that_is_no_address_is_refused(store: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is no address of a folder, such as s3://bucket/windlass"):
        make_bundle(large(tmp_path), store)
