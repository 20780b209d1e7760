"""View 3 against the tables that the run itself wrote, against SciPy, and against Optuna on the same record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances
from scipy import stats

from tal_dashboards.data.importance import SEED, importances
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.figures.axis_figures import contour_figure
from tal_dashboards.figures.axis_lines import AT_CENTRE, MOST_DRAWN, MOST_VALUES, OVER_ALL
from tal_dashboards.views import plots
from tal_search.results.noise import Reference, centre_mean
from tal_search.results.noise import noise as noise_of
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


def test_importances_are_what_optuna_says_of_the_record(small_study: StudyData) -> None:
    path = small_study.runs / small_study.name / "record.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        recorded = optuna.load_study(study_name=small_study.name, storage=storage)
        axes = list(small_study.axes)
        wanted = {
            "PED-ANOVA": get_param_importances(recorded, evaluator=PedAnovaImportanceEvaluator(), params=axes),
            "fANOVA": get_param_importances(recorded, evaluator=FanovaImportanceEvaluator(seed=SEED), params=axes),
        }
    finally:
        storage.remove_session()
        storage.engine.dispose()
    found = importances(small_study.done, axes, "holdout").set_index("axis")
    for estimate, shares in wanted.items():
        assert found[estimate].to_dict() == pytest.approx(shares, abs=1e-6)
        assert sum(shares.values()) == pytest.approx(1)


def test_the_axis_that_decides_is_the_important_one_and_a_constant_one_is_left_out() -> None:
    random = np.random.default_rng(0)
    trials = pd.DataFrame({"a": random.random(150), "b": random.random(150), "c": 1.0})
    trials["mAP"] = 10 * trials["a"] + random.normal(0, 0.1, 150)
    found = importances(trials, ("b", "a", "c"), "mAP")
    assert found["axis"].tolist() == ["a", "b"]
    assert (found.loc[0, ["PED-ANOVA", "fANOVA"]] > 0.9).all()
    assert importances(trials.head(1), ("a", "b"), "mAP").empty
    assert importances(trials.assign(mAP=1.0), ("a", "b"), "mAP").empty


def test_contours_need_two_ordered_axes_of_three_values() -> None:
    values = np.arange(12.0).reshape(4, 3)
    heat = pd.DataFrame(values, index=[1.0, 3.0, 5.0, 70.0], columns=[0.1, 0.2, 0.4])
    beside = Reference(4.0, 1.0, "the centre")
    drawn = contour_figure(heat, ("columns", "rows"), "mAP@0.5", beside)
    assert drawn is not None
    assert (drawn.layout.xaxis.type, drawn.layout.yaxis.type) == ("linear", "log")
    assert drawn.data[0].z.tolist() == (values - 4).tolist(), "differences to the centre"
    assert contour_figure(heat[[0.1, 0.2]], ("columns", "rows"), "mAP@0.5", beside) is None
    assert contour_figure(heat.set_axis(["a", "b", "c"], axis=1), ("columns", "rows"), "mAP@0.5", beside) is None


def test_figures_name_their_axes_with_units_and_points_say_whose_trial_they_are(small_study: StudyData) -> None:
    drawn = plots.figures(plots.info(small_study, {}))
    assert set(drawn) == {
        "axis lambda_sep", "axis inference.nms", "heat map", "parallel coordinates", "interaction"
    }  # fmt: skip
    figure = drawn["axis lambda_sep"]
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("λ (lambda_sep)", "mAP@0.5 (%)")
    assert figure.layout.xaxis.type == "log"
    assert [trace.name for trace in figure.data] == ["95 % interval", "trials", "mean"]
    assert {row[2] for row in figure.data[1].customdata} == set(small_study.done["key"])
    band, line = figure.layout.shapes
    middle, noise = centre_mean(small_study), noise_of(small_study)
    assert (band.y0, band.y1) == pytest.approx((middle - noise, middle + noise))
    assert line.x0 == line.x1 == small_study.centre["lambda_sep"]
    parallel = drawn["parallel coordinates"]
    assert list(parallel.layout.xaxis.ticktext) == ["λ", "tIoU_NMS", "mAP@0.5"]
    lines = [trace for trace in parallel.data if trace.mode == "lines"]
    assert sum(np.isnan(np.asarray(trace.y, float)).sum() for trace in lines) == len(small_study.done)


def test_only_a_grid_has_a_heat_map_and_what_is_unknown_in_a_url_is_passed_over(small_study: StudyData) -> None:
    assert plots.info(replace(small_study, plan="one_at_a_time"), {}).heat is None
    assert plots.charts(small_study, {"plots-score": "seed", "plots-x": "<script>"}).score == "mAP@0.5"


def test_a_study_without_a_finished_trial_says_what_to_run(small_study: StudyData) -> None:
    empty = replace(small_study, trials=small_study.trials.assign(state="running"))
    assert plots.figures(plots.info(empty, {})) == {}
    assert f"tal-search run study={small_study.name}" in str(plots.layout(empty, {}))
