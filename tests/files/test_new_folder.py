"""Folders that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.files.new_folder import new_folder, require_new


def test_a_folder_appears_at_the_end_of_the_block(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with new_folder(out, []) as folder:
        (folder / "file").write_text("x")
        assert not out.exists()
    assert [path.name for path in (tmp_path / "a").rglob("*")] == ["out", "file"]


def test_nothing_is_left_after_an_error_and_of_a_killed_process(tmp_path: Path) -> None:
    (tmp_path / "out.unfinished").mkdir()
    (tmp_path / "out.unfinished" / "left").write_text("x")

    def fill() -> None:
        with new_folder(tmp_path / "out", []) as folder:
            assert not any(folder.iterdir())
            raise KeyError

    with pytest.raises(KeyError):
        fill()
    assert not any(tmp_path.iterdir())


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link", "."):
        with pytest.raises(InputError, match="exists and is not empty; give a new folder"):
            require_new(tmp_path / name, [])
    with pytest.raises(InputError, match="holds the dataset; give another name"):
        require_new(tmp_path / "out", [tmp_path / "out.unfinished" / "gt.json"])
    with pytest.raises(InputError, match="cannot be written"), new_folder(tmp_path / "file" / "out", []):
        pass
