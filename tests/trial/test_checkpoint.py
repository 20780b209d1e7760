"""Progress files: the two newest are kept, a damaged one is recognized and passed over, and the user is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tal_search.execution.worker import Work
from tal_search.trial.checkpoint import clear_progress, load_progress, save_progress
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import EpochReport, TrialSpec
from tests.support.small_trials import make_result, make_spec


def save(folder: Path, *epochs: int) -> list[Path]:
    """The progress files after these epochs were saved, oldest first."""
    for epoch in epochs:
        save_progress(folder, epoch, {"epoch": epoch, "weights": torch.full((100,), float(epoch))})
    return sorted(folder.glob("progress-*.pt"), key=lambda path: path.stat().st_mtime_ns)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def cut_in_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_the_two_newest_are_kept_and_the_newest_is_loaded(tmp_path: Path) -> None:
    assert load_progress(tmp_path) == (None, [])
    files = save(tmp_path, 1, 2, 9, 10)
    assert [path.name.split(".")[0] for path in files] == ["progress-9", "progress-10"]
    state, notes = load_progress(tmp_path)
    assert state is not None
    assert (state["epoch"], notes) == (10, [])
    assert torch.equal(state["weights"], torch.full((100,), 10.0))
    (tmp_path / ".progress-11.half").write_bytes(b"of a killed writer")
    clear_progress(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [flip_a_bit, cut_in_half])
def test_a_damaged_newest_gives_the_previous_one_and_a_sentence(damage: object, tmp_path: Path) -> None:
    assert callable(damage)
    previous, newest = save(tmp_path, 4, 8)
    damage(newest)
    state, notes = load_progress(tmp_path)
    assert state is not None
    assert state["epoch"] == 4
    assert notes == [f"checkpoint {newest.name} is damaged (its checksum differs); the trial continues from epoch 4"]
    damage(previous)
    state, notes = load_progress(tmp_path)
    assert state is None
    assert notes == [
        f"checkpoint {path.name} is damaged (its checksum differs); the trial starts anew"
        for path in (newest, previous)
    ]


def test_a_damaged_file_goes_with_the_next_save_and_the_good_one_before_it_stays(tmp_path: Path) -> None:
    good, newest = save(tmp_path, 4, 8)
    flip_a_bit(newest)
    names = {path.name.split(".")[0] for path in save(tmp_path, 5)}
    assert good.exists()
    assert names == {"progress-4", "progress-5"}
    again = save(tmp_path, 5)
    assert {path.name.split(".")[0] for path in again} == names, "an epoch saved twice is one file"


def remembering_trial(spec: TrialSpec, folder: TrialFolder) -> Iterator[EpochReport | str]:
    """Keeps its epochs in real progress files, as a fit does."""
    state, notes = load_progress(folder.path)
    yield from notes
    for epoch in range(state["epoch"] + 1 if state else 1, 4):
        save_progress(folder.path, epoch, {"epoch": epoch})
        yield EpochReport(epoch=epoch, epochs=3, seconds=0.0, losses={}, scores={})
    folder.write_result(make_result(spec))


def test_a_worker_passes_the_sentence_on_and_writes_it_to_the_log(tmp_path: Path) -> None:
    spec = make_spec()
    folder = TrialFolder.of(tmp_path, spec.key)
    first = Work(spec, tmp_path, remembering_trial)  # type: ignore[arg-type]
    assert [first.advance().reports[0].epoch for _ in range(2)] == [1, 2]
    first.close()
    (newest,) = folder.path.glob("progress-2.*.pt")
    flip_a_bit(newest)
    second = Work(spec, tmp_path, remembering_trial)  # type: ignore[arg-type]
    advance = second.advance(seconds=60)
    assert [report.epoch for report in advance.reports] == [2, 3]
    (note,) = advance.notes
    assert note.endswith("the trial continues from epoch 1")
    assert newest.name in note
    assert note in folder.log.read_text()
    assert folder.result() == make_result(spec)
    assert (advance.failed, (folder.path / "attempt.json").exists()) == (None, False)
