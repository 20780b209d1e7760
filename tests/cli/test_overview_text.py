"""The overview of a finished study in the terminal: its bars, the legend and the next commands."""

from __future__ import annotations

import io

import pandas as pd
from rich.console import Console

from tal_search.cli.overview_text import legend, next_lines, overview_text, verdict_words
from tal_search.results.overview import overview
from tests.support.consoles import lines
from tests.support.small_dashboards import Made


def test_each_axis_has_a_bar_around_the_centre(swept: Made) -> None:
    info = overview(swept.frame)
    console = Console(file=io.StringIO(), width=80)
    console.print(overview_text(info))
    _, _, *rows = lines(console)
    assert len(rows) == len(info.ranking)
    assert all("│" in row for row in rows)
    assert "noise floor" in legend(info)
    assert f"{info.noise:.1f} points" in legend(info)


def test_a_command_is_on_a_separate_line(swept: Made) -> None:
    info = overview(swept.frame)
    commands = [command for _, command in info.steps if command]
    assert [line.strip() for line in next_lines(info) if line.startswith("  ")] == commands


def test_an_undecided_axis_shows_what_it_needs() -> None:
    assert verdict_words(pd.Series({"verdict": "needs repeats", "needs": "12 seeds"})) == "needs 12 seeds"
    assert verdict_words(pd.Series({"verdict": "matters", "needs": ""})) == "matters"
