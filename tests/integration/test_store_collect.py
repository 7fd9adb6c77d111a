"""`windlass store collect` with a real API server and a real store: what is left of runs and nobody's code go, the rest
stays.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localcluster import object_store
from localcluster.cluster import Cluster
from tests.harness import Api, Body, task

boto3 = pytest.importorskip("boto3")
pytestmark = pytest.mark.control_plane

BUCKET = "data"
GONE, CACHED, BEHIND, NEVER = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "1234")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_store.ObjectStore]:
    with object_store.running(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def client(store: object_store.ObjectStore) -> Any:
    """The store, past our own code."""
    found = boto3.client(
        "s3", endpoint_url=store.endpoint, region_name=store.region,
        aws_access_key_id=store.access_key, aws_secret_access_key=store.secret_key,
    )  # fmt: skip
    if not found.list_buckets()["Buckets"]:
        found.create_bucket(Bucket=BUCKET)
    return found


def execution(name: str) -> Body:
    kind = {"apiVersion": "windlass.dev/v1alpha1", "kind": "Execution"}
    return {**kind, "metadata": {"name": name}, "spec": {"workflow": {"name": "w"}}}


def cache_entry(uri: str) -> Body:
    key = {"task": "t", "version": "1", "interface": {"inputs": {}, "outputs": {"o0": "any"}}, "inputs": {}}
    spec = {"key": key, "outputs": {"o0": {"$stored": {"uri": uri, "size": 1, "sha256": "0" * 64}}}}
    return {"apiVersion": "windlass.dev/v1alpha1", "kind": "CacheEntry", "metadata": {"name": "c-1"}, "spec": spec}


def collect(cluster: Cluster, store: object_store.ObjectStore, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "windlass._cli", "store", "collect", f"s3://{BUCKET}/{{namespace}}", *arguments],
        env={**os.environ, **store.environment(), "KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_what_is_left_of_runs_goes_and_what_is_referred_to_stays(
    control_plane: Cluster, store: object_store.ObjectStore, client: Any, new_namespace: Callable[[Cluster], str]
) -> None:  # fmt: skip
    namespace = new_namespace(control_plane)
    api = Api(control_plane, namespace)
    alive = api.create("executions", execution("alive"))["metadata"]["uid"]
    runs = {
        "alive": f"{namespace}/alive.{alive}",
        "gone": f"{namespace}/gone.{GONE}",
        "cached": f"{namespace}/cached.{CACHED}",
        "behind": f"{namespace}/behind.{BEHIND}",
    }
    api.create("cacheentries", cache_entry(f"s3://{BUCKET}/{runs['cached']}/1/o0.json"))
    values = {"cached": f'[{{"uri":"s3://{BUCKET}/{runs["behind"]}/2/a.csv"}}]'}
    for name, folder in runs.items():
        client.put_object(Bucket=BUCKET, Key=f"{folder}/1/o0.json", Body=values.get(name, "1").encode())
    client.put_object(Bucket=BUCKET, Key=f"{namespace}/code/abc.tar.gz", Body=b"code")

    def there() -> set[str]:
        keys = [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET, Prefix=namespace).get("Contents", ())]
        return {name for name, folder in runs.items() if any(key.startswith(f"{folder}/") for key in keys)}

    young = collect(control_plane, store)
    assert young.stdout == "", young.stderr
    dry = collect(control_plane, store, "--older-than", "0s", "--dry-run")
    assert f"s3://{BUCKET}/{runs['gone']}: 1 object, 1 bytes" in dry.stdout
    assert there() == set(runs)
    only = collect(control_plane, store, "--older-than", "0s", "--only", namespace)
    assert only.returncode == 0, only.stderr
    assert "1 run, 0 code archives, 1 bytes removed" in only.stderr
    assert there() == {"alive", "cached", "behind"}
    api.delete("cacheentries", "c-1")
    assert collect(control_plane, store, "--older-than", "0s").returncode == 0
    assert there() == {"alive"}
    assert client.get_object(Bucket=BUCKET, Key=f"{namespace}/code/abc.tar.gz")["Body"].read() == b"code"


def test_code_goes_with_the_last_that_refers_to_it_unless_it_was_brought_a_while_ago(
    control_plane: Cluster, store: object_store.ObjectStore, client: Any, new_namespace: Callable[[Cluster], str]
) -> None:  # fmt: skip
    namespace = new_namespace(control_plane)
    api = Api(control_plane, namespace)
    used, young, unused = (digit * 64 for digit in "abc")

    def key(digest: str) -> str:
        return f"{namespace}/code/{digest}.tar.gz"

    def age(digest: str) -> None:
        three_days_ago = time.time() - 3 * 86_400
        os.utime(store.folder / "objects" / BUCKET / key(digest), (three_days_ago, three_days_ago))

    def there() -> set[str]:
        found = client.list_objects_v2(Bucket=BUCKET, Prefix=f"{namespace}/code/").get("Contents", ())
        return {one["Key"][-71:-7] for one in found}

    for digest in (used, young, unused):
        client.put_object(Bucket=BUCKET, Key=key(digest), Body=b"code")
    age(used)
    age(unused)
    code = {"archive": {"uri": f"s3://{BUCKET}/{key(used)}", "sha256": used}}
    api.create("tasks", task("fit", python={"entrypoint": "m:f", "code": code}))
    dry = collect(control_plane, store, "--older-than", "0s", "--dry-run")
    assert dry.stdout == f"s3://{BUCKET}/{key(unused)}: 1 object, 4 bytes\n", dry.stderr
    assert "0 runs, 1 code archive, 4 bytes would be removed" in dry.stderr
    assert there() == {used, young, unused}
    assert collect(control_plane, store).stdout == "", "the time to live is thirty days where nobody says another"
    assert collect(control_plane, store, "--older-than", "0s", "--only", namespace).returncode == 0
    assert there() == {used, young}
    api.delete("tasks", "fit")
    assert collect(control_plane, store, "--older-than", "0s").returncode == 0
    assert there() == {young}


def test_without_the_right_to_look_or_a_store_that_answers_nothing_goes(
    control_plane: Cluster, store: object_store.ObjectStore, client: Any, new_namespace: Callable[[Cluster], str]
) -> None:  # fmt: skip
    namespace = new_namespace(control_plane)
    key = f"{namespace}/never.{NEVER}/1/a"
    client.put_object(Bucket=BUCKET, Key=key, Body=b"1")
    nobody = ["--older-than", "0s", "--context", "no-such-context"]
    refused = collect(control_plane, store, *nobody)
    assert refused.returncode == 1
    wrong = subprocess.run(
        [sys.executable, "-m", "windlass._cli", "store", "collect", f"s3://{BUCKET}/{{namespace}}"],
        env={**os.environ, **store.environment(), "AWS_SECRET_ACCESS_KEY": "wrong",
             "KUBECONFIG": str(control_plane.kubeconfig)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert wrong.returncode == 1
    assert f"s3://{BUCKET}" in wrong.stderr
    assert client.head_object(Bucket=BUCKET, Key=key)
