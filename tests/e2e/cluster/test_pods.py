"""What pods of a node can do."""

from __future__ import annotations

import pytest

from localcluster import catalog
from localcluster.cluster import Cluster
from localcluster.processes import wait_until
from tests.e2e.cluster.pods import apply, pod, run, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # the first run builds Kubernetes

ASK_API_SERVER = """
import os, ssl, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
context = ssl.create_default_context(cafile=folder + "ca.crt")
url = "https://" + os.environ["KUBERNETES_SERVICE_HOST"] + "/version"
request = urllib.request.Request(url, headers={"Authorization": "Bearer " + open(folder + "token").read()})
print(urllib.request.urlopen(request, context=context, timeout=10).status)
"""

SERVE = """
import http.server
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from a pod")
http.server.HTTPServer(("", 8080), Hello).serve_forever()
"""

ASK_SERVICE = """
import sys, time, urllib.request
deadline = time.monotonic() + 20
while True:
    try:
        print(urllib.request.urlopen(sys.argv[1], timeout=2).read().decode())
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.2)
"""


def test_a_pod_prints_and_kubectl_logs_shows_it(cluster: Cluster) -> None:
    assert run(cluster, pod("printing", "print('ahoy')")) == "ahoy\n"


def test_a_pod_reaches_the_kubernetes_service(cluster: Cluster) -> None:
    assert run(cluster, pod("asking", ASK_API_SERVER)) == "200\n"


def test_a_pod_mounts_an_image_as_a_volume(cluster: Cluster) -> None:
    volume = {"name": "runtime", "image": {"reference": catalog.RUNTIME, "pullPolicy": "Never"}}
    mount = {"name": "runtime", "mountPath": "/mnt/image"}
    program = "import os; print(sorted(os.listdir('/mnt/image')))"
    described = pod("mounting", program, volumes=[volume], container={"volumeMounts": [mount]})
    assert run(cluster, described) == "['actors', 'windlass', 'windlass_api', 'windlass_s3']\n"


def test_a_pod_reaches_another_through_a_service_and_exec_enters_it(cluster: Cluster) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hello"},
        "spec": {"selector": {"app": "serving"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    apply(cluster, pod("serving", SERVE), service)
    wait_for(cluster, "serving", "Running")
    address = cluster.kubectl("get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")
    caller = pod("calling", ASK_SERVICE)
    caller["spec"]["containers"][0]["command"].append(f"http://{address}/")
    assert run(cluster, caller) == "hello from a pod\n"
    assert cluster.kubectl("exec", "serving", "--", "id", "-u") == "65532\n"
    cluster.kubectl("delete", "pod", "serving", "--wait=false")


def test_the_restricted_pod_security_standard_is_enforced_where_asked(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "strict")
    cluster.kubectl("label", "namespace", "strict", "pod-security.kubernetes.io/enforce=restricted")
    bad = cluster.kubectl("-n", "strict", "run", "bad", f"--image={catalog.USER}", check=False)
    assert bad == ""
    assert "bad" not in cluster.kubectl("-n", "strict", "get", "pods")


def test_an_image_that_is_there_is_not_loaded_again(cluster: Cluster) -> None:
    assert cluster.load_images([catalog.base_image()]) == []


def test_an_archive_from_a_file_is_loaded(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    from localcluster.images import Image, save_archive

    image = Image(("localhost/from-a-file:1",), catalog.runtime_image().layers)
    archive = tmp_path_factory.mktemp("archive") / "image.tar"
    save_archive([image], archive)
    cluster.load_image(archive)
    assert cluster.loaded_images()["localhost/from-a-file:1"] == image.manifest.digest


def test_thirty_pods_at_once_all_succeed(cluster: Cluster) -> None:
    names = [f"crowd-{number}" for number in range(30)]
    apply(cluster, *(pod(name, "pass", automountServiceAccountToken=False) for name in names))

    def succeeded() -> bool:
        phases = cluster.kubectl(
            "get", "pods", "-o", "jsonpath={range .items[*]}{.metadata.name}={.status.phase} {end}"
        )
        return {f"{name}=Succeeded" for name in names} <= set(phases.split())

    wait_until(succeeded, "thirty pods", 60, explain=lambda: cluster.kubectl("get", "pods"), interval=0.2)
    cluster.kubectl("delete", "pods", "--wait=false", *names)


def test_a_pod_survives_the_death_of_the_api_server(cluster: Cluster) -> None:
    apply(cluster, pod("surviving", "import time\nwhile True: time.sleep(1)"))
    wait_for(cluster, "surviving", "Running")
    cluster.restart("kube-apiserver")
    assert cluster.kubectl("exec", "surviving", "--", "echo", "here") == "here\n"
    cluster.kubectl("delete", "pod", "surviving", "--wait=false")
