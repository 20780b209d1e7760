"""Progress in numbers and words, from the events of a driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.api.progress import StudyProgress, shown_progress
from tal_search.proposers.events import Failed, Finished, Noted, Pruned, Reported, Started
from tal_search.trial.trial_types import EpochReport
from tests.support.small_plans import plan_of
from tests.support.small_trials import make_result, make_spec


def test_fits_are_counted_by_how_they_ended() -> None:
    drawn, said = list[bool](), list[str]()
    progress = StudyProgress(4, lambda _, trained: drawn.append(trained), said.append)
    first, second, third, fourth = (make_spec(seed) for seed in range(4))
    progress.phase("starting Ray")
    assert progress.words == "0 of 4 fits, starting Ray"
    assert progress.seconds_left is None
    progress.add(Finished(first, make_result(first)))
    progress.add(Started(second))
    progress.add(Reported(second, EpochReport(epoch=1, epochs=2, seconds=1.0, losses={})))
    assert (progress.share, progress.ended, progress.cached) == (1.5 / 4, 1, 1)
    progress.add(Finished(second, make_result(second)))
    progress.add(Noted(third, "a worker was replaced"))
    progress.add(Started(third))
    progress.add(Failed(third, "the loss is not finite"))
    progress.add(Started(fourth))
    progress.add(Pruned(fourth))
    assert progress.words == "4 of 4 fits, 1 done before, 1 failed, 1 stopped early"
    assert drawn.count(True) == 3, "the first was trained by an earlier run"
    assert said == ["seed 2, {'lambda_sep': 1.0}: a worker was replaced"] or said[0].endswith("a worker was replaced")


def test_elsewhere_than_in_a_notebook_each_trained_fit_is_a_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(tmp_path, [make_spec(seed) for seed in range(2)])
    for quiet in (False, True):
        with shown_progress(plan, quiet=quiet) as progress:
            progress.add(Started(plan.fits[0]))
            progress.add(Finished(plan.fits[0], make_result(plan.fits[0])))
            progress.say("a video \x1b[2J")
        error = capsys.readouterr().err
        assert error.startswith("" if quiet else "1 of 2 fits")
        assert error.endswith("" if quiet else "a video \\x1b[2J\n")
        assert error.count("\n") == 2 * (not quiet)
