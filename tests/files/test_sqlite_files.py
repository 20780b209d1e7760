"""SQLite databases as files: their URL, their creation by one process at a time, and moving one aside."""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from tal_search.files.checked import set_aside
from tal_search.files.sqlite_files import (
    SIDE_FILES,
    is_missing,
    locked_for_creation,
    replace_database,
    serialized,
    sqlite_file,
    sqlite_url,
)

NAMES = ["plain", "what?now", "thumos%2014", "a#b c", "a&b=c", 'it\'s "x"', "é日本", "a:b@c", "[x]"]


@pytest.mark.parametrize("name", NAMES)
def test_a_url_leads_to_its_file_and_makes_no_other(name: str, tmp_path: Path) -> None:
    path = tmp_path / name / "record.db"
    path.parent.mkdir()
    assert sqlite_file(sqlite_url(path)) == path
    engine = sqlalchemy.create_engine(sqlite_url(path))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE held (value)"))
    engine.dispose()
    assert [found.name for found in tmp_path.iterdir()] == [name]
    assert [found.name for found in path.parent.iterdir()] == ["record.db"]


def test_what_is_no_file_has_none() -> None:
    for url in ("sqlite://", "sqlite:///:memory:", "postgresql://host/db", "http://host", "no url", "sqlite:///a?b=1"):
        assert sqlite_file(url) is None
    assert sqlite_url(Path("runs/mlflow.db")) == "sqlite:///runs/mlflow.db"
    assert sqlite_file("sqlite:///runs/mlflow.db") == Path("runs/mlflow.db").absolute()


def content(*values: str) -> bytes:
    engine = sqlalchemy.create_engine("sqlite:///:memory:")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE held (value)"))
        for value in values:
            connection.execute(sqlalchemy.text("INSERT INTO held VALUES (:value)"), {"value": value})
    try:
        return serialized(engine)
    finally:
        engine.dispose()


def held(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM held")]


def test_a_new_database_never_meets_the_log_of_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    replace_database(path, content("old"))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("INSERT INTO held VALUES ('in the log')")
    connection.commit()  # and never closed, as by a process that was killed
    assert Path(f"{path}-wal").stat().st_size
    path.unlink()
    assert is_missing(path)
    replace_database(path, content("new"))
    assert held(path) == ["new"]
    connection.close()


def test_a_database_is_set_aside_with_its_log(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    for number, name in enumerate(["mlflow.db.half-made", "mlflow.db.half-made-2"]):
        replace_database(path, content(f"{number}"))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("INSERT INTO held VALUES ('in the log')")
            connection.commit()
            aside = set_aside(path, ".half-made", SIDE_FILES)
            assert not list(tmp_path.glob("mlflow.db-*"))
            assert aside.name == name
            assert held(aside) == [f"{number}", "in the log"]
    assert is_missing(path)


def test_an_empty_file_is_no_database(tmp_path: Path) -> None:
    assert is_missing(tmp_path / "absent.db")
    (tmp_path / "empty.db").touch()
    assert is_missing(tmp_path / "empty.db")
    assert not is_missing(tmp_path)  # a folder is somebody's mistake, never replaced


def add_one(path: Path) -> None:
    with locked_for_creation(path):
        path.write_text(str(int(path.read_text()) + 1))


def test_one_process_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "count.db"
    path.write_text("0")
    processes = [multiprocessing.get_context("fork").Process(target=add_one, args=(path,)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert path.read_text() == "8"
