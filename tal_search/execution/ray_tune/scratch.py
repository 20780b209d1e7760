"""A temporary folder that is gone afterwards: removed at the end, or by the next to come where its owner was killed."""

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
    """A new folder among the system's temporary ones; those that killed processes left are removed first."""
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
    """The lock of a living owner is held; a folder of another user cannot be opened."""
    try:
        with path.open("r+") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)
    except OSError:
        return
