"""The checksum of a record on SQLite: any other bit is refused with a sentence, by readers and drivers."""

from __future__ import annotations

import errno
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.files.checked import Damaged
from tal_search.record import optuna_tables, seal, storage
from tal_search.record.garbage import unreferenced
from tal_search.record.overview import overview
from tal_search.record.record_reader import RecordReader
from tests.support.small_plans import at, cell_spec, plan_of, recorded, reference, run
from tests.support.small_records import open_record, trial_of

SPEC = cell_spec(1)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """The record of a finished study of a fit and an inference setting."""
    run(plan_of(tmp_path, [at(SPEC), at(SPEC, 0.3)]))
    return tmp_path / "grid" / "record.db"


def sentence(use: Callable[[], object]) -> str | None:
    """The sentence that it ends with; None if nothing is wrong for it."""
    try:
        use()
    except InputError as error:
        return str(error)
    return None


def edit(record: Path, statement: str) -> None:
    """Change a record as a flipped bit might, without a checksum of it."""
    with closing(sqlite3.connect(record)) as connection, connection:
        assert connection.execute(statement).rowcount > 0
    seal.remove(record)


def test_a_closed_record_has_a_checksum_in_the_format_of_sha256sum(record: Path) -> None:
    text = record.with_name("record.db.sha256").read_text()
    assert text == f"{seal.stamp_now(record)[1]}  record.db\n"
    assert seal.require_whole(record)
    assert run(plan_of(record.parents[1], [at(SPEC), at(SPEC, 0.3)]))[0].cached == 2
    assert seal.require_whole(record), "it is written again"


def test_any_other_bit_is_refused_until_the_record_is_made_again_from_the_folders(record: Path) -> None:
    chance, runs, content = random.Random(1), record.parents[1], record.read_bytes()
    plan = plan_of(runs, [at(SPEC), at(SPEC, 0.3)])
    for _ in range(5):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        record.write_bytes(flipped)
        assert "record.db is damaged (its checksum " in str(RecordReader(record.parent).damage())
        with pytest.raises(InputError, match=r"record\.db is damaged \(its checksum .* move record\.db away"):
            run(plan)
        with pytest.raises(InputError, match=r"record\.db is damaged .*; nothing is removed"):
            unreferenced(runs)
    record.unlink()
    assert run(plan)[0].cached == 2
    assert overview(record.parent).done == 2


def test_a_record_without_a_checksum_is_compared_with_the_folders(record: Path) -> None:
    """As after a killed driver, or of an earlier version."""
    runs = record.parents[1]
    plan = plan_of(runs, [at(SPEC), at(SPEC, 0.3)])
    before = recorded(plan)
    seal.remove(record)
    assert not seal.require_whole(record)
    assert run(plan)[0].messages == ()
    assert recorded(plan) == before
    for statement in (
        "UPDATE trial_user_attributes SET value_json = replace(value_json, '0.019', '0.819') WHERE key = 'result'",
        "UPDATE trial_user_attributes SET value_json = '7' WHERE key = 'seed'",
        "UPDATE trial_user_attributes SET value_json = '7' WHERE key = 'annotation_seconds'",
        "UPDATE trial_user_attributes SET value_json = '7' WHERE key = 'annotation_total'",
    ):
        edit(record, statement)
        outcome, _ = run(plan)
        assert "disagreed with their folders" in " ".join(outcome.messages)
        newest = {row.id: row for row in RecordReader(record.parent).rows()[0].values()}
        assert {row.seed for row in newest.values()} == {"1"}
        assert "0.819" not in " ".join(str(row.result) for row in newest.values())
        assert run(plan)[0].messages == (), "the record has been corrected"


def test_a_record_of_an_earlier_version_which_lacks_total_costs_is_no_damaged_one(record: Path) -> None:
    plan = plan_of(record.parents[1], [at(SPEC), at(SPEC, 0.3)])
    edit(record, "DELETE FROM trial_user_attributes WHERE key = 'annotation_total'")
    assert run(plan)[0].messages == ()
    edit(record, "DELETE FROM trial_user_attributes WHERE key = 'annotation_seconds'")
    assert "disagreed with their folders" in " ".join(run(plan)[0].messages)


# A statement, and what the overview and a run say of it. None: the overview counts trials by state and id and reads
# nothing else of them, and a run neither reads when a trial began nor another study's rows: it begins its own.
@pytest.mark.parametrize(
    ("statement", "shown", "ran"),
    [
        ("UPDATE trials SET state = 'CNMPLETE'", "('CNMPLETE'); ", "('CNMPLETE'); "),
        ("UPDATE trial_user_attributes SET value_json = '{' WHERE key = 'result'", None, "(Expecting property name "),
        (
            "UPDATE trial_user_attributes SET value_json = '\"0\"' WHERE key = 'key'",
            None, " and the key 0); ",
        ),
        ("UPDATE trial_user_attributes SET key = 'jd' WHERE key = 'id'", None, "('id'); "),
        ("UPDATE studies SET study_name = 'other'", "grid: its record has no study named grid; run the study", None),
        (
            "UPDATE study_user_attributes SET value_json = '[' WHERE key = 'about'",
            "(Expecting value: ", "(Expecting value: ",
        ),
        ("UPDATE trials SET datetime_start = '2026-1x-01'", "(Invalid isoformat string: '2026-1x-01'); ", None),
    ],
)  # fmt: skip
def test_content_that_cannot_be_read_is_one_sentence(
    statement: str, shown: str | None, ran: str | None, record: Path
) -> None:
    edit(record, statement)
    plan = plan_of(record.parents[1], [at(SPEC), at(SPEC, 0.3)])
    for use, words in ((lambda: overview(record.parent), shown), (lambda: run(plan), ran)):
        said = sentence(use)
        if words is None:
            assert said is None
        else:
            assert words in str(said)
            assert "record has no study" in words or f"{record} is damaged (" in str(said)
    record.unlink()
    assert run(plan)[0].cached == 2


def test_damaged_pages_are_one_sentence_without_a_checksum_too(record: Path) -> None:
    seal.remove(record)
    plan, content = plan_of(record.parents[1], [at(SPEC)]), record.read_bytes()
    record.write_bytes(b"")
    assert sentence(lambda: run(plan)) is None, "an empty file is an empty record"
    for broken, words in (
        (content[: len(content) // 2], "is damaged (database disk image is malformed); move record.db away"),
        (b"no database" * 999, "cannot be opened as a record: file is not a database; move it away"),
        (content[:4096] + b"\1" * 8192, "is damaged (database disk image is malformed); move record.db away"),
    ):
        record.write_bytes(broken)
        seal.remove(record)
        assert f"{record} {words}" in str(sentence(lambda: run(plan)))
    with pytest.raises(InputError, match=r"record\.db is damaged"):
        seal.require_sound(record)


def test_what_another_program_writes_is_accepted_by_removing_the_checksum(record: Path) -> None:
    with closing(sqlite3.connect(record)) as connection, connection:
        connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(Damaged, match=r"if another program changed it on purpose, remove record\.db\.sha256"):
        seal.require_whole(record)
    record.with_name("record.db.sha256").unlink()
    assert overview(record.parent).done == 2


def test_a_reader_that_has_the_record_open_does_not_keep_its_checksum_away(record: Path) -> None:
    plan = plan_of(record.parents[1], [at(SPEC), at(SPEC, 0.3), at(SPEC, 0.9)])
    with closing(sqlite3.connect(record)) as reader:
        reader.execute("SELECT * FROM trials").fetchone()
        run(plan)
        assert seal.require_whole(record)
    assert overview(record.parent).done == 3


def test_a_study_that_is_refused_leaves_the_checksum(record: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(record.parents[1], tmp_path / "copy"))
    with pytest.raises(InputError, match="with other settings"):
        run(replace(plan_of(copy, [at(SPEC)]), reference=reference(beta_aff=0.6)))
    assert seal.require_whole(copy / "grid" / "record.db")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The record of a study with a trial at a number."""
    with open_record(tmp_path, {"lambda_sep": [1.0]}, {"clicks": {"a": 1}}) as record:
        record.start(trial_of(lambda_sep=1.0))
    return tmp_path / "record.db"


def test_a_study_is_compared_before_anything_is_written(small: Path) -> None:
    before = small.with_name("record.db.sha256").read_text()
    with pytest.raises(InputError, match="has numbers in some trials and other values in others"):
        open_record(small.parent, {"lambda_sep": ["many"]}, {"clicks": {"a": 1, "b": 2}})
    assert small.with_name("record.db.sha256").read_text() == before
    assert seal.require_whole(small)


def test_an_interrupted_start_leaves_a_checksum_of_what_it_wrote(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = small.with_name("record.db.sha256").read_text()
    monkeypatch.setattr(optuna_tables, "replace_distribution", interrupt)
    with pytest.raises(KeyboardInterrupt):
        open_record(small.parent, {"lambda_sep": [1.0, 4.0]}, {"clicks": {"a": 1, "b": 2}})
    assert small.with_name("record.db.sha256").read_text() != before
    assert seal.require_whole(small)


def test_a_record_that_cannot_be_opened_keeps_its_checksum(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(storage, "make_record", full)
    with pytest.raises(InputError, match=r"record\.db cannot be opened as a record"):
        open_record(small.parent)
    assert seal.require_whole(small)


@pytest.mark.parametrize("own", [True, False])
def test_a_record_that_is_found_damaged_gets_no_checksum(own: bool, small: Path) -> None:
    found = seal.damaged(small, ValueError("a bit")) if own else Damaged(small.with_name("cas.npz"), "a bit")
    with pytest.raises(Damaged), open_record(small.parent):
        raise found
    assert seal.is_whole(small) is (None if own else True)
