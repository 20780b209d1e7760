"""The ledger of a copy: noted trials survive a crash, and count only for the copy that they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.tracking.ledger import Entry, Ledger, parent_noted, runs_noted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of three trials: one ended, one begun again after its end, one begun."""
    path = tmp_path / "mlflow.jsonl"
    ledger = Ledger(path)
    ledger.write("parent")
    ledger.begin("a")
    ledger.end("a", Entry("run a", "finished", 7))
    ledger.end("b", Entry("run b", "failed"))
    ledger.begin("b")
    ledger.begin("c")
    ledger.begin("c")
    return path


def test_it_is_read_back(path: Path) -> None:
    ledger = Ledger(path)
    assert ledger.load("parent")
    assert ledger.ended == {"a": Entry("run a", "finished", 7)}
    assert ledger.begun == {"b", "c"}
    assert Ledger(path).load("parent"), "it is written anew, and the same"


def test_another_parent_or_no_file_counts_for_nothing(path: Path, tmp_path: Path) -> None:
    for ledger, parent in ((Ledger(path), "another"), (Ledger(tmp_path / "none"), "parent")):
        assert not ledger.load(parent)
        assert not ledger.ended
        assert not ledger.begun


@pytest.mark.parametrize("damage", ['\n{"key": "a", "ru', "\n[1]\n1\n"])
def test_a_line_that_a_crash_cut_short_is_skipped(damage: str, path: Path) -> None:
    path.write_text(path.read_text() + damage)
    ledger = Ledger(path)
    assert ledger.load("parent")
    assert set(ledger.ended) == {"a"}


def test_readers_in_other_processes_see_runs_and_parent(path: Path, tmp_path: Path) -> None:
    assert runs_noted(path) == {"a": "run a", "b": "run b"}
    assert parent_noted(path) == "parent"
    assert (runs_noted(tmp_path / "none"), parent_noted(tmp_path / "none")) == ({}, None)


def test_lines_that_are_no_entries_are_skipped(path: Path) -> None:
    lines = [
        '{"key": [1], "run": "a", "state": 1, "settings": {}}',
        '{"key": "d", "run": 5, "state": "failed"}',
        "[" * 100_000,
    ]
    before = runs_noted(path)
    with path.open("a") as file:
        file.write("\n".join([*lines, '{"parent": 7}', "3", ""]))
    assert (runs_noted(path), parent_noted(path)) == (before, "parent")


def test_a_folder_in_its_place_holds_nothing(tmp_path: Path) -> None:
    assert (runs_noted(tmp_path), parent_noted(tmp_path)) == ({}, None)
