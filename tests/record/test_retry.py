"""Calls of a record that is locked, unreachable or on a full disk are retried, and done once."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy
from sqlalchemy.exc import DBAPIError, IntegrityError

from tal_search.errors import InputError, TalSearchError
from tal_search.execution.driver import run_study
from tal_search.files.disk import DiskWatch
from tal_search.plan.cells import Trial
from tal_search.plan.plan import resolve
from tal_search.record import retry, storage
from tal_search.record.record import Record
from tal_search.record.retry import Operations
from tal_search.study import load_study
from tests.support.chaos_driver import STUDIES, counting
from tests.support.postgres_server import Server
from tests.support.small_disk import fill, small_disk
from tests.support.small_trials import make_result, make_spec
from tests.support.waiting import DEADLINE, wait_for

REFUSED = r"thumos_search is running already: process \d+ on .*, started"


def trial(seed: int = 0) -> Trial:
    spec = make_spec(seed)
    return Trial(cell={}, spec=spec, inference=spec.inference, annotation_seconds=48.0)


def states(where: Path | str) -> list[str]:
    with Record.open(where, "s", {}) as record:
        return [row.state.name for row in storage.rows(record.storage, 1)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself gives up at once, so that the record's own waiting is what is tested."""
    monkeypatch.setattr(retry, "BUSY_SECONDS", 0.1)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once the record has failed and waits to try again."""
    event = threading.Event()

    def sleep(seconds: float) -> None:
        event.set()
        time.sleep(seconds)

    monkeypatch.setattr(retry, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    return event


def once(event: threading.Event, action: Callable[[], object]) -> threading.Thread:
    """Does something in a thread of its own, which begins to wait for the event at once."""

    def run() -> None:
        assert event.wait(DEADLINE)
        action()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_locked_record_is_waited_for(impatient: None, waits: threading.Event, tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    with Record.open(path, "s", {}) as record:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        free = once(waits, lambda: other.execute("COMMIT"))
        record.start(trial())
        free.join()
        other.close()
        record.finish(trial(), make_result(trial().spec), cached=False)
    assert states(path) == ["COMPLETE"]


def test_a_record_that_stays_locked_ends_the_run_with_a_sentence(
    impatient: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "AWAY_SECONDS", 0.5)
    path = tmp_path / "record.db"
    with Record.open(path, "s", {}) as record:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TalSearchError, match=r"database was unavailable .*locked.*run the same command again"):
            record.start(trial())
        other.execute("ROLLBACK")
        other.close()


def test_a_full_disk_under_the_record_is_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    with small_disk(tmp_path / "small") as small:
        (small / "s").mkdir()
        with Record.open(small / "s" / "record.db", "s", {}) as record, DiskWatch(small, said.append, 0.1):
            ballast = fill(small)
            free = threading.Thread(target=lambda: (wait_for(lambda: said), ballast.unlink()))
            free.start()
            pairs = [(trial(seed), make_result(trial(seed).spec)) for seed in range(100)]
            record.finish_all(pairs, cached=True)
            free.join()
            wait_for(lambda: len(said) == 2)
        assert states(small / "s" / "record.db") == ["COMPLETE"] * 100
    assert said[0].startswith(f"paused: {small} has ")
    assert "goes on" in said[1]


def test_a_server_that_is_away_is_waited_for(
    server: Server, waits: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", server.password)
    with Record.open(server.new_database(), "s", {}, folder=tmp_path / "s") as record:
        record.start(trial())
        server.stop()
        back = once(waits, server.start)
        record.finish(trial(), make_result(trial().spec), cached=False)
        back.join()
        assert [row.state.name for row in storage.rows(record.storage, 1)] == ["COMPLETE"]


def test_a_sampler_runs_on_postgresql_and_a_second_driver_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", server.password)
    url = server.new_database()
    overrides = [
        f"record={url}", "dataset.source=simulated", "tracking.mlflow=false", "backend=inline",
        "budget.trials=8", "hyperparameters.epochs=4", "search.pruner=none",
    ]  # fmt: skip

    def plan(runs: str) -> object:
        return resolve(load_study("thumos_search", [*overrides, f"runs={tmp_path / runs}"], STUDIES))

    refused: list[str] = []

    def intrude(_: object) -> None:
        if not refused:
            with pytest.raises(InputError, match=REFUSED) as error:
                run_study(plan("elsewhere"), trial=counting)
            refused.append(str(error.value))

    outcome = run_study(plan("here"), trial=counting, on_event=intrude)
    assert refused
    assert len(outcome.finished) == 8
    again = run_study(plan("here"), trial=counting)
    assert (again.cached, again.finished) == (8, outcome.finished), "the budget is spent"
    kept = (tmp_path / "here" / "thumos_search" / "record.url").read_text()
    assert server.password not in kept


def test_an_unreachable_record_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    overrides = ["record=postgresql+psycopg://me:secret@127.0.0.1:1/db", "dataset.source=simulated"]
    plan = resolve(load_study("quickstart", [*overrides, f"runs={tmp_path / 'runs'}"], STUDIES))
    with pytest.raises(InputError, match=r"record=postgresql\+psycopg://me:[*]{3}@127.0.0.1:1/db cannot be") as error:
        run_study(plan, trial=counting)
    assert "secret" not in str(error.value)
    assert not (tmp_path / "runs").exists()


def test_a_database_that_is_damaged_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    with Record.open(path, "s", {}) as record:
        record.storage.engine.dispose()
        for left in tmp_path.glob("record.db-*"):
            left.unlink()
        path.write_bytes(b"no database" * 1000)
        damaged = r"the record's database is damaged \(.*not a database\); restore it, or move it away"
        with pytest.raises(TalSearchError, match=damaged):
            record.start(trial())
        with pytest.raises(TalSearchError, match=damaged):
            record.operations.enqueue(lambda: record.start(trial()))


def test_an_error_of_the_program_is_raised_as_it_is(tmp_path: Path) -> None:
    with Record.open(tmp_path / "record.db", "s", {}) as record:

        def insert_again() -> None:
            with record.storage.engine.begin() as connection:
                connection.exec_driver_sql("INSERT INTO studies SELECT * FROM studies")

        for run in (record.operations.retry, record.operations.enqueue):
            with pytest.raises(IntegrityError) as caught:
                run(insert_again)
            assert caught.value.__cause__ is caught.value.orig, "an error that is its own cause has no end"


def test_a_database_that_is_changed_or_read_only_is_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "POLL_SECONDS", -1.0)  # to wait would be an error
    with Record.open(tmp_path / "record.db", "s", {}) as record:
        engine = record.storage.engine
        record.start(trial())
        with sqlite3.connect(tmp_path / "record.db") as other:
            other.execute("ALTER TABLE trials RENAME TO gone")
        other.close()
        with pytest.raises(TalSearchError, match=r"refuses to be read or written \(.*no such table: .*\); correct it"):
            record.start(trial(1))
        with sqlite3.connect(tmp_path / "record.db") as other:
            other.execute("ALTER TABLE gone RENAME TO trials")
        other.close()
        sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA query_only=1"))
        with pytest.raises(
            TalSearchError, match=r"database is read-only \(.*\); make its file and folder writable and"
        ):
            record.start(trial(1))
        with pytest.raises(TalSearchError, match="database is read-only"):
            record.operations.enqueue(lambda: record.start(trial(1)))


POSTGRESQL = {
    "LockNotAvailable": True, "AdminShutdown": True, "SerializationFailure": True, "DeadlockDetected": True,
    "TooManyConnections": True, "IdleInTransactionSessionTimeout": True, "ReadOnlySqlTransaction": True,
    "IoError": True, "OperationalError": True, "InterfaceError": True, "UndefinedTable": False,
    "InsufficientPrivilege": False, "InternalError_": False, "InFailedSqlTransaction": False,
}  # fmt: skip


@pytest.mark.parametrize("name", POSTGRESQL)
def test_errors_of_postgresql_that_may_pass_are_waited_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    psycopg = pytest.importorskip("psycopg")
    monkeypatch.setattr(retry, "POLL_SECONDS", 0.0)
    cause = getattr(psycopg.errors, name, None) or getattr(psycopg, name)
    errors = [DBAPIError.instance("SELECT 1", {}, cause("it fails"), psycopg.Error)]

    def operation() -> str:
        if errors:
            raise errors.pop()
        return "done"

    if POSTGRESQL[name]:
        assert Operations(tmp_path).retry(operation) == "done"
    else:
        with pytest.raises(TalSearchError, match=r"database refuses to be read or written \(.*it fails\); correct it"):
            Operations(tmp_path).retry(operation)
