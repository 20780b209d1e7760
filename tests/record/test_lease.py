"""The lease of a study on PostgreSQL: one holder, renewed, taken over once it expires, checked in each transaction."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tal_search.errors import InputError
from tal_search.execution.driver import run_study
from tal_search.files.lock_file import Holder, LockLost
from tal_search.proposers.events import Event, Finished
from tal_search.record import driver_lock, lease, retry
from tal_search.record.driver_lock import LOCK_FILE, lock_study
from tal_search.record.lease import Lease, connect_options, held_in_database
from tal_search.record.record import Record
from tests.support.chaos_driver import counting
from tests.support.held_study import held
from tests.support.leased_driver import TRIALS, plan_on
from tests.support.postgres_server import Server
from tests.support.small_records import trial_of, trials_of
from tests.support.small_trials import make_result
from tests.support.waiting import IMPORTABLE, wait_for

ME: Holder = {"host": "here", "pid": 1, "started": "today", "id": "a"}
OTHER: Holder = {"host": "there", "pid": 2, "started": "today", "id": "b"}


@pytest.fixture
def url(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PGPASSWORD", server.password)
    return server.new_database()


def refusal(holder: object) -> str:
    return f"held by {holder}"


def leased(url: str, holder: Holder = ME, say: Callable[[str], None] = print) -> Lease:
    return Lease(url, "s", holder, say)


def is_held(url: str) -> bool:
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            return held_in_database(connection, "s")
    finally:
        engine.dispose()


def contents(url: str) -> dict[str, list[str]]:
    """Every row of every table but the lease's."""
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            names = sqlalchemy.inspect(connection).get_table_names()
            query = "SELECT x::text FROM {} x ORDER BY 1"
            names.remove("tal_search_leases")
            return {name: list(connection.scalars(text(query.format(name)))) for name in names}
    finally:
        engine.dispose()


def files(folder: Path) -> dict[str, bytes]:
    """Contents of all files but a driver's lock."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != LOCK_FILE]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_a_lease_is_held_by_one_driver_and_given_back(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.01)
    assert not is_held(url), "a record of an earlier version has no leases"
    mine, other = leased(url), leased(url, OTHER)
    assert mine.take(refusal) is None
    assert is_held(url)
    seen = threading.Event()
    renewing = threading.Thread(target=lambda: [mine.renew() for _ in range(200) if not seen.wait(0.02)])
    renewing.start()
    with pytest.raises(InputError, match=r"held by .*'host': 'here'"):
        other.take(refusal)
    seen.set()
    renewing.join()
    mine.release()
    assert not is_held(url)
    assert other.take(refusal) is None
    other.release()


def test_a_lease_that_is_not_renewed_is_taken_over_and_its_holder_is_told(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.5)
    mine, other = leased(url), leased(url, OTHER)
    mine.take(refusal)
    mine.check_time()
    assert other.take(refusal) == ME, "it waits until the lease expires"
    assert is_held(url)
    for find_out in (mine.check_time, mine.renew):
        with pytest.raises(LockLost, match=r"the study s has been taken over by process 2 on there, started today: th"):
            find_out()
    mine.release()
    assert is_held(url), "it gives nothing back that it does not hold"
    other.release()


def test_a_holder_that_is_known_to_be_dead_is_not_waited_for(url: str) -> None:
    mine, other = leased(url), leased(url, OTHER)
    mine.take(refusal)
    assert other.take(refusal, dead=ME) == ME
    for each in (mine, other):
        each.release()


def test_an_expired_lease_that_nobody_took_is_renewed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.05)
    mine = leased(url)
    mine.take(refusal)
    time.sleep(0.1)
    assert not is_held(url)
    monkeypatch.setattr(lease, "LEASE_SECONDS", 30.0)
    mine.renew()
    mine.check_time()
    assert is_held(url)
    mine.release()


def test_a_driver_that_was_stopped_inside_a_transaction_commits_nothing_and_keeps_nobody_waiting(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(driver_lock, "WATCH_SECONDS", 3600.0)  # its thread is stopped as well
    other = leased(url, OTHER)
    with lock_study(tmp_path / "s", url) as lock, Record.open(url, "s", {}, folder=tmp_path, lock=lock) as record:
        record.start(trial_of(1))
        with record.storage.engine.connect() as connection:
            connection.execute(text("UPDATE trials SET number = 7"))
            assert other.take(refusal) is not None, "once the server has ended the transaction"
            with pytest.raises(DBAPIError) as caught:
                connection.commit()
        assert caught.value.connection_invalidated or "terminat" in str(caught.value)
        before = contents(url)
        trial = trial_of(1)
        for write in (
            partial(record.start, trial_of(2)), partial(record.fail, trial, "no"),
            partial(record.finish, trial, make_result(trial.spec), cached=False),
            partial(record.storage.set_study_user_attr, 1, "a", 1), partial(record.storage.create_new_trial, 1),
            partial(record.operations.enqueue, lambda: pytest.fail("queued actions end too")),
        ):  # fmt: skip
            with pytest.raises(LockLost, match="has been taken over by process 2 on there"):
                write()
    assert contents(url) == before
    other.release()


@pytest.mark.parametrize("shared", [False, True])
def test_a_stopped_driver_whose_study_was_taken_over_writes_nothing(shared: bool, url: str, tmp_path: Path) -> None:
    """shared: both drivers have the same runs folder."""
    mine, runs = tmp_path / "runs", tmp_path / "runs" if shared else tmp_path / "elsewhere"
    command = [sys.executable, "-m", "tests.support.leased_driver", "1", str(mine), url]
    environment = {**os.environ, "PYTHONPATH": IMPORTABLE}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as stopped:
        wait_for(lambda: Path(f"/proc/{stopped.pid}/stat").read_text().split(") ")[1][0] == "T", stopped)
        said: list[str] = []
        outcome = run_study(plan_on(url, runs), trial=counting, say=said.append)
        assert len(outcome.finished) == TRIALS
        assert outcome.cached >= 2 if shared else outcome.cached == 2
        assert f"process {stopped.pid} on" in said[0]
        before = contents(url), files(mine)
        stopped.send_signal(signal.SIGCONT)
        _, told = stopped.communicate()
    assert stopped.returncode == 1
    assert (contents(url), files(mine)) == before
    (sentence,) = [line for line in told.splitlines() if line]
    assert "so this driver ends" in sentence or "this driver was stopped" in sentence
    states = [trial.state.name for trial in trials_of(url, "thumos_search")]
    assert states == ["COMPLETE"] * TRIALS
    again = run_study(plan_on(url, runs), trial=counting, say=said.append)
    assert (again.cached, len(said)) == (TRIALS, 1), "the other driver ended in order"


def test_a_driver_survives_a_restart_of_its_server_that_is_longer_than_its_lease(
    server: Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(driver_lock, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(retry, "WARN_SECONDS", 3600.0)
    said, finished = list[str](), list[str]()

    def restart(event: Event) -> None:
        if isinstance(event, Finished):
            finished.append(event.spec.key)
            if len(finished) == 2:
                with server.stopped():
                    wait_for(lambda: said)
                    time.sleep(0.6)

    outcome = run_study(plan_on(url, tmp_path), trial=counting, on_event=restart, say=said.append)
    assert len(outcome.finished) == TRIALS
    assert sorted(finished) == sorted(trial.spec.key for trial in outcome.trials.values())
    assert [trial.state.name for trial in trials_of(url, "thumos_search")] == ["COMPLETE"] * TRIALS
    assert "the connection to the record's database broke (" in said[0]
    assert said[1] == "connected to the record's database again; this driver still holds the study"


def test_a_vanished_server_is_noticed_unless_the_url_says_otherwise() -> None:
    assert connect_options("postgresql+psycopg://h/d?connect_timeout=60") == {
        "connect_args": {
            "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000,
        }
    }  # fmt: skip
    assert connect_options("postgresql+pg8000://h/d") == connect_options("sqlite:///a") == {}


def test_a_killed_driver_of_the_same_folder_is_not_waited_for(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(tmp_path / "s", url) as killed:
        killed.kill()
        killed.wait()
    monkeypatch.setattr(lease, "POLL_SECONDS", -1.0)  # to wait would be an error
    said: list[str] = []
    with lock_study(tmp_path / "s", url, say=said.append):
        assert is_held(url)
    assert f"process {killed.pid} on" in said[0]
    assert not is_held(url)


def test_a_lock_of_the_folder_by_a_driver_with_another_record_is_respected(url: str, tmp_path: Path) -> None:
    with held(tmp_path / "s") as holder:
        refused = pytest.raises(InputError, match=f"running already: process {holder.pid} on")
        with refused, lock_study(tmp_path / "s", url):
            pass
        assert not is_held(url), "the lease is given back"
