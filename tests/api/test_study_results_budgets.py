"""`budgets` and `best_for` of a study's results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.api.study_results import StudyResults
from tal_search.errors import InputError
from tests.support.drawn_budgets import budgets_of, read_as


def test_budgets_and_the_best_method_for_a_time(tmp_path: Path) -> None:
    study = StudyResults(read_as(budgets_of({(1, 1.0): 30.0, (1, 0.1): 10.0, (3, 1.0): 50.0}), tmp_path))
    table = study.budgets()
    assert table["cost"].tolist() == [360, 3600, 7200]
    assert table["front"].tolist() == ["alone", "on", "on"]
    table["cost"] = 0
    assert study.budgets()["cost"].tolist() == [360, 3600, 7200], "a copy"
    assert study.best_for(3600).cell == "centre"
    assert study.best_for(100).verdict == "no method"
    for wrong in (-1, float("nan")):
        with pytest.raises(InputError, match="is no time; give seconds from 0"):
            study.best_for(wrong)


def test_a_record_without_totals_is_in_seconds_a_minute(tmp_path: Path) -> None:
    data = read_as(budgets_of({(1, 1.0): 30.0, (3, 1.0): 50.0}), tmp_path)
    old = StudyResults(replace(data, trials=data.trials.assign(annotation_total=float("nan"))))
    assert old.budgets()["cost"].unique().tolist() == [45]
    assert old.best_for(45).unit == "minute"
