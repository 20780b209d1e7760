"""Two threads of a driver renew its lease at once: one waits for the other, and nothing is reported."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy
from sqlalchemy import text

from tal_search.record.lease import Lease
from tests.support.postgres_server import Server
from tests.support.waiting import DEADLINE, wait_for

WAITS = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


def test_a_thread_that_finds_another_renewing_says_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", server.password)
    url, said = server.new_database(), list[str]()
    mine = Lease(url, "s", {"host": "here", "pid": 1, "started": "today", "id": "a"}, said.append)
    mine.take(str)
    engine = sqlalchemy.create_engine(url)
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.begin() as locking, alone.connect() as looking:
        locking.execute(text("SELECT 1 FROM tal_search_leases FOR UPDATE"))
        other = threading.Thread(target=mine.renew)
        assert not looking.scalar(WAITS)
        other.start()
        wait_for(lambda: looking.scalar(WAITS))
        mine.renew()
        mine.check_time()
        assert other.is_alive(), "it waits still"
    other.join(DEADLINE)
    mine.release()
    engine.dispose()
    assert said == []
