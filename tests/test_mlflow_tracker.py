"""The MLflow copy, read back through MLflow's own client from its real database."""

from __future__ import annotations

import json
import socket
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_trials import make_result, make_spec

from tal_search.tracking.background import BackgroundTracker
from tal_search.tracking.mlflow_tracker import MlflowClient, mlflow_tracker
from tal_search.types import EpochReport, TrialSpec


def track(runs: Path, **settings: Any) -> BackgroundTracker:
    return mlflow_tracker(study="grid", description="a study", dataset=make_spec().dataset, runs=runs, **settings)


def reports(first: int, last: int) -> Iterator[EpochReport]:
    for epoch in range(first, last + 1):
        losses = {"total": 1.0 / epoch, "sep": 0.1}
        yield EpochReport(epoch=epoch, epochs=3, seconds=0.5, losses=losses, scores={"test/mAP/0.5": epoch / 10})


def client_of(runs: Path) -> MlflowClient:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MlflowClient(f"sqlite:///{runs / 'mlflow.db'}")


def runs_of(runs: Path) -> tuple[Any, list[Any]]:
    """The parent run and its children, the oldest first."""
    client = client_of(runs)
    experiment = client.get_experiment_by_name("grid")
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    (parent,) = [run for run in found if run.data.tags["role"] == "study"]
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(found) == 1 + len(children)
    return parent, children


def full_trial(tracker: BackgroundTracker, spec: TrialSpec, folder: Path) -> None:
    (folder / "scores.json").write_text("{}")
    tracker.start(spec)
    tracker.log_metrics(spec.key, reports(1, 3))
    tracker.log_artifact(spec.key, folder / "scores.json")
    tracker.log_artifact(spec.key, folder / "absent.json")
    tracker.finish(spec.key, make_result(spec))


def test_a_trial_is_a_child_run_with_parameters_curves_artifacts_and_tags(tmp_path: Path) -> None:
    spec = make_spec(seed=3, cell={"lambda_sep": 0.5})
    tracker = track(tmp_path)
    full_trial(tracker, spec, tmp_path)
    assert tracker.close() is None
    parent, (child,) = runs_of(tmp_path)
    assert (parent.info.status, child.info.status) == ("FINISHED", "FINISHED")
    assert tracker.run_id(spec.key) == child.info.run_id
    params = child.data.params
    assert {
        "lambda_sep": "0.5",
        "epochs": "3",
        "inference.nms": "0.5",
        "protocol.selection": "last",
    }.items() <= params.items()
    tags = child.data.tags
    assert {"key": spec.key, "annotator": "a", "seed": "3", "study": "grid"}.items() <= tags.items()
    assert (tags["dataset.source"], tags["dataset.description"]) == ("simulated", "a test's own")
    assert json.loads(tags["cell"]) == {"lambda_sep": 0.5}
    client = client_of(tmp_path)
    for name, values in {"loss/total": [1.0, 0.5, 1 / 3], "test/mAP/0.5": [0.1, 0.2, 0.3]}.items():
        history = client.get_metric_history(child.info.run_id, name)
        assert [(point.step, point.value) for point in history] == list(enumerate(values, 1))
    assert child.data.metrics["mAP/0.5"] == make_result(spec).at(0.5)
    assert child.data.metrics["best_on_test_leaky/mAP"] == 0.5
    assert {file.path for file in client.list_artifacts(child.info.run_id)} == {"scores.json", "mAP_by_tIoU.csv"}
    files = list((tmp_path / "mlartifacts").rglob("mAP_by_tIoU.csv"))
    assert files[0].read_text().splitlines()[:2] == ["tIoU,mAP", f"0.3,{make_result(spec).mAP[0]}"]


def test_the_same_study_continues_its_runs_without_repeating_an_epoch(tmp_path: Path) -> None:
    done, cut, failing = make_spec(0), make_spec(1), make_spec(2)
    first = track(tmp_path)
    full_trial(first, done, tmp_path)
    for spec in (cut, failing):
        first.start(spec)
        first.log_metrics(spec.key, reports(1, 2))
    first.finish(failing.key, None)
    assert first.close(interrupted=True) is None
    parent, children = runs_of(tmp_path)
    assert [run.info.status for run in (parent, *children)] == ["KILLED", "FINISHED", "KILLED", "FAILED"]

    second = track(tmp_path)
    for spec in (done, cut, failing):
        full_trial(second, spec, tmp_path)
    assert second.close() is None
    again, now = runs_of(tmp_path)
    assert again.info.run_id == parent.info.run_id
    assert [run.info.status for run in (again, *now)] == ["FINISHED", "FINISHED", "FINISHED", "FAILED", "FINISHED"]
    assert [run.data.tags["key"] for run in now] == [spec.key for spec in (done, cut, failing, failing)]
    for run in (now[0], now[1], now[3]):
        history = client_of(tmp_path).get_metric_history(run.info.run_id, "loss/total")
        assert [point.step for point in history] == [1, 2, 3]


def test_metrics_appear_while_a_trial_runs(tmp_path: Path) -> None:
    spec = make_spec()
    tracker = track(tmp_path)
    tracker.start(spec)
    tracker.log_metrics(spec.key, reports(1, 1))
    until = time.monotonic() + 20
    while not (tracker.run_id(spec.key) and "loss/total" in runs_of(tmp_path)[1][0].data.metrics):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert tracker.close() is None


def test_a_server_that_is_gone_delays_nothing_and_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
    started = time.monotonic()
    tracker = track(tmp_path, uri=uri, close_seconds=30)
    for seed in range(50):
        full_trial(tracker, make_spec(seed), tmp_path)
    assert time.monotonic() - started < 2
    message = tracker.close()
    assert message is not None
    assert message.startswith(f"The copy of this study in {uri} is incomplete (MlflowException: ")
    assert message.endswith("run the same command again to copy what is missing.")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_server_that_never_answers_ends_the_wait(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        tracker = track(tmp_path, uri=uri, close_seconds=0.5)
        full_trial(tracker, make_spec(), tmp_path)
        message = tracker.close()
    assert message is not None
    assert "it did not answer within 0.5 seconds" in message


def test_a_broken_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to have a header " * 10)
    tracker = track(tmp_path)
    full_trial(tracker, make_spec(), tmp_path)
    message = tracker.close()
    assert message is not None
    assert "is incomplete" in message


def test_a_failing_copy_of_one_trial_leaves_it_to_be_completed(tmp_path: Path) -> None:
    def broken() -> Iterator[EpochReport]:
        raise OSError("epochs.parquet is gone")
        yield

    spec, other = make_spec(0), make_spec(1)
    tracker = track(tmp_path)
    tracker.start(spec)
    tracker.log_metrics(spec.key, broken())
    tracker.finish(spec.key, make_result(spec))
    full_trial(tracker, other, tmp_path)
    message = tracker.close()
    assert message is not None
    assert "(OSError: epochs.parquet is gone)" in message
    assert [run.info.status for run in runs_of(tmp_path)[1]] == ["KILLED", "FINISHED"]
    second = track(tmp_path)
    full_trial(second, spec, tmp_path)
    assert second.close() is None
    assert [run.info.status for run in runs_of(tmp_path)[1]] == ["FINISHED", "FINISHED"]
