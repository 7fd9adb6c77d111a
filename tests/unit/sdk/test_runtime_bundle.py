"""Reading code bundles: what Python's own tarfile writes, in each of its formats, and what must not be followed."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from windlass.runtime import bundle

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
DEEP = "/".join(["a_folder_with_a_long_name"] * 8)


def packed(entries: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz", format=form) as archive:
        for entry, content in entries:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def file(name: str, **attributes: object) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(entry, key, value)
    return entry


def unpacked(archive: bytes, folder: Path) -> dict[str, bytes]:
    source = folder / "bundle.tar.gz"
    source.write_bytes(archive)
    target = folder / "work"
    target.mkdir(exist_ok=True)
    bundle.unpack(str(source), str(target))
    return {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_files_of_any_size_and_depth_come_out_as_they_went_in(form: int, tmp_path: Path) -> None:
    files = {"a.py": b"", "b/c.py": b"x" * 511, "b/d.bin": bytes(range(256)) * 4, f"{DEEP}/e.py": b"deep"}
    archive = packed([(file(name), content) for name, content in files.items()], form)
    assert unpacked(archive, tmp_path) == files


@pytest.mark.parametrize("form", [FORMATS["gnu"], FORMATS["pax"]], ids=["gnu", "pax"])
@settings(deadline=None)  # the machine may be busy
@given(
    files=st.dictionaries(
        st.lists(st.text("abcé ☃_-.", min_size=1, max_size=90), min_size=1, max_size=3).map(
            lambda parts: "/".join(part + "x" for part in parts)
        ),
        st.binary(max_size=2000),
        max_size=5,
    )
)
def test_every_name_and_content_that_tarfile_writes_is_read_back(form: int, files: dict[str, bytes]) -> None:
    archive = packed([(file(name), content) for name, content in files.items()], form)
    read = list(bundle.entries(bundle.gunzip(archive, "here")))
    assert [(name, content) for name, _, content in read] == list(files.items())


def test_folders_and_executable_files_are_made(tmp_path: Path) -> None:
    archive = packed(
        [
            (file("empty/", type=tarfile.DIRTYPE), b""),
            (file("run.sh", mode=0o755), b"#!"),
            (file("x.py", mode=0o644), b""),
        ]
    )
    unpacked(archive, tmp_path)
    assert (tmp_path / "work" / "empty").is_dir()
    assert (tmp_path / "work" / "run.sh").stat().st_mode & 0o111
    assert not (tmp_path / "work" / "x.py").stat().st_mode & 0o111


def test_gzip_data_in_several_parts_is_one(tmp_path: Path) -> None:
    archive = gzip.decompress(packed([(file("a.py"), b"a" * 5000)]))
    assert unpacked(gzip.compress(archive[:700]) + gzip.compress(archive[700:]), tmp_path) == {"a.py": b"a" * 5000}


@pytest.mark.parametrize("name", ["../out.py", "a/../../out.py", "/etc/out.py", "a/.."])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(bundle.BundleError, match="leads out of the work folder") as refused:
        unpacked(packed([(file(name), b"x")]), tmp_path)
    assert refused.value.by_user
    assert not (tmp_path / "out.py").exists()


@pytest.mark.parametrize(
    ("kind", "words"),
    [(tarfile.SYMTYPE, "is a symbolic link"), (tarfile.LNKTYPE, "is a hard link"), (tarfile.CHRTYPE, "is neither")],
)
def test_links_and_devices_are_refused(kind: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(bundle.BundleError, match=f"a.py in the code bundle {words}"):
        unpacked(packed([(file("a.py", type=kind, linkname="/etc/passwd"), b"")]), tmp_path)


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (b"no gzip at all", "is not gzip data"),
        (packed([(file("a.py"), b"x" * 99)])[:60], "ends in the middle of its gzip data"),
        (gzip.compress(b"not a tar archive" * 99), "is not a tar archive, or is damaged"),
        (gzip.compress(gzip.decompress(packed([(file("a.py"), b"x" * 99)]))[:560]), "ends in the middle of a file"),
    ],
    ids=["not gzip", "cut gzip", "not tar", "cut tar"],
)
def test_damaged_bundles_say_what_is_wrong(archive: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(bundle.BundleError, match=words) as refused:
        unpacked(archive, tmp_path)
    assert not refused.value.by_user


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=600))
def test_no_bytes_make_it_raise_anything_else(content: bytes) -> None:
    with contextlib.suppress(bundle.BundleError):
        bundle.gunzip(content, "here")
    with contextlib.suppress(bundle.BundleError):
        list(bundle.entries(content))


def test_a_bundle_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(bundle.BundleError, match=r"can't be read: .*gone.tar.gz"):
        bundle.unpack(str(tmp_path / "gone.tar.gz"), str(tmp_path))
