"""Comparison of studies: every number is that of its own study."""

from __future__ import annotations

import pandas as pd
import pytest

from tal_dashboards.home.comparison import (
    ABSENT,
    MOST_STUDIES,
    NUMBERS,
    Comparison,
    axis_words,
    chosen_studies,
    comparison_tables,
)
from tal_dashboards.home.comparison_figures import bars_figure
from tal_search.results.overview import overview
from tests.support.small_dashboards import Made

MARKUP = "<img src=x onerror=alert(1)>"


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
    assert tables["studies"]["simulated"].tolist() == ["simulated data", "simulated data"]
    texts = [one.text for one in bars_figure(info, "grid").layout.annotations]
    assert f"{ABSENT} not in this study" in texts


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
    assert (axis_words("kernel_size", "h"), axis_words("case", "")) == ("h (kernel_size)", "case")
