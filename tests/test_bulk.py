"""New trials, many at a time, are the rows that Optuna's own storage writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from small_trials import make_result, make_spec

from tal_search.search.cells import Trial
from tal_search.search.distributions import distribution_of
from tal_search.search.record import Record

AXES = {"lambda_sep": [0.25, 1.0, 4.0, 16.0], "affinity": [True, False], "inference.nms": [0.3, 0.7], "taps": [1, 3]}


def trials() -> list[Trial]:
    cells: list[dict[str, Any]] = [
        {"lambda_sep": 0.25 * 4**number, "affinity": number == 1, "inference.nms": 0.5, "taps": 1}
        for number in range(4)
    ]
    specs = [make_spec(number, cell=cell) for number, cell in enumerate(cells)]
    return [Trial(cell=s.cell, spec=s, inference={"nms": 0.5 + s.seed / 10}) for s in specs]


def by_optuna(storage: RDBStorage, study_id: int, templates: Sequence[FrozenTrial]) -> list[tuple[int, int]]:
    """`add_trials` the slow way."""
    ids = [storage.create_new_trial(study_id, template_trial=template) for template in templates]
    return [(trial_id, storage.get_trial_number_from_id(trial_id)) for trial_id in ids]


def written(folder: Path, *, together: bool) -> list[FrozenTrial]:
    """The record's trials with what differs from run to run taken out."""
    folder.mkdir()
    distributions = {name: distribution_of(values) for name, values in AXES.items()}
    with Record.open(folder / "record.db", "s", distributions) as record:
        record.start(trials()[0])  # so that numbers do not begin at 0
        record.fail(trials()[0], "no")
        if together:
            record.finish_all([(trial, make_result(trial.spec)) for trial in trials()[:3]], cached=True)
        else:
            for trial in trials()[:3]:
                record.finish(trial, make_result(trial.spec), cached=True)
        record.start(trials()[3])
        numbers = [entry.number for entry in record._entries.values()]
        assert numbers == [1, 2, 3, 4]
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'record.db'}")
    found = storage.get_all_trials(storage.get_study_id_from_name("s"))
    storage.remove_session()
    storage.engine.dispose()
    now = datetime.now()
    for trial in found:
        assert trial.datetime_start is not None
        assert abs((now - trial.datetime_start).total_seconds()) < 60
        if trial.state.is_finished():
            assert trial.datetime_complete is not None
            assert abs((now - trial.datetime_complete).total_seconds()) < 60
        trial.datetime_start = trial.datetime_complete = None
    return found


def test_trials_written_together_equal_those_that_optuna_writes_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = written(tmp_path / "together", together=True)
    monkeypatch.setattr("tal_search.search.record.add_trials", by_optuna)
    assert together == written(tmp_path / "single", together=False)
    assert [trial.state.name for trial in together] == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE", "RUNNING"]
    assert together[2].params == {"lambda_sep": 1.0, "affinity": True, "inference.nms": 0.5, "taps": 1}
