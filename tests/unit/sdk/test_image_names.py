"""Images whose names are templates, and finding the specs that a file uses."""

from __future__ import annotations

import pytest

from windlass import ActorEnvironment, FlyteAssertion, PodTemplate, task, workflow
from windlass._image.names import resolve, specs_of
from windlass._image.spec import ImageSpec

IMAGES = {
    "default": "registry.example:5000/team/app:v1",
    "gpu": "registry.example/gpu@sha256:abc",
    "bare": "localhost:5000/python",
}


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("python:3.12-slim", "python:3.12-slim"),
        ("{{.image.default.fqn}}:{{.image.default.version}}", "registry.example:5000/team/app:v1"),
        ("{{ .image.default.fqn }}:{{ .images.default.version }}", "registry.example:5000/team/app:v1"),
        ("{{.image.default}}", "registry.example:5000/team/app:v1"),
        ("{{.image.default.fqn}}-spark:{{.image.default.version}}", "registry.example:5000/team/app-spark:v1"),
        ("{{.image.default.fqn}}:{{.image.default.version}}-gpu", "registry.example:5000/team/app:v1-gpu"),
        ("{{.image.gpu.fqn}}:{{.image.gpu.version}}", "registry.example/gpu@sha256:abc"),
        ("{{.image.bare.fqn}}:{{.image.bare.version}}", "localhost:5000/python"),
        ("{{.image.bare.fqn}}-x:{{.image.bare.version}}", "localhost:5000/python-x:latest"),
        ("other/{{.image.default.tag}}", "other/v1"),
    ],
)
def test_a_template_is_filled_from_the_table(template: str, name: str) -> None:
    assert resolve(template, IMAGES) == name


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{.image.cpu.fqn}}", "there is no such; known: bare, default, gpu"),
        ("{{.image.default.name}}", "asks for `name`, and an image has fqn and version"),
        ("{{.default}}", "a template that is not understood"),
    ],
)
def test_a_template_that_means_nothing_is_refused(template: str, complaint: str) -> None:
    with pytest.raises(FlyteAssertion) as refused:
        resolve(template, IMAGES)
    assert complaint in str(refused.value) and template in str(refused.value)


SPECS = {name: ImageSpec(name) for name in ("plain", "actor", "template")}
POOL = ActorEnvironment("pool", container_image=SPECS["actor"])
TEMPLATE = PodTemplate({"containers": [{"name": "primary", "image": SPECS["template"]}]})


@task(container_image=SPECS["plain"])
def plain() -> None: ...


@POOL.task
def in_the_pool() -> None: ...


@task(pod_template=TEMPLATE)
def templated() -> None: ...


@task(container_image="python:3.12-slim")
def by_name() -> None: ...


@workflow
def flow() -> None:
    plain()
    in_the_pool()
    templated()
    by_name()


def test_the_specs_of_tasks_actors_and_pod_templates_are_found() -> None:
    assert set(specs_of([flow])) == set(SPECS.values())
    assert set(specs_of([in_the_pool])) == {SPECS["actor"]}
    assert list(specs_of([by_name])) == []
