"""What README.md shows of kubectl is what a person sees who types it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev import snippets
from dev.console import ROOT
from localcluster.cluster import Cluster
from tests.harness import Operator, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

_SHOWN = re.compile(r"<!-- cluster -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def without_ages(text: str) -> list[list[str]]:
    """Words, line by line; ages and the width of columns differ from run to run."""
    return [re.sub(r"\b(\d+(\.\d+)?[smh])+\b", "AGE", line).split() for line in text.splitlines()]


@pytest.fixture
def typed(cluster: Cluster, new_namespace: Callable[[Cluster], str], tmp_path: Path) -> Callable[[str], str]:
    """Types a command with a namespace of its own as the default one, where an operator works; gives what it prints."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(cluster.kubeconfig.read_text())
    variables = {**cluster.environment(), "KUBECONFIG": str(kubeconfig)}

    def type_in(command: str) -> str:
        result = subprocess.run(
            command, shell=True, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
        )
        return result.stdout + result.stderr

    type_in(f"kubectl config set-context --current --namespace={new_namespace(cluster)}")
    return type_in


def _nothing_left(typed: Callable[[str], str]) -> bool:
    pods = typed("kubectl get pods -l windlass.dev/execution=hello-1")
    closures = typed("kubectl get controllerrevisions -l windlass.dev/role=closure")
    return all("No resources found" in answer for answer in (pods, closures))


def test_the_commands_of_the_readme_print_what_it_says(
    cluster: Cluster, no_operator: None, typed: Callable[[str], str], tmp_path: Path
) -> None:
    namespace = typed("kubectl config view --minify -o jsonpath={..namespace}")
    (shown,) = _SHOWN.findall((ROOT / "README.md").read_text())
    with Operator(cluster, namespace, "--runtime-delivery", "imageVolume"):
        answers = "".join(f"{snippets.PROMPT}{one}\n{typed(one).rstrip()}\n" for one in snippets.commands(shown))
        assert "deleted" in typed("kubectl delete execution hello-1")
        wait_until(lambda: _nothing_left(typed), "what belongs to the execution to go with it")
    assert without_ages(answers) == without_ages(shown)
