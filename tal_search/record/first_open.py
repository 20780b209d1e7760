"""Creation of a record's database, whole or not at all, by one process or by several at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from optuna.storages import RDBStorage
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from tal_search.files.sqlite_files import is_missing, locked_for_creation, replace_database, serialized

Storage = TypeVar("Storage", bound=RDBStorage)

TRIES = 10
PAUSE_SECONDS = 0.3  # tables are made within it
RACE = ("already exists", "duplicate key", "Duplicate entry")  # PostgreSQL, SQLite; PostgreSQL; MySQL


def make_record(path: Path) -> None:
    """Make an empty record at `path` where there is none. Raises OSError where it cannot be written."""
    if is_missing(path):
        with locked_for_creation(path):
            if is_missing(path):
                replace_database(path, _empty_record())


@cache
def _empty_record() -> bytes:
    storage = RDBStorage("sqlite:///:memory:")
    content = serialized(storage.engine)
    storage.remove_session()
    storage.engine.dispose()
    return content


def opened_by_several(open_it: Callable[[], Storage]) -> Storage:
    """The opened storage of a database server, where another process may be making the same tables.

    Optuna makes missing tables when it opens a database, half-made ones included, but fails where another process is
    faster.
    """
    for _ in range(TRIES - 1):
        try:
            return open_it()
        except (IntegrityError, ProgrammingError, OperationalError) as error:
            if not any(words in str(error) for words in RACE):
                raise
        time.sleep(PAUSE_SECONDS)
    return open_it()
