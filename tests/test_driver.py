"""The driver, with trials that count: what is finished is taken up, what failed is tried again, nothing runs twice."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from small_trials import counting_trial, history, make_result, make_spec, note, setting_result

from tal_search.errors import InputError
from tal_search.search.backend import Event, Failed, Finished, Pruned, Reported, Started
from tal_search.search.cells import Trial
from tal_search.search.distributions import distribution_of
from tal_search.search.driver import run_study
from tal_search.search.plan import Plan
from tal_search.search.record import Record
from tal_search.search.running import Outcome
from tal_search.study import ResourceSettings, SearchSettings, Study, TrackingSettings
from tal_search.study.settings import BudgetSettings
from tal_search.tracking.mlflow_tracker import MlflowClient
from tal_search.trial_folder import TrialFolder
from tal_search.types import TrialSpec

AXES = {"lambda_sep": (1.0, 2.0), "inference.nms": (0.5,)}


def plan_of(
    runs: Path, wanted: list[TrialSpec | Trial] | list[TrialSpec], name: str = "grid", *, mlflow: bool = False,
    minutes: float | None = None, trials: int | None = None,
) -> Plan:  # fmt: skip
    """`wanted`: trials, or fits at their own inference settings."""
    study = Study(
        name=name,
        search=SearchSettings(axes=AXES),
        resources=ResourceSettings(backend="inline"),
        tracking=TrackingSettings(mlflow=mlflow),
        budget=BudgetSettings(minutes=minutes, trials=trials),
        runs=runs,
    )
    found = tuple(one if isinstance(one, Trial) else at(one) for one in wanted)
    return Plan(
        study=study,
        dataset=found[0].spec.dataset,
        preset="paper",
        centre={"beta_aff": 0.8},
        inference={"nms": 0.5},
        fit_inference={"nms": 0.5},
        protocol=found[0].spec.protocol,
        code_version="1",
        annotators=("a",),
        centre_cell={"lambda_sep": 1.0, "inference.nms": 0.5},
        cells=tuple(trial.cell for trial in found),
        trials=found,
    )


def cell_spec(seed: int = 0, value: float = 1.0, **behaviour: object) -> TrialSpec:
    return make_spec(seed, cell={"lambda_sep": value}, **behaviour)


def at(spec: TrialSpec, nms: float = 0.5) -> Trial:
    return Trial(cell={**spec.cell, "inference.nms": nms}, spec=spec, inference={"nms": nms})


def run(plan: Plan) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    return run_study(plan, on_event=events.append, trial=counting_trial), events


def recorded(plan: Plan) -> list[tuple[str, str]]:
    """State and id of every trial of the record, in order."""
    path = plan.study.runs / plan.study.name / "record.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        trials = optuna.load_study(study_name=plan.study.name, storage=storage).get_trials()
        return [(trial.state.name, trial.user_attrs["id"]) for trial in trials]
    finally:
        storage.remove_session()
        storage.engine.dispose()


def test_a_study_runs_once_and_the_same_command_again_runs_nothing(tmp_path: Path) -> None:
    specs = [cell_spec(0), cell_spec(0, 2.0)]
    plan = plan_of(tmp_path, specs)
    outcome, events = run(plan)
    assert outcome == Outcome(
        trials={trial.id: trial for trial in plan.trials}, finished={spec.key: make_result(spec) for spec in specs},
        failed={}, pruned={}, cached=0, interrupted=None, out_of_time=False, messages=(),
    )  # fmt: skip
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
        assert outcome.failed == {broken.key: "ValueError: no"}
        assert set(outcome.finished) == {sound.key}
        assert Failed(broken, "ValueError: no") in events
        assert recorded(plan).count(("FAIL", broken.key)) == attempt
    assert recorded(plan).count(("COMPLETE", sound.key)) == 1


def test_a_trial_finished_on_disk_ends_the_one_a_killed_driver_left_running(tmp_path: Path) -> None:
    spec = cell_spec()
    plan = plan_of(tmp_path, [spec])
    (tmp_path / "grid").mkdir()
    axes = {axis: distribution_of([value]) for axis, value in plan.centre_cell.items()}
    with Record.open(tmp_path / "grid" / "record.db", "grid", axes) as record:
        record.start(at(spec))
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
    assert outcome.interrupted == 130
    assert outcome.finished == outcome.failed == outcome.pruned == {}
    folder = TrialFolder.of(tmp_path, spec.key)
    assert history(folder) == ["epoch 1", "epoch 2", "saved"]
    again, events = run(plan)
    assert set(again.finished) == {spec.key, never.key}
    assert [event.report.epoch for event in events if isinstance(event, Reported) and event.spec == spec] == [3]
    assert recorded(plan) == [("COMPLETE", spec.key), ("COMPLETE", never.key)]


def test_inference_settings_are_scored_from_one_fit_and_widening_them_trains_nothing(tmp_path: Path) -> None:
    spec = cell_spec()
    folder = TrialFolder.of(tmp_path, spec.key)
    values = [0.5, 0.3, 0.7]
    plan = plan_of(tmp_path, [at(spec, nms) for nms in values])
    outcome, events = run(plan)
    expected = {at(spec, nms).id: setting_result(make_result(spec), {"nms": nms}) for nms in values}
    expected[spec.key] = make_result(spec)  # the fit's own setting is what its epochs were scored with
    assert outcome.finished == expected
    assert len(outcome.finished) == 3
    assert [type(event) for event in events] == [Started, Reported, Reported, Reported, Finished]
    assert recorded(plan) == [("COMPLETE", trial.id) for trial in plan.trials]
    trained = ["epoch 1", "epoch 2", "epoch 3", "finished", "setting nms=0.3", "setting nms=0.7"]
    assert history(folder) == trained

    wider = plan_of(tmp_path, [at(spec, nms) for nms in (*values, 0.9)])
    outcome, events = run(wider)
    assert (outcome.cached, len(outcome.finished)) == (3, 4)
    assert [type(event) for event in events] == [Finished, Started, Finished], "the fit as cached, then its new setting"
    assert history(folder) == [*trained, "setting nms=0.9"]
    assert run(wider)[0].cached == 4
    assert run_study(plan_of(tmp_path, [at(spec, 0.9)], "other"), trial=counting_trial).cached == 1
    assert history(folder) == [*trained, "setting nms=0.9"]


def test_without_training_only_settings_of_finished_fits_are_scored(tmp_path: Path) -> None:
    known, unknown = cell_spec(0), cell_spec(1)
    run(plan_of(tmp_path, [known]))
    plan = plan_of(tmp_path, [at(known), at(known, 0.3), at(unknown), at(unknown, 0.3)])
    outcome = run_study(plan, trial=counting_trial, train=False)
    assert set(outcome.finished) == {known.key, at(known, 0.3).id}
    assert history(TrialFolder.of(tmp_path, known.key))[-1] == "setting nms=0.3"
    assert not TrialFolder.of(tmp_path, unknown.key).path.exists()


def test_a_fit_that_fails_fails_for_each_of_its_settings(tmp_path: Path) -> None:
    spec = cell_spec(raises="no")
    plan = plan_of(tmp_path, [at(spec), at(spec, 0.3)])
    outcome, _ = run(plan)
    assert outcome.failed == {spec.key: "ValueError: no", at(spec, 0.3).id: "ValueError: no"}
    assert outcome.finished == {}
    assert recorded(plan) == [("FAIL", spec.key)], "one fit ran, once"


def test_the_time_budget_pauses_and_the_same_command_continues(tmp_path: Path) -> None:
    spec, never = cell_spec(0, epochs=30, seconds=0.05), cell_spec(1)
    plan = plan_of(tmp_path, [spec, never], minutes=0.6 / 60)
    outcome, events = run(plan)
    assert (outcome.out_of_time, outcome.interrupted) == (True, None)
    assert outcome.finished == outcome.failed == outcome.pruned == {}, "a paused trial is not a pruned one"
    assert events[-1] == Pruned(spec)
    assert Started(never) not in events
    folder = TrialFolder.of(tmp_path, spec.key)
    before = len(history(folder, "epoch"))
    assert 0 < before < 30
    assert history(folder)[-1] == "saved"
    assert recorded(plan) == [("RUNNING", spec.key)]

    again, events = run(plan_of(tmp_path, [spec, never]))
    assert set(again.finished) == {spec.key, never.key}
    assert not again.out_of_time
    epochs = [event.report.epoch for event in events if isinstance(event, Reported) and event.spec == spec]
    assert epochs == list(range(before + 1, 31))
    assert recorded(plan) == [("COMPLETE", spec.key), ("COMPLETE", never.key)]


def test_the_trial_budget_of_a_plan_counts_what_earlier_commands_finished(tmp_path: Path) -> None:
    specs = [cell_spec(seed) for seed in range(4)]
    for budget, cached in ((2, 0), (2, 2), (3, 2), (None, 3)):
        outcome, _ = run(plan_of(tmp_path, specs, trials=budget))
        assert outcome.cached == cached
        assert list(outcome.finished) == [spec.key for spec in specs[:budget]]
        assert not outcome.out_of_time
    assert recorded(plan_of(tmp_path, specs)) == [("COMPLETE", spec.key) for spec in specs]


def test_a_study_whose_common_settings_changed_is_refused_and_a_fork_shares_its_trials(tmp_path: Path) -> None:
    spec = cell_spec()
    plan = plan_of(tmp_path, [spec])
    run(plan)
    changed = replace(plan, centre={"beta_aff": 0.6})
    with pytest.raises(InputError, match=r"begun with other settings \(hyperparameters\.beta_aff was 0\.8, is 0\.6\)"):
        run(changed)
    assert recorded(plan) == [("COMPLETE", spec.key)]
    assert run(plan)[0].cached == 1, "the refused one has left nothing behind"
    assert run(replace(changed, study=replace(plan.study, name="fork")))[0].cached == 1


HOLDER = """
import sys
from pathlib import Path
from tal_search.search.claim import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the study of `folder`."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.communicate("")


def words(pid: int) -> str:
    return rf"process {pid} on {re.escape(socket.gethostname())}, started \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d"


def test_a_second_driver_of_the_same_study_is_told_who_runs_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [cell_spec()])
    with held(tmp_path / "grid") as holder:
        sentence = rf"grid is running already: {words(holder.pid)}; wait for it or stop it$"
        for _ in range(2):  # being refused leaves the holder's name in place
            with pytest.raises(InputError, match=sentence):
                run(plan)
        assert not (tmp_path / "grid" / "record.db").exists()
        other, _ = run(plan_of(tmp_path, [cell_spec()], "other"))
        assert other.finished, "another study runs beside it"
    said: list[str] = []
    assert run_study(plan, say=said.append, trial=counting_trial).finished
    assert said == [], "it ended in order"


def test_what_a_killed_driver_left_is_taken_over_and_said(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [cell_spec()])
    with held(tmp_path / "grid") as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    said: list[str] = []
    for _ in range(2):
        assert run_study(plan, say=said.append, trial=counting_trial).finished
    (sentence,) = said
    assert re.fullmatch(rf"The last run of this study \({words(holder.pid)}\) was killed; this one goes on\.", sentence)
    (tmp_path / "grid" / "driver.lock").write_text('{"host": "a", "pi')  # killed, or out of disk, while it wrote
    run_study(plan, say=said.append, trial=counting_trial)
    assert "process unknown on unknown" in said[1]


def test_a_runs_folder_that_cannot_be_written_is_one_sentence_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file/grid cannot be written \(Not a directory\); .* choose .* runs=FOLDER"):
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
