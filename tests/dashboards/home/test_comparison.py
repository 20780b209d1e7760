"""Several studies side by side: every number is that of its own study, and all share their scales."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tal_dashboards.home.compare import compare_layout, compare_part, named
from tal_dashboards.home.comparison import (
    ABSENT,
    MOST_STUDIES,
    NUMBERS,
    Comparison,
    chosen_studies,
    comparison_info,
    comparison_tables,
)
from tal_dashboards.home.comparison_figures import bars_figure, curves_figure, value_places
from tal_search.results.cell_table import cells
from tal_search.results.overview import overview
from tests.dashboards.home.test_front import cards_of, words
from tests.support.small_dashboards import Made

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def info(swept: Made, grid: Made) -> Comparison:
    found = {}
    for name, made in (("swept", swept), ("grid", grid)):
        cards = cards_of(made.runs)
        found[name] = cards.standing(made.name), cards.overview(made.name)
    return comparison_info(found)


def rows_of(info: Comparison, study: str) -> pd.DataFrame:
    return info.axes[info.axes["study"] == study].set_index("axis")


def test_every_number_is_that_of_its_own_study(info: Comparison, swept: Made, grid: Made) -> None:
    assert list(dict.fromkeys(info.axes["axis"])) == list(
        info.axes.groupby("axis")["effect"].max().sort_values(ascending=False, kind="stable").index
    )
    for name, made in (("swept", swept), ("grid", grid)):
        mine, wanted = rows_of(info, name), overview(made.frame)
        assert {axis for axis, there in mine["there"].items() if there} == {*wanted.ranking["name"]}
        assert info.noise[name] == wanted.noise
        for row in wanted.ranking.to_dict("records"):
            assert mine.loc[row["name"], list(NUMBERS)].tolist() == pytest.approx(
                [row[number] for number in NUMBERS], abs=0, rel=0, nan_ok=True
            )
            assert mine.loc[row["name"], "verdict"] == row["verdict"]
        curves = info.curves[info.curves["study"] == name].drop(columns="study").reset_index(drop=True)
        pd.testing.assert_frame_equal(curves, wanted.curves.rename(columns={"name": "axis"}), check_dtype=False)
        assert (curves.loc[curves["centre"].astype(bool), "delta"] == 0).all()
        assert rows_of(info, name)["lowest"].min() < 0, "equal zeros would show nothing"


def test_an_axis_that_a_study_lacks_is_a_dash(info: Comparison) -> None:
    tables = comparison_tables(info)
    lacking = tables["axes"][(tables["axes"]["study"] == "grid") & (tables["axes"]["axis"] == "h (kernel_size)")]
    assert lacking.iloc[0, 2:].tolist() == [ABSENT] * 5
    there = tables["axes"][(tables["axes"]["study"] == "swept") & (tables["axes"]["axis"] == "h (kernel_size)")]
    assert ABSENT not in there.iloc[0, 2:5].tolist()
    assert tables["studies"]["study"].tolist() == ["swept", "grid"]
    assert tables["studies"]["simulated"].tolist() == [True, True]
    texts = [one.text for one in bars_figure(info, "grid").layout.annotations]
    assert f"{ABSENT} not in this study" in texts


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
def test_values_stand_in_order(values: list[Any], wanted: tuple[bool, list[str]]) -> None:
    assert value_places(pd.Series(values, dtype=object)) == wanted


def test_wrong_names_are_one_sentence() -> None:
    present = [f"s{place}" for place in range(MOST_STUDIES + 1)]
    assert chosen_studies(["s1", " s0 ", "s1", ""], present) == (["s1", "s0"], "")
    chosen, problem = chosen_studies(["s1", MARKUP, "x"], present)
    assert chosen == ["s1"]
    assert problem.startswith(f"There is no study {MARKUP} and no study x; studies there: s0, s1, ")
    chosen, problem = chosen_studies(present, present)
    assert chosen == present[:MOST_STUDIES]
    assert f"At most {MOST_STUDIES}" in problem
    assert chosen_studies(["x"], []) == ([], "There is no study x; no study was run yet.")
    assert named("?studies=a,b,,") == ["a", "b"]
    assert named("?view=study") == named("") == named("?studies=") == []


def test_the_page_says_what_is_wrong_and_shows_the_rest(swept: Made, compared: Made, tmp_path: Path) -> None:
    cards = cards_of(swept.runs)
    shown = words(compare_part(cards, f"?studies={swept.name},none"))
    assert "There is no study none" in shown
    assert "Choose two studies or more" in shown
    assert "Worst and best value" in shown
    both = words(compare_part(cards, f"?studies={swept.name},{compared.name}"))
    cases = [str(case) for case in cells(compared.frame).loc[lambda rows: ~rows["centre"], "case"]]
    assert cases
    assert all(case in both for case in cases), "cases stand as rows beside axes"
    assert "Choose two" not in both
    assert words(compare_part(cards, "")) == "Choose two studies or more; each is compared with its own centre."
    assert "tal-search run" in words(compare_layout(cards_of(tmp_path), ""))


def test_a_study_whose_noise_is_unknown_has_no_band(info: Comparison) -> None:
    unknown = info._replace(noise=dict.fromkeys(info.noise, math.nan))
    assert len(bars_figure(info, "swept").layout.shapes) == 1
    assert len(bars_figure(unknown, "swept").layout.shapes) == 0
