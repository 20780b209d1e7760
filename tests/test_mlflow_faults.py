"""MLflow away, locked or broken: nothing waits for it, and what it missed arrives once it is back."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from mlflow_contents import EPOCHS, contents, finished_folder, full_trial, local, reports, runs_of, track
from mlflow_server import free_port, mlflow_server
from small_trials import make_result, make_spec

from tal_search.tracking.background import BackgroundTracker
from tal_search.tracking.mlflow_tracker import MlflowClient
from tal_search.trial.trial_types import TrialSpec

LOCKED_SECONDS = 60  # MLflow itself waits for 20, then gives up


def server(folder: Path, port: int) -> AbstractContextManager[str]:
    return mlflow_server(folder, "server", "server.db", port, "--artifacts-destination", str(folder / "files"))


class Timed:
    """Calls a tracker as the driver does, and adds up how long that took."""

    def __init__(self, tracker: BackgroundTracker, runs: Path) -> None:
        self.tracker, self.runs, self.seconds = tracker, runs, 0.0

    def call(self, action: Callable[[], object]) -> None:
        started = time.monotonic()
        action()
        self.seconds += time.monotonic() - started

    def trial(self, spec: TrialSpec, first: int, last: int) -> None:
        """Epochs of a trial, and its end after the last; the worker's writing of the folder is not the driver's."""
        if first == 1:
            self.call(lambda: self.tracker.start(spec))
        for report in reports(first, last):
            self.call(lambda report=report: self.tracker.log_metrics(spec.key, [report]))  # type: ignore[misc]
        if last == EPOCHS:
            finished_folder(self.runs, spec)
            self.call(lambda: self.tracker.finish(spec.key, make_result(spec)))


def undisturbed(runs: Path, specs: list[TrialSpec], failed: TrialSpec) -> list[dict[str, object]]:
    """What a copy that nothing disturbs holds of the same trials."""
    tracker = track(runs)
    for spec in specs:
        full_trial(tracker, spec, runs)
    tracker.start(failed)
    tracker.log_metrics(failed.key, reports(1, 2))
    tracker.finish(failed.key, None, "failed", "diverged")
    assert tracker.close() is None
    return contents(local(runs), runs)


@pytest.mark.slow
def test_a_server_killed_midway_has_everything_once_it_is_back(tmp_path: Path) -> None:
    runs, other, served = tmp_path / "runs", tmp_path / "other", tmp_path / "server"
    for folder in (runs, other, served):
        folder.mkdir()
    before, during, away, after, failed = (make_spec(seed) for seed in range(5))
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    with server(served, port):
        tracker = track(runs, uri=uri)
        driver = Timed(tracker, runs)
        driver.trial(before, 1, EPOCHS)
        driver.trial(during, 1, 1)
        noted, until = runs / "grid" / "mlflow.jsonl", time.monotonic() + 60
        while not noted.exists() or '"finished"' not in noted.read_text():
            assert time.monotonic() < until, "nothing was copied"
            time.sleep(0.1)
    driver.trial(during, 2, EPOCHS)
    driver.trial(away, 1, EPOCHS)
    driver.trial(failed, 1, 2)
    driver.call(lambda: tracker.finish(failed.key, None, "failed", "diverged"))
    driver.trial(after, 1, 1)
    with server(served, port):
        driver.trial(after, 2, EPOCHS)
        assert tracker.close() is None
        assert driver.seconds < 1
        expected = undisturbed(other, [before, during, away, after], failed)
        assert contents(MlflowClient(uri), tmp_path) == expected


@pytest.mark.slow
def test_a_locked_database_delays_nothing_and_then_has_everything(tmp_path: Path) -> None:
    runs, other = tmp_path / "runs", tmp_path / "other"
    before, during, away, failed = (make_spec(seed) for seed in range(4))
    tracker = track(runs, close_seconds=180)  # other tests run beside this one
    driver = Timed(tracker, runs)
    driver.trial(before, 1, EPOCHS)
    driver.trial(during, 1, 1)
    time.sleep(3)
    with closing(sqlite3.connect(runs / "mlflow.db", timeout=30)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        until = time.monotonic() + LOCKED_SECONDS
        driver.trial(during, 2, EPOCHS)
        driver.trial(away, 1, EPOCHS)
        driver.trial(failed, 1, 2)
        driver.call(lambda: tracker.finish(failed.key, None, "failed", "diverged"))
        assert driver.seconds < 1
        expected = undisturbed(other, [before, during, away], failed)
        time.sleep(max(0, until - time.monotonic()))
        holder.rollback()
    assert tracker.close() is None
    assert contents(local(runs), tmp_path) == expected


def test_a_server_that_is_gone_is_one_sentence_and_what_it_missed_is_on_disk(tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    failed, finished = make_spec(100), [make_spec(seed) for seed in range(5)]
    started = time.monotonic()
    tracker = track(tmp_path, uri=uri, close_seconds=1)
    driver = Timed(tracker, tmp_path)
    for spec in finished:
        driver.trial(spec, 1, EPOCHS)
    driver.trial(failed, 1, 2)
    driver.call(lambda: tracker.finish(failed.key, None))
    assert driver.seconds < 1
    message = tracker.close()
    assert time.monotonic() - started < 30
    assert message is not None
    assert message.startswith(f"The copy of this study in {uri} is incomplete (MlflowException: ")
    assert message.endswith("run the same command again or: tal-search rebuild study=grid")
    assert not (tmp_path / "mlflow.db").exists()

    later = track(tmp_path)  # of another command, to another place
    for spec in finished:
        later.take_up(spec, make_result(spec))
    later.take_up(failed, status="failed")
    assert later.close() is None
    held = {run["tags"]["key"]: run["metrics"]["loss/total"] for run in contents(local(tmp_path), tmp_path)}
    assert held.pop(failed.key) == [(1, 1.0), (2, 0.5)]
    assert held == {spec.key: [(1, 1.0), (2, 0.5), (3, 1 / 3)] for spec in finished}


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_server_that_never_answers_ends_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    monkeypatch.setattr("tal_search.tracking.background.INTERRUPTED_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        tracker = track(tmp_path, uri=uri, close_seconds=60 if interrupted else 0.5)
        full_trial(tracker, make_spec(), tmp_path)
        started = time.monotonic()
        message = tracker.close(interrupted=interrupted)
        assert time.monotonic() - started < 20
    assert message is not None
    assert "it was not done after 0.5 seconds" in message


def test_a_broken_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to have a header " * 10)
    tracker = track(tmp_path, close_seconds=1)
    full_trial(tracker, make_spec(), tmp_path)
    message = tracker.close()
    assert message is not None
    assert "is incomplete (DatabaseError: file is not a database)" in message


def test_a_database_that_is_replaced_while_a_study_runs_is_begun_anew(tmp_path: Path) -> None:
    spec = make_spec()
    tracker = track(tmp_path)
    tracker.start(spec)
    tracker.log_metrics(spec.key, reports(1, 1))
    until = time.monotonic() + 60
    while not (tmp_path / "grid" / "mlflow.jsonl").exists() or len(runs_of(local(tmp_path))[1]) == 0:
        assert time.monotonic() < until
        time.sleep(0.2)
    client = local(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db", timeout=30)) as database, database:
        for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
            database.execute(f"DELETE FROM {table}")
    tracker.log_metrics(spec.key, reports(2, 2))
    finished_folder(tmp_path, spec)
    tracker.finish(spec.key, make_result(spec))
    assert tracker.close() is None
    (held,) = contents(client, tmp_path)
    assert held["status"] == "FINISHED"
    assert held["metrics"]["loss/total"] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
