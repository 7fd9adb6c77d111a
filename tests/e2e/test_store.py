"""The store in a cluster: values, files and decks travel by a real S3 server and by a shared volume."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcluster import object_store
from localcluster.cluster import Cluster
from tests.e2e import cloud
from tests.e2e.conftest import SYSTEM, Installed, install
from tests.e2e.store import flows, shapes
from tests.harness import Body, task, wait_until
from tests.image_building import Buildah, index_of
from windlass_api import names
from windlass_api.stored import any_in, stored

boto3 = pytest.importorskip("boto3")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

FLOWS, SHAPES = Path(flows.__file__), Path(shapes.__file__)
MOUNT = "/var/run/windlass/store"
BUCKET = "windlass"


@dataclass(frozen=True)
class WithStore:
    """Windlass with a store, and a namespace that may use it."""

    installed: Installed
    variables: dict[str, str]
    client: Any

    def cli(self, *words: str, timeout: float = 180.0) -> subprocess.CompletedProcess[str]:
        """What `windlass` does here, in the namespace."""
        environment = {**os.environ, **self.variables, "KUBECONFIG": str(self.installed.cluster.kubeconfig)}
        command = [sys.executable, "-m", "windlass._cli", *words, "--namespace", self.installed.namespace]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)

    def run(
        self, workflow: str, *arguments: str, file: Path = FLOWS, timeout: float = 180.0
    ) -> tuple[Body, subprocess.CompletedProcess[str]]:
        """A run as the CLI makes it; its Execution when it has ended, and what was printed."""
        known = {one["metadata"]["name"] for one in self.installed.api.list("executions")}
        done = self.cli("run", str(file), workflow, *arguments, "-o", "json", "--remote", timeout=timeout)
        found = self.installed.api.list("executions")
        (body,) = (
            one for one in found
            if one["metadata"]["name"] not in known and not one["metadata"].get("ownerReferences")
        )  # fmt: skip
        return body, done

    def objects(self) -> dict[str, int]:
        """What is in the store: sizes by key."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=self.installed.namespace)
        return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", ())}


@pytest.fixture(scope="module")
def store(with_windlass: Cluster) -> Iterator[object_store.ObjectStore]:
    """The cluster's store, and Windlass told of it."""
    kept = with_windlass.keep_store()
    with_windlass.kubectl("-n", SYSTEM, "apply", "-f", "-", stdin=json.dumps(_keys(kept)))
    _install(with_windlass, kept)
    yield kept
    install(with_windlass)


def _install(cluster: Cluster, store: object_store.ObjectStore) -> None:
    install(
        cluster,
        *_values(store),
        "store.secret=windlass-store",
        "store.volume.persistentVolumeClaim.claimName=windlass-store",
        "logs.capture=true",
        "logs.containers.enabled=true",
        "networkPolicy.enabled=true",
        "store.collect.enabled=true",
        "store.collect.schedule=0 0 30 2 *",  # never: a test says when
    )


def _values(store: object_store.ObjectStore) -> tuple[str, ...]:
    """Where the store is, for the chart, as people are told it."""
    values = json.loads(store.chart_values())["store"]
    assert (values.pop("secret"), values.pop("pathStyle")) == ("windlass-store", True)
    return (*(f"store.{name}={value}" for name, value in values.items()), "store.pathStyle=true")


@pytest.fixture
def with_store(
    store: object_store.ObjectStore, with_windlass: Cluster, new_namespace: Callable[[Cluster], str]
) -> WithStore:
    """A namespace with the Secret and the claim, where only restricted pods may run."""
    namespace = new_namespace(with_windlass)
    with_windlass.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    installed = Installed(with_windlass, namespace)
    variables = store.environment()
    installed.api.create("secrets", _keys(store))
    _volume(installed)
    client = boto3.client(
        "s3", endpoint_url=store.endpoint, region_name=store.region,
        aws_access_key_id=store.access_key, aws_secret_access_key=store.secret_key,
    )  # fmt: skip
    return WithStore(installed, variables, client)


def _keys(store: object_store.ObjectStore) -> Body:
    variables = store.environment()
    keys = {name: variables[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "windlass-store"}, "stringData": keys}


def _volume(installed: Installed) -> None:
    """A folder of the node as a volume, claimed by the namespace."""
    folder = f"/var/tmp/{installed.namespace}"
    subprocess.run(installed.cluster.node.enter("mkdir", "-p", folder), check=True)
    name, modes = installed.namespace, ["ReadWriteMany"]
    node = {"key": "kubernetes.io/hostname", "operator": "Exists"}
    spec = {
        "capacity": {"storage": "1Gi"}, "accessModes": modes, "storageClassName": name, "local": {"path": folder},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [node]}]}},
    }  # fmt: skip
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
    installed.kubectl("apply", "-f", "-", stdin=json.dumps(volume))
    claim = {"accessModes": modes, "storageClassName": name, "resources": {"requests": {"storage": "1Gi"}}}
    installed.api.create("persistentvolumeclaims", {"metadata": {"name": "windlass-store"}, "spec": claim})


LINES = 2000
TEXT = flows.noise(LINES)


def test_values_of_any_size_go_from_pod_to_pod_by_the_store(with_store: WithStore) -> None:
    run, done = with_store.run("values", "--lines", str(LINES))
    assert run["status"]["phase"] == "Succeeded", done.stderr
    outputs = json.loads(done.stdout)
    assert outputs["o0"] == outputs["o2"] == len(TEXT) == 129_999
    assert outputs["o1"] == 3 * len(TEXT), "each element of the map read its own part of the list"
    assert outputs["o3"] == 64
    assert outputs["o4"] == TEXT, "this machine has access, and reads it"
    assert outputs["o5"] == [len(flows.noise(200))] * 3
    told = stored(run["status"]["outputs"]["o4"])
    assert told is not None
    assert told.size > 120_000
    assert told.uri.startswith(f"s3://{BUCKET}/{with_store.installed.namespace}/{run['metadata']['name']}.")
    assert len(json.dumps(run["status"])) < 16_000


def test_files_folders_and_decks_lie_in_the_store(with_store: WithStore, tmp_path: Path) -> None:
    run, done = with_store.run("files", "--word", "hello")
    assert run["status"]["phase"] == "Succeeded", done.stderr
    assert json.loads(done.stdout) == {"o0": "hello", "o1": 2, "o2": "hello", "o3": "hello"}
    (node,) = (name for name, one in run["status"]["nodes"].items() if one.get("deck"))
    deck = run["status"]["nodes"][node]["deck"]
    key = deck.removeprefix(f"s3://{BUCKET}/")
    assert key in with_store.objects()
    assert b"&lt;b&gt;hello&lt;/b&gt;" in with_store.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    name = run["metadata"]["name"]
    folder = f"{with_store.installed.namespace}/{name}.{run['metadata']['uid']}/"
    assert all(key.startswith(folder) for key in with_store.objects())
    with_store.installed.kubectl("delete", "pods", "--all", "--wait=true")
    kept = with_store.cli("deck", name, node, "--save", str(tmp_path / "deck.html"))
    assert kept.returncode == 0, kept.stderr
    assert "&lt;b&gt;hello&lt;/b&gt;" in (tmp_path / "deck.html").read_text(), "it outlives its pod"


def test_files_inside_of_values_checkpoints_and_contents_as_cache_keys_are_as_locally(
    with_store: WithStore, tmp_path: Path
) -> None:
    place = f"s3://{BUCKET}/{with_store.installed.namespace}/mine"
    words = json.dumps(["ab", "cde", "f"])
    run, done = with_store.run("shapes", "--words", words, "--place", place, file=SHAPES)
    assert run["status"]["phase"] == "Succeeded", done.stderr
    outputs = json.loads(done.stdout)
    assert outputs == _local(tmp_path, "shapes", "--words", words, "--place", str(tmp_path / "mine"))
    assert outputs["o0"] == ["ab cd", "streamed ab", "f", "streamed ab"]
    assert _text(with_store, f"{place}/exactly/here.txt") == "ab cde f"
    again, done = with_store.run("shapes", "--words", words, "--place", place, file=SHAPES)
    (costly,) = (one for one in again["status"]["nodes"].values() if "cache" in one)
    assert costly["cache"]["state"] == "Hit", "another file, with the same content"
    stepwise, done = with_store.run("steps", file=SHAPES)
    assert json.loads(done.stdout) == {"o0": [0, 1, 2]} == _local(tmp_path, "steps"), done.stderr
    assert stepwise["status"]["nodes"]["n0"]["attempt"] == 2


def _local(folder: Path, *words: str) -> Body:
    """The outputs of a run on this machine."""
    command = [sys.executable, "-m", "windlass._cli", "run", str(SHAPES), *words, "-o", "json"]
    found: Body = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=folder).stdout)
    return found


def test_a_task_that_fails_leaves_its_deck(with_store: WithStore) -> None:
    run, done = with_store.run("broken", "--word", "oh")
    assert done.returncode == 1
    assert "&lt;i&gt;oh&lt;/i&gt;" in _text(with_store, run["status"]["nodes"]["n0"]["deck"])


def test_a_shared_volume_is_a_store_too(with_store: WithStore) -> None:
    run, _ = with_store.run("files", "--word", "by volume")
    again = {"metadata": {"name": "by-volume"}, "spec": {**run["spec"], "rawOutputPrefix": f"file://{MOUNT}/mine"}}
    with_store.installed.api.create("executions", {"apiVersion": run["apiVersion"], "kind": "Execution", **again})
    status = with_store.installed.api.finished("by-volume", timeout=120)
    assert status["phase"] == "Succeeded", status
    assert status["outputs"] == {"o0": "by volume", "o1": 2, "o2": "by volume", "o3": "by volume"}
    (deck,) = (one["deck"] for one in status["nodes"].values() if one.get("deck"))
    assert deck.startswith(f"file://{MOUNT}/mine/by-volume.")


def test_a_cached_result_that_is_gone_from_the_store_is_computed_again(with_store: WithStore) -> None:
    first, done = with_store.run("cached")
    assert first["status"]["phase"] == "Succeeded", done.stderr
    second, _ = with_store.run("cached")
    (hit,) = (one for one in second["status"]["nodes"].values() if "cache" in one)
    assert (hit["phase"], hit["reason"], hit["cache"]["state"]) == ("Succeeded", "Cached", "Hit")
    for key in with_store.objects():
        with_store.client.delete_object(Bucket=BUCKET, Key=key)
    third, done = with_store.run("cached")
    assert third["status"]["phase"] == "Succeeded", done.stderr
    (made,) = (one for one in third["status"]["nodes"].values() if "cache" in one)
    assert made["cache"]["state"] == "Stored"
    assert "gone from the store" in made["cache"]["message"]


def test_containers_of_any_language_get_files_from_the_store_and_leave_files_and_large_texts_there(
    with_store: WithStore,
) -> None:
    for note, reason in (("Stored", None), ("Hit", "Cached")):
        run, done = with_store.run("containers", "--word", "hello")
        assert run["status"]["phase"] == "Succeeded", done.stderr
        assert json.loads(done.stdout) == {"o0": ["HELLO", "HELLO", "HELLO", "12000", "stamped"]}
        (stamp,) = (one for one in run["status"]["nodes"].values() if "cache" in one)
        assert (stamp["cache"]["state"], stamp.get("reason")) == (note, reason)
    every = with_store.installed.api.list("pods")
    pods = [pod for pod in every if pod["metadata"]["annotations"].get(names.ANNOTATION_RUNNER)]
    variables = {one["name"] for pod in pods for one in pod["spec"]["containers"][0]["env"]}
    assert pods and not {"AWS_SECRET_ACCESS_KEY", "WINDLASS_RAW_OUTPUT_PREFIX"} & variables, "the program has no keys"


def test_what_the_operator_would_have_to_read_fails_with_advice(with_store: WithStore) -> None:
    run, _ = with_store.run("decided")
    assert run["status"]["phase"] == "Failed"
    assert "lies in the store" in run["status"]["error"]["message"]
    assert "return what is decided by as an output of its own" in run["status"]["error"]["message"]


def test_a_value_that_has_changed_fails_its_reader_at_once(with_store: WithStore) -> None:
    first, done = with_store.run("big", "--lines", "1000")
    lies = any_in(first["status"]["outputs"])
    assert lies is not None, done.stderr
    with_store.run("size", "--text", "x")
    with_store.client.put_object(Bucket=BUCKET, Key=lies.uri.removeprefix(f"s3://{BUCKET}/"), Body=b"{}")
    api = with_store.installed.api
    (task,) = (one["metadata"]["name"] for one in api.list("tasks") if one["metadata"]["name"].endswith("size"))
    spec = {"task": {"name": task}, "inputs": {"text": lies.mark}}
    api.create(
        "executions",
        {**{key: first[key] for key in ("apiVersion", "kind")}, "metadata": {"name": "reads"}, "spec": spec},
    )
    status = api.finished("reads", timeout=60)
    assert (status["error"]["code"], status["error"]["kind"]) == ("ValueLost", "system")
    assert "is another one than was written" in status["error"]["message"]
    assert lies.uri in status["error"]["message"]
    assert "attempt" not in status["nodes"]["n0"], "another attempt could not cure it"


LARGE = """
from ballast import TEXT
from windlass import task, workflow

@task
def weighed() -> int:
    print("weighed in a pod")
    return len(TEXT)

@workflow
def large() -> int:
    return weighed()
"""


def test_code_too_large_for_a_config_map_comes_by_the_store_and_the_log_outlives_its_pod(
    with_store: WithStore, tmp_path: Path
) -> None:
    (tmp_path / "large.py").write_text(LARGE)
    (tmp_path / "ballast.py").write_text(f"TEXT = {os.urandom(1 << 20).hex()!r}\n")
    code = f"s3://{BUCKET}/{with_store.installed.namespace}"
    run, done = with_store.run("large", "--store", code, file=tmp_path / "large.py")
    assert run["status"]["phase"] == "Succeeded", done.stderr
    assert json.loads(done.stdout) == {"o0": 2 << 20}
    api = with_store.installed.api
    (archive,) = (one["spec"]["python"]["code"]["archive"] for one in api.list("tasks"))
    assert archive["uri"].removeprefix(f"s3://{BUCKET}/") in with_store.objects()
    (pod,) = api.list("pods")
    with_store.installed.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=true")
    assert api.list("pods") == []
    told = with_store.cli("logs", run["metadata"]["name"])
    assert told.returncode == 0, told.stderr
    assert "weighed in a pod" in told.stdout


TABLES = """
import os
from typing import Annotated
import pandas as pd
from windlass import ImageSpec, StructuredDataset, kwtypes, task, workflow

image = ImageSpec(
    name="tables", builder="buildah", registry="{host}/team", base_image="{host}/python:3",
    packages=["pandas", "pyarrow"], pip_extra_args="--no-index --find-links {index}",
)

def received() -> int:
    # Bytes that have come to this pod.
    with open("/proc/net/dev") as file:
        counters = [line.split(":") for line in file.readlines()[2:]]
    return sum(int(numbers.split()[0]) for name, numbers in counters if name.strip() != "lo")

@task(container_image=image)
def made(rows: int) -> StructuredDataset:
    noise = [os.urandom(1000) for _ in range(rows)]
    frame = pd.DataFrame({{"n": range(rows), "noise": noise, "word": [f"w{{n}}" for n in range(rows)]}})
    return StructuredDataset(dataframe=frame)

@task(container_image=image)
def some(table: Annotated[StructuredDataset, kwtypes(n=int, word=str)]) -> tuple[list[str], int, int]:
    before = received()
    frame = table.open(pd.DataFrame).all()
    return list(frame.columns), int(frame["n"].sum()), received() - before

@task(container_image=image)
def whole(frame: pd.DataFrame) -> tuple[list[str], int]:
    return list(frame.columns), received()

@workflow
def tables(rows: int) -> tuple[list[str], int, int, list[str], int]:
    table = made(rows=rows)
    columns, total, bytes_of_some = some(table=table)
    all_columns, bytes_of_all = whole(frame=table)
    return columns, total, bytes_of_some, all_columns, bytes_of_all
"""


def test_of_a_table_a_pod_fetches_the_columns_that_its_task_asks_for(
    with_store: WithStore, buildah: Buildah, host: str, tmp_path: Path
) -> None:
    rows = 20_000
    with index_of("pandas", "pyarrow") as index:
        (tmp_path / "tables.py").write_text(TABLES.format(host=host, index=index))
        run, done = with_store.run("tables", "--rows", str(rows), file=tmp_path / "tables.py", timeout=400)
    assert run["status"]["phase"] == "Succeeded", done.stderr
    found = json.loads(done.stdout)
    assert (found["o0"], found["o1"]) == (["n", "word"], rows * (rows - 1) // 2)
    assert found["o3"] == ["n", "noise", "word"]
    (size,) = (size for key, size in with_store.objects().items() if key.endswith("/00000"))
    assert found["o2"] < size // 10 < size < found["o4"], f"{size} bytes in the store"


def test_data_that_can_not_be_read_fails_its_reader_with_the_address_and_why(with_store: WithStore) -> None:
    api, namespace, client = with_store.installed.api, with_store.installed.namespace, with_store.client
    rendered = with_store.cli("render", str(FLOWS), "-o", "-").stdout
    with_store.installed.kubectl("apply", "-f", "-", stdin=rendered)
    there, gone, other = (f"s3://{BUCKET}/{namespace}/{name}" for name in ("there", "gone", "other.tar.gz"))
    for uri in (there, other):
        client.put_object(Bucket=BUCKET, Key=uri.removeprefix(f"s3://{BUCKET}/"), Body=b"no pickle, and no code")
    reader = api.get("tasks", "tests.e2e.store.flows.read")["spec"]
    for name, code in (("no-code", gone), ("other-code", other)):
        archive = {"uri": code, "sha256": "0" * 64}
        python = {**reader["python"], "code": {"archive": archive}}
        api.create("tasks", task(name, **{**reader, "python": python}))
    api.create("tasks", task("wrong-keys", **{**reader, "env": {"AWS_SECRET_ACCESS_KEY": "wrong"}}))

    file, point = {"file": {"uri": there}}, {"uri": there, "type": "tests.e2e.store.flows.Point"}
    for_each: dict[str, tuple[str, Body, str, str]] = {  # task, inputs; code and words of the error
        "no-file": ("read", {"file": {"uri": gone}}, "USER:ValueError", f"{gone}. File not found"),
        "no-folder": ("count", {"folder": {"uri": gone}}, "USER:ValueError", f"{gone}. File not found"),
        "forbidden": (
            "read",
            {"file": {"uri": "file:///etc/shadow"}},
            "USER:RuntimeError",
            "Permission denied: '/etc/shadow'",
        ),
        "no-pickle": ("unpickled", {"point": point}, "USER:RuntimeError", f"in {there} can't be read here"),
        "for-a-container": ("loud", {"text": {"uri": gone}}, "USER:ValueError", f"{gone}. File not found"),
        "wrong-keys": ("wrong-keys", file, "SYSTEM:DownloadDataError", there),
        "no-code": ("no-code", file, "USER:CodeNotFound", gone),
        "other-code": ("other-code", file, "BundleUnreadable", other),
    }
    known = {one["metadata"]["name"].rpartition(".")[2]: one["metadata"]["name"] for one in api.list("tasks")}
    for run, (called, inputs, _, _) in for_each.items():
        spec = {"task": {"name": known[called]}, "inputs": inputs}
        api.create("executions", {**EXECUTION, "metadata": {"name": run}, "spec": spec})
    errors = {run: api.finished(run, timeout=200)["error"] for run in for_each}
    assert {run: error["code"] for run, error in errors.items()} == {run: one[2] for run, one in for_each.items()}
    assert [run for run, one in for_each.items() if one[3] not in errors[run]["message"]] == [], errors


EXECUTION = {"apiVersion": "windlass.dev/v1alpha1", "kind": "Execution"}


COLLECTOR = "windlass-operator-collector"


@pytest.fixture
def collector(store: object_store.ObjectStore, with_windlass: Cluster) -> Callable[[], str]:
    """Runs the Job of the chart's CronJob to its end; what it printed."""
    in_system = Installed(with_windlass, SYSTEM)

    def ended() -> bool:
        status = in_system.api.call("GET", f"/apis/batch/v1/namespaces/{SYSTEM}/jobs/by-hand")["status"]
        return bool({"Complete", "Failed"} & {one["type"] for one in status.get("conditions") or ()})

    def run() -> str:
        in_system.kubectl("create", "job", "by-hand", f"--from=cronjob/{COLLECTOR}")
        try:
            wait_until(ended, "the Job to end", 120)
            return in_system.kubectl("logs", "job/by-hand")
        finally:
            in_system.kubectl("delete", "job", "by-hand")

    return run


def test_the_collector_of_the_chart_removes_old_runs_that_are_gone_and_code_of_nobody(
    with_store: WithStore, store: object_store.ObjectStore, collector: Callable[[], str]
) -> None:
    namespace, api = with_store.installed.namespace, with_store.installed.api
    alive, _ = with_store.run("big", "--lines", "1000")
    for name in ("gone", "young"):
        api.create("executions", {**EXECUTION, "metadata": {"name": name}, "spec": alive["spec"]})
    assert [api.finished(name, timeout=60)["phase"] for name in ("gone", "young")] == ["Succeeded"] * 2
    used, unused = (f"{namespace}/code/{digit * 64}.tar.gz" for digit in "ab")
    for key in (used, unused):
        with_store.client.put_object(Bucket=BUCKET, Key=key, Body=b"code")
    archive = {"uri": f"s3://{BUCKET}/{used}", "sha256": "a" * 64}
    api.create("tasks", task("fit", python={"entrypoint": "m:f", "code": {"archive": archive}}))
    for name in ("gone", "young"):
        api.delete("executions", name)
    before, long_ago = set(with_store.objects()), time.time() - 31 * 86_400
    for key in before:
        if not key.startswith(f"{namespace}/young."):
            os.utime(store.folder / "objects" / BUCKET / key, (long_ago, long_ago))
    told = collector()
    went = {key for key in before if key.startswith(f"{namespace}/gone.")} | {unused}
    assert before - set(with_store.objects()) == went and len(went) > 1, told
    assert f"s3://{BUCKET}/{unused}: 1 object, 4 bytes" in told
    assert "1 run, 1 code archive, " in told


def test_the_collector_may_list_what_refers_to_the_store_and_nothing_else(with_store: WithStore) -> None:
    def may(verb: str, resource: str) -> bool:
        return _may(with_store, COLLECTOR, verb, resource)

    assert all(may("list", one) for one in ("executions", "configmaps", "controllerrevisions"))
    for resource in ("executions", "configmaps", "controllerrevisions"):
        assert not any(may(verb, resource) for verb in ("get", "watch", "create", "patch", "update", "delete"))
    assert not any(may("list", one) for one in ("secrets", "pods", "executions/status"))


def _may(with_store: WithStore, account: str, verb: str, resource: str) -> bool:
    """Whether an account of the chart's may do something everywhere."""
    name, _, part = resource.partition("/")
    group = {"controllerrevisions": "apps", "executions": "windlass.dev"}.get(name, "")
    asked = {"verb": verb, "group": group, "resource": name, "subresource": part}
    spec = {"user": f"system:serviceaccount:{SYSTEM}:{account}", "resourceAttributes": asked}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = with_store.installed.api.call("POST", f"/apis/{review['apiVersion']}/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


PRINTING = """
from windlass import ActorEnvironment, ContainerTask, workflow

pool = ActorEnvironment(name="printing", replica_count=1, ttl_seconds=600)
shell = ContainerTask(name="shell", image="localhost/python:3", command=["bash", "-c", "echo said in a container"])
long = ContainerTask(
    name="long",
    image="localhost/python:3",
    command=["bash", "-c", "trap 'echo told to end; exit 1' TERM; echo under way; sleep 600 & wait"],
)


@pool.task
def said(word: str) -> str:
    print("said in a worker:", word)
    return word


@workflow
def both(word: str) -> str:
    shell()
    return said(word=word)


@workflow
def stopped() -> None:
    long()
"""


def test_logs_of_calls_and_of_containers_outlive_their_pods(with_store: WithStore, tmp_path: Path) -> None:
    file = tmp_path / "printing.py"
    file.write_text(PRINTING)
    run, done = with_store.run("both", "--word", "hello", file=file)
    assert run["status"]["phase"] == "Succeeded", done.stderr
    name, api = run["metadata"]["name"], with_store.installed.api
    nodes = {one["task"].rpartition(".")[2]: node for node, one in run["status"]["nodes"].items()}
    live = with_store.cli("logs", name, nodes["shell"])
    assert (live.returncode, live.stdout) == (0, "said in a container\n"), live.stderr
    _kept(with_store, run, nodes["shell"])
    with_store.installed.kubectl("delete", "actorenvironment", "printing", "--wait=true")
    with_store.installed.kubectl("delete", "pods", "--all", "--wait=true")
    assert api.list("pods") == []
    for node, printed in (("said", "said in a worker: hello\n"), ("shell", "said in a container\n")):
        kept = with_store.cli("logs", name, nodes[node])
        assert (kept.returncode, kept.stdout) == (0, printed), kept.stderr
    (key,) = (key for key in with_store.objects() if key.endswith(f"/logs/{nodes['shell']}/0.log"))
    with_store.client.delete_object(Bucket=BUCKET, Key=key)
    gone = with_store.cli("logs", name, nodes["shell"])
    assert gone.returncode == 1
    assert "what that prints is kept where the chart's logs.containers.enabled is on" in gone.stderr


def test_the_log_of_a_container_that_is_stopped_is_kept_to_its_end(with_store: WithStore, tmp_path: Path) -> None:
    file = tmp_path / "printing.py"
    file.write_text(PRINTING)
    assert with_store.cli("run", str(file), "stopped", "--remote", "--no-wait").returncode == 0
    api = with_store.installed.api
    (run,) = api.list("executions")
    name = run["metadata"]["name"]
    wait_until(lambda: "under way" in with_store.cli("logs", name, "n0").stdout, "it to print", 90)
    cancelled = with_store.cli("cancel", name)
    assert cancelled.returncode == 0, cancelled.stderr
    wait_until(lambda: api.list("pods") == [], "the pod to be gone", 60)
    _kept(with_store, run, "n0")
    kept = with_store.cli("logs", name, "n0")
    assert (kept.returncode, kept.stdout) == (0, "under way\ntold to end\n"), kept.stderr


def _kept(with_store: WithStore, run: Body, node: str) -> None:
    """Wait until the log of a node is in the store."""
    key = f"{run['metadata']['name']}.{run['metadata']['uid']}/logs/{node}/0.log"
    wait_until(lambda: any(one.endswith(key) for one in with_store.objects()), "the log to be kept", 60)


def test_the_keeper_of_logs_may_read_them_and_nothing_else(with_store: WithStore) -> None:
    def may(verb: str, resource: str) -> bool:
        return _may(with_store, "windlass-operator-logs", verb, resource)

    allowed = {("list", "pods"), ("watch", "pods"), ("get", "pods/log"), ("get", "executions")}
    verbs = ("get", "list", "watch", "create", "patch", "delete")
    resources = ("pods", "pods/log", "pods/exec", "executions", "executions/status", "secrets", "configmaps")
    assert {(verb, one) for verb in verbs for one in resources if may(verb, one)} == allowed
    assert not _may(with_store, "windlass-operator", "get", "pods/log"), "the operator itself reads no logs"


@pytest.fixture
def with_role(with_store: WithStore, store: object_store.ObjectStore, tmp_path: Path) -> Iterator[cloud.Cloud]:
    """Meanwhile the role of a cloud is in the place of keys."""
    installed = with_store.installed
    install(installed.cluster, *_values(store), "store.serviceAccountName=data")
    for account in ("data", "other"):
        installed.kubectl("create", "serviceaccount", account)
    installed.kubectl("delete", "secret", "windlass-store")
    with cloud.giving_a_role(installed, "data", store, tmp_path) as running:
        yield running
    _install(installed.cluster, store)


def test_the_api_server_takes_the_chart_s_network_policy(with_store: WithStore) -> None:
    policy = json.loads(with_store.installed.cluster.kubectl("-n", SYSTEM, "get", "networkpolicies", "-o", "json"))
    (found,) = policy["items"]
    assert (len(found["spec"]["ingress"]), len(found["spec"]["egress"])) == (2, 3)


def _text(with_store: WithStore, uri: str) -> str:
    key = uri.removeprefix(f"s3://{BUCKET}/")
    found: bytes = with_store.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return found.decode()


def test_pods_have_the_rights_of_a_cloud_s_role_by_a_token_and_no_keys(
    with_store: WithStore, with_role: cloud.Cloud
) -> None:
    api = with_store.installed.api
    for workflow, outputs in (
        ("files", {"o0": "hello", "o1": 2, "o2": "hello", "o3": "hello"}),
        ("containers", {"o0": ["HELLO", "HELLO", "HELLO", "12000", "stamped"]}),
    ):
        run, done = with_store.run(workflow, "--word", "hello")
        assert run["status"]["phase"] == "Succeeded", done.stderr
        assert json.loads(done.stdout) == outputs
    pods = api.list("pods")
    assert {pod["metadata"]["name"] for pod in pods} == set(with_role.pods)
    assert set(with_role.assumed) == {f"system:serviceaccount:{api.namespace}:data"}
    containers = [
        one for pod in pods for field in ("containers", "initContainers") for one in pod["spec"].get(field, ())
    ]
    mounts = {mount["mountPath"] for one in containers for mount in one["volumeMounts"]}
    assert cloud.TOKEN in mounts
    assert "/var/run/secrets/kubernetes.io/serviceaccount" not in mounts, "a token for the cloud, and no other"
    whisper = next(one["metadata"]["name"] for one in api.list("tasks") if one["metadata"]["name"].endswith("whisper"))
    spec = {"task": {"name": whisper}, "inputs": {"word": "x"}, "serviceAccountName": "other"}
    api.create("executions", {**EXECUTION, "metadata": {"name": "of-another"}, "spec": spec})
    error = api.finished("of-another", timeout=200)["error"]
    assert error["code"] == "SYSTEM:UploadDataError", error
    assert "credentials" in error["message"]
