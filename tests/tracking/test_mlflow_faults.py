"""MLflow away, locked or broken: nothing waits for it, and what it missed arrives once it is back."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from tal_search.tracking.background import BackgroundTracker, Wanted
from tal_search.tracking.mlflow_tracker import MlflowClient
from tal_search.trial.trial_types import TrialSpec
from tests.support.mlflow_contents import EPOCHS, contents, finished_folder, full_trial, local, reports, runs_of, track
from tests.support.mlflow_server import free_port, mlflow_server
from tests.support.small_trials import make_result, make_spec
from tests.support.waiting import DEADLINE, wait_for

LOCKED_SECONDS = 60  # MLflow itself waits for 20, then gives up


def server(folder: Path, port: int) -> AbstractContextManager[str]:
    return mlflow_server(folder, "server", "server.db", port, "--artifacts-destination", str(folder / "files"))


class Driver:
    """Calls a tracker as the driver does."""

    def __init__(self, tracker: BackgroundTracker, runs: Path) -> None:
        self.tracker, self.runs = tracker, runs

    def trial(self, spec: TrialSpec, first: int, last: int) -> None:
        """Epochs of a trial, and its end after the last; the worker writes the folder."""
        if first == 1:
            self.tracker.start(spec)
        for report in reports(first, last):
            self.tracker.log_metrics(spec.key, [report])
        if last == EPOCHS:
            finished_folder(self.runs, spec)
            self.tracker.finish(spec.key, make_result(spec))


class Stuck:
    """A copy in which every call waits until it is let go."""

    study, where, opened = "grid", "a place", False

    def __init__(self) -> None:
        self.go, self.asked, self.brought = threading.Event(), threading.Event(), list[str]()

    def _wait(self) -> None:
        self.asked.set()
        assert self.go.wait(DEADLINE)

    def open(self) -> None:
        self._wait()
        self.opened = True

    def bring(self, wanted: Wanted) -> None:
        self._wait()
        self.brought.append(wanted.spec.key)

    def close(self, interrupted: bool) -> None:
        self._wait()


def test_no_call_but_the_last_waits_for_a_copy_that_is_stuck(tmp_path: Path) -> None:
    copy, specs = Stuck(), [make_spec(seed) for seed in range(3)]
    tracker = BackgroundTracker(copy, tmp_path, close_seconds=DEADLINE)
    driver = Driver(tracker, tmp_path)
    driver.trial(specs[0], 1, EPOCHS)
    wait_for(copy.asked.is_set)
    driver.trial(specs[1], 1, EPOCHS)  # each of these comes back although the copy has not
    driver.trial(specs[2], 1, 1)
    tracker.log_artifact(specs[2].key, tmp_path / "file")
    tracker.finish(specs[2].key, None, "failed", "diverged")
    tracker.take_up(specs[0], make_result(specs[0]))
    assert copy.brought == []
    copy.go.set()
    assert tracker.close() is None
    assert {spec.key for spec in specs} == set(copy.brought)


def copied(runs: Path) -> bool:
    """Whether a finished trial has been."""
    noted = runs / "grid" / "mlflow.jsonl"
    return noted.exists() and '"finished"' in noted.read_text()


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
        driver = Driver(tracker, runs)
        driver.trial(before, 1, EPOCHS)
        driver.trial(during, 1, 1)
        wait_for(lambda: copied(runs))
    driver.trial(during, 2, EPOCHS)
    driver.trial(away, 1, EPOCHS)
    driver.trial(failed, 1, 2)
    tracker.finish(failed.key, None, "failed", "diverged")
    driver.trial(after, 1, 1)
    with server(served, port):
        driver.trial(after, 2, EPOCHS)
        assert tracker.close() is None
        expected = undisturbed(other, [before, during, away, after], failed)
        assert contents(MlflowClient(uri), tmp_path) == expected


@pytest.mark.slow
def test_a_locked_database_delays_nothing_and_then_has_everything(tmp_path: Path) -> None:
    runs, other = tmp_path / "runs", tmp_path / "other"
    before, during, away, failed = (make_spec(seed) for seed in range(4))
    tracker = track(runs, close_seconds=DEADLINE)
    driver = Driver(tracker, runs)
    driver.trial(before, 1, EPOCHS)
    driver.trial(during, 1, 1)
    wait_for(lambda: copied(runs))
    with closing(sqlite3.connect(runs / "mlflow.db", timeout=DEADLINE)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        until = time.monotonic() + LOCKED_SECONDS
        driver.trial(during, 2, EPOCHS)
        driver.trial(away, 1, EPOCHS)
        driver.trial(failed, 1, 2)
        tracker.finish(failed.key, None, "failed", "diverged")
        expected = undisturbed(other, [before, during, away], failed)
        time.sleep(max(0, until - time.monotonic()))
        holder.rollback()
    assert tracker.close() is None
    assert contents(local(runs), tmp_path) == expected


def test_a_server_that_is_gone_is_one_sentence_and_what_it_missed_is_on_disk(tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    failed, finished = make_spec(100), [make_spec(seed) for seed in range(5)]
    tracker = track(tmp_path, uri=uri, close_seconds=1)
    driver = Driver(tracker, tmp_path)
    for spec in finished:
        driver.trial(spec, 1, EPOCHS)
    driver.trial(failed, 1, 2)
    tracker.finish(failed.key, None)
    wait_for(lambda: tracker._failure)  # as it is where a study takes longer than this
    message = tracker.close()
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
        tracker = track(tmp_path, uri=uri, close_seconds=DEADLINE if interrupted else 0.5)
        full_trial(tracker, make_spec(), tmp_path)
        message = tracker.close(interrupted=interrupted)
    assert message is not None
    assert "it was not done after 0.5 seconds" in message


def test_a_broken_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to have a header " * 10)
    tracker = track(tmp_path, close_seconds=1)
    full_trial(tracker, make_spec(), tmp_path)
    wait_for(lambda: tracker._failure)
    message = tracker.close()
    assert message is not None
    assert "is incomplete (DatabaseError: file is not a database)" in message


def test_a_database_that_is_replaced_while_a_study_runs_is_begun_anew(tmp_path: Path) -> None:
    spec = make_spec()
    tracker = track(tmp_path)
    tracker.start(spec)
    tracker.log_metrics(spec.key, reports(1, 1))
    wait_for(lambda: (tmp_path / "grid" / "mlflow.jsonl").exists() and runs_of(local(tmp_path))[1])
    client = local(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db", timeout=DEADLINE)) as database, database:
        for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
            database.execute(f"DELETE FROM {table}")
    tracker.log_metrics(spec.key, reports(2, 2))
    finished_folder(tmp_path, spec)
    tracker.finish(spec.key, make_result(spec))
    assert tracker.close() is None
    (held,) = contents(client, tmp_path)
    assert held["status"] == "FINISHED"
    assert held["metrics"]["loss/total"] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
