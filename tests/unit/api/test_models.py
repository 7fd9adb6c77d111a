"""The models, what derives from them, and the rules that are stated twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from windlass_api import names, reference, schema
from windlass_api.overrides import OVERRIDE_FIELDS, POD_FIELDS
from windlass_api.v1alpha1.kinds import KINDS
from windlass_api.v1alpha1.meta import KindModel
from windlass_api.v1alpha1.overrides import Overrides, PodSettings
from windlass_api.v1alpha1.task import TaskSpec

ROOT = Path(__file__).parents[3]
EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def schemas_in(root: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield path, root
    for name, field in root.get("properties", {}).items():
        yield from schemas_in(field, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in root:
            yield from schemas_in(root[key], f"{path}[]")


def fields_of(kind: type[KindModel]) -> list[tuple[str, Mapping[str, Any]]]:
    return list(schemas_in(schema.root_schema(kind), kind.__name__))


def is_free(field: Mapping[str, Any]) -> bool:
    return bool(field.get("x-kubernetes-preserve-unknown-fields"))


@EACH_KIND
def test_the_checked_in_crd_and_page_are_what_the_models_say(kind: type[KindModel]) -> None:
    crd = ROOT / "crds" / f"{names.plural(kind.__name__)}.yaml"
    page = ROOT / "docs" / "reference" / f"{kind.__name__.lower()}.md"
    assert crd.read_text() == schema.dump(schema.crd(kind)), "run `make generate`"
    assert page.read_text() == reference.page(kind), "run `make generate`"


def test_the_commands_write_one_file_per_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.main([str(tmp_path / "crds")]) == 0
    assert reference.main([str(tmp_path / "docs")]) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in written] == [
        *(f"{names.plural(kind.__name__)}.yaml" for kind in KINDS),
        *(f"{kind.__name__.lower()}.md" for kind in KINDS),
    ]
    assert schema.main([]) == reference.main([]) == 2


@EACH_KIND
def test_a_crd_is_far_below_what_a_client_side_apply_can_carry(kind: type[KindModel]) -> None:
    assert len(schema.dump(schema.crd(kind)).encode()) < 100 * 1024


@EACH_KIND
def test_every_field_is_described(kind: type[KindModel]) -> None:
    for path, model in fields_of(kind):
        for name, field in model.get("properties", {}).items():
            assert field.get("description") or path == kind.__name__, f"{path}.{name} has no description"


@EACH_KIND
def test_everything_is_bounded_but_free_values(kind: type[KindModel]) -> None:
    for path, field in fields_of(kind):
        if field.get("type") == "string" and path.count(".") > 1:
            bounded = "maxLength" in field or "enum" in field or field.get("format") == "date-time"
            assert bounded, f"{path} is a string without a limit"
        if field.get("type") == "array":
            assert "maxItems" in field, f"{path} is a list without a limit"
            assert "x-kubernetes-list-type" in field, f"{path} does not say how its items are merged"
        if "additionalProperties" in field:
            assert "maxProperties" in field, f"{path} is a map without a limit"


@EACH_KIND
def test_the_schema_is_structural(kind: type[KindModel]) -> None:
    for path, field in fields_of(kind):
        assert field.get("type") or is_free(field) or field.get("x-kubernetes-int-or-string"), f"{path} has no type"
        unwanted = {"$ref", "$defs", "title", "const", "default", "oneOf", "allOf"} & field.keys()
        assert not unwanted, f"{path} has {unwanted}"
        if "anyOf" in field:
            assert field["x-kubernetes-int-or-string"] is True


@EACH_KIND
def test_values_are_free_only_where_that_is_meant(kind: type[KindModel]) -> None:
    ends = {path.rsplit(".", 1)[-1] for path, field in fields_of(kind) if is_free(field)}
    assert ends <= {
        *("inputs[]", "outputs[]", "default", "schema", "from"),
        *("defaultInputs[]", "fixedInputs[]", "partitions[]", "timePartition", "value"),
        "spec",  # of a podTemplate
    }


def test_the_merge_knows_every_override_and_no_override_has_a_default() -> None:
    fields = Overrides.model_fields.values()
    assert tuple(field.alias for field in fields) == OVERRIDE_FIELDS
    assert all(field.default is None for field in fields)
    assert tuple(field.alias for field in PodSettings.model_fields.values()) == POD_FIELDS
    assert issubclass(TaskSpec, Overrides)


def test_names_and_models_agree_on_the_kinds() -> None:
    assert [kind.__name__ for kind in KINDS] == list(names.PLURALS)
    short = [name for kind in KINDS for name in kind.SHORT_NAMES]
    assert len(set(short)) == len(short)
    for kind in KINDS:
        literals = kind.model_json_schema(by_alias=True)["properties"]
        assert literals["apiVersion"]["const"] == names.API_VERSION
        assert literals["kind"]["const"] == kind.__name__
