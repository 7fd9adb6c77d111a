"""Images are the same wherever and whenever they are packed."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from localcluster import catalog
from localcluster.images import (
    Blob,
    Configuration,
    Image,
    pack_layer,
    packed_layer,
    save_archive,
    write_archive,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


def make_tree(root: Path) -> Path:
    (root / "b" / "deep").mkdir(parents=True)
    (root / "a").write_text("first")
    (root / "b" / "deep" / "file").write_text("second")
    (root / "b" / "link").symlink_to("../a")
    os.link(root / "a", root / "b" / "same")
    return root


def entries(layer: Blob) -> dict[str, tarfile.TarInfo]:
    assert isinstance(layer.source, Path)
    with tarfile.open(layer.source) as tar:
        return {info.name: info for info in tar.getmembers()}


def test_the_same_content_has_the_same_digest_whatever_its_times(tree: Path, tmp_path: Path) -> None:
    first = pack_layer(tree, tmp_path / "first.tar")
    other = make_tree(tmp_path / "later")
    os.utime(other / "a", (1, 1))
    assert pack_layer(other, tmp_path / "second.tar").digest == first.digest


def test_other_content_has_another_digest(tree: Path, tmp_path: Path) -> None:
    first = pack_layer(tree, tmp_path / "first.tar")
    (tree / "a").write_text("changed")
    assert pack_layer(tree, tmp_path / "second.tar").digest != first.digest


def test_entries_are_sorted_and_carry_neither_time_nor_owner(tree: Path, tmp_path: Path) -> None:
    found = entries(pack_layer(tree, tmp_path / "layer.tar"))
    assert list(found) == ["a", "b", "b/deep", "b/deep/file", "b/link", "b/same"]
    for info in found.values():
        assert (info.mtime, info.uid, info.gid, info.uname) == (0, 0, 0, "")


def test_links_stay_links(tree: Path, tmp_path: Path) -> None:
    found = entries(pack_layer(tree, tmp_path / "layer.tar"))
    assert found["b/link"].issym()
    assert found["b/link"].linkname == "../a"
    assert found["b/same"].islnk()
    assert found["b/same"].linkname == "a"


def test_a_prefix_puts_everything_below_folders_of_that_name(tree: Path, tmp_path: Path) -> None:
    found = entries(pack_layer(tree, tmp_path / "layer.tar", prefix="opt/app"))
    assert list(found)[:3] == ["opt", "opt/app", "opt/app/a"]
    assert found["opt/app/b/same"].linkname == "opt/app/a"


def test_a_device_has_no_place_in_a_layer(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    os.mkfifo(root / "pipe")
    with pytest.raises(ValueError, match="neither file, folder nor link"):
        pack_layer(root, tmp_path / "layer.tar")


def test_a_layer_is_found_again_only_when_it_is_complete(tree: Path, tmp_path: Path) -> None:
    target = tmp_path / "layer.tar"
    assert packed_layer(target) is None
    target.write_bytes(b"interrupted")
    assert packed_layer(target) is None
    packed = pack_layer(tree, target)
    assert packed_layer(target) == packed


def test_an_archive_has_each_layer_once_and_each_name(tree: Path, tmp_path: Path) -> None:
    layer = pack_layer(tree, tmp_path / "layer.tar")
    images = [
        Image(("one:1", "two:2"), (layer,)),
        Image(("three:3",), (layer,), Configuration(user="7")),
    ]
    save_archive(images, tmp_path / "archive.tar")
    with tarfile.open(tmp_path / "archive.tar") as tar:
        names = tar.getnames()
        index = json.loads(tar.extractfile("index.json").read())  # type: ignore[union-attr] # it is a file
    assert names.count("blobs/" + layer.digest.replace(":", "/")) == 1
    assert [one["annotations"]["io.containerd.image.name"] for one in index["manifests"]] == [
        "one:1",
        "two:2",
        "three:3",
    ]


def test_archives_are_the_same_byte_for_byte(tree: Path, tmp_path: Path) -> None:
    image = Image(("one:1",), (pack_layer(tree, tmp_path / "layer.tar"),))
    written = []
    for _ in range(2):
        target = io.BytesIO()
        write_archive([image], target)
        written.append(target.getvalue())
    assert written[0] == written[1]


def test_the_operators_dependencies_are_those_that_are_not_built_here() -> None:
    operator = '[project]\nname = "o"\ndependencies = ["windlass==0.1.0", "Windlass_Operator", "kopf>=1.45"]'
    sdk = '[project]\nname = "s"\ndependencies = ["pydantic>=2.7", "windlassery"]'
    assert catalog.foreign_requirements([operator, sdk]) == [
        "kopf>=1.45",
        "pydantic>=2.7",
        "windlassery",
    ]
