"""The simulated stand-in at its default size: background clicks help (all rows: `python -m benchmarks.ablation`)."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from benchmarks.ablation import scores, shown


@pytest.mark.slow
def test_background_clicks_help_by_more_than_both_spreads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {row: scores(row, tmp_path) for row in ("baseline", "clicks")}
    with capsys.disabled():
        print("", *(shown(row, values) for row, values in found.items()), sep="\n")  # noqa: T201
    gain = statistics.mean(found["clicks"]) - statistics.mean(found["baseline"])
    assert gain > sum(statistics.stdev(values) for values in found.values())
