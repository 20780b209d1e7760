"""SQLite databases as files: their URL, a lock for their creation, and replacing or setting aside a whole database.

A database is made in memory and written to its name in one step, so that a killed process leaves none or a whole one.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy

from tal_search.errors import causes
from tal_search.files.atomic import write_atomically

SIDE_FILES = ("-journal", "-wal", "-shm")  # of SQLite, beside a database; they must never meet another database


def sqlite_url(path: Path) -> str:
    """The SQLAlchemy URL of a file, relative where the path is; ?, %, # and other special characters are escaped."""
    plain = f"sqlite:///{path}"
    url = sqlalchemy.URL.create("sqlite", database=str(path)).render_as_string()
    if url == plain:
        return url
    # MLflow makes the folder of a "sqlite:///" URL without unescaping it: a stray "what%3Fnow" beside "what?now".
    return sqlalchemy.URL.create("sqlite+pysqlite", database=str(path)).render_as_string()


def sqlite_file(url: str) -> Path | None:
    """The file that a URL names; None for another database, one in memory or a URL with options."""
    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        return None
    named = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:") and not parsed.query
    return Path(str(parsed.database)).absolute() if named else None


@contextmanager
def locked_for_creation(path: Path) -> Iterator[None]:
    """Let one process at a time create, replace or upgrade the database `path`. Raises OSError where it cannot lock."""
    with path.with_name(f".{path.stem}.lock").open("a") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        yield


def reported(error: BaseException | None, *names: str) -> bool:
    """Whether SQLite reported an error of these names, or one that extends them, here or in a cause of the error."""
    return any(str(getattr(cause, "sqlite_errorname", "")).startswith(names) for cause in causes(error))


def is_missing(path: Path) -> bool:
    """Whether there is no database: no file, or an empty one, as SQLite leaves it before the first table."""
    return not path.exists() or (path.is_file() and path.stat().st_size == 0)


def serialized(engine: sqlalchemy.Engine) -> bytes:
    """The content of an engine's database in memory, in the thread that made it."""
    connection = engine.raw_connection()
    try:
        raw = connection.driver_connection
        assert isinstance(raw, sqlite3.Connection), raw
        return raw.serialize()
    finally:
        connection.close()


def replace_database(path: Path, content: bytes) -> None:
    """Write a whole database to `path`; waits while the disk is full. The caller holds the lock."""
    for ending in SIDE_FILES:
        path.with_name(path.name + ending).unlink(missing_ok=True)
    write_atomically(path, lambda stream: stream.write(content))
