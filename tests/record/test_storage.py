"""Places of records as messages show them, and the settings that new trials must share with old ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.record.storage import close, differences, open_storage, shown
from tests.support.small_records import open_record

URL = "postgresql+psycopg://me:swordfish@host:5432/db"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Path("runs/s/record.db"), "runs/s/record.db"),
        (URL, "postgresql+psycopg://me:***@host:5432/db"),
        ("postgresql://me@host/db?password=swordfish&sslmode=require", "postgresql://me@host/db?sslmode=require"),
        ("postgresql://me:x@y:swordfish@host/db", "postgresql://me:***@host/db"),
    ],
)
def test_no_password_is_shown(where: Path | str, expected: str) -> None:
    assert shown(where) == expected


def test_differences_are_named_leaf_by_leaf() -> None:
    old = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    assert list(differences(old, {"a": {"b": 1, "c": [1, 2]}, "d": None})) == []
    assert list(differences(old, {"a": {"b": 2, "e": "x"}, "d": None})) == [
        "a.b was 1, is 2", "a.c was [1, 2], is null", 'a.e was null, is "x"',
    ]  # fmt: skip


def test_only_another_code_version_may_be_accepted(tmp_path: Path) -> None:
    open_record(tmp_path, settings={"method": "a code_version", "code_version": "1"}).close()
    for changed, accepts in (({"code_version": "2"}, True), ({"method": "another code_version"}, False)):
        with pytest.raises(InputError) as caught:
            open_record(tmp_path, settings={"method": "a code_version", "code_version": "1", **changed})
        assert ("accept_code_change=true" in str(caught.value)) is accepts


def test_a_file_is_opened_in_wal_mode_with_a_short_busy_timeout(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "record.db")
    with storage.engine.connect() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "busy_timeout")]
    assert pragmas == ["wal", 5000]
    close(storage)
