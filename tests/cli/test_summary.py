"""The end of a run, in 80 columns."""

from __future__ import annotations

import pytest

from tal_search.cli.summary import show_results
from tests.support.consoles import lines, terminal
from tests.support.small_dashboards import Made


@pytest.mark.parametrize("tables", [False, True])
def test_the_end_of_a_run_fits_a_terminal_of_80_columns(swept: Made, tables: bool) -> None:
    console = terminal()
    show_results(swept.plan, swept.outcome, console, tables=tables)
    printed = lines(console)
    assert max(len(line) for line in printed if str(swept.runs) not in line) <= 80
    text = "\n".join(printed)
    assert "worst to best value" in text
    axes = [line for line in printed if " — simulated" in line]
    assert len(axes) == (1 + len(swept.plan.axes) if tables else 1)
    assert text.count("no number published") == tables, "once for all"
    assert text.count("--tables") == (not tables)
    assert [line.split(":")[0] for line in printed[-3:]] == ["Tables", "Dashboards", "As files"]
