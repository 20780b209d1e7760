"""Own files with checksums: what was written is read back, and anything else is named."""

from __future__ import annotations

import errno
import json
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tal_search.files.checked import (
    Damaged,
    Unreadable,
    parsing,
    problem_of,
    read_sealed,
    sealed,
    set_aside,
    stamp,
    stamp_now,
    unsealed,
    write_sealed,
)

CONTENT = {"mAP": [0.1, 0.25], "name": "é", "none": None, "inner": {"b": 1, "a": 2}}


def test_content_is_read_back_without_its_checksum(tmp_path: Path) -> None:
    write_sealed(tmp_path / "a.json", CONTENT)
    assert read_sealed(tmp_path / "a.json") == CONTENT
    with pytest.raises(FileNotFoundError):
        read_sealed(tmp_path / "b.json")


def test_no_flipped_bit_is_read_as_another_content(tmp_path: Path) -> None:
    """Every bit of the file, one at a time: the same content, or Damaged; also where files may lack a checksum."""
    path = tmp_path / "a.json"
    write_sealed(path, CONTENT)
    before = path.read_bytes()
    for place in range(8 * len(before)):
        content = bytearray(before)
        content[place // 8] ^= 1 << place % 8
        path.write_bytes(content)
        with suppress(Damaged):
            assert read_sealed(path, older=lambda content: content.keys() == CONTENT.keys()) == CONTENT


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "{}", '{"a": NaN}', '{"a": 1e999}', "[" * 9999, "\0", "é\xff"])
def test_anything_else_is_damaged(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Damaged, match=r"a\.json is damaged \("):
        read_sealed(path)
    with pytest.raises(Damaged):
        read_sealed(tmp_path)  # a folder


def test_files_of_earlier_versions_are_known_by_their_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(CONTENT))
    assert read_sealed(path, older=lambda content: content.keys() == CONTENT.keys()) == CONTENT
    for older in (None, lambda content: content.keys() == {"mAP"}):
        with pytest.raises(Damaged, match="its checksum differs"):
            read_sealed(path, older)


def test_lines_are_checked_one_by_one() -> None:
    line = json.dumps(sealed({"loss": float("nan"), "epoch": 1}))
    content = unsealed(line, older=lambda _: False)
    assert content is not None
    assert content["epoch"] == 1
    assert unsealed(line.replace("1", "2", 1), older=lambda _: False) is None
    assert unsealed('{"epoch": 1}', older=lambda content: content.keys() == {"epoch"}) == {"epoch": 1}
    for broken in (line[:9], "[]", "7", ""):
        assert unsealed(broken, older=lambda _: True) is None


def test_a_file_is_compared_with_its_size_and_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    assert problem_of(path, [3, "x"]) == "it is missing"
    assert problem_of(path, None) == "it is missing"
    path.write_bytes(b"abc")
    wanted = stamp(path)
    assert wanted == [3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]
    assert problem_of(path, wanted) is problem_of(path, None) is None
    path.write_bytes(b"abd")
    assert problem_of(path, wanted) == "its checksum differs", "noticed although this process has read it before"
    assert problem_of(path, wanted, most=2) is None, "larger files are compared by size"
    assert stamp_now(path) == stamp(path)
    path.write_bytes(b"ab")
    assert problem_of(path, wanted, most=1) == "it has 2 bytes instead of 3"


@pytest.mark.parametrize(
    "error", [ValueError("one\ntwo"), KeyError("a"), RuntimeError(), OSError("no footer"), OSError(22, "seek")]
)
def test_a_parser_s_errors_name_the_file(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(Damaged) as raised, parsing(tmp_path / "a.npz", "remove it"):
        raise error
    assert str(raised.value).startswith(f"{tmp_path / 'a.npz'} is damaged (")
    assert str(raised.value).endswith("; remove it")
    assert "\n" not in str(raised.value)
    again = pickle.loads(pickle.dumps(raised.value))
    assert (str(again), again.exit_code) == (str(raised.value), 2)


@pytest.mark.parametrize("error", [MemoryError(), ImportError("pyarrow")])
def test_a_lack_of_memory_or_of_a_package_is_no_damage(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)), parsing(tmp_path / "a.npz"):
        raise error


def test_an_error_of_the_system_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_sealed(path, CONTENT)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "stat", fail)
    monkeypatch.setattr(Path, "read_bytes", fail)
    for use in (lambda: read_sealed(path), lambda: problem_of(path, [3, "x"]), lambda: parsed(path, fail)):
        with pytest.raises(Unreadable) as raised:
            use()
        again = pickle.loads(pickle.dumps(raised.value))
        assert str(raised.value) == str(again)
        assert str(again).startswith(f"{path} cannot be read (Stale file handle); nothing was changed: run the same")
        assert again.problems == (str(again),)


def parsed(path: Path, parser: Callable[[], None]) -> None:
    with parsing(path):
        parser()


def test_files_are_set_aside_and_none_is_overwritten(tmp_path: Path) -> None:
    for number, name in enumerate(("a.json.damaged", "a.json.damaged-2", "a.json.damaged-3")):
        (tmp_path / "a.json").write_text(str(number))
        assert set_aside(tmp_path / "a.json") == tmp_path / name
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["0", "1", "2"]
