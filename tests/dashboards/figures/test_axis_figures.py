"""Sensitivity plots: contours, axes and ticks, published points, one colour scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tal_dashboards import style
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.figures.axis_figures import contour_figure
from tal_dashboards.figures.difference_colours import BETTER, WORSE, colour_of, colour_scale, reach
from tal_dashboards.views import plots
from tal_search.results.noise import Reference, centre_mean
from tal_search.results.noise import noise as noise_of
from tal_search.results.published import BEST_ON_TEST
from tests.support.made_up_studies import made_up
from tests.support.small_dashboards import Made


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


def line_of(study: StudyData, axis: str, selection: dict[str, str]) -> Any:
    return plots.figures(plots.charts(study, selection))[f"axis {axis}"]


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
