"""Sensitivity plots view against the tables that the run itself wrote and against SciPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.figures.axis_lines import AT_CENTRE, MOST_DRAWN, MOST_VALUES, OVER_ALL
from tal_dashboards.views import plots
from tal_search.results.sensitivity import sensitivity_info
from tests.support.made_up_studies import made_up
from tests.support.small_dashboards import Made


def test_lines_and_heat_map_hold_the_means_that_the_run_prints(grid: Made, small_study: StudyData) -> None:
    (table,) = sensitivity_info(grid.frame)
    written = table.rows
    found = plots.info(small_study, {})
    assert [line.band for line in found.lines] == [AT_CENTRE, AT_CENTRE]
    for line in found.lines:
        other = next(axis for axis in small_study.axes if axis != line.axis)
        mine = written[written[other] == small_study.centre[other]].sort_values(line.axis)
        assert line.line["value"].tolist() == mine[line.axis].tolist()
        assert line.line["mean"].tolist() == pytest.approx(mine["mAP@0.5"].tolist(), abs=1e-12)
        assert line.line["n"].tolist() == mine["n"].tolist() == [3] * len(mine)
    assert found.heat is not None
    for row in written.to_dict("records"):
        assert found.heat.loc[row["inference.nms"], row["lambda_sep"]] == pytest.approx(row["mAP@0.5"], abs=1e-12)
    turned = plots.info(small_study, {"plots-x": "inference.nms", "plots-y": "nothing"}).heat
    assert turned is not None
    assert turned.equals(found.heat.T)


def test_bands_are_the_t_intervals_of_scipy_over_repeats(small_study: StudyData) -> None:
    line = plots.info(small_study, {"plots-score": "average"}).lines[0]
    done = small_study.done[small_study.done["inference.nms"] == small_study.centre["inference.nms"]]
    for row in line.line.to_dict("records"):
        values = done.loc[done["lambda_sep"] == row["value"], "average"]
        wanted = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        assert (row["low"], row["high"]) == pytest.approx((max(0, wanted[0]), wanted[1])), "a score is not below 0"
    assert sorted(line.points["score"]) == sorted(done["average"])


def test_one_repeat_has_no_band(small_study: StudyData) -> None:
    one = replace(small_study, trials=small_study.trials[small_study.trials["seed"] == 0])
    for line in plots.info(one, {}).lines:
        assert line.line["low"].isna().all()
        assert line.line["mean"].notna().all()


def test_many_values_are_drawn_in_bins_of_all_trials_and_the_best_trial_is_always_shown(small_study: StudyData) -> None:
    random = np.random.default_rng(0)
    values, scores = random.random(3001), random.random(3001)
    scores[1] = 2.0
    study = made_up(small_study, {"a": values, "b": random.integers(0, 3, 3001)}, scores)
    binned, counted = plots.charts(study, {}).lines
    assert (binned.band, counted.band) == (OVER_ALL, OVER_ALL)
    assert len(binned.line) == MOST_VALUES
    assert binned.line["n"].sum() == counted.line["n"].sum() == 3001
    edges = np.quantile(values, np.linspace(0, 1, MOST_VALUES + 1))
    inside = (values > edges[1]) & (values <= edges[2])
    second = binned.line.iloc[1]
    assert second["value"] == np.median(values[inside])
    assert (second["low"], second["high"]) == pytest.approx(np.quantile(scores[inside], [0.25, 0.75]))
    assert len(binned.points) <= MOST_DRAWN
    assert binned.points["score"].max() == 2.0


def test_switches_words_and_none_are_categories_in_their_order(small_study: StudyData) -> None:
    columns = {"switch": [True, False, True], "word": ["paper", "<b>other</b>", "paper"], "share": [None, 0.5, 0.25]}
    study = made_up(small_study, columns, [1.0, 2.0, 3.0])
    found = plots.info(study, {})
    assert [line.line["value"].tolist() for line in found.lines] == [
        ["yes", "no"], ["paper", "<b>other</b>"], ["–", "0.5", "0.25"],
    ]  # fmt: skip
    drawn = plots.figures(found)
    assert list(drawn["axis word"].data[-1].x) == ["paper", "&lt;b&gt;other&lt;/b&gt;"]
    assert {drawn[f"axis {axis}"].layout.xaxis.type for axis in columns} == {"category"}
    assert "<b>" not in str(drawn["parallel coordinates"].to_dict())


def test_only_a_grid_has_a_heat_map_and_what_is_unknown_in_a_url_is_passed_over(small_study: StudyData) -> None:
    assert plots.info(replace(small_study, plan="one_at_a_time"), {}).heat is None
    assert plots.charts(small_study, {"plots-score": "seed", "plots-x": "<script>"}).score == "mAP@0.5"


def test_a_study_without_a_finished_trial_says_what_to_run(small_study: StudyData) -> None:
    empty = replace(small_study, trials=small_study.trials.assign(state="running"))
    assert plots.figures(plots.info(empty, {})) == {}
    assert f"tal-search run study={small_study.name}" in str(plots.layout(empty, {}))


def test_all_plots_share_the_y_axis_unless_it_is_set_free(small_study: StudyData) -> None:
    """An axis of a tenth of a point beside one of ten looks flat; the URL holds the choice."""
    values = np.tile([1.0, 2.0, 3.0], 20)
    other = np.repeat([1.0, 2.0, 3.0], 20)
    study = made_up(small_study, {"a": values, "b": other}, 40 + 10 * values + 0.1 * other)
    shared, free = (
        [plots.figures(plots.charts(study, chosen))[f"axis {axis}"].layout.yaxis.range for axis in ("a", "b")]
        for chosen in ({}, {"plots-scale": "free"})
    )
    assert shared[0] == shared[1]
    assert shared[0][0] < 50.1
    assert shared[0][1] > 70.3
    assert free == [None, None]
    page = str(plots.layout(study, {"plots-scale": "free"}))
    assert "'name': 'plots-scale'" in page
