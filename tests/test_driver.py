"""The driver, with trials that count: what is finished is taken up, what failed is tried again, nothing runs twice."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from small_trials import counting_trial, history, make_result, make_spec, note

from tal_search.errors import InputError
from tal_search.search.backend import Event, Failed, Finished, Reported, Started
from tal_search.search.driver import Outcome, run_study
from tal_search.search.plan import Plan
from tal_search.search.record import Record
from tal_search.study import ResourceSettings, SearchSettings, Study, TrackingSettings
from tal_search.tracking.mlflow_tracker import MlflowClient
from tal_search.trial_folder import TrialFolder
from tal_search.types import TrialSpec

AXES = {"lambda_sep": (1.0, 2.0)}


def plan_of(runs: Path, specs: list[TrialSpec], name: str = "grid", *, mlflow: bool = False) -> Plan:
    study = Study(
        name=name,
        search=SearchSettings(axes=AXES),
        resources=ResourceSettings(backend="inline"),
        tracking=TrackingSettings(mlflow=mlflow),
        runs=runs,
    )
    return Plan(
        study=study,
        dataset=specs[0].dataset,
        preset="paper",
        centre={},
        inference={},
        annotators=("a",),
        centre_cell={"lambda_sep": 1.0},
        cells=({"lambda_sep": 1.0}, {"lambda_sep": 2.0}),
        specs=tuple(specs),
    )


def cell_spec(seed: int = 0, value: float = 1.0, **behaviour: object) -> TrialSpec:
    return make_spec(seed, cell={"lambda_sep": value}, **behaviour)


def run(plan: Plan) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    return run_study(plan, on_event=events.append, trial=counting_trial), events


def recorded(plan: Plan) -> list[tuple[str, str]]:
    """State and key of every trial of the record, in order."""
    path = plan.study.runs / plan.study.name / "record.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        trials = optuna.load_study(study_name=plan.study.name, storage=storage).get_trials()
        return [(trial.state.name, trial.user_attrs["key"]) for trial in trials]
    finally:
        storage.remove_session()
        storage.engine.dispose()


def test_a_study_runs_once_and_the_same_command_again_runs_nothing(tmp_path: Path) -> None:
    specs = [cell_spec(0), cell_spec(0, 2.0)]
    plan = plan_of(tmp_path, specs)
    outcome, events = run(plan)
    assert outcome == Outcome(
        finished={spec.key: make_result(spec) for spec in specs}, failed={}, cached=0, interrupted=False, messages=()
    )
    assert [type(event) for event in events] == [Started, Reported, Reported, Reported, Finished] * 2
    again, events = run(plan)
    assert (again.finished, again.cached) == (outcome.finished, 2)
    assert events == [Finished(spec, make_result(spec)) for spec in specs]
    assert recorded(plan) == [("COMPLETE", spec.key) for spec in specs]
    assert history(TrialFolder.of(tmp_path, specs[0].key)) == ["epoch 1", "epoch 2", "epoch 3", "finished"]


def test_another_study_takes_up_trials_it_shares(tmp_path: Path) -> None:
    shared, own = cell_spec(0), cell_spec(1)
    run(plan_of(tmp_path, [shared]))
    outcome, _ = run(plan_of(tmp_path, [own, shared], "other"))
    assert outcome.cached == 1
    assert set(outcome.finished) == {shared.key, own.key}
    assert history(TrialFolder.of(tmp_path, shared.key), "finished") == ["finished"]


def test_a_failed_trial_is_listed_and_tried_again_by_the_next_command(tmp_path: Path) -> None:
    broken, sound = cell_spec(0, raises="no"), cell_spec(1)
    plan = plan_of(tmp_path, [broken, sound])
    for attempt in (1, 2):
        outcome, events = run(plan)
        assert outcome.failed == {broken.key: (broken, "ValueError: no")}
        assert set(outcome.finished) == {sound.key}
        assert Failed(broken, "ValueError: no") in events
        assert recorded(plan).count(("FAIL", broken.key)) == attempt
    assert recorded(plan).count(("COMPLETE", sound.key)) == 1


def test_a_trial_finished_on_disk_ends_the_one_a_killed_driver_left_running(tmp_path: Path) -> None:
    spec = cell_spec()
    plan = plan_of(tmp_path, [spec])
    (tmp_path / "grid").mkdir()
    with Record.open(tmp_path / "grid" / "record.db", "grid", {"lambda_sep": [1.0]}) as record:
        record.start(spec)
    TrialFolder.of(tmp_path, spec.key).write_result(make_result(spec))
    outcome, _ = run(plan)
    assert outcome.cached == 1
    assert recorded(plan) == [("COMPLETE", spec.key)]


def test_the_record_is_the_truth_where_a_folder_is_gone(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [cell_spec()])
    first, _ = run(plan)
    folder = TrialFolder.of(tmp_path, cell_spec().key).path
    folder.rename(tmp_path / "elsewhere")
    again, _ = run(plan)
    assert again.finished == first.finished
    assert "1 finished trials are in the record but their folders are gone" in again.messages[0]


def test_ctrl_c_is_an_outcome_and_the_trial_continues(tmp_path: Path) -> None:
    spec, never = cell_spec(0), cell_spec(1)
    plan = plan_of(tmp_path, [spec, never])

    def interrupt(event: Event) -> None:
        if isinstance(event, Reported) and event.report.epoch == 2:
            os.kill(os.getpid(), 2)

    outcome = run_study(plan, on_event=interrupt, trial=counting_trial)
    assert outcome.interrupted
    assert outcome.finished == outcome.failed == {}
    folder = TrialFolder.of(tmp_path, spec.key)
    assert history(folder) == ["epoch 1", "epoch 2", "saved"]
    again, events = run(plan)
    assert set(again.finished) == {spec.key, never.key}
    assert [event.report.epoch for event in events if isinstance(event, Reported) and event.spec == spec] == [3]
    assert recorded(plan) == [("COMPLETE", spec.key), ("COMPLETE", never.key)]


HOLDER = """
import sys
from pathlib import Path
from tal_search.search.driver import _claimed
with _claimed(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_driver_of_the_same_study_is_told_who_runs_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [cell_spec()])
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "grid")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=rf"is running already in process {holder.pid}; wait for it or stop it"):
            run(plan)
        holder.communicate("")
    assert run(plan)[0].finished


def test_a_runs_folder_that_cannot_be_written_is_one_sentence_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file/grid cannot be written \(Not a directory\); choose .* runs=FOLDER"):
        run(plan_of(tmp_path / "file", [cell_spec()]))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_result_that_cannot_be_read_is_trained_again(tmp_path: Path) -> None:
    spec = cell_spec()
    folder = TrialFolder.of(tmp_path, spec.key)
    note(folder, "")
    (folder.path / "result.json").write_text("{")
    outcome, _ = run(plan_of(tmp_path, [spec]))
    assert (outcome.cached, set(outcome.finished)) == (0, {spec.key})
    assert folder.result() == make_result(spec)


def test_mlflow_has_every_trial_once_cached_ones_included(tmp_path: Path) -> None:
    shared, own, broken = cell_spec(0), cell_spec(1), cell_spec(2, raises="no")
    run(plan_of(tmp_path, [shared]))
    plan = plan_of(tmp_path, [shared, own, broken], "other", mlflow=True)
    for _ in range(2):
        outcome, _ = run(plan)
        assert outcome.messages == ()
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("other")
    children = client.search_runs([experiment.experiment_id], "tags.role = 'trial'")
    found = sorted((run.data.tags["key"], run.info.status) for run in children)
    expected = [(shared.key, "FINISHED"), (own.key, "FINISHED"), (broken.key, "FAILED"), (broken.key, "FAILED")]
    assert found == sorted(expected)
    logs = [run for run in children if run.info.status == "FAILED"]
    assert [file.path for file in client.list_artifacts(logs[0].info.run_id)] == ["trial.log"]


def test_an_extra_that_is_missing_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    plan = plan_of(tmp_path / "runs", [cell_spec()])
    for changes, package in (
        ({"resources": ResourceSettings(backend="ray")}, "ray"),
        ({"tracking": TrackingSettings(mlflow=True)}, "mlflow"),
    ):
        with pytest.raises(InputError, match=rf"{package} is not installed; run: pip install 'tal-search\["):
            run(replace(plan, study=replace(plan.study, **changes)))
    assert not (tmp_path / "runs").exists()
