"""A record is made whole or not at all, made whole where it was left half-made, and made once by several processes."""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from optuna.storages import RDBStorage

from tal_search.record.first_open import make_record
from tal_search.record.storage import close, id_of_study, open_storage
from tests.support.half_made import stopped
from tests.support.postgres_server import Server

PROCESSES = 4


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_a_record_left_half_made_at_any_statement_is_completed(tmp_path: Path) -> None:
    make_record(tmp_path / "whole.db")
    statements = 0
    while stopped(partial(RDBStorage, f"sqlite:///{tmp_path / str(statements)}"), statements):
        path = tmp_path / str(statements)
        storage = open_storage(path)
        assert id_of_study(storage, "grid") == 1
        close(storage)
        assert tables(path) == tables(tmp_path / "whole.db")
        statements += 4
    assert statements > 20


def test_a_record_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "what?now" / "thumos%2014.db"
    path.parent.mkdir()
    storage = open_storage(path)
    assert id_of_study(storage, "grid") == 1
    make_record(path)
    assert id_of_study(storage, "grid") == 1
    close(storage)
    assert [found.name for found in tmp_path.iterdir()] == ["what?now"]


def open_and_add(where: Path | str, number: int) -> None:
    storage = open_storage(where)
    id_of_study(storage, f"study {number}")
    close(storage)


def opened_at_once(where: Path | str) -> list[str]:
    """The studies of a record that several processes open, and make, at the same moment."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=open_and_add, args=(where, number)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    storage = open_storage(where)
    names = sorted(study.study_name for study in storage.get_all_studies())
    close(storage)
    return names


def test_processes_that_open_a_new_record_at_once_lose_nothing(tmp_path: Path) -> None:
    assert opened_at_once(tmp_path / "record.db") == [f"study {number}" for number in range(PROCESSES)]


def test_the_same_on_postgresql(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", server.password)
    assert opened_at_once(server.new_database()) == [f"study {number}" for number in range(PROCESSES)]


@pytest.mark.parametrize("statements", [12, 24])
def test_a_record_on_postgresql_left_half_made_is_completed(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, statements: int
) -> None:
    monkeypatch.setenv("PGPASSWORD", server.password)
    database = server.new_database()
    assert stopped(partial(RDBStorage, database), statements)
    open_and_add(database, 0)
