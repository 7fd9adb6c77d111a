"""``make demo``: from a bare machine to a result, step by step.

::

    input file ok? → .venv → cluster → images → chart → `windlass run … --remote` → what to try next

Whatever can be refused is refused first: nothing is built for an input that cannot be read or a cluster that cannot be
reached.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev import bootstrap, images
from dev.console import PYTHON, ROOT, StepError, environment, output, run, say, timed

EXAMPLE = "examples/wordcount.py"
WORKFLOW = "wordcount"
CHART = "charts/windlass"
RELEASE = "windlass"
NAMESPACE = "windlass-system"
DEPLOYMENT = "windlass-operator"
INPUT_BYTES = 900 * 1024  # an input travels in the Execution and to the pods in a ConfigMap; both have limits


@dataclass(frozen=True)
class Access:
    """How kubectl, helm and windlass reach the cluster, and with which values the chart suits it."""

    variables: dict[str, str]
    hint: str
    values: tuple[str, ...] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, or say what stands in the way."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--cluster", default="local")
    parser.add_argument("--name", default="default")
    parser.add_argument("--input", default="examples/data/windlass.txt")
    parser.add_argument("--registry", default="")
    chosen = parser.parse_args(arguments)
    try:
        demo(chosen.cluster, chosen.name, chosen.input, chosen.registry)
    except StepError as problem:
        say(str(problem))
        return 1
    return 0


def demo(cluster: str, name: str, text: str, registry: str) -> None:
    """Every step of the demo."""
    source = check_input(text)
    check_cluster(cluster, registry)
    bootstrap.setup(cluster=cluster == "local")
    with timed("cluster"):
        access = CLUSTERS[cluster](name)
    install(access, images.deliver(cluster, name, registry))
    command = ["windlass", "run", EXAMPLE, WORKFLOW, "--text", f"@{source}", "--remote"]
    say(shlex.join(command))
    run(command, variables=access.variables)
    print(farewell(access, cluster, name))


def check_input(name: str) -> Path:
    """The input as a path, when it is a text file that can be read and sent."""
    path = (ROOT / name).resolve()
    if not path.exists():
        raise StepError(f"INPUT={name}: there is no such file")
    if not path.is_file():
        raise StepError(f"INPUT={name}: this is no file")
    try:
        content = path.read_bytes()
        content.decode()
    except OSError as error:
        raise StepError(f"INPUT={name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StepError(f"INPUT={name} is no UTF-8 text: byte {error.start} is {content[error.start]:#04x}") from error
    if len(content) > INPUT_BYTES:
        raise StepError(
            f"INPUT={name} has {len(content)} bytes, and an input value may have {INPUT_BYTES}: take a part of it"
        )
    return path


def check_cluster(cluster: str, registry: str) -> None:
    """Refuse a kind of cluster that is unknown or out of reach, before anything is built."""
    if cluster not in CLUSTERS:
        raise StepError(f"CLUSTER={cluster}: it is one of {', '.join(CLUSTERS)}")
    if cluster != "local":
        images.require("docker", "kubectl", "helm", *(["kind"] if cluster == "kind" else []))
    if cluster == "current" and not registry:
        raise StepError("CLUSTER=current needs IMAGE_REGISTRY=…: where the cluster pulls from and you can push to")


def _local(name: str) -> Access:
    run([str(PYTHON), "-m", "localcluster", "up", "--name", name])
    kubeconfig = output([str(PYTHON), "-m", "localcluster", "kubeconfig", "--name", name]).strip()
    programs = str(Path(kubeconfig).parent / "bin")  # kubectl and helm, of the versions that suit the cluster
    variables = environment(KUBECONFIG=kubeconfig)
    variables["PATH"] = f"{programs}{os.pathsep}{variables['PATH']}"
    hint = f"export KUBECONFIG={kubeconfig} PATH={programs}:{PYTHON.parent}:$PATH"
    kept = "--reset-then-reuse-values"  # of whoever has told Windlass of a store since
    return Access(variables, hint, ("--values", f"{CHART}/values-local.yaml", kept))


def _kind(name: str) -> Access:
    if name not in output(["kind", "get", "clusters"]).split():
        run(["kind", "create", "cluster", "--name", name, "--config", "kind-config.yaml", "--wait", "120s"])
    kubeconfig = ROOT / "out" / f"kind-{name}.kubeconfig"
    kubeconfig.parent.mkdir(exist_ok=True)
    run(["kind", "export", "kubeconfig", "--name", name, "--kubeconfig", str(kubeconfig)])
    return Access(environment(KUBECONFIG=str(kubeconfig)), f"export KUBECONFIG={kubeconfig} PATH={PYTHON.parent}:$PATH")


def _current(name: str) -> Access:
    context = output(["kubectl", "config", "current-context"]).strip()
    say(f"using the current context, {context}")
    return Access(environment(), f"export PATH={PYTHON.parent}:$PATH")


CLUSTERS: dict[str, Callable[[str], Access]] = {"local": _local, "kind": _kind, "current": _current}


def install(access: Access, built: images.Images) -> None:
    """Install the chart, or upgrade to it; the operator starts anew only when its images or settings have changed."""
    command = ["helm", "upgrade", "--install", RELEASE, CHART, "--namespace", NAMESPACE, "--create-namespace"]
    command += [*access.values, "--set", f"image.reference={built.operator}", "--set", f"runtime.image={built.runtime}"]
    command += ["--set-string", f"podAnnotations.images={built.identity}", "--wait", "--timeout", "2m"]
    with timed("operator"):
        try:
            output(command, variables=access.variables)
        except StepError as problem:
            raise StepError(f"{problem}\n{_what_the_operator_says(access)}") from problem


def _what_the_operator_says(access: Access) -> str:
    looks = (
        ("kubectl", "--namespace", NAMESPACE, "get", "pods"),
        ("kubectl", "--namespace", NAMESPACE, "logs", f"deployment/{DEPLOYMENT}", "--tail=20"),
    )
    return "\n".join(_look(look, access) for look in looks)


def _look(command: Sequence[str], access: Access) -> str:
    try:
        return f"$ {shlex.join(command)}\n{output(command, variables=access.variables)}"
    except StepError as problem:
        return str(problem)


def farewell(access: Access, cluster: str, name: str) -> str:
    """What to try next."""
    away = {"local": f"make cluster-down NAME={name}", "kind": f"kind delete cluster --name {name}"}
    remove = away.get(cluster, f"helm uninstall {RELEASE} -n {NAMESPACE}")
    return f"""
That ran in a real cluster. What to try next, after

  {access.hint}

  kubectl get executions                      what ran, and how it ended
  kubectl describe execution                  each node, with its attempts and outputs
  kubectl logs -n {NAMESPACE} deploy/{DEPLOYMENT}

  make demo INPUT=README.md                   the same over a text of yours
  windlass run {EXAMPLE} {WORKFLOW} --text 'a b a'
                                              the same on this machine, without a cluster
  windlass render {EXAMPLE} -o out
                                              the manifests, for kubectl apply or Git
  {remove:<42}  removes it again

docs/guides/running.md goes on from here."""


if __name__ == "__main__":
    sys.exit(main())
