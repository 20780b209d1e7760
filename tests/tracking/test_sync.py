"""The MLflow copy, read back through MLflow's own client from its real database."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.tracking.mlflow_client import mlflow_client
from tal_search.trial.trial_types import TrialOutcome
from tests.support.mlflow_contents import (
    empty_database,
    finished,
    finished_folder,
    full_trial,
    local,
    reports,
    runs_of,
    track,
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


def test_how_a_trial_ended_is_its_status_its_state_and_its_reason(tmp_path: Path) -> None:
    pruned, failed, silent = make_spec(0), make_spec(1), make_spec(2)
    tracker = track(tmp_path)
    for spec in (pruned, failed, silent):
        tracker.start(spec)
        tracker.log(spec, reports(1, 2))
    tracker.finish(pruned, TrialOutcome("pruned"))
    tracker.finish(failed, TrialOutcome("failed", reason="diverged at epoch 3"))
    nothing = replace(make_result(silent), detections=0, note="no detections: why")
    tracker.finish(silent, TrialOutcome("finished", nothing))
    assert tracker.close() is None
    parent, (first, second, third) = runs_of(local(tmp_path))
    assert third.data.tags["reason"] == "no detections: why"
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
        first.log(spec, reports(1, 2))
    first.finish(failing, TrialOutcome("failed"))
    first.finish(pruned, TrialOutcome("pruned"))
    assert first.close(interrupted=True) is None
    parent, children = runs_of(local(tmp_path))
    assert [run.info.status for run in (parent, *children)] == ["KILLED", "FINISHED", "KILLED", "FAILED", "KILLED"]
    assert [run.data.tags["state"] for run in children] == ["finished", "interrupted", "failed", "pruned"]

    second = track(tmp_path)
    second.finish(failing, TrialOutcome("failed"))  # what is over and copied gets no second run
    second.finish(pruned, TrialOutcome("pruned"))
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


def test_metrics_appear_while_a_trial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tal_search.tracking.background.FLUSH_SECONDS", 0.1)
    spec = make_spec()
    tracker = track(tmp_path)
    tracker.start(spec)
    tracker.log(spec, reports(1, 1))
    database = tmp_path / "trials" / spec.key / "reported.jsonl"
    wait_for(lambda: (tmp_path / "grid" / "mlflow.jsonl").exists() and _has_losses(tmp_path))
    assert database.exists(), "the curve of a trial that is not finished stays on disk"
    assert tracker.close() is None


def _has_losses(runs: Path) -> bool:
    _, children = runs_of(local(runs))
    return bool(children) and "loss/total" in children[0].data.metrics


def test_a_damaged_file_of_one_trial_is_said_and_leaves_it_to_be_completed(tmp_path: Path) -> None:
    spec, other = make_spec(0), make_spec(1)
    finished_folder(tmp_path, spec).epochs.write_bytes(b"not parquet")
    tracker = track(tmp_path)
    tracker.start(spec)
    tracker.finish(spec, finished(spec))
    full_trial(tracker, other, tmp_path)
    message = tracker.close()
    assert message is not None
    assert f"{spec.key}/epochs.parquet cannot be read" in message
    assert message.endswith(f"run the same command again or: tal-search rebuild study=grid runs={tmp_path}")
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


def test_artifacts_of_a_database_by_uri_go_where_they_are_wanted(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    (tmp_path / "elsewhere.db").write_bytes(empty_database())
    tracker = track(tmp_path, uri=uri, artifacts=(tmp_path / "bucket").as_uri())
    full_trial(tracker, make_spec(), tmp_path)
    assert tracker.close() is None
    assert len(list((tmp_path / "bucket").rglob("checkpoint.pt"))) == 1
    assert runs_of(mlflow_client(uri))[1][0].info.status == "FINISHED"
    assert not (tmp_path / "mlflow.db").exists()
