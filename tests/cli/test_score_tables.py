"""Tables of scores fit 80 columns with nine thresholds, and their last row is the mean over classes."""

from __future__ import annotations

import io

from rich.console import Console

from tal_search.cli.score_tables import scores_table
from tal_search.types import DetectionScores
from tests.support.consoles import lines

TIOU = tuple(round(0.1 * step, 1) for step in range(1, 10))


def test_nine_thresholds_and_a_long_class_fit_80_columns() -> None:
    falling = tuple(0.9 - tiou / 2 for tiou in TIOU)
    scores = DetectionScores(
        protocol="activitynet", subset="test", video_set="210 videos", videos=210, instances=3311, ambiguous=7,
        detections=12345, tiou=TIOU, mAP=falling, per_class={"ThrowDiscus": falling, "[red]": (0.0,) * 9},
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=80)
    console.print(scores_table(scores))
    printed = lines(console)
    assert max(map(len, printed)) <= 80
    assert any("3311 instances, 7 ambiguous, 12345 detections" in line for line in printed)
    assert printed[-1].split() == ["mAP", *(f"{100 * value:.2f}" for value in falling), "65.00"]
    assert any(line.startswith("[red]") for line in printed), "a label is no markup"
