"""Checksum of a record on SQLite, whose pages have none: `record.db.sha256`, in the format of `sha256sum`.

A driver removes the file before it opens the record, and writes it when it has closed the record. A record that differs
from it is refused. Where a driver was killed there is no checksum, and nothing is compared. It detects damage, not
tampering.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.errors import InputError, causes
from tal_search.files.atomic import replace_file
from tal_search.files.checked import Damaged, sqlite_problem, stamp_now
from tal_search.files.lock_file import LockLost
from tal_search.files.sqlite_files import reported
from tal_search.text.printable import first_line

if TYPE_CHECKING:
    from tal_search.plan.cells import Trial

# Attributes of a trial that follow from its plan; compared where there is no checksum.
NOTED = ("key", "cell", "annotator", "seed", "fold", "method", "annotation_seconds", "annotation_total")
LATER = ("annotation_total",)  # records of version 0.3.0 have none, which is no damage
UNREADABLE = (LookupError, ValueError, TypeError, AttributeError)  # errors of code that reads a damaged record
ENDING = ".sha256"
FIX = (
    "move {name} away (and {name}-wal and {name}-shm if there are any), then run the same `run` command again: the "
    "results of finished trials are taken from their folders"
)


def is_whole(record: Path) -> bool | None:
    """Whether the record is as its last driver left it; None where it has no checksum, or a process writes to it."""
    for _ in range(2):  # a driver may just have begun to write
        try:
            noted = _path(record).read_bytes().split()
            if has_log(record):
                return None
            if noted[:1] == [stamp_now(record)[1].encode()]:
                return True
        except OSError:
            return None
    return False


def require_whole(record: Path) -> bool:
    """`is_whole`, but raises Damaged instead of returning False; False for None."""
    whole = is_whole(record)
    if whole is not False:
        return bool(whole)
    fix = f"{FIX.format(name=record.name)}; if another program changed it on purpose, remove {_path(record).name}"
    raise Damaged(record, f"its checksum is not that in {_path(record).name}", fix)


def require_sound(record: Path) -> bool:
    """The same for a driver: raises Damaged also where SQLite finds a record without a checksum damaged."""
    if require_whole(record):
        return True
    problem = sqlite_problem(record)  # None if it cannot be opened now, which is reported when the driver opens it
    if problem not in (None, "file is not a database"):  # also reported then
        raise Damaged(record, str(problem), FIX.format(name=record.name))
    return False


def noted(found: Mapping[str, object]) -> dict[str, object]:
    """The attributes of NOTED, without those of LATER that the record lacks.

    Raises ValueError where the trial's id and key disagree.
    """
    if str(found["id"]).partition("-")[0] != found.get("key"):
        raise ValueError(f"a trial has the id {found['id']} and the key {found.get('key')}")
    return {name: found.get(name) for name in NOTED if name in found or name not in LATER}


def differ(known: Mapping[str, object], trial: Trial) -> bool:
    """Whether a trial's noted attributes are not its own; of its cell, only axes that both name are compared."""
    own: dict[str, object] = json.loads(json.dumps(attributes(trial)))  # as the record has them
    cell, own_cell = known["cell"], own["cell"]
    if isinstance(cell, dict) and isinstance(own_cell, dict):
        own["cell"] = {axis: own_cell.get(axis, value) for axis, value in cell.items()}
    return any(own.get(name) != value for name, value in known.items())


def attributes(trial: Trial) -> dict[str, object]:
    """The attributes of a trial in a record that follow from its plan."""
    spec, fold = trial.spec, {} if trial.fold is None else {"fold": trial.fold}
    return {
        "id": trial.id, "key": spec.key, "cell": trial.cell, "annotator": spec.annotator, "seed": spec.seed, **fold,
        "method": spec.method, "dataset": spec.dataset.source, "code_version": spec.code_version,
        "annotation_seconds": trial.annotation_seconds, "annotation_total": trial.annotation_total,
    }  # fmt: skip


def damaged(record: Path, error: BaseException) -> Damaged:
    """The error of a record whose content cannot be read."""
    return Damaged(record, first_line(getattr(error, "orig", None) or error), FIX.format(name=record.name))


@contextmanager
def begun(where: Path | str) -> Iterator[tuple[Path | None, bool]]:
    """Check a record that the block opens for writing, and remove its checksum.

    Gives its file if it exists, and whether its content is certain. If the block raises an error, it has to have closed
    the record: a checksum of what it is then replaces the one that was removed. Raises Damaged.
    """
    if not isinstance(where, Path):
        yield None, True
        return
    sealed = not where.exists() or require_sound(where)
    file, removed = where if where.exists() else None, remove(where)
    try:
        yield file, sealed
    except BaseException as error:
        if removed and not isinstance(error, LockLost) and not is_damage(error, where):
            write(where)
        raise


def explained(error: BaseException, shown: str, file: Path | None) -> InputError | None:
    """The error of opening a record for a user, if it is one. shown: its location."""
    if isinstance(error, InputError) and not isinstance(error, Damaged):
        return InputError(f"{shown}: {problem}" for problem in error.problems)
    if file is not None and (isinstance(error, UNREADABLE) or is_damage(error)):
        return damaged(file, error)
    return None


def is_damage(error: BaseException | None, record: Path | None = None) -> bool:
    """Whether SQLite reported a damaged file, or this record was found damaged."""
    found_damaged = any(isinstance(cause, Damaged) and cause.path == record for cause in causes(error))
    return found_damaged or reported(error, "SQLITE_CORRUPT", "SQLITE_NOTADB")


@contextmanager
def reading(record: Path | None, *, sealed: bool = True) -> Iterator[None]:
    """Raise Damaged where SQLite reports a damaged file in the block, or a record that is not sealed cannot be read."""
    try:
        yield
    except Exception as error:
        if record is not None and (is_damage(error) or (not sealed and isinstance(error, UNREADABLE))):
            raise damaged(record, error) from error
        raise


def remove(record: Path) -> bytes | None:
    """Remove the checksum before the record is written to; returns its text, None if there was none."""
    try:
        text = _path(record).read_bytes()
        _path(record).unlink()
    except OSError:
        return None
    return text


def write(record: Path) -> None:
    """Write the checksum of a record that was closed; nothing while others write."""
    with suppress(OSError, sqlite3.Error):  # no room, or a folder that has become read-only
        if has_log(record):  # a dashboard has the file open
            with closing(sqlite3.connect(record)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if not has_log(record):
            replace_file(_path(record), f"{stamp_now(record)[1]}  {record.name}\n".encode())


def has_log(record: Path) -> bool:
    """Whether SQLite's write-ahead log holds changes; a reader may leave an empty one behind."""
    try:
        return record.with_name(f"{record.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _path(record: Path) -> Path:
    return record.with_name(f"{record.name}{ENDING}")
