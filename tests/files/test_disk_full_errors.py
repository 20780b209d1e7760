"""Errors of a full disk, of SQLite and of PostgreSQL, told from others."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tal_search.files.disk import is_full, retry_when_full


def test_only_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    def broken() -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(PermissionError):
        retry_when_full(broken, tmp_path / "folder")
    assert is_full(OSError(28, "No space left on device"))
    assert is_full(OSError(122, "Disk quota exceeded"))
    assert not is_full(PermissionError(13, "Permission denied"))
    assert not is_full(RuntimeError("database or disk is full"))  # by its type, not its text


def caused(cause: Exception) -> Exception:
    """An error as Optuna and SQLAlchemy raise it, with another one behind it."""
    try:
        try:
            raise cause
        except Exception as error:
            raise RuntimeError("the storage failed") from error
    except RuntimeError as error:
        return error


def test_a_full_database_is_known_by_its_code(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError, match="full") as full:
            database.execute("CREATE TABLE a (b)")
        with pytest.raises(sqlite3.OperationalError) as other:
            database.execute("SELECT * FROM a")
    database.close()
    assert is_full(caused(full.value))
    assert not is_full(caused(other.value))


def test_a_full_postgresql_is_known_by_its_code() -> None:
    errors = pytest.importorskip("psycopg").errors
    assert is_full(caused(errors.DiskFull("konnte Datei nicht erweitern")))
    assert is_full(caused(errors.InternalError_("could not extend file: Disk quota exceeded")))  # has no code
    assert not is_full(caused(errors.InternalError_("could not extend file")))
    assert not is_full(caused(errors.LockNotAvailable("No space left on device")))
