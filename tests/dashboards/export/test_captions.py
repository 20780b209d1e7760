"""Captions of exported figures and tables."""

from __future__ import annotations

import pytest

from tal_dashboards.export.captions import caption, repeats, table_heading
from tests.support.small_dashboards import Made


@pytest.mark.parametrize(
    ("view", "name", "words"),
    [
        ("plots", "axis λ (lambda_sep)", "mAP by value of λ (lambda_sep)."),
        ("timeline", "detections 2", "Detections of fit 2 on the video; times in seconds."),
        ("tables", "h\n(x)", "Sensitivity to h\n(x): mAP in %, differences to the centre in points."),
        ("plots", "unknown", "Unknown."), ("none", "ends.", "Ends."),
    ],
)  # fmt: skip
def test_a_caption_names_its_subject(view: str, name: str, words: str) -> None:
    assert caption(view, name) == words


def test_a_study_is_described_by_score_method_data_and_repeats(swept: Made) -> None:
    data = swept.read()
    assert repeats(data) == "3 seeds"
    assert (
        table_heading(data, "mAP@0.5") == f"{data.name}: mAP@0.5 in % of backtal on thumos14 (simulated data); 3 seeds."
    )
