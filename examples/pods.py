"""Pods: what a task asks of the cluster, and of its operators' secrets.

    windlass run examples/pods.py train --epochs 2
    windlass render examples/pods.py -o -

Here the tasks just run; the manifests carry resources, accelerators, secrets, pod templates and the rest. The secret is
read the same way in both worlds: here from the environment.
"""

from datetime import timedelta

import windlass
from windlass import PodTemplate, Resources, Secret, task, workflow
from windlass.accelerators import A100, T4

NEAR_THE_DATA = PodTemplate(
    pod_spec={
        "nodeSelector": {"topology.kubernetes.io/zone": "a"},
        "containers": [{"name": "primary", "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "10Gi"}}],
    },
    labels={"team": "vision"},
)


@task(
    requests=Resources(cpu="2", mem="4Gi", gpu="1"),
    limits=Resources(cpu="4", mem="8Gi", gpu="1"),
    accelerator=A100.partition_1g_5gb,
    interruptible=True,
    retries=3,
    timeout=timedelta(hours=2),
    shared_memory="1Gi",
    pod_template=NEAR_THE_DATA,
)
def fit(epochs: int) -> list[float]:
    return [round(1 / (epoch + 1), 3) for epoch in range(epochs)]


@task(
    container_image="python:3.12-slim",
    environment={"LEVEL": "debug"},
    secret_requests=[Secret(group="registry", key="token", env_var="REGISTRY_TOKEN")],
    labels={"app": "upload"},
    annotations={"example.com/owner": "ml"},
    resources=Resources(cpu=("250m", "1"), mem="256Mi"),
)
def upload(losses: list[float]) -> str:
    token = windlass.current_context().secrets.get(group="registry", key="token")
    return f"{len(losses)} losses, the last {losses[-1]}, with a token of {len(token)} characters"


@workflow
def train(epochs: int = 3) -> str:
    losses = fit(epochs=epochs)
    losses.with_overrides(accelerator=T4, limits=Resources(gpu="2"), node_name="fit")  # type: ignore[attr-defined]
    return upload(losses=losses)
