"""The driver, with trials that count: finished trials are reused, failed ones are retried, none runs twice."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.execution.driver import run_study
from tal_search.execution.running import Outcome
from tal_search.proposers.events import Event, Failed, Finished, Reported, Started
from tal_search.record.distributions import distribution_of
from tal_search.record.record import Record
from tal_search.tracking.mlflow_client import mlflow_client
from tal_search.trial.folder import TrialFolder
from tests.support.small_plans import at, cell_spec, plan_of, recorded, reference, run
from tests.support.small_trials import counting_trial, history, make_result, note, setting_result


def test_a_study_runs_once_and_the_same_command_again_runs_nothing(tmp_path: Path) -> None:
    specs = [cell_spec(0), cell_spec(0, 2.0)]
    plan = plan_of(tmp_path, specs)
    outcome, events = run(plan)
    assert outcome == Outcome(
        trials={trial.id: trial for trial in plan.trials}, finished={spec.key: make_result(spec) for spec in specs},
        failed={}, pruned={}, cached=0, interrupted=None, out_of_time=False, left=0, messages=(),
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


def test_a_study_whose_common_settings_changed_is_refused_and_a_fork_shares_its_trials(tmp_path: Path) -> None:
    spec = cell_spec()
    plan = plan_of(tmp_path, [spec])
    run(plan)
    changed = replace(plan, reference=reference(beta_aff=0.6))
    with pytest.raises(InputError, match=r"with other settings \(hyperparameters\.beta_aff was 0\.8, is 0\.6\)"):
        run(changed)
    assert recorded(plan) == [("COMPLETE", spec.key)]
    assert run(plan)[0].cached == 1, "the refused one has left nothing behind"
    assert run(replace(changed, study=replace(plan.study, name="fork")))[0].cached == 1


def test_a_runs_folder_that_cannot_be_written_is_one_sentence_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"/file is a file, not a folder; .* choose .* runs=FOLDER"):
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
    client = mlflow_client(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("other")
    children = client.search_runs([experiment.experiment_id], "tags.role = 'trial'")
    copied = sorted((run.data.tags["key"], run.info.status) for run in children)
    expected = [(shared.key, "FINISHED"), (own.key, "FINISHED"), (broken.key, "FAILED"), (broken.key, "FAILED")]
    assert copied == sorted(expected)
    logs = [run for run in children if run.info.status == "FAILED"]
    assert [file.path for file in client.list_artifacts(logs[0].info.run_id)] == ["trial.log"]
