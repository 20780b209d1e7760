"""Breakdown view against the table of the results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tal_dashboards.data.group_scores import scores_by, trials_read
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.views import breakdown
from tal_search.results.breakdown.by_group import by_group
from tests.support.small_dashboards import Made


def test_the_view_shows_the_table_of_results_for_each_axis(compared: Made, small_study: StudyData) -> None:
    for data in (compared.read(), small_study):
        whole = breakdown.info(data, {})
        assert [(part.axis, part.by) for part in whole.parts] == [
            (axis, by) for axis in data.axes for by in ("class", "length")
        ]
        part = whole.parts[-1]
        wanted = by_group(data, part.axis, scores_by(data, trials_read(data, part.axis), part.by))
        assert part.table.sort_values(["group", "value"], kind="stable", ignore_index=True).equals(
            wanted.sort_values(["group", "value"], kind="stable", ignore_index=True)
        )
        (alone,) = breakdown.info(data, {"breakdown-axis": part.axis, "breakdown-by": part.by}).parts
        assert alone is part, "what a reader chooses is a part of what files have"
        figures, tables = breakdown.figures(whole), breakdown.tables(whole)
        assert list(figures) == list(tables)
        for part, figure, table in zip(whole.parts, figures.values(), tables.values(), strict=True):
            heat = [trace for trace in figure.data if trace.type == "heatmap"]
            values = len(part.table["value"].drop_duplicates()) - 1
            both = np.where(np.isnan(heat[0].z), heat[1].z, heat[0].z)
            assert both.shape == (values, len(part.groups))
            name = f"Δ {part.score}"
            assert both.T.ravel() == pytest.approx(
                table.loc[table["verdict"] != "centre", name].to_numpy(), nan_ok=True
            )
            assert np.isfinite(heat[0].z).sum() + np.isfinite(heat[1].z).sum() == np.isfinite(both).sum()


def test_a_study_with_nothing_beside_the_centre_says_what_to_run(small_study: StudyData) -> None:
    done = small_study.trials
    alone = replace(small_study, trials=done[small_study.is_centre(done)].reset_index(drop=True))
    assert breakdown.info(alone, {}).parts == []
    assert f"tal-search run study={alone.name}" in str(breakdown.content(alone, {}))
