"""Importance, marginal effects and path: when they are shown, and with which words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tal_dashboards.data.importance import LEAST_PER_AXIS, LEAST_TRIALS, importance_rule
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.views import plots
from tal_dashboards.views.parts.late import ONE_AT_A_TIME, late_info, part
from tests.support.made_up_studies import made_up
from tests.support.sampled_plans import run, sampled_plan


def test_importance_is_shown_where_it_has_a_meaning_and_says_that_it_answers_another_question(
    small_study: StudyData,
) -> None:
    random, count = np.random.default_rng(0), max(LEAST_TRIALS, 2 * LEAST_PER_AXIS)
    columns = {"a": random.random(count), "b": random.random(count)}
    study = made_up(small_study, columns, 50 + 10 * columns["a"])
    assert importance_rule(study) == ""
    page = str(part(study, "mAP@0.5", None))
    assert "answers another question" in page
    assert page.index("Marginal effects") < page.index("H2('Importance')"), "never above what is in points"
    assert f"need {count} finished trials" in importance_rule(replace(study, trials=study.trials.head(count - 1)))
    one = replace(study, plan="one_at_a_time")
    assert "changes one axis at a time" in importance_rule(one)
    assert late_info(one, "mAP@0.5", None).importance.empty
    assert ONE_AT_A_TIME in str(part(one, "mAP@0.5", None))
    assert "need all cells of a grid" in importance_rule(replace(study, plan="grid"))


def test_a_sampler_study_shows_marginal_effects_on_one_scale_and_the_path_to_its_best(tmp_path: Path) -> None:
    """A real study of counting trials, whose held-out mAP is best at lambda_sep 1."""
    run(sampled_plan(tmp_path, sampler="qmc", trials=18, epochs=1))
    study = StudyReader(tmp_path, "search")()
    found = plots.info(study, {})
    assert found.score == "holdout", "what the sampler searched for"
    assert found.late is not None
    drawn = plots.figures(found)
    assert {f"marginal {axis}" for axis in study.axes} <= set(drawn)
    ranges = {drawn[f"marginal {axis}"].layout.yaxis.range for axis in study.axes}
    assert len(ranges) == 1
    best = found.late.effects.set_index("name").loc["lambda_sep"].sort_values("mean").iloc[-1]
    assert 0.5 < best["value"] < 2
    assert drawn["marginal lambda_sep"].layout.yaxis.title.text == "held-out mAP (%)"
    path, steps = drawn["path"], found.late.path
    assert steps["mean"].iloc[-1] == pytest.approx(study.done["holdout"].max())
    symbols = path.data[-1].marker.symbol
    assert list(symbols) == ["circle" if one == "measured" else "circle-open" for one in steps["source"]]
    assert sum(len(trace.x) for trace in path.data if str(trace.name).startswith("gain")) == len(steps) - 1
    assert plots.tables(found)["marginal effects"] is found.late.effects
    page = str(part(study, "holdout", None))
    assert "held-out training videos" in page
    assert "not a test" in page
    assert "Importances need" in page
