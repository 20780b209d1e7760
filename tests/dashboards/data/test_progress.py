"""Numbers of trials by state, and the remaining time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tal_dashboards.data.progress import progress, seconds_left
from tal_dashboards.data.study_data import StudyData
from tests.support.small_dashboards import Made


def running(data: StudyData, planned: int | None = 12) -> StudyData:
    """The first four trials ended every 10 s, two more run."""
    begun = datetime(2026, 1, 1)
    trials = data.trials.head(6).assign(
        state=["done"] * 4 + ["running"] * 2, cached=False, started=begun,
        ended=[begun + timedelta(seconds=10 * (number + 1)) for number in range(6)],
    )  # fmt: skip
    return replace(data, trials=trials, planned=planned)


def test_states_are_counted(swept: Made) -> None:
    data = swept.read()
    assert dict(progress(data).itertuples(index=False)) == {"done": 12, "running": 0, "failed": 0, "remaining": 0}
    counts = dict(progress(running(data)).itertuples(index=False))
    assert counts == {"done": 4, "running": 2, "failed": 0, "remaining": 6}
    assert "remaining" not in set(progress(running(data, None))["state"])
    stopped = replace(data, trials=data.trials.assign(state="stopped early", cached=True))
    counts = dict(progress(stopped).itertuples(index=False))
    assert (counts["stopped early"], counts["done before (cached)"]) == (12, 12)


def test_the_remaining_time_follows_the_pace_of_the_latest_trials(swept: Made) -> None:
    data = swept.read()
    assert seconds_left(running(data)) == pytest.approx(8 * 40 / 4)
    assert seconds_left(data) is None, "no trial is running"
    assert seconds_left(running(data, None)) is None
    here = running(data)
    cached = replace(here, trials=here.trials.assign(cached=True))
    assert seconds_left(cached) is None, "no trial was trained here"
