"""Images are built by a real buildah, pushed to a real registry, and hold what their specs say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localcluster.image_registry import Registry
from tests.image_building import Buildah, write_wheel
from tests.integration.images.conftest import Index
from windlass._image.builders import ImageBuildError, build, judged
from windlass._image.spec import CopyFileDetection, ImageSpec

pytestmark = pytest.mark.timeout(240)  # several builds in a test, on a machine that may have more to do


class Specs:
    """Makes specs of a test's own: a name, the base, the registry and the builder are given."""

    def __init__(self, name: str, base: str, registry: str) -> None:
        self._defaults = {"name": name, "base_image": base, "registry": registry, "builder": "buildah"}

    def __call__(self, **fields: Any) -> ImageSpec:
        return ImageSpec(**{**self._defaults, **fields})


@pytest.fixture
def spec(registry: Registry, buildah: Buildah, base: str, request: pytest.FixtureRequest) -> Specs:
    """See `Specs`."""
    name = request.node.name.removeprefix("test_")[:60].strip("_")
    return Specs(name, base, f"{registry.host}/team")


def test_an_image_holds_what_its_spec_says(spec: Specs, buildah: Buildah, project: Path) -> None:
    (project / "data").mkdir()
    (project / "data" / "words.txt").write_text("one two\n")
    (project / "data" / "words.txt").chmod(0o600)
    wanted = spec(
        env={"GREETING": 'say "hi" \\ to $LANG, for \\$5'},
        copy=["data"],
        commands=["echo first > /opt/order", "for n in second third; do\n  echo $n >> /opt/order\ndone"],
        entrypoint=["/usr/bin/env"],
    )
    image = build(wanted)
    assert image == wanted.image_name()
    assert buildah.run(image, "cat", "/opt/order").split() == ["first", "second", "third"]
    assert buildah.run(image, "printenv", "GREETING") == 'say "hi" \\ to C.UTF-8, for $5'
    assert buildah.run(image, "cat", "/root/data/words.txt") == "one two"  # as nobody, who may read it
    assert buildah.run(image, "id", "-u") == "65532"
    assert buildah.run(image, "pwd") == "/root"
    assert buildah.config(image)["Entrypoint"] == ["/usr/bin/env"]
    assert buildah.run(image, "printenv", "WINDLASS_IMAGE_ID") == wanted.id


def test_is_container_tells_the_image_of_the_spec_from_others(
    spec: Specs, buildah: Buildah, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a module in a pod asks: the id that it computes there, and the one that the image was built with."""
    image, other = spec(commands=["true"]), spec(commands=["false"])
    name = build(image)
    monkeypatch.setenv("WINDLASS_TASK", "{}")
    monkeypatch.setenv("WINDLASS_IMAGE_ID", buildah.run(name, "printenv", "WINDLASS_IMAGE_ID"))
    assert image.is_container() and not other.is_container()


def test_packages_come_from_an_index_that_wants_a_password_which_is_not_in_the_image(
    spec: Specs, buildah: Buildah, index: Index
) -> None:
    wanted = spec(
        packages=["greeting>=1"],
        pip_index=index.url,
        pip_secret_mounts=[(str(index.netrc), "/root/.netrc")],
    )
    image = build(wanted)
    assert buildah.run(image, "python3", "-c", "import greeting; print(greeting.TEXT)") == "hello from a wheel"
    left = buildah.run(image, "sh", "-c", "cat /root/.netrc 2>&1 || true", user="0")
    assert left in ("", "cat: /root/.netrc: No such file or directory")


def test_a_requirements_file_brings_the_files_that_it_includes(spec: Specs, buildah: Buildah, project: Path) -> None:
    (project / "wheels").mkdir()
    write_wheel(project / "wheels", "greeting", "1.0", "TEXT = 'one'\n")
    write_wheel(project / "wheels", "greeting", "2.0", "TEXT = 'two'\n")
    (project / "requirements.txt").write_text("-r more.txt\n")
    (project / "more.txt").write_text("-c limits.txt\ngreeting  # which one, the limits say\n")
    (project / "limits.txt").write_text("greeting<2\n")
    wheels = spec(name="wheels", copy=["wheels"])
    wanted = spec(
        base_image=wheels,
        requirements="requirements.txt",
        pip_extra_args="--no-index --find-links /root/wheels",
    )
    before = build(wanted)
    assert buildah.run(before, "python3", "-c", "import greeting; print(greeting.TEXT)") == "one"
    (project / "limits.txt").write_text("greeting<3\n")
    after = build(wanted)
    assert after != before
    assert buildah.run(after, "python3", "-c", "import greeting; print(greeting.TEXT)") == "two"


def test_a_program_of_the_project_runs_from_the_image(spec: Specs, buildah: Buildah, project: Path) -> None:
    (project / "app").mkdir()
    (project / "app" / "__init__.py").write_text("")
    (project / "app" / "__main__.py").write_text("from app.words import WORDS\nprint(WORDS)\n")
    (project / "app" / "words.py").write_text("WORDS = 'from the image'\n")
    wanted = spec(
        source_root=".",
        source_copy_mode=CopyFileDetection.ALL,
    )
    assert buildah.run(build(wanted), "python3", "-m", "app") == "from the image"


def test_conda_packages_come_with_a_python_of_their_own_which_comes_first(
    spec: Specs, buildah: Buildah, base: str
) -> None:
    """With a stand-in for micromamba, since conda's packages are in the internet: how the stages join is real."""
    first = spec(
        python_version="3.12",
        conda_packages=["numpy"],
        builder_config={"micromamba_image": base},
    )
    image = build(first)
    assert buildah.run(image, "sh", "-c", "command -v python3") == "/opt/windlass/python/bin/python3"
    second = spec(
        base_image=first,
        conda_packages=["scipy"],
        conda_channels=["bioconda", "conda-forge"],
        builder_config={"micromamba_image": base},
    )
    calls = buildah.run(build(second), "cat", "/opt/windlass/python/calls").splitlines()
    assert calls == [
        "create --yes --prefix /opt/windlass/python --channel conda-forge python=3.12 pip numpy",
        "install --yes --prefix /opt/windlass/python --channel bioconda --channel conda-forge python=3.12 pip scipy",
    ]


def test_an_image_that_exists_is_not_built_again_unless_that_is_forced(
    spec: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[bool, str]] = []
    image = spec()
    assert image.exist() is False
    for wanted in (image, image, image.force_push()):
        build(wanted, report=lambda _, verdict: told.append(verdict))
    assert image.exist() is True
    assert told == [(True, "it does not exist"), (False, "it exists"), (True, "that is forced")]
    monkeypatch.setenv("WINDLASS_FORCE_PUSH_IMAGE_SPEC", "1")
    assert judged(image).needed


def test_the_base_that_is_a_spec_is_built_first(spec: Specs, buildah: Buildah) -> None:
    lower = spec(commands=["echo lower > /opt/lower"])
    upper = spec(name="upper", base_image=lower, commands=["echo upper > /opt/upper"])
    order: list[str] = []
    image = build(upper, report=lambda name, _: order.append(name))
    assert order == [lower.image_name(), upper.image_name()]
    assert buildah.run(image, "cat", "/opt/lower", "/opt/upper").split() == ["lower", "upper"]


def test_an_image_without_a_registry_stays_on_this_machine(spec: Specs, buildah: Buildah) -> None:
    local = spec(registry=None, commands=["true"])
    assert local.exist() is False
    build(local)
    assert local.exist() is True
    upper = spec(name="upper", base_image=local, registry=None, commands=["echo it > /opt/it"])
    assert buildah.run(build(upper), "cat", "/opt/it") == "it"


def test_a_build_that_fails_says_so_and_leaves_nothing(
    spec: Specs, buildah: Buildah, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = spec(commands=["echo this is what went wrong >&2; exit 3"])
    with pytest.raises(ImageBuildError, match=r"`buildah build --layers …` ended with"):
        build(broken)
    assert "this is what went wrong" in capfd.readouterr().err
    assert broken.exist() is False
    assert buildah.containers() == ""


def test_options_reach_the_builder(spec: Specs, buildah: Buildah) -> None:
    image = build(spec(builder_options={"label": ["team=forecast", "tier=two"], "layers": False}))
    labels = buildah.config(image)["Labels"]
    assert isinstance(labels, dict)
    assert (labels["team"], labels["tier"]) == ("forecast", "two")


def test_the_command_builds_what_a_file_describes_and_prints_the_names(
    spec: Specs, buildah: Buildah, project: Path
) -> None:
    image = spec(builder=None, commands=["true"])
    (project / "flow.py").write_text(f"from windlass._image import ImageSpec\nimage = {image!r}\n")
    done = windlass("build", "flow.py", "--builder", "buildah")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == image.image_name()
    assert "it does not exist" in done.stderr
    again = windlass("build", "flow.py", "image", "--builder", "buildah")
    assert again.returncode == 0 and "not building" in again.stderr
    assert again.stdout == done.stdout


def windlass(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "windlass._cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=dict(os.environ))
