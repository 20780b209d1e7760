"""Figures of the comparison: shared scales, colours only beyond the noise, names as text."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from tal_dashboards.home.comparison import Comparison
from tal_dashboards.home.comparison_figures import bars_figure, curves_figure, short_name, value_places

MARKUP = "<img src=x onerror=alert(1)>"


def test_all_studies_share_their_scales_and_all_that_is_drawn_fits(info: Comparison) -> None:
    bars = [bars_figure(info, name) for name in info.names]
    assert len({tuple(one.layout.xaxis.range) for one in bars}) == len({one.layout.height for one in bars}) == 1
    low, high = bars[0].layout.xaxis.range
    for drawn in bars:
        for trace in drawn.select_traces(selector={"type": "scatter"}):
            ends = [
                end
                for x, up, down in zip(trace.x, trace.error_x.array, trace.error_x.arrayminus, strict=True)
                for end in (x + up, x - down)
                if not math.isnan(end)
            ]
            assert all(low <= end <= high for end in (*trace.x, *ends))
    curves = [curves_figure(info, name) for name in info.names]
    axes = [axis for one in curves if one is not None for axis in one.select_yaxes()]
    assert len(axes) == 2 * len(dict.fromkeys(info.axes["axis"]))
    assert {tuple(axis.range) for axis in axes} == {(low, high)}


def test_colour_is_only_for_differences_that_are_more_than_noise(info: Comparison) -> None:
    quiet = info._replace(axes=info.axes.assign(verdict="needs repeats"))
    loud = info._replace(axes=info.axes.assign(verdict="matters", **{"lowest low": -9.0, "lowest high": -0.1}))
    colours = [
        {shade for trace in bars_figure(one, "swept").select_traces(selector={"type": "scatter"})
         for shade in trace.marker.color}
        for one in (quiet, loud)
    ]  # fmt: skip
    assert len(colours[0]) == 1
    assert len(colours[1]) > 1


def test_markup_in_names_is_text_in_figures(info: Comparison) -> None:
    names = info.axes["axis"].replace("kernel_size", MARKUP)
    odd = info._replace(
        axes=info.axes.assign(axis=names, symbol=MARKUP),
        curves=info.curves.assign(axis=info.curves["axis"].replace("kernel_size", MARKUP), value=MARKUP),
    )
    for drawn in (bars_figure(odd, "swept"), curves_figure(odd, "swept")):
        assert drawn is not None
        assert all("<img" not in str(one.text) for one in drawn.layout.annotations)
        assert any("&lt;img" in str(one.text) for one in drawn.layout.annotations)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([4.0, 0.25, 1.0], (True, ["0.25", "1", "4"])), (["b", "a"], (True, ["b", "a"])),
        ([None, 2, 1], (True, ["1", "2", "–"])), ([True, False], (True, ["yes", "no"])),
        ([float(one) for one in range(30)], (False, [])),
    ],
)  # fmt: skip
def test_values_stand_in_order(values: list[object], wanted: tuple[bool, list[str]]) -> None:
    assert value_places(pd.Series(values, dtype=object)) == wanted


def test_a_study_whose_noise_is_unknown_has_no_band(info: Comparison) -> None:
    unknown = info._replace(noise=dict.fromkeys(info.noise, math.nan))
    assert len(bars_figure(info, "swept").layout.shapes) == 1
    assert len(bars_figure(unknown, "swept").layout.shapes) == 0


def test_a_long_name_is_cut_and_an_inference_axis_loses_its_prefix() -> None:
    assert short_name("kernel_size", "h") == "<b>h</b> kernel_size"
    assert short_name("inference.nms", "") == "nms"
    assert short_name("x" * 30, "") == "x" * 23 + "…"
