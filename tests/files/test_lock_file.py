"""Locked files: one holder at a time, and a holder notices that its file was removed, replaced or written."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.files.lock_file import Holder, LockFile, LockLost, holder_in, open_locked, same_file, words

ME: Holder = {"host": "here", "pid": 1, "started": "2026-11-30 10:00:00", "id": "a"}
OTHER = '{"host": "there", "pid": 2, "started": "2026-11-30 11:00:00", "id": "b"}'
GARBLED = OTHER.encode().replace(b"there", b"\xf4here")


def locked(path: Path) -> LockFile:
    file, free = open_locked(path)
    assert free
    return LockFile(file, path, ME)


def replaced(path: Path) -> None:
    path.unlink()
    path.write_text(OTHER)


LOSSES: dict[str, tuple[Callable[[Path], object], str]] = {
    "removed": (Path.unlink, "was removed or replaced while its study ran, so this driver ends; see with `tal-search"),
    "replaced": (replaced, "was removed or replaced"),
    "its folder is moved": (lambda path: path.parent.rename(path.parent.with_name("moved")), "was removed or replaced"),
    "its folder is a file": (lambda path: (path.parent.rename(f"{path.parent}2"), path.parent.touch()), "removed"),
    "emptied": (lambda path: path.write_text(""), "was written while its study ran"),
    "locked by another driver": (
        lambda path: path.write_text(OTHER), "by another driver, process 2 on there, started 2026-11-30 11:00:00,",
    ),
}  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES)
def test_a_holder_notices_that_its_file_is_lost(loss: str, tmp_path: Path) -> None:
    path = tmp_path / "s" / "lock"
    path.parent.mkdir()
    lock = locked(path)
    lock.check()
    lose, sentence = LOSSES[loss]
    lose(path)
    left = path.read_text() if path.is_file() else None
    with pytest.raises(LockLost, match=sentence) as caught:
        lock.check()
    assert caught.value.exit_code == 1
    lock.release()
    assert (path.read_text() if path.is_file() else None) == left, "what is another's is left alone"


def test_one_process_holds_it_and_leaves_it_empty(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = locked(path)
    file, free = open_locked(path)
    assert not free
    assert holder_in(file) == ME
    file.close()
    lock.release()
    assert path.read_text() == ""
    locked(path).release()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b'{"host": ', {}),
        (GARBLED, json.loads(OTHER) | {"host": "\ufffdhere"}),
        (b"[" * 100_000, {}),
    ],
)
def test_a_damaged_file_names_what_it_still_holds_and_is_locked(
    text: bytes, named: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "lock"
    path.write_bytes(text)
    file, free = open_locked(path)
    holder = holder_in(file)
    assert free
    assert holder == named
    assert words(holder).startswith("process ")
    LockFile(file, path, ME).check()
    file.close()


def test_a_file_that_is_removed_before_it_is_locked_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, plain, calls = tmp_path / "lock", fcntl.flock, list[int]()

    def flock(handle: int, operation: int) -> None:
        plain(handle, operation)
        calls.append(handle)
        if len(calls) == 1:
            path.unlink()

    monkeypatch.setattr(fcntl, "flock", flock)
    file, free = open_locked(path)
    assert free
    assert len(calls) == 2
    assert os.fstat(file.fileno()).st_ino == path.stat().st_ino
    file.close()


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(InputError, match=r"lock cannot be locked \(No locks available\); mount .* runs=FOLDER"):
        open_locked(tmp_path / "lock")


def test_another_file_may_have_to_stay_the_same(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    path.write_text("a")
    check = same_file(path, "restore it")
    path.write_text("b")
    check()
    path.rename(tmp_path / "away")
    with pytest.raises(LockLost, match=r"record.db was removed .* ends; restore it"):
        check()
    (tmp_path / "away").rename(path)
    check()


@pytest.mark.parametrize("call", ["stat", "pread"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT, errno.EACCES, errno.ESTALE])
def test_a_file_that_cannot_be_reached_for_a_moment_is_not_lost(
    call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    lock = locked(path)

    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(*((Path, "stat") if call == "stat" else (os, "pread")), fails)
        unreachable = same_file(path, "restore it")
        if (call, number) == ("pread", errno.ESTALE):
            with pytest.raises(LockLost):
                lock.check()
        else:
            lock.check()
    for check in (lock.check, unreachable):
        check()
    replaced(path)
    for check in (lock.check, unreachable):
        with pytest.raises(LockLost, match="was removed or replaced"):
            check()
    lock.release()
