"""A temporary folder that is removed at the end; folders of killed processes are removed by the next one."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "tal-search-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new temporary folder; folders that killed processes left behind are removed first."""
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/lock"):
        _remove_abandoned(old)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Remove the folder unless its owner lives and holds the lock, or it belongs to another user."""
    try:
        with path.open("r+") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)
    except OSError:
        return
