"""Every name of the API page exists in `windlass` and is used by a test; every difference is on record.

`dev.conformance` says how that is found out. Whether each behaves as it should is for the tests that use it.
"""

from __future__ import annotations

import pytest

import windlass
from dev import conformance

LEANED_ON = (
    "dynamic",
    "eager",
    "conditional",
    "approve",
    "wait_for_input",
    "sleep",
    "WorkflowFailurePolicy",
    "kwtypes",
    "HashMethod",
    "CronSchedule",
    "FixedRate",
    "OnArtifact",
    "Inputs",
    "Slack",
    "Email",
    "PagerDuty",
    "TaskMetadata",
    "reference_task",
    "reference_workflow",
    "reference_launch_plan",
    "Workflow",
    "create_node",
    "FlyteError",
    "CacheFunctionBody",
    "ShellTask",
    "OutputLocation",
    "TypeTransformer",
    "TypeEngine",
    "BatchSize",
    "CSVFile",
    "MarkdownRenderer",
    "TopFrameRenderer",
    "Remote",
    "accelerators",
    "StructuredDatasetTransformerEngine",
    "DeckField",
    "Options",
    "ConcurrencyPolicy",
)
"""Names that the page uses without listing them."""


def test_every_name_parameter_method_and_property_is_there() -> None:
    assert [str(item) for item in conformance.missing()] == []


def test_every_name_parameter_method_and_property_is_used_by_a_test() -> None:
    assert [str(item) for item in conformance.unused()] == []


@pytest.mark.parametrize("name", LEANED_ON)
def test_a_name_that_the_page_leans_on_is_there_too(name: str) -> None:
    assert getattr(windlass, name) is not None
    assert name in dir(windlass)


def test_every_choice_has_a_known_state_and_a_reason_and_is_made_once() -> None:
    choices = conformance.choices()
    assert [choice for choice in choices if choice.state not in conformance.STATES or len(choice.reason) < 10] == []
    names = [choice.name for choice in choices]
    assert [name for name in names if names.count(name) > 1] == []


def test_a_choice_is_about_items_of_the_surface_and_no_item_has_two() -> None:
    items = [name for choice in conformance.choices() for name in choice.items]
    assert set(items) - {str(item) for item in conformance.items()} == set()
    assert [name for name in items if items.count(name) > 1] == []


def test_the_page_is_the_one_that_would_be_made_now() -> None:
    assert conformance.PAGE.read_text() == "\n".join(conformance.page()).rstrip() + "\n"
