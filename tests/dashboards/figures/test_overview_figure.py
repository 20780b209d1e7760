"""Overview figure: a row for each axis or case, its bars and intervals, and the ticks of small multiples."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tal_dashboards import style
from tal_dashboards.figures.overview_figure import MOST_ROWS, overview_figure
from tal_search.results.overview import overview
from tests.support.drawn_runs import drawn, one_at_a_time, study_of
from tests.support.small_dashboards import Made


def test_each_axis_has_the_bars_of_its_worst_and_best_value_in_rows_by_effect(grid: Made) -> None:
    found = overview(grid.read())
    figure = overview_figure(found)
    bars = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(bars) == 2 * len(found.ranking)
    for place, row in enumerate(found.ranking.to_dict("records")):
        for end, bar in zip(("lowest", "highest"), bars[2 * place : 2 * place + 2], strict=True):
            assert bar.x[1] == row[end]
            certain = row[f"{end} low"] > 0 or row[f"{end} high"] < 0
            assert (bar.line.color != style.GREY) == certain
    titles = [note.text for note in figure.layout.annotations[::2][: len(found.ranking)]]
    assert all(str(name) in title for name, title in zip(found.ranking["name"], titles, strict=True))


def test_a_case_has_one_bar(compared: Made) -> None:
    found = overview(compared.read())
    bars = [trace for trace in overview_figure(found).data if trace.mode == "lines"]
    assert [bar.x[1] for bar in bars] == found.ranking["effect"].tolist()


def test_only_the_first_rows_are_drawn() -> None:
    cells = one_at_a_time(MOST_ROWS + 2, 2)
    study = study_of(drawn(np.random.default_rng(0), len(cells), 3, 1), cells)
    found = overview(replace(study, dataset="of nobody"))
    assert len(found.ranking) == MOST_ROWS + 2
    assert len([trace for trace in overview_figure(found).data if trace.mode == "lines"]) == 2 * MOST_ROWS
    assert not math.isnan(found.noise)
