"""Images that a file describes: built by buildah, kept by the cluster's registry, pulled by its node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Installed
from tests.image_building import Buildah, write_wheel

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # the first test of a machine builds Kubernetes

FLOW = """
from windlass import ImageSpec, task, workflow

wheels = ImageSpec(
    name="wheels", builder="buildah", registry="{host}/team", base_image="{host}/python:3", copy=["wheels"]
)
image = ImageSpec(
    name="greeter",
    builder="buildah",
    registry="{host}/team",
    base_image=wheels,
    packages=["greeting==1.0"],
    pip_extra_args="--no-index --find-links /root/wheels",
    commands={commands},
)


@task(container_image=image)
def greet(name: str) -> str:
    import greeting

    return greeting.TEXT + ", " + name


@task
def plain(text: str) -> list[str]:
    try:
        import greeting
    except ImportError:
        return [text, "only that image has it"]
    return [greeting.__file__]


@workflow
def wf(name: str = "Ada") -> list[str]:
    return plain(text=greet(name=name))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a wheel in it: no package comes from the internet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "greeting", "1.0", "TEXT = 'hello from a wheel'\n")
    return tmp_path


def flow(project: Path, host: str, *commands: str) -> str:
    file = project / "greeter.py"
    file.write_text(FLOW.format(host=host, commands=list(commands)))
    return str(file)


def test_an_image_with_a_package_is_built_pushed_and_pulled_and_the_task_runs_in_it(
    windlass: Installed, buildah: Buildah, host: str, project: Path
) -> None:
    done = windlass.windlass("run", flow(project, host), "wf", "-o", "json", timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["o0"] == ["hello from a wheel, Ada", "only that image has it"]
    assert f"building {host}/team/greeter:" in done.stderr
    images = {one["spec"]["containers"][0]["image"] for one in windlass.api.list("pods")}
    assert len(images) == 2 and any(image.startswith(f"{host}/team/greeter:") for image in images)
    again = windlass.windlass("run", flow(project, host), "wf", "--name", "Bo", "-o", "json")
    assert json.loads(again.stdout)["o0"][0] == "hello from a wheel, Bo"
    assert f"not building {host}/team/greeter:" in again.stderr


def test_a_build_that_fails_is_told_and_nothing_is_sent_to_the_cluster(
    windlass: Installed, buildah: Buildah, host: str, project: Path
) -> None:
    done = windlass.windlass("run", flow(project, host, "echo gone wrong >&2; exit 3"), "wf", timeout=300)
    assert done.returncode == 1
    assert "gone wrong" in done.stderr
    assert f"windlass: the image {host}/team/greeter:" in done.stderr
    assert "`buildah build --layers …` ended with" in done.stderr and "Traceback" not in done.stderr
    assert windlass.api.list("executions") == [] and windlass.api.list("tasks") == []


DELIVERED = """
from pathlib import Path

from windlass import CopyFileDetection, ImageSpec, task, workflow

from beside import WORD

image = ImageSpec(
    name="with-code", builder="buildah", registry="{host}/team", base_image="{host}/python:3",
    source_copy_mode=CopyFileDetection.ALL,
)


@task(container_image=image)
def whole() -> list[str]:
    return [WORD, Path(__file__).with_name("data.txt").read_text(), __file__]


@task
def brought() -> list[str]:
    return [WORD, Path(__file__).with_name("data.txt").read_text()]


@workflow
def of_image() -> list[str]:
    return whole()


@workflow
def of_bundle() -> list[str]:
    return brought()
"""


def test_code_and_data_come_with_the_image_or_with_the_bundle_as_it_is_said(
    windlass: Installed, buildah: Buildah, host: str, project: Path
) -> None:
    (project / "beside.py").write_text("WORD = 'beside'\n")
    (project / "data.txt").write_text("data")
    file = project / "delivered.py"
    file.write_text(DELIVERED.format(host=host))
    done = windlass.windlass("run", str(file), "of_image", "--copy", "none", "-o", "json", timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"o0": ["beside", "data", "/root/delivered.py"]}
    assert not [one for one in windlass.api.list("tasks") if "code" in one["spec"]["python"]]
    done = windlass.windlass("run", str(file), "of_bundle", "--copy", "all", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"o0": ["beside", "data"]}
    done = windlass.windlass("run", str(file), "of_bundle", "--copy", "auto", "-o", "json")
    assert done.returncode == 1
    assert "No such file or directory" in done.stdout + done.stderr, "data is no module"
    done = windlass.windlass("run", str(file), "of_bundle", "--copy", "none", "-o", "json")
    assert done.returncode == 1
    assert "nor in the image" in done.stdout + done.stderr, "nobody has brought the code"
