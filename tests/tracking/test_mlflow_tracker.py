"""The MLflow copy, read back through MLflow's own client from its real database."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.tracking.mlflow_tracker import MlflowClient, rebuild
from tal_search.tracking.tracker import Status
from tal_search.tracking.values import result_values, without_password
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tests.support.mlflow_contents import (
    contents,
    finished_folder,
    full_trial,
    local,
    reports,
    runs_of,
    track,
    without_mlflow,
)
from tests.support.small_trials import make_result, make_spec
from tests.support.waiting import DEADLINE, wait_for


def test_a_trial_is_a_child_run_with_parameters_curves_artifacts_and_tags(tmp_path: Path) -> None:
    spec = make_spec(seed=3, cell={"lambda_sep": 0.5})
    tracker = track(tmp_path)
    full_trial(tracker, spec, tmp_path)
    assert tracker.close() is None
    parent, (child,) = runs_of(local(tmp_path))
    assert (parent.info.status, child.info.status) == ("FINISHED", "FINISHED")
    params = child.data.params
    assert {
        "lambda_sep": "0.5",
        "epochs": "3",
        "inference.nms": "0.5",
        "protocol.selection": "last",
    }.items() <= params.items()
    tags = child.data.tags
    assert {
        "key": spec.key,
        "annotator": "a",
        "seed": "3",
        "study": "grid",
        "state": "finished",
    }.items() <= tags.items()
    assert (tags["dataset.source"], tags["dataset.description"]) == ("simulated", "a test's own")
    assert tags["dashboard"] == f"/grid/?view=study&trial={spec.key}"
    assert parent.data.tags["dashboard"] == "/grid/?view=study"
    assert json.loads(tags["cell"]) == {"lambda_sep": 0.5}
    client = local(tmp_path)
    for name, values in {"loss/total": [1.0, 0.5, 1 / 3], "test/mAP/0.5": [10, 20, 100 * 0.3]}.items():
        history = client.get_metric_history(child.info.run_id, name)
        assert [(point.step, point.value) for point in history] == list(enumerate(values, 1))
    assert child.data.metrics["mAP/0.5"] == 100 * make_result(spec).at(0.5)
    assert child.data.metrics["best_on_test_leaky/mAP"] == 50
    assert child.info.run_name == "lambda_sep=0.5 · seed 3"
    (used,) = (one.dataset for one in child.inputs.dataset_inputs)
    assert (used.name, used.digest, used.source_type) == ("thumos14", "f", "simulated")
    files = {file.path for file in client.list_artifacts(child.info.run_id)}
    assert files == {"scores.json", "epochs.parquet", "checkpoint.pt", "mAP_by_tIoU.csv"}
    curve = next((tmp_path / "mlartifacts").rglob("mAP_by_tIoU.csv")).read_text()
    assert curve.splitlines()[:2] == ["tIoU,mAP (%)", f"0.3,{100 * make_result(spec).mAP[0]}"]
    assert not list(tmp_path.glob("trials/*/reported.jsonl")), "the folder has its epochs; the queue is done with"


def test_the_holdout_is_kept_apart_and_no_leaky_number_is_made_up() -> None:
    result = replace(
        make_result(make_spec()), holdout_mAP=(0.3, 0.2, 0.1), best_on_test_epoch=None, best_on_test_mAP=None
    )
    values = result_values(result)
    assert values["selected_holdout_mAP/0.5"] == 20
    assert values["selected_holdout_mAP/average"] == pytest.approx(20)
    assert not any("leaky" in name for name in values)


def test_how_a_trial_ended_is_its_status_its_state_and_its_reason(tmp_path: Path) -> None:
    pruned, failed = make_spec(0), make_spec(1)
    tracker = track(tmp_path)
    for spec in (pruned, failed):
        tracker.start(spec)
        tracker.log_metrics(spec.key, reports(1, 2))
    tracker.finish(pruned.key, status="pruned")
    tracker.finish(failed.key, None, reason="diverged at epoch 3")
    assert tracker.close() is None
    parent, (first, second) = runs_of(local(tmp_path))
    assert (first.info.status, first.data.tags["state"]) == ("KILLED", "pruned")
    assert (second.info.status, second.data.tags["state"]) == ("FAILED", "failed")
    assert (first.data.tags.get("reason"), second.data.tags["reason"]) == (None, "diverged at epoch 3")
    assert parent.info.status == "FAILED"
    for run in (first, second):
        history = local(tmp_path).get_metric_history(run.info.run_id, "loss/total")
        assert [point.step for point in history] == [1, 2]


def test_the_same_study_continues_its_runs_without_repeating_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tal_search.tracking.background.INTERRUPTED_SECONDS", DEADLINE)  # a machine may be slow
    done, cut, failing, pruned = (make_spec(seed) for seed in range(4))
    first = track(tmp_path)
    full_trial(first, done, tmp_path)
    for spec in (cut, failing, pruned):
        first.start(spec)
        first.log_metrics(spec.key, reports(1, 2))
    first.finish(failing.key, None)
    first.finish(pruned.key, status="pruned")
    assert first.close(interrupted=True) is None
    parent, children = runs_of(local(tmp_path))
    assert [run.info.status for run in (parent, *children)] == ["KILLED", "FINISHED", "KILLED", "FAILED", "KILLED"]
    assert [run.data.tags["state"] for run in children] == ["finished", "interrupted", "failed", "pruned"]

    second = track(tmp_path)
    second.take_up(failing, status="failed")  # what is over and copied gets no second run
    second.take_up(pruned, status="pruned")
    assert second.close() is None
    assert [run.info.run_id for run in runs_of(local(tmp_path))[1]] == [run.info.run_id for run in children]

    third = track(tmp_path)
    for spec in (done, cut, failing, pruned):
        full_trial(third, spec, tmp_path)
    assert third.close() is None
    again, now = runs_of(local(tmp_path))
    assert again.info.run_id == parent.info.run_id
    assert [run.info.status for run in now] == ["FINISHED", "FINISHED", "FAILED", "FINISHED", "FINISHED"]
    assert [run.data.tags["key"] for run in now] == [spec.key for spec in (done, cut, failing, pruned, failing)]
    best = local(tmp_path).get_metric_history(parent.info.run_id, "progress/best/mAP/0.5")
    scores = [100 * make_result(spec).at(0.5) for spec in (done, cut, failing, pruned)]
    assert [(point.step, point.value) for point in best] == list(enumerate(scores, 1)), "one step a finished fit"
    for run in (run for run in now if run.info.status == "FINISHED"):
        for name, epochs in {"loss/total": [1, 2, 3], "mAP/average": [3]}.items():
            history = local(tmp_path).get_metric_history(run.info.run_id, name)
            assert [point.step for point in history] == epochs


def test_metrics_appear_while_a_trial_runs(tmp_path: Path) -> None:
    spec = make_spec()
    tracker = track(tmp_path)
    tracker.start(spec)
    tracker.log_metrics(spec.key, reports(1, 1))
    database = tmp_path / "trials" / spec.key / "reported.jsonl"
    wait_for(lambda: (tmp_path / "grid" / "mlflow.jsonl").exists() and _has_losses(tmp_path))
    assert database.exists(), "the curve of a trial that is not finished stays on disk"
    assert tracker.close() is None


def _has_losses(runs: Path) -> bool:
    _, children = runs_of(local(runs))
    return bool(children) and "loss/total" in children[0].data.metrics


def test_settings_scored_later_are_added_to_the_run_of_their_fit(tmp_path: Path) -> None:
    spec = make_spec()
    settings = {"0000000001": {"inference": {"nms": 0.3}, "mAP": [0.1, 0.1, 0.1], "holdout_mAP": None, "detections": 3}}
    for step in range(3):  # without settings, with one, with two
        folder = finished_folder(tmp_path, spec)
        if step:
            settings[f"000000000{step}"] = settings["0000000001"]
            folder.write_settings(settings)
        copy_again(tmp_path, [spec])
        (run,) = contents(local(tmp_path), tmp_path)
        kept = run["files"].get("settings.json")
        assert len(json.loads(kept or "{}")) == step
        assert run["metrics"]["mAP/average"] == [(3, pytest.approx(100 * sum(make_result(spec).mAP) / 3))]


def test_a_copy_made_anew_or_unknown_here_is_asked_what_it_holds(tmp_path: Path) -> None:
    runs, specs = tmp_path / "runs", [make_spec(seed) for seed in range(3)]
    tracker = track(runs)
    for spec in specs:
        full_trial(tracker, spec, runs)
    assert tracker.close() is None
    first = contents(local(runs), tmp_path)
    noted = runs / "grid" / "mlflow.jsonl"
    for change in (noted.unlink, lambda: noted.write_text('{"parent": "another"}\n')):
        change()
        copy_again(runs, specs)
        assert contents(local(runs), tmp_path) == first
    place = without_mlflow(runs)
    copy_again(place, specs)
    assert contents(local(place), tmp_path) == first


def copy_again(runs: Path, specs: list[TrialSpec]) -> None:
    tracker = track(runs)
    for spec in specs:
        tracker.start(spec)
        tracker.finish(spec.key, make_result(spec))
    assert tracker.close() is None


def test_a_run_that_is_not_noted_to_be_over_is_found_again(tmp_path: Path) -> None:
    spec = make_spec()
    tracker = track(tmp_path)
    full_trial(tracker, spec, tmp_path)
    assert tracker.close() is None
    first = contents(local(tmp_path), tmp_path)
    noted = tmp_path / "grid" / "mlflow.jsonl"
    lines = [line for line in noted.read_text().splitlines() if line]
    noted.write_text("\n".join([*lines[:2], lines[2][:20]]))  # the driver died while it wrote the last line
    copy_again(tmp_path, [spec])
    assert contents(local(tmp_path), tmp_path) == first


def test_a_damaged_file_of_one_trial_is_said_and_leaves_it_to_be_completed(tmp_path: Path) -> None:
    spec, other = make_spec(0), make_spec(1)
    finished_folder(tmp_path, spec).epochs.write_bytes(b"not parquet")
    tracker = track(tmp_path)
    tracker.start(spec)
    tracker.finish(spec.key, make_result(spec))
    full_trial(tracker, other, tmp_path)
    message = tracker.close()
    assert message is not None
    assert f"{spec.key}/epochs.parquet cannot be read" in message
    assert message.endswith("run the same command again or: tal-search rebuild study=grid")
    assert [run.info.status for run in runs_of(local(tmp_path))[1]] == ["KILLED", "FINISHED"]
    second = track(tmp_path)
    full_trial(second, spec, tmp_path)
    assert second.close() is None
    assert [run.info.status for run in runs_of(local(tmp_path))[1]] == ["FINISHED", "FINISHED"]


def test_a_value_that_mlflow_refuses_concerns_one_trial(tmp_path: Path) -> None:
    refused, other = make_spec(0, **{"a*b": 1}), make_spec(1)
    tracker = track(tmp_path)
    full_trial(tracker, refused, tmp_path)
    full_trial(tracker, other, tmp_path)
    message = tracker.close()
    assert message is not None
    assert "MLflow refuses it" in message
    assert sorted(run.info.status for run in runs_of(local(tmp_path))[1]) == ["FINISHED", "KILLED"]


def test_rebuilt_from_nothing_it_equals_the_first_copy_and_rebuilding_again_changes_nothing(tmp_path: Path) -> None:
    runs, done, failed, pruned = tmp_path / "runs", make_spec(0), make_spec(1), make_spec(2)
    tracker = track(runs)
    full_trial(tracker, done, runs)
    for spec in (failed, pruned):
        tracker.start(spec)
        tracker.log_metrics(spec.key, reports(1, 2))
    tracker.finish(failed.key, None, "failed", "out of memory")
    tracker.finish(pruned.key, None, "pruned")
    assert tracker.close() is None
    first = contents(local(runs), tmp_path)
    place = without_mlflow(runs)
    trials: list[tuple[TrialSpec, TrialResult | None, Status, str]] = [
        (done, make_result(done), "finished", ""),
        (failed, None, "failed", "out of memory"),
        (pruned, None, "pruned", ""),
    ]
    settings = {"description": "a study", "dataset": done.dataset, "runs": place, "uri": None, "artifacts": None}
    for _ in range(2):
        assert rebuild(study="grid", trials=iter(trials), **settings) is None
        assert contents(local(place), tmp_path) == first
    parent, children = runs_of(local(place))
    assert parent.info.status == "FAILED"
    assert {run.data.tags["dashboard"] for run in children} == {
        f"/grid/?view=study&trial={spec.key}" for spec in (done, failed, pruned)
    }


def test_artifacts_of_a_database_by_uri_go_where_they_are_wanted(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    tracker = track(tmp_path, uri=uri, artifacts=(tmp_path / "bucket").as_uri())
    full_trial(tracker, make_spec(), tmp_path)
    assert tracker.close() is None
    assert len(list((tmp_path / "bucket").rglob("checkpoint.pt"))) == 1
    assert runs_of(MlflowClient(uri))[1][0].info.status == "FINISHED"
    assert not (tmp_path / "mlflow.db").exists()


def test_a_password_is_not_shown() -> None:
    assert without_password("postgresql://me:s3:c@ret@host/db") == "postgresql://me:***@host/db"
    assert without_password("http://127.0.0.1:5000") == "http://127.0.0.1:5000"
