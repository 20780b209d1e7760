"""Background clicks help on a quarter of the simulated data (its default size: `python -m benchmarks.ablation`)."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from benchmarks.ablation import scores, shown

SMALL = (
    "dataset.simulation.train_videos=100", "dataset.simulation.test_videos=100", "dataset.snippets=100",
    "resources.backend=inline",
)  # fmt: skip


@pytest.mark.slow
def test_background_clicks_help_by_more_than_both_spreads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], one_thread: None
) -> None:
    values = {row: scores(row, tmp_path, *SMALL) for row in ("baseline", "clicks")}
    with capsys.disabled():
        print("", *(shown(row, results) for row, results in values.items()), sep="\n")  # noqa: T201
    gain = statistics.mean(values["clicks"]) - statistics.mean(values["baseline"])
    assert gain > sum(statistics.stdev(results) for results in values.values())
