"""Result files of a finished study: the overview as JSON, and the heading of Markdown files."""

from __future__ import annotations

import json
from pathlib import Path

from tal_search.cli.report import axes_text, heading, mark_note, write_overview
from tal_search.cli.text_table import TextTable
from tal_search.results.overview import overview
from tal_search.results.published import MARK, MARK_NOTE
from tests.support.small_dashboards import Made


def test_the_overview_is_written_with_unrounded_numbers(swept: Made, tmp_path: Path) -> None:
    content = json.loads(write_overview(swept.frame, tmp_path).read_text())
    ranking = overview(swept.frame).ranking
    assert [row["name"] for row in content["ranking"]] == ranking["name"].tolist()
    assert [row["effect"] for row in content["ranking"]] == ranking["effect"].tolist()


def test_the_heading_names_data_selection_and_scores(swept: Made) -> None:
    text = heading(swept.plan, "A remark.")
    assert text.startswith("# thumos_single: mAP in %")
    assert "\n\nA remark. Data: simulated" in text
    assert "Source: simulated. Preset: simulated. Selection: last. Scores: activitynet protocol" in text


def test_the_table_of_axes_has_a_row_for_each(swept: Made) -> None:
    table = axes_text(swept.frame)
    assert table is not None
    assert len(table.rows) == len(swept.plan.axes)
    assert len(table.bold) == len(table.rows)


def test_the_mark_of_published_numbers_is_explained_once_it_is_used() -> None:
    plain, marked = TextTable("a", ["x"], [["1"]]), TextTable("b", ["x"], [[f"28.6{MARK}"]])
    assert mark_note([plain]) == ""
    assert mark_note([plain, marked]) == MARK_NOTE
