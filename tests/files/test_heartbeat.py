"""The heartbeat of a trial: written while there are steps, and only then."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from tal_search.files import heartbeat as module
from tal_search.files.heartbeat import FILE, Heartbeat, beat, computes_on, followed, heartbeat, lasting, read_heartbeat
from tests.support.small_disk import fill, small_disk
from tests.support.waiting import wait_for

INFINITE = b'{"doing": "", "device": "", "host": "", "driver": "", "pid": 1e999}'


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.02)


def content(folder: Path) -> Heartbeat | None:
    return read_heartbeat((folder / FILE).read_bytes()) if (folder / FILE).exists() else None


def doing(folder: Path) -> str:
    found = content(folder)
    return "" if found is None else found.doing


def changed(path: Path) -> int:
    return path.stat().st_mtime_ns


def test_the_last_step_is_written_and_the_file_goes_with_the_block(tmp_path: Path) -> None:
    with heartbeat(tmp_path, "process 7 on host"):
        computes_on("cpu")
        beat("epoch %d, step %d of %d", 3, 12, 25)
        wait_for(lambda: doing(tmp_path) == "epoch 3, step 12 of 25")
        found = content(tmp_path)
        assert found is not None
        assert (found.device, found.driver, found.pid) == ("cpu", "process 7 on host", os.getpid())
        assert found.process.startswith(f"process {os.getpid()} on ")
    assert list(tmp_path.iterdir()) == []


def test_without_a_step_the_file_stays_as_it_is(tmp_path: Path) -> None:
    with heartbeat(tmp_path, ""):
        beat("one")
        wait_for(lambda: doing(tmp_path) == "one")
        time.sleep(0.1)  # the step may have come while the one before it was written
        before = changed(tmp_path / FILE)
        time.sleep(0.2)
        assert changed(tmp_path / FILE) == before
        beat()
        wait_for(lambda: changed(tmp_path / FILE) > before)
        assert doing(tmp_path) == "one", "a step without words is like the one before"


def test_a_lasting_call_is_progress_until_it_ends(tmp_path: Path) -> None:
    with heartbeat(tmp_path, ""):
        with lasting("compiling"):
            wait_for(lambda: doing(tmp_path) == "compiling")
            before = changed(tmp_path / FILE)
            wait_for(lambda: changed(tmp_path / FILE) > before)
        time.sleep(0.1)
        before = changed(tmp_path / FILE)
        time.sleep(0.2)
        assert changed(tmp_path / FILE) == before


def test_processes_that_wait_for_this_one_see_a_file_of_theirs_change(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    os.utime(lock, (0, 0))
    with heartbeat(tmp_path, ""):
        with followed(lock):
            beat("reading a")
            wait_for(lambda: lock.stat().st_mtime > 0)
        time.sleep(0.1)
        os.utime(lock, (0, 0))
        beat("reading b")
        wait_for(lambda: doing(tmp_path) == "reading b")
        assert lock.stat().st_mtime == 0


def test_on_a_full_disk_the_file_still_changes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as folder, heartbeat(folder, ""):
        wait_for(lambda: (folder / FILE).exists() and content(folder))
        fill(folder)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (folder / "more").write_bytes(b"1" * 10_000)
        beat("waiting for room on the disk")
        wait_for(lambda: doing(folder) == "waiting for room on the disk")


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b'{"doing": 1}', b"\xff", b'{"pid": "x"}', b"null", INFINITE]
)
def test_a_damaged_file_says_nothing(text: bytes) -> None:
    assert read_heartbeat(text) is None


@pytest.mark.parametrize("character", ["ü", "\N{CLAPPER BOARD}", "\0", "\ud800", '"'])
def test_long_words_fit_the_file_and_whose_trial_it_is_stays_readable(character: str, tmp_path: Path) -> None:
    with heartbeat(tmp_path, "process 1 on host"):
        computes_on(f"GPU {character * 90}")
        beat("reading %s", character * 5000)
        wait_for(lambda: doing(tmp_path).startswith(f"reading {character * 20}"))
        assert (tmp_path / FILE).stat().st_size == module.WIDTH
        found = content(tmp_path)
        assert found is not None
        assert (found.driver, found.pid) == ("process 1 on host", os.getpid())


def test_words_that_do_not_fit_their_values_do_not_end_the_heartbeat(tmp_path: Path) -> None:
    with heartbeat(tmp_path, ""):
        beat("epoch %d", "three")
        wait_for(lambda: doing(tmp_path) == "epoch %d")
        beat("epoch %d", 4)
        wait_for(lambda: doing(tmp_path) == "epoch 4")
