"""Atomic writes: the old file or the new one, and nothing beside them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.files.atomic import replace_file, require_apart, write_atomically, write_json


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "file"
    write_atomically(path, lambda stream: stream.write(b"old"))
    with pytest.raises(ZeroDivisionError):
        write_atomically(path, lambda stream: stream.write(b"half") / 0)
    assert path.read_bytes() == b"old"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": float("nan")})
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_replace_its_target_is_removed(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        replace_file(target, b"content")
    assert list(tmp_path.iterdir()) == [target]


def test_readers_beside_many_writers_see_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, [0] * 2000)

    def write(value: int) -> None:
        for _ in range(20):
            write_json(path, [value] * 2000)

    writers = [threading.Thread(target=write, args=(value,)) for value in (1, 2, 3)]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        content = json.loads(path.read_text())
        assert len(content) == 2000
        assert len(set(content)) == 1
        seen.add(content[0])
    assert seen <= {0, 1, 2, 3}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_a_folder_or_a_device_of_that_name_stays(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "out")
    with pytest.raises(OSError, match=r"is there, but is no file: '.*/out'"):
        replace_file(tmp_path / "out", b"content")
    assert not (tmp_path / "out").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_that_is_read_a_folder_and_one_name_twice_are_no_outputs(tmp_path: Path) -> None:
    read, linked, hard = (tmp_path / name for name in ("read", "linked", "hard"))
    read.write_text("kept")
    linked.symlink_to(read)
    hard.hardlink_to(read)
    for path in (read, linked, hard):
        with pytest.raises(InputError, match=r"out=.* is the same file as .*read, which is read; give another file"):
            require_apart({"out": path}, [None, read])
    with pytest.raises(InputError) as caught:
        require_apart({"out": tmp_path, "errors": tmp_path / "new", "more": tmp_path / "x" / ".." / "new"}, [read])
    assert caught.value.problems == (
        f"command line: out={tmp_path} is a folder; give a file",
        f"command line: errors= and more= are the same file, {tmp_path / 'new'}; give two",
    )
    for path, says in ((Path("/dev/null"), "is a pipe or a device"), (read / "new", "lies in a file, not in a folder")):
        with pytest.raises(InputError, match=says):
            require_apart({"out": path}, [])
    require_apart({"out": tmp_path / "new", "errors": None}, [read, tmp_path / "none"])
