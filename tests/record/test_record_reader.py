"""The reader of records: only new trials are read again, only the wanted attributes, and nothing is written."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tal_search.cli.main import main
from tal_search.errors import InputError
from tal_search.record.record_reader import RecordReader, is_asked_for, recorded_studies
from tests.support.small_records import open_record, trial_of
from tests.support.small_trials import make_result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the study "grid", without a record yet."""
    (tmp_path / "grid").mkdir()
    return tmp_path / "grid"


def test_trials_are_read_as_they_change(folder: Path) -> None:
    first, second = trial_of(0), trial_of(1)
    with open_record(folder) as record:
        reader = RecordReader(folder)
        assert reader.rows() == ({}, False)
        assert reader.last_change() is None
        record.start(first)
        rows, changed = reader.rows()
        assert changed
        assert [(row.state, row.ended, row.result) for row in rows.values()] == [("running", None, None)]
        assert reader.rows()[1] is False, "the file did not change"
        record.finish(first, make_result(first.spec), cached=False)
        record.start(second)
        record.fail(second, "diverged")
        rows, changed = reader.rows()
        assert changed
        assert [(row.number, row.state) for row in rows.values()] == [(0, "done"), (1, "failed")]
        done, failed = rows.values()
        assert json.loads(done.result or "") == json.loads(json.dumps(make_result(first.spec).to_json()))
        assert (failed.reason, failed.result) == ('"diverged"', None)
        assert reader.last_change() == max(str(row.ended) for row in rows.values())


@pytest.mark.parametrize("chunk", [1, 10_000])
def test_a_trial_left_running_has_no_other_read_again(
    chunk: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tal_search.record.record_reader.CHUNK", chunk)
    left, other, done = trial_of(0), trial_of(1), trial_of(2)
    with open_record(folder) as record:
        record.start(left)
        record.start(other)
        record.finish(done, make_result(done.spec), cached=False)
        reader = RecordReader(folder)
        before = dict(reader.rows()[0])
        with closing(sqlite3.connect(folder / "record.db")) as connection, connection:
            connection.execute("UPDATE trials SET number = 99 WHERE state = 'COMPLETE'")
        assert reader.rows() == (before, False), "an ended trial is not read again, and the others are the same"
        record.fail(left, "killed")
        record.start(trial_of(3))
        rows, changed = reader.rows()
        assert changed
        assert [row.state for row in rows.values()] == ["failed", "running", "done", "running"]


def test_attributes_that_are_not_wanted_are_not_read(folder: Path) -> None:
    trial = trial_of()
    with open_record(folder) as record:
        record.finish(trial, make_result(trial.spec), cached=False)
    (row,) = RecordReader(folder, wanted=("id", "cell")).rows()[0].values()
    assert (row.id, row.cell) == (json.dumps(trial.id), json.dumps(trial.cell))
    assert row.annotator is row.seed is row.result is None


def test_a_record_without_the_study_is_one_sentence(folder: Path) -> None:
    open_record(folder).close()
    assert RecordReader(folder).description() == {}
    assert RecordReader(folder).has_driver() is None
    folder.rename(folder.with_name("other"))
    with pytest.raises(InputError, match="has no study named other; run the study first"):
        RecordReader(folder.with_name("other")).description()


def test_studies_are_the_folders_with_a_record(tmp_path: Path) -> None:
    assert list(recorded_studies(tmp_path / "absent")) == []
    for name, file in (("b", "record.db"), ("a", "record.url"), ("trials", "x")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    assert list(recorded_studies(tmp_path)) == ["a", "b"]


def test_a_cell_belongs_to_a_study_that_varies_what_differs_from_its_centre() -> None:
    centre = {"lambda_sep": 1.0, "kernel_size": 3}
    assert is_asked_for({"lambda_sep": 4.0}, ["lambda_sep"], centre)
    assert is_asked_for({"lambda_sep": 1.0, "kernel_size": 3}, [], centre)
    assert not is_asked_for({"lambda_sep": 4.0}, ["kernel_size"], centre)
    assert is_asked_for({"unknown": 1}, [], centre), "the centre says nothing of it"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"nonsense://u:swordfish@h/db", b"postgresql://u:swordfish@h:x/db"]
)
def test_an_unreadable_url_is_one_sentence_and_other_studies_are_shown(
    content: bytes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_record(folder).close()
    named = folder.with_name("lost") / "record.url"
    named.parent.mkdir()
    named.write_bytes(content)
    assert main(["status", f"runs={folder.parent}"]) == 2
    said = capsys.readouterr()
    assert "grid" in said.out
    assert f"{named} cannot be read as the URL of a database; write the URL" in said.err
    assert "swordfish" not in said.out + said.err
