"""MLflow away, locked or broken: nothing waits for it, and what it missed arrives once it is back."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tal_search.tracking.background import BackgroundTracker
from tal_search.tracking.mlflow_client import mlflow_client
from tal_search.trial.trial_types import TrialOutcome, TrialSpec
from tests.support.mlflow_contents import (
    EPOCHS,
    contents,
    empty_database,
    finished,
    finished_folder,
    full_trial,
    local,
    reports,
    runs_of,
    track,
)
from tests.support.mlflow_server import free_port, mlflow_server
from tests.support.small_trials import make_spec
from tests.support.waiting import DEADLINE, wait_for


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow waits 0.2 seconds for a locked database instead of 20, and the tracker 0.2 between batches."""

    def patience(*call: Any) -> tuple[str, Any]:
        return call[2].replace("busy_timeout = 20000", "busy_timeout = 200"), call[3]

    monkeypatch.setattr("tal_search.tracking.background.FLUSH_SECONDS", 0.2)
    event.listen(Engine, "before_cursor_execute", patience, retval=True)
    yield
    event.remove(Engine, "before_cursor_execute", patience)


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
            self.tracker.log(spec, [report])
        if last == EPOCHS:
            finished_folder(self.runs, spec)
            self.tracker.finish(spec, finished(spec))


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
    tracker.log(failed, reports(1, 2))
    tracker.finish(failed, TrialOutcome("failed", reason="diverged"))
    assert tracker.close() is None
    return contents(local(runs), runs)


@pytest.mark.slow
def test_a_server_killed_midway_has_everything_once_it_is_back(tmp_path: Path) -> None:
    runs, other, served = tmp_path / "runs", tmp_path / "other", tmp_path / "server"
    for folder in (runs, other, served):
        folder.mkdir()
    before, during, away, after, failed = (make_spec(seed) for seed in range(5))
    (served / "server.db").write_bytes(empty_database())
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
    tracker.finish(failed, TrialOutcome("failed", reason="diverged"))
    driver.trial(after, 1, 1)
    with server(served, port):
        driver.trial(after, 2, EPOCHS)
        assert tracker.close() is None
        expected = undisturbed(other, [before, during, away, after], failed)
        assert contents(mlflow_client(uri), tmp_path) == expected


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
        driver.trial(during, 2, EPOCHS)
        driver.trial(away, 1, EPOCHS)
        driver.trial(failed, 1, 2)
        tracker.finish(failed, TrialOutcome("failed", reason="diverged"))
        expected = undisturbed(other, [before, during, away], failed)
        wait_for(lambda: tracker.failure)
        holder.rollback()
    assert tracker.close() is None
    assert contents(local(runs), tmp_path) == expected


def test_a_server_that_is_gone_is_one_sentence_and_what_it_missed_is_on_disk(tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    failed, done = make_spec(100), [make_spec(seed) for seed in range(5)]
    tracker = track(tmp_path, uri=uri, close_seconds=1)
    driver = Driver(tracker, tmp_path)
    for spec in done:
        driver.trial(spec, 1, EPOCHS)
    driver.trial(failed, 1, 2)
    tracker.finish(failed, TrialOutcome("failed"))
    wait_for(lambda: tracker.failure)  # as it is where a study takes longer than this
    message = tracker.close()
    assert message is not None
    assert message.startswith(f"The copy of this study in {uri} is incomplete (MlflowException: ")
    assert message.endswith(f"run the same command again or: tal-search rebuild study=grid runs={tmp_path}")
    assert not (tmp_path / "mlflow.db").exists()

    later = track(tmp_path)  # of another command, to another place
    for spec in done:
        later.finish(spec, finished(spec))
    later.finish(failed, TrialOutcome("failed"))
    assert later.close() is None
    held = {run["tags"]["key"]: run["metrics"]["loss/total"] for run in contents(local(tmp_path), tmp_path)}
    assert held.pop(failed.key) == [(1, 1.0), (2, 0.5)]
    assert held == {spec.key: [(1, 1.0), (2, 0.5), (3, 1 / 3)] for spec in done}


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
    wait_for(lambda: tracker.failure)
    message = tracker.close()
    assert message is not None
    assert "is incomplete (DatabaseError: file is not a database)" in message


def test_a_database_that_is_replaced_while_a_study_runs_is_begun_anew(tmp_path: Path) -> None:
    spec = make_spec()
    tracker = track(tmp_path)
    tracker.start(spec)
    tracker.log(spec, reports(1, 1))
    wait_for(lambda: (tmp_path / "grid" / "mlflow.jsonl").exists() and runs_of(local(tmp_path))[1])
    client = local(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db", timeout=DEADLINE)) as database, database:
        for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
            database.execute(f"DELETE FROM {table}")
    tracker.log(spec, reports(2, 2))
    finished_folder(tmp_path, spec)
    tracker.finish(spec, finished(spec))
    assert tracker.close() is None
    (held,) = contents(client, tmp_path)
    assert held["status"] == "FINISHED"
    assert held["metrics"]["loss/total"] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
