"""Databases as a process leaves them that was killed while it made the tables."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy


class Killed(Exception):
    """Stands for kill -9 at a statement: what was not committed is lost."""


def stopped(make: Callable[[], object], statements: int) -> bool:
    """Make a database, up to a number of SQL statements; False if that was all of them."""
    made, engines = 0, set[sqlalchemy.Engine]()

    def count(connection: sqlalchemy.Connection, *_: object) -> None:
        nonlocal made
        engines.add(connection.engine)
        made += 1
        if made > statements:
            raise Killed

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", count)
    try:
        make()
    except Killed:
        return True
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", count)
        for engine in engines:
            engine.dispose()
    return False
