"""Notes on studies and trials: kept whole, lost by nobody, and in nobody's way."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tal_dashboards.data import notes
from tal_dashboards.data.notes import FILE, LOCK, MOST_BYTES, MOST_CHARACTERS, Notes, first_line, read_notes, write_note
from tal_search.cli.main import main
from tal_search.errors import InputError
from tal_search.record.garbage import unreferenced
from tal_search.record.overview import overview
from tests.support.small_dashboards import Made

KEY = "0123456789abcdef0123"
DAMAGED = [
    b"", b"{", b"[]", b"null", b'"text"', b'{"study": 1}', b'{"trials": []}', b'{"trials": {"a": 1}}', b"\xff\xfe{}",
    b"[" * 100_000, b" " * (MOST_BYTES + 1),
]  # fmt: skip


def test_notes_are_kept_changed_and_removed(tmp_path: Path) -> None:
    assert read_notes(tmp_path) == Notes()
    assert write_note(tmp_path, "", "  <b>of</b> the study\r\n& more\n", "") == "<b>of</b> the study\n& more"
    assert write_note(tmp_path, KEY, "of a trial – 1/12 λ", "") == "of a trial – 1/12 λ"
    assert read_notes(tmp_path) == Notes("<b>of</b> the study\n& more", {KEY: "of a trial – 1/12 λ"})
    assert first_line(read_notes(tmp_path).study) == "<b>of</b> the study"
    assert write_note(tmp_path, KEY, " \n", "of a trial – 1/12 λ") == ""
    assert read_notes(tmp_path) == Notes("<b>of</b> the study\n& more", {})
    assert json.loads((tmp_path / FILE).read_text("utf-8"))["study"] == "<b>of</b> the study\n& more"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a\x00b\x1b[31mc", "ab[31mc"), ("lone \ud800 half", "lone ? half"), ("turned \u202e round", "turned  round"),
        ("two\ttabs\nlines", "two\ttabs\nlines"), ("日本語 \u200dא", "日本語 \u200dא"),
    ],
)  # fmt: skip
def test_notes_are_plain_text(tmp_path: Path, typed: str, kept: str) -> None:
    assert write_note(tmp_path, "", typed, "") == kept
    assert read_notes(tmp_path).study == kept


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    keys = [f"{number:020x}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: write_note(tmp_path, key, f"note on {key}", ""), keys))
    assert read_notes(tmp_path).trials == {key: f"note on {key}" for key in keys}
    assert {path.name for path in tmp_path.iterdir()} == {FILE, LOCK}


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_a_sentence_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError, match=FILE):
        read_notes(tmp_path)
    with pytest.raises(InputError, match=FILE):
        write_note(tmp_path, "", "a note", "")
    assert (tmp_path / FILE).read_bytes() == content


def test_what_is_too_long_is_refused_and_nothing_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_note(tmp_path, "", "x" * MOST_CHARACTERS, "")
    with pytest.raises(InputError, match=f"{MOST_CHARACTERS + 1} characters; at most"):
        write_note(tmp_path, "", "x" * (MOST_CHARACTERS + 1), "x" * MOST_CHARACTERS)
    monkeypatch.setattr(notes, "MOST_BYTES", MOST_CHARACTERS + 200)
    with pytest.raises(InputError, match="would be larger"):
        write_note(tmp_path, KEY, "y" * 300, "")
    assert read_notes(tmp_path) == Notes("x" * MOST_CHARACTERS, {})


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="Nothing was saved"):
        write_note(tmp_path / "gone", "", "a note", "")
    write_note(tmp_path, "", "a note", "")
    monkeypatch.setattr(notes, "WAIT_SECONDS", 0.0)
    lock = os.open(tmp_path / LOCK, os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(InputError, match="held by another writer"):
        write_note(tmp_path, "", "another", "a note")
    os.close(lock)
    (tmp_path / FILE).rename(tmp_path / "kept")
    (tmp_path / FILE).mkdir()
    with pytest.raises(InputError, match=f"{FILE} cannot be read"):
        write_note(tmp_path, "", "another", "a note")
    assert (tmp_path / "kept").read_text("utf-8").count("a note") == 1


def test_nothing_else_stumbles_over_notes(swept: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(swept.runs / swept.name, tmp_path / swept.name)
    before, garbage = overview(tmp_path / swept.name), unreferenced(tmp_path)
    write_note(tmp_path / swept.name, "", "a note", "")
    assert overview(tmp_path / swept.name) == before
    assert unreferenced(tmp_path) == garbage == []
    assert main(["gc", f"runs={tmp_path}", "--yes"]) == 0
    assert main(["status", f"runs={tmp_path}"]) == 0
    assert swept.name in capsys.readouterr().out
    assert read_notes(tmp_path / swept.name).study == "a note"
