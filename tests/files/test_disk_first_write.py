"""The first write of a command to a full disk waits like any other; what waiting cannot help is one sentence."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.files.disk import require_writable, retry_when_full, waiting, when_there_is_room
from tests.support.small_disk import fill, small_disk
from tests.support.waiting import DEADLINE, wait_for


def test_the_first_write_to_a_full_disk_waits_says_so_and_goes_on(tmp_path: Path) -> None:
    """Even the folder of all studies is not there yet. Each attempt starts from nothing."""
    entered, said = list[str](), list[str]()

    @contextmanager
    def opened(runs: Path) -> Iterator[str]:
        require_writable(runs / "study")
        (runs / "study" / "file").write_bytes(b"1" * 5000)
        entered.append("in")
        yield "opened"
        entered.append("out")

    with small_disk(tmp_path / "small") as folder:
        runs, ballast = folder / "runs", fill(folder)
        other = threading.Thread(target=lambda: (wait_for(lambda: said), ballast.unlink()))
        other.start()
        with when_there_is_room(lambda: opened(runs), runs / "study", said.append) as value:
            assert value == "opened"
            assert entered == ["in"]
        other.join()
        assert entered == ["in", "out"]
        assert len(said) == 2, said
        assert said[0].startswith(f"paused: {runs} has ")
        assert said[0].endswith("; free some space and the study goes on")
        assert said[1].startswith(f"goes on: {runs} has ")
        assert [path.name for path in folder.rglob(".*")] == []


def test_an_error_that_waiting_cannot_help_ends_the_first_write(tmp_path: Path) -> None:
    @contextmanager
    def refused() -> Iterator[None]:
        raise InputError("the study is running already")
        yield

    said = list[str]()
    with pytest.raises(InputError, match="running already"), when_there_is_room(refused, tmp_path / "s", said.append):
        pass
    assert not said


def test_a_wait_without_a_marker_is_known_in_its_own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk may have no room for the marker's name either."""
    monkeypatch.setattr(Path, "touch", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    full = threading.Event()
    full.set()

    def write() -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, "full")

    writer = threading.Thread(target=retry_when_full, args=(write, tmp_path / "trials" / "key", 500))
    writer.start()
    wait_for(lambda: waiting(tmp_path))
    assert waiting(tmp_path / "trials") == [500]
    assert waiting(tmp_path / "other") == []
    full.clear()
    writer.join(DEADLINE)
    assert waiting(tmp_path) == []


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match=r"^\S*/runs is a file, not a folder; move it away or choose another folder"):
        require_writable(tmp_path / "runs" / "study")
