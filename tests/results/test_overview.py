"""The overview: its rows, its words, what it proposes to run, and what its figure draws."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from tal_dashboards.figures.overview_figure import overview_figure
from tal_dashboards.views.overview import caption
from tal_search.cli.overview_text import BAR, next_lines, overview_text
from tal_search.results.axis_effects import axis_effects
from tal_search.results.cell_table import cells
from tal_search.results.overview import CURVES, RANKING, Overview, answer, as_json, overview, ranking_table
from tal_search.types import cell_words, written, written_axis
from tests.support.drawn_runs import drawn, one_at_a_time, study_of
from tests.support.drawn_sweep import study
from tests.support.small_dashboards import Made


@pytest.fixture(scope="module")
def found() -> Overview:
    return overview(study({("axis 1", 2.0): 20.0, ("axis 2", 3.0): -12.0}))


def test_rows_are_the_axes_the_greatest_effect_first(found: Overview) -> None:
    assert list(found.ranking) == RANKING
    assert list(found.curves) == CURVES
    assert found.ranking["name"].tolist()[:2] == ["axis 1", "axis 2"]
    assert found.matters == ["axis 1", "axis 2"]
    first, second = found.ranking.to_dict("records")[:2]
    assert (first["highest at"], second["lowest at"]) == (2.0, 3.0)
    assert first["highest low"] > 0 > second["lowest high"]
    assert first["effect"] == first["highest"] - first["lowest"]
    assert found.ranking["effect"].is_monotonic_decreasing


def test_a_verdict_is_what_the_drawn_intervals_and_the_noise_floor_show() -> None:
    """Of every value: an interval that excludes 0, or lies inside the floor, or neither."""
    seen = set()
    for points in ({}, {("axis 0", 1.0): 4.0}, {("axis 3", 4.0): -2.5, ("axis 0", 2.0): 1.5}):
        one = overview(study(points, seeds=6))
        off = one.curves[~one.curves["centre"].astype(bool)]
        for row in off.to_dict("records"):
            outside = row["delta low"] > 0 or row["delta high"] < 0
            inside = -one.noise <= row["delta low"] and row["delta high"] <= one.noise
            expected = ("better" if row["delta"] > 0 else "worse") if outside else "within noise" if inside else ""
            assert row["verdict"] == (expected or "needs repeats")
            seen.add(row["verdict"])
        for row in one.ranking.to_dict("records"):
            mine = set(off.loc[off["name"] == row["name"], "verdict"])
            assert (row["verdict"] == "matters") == bool(mine & {"better", "worse"})
            assert (row["verdict"] == "within noise") == (mine == {"within noise"})
    assert seen >= {"better", "worse", "within noise"}


def test_the_answer_is_a_sentence_a_verdict_and_the_best_cell(found: Overview) -> None:
    words = " ".join(answer(found))
    assert words.startswith("a and a matter.")
    assert "chosen on test (leaky): axis 1=2, mAP@0.5 59.6" in words
    one = overview(study({}, seeds=1))
    assert answer(one)[0] == "a, a, a and a need repeats."
    assert "Highest of single runs" in answer(one)[1], "nothing is called best from one repeat"


def test_an_axis_without_a_finished_trial_is_named() -> None:
    data = study({("axis 1", 2.0): 20.0})
    begun = replace(data, trials=data.trials[data.trials["axis 3"] == 0.0], axes={**data.axes, "axis 3": "d"})
    found = overview(begun)
    assert "axis 3" not in found.ranking["name"].tolist()
    assert "Not known yet, as no trial of it is finished: d." in answer(found)


def test_record_and_run_give_one_overview(swept: Made, grid: Made, compared: Made) -> None:
    for made in (swept, grid, compared):
        run, page = overview(made.frame), overview(made.read())
        assert json.dumps(as_json(page), allow_nan=False) == json.dumps(as_json(run), allow_nan=False)
        assert ranking_table(page).equals(ranking_table(run))
        assert len(run.ranking) == (len(made.plan.cases) - 1 if made is compared else len(made.plan.axes))


def test_of_cases_a_row_is_a_case_the_best_first(compared: Made) -> None:
    found, table = overview(compared.frame), cells(compared.frame).set_index("case")
    assert found.rows == "case"
    assert set(found.ranking["name"]) == set(table.index[~table["centre"]])
    for row in found.ranking.to_dict("records"):
        assert (row["effect"], row["verdict"]) == (table["delta"][row["name"]], table["verdict"][row["name"]])
    assert found.ranking["effect"].is_monotonic_decreasing


def test_a_study_without_a_finished_trial_has_an_empty_overview(swept: Made) -> None:
    data = swept.frame
    nothing = overview(replace(data, trials=data.trials.assign(state="failed")))
    assert nothing.ranking.empty
    assert (nothing.best, nothing.centre, nothing.next, answer(nothing)) == (None, None, (), [])
    assert overview_figure(nothing) is not None
    assert json.loads(json.dumps(as_json(nothing), allow_nan=False))["best"] is None


def test_the_figure_draws_the_numbers_on_shared_scales(found: Overview) -> None:
    drawn = overview_figure(found)
    rows = found.ranking.to_dict("records")
    bars = [trace for trace in drawn.data if trace.line.width == 9]
    assert [trace.x[1] for trace in bars] == [row[end] for row in rows for end in ("lowest", "highest")]
    axes = [getattr(drawn.layout, name) for name in drawn.layout if name.startswith("yaxis")]
    assert len({tuple(axis.range) for axis in axes}) == 2, "one scale of means, and the bars' own"
    scales = [drawn.layout[f"xaxis{2 * place + 1 if place else ''}"].range for place in range(len(rows))]
    assert len(set(scales)) == 1
    bands = [shape for shape in drawn.layout.shapes if shape.type == "rect" and shape.y0 == -1]
    assert {(band.x0, band.x1) for band in bands} == {(-found.noise, found.noise)}
    assert f"± {found.noise:.1f} points" in caption(found)


def test_names_from_data_are_text_in_the_figure() -> None:
    data = study({("axis 1", 2.0): 20.0})
    name = "<img src=x>"
    trials = data.trials.rename(columns={"axis 1": name})
    centre = {(name if axis == "axis 1" else axis): value for axis, value in data.centre.items()}
    hostile = replace(data, trials=trials, centre=centre, axes={**dict.fromkeys(centre, "<b>")})
    words = [note.text for note in overview_figure(overview(hostile)).layout.annotations]
    assert any("&lt;img src=x&gt;" in one for one in words)
    assert not any("<img" in one for one in words)


def test_the_terminal_has_a_line_an_axis_in_eighty_columns(found: Overview) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(overview_text(found))
    lines = [line for line in console.export_text().splitlines() if line.startswith("a ")]
    assert [line.split()[1:3] for line in lines] == [name.split() for name in found.ranking["name"]]
    assert all("matters" in line for line in lines[:2])
    assert max(map(len, lines)) <= 80
    assert lines[0].count("━") <= BAR
    sure = study({("axis 0", 1.0): 2.0}, seeds=3)
    assert any(" seeds would decide " in line for line in next_lines(overview(sure))), "from repeats that tell"
    one = overview(study({}, seeds=1))
    assert (
        next_lines(one)[0]
        == "3 seeds are the least for a verdict on axis 0, axis 1 and 2 more: 34 more trials, about 17 min:"
    )


def test_ten_thousand_cells_are_ranked_by_the_table_of_cells() -> None:
    settings = one_at_a_time(100, 100)
    data = study_of(drawn(np.random.default_rng(0), len(settings), 3, 1), settings)
    assert len(axis_effects(data)) == 100


@pytest.mark.parametrize(
    ("value", "words"),
    [(1 / 12, "1/12"), (1 / 6, "1/6"), (0.3, "0.3"), (0.125, "0.125"), (3, "3"), (None, "–"), (True, "yes"),
     (math.nan, "–"), (1e-4, "0.0001"), (0.9999999, "1"), (0.0, "0"), (-2 / 3, "-2/3"), (1e300, "1e+300")],
)  # fmt: skip
def test_values_are_written_as_study_files_have_them(value: object, words: str) -> None:
    assert written(value) == words


def test_beside_a_fraction_all_values_of_an_axis_are_fractions() -> None:
    assert written_axis([1 / 16, 1 / 12, 0.125, 0.25, 1, None]) == ["1/16", "1/12", "1/8", "1/4", "1", "–"]
    assert written_axis([0.25, 0.5]) == ["0.25", "0.5"]
    assert cell_words({"k": 1 / 12, "h": 3}, {"k": 1 / 8, "h": 3}) == "k=1/12"
