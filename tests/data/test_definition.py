"""Definitions of datasets on their way to a worker."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tal_search.data.definition import DatasetDefinition
from tests.support.definitions import INSTALLED


@pytest.mark.parametrize("name", INSTALLED)
def test_a_definition_travels_without_texts_presets_and_published_numbers(name: str) -> None:
    content = json.loads(json.dumps(INSTALLED[name].to_json()))
    assert not {"description", "source", "clicks", "presets", "published"} & content.keys()
    bare = replace(INSTALLED[name], description="", source="", clicks="", presets={}, published=())
    assert DatasetDefinition.from_json(name, content) == bare


def test_of_an_unknown_dataset_nothing_travels() -> None:
    assert DatasetDefinition(name="mine").to_json() == {}
    assert DatasetDefinition.from_json("mine", {}) == DatasetDefinition(name="mine")
    assert DatasetDefinition(name="mine").shown == "mine"
