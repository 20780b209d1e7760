"""The study of cells: what the copy in memory holds is in the record too, and a new driver continues from it."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.trial import TrialState

from tal_search.proposers.optuna_study import CellStudy
from tal_search.record.retry import Operations
from tal_search.record.storage import close, open_storage
from tests.support.small_records import trials_of


def study(folder: Path) -> tuple[CellStudy, optuna.storages.RDBStorage]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_storage(folder / "record.db")
    sampler, pruner = optuna.samplers.RandomSampler(seed=0), optuna.pruners.MedianPruner()
    names, operations = ["held-out mAP"], Operations(folder)
    return CellStudy(storage, operations, "s: cells", {"mAP": "maximize"}, sampler, pruner, names), storage


def test_the_record_has_what_the_copy_has_and_the_next_driver_continues(tmp_path: Path) -> None:
    cells, storage = study(tmp_path)
    begun = [cells.ask(lambda trial: trial.suggest_float("a", 0, 1))[0] for _ in range(3)]
    cells.report(begun[0], 0.25, 1)
    cells.tell(begun[0], [0.5])
    cells.tell(begun[1], state=TrialState.FAIL)
    kept = trials_of(tmp_path / "record.db", "s: cells")
    assert [trial.state.name for trial in kept] == ["COMPLETE", "FAIL", "RUNNING"]
    assert (kept[0].value, kept[0].intermediate_values) == (0.5, {1: 0.25})
    assert [trial.params for trial in kept] == [trial.params for trial in cells.trials()]
    close(storage)
    again, storage = study(tmp_path)
    assert [trial.number for trial in again.running()] == [1, 2], "a failed cell is tried again"
    again.tell(again.running()[0], [0.75])
    assert [trial.value for trial in trials_of(tmp_path / "record.db", "s: cells")] == [0.5, 0.75, None]
    close(storage)
