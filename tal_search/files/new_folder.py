"""Folders that appear whole: made under another name beside it, then renamed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tal_search.errors import InputError


def require_new(folder: Path, inputs: Iterable[Path | str]) -> Path:
    """The folder that `folder` is made in. Raises InputError where `folder` exists and is not empty, or an input is in
    the other folder, which is removed.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise InputError(f"out={folder} exists and is not empty; give a new folder")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    if any(Path(file).resolve().is_relative_to(unfinished.resolve()) for file in inputs):
        raise InputError(f"out={folder}: {unfinished}, which is made and removed, holds the dataset; give another name")
    return unfinished


@contextmanager
def new_folder(folder: Path, inputs: Iterable[Path | str]) -> Iterator[Path]:
    """A folder to write in, which is renamed to `folder` at the end of the block, or removed after an error.

    A killed process leaves the unfinished folder, which the next call removes. inputs: files and folders that are read.
    Raises InputError as `require_new`, and where the folder cannot be written.
    """
    unfinished = require_new(folder, inputs)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        yield unfinished
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    except OSError as error:
        raise InputError(f"out={folder}: cannot be written ({error.strerror}); give another folder") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
