"""A study's line of text and its HTML in a notebook."""

from __future__ import annotations

import re

from tal_search import StudyResults


def test_it_shows_itself(study: StudyResults) -> None:
    assert re.fullmatch(
        r"<StudyResults thumos_single: backtal on thumos14 \(simulated\), 12 of 12 trials done, best .*>", repr(study)
    )
    page = study._repr_html_()
    assert "(simulated data)" in page
    assert all(f"({axis})</th>" in page for axis in study.axes)
    assert page.count("<tr") == 1 + len(study.ranking)
