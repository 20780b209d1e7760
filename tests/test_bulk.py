"""Trials written many at a time are the rows that Optuna's own storage writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from small_trials import make_result, make_spec

from tal_search.search.cells import Trial
from tal_search.search.distributions import distribution_of
from tal_search.search.record import Record

AXES = {"lambda_sep": [0.25, 1.0, 4.0], "affinity": [True, False], "inference.nms": [0.3, 0.7], "taps": [1, 3]}


def trials() -> list[Trial]:
    cells: list[dict[str, Any]] = [
        {"lambda_sep": 0.25 * 4**number, "affinity": number == 1, "inference.nms": 0.5, "taps": 1}
        for number in range(3)
    ]
    specs = [make_spec(number, cell=cell) for number, cell in enumerate(cells)]
    return [Trial(cell=s.cell, spec=s, inference={"nms": 0.5 + s.seed / 10}) for s in specs]


def written(folder: Path, *, together: bool) -> list[optuna.trial.FrozenTrial]:
    """The record's trials with what differs from run to run taken out."""
    folder.mkdir()
    distributions = {name: distribution_of(values) for name, values in AXES.items()}
    with Record.open(folder / "record.db", "s", distributions) as record:
        record.start(trials()[0])  # so that numbers do not begin at 0
        record.fail(trials()[0], "no")
        if together:
            record.finish_all([(trial, make_result(trial.spec)) for trial in trials()], cached=True)
        else:
            for trial in trials():
                record.finish(trial, make_result(trial.spec), cached=True)
        numbers = [entry.number for entry in record._entries.values()]
        assert numbers == [1, 2, 3]
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'record.db'}")
    found = storage.get_all_trials(storage.get_study_id_from_name("s"))
    storage.remove_session()
    storage.engine.dispose()
    for trial in found:
        assert trial.datetime_start is not None
        assert trial.datetime_complete is not None
        assert abs((trial.datetime_complete - trial.datetime_start).total_seconds()) < 60
        trial.datetime_start = trial.datetime_complete = None
    return found


def test_trials_written_together_equal_trials_written_one_by_one(tmp_path: Path) -> None:
    together = written(tmp_path / "together", together=True)
    assert together == written(tmp_path / "single", together=False)
    assert [trial.state.name for trial in together] == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert together[2].params == {"lambda_sep": 1.0, "affinity": True, "inference.nms": 0.5, "taps": 1}
