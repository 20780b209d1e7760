"""The record: each cell once, whatever happens to the driver, in a form Optuna's own analyses accept."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from small_trials import make_result, make_spec

from tal_search.errors import InputError
from tal_search.search.record import Record
from tal_search.types import EpochReport, TrialSpec

AXES: dict[str, list[Any]] = {"lambda_sep": [0.25, 1.0, 4.0], "kernel_size": [1, 3], "affinity": [True, False]}


def spec_of(seed: int = 0, **cell: Any) -> TrialSpec:
    return make_spec(seed, cell={"lambda_sep": 1.0, "kernel_size": 3, "affinity": True, **cell})


def open_record(folder: Path, axes: dict[str, list[Any]] | None = None) -> Record:
    return Record.open(folder / "record.db", "grid", AXES if axes is None else axes)


def trials_of(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """As any other program that knows Optuna sees them."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'record.db'}")
    try:
        return optuna.load_study(study_name="grid", storage=storage).get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()


def report(epoch: int, **scores: float) -> EpochReport:
    return EpochReport(epoch=epoch, epochs=3, seconds=0.1, losses={"total": 1.0}, scores=scores)


def test_a_trial_from_start_to_result(tmp_path: Path) -> None:
    spec = spec_of(seed=2, lambda_sep=4.0)
    with open_record(tmp_path) as record:
        assert record.start(spec) == 0
        assert record.running() == {spec.key: 0}
        record.report(spec, report(3, **{"test/mAP/0.5": 0.9, "holdout/mAP/0.5": 0.2}))
        record.finish(spec, make_result(spec), cached=False, mlflow_run="run")
        assert record.running() == {}
    with open_record(tmp_path) as record:
        assert record.finished() == {spec.key: make_result(spec)}
    (trial,) = trials_of(tmp_path)
    assert trial.state.name == "COMPLETE"
    assert trial.params == {"lambda_sep": 4.0, "kernel_size": 3, "affinity": True}
    assert trial.value == make_result(spec).at(0.5)
    assert trial.intermediate_values == {3: 0.2}, "a test score must never be an intermediate value"
    attributes = trial.user_attrs
    expected = {"key": spec.key, "cell": spec.cell, "annotator": "a", "seed": 2, "dataset": "simulated", "epoch": 3}
    assert expected.items() <= attributes.items()
    assert attributes["mAP"] == dict(zip(("0.3", "0.5", "0.7"), make_result(spec).mAP, strict=True))
    assert attributes["best_on_test_leaky"] == {"epoch": 1, "mAP": 0.5}
    assert (attributes["cached"], attributes["mlflow_run"], attributes["attempt"]) == (False, "run", 1)


def test_each_key_has_one_trial_and_each_failure_a_new_attempt(tmp_path: Path) -> None:
    spec, other = spec_of(0), spec_of(1)
    with open_record(tmp_path) as record:
        assert record.start(spec) == record.start(spec) == 0
        record.fail(spec, "ValueError: no")
        assert record.failed() == {spec.key: "ValueError: no"}
    with open_record(tmp_path) as record:
        assert record.failed() == {spec.key: "ValueError: no"}
        assert record.start(spec) == 1
        assert record.failed() == {}
        record.finish(spec, make_result(spec), cached=False)
        record.finish(spec, make_result(spec), cached=True)
        record.finish(other, make_result(other), cached=True)
    trials = trials_of(tmp_path)
    assert [(t.state.name, t.user_attrs["attempt"]) for t in trials] == [("FAIL", 1), ("COMPLETE", 2), ("COMPLETE", 1)]
    assert [trial.user_attrs.get("cached") for trial in trials] == [None, False, True]


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_record as suite
record = suite.open_record(Path({folder!r}))
for seed in range(3):
    record.start(suite.spec_of(seed))
record.finish(suite.spec_of(0), suite.make_result(suite.spec_of(0)), cached=False)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_trials_of_a_killed_driver_are_taken_up_under_their_numbers(tmp_path: Path) -> None:
    program = KILLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ}, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with open_record(tmp_path) as record:
        assert list(record.finished()) == [spec_of(0).key]
        assert record.running() == {spec_of(1).key: 1, spec_of(2).key: 2}
        assert record.start(spec_of(2)) == 2
        record.finish(spec_of(2), make_result(spec_of(2)), cached=False)
        record.finish(spec_of(1), make_result(spec_of(1)), cached=True)  # finished in its folder meanwhile
    assert [trial.state.name for trial in trials_of(tmp_path)] == ["COMPLETE"] * 3


def test_readers_never_block_the_driver(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        reader = sqlite3.connect(tmp_path / "record.db")
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM trials").fetchall()
        record.start(spec_of())
        reader.close()


def test_optunas_importances_rank_the_axis_that_matters_and_survive_a_wider_study(tmp_path: Path) -> None:
    def fill(record: Record, axes: dict[str, list[Any]]) -> None:
        for value in axes["lambda_sep"]:
            for size in axes["kernel_size"]:
                spec = spec_of(round(10 * math.log2(value)) + 100, lambda_sep=value, kernel_size=size)
                record.finish(spec, make_result(spec), cached=False)

    wider = {"lambda_sep": [0.125, *AXES["lambda_sep"], 8.0], "kernel_size": [1, 3, 5], "affinity": [None, True, False]}
    for axes in (AXES, wider):
        with open_record(tmp_path, axes) as record:
            fill(record, axes)
        study = optuna.create_study(direction="maximize")
        study.add_trials(trials_of(tmp_path))
        importances = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0), params=["lambda_sep", "kernel_size"]
        )
        assert importances["lambda_sep"] > 0.9
    distributions = [trial.distributions for trial in trials_of(tmp_path)]
    assert len(distributions) == 5 * 3
    assert all(distribution == distributions[0] for distribution in distributions)
    assert distributions[0]["lambda_sep"] == optuna.distributions.FloatDistribution(0.125, 8.0, log=True)
    assert {trial.params["affinity"] for trial in trials_of(tmp_path)} == {True}


def test_an_axis_that_changes_its_kind_is_one_sentence(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.start(spec_of())
    with pytest.raises(InputError, match=r"record\.db: axis lambda_sep has numbers in some trials"):
        open_record(tmp_path, {**AXES, "lambda_sep": ["small", "large"]})


def test_a_file_that_is_no_record_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "record.db").write_text("not a database, but long enough to have a header " * 10)
    with pytest.raises(InputError, match=r"record\.db cannot be opened as a record: .*; move it away"):
        open_record(tmp_path)


def test_the_objective_is_the_average_where_the_study_does_not_score_at_one_half(tmp_path: Path) -> None:
    spec = spec_of()
    with open_record(tmp_path) as record:
        record.start(spec)
        record.report(spec, report(1, **{"holdout/mAP/average": 0.25}))
        record.finish(spec, replace(make_result(spec), tiou=(0.3, 0.7), mAP=(0.2, 0.1)), cached=False)
    (trial,) = trials_of(tmp_path)
    assert trial.value == pytest.approx(0.15)
    assert trial.intermediate_values == {1: 0.25}
