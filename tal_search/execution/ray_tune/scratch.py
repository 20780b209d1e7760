"""A temporary folder that is removed at the end; folders of killed processes are removed by the next one."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tal_search.errors import InputError

PREFIX = "tal-search-"
RANDOM = 8  # characters that `mkdtemp` appends
PLAIN = re.compile("[A-Za-z0-9_./-]+")  # Tune takes a path for a URI, where a space, % or # means something else
LONGEST = 45  # bytes of the folder; Ray's sockets lie deep below it, and a socket's path has at most 107
SHORT = Path("/tmp")  # noqa: S108 - `mkdtemp` makes a folder of this user alone in it


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new temporary folder of this user alone; folders that killed processes left behind are removed first.

    In TMPDIR, or in /tmp where paths in TMPDIR would be too long for sockets or have letters that Ray cannot use.
    Raises InputError where neither can be written.
    """
    parent = _parent()
    for old in parent.glob(f"{PREFIX}*/lock"):
        _remove_abandoned(old)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    except OSError as error:
        raise _refusal(f"{parent} cannot be written ({error.strerror})") from error
    try:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parent() -> Path:
    try:
        usual = Path(tempfile.gettempdir())
    except OSError as error:  # also the working folder cannot be written
        raise _refusal("no temporary folder can be written") from error
    fits = len(os.fsencode(usual / PREFIX)) + RANDOM <= LONGEST
    if fits and PLAIN.fullmatch(str(usual)):
        return usual
    if os.access(SHORT, os.W_OK | os.X_OK):
        return SHORT
    why = "has letters that Ray cannot use" if fits else "is too long for Ray's sockets"
    raise _refusal(f"{usual} {why}, and {SHORT} cannot be written")


def _refusal(reason: str) -> InputError:
    given = os.environ.get("TMPDIR")
    where = f"TMPDIR is {given}, but" if given else "TMPDIR is not set, and"
    return InputError(f"{where} {reason}; set TMPDIR to a folder that you may write, with a path of few letters")


def _remove_abandoned(path: Path) -> None:
    """Remove the folder unless its owner lives and holds the lock, or it belongs to another user."""
    try:
        with path.open("r+") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)
    except OSError:
        return
