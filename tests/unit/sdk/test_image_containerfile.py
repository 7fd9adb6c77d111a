"""From a spec to the text that a builder reads. That builders understand it so, tests/integration/images shows."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from windlass._image.containerfile import base_image, containerfile, pulled_images, python_of
from windlass._image.context import RECIPE
from windlass._image.spec import ImageSpec

THIS = "{}.{}".format(*sys.version_info[:2])

EVERYTHING = ImageSpec(
    name="forecast",
    python_version="3.12",
    env={"TZ": "UTC", "PATH": "/opt/tools:$PATH"},
    packages=["pandas==2.2.3", "scikit-learn>=1.5"],
    conda_packages=["gdal=3.9"],
    conda_channels=["conda-forge", "bioconda"],
    requirements="requirements.txt",
    apt_packages=["git", "libgomp1"],
    cuda="12.2.2",
    cudnn="8",
    pip_index="https://packages.example/simple",
    pip_extra_index_url=["https://more.example/simple"],
    pip_secret_mounts=[(".netrc", "/root/.netrc"), (".gitconfig", "/etc/gitconfig")],
    pip_extra_args="--pre --timeout 60",
    entrypoint=["/bin/tini", "--"],
    commands=["python3 -m compileall /root", "set -e\necho 'two lines' > /opt/it"],
    copy=["data"],
)
PLACES = ["copy/data/words.txt", "requirements/0.txt", "requirements/1.txt", "source/app/flow.py"]

# A change of this text for specs that mean the same image as before needs no new RECIPE; one that changes images does.
EXPECTED = f"""\
# Made by Windlass from an ImageSpec; change that, and build again.
FROM docker.io/mambaorg/micromamba:2.0.5 AS python
USER root
RUN CONDA_OVERRIDE_CUDA=12.2.2 micromamba create --yes --prefix /opt/windlass/python --channel conda-forge --channel bioconda python=3.12 pip gdal=3.9
FROM docker.io/nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04
USER root
RUN DEBIAN_FRONTEND=noninteractive apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends git libgomp1 && rm -rf /var/lib/apt/lists/*
COPY --from=python /opt/windlass/python /opt/windlass/python
ENV PATH=/opt/windlass/python/bin:$PATH
ENV TZ="UTC"
ENV PATH="/opt/tools:$PATH"
COPY requirements/ /opt/windlass/requirements/
RUN --mount=type=secret,id=windlass-0,target=/root/.netrc,required=true --mount=type=secret,id=windlass-1,target=/etc/gitconfig,required=true PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --no-cache-dir --index-url https://packages.example/simple --extra-index-url https://more.example/simple --pre --timeout 60 --requirement /opt/windlass/requirements/0.txt pandas==2.2.3 'scikit-learn>=1.5'
RUN mkdir -p /root && chmod 0755 /root
COPY copy/ /root/
COPY source/ /root/
WORKDIR /root
ENV PYTHONPATH=/root
RUN python3 -m compileall /root
RUN ["/bin/sh", "-c", "set -e\\necho 'two lines' > /opt/it"]
USER 65532:65532
ENTRYPOINT ["/bin/tini", "--"]
ENV WINDLASS_IMAGE_ID={EVERYTHING.id}
"""  # noqa: E501  as builders get it


def text(places: list[str] | None = None, **fields: Any) -> str:
    return containerfile(ImageSpec(**fields), places or [])


def steps(**fields: Any) -> list[str]:
    """Without the first line and the last, which all have."""
    head, *found, last = text(**fields).splitlines()
    assert head.startswith("#") and last.startswith("ENV WINDLASS_IMAGE_ID=")
    return found


def test_everything_at_once_in_its_order() -> None:
    assert containerfile(EVERYTHING, PLACES) == EXPECTED
    assert RECIPE == 1


def test_a_spec_with_nothing_in_it_is_its_base_and_needs_no_root() -> None:
    assert steps() == [f"FROM docker.io/library/python:{THIS}-slim"]
    assert steps(base_image="debian:12") == ["FROM debian:12"]


def test_an_entrypoint_can_be_removed() -> None:
    assert "ENTRYPOINT []" in steps(entrypoint=[])
    assert not any(line.startswith("ENTRYPOINT") for line in steps())


def test_a_named_python_installs_the_packages() -> None:
    spec = ImageSpec(base_image="b", python_exec="/opt/my python/bin/python", packages=["p"])
    found = containerfile(spec, [])
    assert "'/opt/my python/bin/python' -m pip install --no-cache-dir p\n" in found
    assert "micromamba" not in found


# Which Python


@pytest.mark.parametrize(
    ("fields", "base", "conda"),
    [
        ({}, f"docker.io/library/python:{THIS}-slim", None),
        ({"python_version": "3.10"}, "docker.io/library/python:3.10-slim", None),
        ({"base_image": "b"}, "b", None),
        ({"base_image": "b", "python_version": "3.10"}, "b", "3.10"),
        ({"conda_packages": ["c"]}, f"docker.io/library/python:{THIS}-slim", THIS),
        ({"base_image": "b", "conda_packages": ["c"]}, "b", THIS),
        ({"cuda": "12.2.0"}, "docker.io/nvidia/cuda:12.2.0-runtime-ubuntu22.04", THIS),
        ({"cuda": "12.6.3", "cudnn": "9"}, "docker.io/nvidia/cuda:12.6.3-cudnn-runtime-ubuntu22.04", THIS),
        ({"cuda": "11.8.0", "cudnn": "8"}, "docker.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04", THIS),
        ({"base_image": ImageSpec(python_version="3.10")}, None, None),
        ({"base_image": ImageSpec(python_version="3.10"), "python_version": "3.10"}, None, None),
        ({"base_image": ImageSpec(python_version="3.10"), "python_version": "3.11"}, None, "3.11"),
        ({"base_image": ImageSpec(python_version="3.10"), "conda_packages": ["c"]}, None, "3.10"),
        ({"base_image": ImageSpec(conda_packages=["c"]), "packages": ["p"]}, None, None),
    ],
    ids=str,
)
def test_python_is_the_bases_own_unless_another_one_is_asked_for(
    fields: dict[str, Any], base: str | None, conda: str | None
) -> None:
    spec = ImageSpec(**fields)
    found = containerfile(spec, [])
    assert f"\nFROM {base or base_image(spec)}\n" in found
    assert (f"python={conda} pip" in found) == (conda is not None)
    assert ("micromamba" in found) == (conda is not None)


def test_conda_packages_are_added_to_the_environment_of_the_base() -> None:
    lower = ImageSpec(conda_packages=["c"])
    found = text(base_image=lower, conda_packages=["d"])
    assert f"COPY --from={lower.image_name()} /opt/windlass/python /opt/windlass/python" in found
    assert "micromamba install" in found and "micromamba create" not in found


def test_packages_that_another_python_would_hide_are_refused() -> None:
    lower = ImageSpec(name="lower", packages=["pandas"])
    with pytest.raises(ValueError, match="the packages of the base image 'lower' are installed for its own Python"):
        text(base_image=lower, conda_packages=["c"])


def test_a_cudnn_that_no_image_has_is_refused() -> None:
    with pytest.raises(ValueError, match=r"CUDA 12\.6\.3 have cuDNN 9 and no other"):
        text(cuda="12.6.3", cudnn="8")


def test_what_the_spec_does_not_decide_is_not_known() -> None:
    assert python_of(ImageSpec(base_image="b")) is None
    assert python_of(ImageSpec(base_image=ImageSpec(base_image="b"))) is None
    assert python_of(ImageSpec(base_image=ImageSpec(python_version="3.10"))) == "3.10"


def test_every_image_that_is_pulled_is_known() -> None:
    config = {"micromamba_image": "localhost:5000/micromamba"}
    assert pulled_images(ImageSpec(base_image="b", conda_packages=["c"], builder_config=config)) == [
        "localhost:5000/micromamba",
        "b",
    ]
    assert pulled_images(ImageSpec(base_image="b")) == ["b"]


# Texts


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", '"plain"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("ends with \\", '"ends with \\\\"'),
        ("$HOME/bin", '"$HOME/bin"'),
        ("costs \\$5", '"costs \\$5"'),
    ],
)
def test_values_of_variables_are_quoted(value: str, written: str) -> None:
    assert f"ENV A={written}" in steps(env={"A": value})


def test_a_command_of_several_lines_stays_one_instruction() -> None:
    assert 'RUN ["/bin/sh", "-c", "echo a\\nFROM scratch"]' in steps(commands=["echo a\nFROM scratch"])
    assert 'RUN ["/bin/sh", "-c", "echo a \\\\"]' in steps(commands=["echo a \\"])
    assert steps(commands=["", "  "]) == [f"FROM docker.io/library/python:{THIS}-slim"]


def test_words_are_quoted_for_the_shell() -> None:
    assert any(line.endswith("pip install --no-cache-dir 'a; rm -rf /'") for line in steps(packages=["a; rm -rf /"]))
    assert any("--no-install-recommends 'a b'" in line for line in steps(apt_packages=["a b"]))
