"""What view 3 says: one scale, one colour, what a reader keeps, what importance is shown of, what samplers show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tal_dashboards import style
from tal_dashboards.data.importance import LEAST_PER_AXIS, LEAST_TRIALS, importance_rule
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.figures.difference_colours import BETTER, WORSE, colour_of, colour_scale, reach
from tal_dashboards.views import plots
from tal_dashboards.views.plot_parts import kept
from tal_dashboards.views.plot_parts.late import ONE_AT_A_TIME, late_info, part
from tal_search.results.noise import noise as noise_of
from tal_search.results.published import BEST_ON_TEST
from tests.support.made_up_studies import made_up
from tests.support.sampled_plans import run, sampled_plan
from tests.support.small_dashboards import Made


def line_of(study: StudyData, axis: str, selection: dict[str, str]) -> Any:
    return plots.figures(plots.charts(study, selection))[f"axis {axis}"]


def test_all_plots_share_the_y_axis_unless_it_is_set_free(small_study: StudyData) -> None:
    """An axis of a tenth of a point beside one of ten looks flat; the URL holds the choice."""
    values = np.tile([1.0, 2.0, 3.0], 20)
    other = np.repeat([1.0, 2.0, 3.0], 20)
    study = made_up(small_study, {"a": values, "b": other}, 40 + 10 * values + 0.1 * other)
    shared = [line_of(study, axis, {}).layout.yaxis.range for axis in ("a", "b")]
    assert shared[0] == shared[1]
    assert shared[0][0] < 50.1
    assert shared[0][1] > 70.3
    free = [line_of(study, axis, {"plots-scale": "free"}).layout.yaxis.range for axis in ("a", "b")]
    assert free == [None, None]
    page = str(plots.layout(study, {"plots-scale": "free"}))
    assert "'name': 'plots-scale'" in page


def test_the_papers_point_is_hollow_on_the_score_it_was_published_for(swept: Made) -> None:
    data = swept.read()
    settings = {"lambda_sep": 1.0, "beta_aff": 0.8, "tau_same": 0.5, "tau_diff": 0.1, "embedding_dim": 32,
                "kernel_size": 3, "k_ratio": 0.125}  # fmt: skip
    paper = replace(data, fit_inference=data.inference, hyperparameters={**data.hyperparameters, **settings})
    drawn = line_of(paper, "kernel_size", {})
    (point,) = (trace for trace in drawn.data if str(trace.name).startswith("paper"))
    assert list(point.x) == [3]
    assert "36.3 †" in point.customdata[0]
    assert all(one.endswith("-open") for one in point.marker.symbol)
    (line,) = (line for line in plots.charts(paper, {}).lines if line.axis == "kernel_size")
    at = line.line.set_index("value")
    assert at.loc[3, "paper"] == 36.3
    assert np.isnan(at.loc[1, "paper"])
    assert at.loc[3, "paper selection"] == BEST_ON_TEST
    highest = drawn.layout.yaxis.range[1]
    assert point.y[0] == highest < 36, "of real videos: it does not flatten a simulated study"
    real = replace(paper, simulated=False)
    assert line_of(real, "kernel_size", {}).layout.yaxis.range[1] > 36.3
    other = [str(trace.name) for trace in line_of(paper, "kernel_size", {"plots-score": "average"}).data]
    assert not any(name.startswith("paper") for name in other)


def test_ticks_are_values_as_an_author_writes_them(small_study: StudyData) -> None:
    study = made_up(small_study, {"share": [1 / 16, 1 / 12, 1 / 6], "size": [1, 2, 3]}, [1.0, 2.0, 3.0])
    assert list(line_of(study, "share", {}).layout.xaxis.ticktext) == ["1/16", "1/12", "1/6"]


def test_one_colour_means_one_thing(small_study: StudyData) -> None:
    """The difference to the centre: blue above it and vermilion below, grey inside the noise, in every figure."""
    assert (reach(6.0, 2.0), reach(1.0, 3.0), reach(4.0, np.nan)) == (6.0, 5.0, 4.0)
    assert colour_of(1.9, 6.0, 2.0) == colour_of(-2.0, 6.0, 2.0) == style.GRID
    assert (colour_of(6.0, 6.0, 2.0), colour_of(-6.0, 6.0, 2.0)) == (BETTER, WORSE)
    assert [round(place, 3) for place, colour in colour_scale(6.0, 2.0) if colour == style.GRID] == [0.333, 0.667]
    values = np.tile([1.0, 2.0, 3.0], 24)
    other = np.repeat([1.0, 2.0, 3.0], 24)
    noise = np.random.default_rng(0).normal(0, 0.5, 72)
    scores = 50 + 8 * (values - 1) - 8 * (other - 1) + noise
    study = made_up(small_study, {"a": values, "b": other}, scores, plan="grid")
    study = replace(study, trials=study.trials.assign(seed=np.arange(72) % 24))
    drawn = plots.figures(plots.info(study, {}))
    beside = plots.charts(study, {}).reference
    assert beside.words == "the centre"
    assert beside.noise == noise_of(study)
    for name in ("heat map", "contours"):
        trace = drawn[name].data[0]
        assert trace.z[0][0] == pytest.approx(0, abs=1e-9), "the centre"
        assert trace.zmax == -trace.zmin
        assert (trace.colorscale[0][1], trace.colorscale[-1][1]) == (WORSE, BETTER)
    assert drawn["heat map"].data[0].text[0][0] == f"{beside.mean:.1f}"
    lines = {trace.line.color: trace for trace in drawn["parallel coordinates"].data if trace.mode == "lines"}
    for colour, trace in lines.items():
        keys = {row[2] for row in trace.customdata}
        difference = study.trials.loc[study.trials["key"].isin(keys), "mAP@0.5"] - beside.mean
        if colour == style.GREY:
            assert difference.abs().max() <= beside.noise
        else:
            assert difference.abs().min() > beside.noise
            blue = int(colour[5:], 16) > int(colour[1:3], 16)
            assert (difference > 0).all() == blue
    for name in ("axis a", "interaction"):
        traces = str([trace.to_plotly_json() for trace in drawn[name].data])
        assert WORSE not in traces
        assert BETTER not in traces


def test_ranges_of_several_axes_combine_and_what_is_kept_is_said(small_study: StudyData) -> None:
    study = made_up(
        small_study,
        {"size": [1.0, 2.0, 4.0, 16.0], "switch": [True, False, True, True], "share": [1 / 16, 1 / 12, 1 / 8, 1 / 4]},
        [10.0, 20.0, 30.0, 40.0],
    )  # fmt: skip
    everything = kept.parallel_of(study, "mAP@0.5", {})
    assert everything is not None
    assert everything.summary[:2] == (4, 4)
    assert "nothing is kept apart" in kept.words_of(everything)
    chosen = {"plots-keep-size": "2 to 16", "plots-keep-switch": "yes", "plots-keep-share": "1/8..1/4"}
    found = kept.parallel_of(study, "mAP@0.5", chosen)
    assert found is not None
    assert found.kept_N.tolist() == [False, False, True, True]
    assert found.summary == (2, 4, 35.0, 25.0), "the centre is the first, at 10"
    assert "2 of 4 finished trials kept" in kept.words_of(found)
    assert "25.0 points above the centre" in kept.words_of(found)
    faded = [trace for trace in kept.figure_of(found).data if trace.opacity == 0.1]
    assert {row[2] for trace in faded for row in trace.customdata} == {"key0", "key1"}
    score = kept.parallel_of(study, "mAP@0.5", {"plots-keep-score": "15..25"})
    assert score is not None
    assert score.kept_N.tolist() == [False, True, False, False]
    wrong = kept.parallel_of(study, "mAP@0.5", {"plots-keep-size": "<b>", "plots-keep-switch": "maybe"})
    assert wrong is not None
    assert len(wrong.unread) == 2
    assert wrong.summary.kept == 4
    assert "1..16" in wrong.unread[0]


def test_a_dragged_box_is_a_range_of_the_axes_under_it(small_study: StudyData) -> None:
    study = made_up(small_study, {"size": [1.0, 4.0, 16.0], "switch": [True, False, True]}, [10.0, 20.0, 30.0])
    found = kept.parallel_of(study, "mAP@0.5", {})
    assert found is not None
    assert kept.dragged(found.axes, {"x": [0.1, 0.2], "y": [0.4, 1.2]}) == {"plots-keep-size": "3.031..16"}
    both = kept.dragged(found.axes, {"x": [0.9, 2.1], "y": [0.9, 0.5]})
    assert both == {"plots-keep-switch": "yes", "plots-keep-score": "20..28"}
    assert kept.dragged(found.axes, {"x": [0, 0], "y": [-0.1, 1.1]}) == {"plots-keep-size": ""}, "all of it is no range"
    again = kept.parallel_of(study, "mAP@0.5", both)
    assert again is not None
    assert again.summary.kept == 0
    assert "0 of 3 finished trials kept" in kept.words_of(again)


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
    assert "one thing at a time" in importance_rule(one)
    assert late_info(one, "mAP@0.5", None).importance.empty
    assert ONE_AT_A_TIME in str(part(one, "mAP@0.5", None))
    assert "need all of its cells" in importance_rule(replace(study, plan="grid"))


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
