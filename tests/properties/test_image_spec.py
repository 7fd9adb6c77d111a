"""What holds for every ImageSpec."""

from __future__ import annotations

import shlex
from typing import Any

from hypothesis import given, strategies as st

from windlass._image.containerfile import containerfile
from windlass._image.spec import ImageSpec

INSTRUCTIONS = ("FROM", "USER", "RUN", "COPY", "ENV", "WORKDIR", "ENTRYPOINT")

texts = st.text(max_size=12)
lines = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), max_size=12)
names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True)
word = st.from_regex(r"[a-z]{1,5}(:[a-z]{1,3})?", fullmatch=True)
fields = st.fixed_dictionaries(
    {},
    optional={
        "python_version": st.sampled_from(["3.10", "3.12.4"]),
        "env": st.dictionaries(names, lines, max_size=3),
        "packages": st.lists(lines, max_size=3),
        "conda_packages": st.lists(lines, max_size=3),
        "apt_packages": st.lists(lines, max_size=3),
        "base_image": word | st.builds(ImageSpec, commands=st.lists(lines, max_size=2)),
        "pip_index": lines.filter(bool),
        "pip_extra_index_url": st.lists(lines, max_size=2),
        "entrypoint": st.lists(texts, max_size=3),
        "commands": st.lists(texts, max_size=3),
    },
)


@given(fields)
def test_no_text_in_a_spec_becomes_an_instruction_of_its_own(given_fields: dict[str, Any]) -> None:
    spec = ImageSpec(**given_fields)
    head, *found, last = containerfile(spec, []).split("\n")
    assert head.startswith("# ") and last == ""
    assert all(line.partition(" ")[0] in INSTRUCTIONS for line in found)
    environment = [line.split("=")[0].removeprefix("ENV ") for line in found if line.startswith("ENV ")]
    assert {*environment} - {"PATH"} == {*(spec.env or {}), "WINDLASS_IMAGE_ID"} - {"PATH"}
    assert not any(line.endswith("\\") and not line.endswith("\\\\") for line in found), "it would go on below"


@given(st.lists(lines, min_size=1, max_size=4))
def test_the_shell_gets_packages_as_they_are(packages: list[str]) -> None:
    found = containerfile(ImageSpec(base_image="b", packages=packages), [])
    [line] = [line for line in found.split("\n") if "pip install" in line]
    words = shlex.split(line)
    assert words[words.index("--no-cache-dir") + 1 :] == packages


@given(fields, fields)
def test_specs_have_the_same_id_exactly_where_they_say_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = ImageSpec(**one), ImageSpec(**dict(reversed(one.items())))
    assert first == second and first.id == second.id and hash(first) == hash(second)
    assert (first.id == ImageSpec(**other).id) == (first == ImageSpec(**other))


@given(fields)
def test_the_same_spec_makes_the_same_text(given_fields: dict[str, Any]) -> None:
    assert containerfile(ImageSpec(**given_fields), []) == containerfile(ImageSpec(**given_fields), [])


@given(fields)
def test_the_representation_says_all(given_fields: dict[str, Any]) -> None:
    spec = ImageSpec(**given_fields)
    assert eval(repr(spec)) == spec  # its text is what it says it is
