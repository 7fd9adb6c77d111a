"""From Python to the cluster and back: nothing is lost on the way, nothing added.

    SDK ──► manifests ──► models ──► manifests         the same again, for every example and for made-up workflows
    manifests ──apply──► API server ──get──► spec      the same again: the kinds have no defaults that it fills in
    apply ──► apply again                              no new generation, not even a new resourceVersion

Applied with the SDK's own client, as `windlass run --remote` does it. And the sizes that docs/guides/running.md
promises: the largest workflow goes all the way, the next larger one is refused with those words.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from localcluster.cluster import Cluster
from tests.properties.test_sdk_workflows import Steps, made_up, steps
from windlass import _emit, _remote, task, workflow
from windlass._cli import _yaml
from windlass._remote import objects as remote_objects
from windlass_api import names
from windlass_api.manifests_check import MAX_SIZE, validate_manifests
from windlass_api.v1alpha1.kinds import KINDS

pytestmark = pytest.mark.control_plane

Manifest = dict[str, Any]

ROOT = Path(__file__).parents[2]
MODELS = {model.__name__: model for model in KINDS}
RUNS_HERE_ONLY = {"eager"}
EXAMPLES = sorted({path.stem for path in (ROOT / "examples").glob("*.py")} - RUNS_HERE_ONLY)

RENDER_ALL = """
import sys
from windlass._cli import main

folder, *examples = sys.argv[1:]
sys.exit(max(main(["render", f"{example}.py", "-o", f"{folder}/{example}"]) for example in examples))
"""


@pytest.fixture
def remote(control_plane: Cluster, new_namespace: Callable[[Cluster], str]) -> _remote.Cluster:
    """A namespace of the API server as the SDK speaks to it."""
    namespace = new_namespace(control_plane)
    return _remote.connect(kubeconfig=str(control_plane.kubeconfig), context=None, namespace=namespace)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """What the examples render to, read from the files, and what is written by hand."""
    folder = tmp_path_factory.mktemp("rendered")
    command = [sys.executable, "-c", RENDER_ALL, str(folder), *EXAMPLES]
    done = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    by_hand = sorted((ROOT / "examples" / "manifests").glob("*.yaml"))
    objects = [one for file in [*sorted(folder.glob("*/*.yaml")), *by_hand] for one in read(file.read_text("utf-8"))]
    return [one for one in objects if one["kind"] != "Kustomization"]


def read(text: str) -> list[Manifest]:
    """The documents of a stream, as kubectl sends them: through JSON."""
    return [json.loads(json.dumps(one)) for one in yaml.safe_load_all(text)]


def modelled(manifest: Manifest) -> Manifest:
    """A manifest by way of its model."""
    parsed = MODELS[manifest["kind"]].model_validate(manifest)
    return parsed.model_dump(by_alias=True, exclude_unset=True)


def data_of(manifest: Mapping[str, Any]) -> Any:
    if manifest["kind"] == "ConfigMap":  # base64 written by hand may be broken into lines
        return {name: base64.b64decode(text) for name, text in manifest["binaryData"].items()}
    return manifest["spec"]


def applied_twice(remote: _remote.Cluster, manifests: list[Manifest]) -> list[str]:
    """What is wrong after the objects were applied, read back and applied again."""
    first = {key(one): one for one in _remote.apply(remote, manifests)}
    again = {key(one): one for one in _remote.apply(remote, manifests)}
    wrong = []
    for manifest in manifests:
        kind, name = key(manifest)
        kept = remote_objects.get(remote, kind, name, remote.namespace)
        if data_of(kept) != data_of(manifest):
            wrong.append(f"{kind} {name} is read back as something else")
        before, after = first[kind, name]["metadata"], again[kind, name]["metadata"]
        if (before.get("generation"), before["resourceVersion"]) != (after.get("generation"), after["resourceVersion"]):
            wrong.append(f"{kind} {name} is changed by the second apply")
    return wrong


def key(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def test_the_examples_survive_the_models_unchanged(rendered: list[Manifest]) -> None:
    ours = [one for one in rendered if one["kind"] in MODELS]
    assert {one["kind"] for one in ours} == {"ActorEnvironment", "Execution", "LaunchPlan", "Task", "Workflow"}
    assert [modelled(one) for one in ours] == ours


def test_the_examples_are_read_back_as_they_were_and_applying_again_changes_nothing(
    remote: _remote.Cluster, rendered: list[Manifest]
) -> None:
    distinct = list({key(one): one for one in rendered if "name" in one["metadata"]}.values())
    assert len(distinct) > 100
    assert applied_twice(remote, distinct) == []


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=steps)
def test_made_up_workflows_are_read_back_as_they_were(remote: _remote.Cluster, plan: Steps) -> None:
    emitted = _emit.manifests(_emit.complete([made_up(plan)]))
    written = read(_yaml.dump(emitted))
    assert written == emitted == [modelled(one) for one in written]
    assert applied_twice(remote, written) == []


# ---- sizes ----


@task
def step(previous: int, label: str = "") -> int:
    return previous + 1


def chain(length: int, label: str = "") -> list[Manifest]:
    """The objects of a workflow of so many nodes, each fed by the one before."""

    @workflow
    def long_chain(start: int) -> int:
        for number in range(length):
            start = step(previous=start, label=f"{number:04}{label}")
        return start

    return read(_yaml.dump(_emit.manifests(_emit.complete([long_chain]))))


def problems(manifests: list[Manifest]) -> list[str]:
    return [str(finding) for _, finding in validate_manifests(manifests)]


def refusal(remote: _remote.Cluster, manifests: list[Manifest]) -> str:
    with pytest.raises(_remote.RemoteError) as error:
        _remote.apply(remote, manifests)
    return str(error.value)


def test_a_workflow_of_a_thousand_nodes_goes_all_the_way(remote: _remote.Cluster) -> None:
    manifests = chain(1000)
    assert problems(manifests) == []
    size = len(names.canonical_json(manifests[-1]))
    print(f"a workflow of 1,000 nodes has {size:,} bytes; {MAX_SIZE:,} are allowed")
    assert size < MAX_SIZE // 4
    assert [modelled(one) for one in manifests] == manifests
    assert applied_twice(remote, manifests) == []


def test_one_node_more_is_refused_here_and_there(remote: _remote.Cluster) -> None:
    manifests = chain(1001)
    assert problems(manifests) == ["spec.nodes: 1001 entries, at most 1000 are allowed"]
    assert "spec.nodes: Too many: 1001: must have at most 1000 items" in refusal(remote, manifests)


def test_an_object_that_is_too_large_is_refused_here_and_there(remote: _remote.Cluster) -> None:
    manifests = chain(1000, label="x" * 1500)
    size = len(names.canonical_json(manifests[-1]))
    assert size > 1.5 * MAX_SIZE
    says = f"the object has {size} bytes, at most {MAX_SIZE} are allowed; divide it, or pass data by reference"
    assert problems(manifests) == [says]
    assert "request is too large" in refusal(remote, manifests)


# ---- kubectl explain ----


@pytest.fixture(scope="module")
def documented(control_plane: Cluster) -> dict[str, Any]:
    """What the API server publishes of the kinds, and `kubectl explain` reads: schemas by their full name."""
    schemas = json.loads(control_plane.kubectl("get", "--raw", f"/openapi/v3/apis/{names.API_VERSION}"))
    found: dict[str, Any] = schemas["components"]["schemas"]
    return found


def fields_below(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields_below(field, f"{path}.{name}")
    for part in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, Mapping):
            yield from fields_below(part, path)


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_kubectl_explain_tells_what_every_field_means(
    control_plane: Cluster, documented: dict[str, Any], kind: str
) -> None:
    own = next(schema for name, schema in documented.items() if name.endswith(f".{kind}"))
    fields = dict(fields_below({"properties": {"spec": own["properties"]["spec"]}}, kind.lower()))
    mute = [path for path, field in fields.items() if not field.get("description", "").rstrip().endswith((".", ")"))]
    assert mute == []
    explained = control_plane.kubectl(
        "explain", f"{kind.lower()}.spec", "--recursive", f"--api-version={names.API_VERSION}"
    )
    shown = {line.split("\t")[0].strip() for line in explained.splitlines() if "\t" in line}
    assert {path.rpartition(".")[2] for path in fields} - {"spec"} <= shown
    assert "<no description>" not in explained and "<empty>" not in explained


def test_the_nodes_of_a_workflow_read_like_documentation(control_plane: Cluster) -> None:
    told = control_plane.kubectl("explain", "workflow.spec.nodes")
    for field in ("id", "name", "task", "workflow", "launchPlan", "select", "approve", "inputs", "when", "overrides"):
        assert f"\n  {field}\t" in told
    assert "<empty>" not in told and "<no description>" not in told
