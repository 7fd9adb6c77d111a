"""Container tasks on a real node: images with and without a shell, how they fail, and what else tasks can."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localcluster.cluster import Cluster
from tests.container_images import SHELL, compiled_image, shell_image
from tests.e2e.conftest import ROOT, Installed
from tests.harness import Body

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # the first test of a machine builds Kubernetes

EXAMPLE = str(ROOT / "examples" / "containers.py")


@pytest.fixture(scope="module", autouse=True)
def _images(with_windlass: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    with_windlass.load_images([shell_image(), compiled_image(tmp_path_factory.mktemp("compiled"))])


def write(folder: Path, source: str) -> str:
    """A user's file."""
    file = folder / "mine.py"
    file.write_text(f'from windlass import *\nSHELL = "{SHELL}"\n{source}')
    return str(file)


def status_of(windlass: Installed) -> Body:
    """Of the only Execution of the namespace."""
    (found,) = windlass.api.list("executions")
    status: Body = found["status"]
    return status


def test_a_program_in_bash_and_a_python_function_work_hand_in_hand(windlass: Installed) -> None:
    ran = windlass.windlass("run", EXAMPLE, "greet", "--name", "Ada", "--times", "2", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"o0": "Hello, Ada! Hello, Ada! (24)"}


def test_an_image_with_one_compiled_program_and_nothing_else_is_a_task(windlass: Installed) -> None:
    ran = windlass.windlass("run", EXAMPLE, "longest", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"o0": "programs (8)"}
    (pod,) = [one for one in windlass.api.list("pods") if "initContainers" in one["spec"]]
    assert [one["name"] for one in pod["spec"]["initContainers"]] == ["inputs", "outputs"]
    assert all(one["state"]["terminated"]["exitCode"] == 0 for one in pod["status"]["initContainerStatuses"])
    empty = windlass.windlass("run", EXAMPLE, "longest", "--text", "", "-o", "json")
    assert empty.returncode == 1
    assert "User Error: there is no word in the text" in empty.stdout + empty.stderr
