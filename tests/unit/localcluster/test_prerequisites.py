"""A missing prerequisite is named together with what brings it."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcluster import prerequisites, rootfs, toolchain
from localcluster.errors import LocalClusterError
from localcluster.prerequisites import Prerequisite

ABSENT = Prerequisite("no-such-program", "some-package", "does what nothing else does")


def test_what_is_absent_is_missing_and_what_is_present_is_not() -> None:
    assert prerequisites.missing([ABSENT, Prerequisite("sh", "dash", "is everywhere")]) == [ABSENT]


def test_a_plugin_is_looked_for_in_its_folders_only(tmp_path: Path) -> None:
    plugin = Prerequisite("sh", "plugins", "is a plugin here", (tmp_path,))
    assert not plugin.present()
    (tmp_path / "sh").touch(mode=0o755)
    assert plugin.present()


def test_the_message_says_what_for_and_how_to_install() -> None:
    with pytest.raises(LocalClusterError) as caught:
        prerequisites.require([ABSENT])
    assert "does what nothing else does" in str(caught.value)
    assert "apt-get install -y --no-install-recommends some-package" in str(caught.value)


def test_a_package_is_named_once_however_many_programs_it_has() -> None:
    twice = [Prerequisite("one", "package", ""), Prerequisite("two", "package", "")]
    assert prerequisites.install_command(twice).endswith("--no-install-recommends package")


def test_what_cannot_be_installed_here_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LocalClusterError, match="needs root and apt-get"):
        prerequisites.install_prerequisites([ABSENT])


def test_nothing_is_installed_when_nothing_is_missing() -> None:
    assert prerequisites.install_prerequisites([Prerequisite("sh", "dash", "")]) == []


def test_a_node_asks_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(prerequisites, "NODE", ())
    monkeypatch.setattr(prerequisites, "CONTROL_PLANE", ())
    prerequisites.check(node=False)
    with pytest.raises(LocalClusterError, match="a node needs root"):
        prerequisites.check(node=True)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.24 linux/amd64", (1, 24, 0)),
        ("go version devel +abc linux/amd64", (0, 0, 0)),
    ],
)
def test_the_version_of_go_is_read(text: str, version: tuple[int, int, int]) -> None:
    assert toolchain.parse_version(text) == version


def test_the_compiler_is_new_enough_for_every_module() -> None:
    for module in ("kubernetes", "containerd", "registry"):
        text = (Path(toolchain.__file__).parent / module / "go.mod").read_text()
        [needed] = [line.split()[1] for line in text.splitlines() if line.startswith("go ")]
        assert toolchain.parse_version(f"go{needed}") <= toolchain.NEEDED


def test_the_mirror_is_the_one_with_our_suite_before_any_other_of_debian() -> None:
    ours = ("mirror-of-ours", "bookworm", "")
    other = ("mirror-of-other", "trixie", "Debian")
    security = ("mirror-of-security", "trixie-security", "Debian")
    assert rootfs.choose_mirror([other, ours]) == "mirror-of-ours"
    assert rootfs.choose_mirror([security, other]) == "mirror-of-other"
    assert rootfs.choose_mirror([("elsewhere", "stable", "Somebody")]) is None
