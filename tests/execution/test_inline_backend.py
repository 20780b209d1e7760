"""Trials in this process; `test_backend.py` has what both backends promise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tal_search.execution.inline_backend import InlineBackend
from tal_search.proposers.events import Event, Finished, Started
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec
from tests.support.ray_cluster import run
from tests.support.small_trials import counting_trial, make_result, make_spec


def test_trials_run_here_one_after_the_other(tmp_path: Path) -> None:
    processes = set()

    def trial(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport | str]:
        processes.add(os.getpid())
        yield from counting_trial(spec, folder)

    first, second = make_spec(0, epochs=1), make_spec(1, epochs=1)
    events: list[Event] = run(InlineBackend(runs=tmp_path, trial=trial), [first, second])  # type: ignore[arg-type]
    assert processes == {os.getpid()}
    ends = [event for event in events if isinstance(event, Started | Finished)]
    assert ends == [
        Started(first), Finished(first, make_result(first)), Started(second), Finished(second, make_result(second)),
    ]  # fmt: skip
