"""Trials written many at a time are the rows that Optuna's own storage writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna

from tal_search.plan.cells import Trial
from tal_search.record.distributions import distribution_of
from tal_search.record.record import Record
from tests.support.small_trials import make_result, make_spec

AXES = {"lambda_sep": [0.25, 1.0, 4.0], "affinity": [True, False], "inference.nms": [0.3, 0.7], "taps": [1, 3]}


def trials() -> list[Trial]:
    cells: list[dict[str, Any]] = [
        {"lambda_sep": 0.25 * 4**number, "affinity": number == 1, "inference.nms": 0.5, "taps": 1}
        for number in range(3)
    ]
    specs = [make_spec(number, cell=cell) for number, cell in enumerate(cells)]
    return [Trial(cell=s.cell, spec=s, inference={"nms": 0.5 + s.seed / 10}, annotation_seconds=48.0) for s in specs]


def written(folder: Path, *, ours: bool) -> list[optuna.trial.FrozenTrial]:
    """A running trial and three complete ones, by our way or Optuna's; times, which differ, are taken out."""
    folder.mkdir()
    distributions = {name: distribution_of(values) for name, values in AXES.items()}
    with Record.open(folder / "record.db", "s", distributions) as record:
        templates = [record._template(trials()[0], {"empty": None}, 1, None)]
        templates[0]._system_attrs = {"rung": [0.5, float("inf")]}
        for trial in trials():
            result = make_result(trial.spec)
            templates.append(record._template(trial, {"cached": True, "result": result.to_json()}, 2, result))
        if ours:
            found = record.storage.add_trials(1, templates[:1]) + record.storage.add_trials(1, templates[1:])
            assert [number for _, number in found] == [0, 1, 2, 3]
        else:
            for template in templates:
                record.storage.create_new_trial(1, template_trial=template)
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'record.db'}")
    found = storage.get_all_trials(storage.get_study_id_from_name("s"))
    storage.remove_session()
    storage.engine.dispose()
    for trial in found:
        assert trial.datetime_start is not None
        if trial.datetime_complete is not None:
            assert abs((trial.datetime_complete - trial.datetime_start).total_seconds()) < 60
        trial.datetime_start = trial.datetime_complete = None
    return found


def test_trials_written_at_once_are_those_that_optuna_writes(tmp_path: Path) -> None:
    at_once = written(tmp_path / "ours", ours=True)
    assert at_once == written(tmp_path / "optuna", ours=False)
    assert [trial.state.name for trial in at_once] == ["RUNNING", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert at_once[2].params == {"lambda_sep": 1.0, "affinity": True, "inference.nms": 0.5, "taps": 1}
    assert at_once[0].system_attrs == {"rung": [0.5, float("inf")]}
