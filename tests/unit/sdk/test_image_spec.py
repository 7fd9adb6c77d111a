"""`ImageSpec`: its fields, what it is called, and whether this is it."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from windlass._image import CopyFileDetection, ImageSpec
from windlass._image.spec import FIELDS


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WINDLASS_TASK", raising=False)
    monkeypatch.delenv("WINDLASS_IMAGE_ID", raising=False)
    return tmp_path


# What a field may be


def test_the_name_is_taken_in_lower_case() -> None:
    assert ImageSpec(name="Team/Forecast").name == "team/forecast"


def test_fields_come_in_the_order_of_the_api_page() -> None:
    spec = ImageSpec("forecast", "3.12", "noop", None, None, None, None, base_image="python:3.12-slim")
    assert (spec.name, spec.python_version, spec.builder) == ("forecast", "3.12", "noop")


@pytest.mark.parametrize(
    "field",
    ["packages", "conda_packages", "apt_packages", "pip_extra_index_url", "commands", "copy", "entrypoint"],
)
@pytest.mark.parametrize("value", ["one", ["one", 2], {"one": "two"}, 3], ids=str)
def test_a_list_field_takes_a_list_of_strings(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"ImageSpec\({field}=…\) must be a list of strings, or None"):
        ImageSpec(**{field: value})


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"name": "two words"}, "an image's name"),
        ({"python_version": "3"}, "a version such as '3.12'"),
        ({"python_version": 3.12}, "a text"),
        ({"registry": "https://registry.example"}, "Invalid container registry name"),
        ({"registry": "registry.example/Team"}, "Invalid container registry name"),
        ({"env": {"A B": "1"}}, "'A B' is no name of an environment variable"),
        ({"env": {"A": 1}}, "A takes one line of text, not 1"),
        ({"env": {"A": "1\nRUN rm"}}, "A takes one line of text"),
        ({"env": ["A"]}, "a dict of texts"),
        ({"packages": ["a\nRUN rm -rf /"]}, "a list of strings of one line each"),
        ({"pip_index": "a\nRUN rm -rf /"}, "a text of one line"),
        ({"base_image": "b AS x"}, "the name of an image, or an ImageSpec"),
        ({"cuda": "12; rm"}, "a version such as"),
        ({"pip_extra_args": "--pre 'x"}, "No closing quotation"),
        ({"pip_secret_mounts": [("a", "/b,required=false")]}, "a list of pairs"),
        ({"base_image": 3}, "the name of an image, or an ImageSpec"),
        ({"platform": "linux"}, "a platform such as"),
        ({"pip_secret_mounts": ["one"]}, "a list of pairs"),
        ({"copy": ["/etc/passwd"]}, "leads out of the working folder"),
        ({"copy": ["data/../../secrets"]}, "leads out of the working folder"),
        ({"source_copy_mode": "all"}, "CopyFileDetection.ALL"),
        ({"tag_format": "{hash}"}, "a tag with {spec_hash} in it"),
        ({"tag_format": "no spaces {spec_hash}"}, "a tag with {spec_hash} in it"),
        ({"requirements": "uv.lock"}, "uv export --format requirements-txt"),
        ({"builder_options": ["no-cache"]}, "a dict whose keys are strings"),
        ({"builder_config": {"uv_image": "u"}}, "micromamba_image"),
        ({"cudnn": "9"}, "needs cuda="),
        ({"cuda": "12.4.1", "base_image": "debian"}, "leave base_image out, or cuda"),
        ({"conda_channels": ["bioconda"]}, "there are none"),
        ({"conda_packages": ["numpy"], "python_exec": "/usr/bin/python3"}, "conda_packages=… would bring another"),
        ({"python_version": "3.12", "base_image": "b", "python_exec": "p"}, "python_version=… would bring another"),
        ({"builder": "noop"}, "it has to be the name of an image"),
        ({"builder": "noop", "base_image": "b", "packages": ["p"]}, "packages=… can't have an effect"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_is_refused_and_the_field_named(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError) as refused:
        ImageSpec(**fields)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    "registry", ["localhost:5000", "registry.example/team", "team", "[::1]:5000/x", "127.0.0.1:30000", "a.b:5/c/d-e"]
)
def test_a_registry_is_a_host_with_port_and_path(registry: str) -> None:
    assert ImageSpec(registry=registry).image_name().startswith(f"{registry}/windlass:")
    assert ImageSpec(registry=f"{registry}/").registry == registry


def test_a_source_root_alone_means_the_loaded_modules() -> None:
    assert ImageSpec(source_root=".").source_copy_mode is CopyFileDetection.LOADED_MODULES
    mode = CopyFileDetection.NO_COPY
    assert ImageSpec(source_root=".", source_copy_mode=mode).source_copy_mode is mode


# Specs are values


def test_the_with_methods_give_another_spec_and_leave_this_one() -> None:
    spec = ImageSpec(packages=["a"])
    before = repr(spec)
    assert spec.with_packages("b").with_packages(["c", "d"]).packages == ["a", "b", "c", "d"]
    assert spec.with_apt_packages("git").apt_packages == ["git"]
    assert spec.with_commands(["one", "two"]).commands == ["one", "two"]
    assert spec.with_copy("data").copy == ["data"]
    assert spec.with_runtime_packages(["r"]).runtime_packages == ["r"]
    options = spec.with_builder_options({"a": 1, "b": 1}).with_builder_options({"b": 2}).builder_options
    assert options == {"a": 1, "b": 2}
    assert repr(spec) == before


def test_a_with_method_checks_what_it_gets() -> None:
    with pytest.raises(ValueError, match="packages"):
        ImageSpec().with_packages([1])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="leads out"):
        ImageSpec().with_copy("../x")


def test_a_spec_can_neither_be_changed_nor_share_what_it_was_given() -> None:
    packages = ["a"]
    spec = ImageSpec(packages=packages)
    packages.append("b")
    assert spec.packages == ["a"]
    with pytest.raises(AttributeError, match="make another one that differs in `packages`"):
        spec.packages = ["b"]
    with pytest.raises(AttributeError, match="can't be changed"):
        del spec.packages


def test_equal_fields_make_equal_specs() -> None:
    one, other = (
        ImageSpec(packages=["a"], env={"A": "1", "B": "2"}),
        ImageSpec(packages=["a"], env={"B": "2", "A": "1"}),
    )
    assert one == other and len({one, other}) == 1
    assert one != one.force_push() and one != one.with_packages("b")
    assert copy.copy(one) == copy.deepcopy(one) == one


def test_the_representation_makes_the_spec_again() -> None:
    spec = ImageSpec("x", packages=["a"], base_image=ImageSpec("y", env={"A": "1"}), pip_secret_mounts=[("a", "/b")])
    assert eval(repr(spec)) == spec  # its text is what it says it is


# The id and the tag


def test_the_same_fields_give_the_same_id_in_another_process() -> None:
    code = "from windlass._image import ImageSpec; print(ImageSpec(packages=['a'], env={'B': '1', 'A': '2'}).id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ImageSpec(packages=["a"], env={"A": "2", "B": "1"}).id


OTHER_IMAGE: dict[str, Any] = {
    "name": "other",
    "python_version": "3.10",
    "env": {"A": "1"},
    "packages": ["p"],
    "conda_packages": ["c"],
    "requirements": "requirements.txt",
    "apt_packages": ["a"],
    "cuda": "12.2.0",
    "base_image": "b",
    "platform": "linux/arm64",
    "pip_index": "http://127.0.0.1/simple",
    "pip_extra_index_url": ["http://127.0.0.1/simple"],
    "pip_extra_args": "--pre",
    "entrypoint": [],
    "commands": ["c"],
    "source_copy_mode": CopyFileDetection.ALL,
    "copy": ["data"],
    "python_exec": "/usr/bin/python3",
    "builder_config": {"micromamba_image": "m"},
}
SAME_IMAGE: dict[str, Any] = {
    "builder": "buildah",
    "registry": "registry.example",
    "pip_secret_mounts": [("a", "/b")],
    "registry_config": "config.json",
    "runtime_packages": ["r"],
    "builder_options": {"no-cache": True},
}


def test_every_field_is_known_to_these_tests() -> None:
    elsewhere = {"source_root", "conda_channels", "cudnn", "tag_format"}  # they need another field, or are the tag
    assert {*OTHER_IMAGE, *SAME_IMAGE, *elsewhere} == set(FIELDS)


@pytest.mark.parametrize("field", OTHER_IMAGE)
def test_what_the_image_holds_decides_the_tag(field: str, folder: Path) -> None:
    (folder / "requirements.txt").write_text("p\n")
    (folder / "data").write_text("d")
    changed = ImageSpec(**{field: OTHER_IMAGE[field]})
    assert changed.id != ImageSpec().id
    assert changed.tag != ImageSpec().tag


@pytest.mark.parametrize("field", SAME_IMAGE)
def test_how_it_is_built_and_where_it_is_pushed_does_not(field: str) -> None:
    changed = ImageSpec(**{field: SAME_IMAGE[field]})
    assert (changed.id, changed.tag) == (ImageSpec().id, ImageSpec().tag)


def test_force_push_does_not_change_the_name() -> None:
    assert ImageSpec().force_push().image_name() == ImageSpec().image_name()


def test_the_tag_may_have_a_format() -> None:
    assert ImageSpec(tag_format="v1-{spec_hash}-dev").tag == f"v1-{ImageSpec().tag}-dev"
    assert ImageSpec(tag_format="fixed").image_name() == "windlass:fixed"


def test_the_tag_is_one_that_registries_take() -> None:
    tags = {ImageSpec(packages=[str(number)]).tag for number in range(300)}
    assert len(tags) == 300
    assert all(len(tag) == 22 and tag.replace("_", "a").isalnum() and tag.isascii() for tag in tags)


def test_an_absolute_path_is_the_same_one_wherever_the_project_is(tmp_path: Path) -> None:
    """As here and in a pod: the id tells whether the image is this one, and the project's place must not."""
    code = (
        "from pathlib import Path\nfrom windlass._image import ImageSpec\n"
        "image = ImageSpec(requirements=str(Path(__file__).parent / 'deep' / 'requirements.txt'))\n"
    )
    ids = set()
    for place in ("here", "there/below"):
        (tmp_path / place / "app").mkdir(parents=True)
        (tmp_path / place / "app" / "__init__.py").touch()
        (tmp_path / place / "app" / "images.py").write_text(code)
        script = "import app.images; print(app.images.image.with_packages('p').id)"
        found = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path / place,
            env={"PYTHONPATH": ":".join([str(tmp_path / place), *sys.path])},
            capture_output=True,
            text=True,
            check=True,
        )
        ids.add(found.stdout)
    assert len(ids) == 1
    assert ImageSpec(requirements="deep/requirements.txt").id != ImageSpec(requirements="requirements.txt").id


def test_the_id_reads_no_file() -> None:
    """In a pod the requirements file is not there, and the module that names it has to load."""
    spec = ImageSpec(requirements="nowhere.txt", copy=["nothing"])
    assert spec.id and spec.with_packages("p").id
    with pytest.raises(FileNotFoundError, match=r"requirements=…\): there is no nowhere\.txt in "):
        spec.image_name()


def test_a_noop_spec_is_its_base() -> None:
    spec = ImageSpec(base_image="registry.example/app:v3", builder="noop", env={"A": "1"})
    assert spec.image_name() == "registry.example/app:v3"
    assert spec.pod_environment() == {"A": "1", "WINDLASS_IMAGE_ID": spec.id}


# Where the code runs


def test_on_ones_own_machine_it_is_always_the_container() -> None:
    assert ImageSpec(packages=["torch"]).is_container()


def test_in_a_pod_the_image_says_which_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ImageSpec(packages=["torch"])
    monkeypatch.setenv("WINDLASS_TASK", "{}")
    assert not spec.is_container(), "an image that no spec was made for"
    monkeypatch.setenv("WINDLASS_IMAGE_ID", spec.id)
    assert spec.is_container()
    assert not spec.with_packages("numpy").is_container()
    assert spec.with_runtime_packages(["numpy"]).is_container()


def test_runtime_packages_are_told_to_the_pod() -> None:
    spec = ImageSpec(pip_index="http://127.0.0.1/simple", runtime_packages=["numpy>1"])
    spec = spec.with_runtime_packages(["pandas"])
    assert spec.pod_environment() == {
        "WINDLASS_RUNTIME_PACKAGES": "'numpy>1' pandas",
        "PIP_INDEX_URL": "http://127.0.0.1/simple",
    }
    assert ImageSpec(packages=["p"], env={"A": "1"}).pod_environment() == {}


# from_env


def test_from_env_takes_the_python_and_the_versions_of_this_environment() -> None:
    from importlib.metadata import version

    spec = ImageSpec.from_env(pinned_packages=["pytest", "hypothesis"], packages=["numpy"], name="x")
    assert spec.packages == ["numpy", f"pytest=={version('pytest')}", f"hypothesis=={version('hypothesis')}"]
    assert spec.python_version == "{}.{}".format(*sys.version_info[:2])
    assert spec.name == "x"


def test_from_env_refuses_what_the_environment_does_not_have() -> None:
    with pytest.raises(ValueError, match="'no-such-package' is not installed here"):
        ImageSpec.from_env(pinned_packages=["no-such-package"])
    with pytest.raises(ValueError, match="leave python_version out"):
        ImageSpec.from_env(python_version="3.12")


def test_from_env_loads_in_a_pod_of_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_TASK", "{}")
    spec = ImageSpec.from_env(pinned_packages=["no-such-package"])
    assert not spec.is_container()


def test_a_path_may_be_a_path() -> None:
    assert ImageSpec(requirements=Path("requirements.txt")).requirements == "requirements.txt"  # type: ignore[arg-type]


def test_making_a_spec_loads_little() -> None:
    """It is made whenever a pod loads the user's module."""
    code = (
        "import sys; before = set(sys.modules)\nfrom windlass._image import ImageSpec\n"
        "ImageSpec(packages=['p'], requirements='r.txt').with_apt_packages('git').is_container()\n"
        "print(*set(sys.modules) - before)"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    heavy = {"pathlib", "hashlib", "json", "dataclasses", "inspect", "subprocess", "urllib", "tempfile", "windlass_api"}
    assert heavy & {name.partition(".")[0] for name in done.stdout.split()} == set()
