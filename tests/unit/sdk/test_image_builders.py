"""Who builds an image, whether it is needed, and with which words. The real thing is in tests/integration/images."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from windlass._image import builders, registry
from windlass._image.builders import ImageBuildEngine, ImageBuildError, ImageSpecBuilder, build, builder_of, judged
from windlass._image.registry import Answer
from windlass._image.spec import RENAMED, ImageSpec


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No program is there, no switch is set, nobody registered anything."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name in (*builders.FORCE_PUSH_VARIABLES, *builders.FAST_FAIL_VARIABLES, "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ImageBuildEngine, "_REGISTRY", {})
    yield
    RENAMED.clear()


class Programs:
    """Stand-ins that note their words, and fail for those that they are told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, fails: str = "never") -> None:
        program = self.folder / "bin" / name
        program.write_text(
            "#!/bin/sh\n"
            f'echo {name} "$@" >> {self.folder}/calls\n'
            f'[ -z "$DOCKER_CONFIG" ] || /bin/cp "$DOCKER_CONFIG/config.json" {self.folder}/seen.json\n'
            f'case "$*" in {fails}) exit 7;; esac\n'
        )
        program.chmod(0o755)

    def calls(self) -> list[list[str]]:
        """What was asked for, without the questions whether the program is there."""
        file = self.folder / "calls"
        lines = [shlex.split(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [words for words in lines if words[1] not in ("info", "version") and words[1:] != ["buildx", "ls"]]


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


# Who


def test_without_a_program_the_three_are_named() -> None:
    with pytest.raises(ImageBuildError, match=r"docker \(with buildx\), podman or buildah"):
        build(ImageSpec(builder="default").force_push())
    with pytest.raises(ImageBuildError, match="podman is not here, or its engine does not answer"):
        build(ImageSpec(builder="podman").force_push())


def test_docker_without_an_engine_is_passed_over(programs: Programs) -> None:
    programs.install("docker", fails="version*")
    programs.install("buildah")
    assert isinstance(builder_of(ImageSpec()), builders.Buildah)
    programs.install("podman")
    assert isinstance(builder_of(ImageSpec()), builders.Podman)
    programs.install("docker")
    assert isinstance(builder_of(ImageSpec()), builders.Docker)


def test_the_spec_decides_before_the_command_line(programs: Programs) -> None:
    assert isinstance(builder_of(ImageSpec(builder="buildah"), "docker"), builders.Buildah)
    assert isinstance(builder_of(ImageSpec(), "docker"), builders.Docker)


@pytest.mark.parametrize("name", ["envd", "union"])
def test_builders_of_other_products_are_replaced_with_a_warning(name: str, programs: Programs) -> None:
    programs.install("podman")
    with pytest.warns(UserWarning, match=f"builder='{name}'"):
        assert isinstance(builder_of(ImageSpec(builder=name)), builders.Podman)


def test_an_unknown_builder_is_refused_with_the_known_ones() -> None:
    ImageBuildEngine.register("mine", Mine())
    with pytest.raises(ImageBuildError, match=r"builder='other'.*only mine, docker, podman, buildah, noop"):
        builder_of(ImageSpec(builder="other"))


class Mine(ImageSpecBuilder):
    def __init__(self, name: str | None = None) -> None:
        self.built: list[str] = []
        self._name = name

    def build_image(self, image_spec: ImageSpec) -> str | None:
        self.built.append(image_spec.image_name())
        return self._name


def test_ones_own_builder_builds_what_names_it_and_by_priority_what_names_none() -> None:
    one, other, envd = Mine(), Mine(), Mine()
    ImageBuildEngine.register("one", one, priority=1)
    ImageBuildEngine.register("other", other)
    ImageBuildEngine.register("envd", envd, priority=0)
    assert builder_of(ImageSpec()) is other
    assert builder_of(ImageSpec(builder="one")) is one
    assert builder_of(ImageSpec(builder="envd")) is envd
    with pytest.raises(TypeError, match="a subclass of ImageSpecBuilder"):
        ImageBuildEngine.register("class", Mine)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the name of a builder is a text"):
        ImageBuildEngine.register("", one)


def test_the_name_that_ones_own_builder_gives_is_the_images_name_from_then_on() -> None:
    spec = ImageSpec(builder="mine").force_push()
    asked = spec.image_name()
    ImageBuildEngine.register("mine", mine := Mine("registry.example/built/elsewhere:v1"))
    assert ImageBuildEngine.build(spec) == "registry.example/built/elsewhere:v1" == ImageSpec().image_name()
    assert mine.built == [asked]


def test_ones_own_builder_may_decide_itself_whether_to_build() -> None:
    class Never(Mine):
        def should_build(self, image_spec: ImageSpec) -> bool:
            return False

    ImageBuildEngine.register("never", never := Never())
    build(ImageSpec().force_push())
    assert never.built == []


def test_a_noop_spec_builds_nothing_and_asks_nobody(programs: Programs) -> None:
    spec = ImageSpec(builder="noop", base_image="registry.example/app:v1")
    assert build(spec) == "registry.example/app:v1"
    assert build(ImageSpec(base_image="b", builder="noop").force_push()) == "b"
    assert programs.calls() == []


# Whether


@pytest.mark.parametrize(("exists", "needed"), [(True, False), (False, True), (None, False)])
def test_what_exists_and_what_may_exist_is_not_built(
    exists: bool | None, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "look_up", lambda *_: Answer(exists, "the line is dead"))
    verdict = judged(ImageSpec(registry="localhost:5000"))
    assert verdict.needed is needed
    assert ("the line is dead" in verdict.why) == (exists is None)


@pytest.mark.parametrize("variable", builders.FORCE_PUSH_VARIABLES)
def test_a_switch_forces_all(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "look_up", lambda *_: Answer(True))
    spec = ImageSpec(registry="localhost:5000")
    monkeypatch.setenv(variable, "false")
    assert not judged(spec).needed
    monkeypatch.setenv(variable, "True")
    assert judged(spec).needed


@pytest.mark.parametrize("variable", builders.FAST_FAIL_VARIABLES)
def test_a_switch_makes_not_knowing_an_error(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "look_up", lambda *_: Answer(None, "the line is dead"))
    monkeypatch.setenv(variable, "1")
    with pytest.raises(RuntimeError, match=r"nobody can tell whether localhost:5000/.* the line is dead"):
        judged(ImageSpec(registry="localhost:5000"))


def test_a_tag_without_the_hash_is_built_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "look_up", lambda *_: Answer(True))
    assert judged(ImageSpec(registry="localhost:5000", tag_format="latest")).needed
    assert not judged(ImageSpec(registry="localhost:5000", tag_format="{spec_hash}-dev")).needed


def test_the_builders_own_program_is_asked_about_an_image_without_a_registry(programs: Programs) -> None:
    assert ImageSpec().exist() is None, "nobody is there to be asked"
    programs.install("podman", fails="image*")
    programs.install("buildah")
    assert ImageSpec().exist() is False
    assert ImageSpec(builder="buildah").exist() is True
    assert ImageSpec(builder="docker").exist() is None


# How


def test_dockers_words(programs: Programs, tmp_path: Path) -> None:
    programs.install("docker")
    (tmp_path / "secret").touch()
    spec = ImageSpec(
        builder="docker",
        registry="registry.example/team",
        platform="linux/amd64,linux/arm64",
        pip_secret_mounts=[("secret", "/run/secret")],
        builder_options={"no_cache": True, "build-arg": ["A=1", "B=2"], "provenance": False},
    )
    build(spec.force_push())
    [words] = programs.calls()
    assert words[:-3] == [
        *("docker", "buildx", "build", "--platform", "linux/amd64,linux/arm64", "--tag", spec.image_name(), "--push"),
        *("--secret", f"id=windlass-0,src={tmp_path}/secret"),
        *("--no-cache", "--build-arg=A=1", "--build-arg=B=2", "--provenance=false"),
    ]
    assert words[-3] == "--file"


def test_docker_keeps_an_image_without_a_registry_here(programs: Programs) -> None:
    programs.install("docker", fails='"image inspect"*')
    build(ImageSpec(builder="docker"))
    assert "--load" in programs.calls()[-1] and "--push" not in programs.calls()[-1]


def test_docker_gets_other_credentials_beside_its_own_settings(programs: Programs, tmp_path: Path) -> None:
    programs.install("docker")
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "remote", "auths": {"a": {}}}')
    (tmp_path / "other.json").write_text('{"auths": {"b": {}}}')
    build(ImageSpec(builder="docker", registry_config="other.json", registry="localhost:5000").force_push())
    assert json.loads((tmp_path / "seen.json").read_text()) == {"currentContext": "remote", "auths": {"b": {}}}


@pytest.mark.parametrize("program", ["podman", "buildah"])
def test_the_words_of_the_others(program: str, programs: Programs, tmp_path: Path) -> None:
    programs.install(program)
    (tmp_path / "auth.json").write_text("{}")
    spec = ImageSpec(
        builder=program,
        base_image="localhost:5000/base:v1",
        registry="registry.example/team",
        registry_config="auth.json",
    )
    build(spec.force_push())
    name, credentials = spec.image_name(), ["--authfile", f"{tmp_path}/auth.json"]
    pull, made, push = programs.calls()
    platform = ["--platform", "linux/amd64"]
    assert pull == [program, "pull", "--tls-verify=false", *platform, *credentials, "localhost:5000/base:v1"]
    assert made[:-3] == [program, "build", "--layers", "--force-rm", *platform, "--tag", name, *credentials]
    assert push == [program, "push", *credentials, name, f"docker://{name}"]


def test_several_platforms_go_into_one_manifest_without_those_of_an_earlier_build(programs: Programs) -> None:
    programs.install("podman")
    spec = ImageSpec(
        builder="podman", base_image="localhost:5000/b", registry="localhost:5000", platform="linux/amd64,linux/arm64"
    )
    build(spec.force_push())
    name = spec.image_name()
    asked, removed, made, pushed = programs.calls()
    assert asked[1:] == ["manifest", "exists", name]
    assert removed[1:] == ["manifest", "rm", name]
    assert ["--manifest", name] == made[-5:-3] and "--tls-verify=false" in made
    assert pushed[1:] == ["manifest", "push", "--all", "--tls-verify=false", name, f"docker://{name}"]


def test_plain_http_is_for_this_machine_only(programs: Programs) -> None:
    programs.install("podman")
    build(ImageSpec(builder="podman", base_image="registry.example/b", registry="registry.example").force_push())
    build(ImageSpec(builder="podman", base_image="b", registry="localhost:5000").force_push())
    plain = [words[1] for words in programs.calls() if "--tls-verify=false" in words]
    assert plain == ["push"]


def test_a_secret_that_is_not_there_is_named_before_anything_runs(programs: Programs) -> None:
    programs.install("buildah")
    with pytest.raises(FileNotFoundError, match=r"pip_secret_mounts=…\): there is no file nowhere"):
        build(ImageSpec(builder="buildah", pip_secret_mounts=[("nowhere", "/x")]).force_push())
    assert programs.calls() == []


def test_an_option_that_no_program_can_take_is_refused(programs: Programs) -> None:
    programs.install("buildah")
    with pytest.raises(ValueError, match="'labels' takes a text, a number, a bool or a list"):
        build(ImageSpec(builder="buildah", builder_options={"labels": {"a": "b"}}).force_push())


def test_a_failure_is_told_and_nothing_is_pushed(programs: Programs) -> None:
    programs.install("buildah", fails="build*")
    with pytest.raises(ImageBuildError, match="`buildah build --layers …` ended with 7"):
        build(ImageSpec(builder="buildah", registry="localhost:5000").force_push())
    assert [words[1] for words in programs.calls()] == ["build"]
    assert list(Path(tempfile.gettempdir()).glob("windlass-image-*")) == []
