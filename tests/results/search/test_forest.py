"""The forest of a sampler's cells: which axes depend on others, and when there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tal_search.results.search import forest
from tal_search.results.search.ablation_path import ablation_path
from tal_search.results.search.marginal_effects import marginal_effects
from tal_search.results.trials import StudyFrame
from tests.support.sampled_study import sampled


@pytest.fixture(scope="module")
def study() -> StudyFrame:
    return sampled()


def test_an_axis_that_is_heard_at_some_values_of_another_is_recognized(study: StudyFrame) -> None:
    found = forest.fitted(study)
    assert found is not None
    assert found.silent == {"size": {"on": (False,)}}
    assert found.active("size", found.cells).equals(found.cells["on"])
    assert found.active("weak", found.cells).all()


def test_few_cells_and_other_plans_have_none_and_are_told_why(study: StudyFrame) -> None:
    few = replace(study, trials=study.trials.head(2 * 15))
    assert forest.unfitted(few) == "Marginal effects need 16 different finished cells; this study has 15."
    assert marginal_effects(few).empty
    assert ablation_path(few).empty
    assert "cells that differ in nothing else" in forest.unfitted(replace(study, plan="grid"))
    assert forest.unfitted(study) == ""
