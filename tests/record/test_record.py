"""The record: each cell once, whatever happens to the driver, in a form Optuna's own analyses accept."""

from __future__ import annotations

import json
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

from tal_search.errors import InputError
from tal_search.plan.cells import Trial
from tal_search.record.distributions import distribution_of
from tal_search.record.record import Record
from tal_search.trial.trial_types import EpochReport, TrialResult, setting_name
from tests.support.paths import ROOT
from tests.support.small_records import AXES, open_record, trial_of, trials_of
from tests.support.small_trials import make_result, setting_result
from tests.support.waiting import DEADLINE


def report(epoch: int, **scores: float) -> EpochReport:
    return EpochReport(epoch=epoch, epochs=3, seconds=0.1, losses={"total": 1.0}, scores=scores)


def with_holdout(trial: Trial) -> TrialResult:
    return replace(make_result(trial.spec), holdout_mAP=(0.3, 0.2, 0.1), best_on_test_epoch=None, best_on_test_mAP=None)


def test_a_trial_from_start_to_result(tmp_path: Path) -> None:
    trial = trial_of(seed=2, lambda_sep=4.0)
    result = make_result(trial.spec)
    with open_record(tmp_path) as record:
        assert record.start(trial) == 0
        record.report(trial, report(3, **{"test/mAP/0.5": 0.9, "holdout/mAP/0.5": 0.2}))
        record.finish(trial, result, cached=False)
    with open_record(tmp_path) as record:
        assert record.finished() == {trial.id: result}
    (found,) = trials_of(tmp_path / "record.db", "grid")
    assert found.state.name == "COMPLETE"
    assert found.params == {"lambda_sep": 4.0, "kernel_size": 3, "affinity": True}
    assert found.value == result.at(0.5)
    assert found.intermediate_values == {3: 0.2}, "a test score must never be an intermediate value"
    assert found.user_attrs == {
        "id": trial.id, "key": trial.spec.key, "cell": trial.cell, "annotator": "a", "seed": 2, "method": "backtal",
        "dataset": "simulated", "code_version": "1", "epoch": 3, "attempt": 1, "cached": False,
        "annotation_seconds": 48.0,
        "annotation_total": None,
        "result": json.loads(json.dumps(result.to_json())),
    }  # fmt: skip


def test_optunas_own_pages_find_a_named_value_and_a_curve_of_the_loss(tmp_path: Path) -> None:
    trials, named = [trial_of(seed) for seed in range(2)], ("test mAP@0.5 (0 to 1)", "loss by epoch")
    for _ in range(2):  # as every command names them
        Record.open(tmp_path / "record.db", "grid", {"lambda_sep": distribution_of([1.0])}, objective=named).close()
    with open_record(tmp_path) as record:
        for trial in trials:
            record.start(trial)
            for epoch, loss in ((1, 9.0), (2, 8.0), (2, 4.0)):  # the second was trained again after a kill
                record.report(
                    trial, replace(report(epoch, **{"test/mAP/0.5": 0.9}), losses={"total": loss, "cls": 1.0})
                )
        record.finish(trials[0], make_result(trials[0].spec), cached=False)
        record.fail(trials[1], "diverged")
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'record.db'}")
    study = optuna.load_study(study_name="grid", storage=storage)
    assert study.metric_names == [named[0]]
    assert study.user_attrs["intermediate values"] == named[1]
    assert [found.intermediate_values for found in study.trials] == [{1: 9.0, 2: 4.0}] * 2
    storage.remove_session()
    storage.engine.dispose()


def test_the_objective_is_of_held_out_videos_where_there_are_any(tmp_path: Path) -> None:
    trial = trial_of()
    with open_record(tmp_path) as record:
        record.start(trial)
        record.finish(trial, with_holdout(trial), cached=False)
    with open_record(tmp_path) as record:
        assert record.finished() == {trial.id: with_holdout(trial)}
    assert [found.value for found in trials_of(tmp_path / "record.db", "grid")] == [0.2]


def test_each_trial_is_there_once_and_each_failure_a_new_attempt(tmp_path: Path) -> None:
    trial, other = trial_of(0), trial_of(1)
    with open_record(tmp_path) as record:
        assert record.start(trial) == record.start(trial) == 0
        record.fail(trial, "ValueError: no")
    with open_record(tmp_path) as record:
        assert record.start(trial) == 1
        record.finish(trial, make_result(trial.spec), cached=False)
        record.finish(trial, make_result(trial.spec), cached=True)
        record.finish(other, make_result(other.spec), cached=True)
    trials = trials_of(tmp_path / "record.db", "grid")
    assert [(t.state.name, t.user_attrs["attempt"]) for t in trials] == [("FAIL", 1), ("COMPLETE", 2), ("COMPLETE", 1)]
    assert [trial.user_attrs.get("cached") for trial in trials] == [None, False, True]
    assert [trial.user_attrs.get("reason") for trial in trials] == ["ValueError: no", None, None]


def test_a_pruned_trial_keeps_its_curve_and_is_never_complete(tmp_path: Path) -> None:
    trial = trial_of()
    with open_record(tmp_path) as record:
        record.start(trial)
        for epoch in (1, 2):
            record.report(trial, report(epoch, **{"holdout/mAP/0.5": epoch / 10, "test/mAP/0.5": 0.9}))
        record.prune(trial, "stopped early")
    with open_record(tmp_path) as record:
        assert (record.pruned(), record.finished()) == ([trial.id], {})
    (found,) = trials_of(tmp_path / "record.db", "grid")
    assert (found.state.name, found.intermediate_values) == ("PRUNED", {1: 0.1, 2: 0.2})
    with open_record(tmp_path) as record:  # a study without that pruner wants it after all
        assert record.start(trial) == 1
        record.finish(trial, make_result(trial.spec), cached=False)
        assert record.pruned() == []
    found, whole = trials_of(tmp_path / "record.db", "grid")
    assert (found.state.name, found.intermediate_values) == ("PRUNED", {1: 0.1, 2: 0.2})
    assert (whole.state.name, whole.user_attrs["attempt"]) == ("COMPLETE", 2)


def test_settings_of_one_fit_are_trials_of_their_own(tmp_path: Path) -> None:
    axes = {**AXES, "inference.nms": [0.3, 0.5]}
    own, other = trial_of(**{"inference.nms": 0.5}), trial_of(**{"inference.nms": 0.3})
    assert (own.id, other.id) == (own.spec.key, f"{own.spec.key}-{setting_name(other.inference)}")
    fit = make_result(own.spec)
    results = {own.id: fit, other.id: setting_result(fit, other.inference)}
    with open_record(tmp_path, axes) as record:
        for trial in (own, other):
            record.finish(trial, results[trial.id], cached=False)
    with open_record(tmp_path, axes) as record:
        assert record.finished() == results
    trials = trials_of(tmp_path / "record.db", "grid")
    assert [trial.params["inference.nms"] for trial in trials] == [0.5, 0.3]
    assert {trial.user_attrs["key"] for trial in trials} == {own.spec.key}


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.support.small_records import open_record, trial_of
from tests.support.small_trials import make_result
record = open_record(Path({folder!r}))
for seed in range(3):
    record.start(trial_of(seed))
record.finish(trial_of(0), make_result(trial_of(0).spec), cached=False)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_trials_of_a_killed_driver_are_taken_up_under_their_numbers(tmp_path: Path) -> None:
    program = KILLED.format(root=str(ROOT), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ}, timeout=DEADLINE)
    assert done.returncode == -signal.SIGKILL
    with open_record(tmp_path) as record:
        assert record.finished() == {trial_of(0).id: make_result(trial_of(0).spec)}
        assert [record.start(trial_of(seed)) for seed in (1, 2)] == [1, 2]
        record.finish(trial_of(2), make_result(trial_of(2).spec), cached=False)
        record.finish(trial_of(1), make_result(trial_of(1).spec), cached=True)  # finished in its folder meanwhile
    assert [trial.state.name for trial in trials_of(tmp_path / "record.db", "grid")] == ["COMPLETE"] * 3


def test_readers_never_block_the_driver(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        reader = sqlite3.connect(tmp_path / "record.db")
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM trials").fetchall()
        record.start(trial_of())
        reader.close()


def test_optunas_importances_rank_the_axis_that_matters_and_survive_a_wider_study(tmp_path: Path) -> None:
    def write(record: Record, axes: dict[str, list[Any]]) -> None:
        for value in axes["lambda_sep"]:
            for size in axes["kernel_size"]:
                trial = trial_of(round(10 * math.log2(value)) + 100, lambda_sep=value, kernel_size=size)
                record.finish(trial, make_result(trial.spec), cached=False)

    wider = {"lambda_sep": [0.125, *AXES["lambda_sep"], 8.0], "kernel_size": [1, 3, 5], "affinity": [None, True, False]}
    for axes in (AXES, wider):
        with open_record(tmp_path, axes) as record:
            write(record, axes)
        study = optuna.create_study(direction="maximize")
        study.add_trials(trials_of(tmp_path / "record.db", "grid"))
        importances = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0), params=["lambda_sep", "kernel_size"]
        )
        assert importances["lambda_sep"] > 0.9
    distributions = [trial.distributions for trial in trials_of(tmp_path / "record.db", "grid")]
    assert len(distributions) == 5 * 3
    assert all(distribution == distributions[0] for distribution in distributions)
    assert distributions[0]["lambda_sep"] == optuna.distributions.FloatDistribution(0.125, 8.0, log=True)
    assert {trial.params["affinity"] for trial in trials_of(tmp_path / "record.db", "grid")} == {True}


def test_an_axis_that_changes_its_kind_is_one_sentence(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.start(trial_of())
    with pytest.raises(InputError, match=r"record\.db: axis lambda_sep has numbers in some trials .* study\.fork=NAME"):
        open_record(tmp_path, {**AXES, "lambda_sep": ["small", "large"]})


def test_a_file_that_is_no_record_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "record.db").write_text("not a database, but long enough to have a header " * 10)
    with pytest.raises(InputError, match=r"record\.db cannot be opened as a record: .*; move it away"):
        open_record(tmp_path)


def test_the_objective_is_the_average_where_the_study_does_not_score_at_one_half(tmp_path: Path) -> None:
    trial = trial_of()
    trial = replace(trial, spec=replace(trial.spec, protocol={**trial.spec.protocol, "tiou": [0.3, 0.7]}))
    with open_record(tmp_path) as record:
        record.start(trial)
        record.report(trial, report(1, **{"holdout/mAP/average": 0.25}))
        record.finish(trial, replace(make_result(trial.spec), tiou=(0.3, 0.7), mAP=(0.2, 0.1)), cached=False)
    (found,) = trials_of(tmp_path / "record.db", "grid")
    assert found.value == pytest.approx(0.15)
    assert found.intermediate_values == {1: 0.25}
