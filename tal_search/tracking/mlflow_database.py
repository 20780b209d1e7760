"""MLflow's SQLite database: made whole or not at all, found half-made and made again, and moved with its artifacts."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sqlalchemy.exc import SQLAlchemyError

from tal_search.errors import TalSearchError
from tal_search.files.checked import set_aside
from tal_search.files.sqlite_files import (
    SIDE_FILES,
    is_missing,
    locked_for_creation,
    replace_database,
    reported,
    serialized,
    sqlite_file,
    sqlite_url,
)
from tal_search.record.seal import is_damage
from tal_search.study import TrackingSettings
from tal_search.text.printable import first_line
from tal_search.tracking.mlflow_client import import_mlflow, mlflow_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

ARTIFACTS = "mlartifacts"  # folder beside the database
BUSY_SECONDS = 20.0  # MLflow's own timeout; it makes its tables faster than this
ANEW = (
    "{path} was not whole: a process was killed while it made the database, or the file is damaged. It is made anew, "
    "and the old file is kept as {aside}. Studies with runs in it are copied again when they are run, or by "
    "`tal-search rebuild`"
)
UPGRADED = "{path} was made by an older MLflow and is brought up to date; the old file is kept as {aside}"
REOPEN = "; a program that has it open (`mlflow ui`) goes on with the old file until it is started again"
KEPT = (
    "{path} holds runs and cannot be brought up to date ({reason}); it is left as it is. Move it away, then run "
    "`tal-search rebuild` for each study of the folder"
)
LOCKED = "{path} is locked by another program; stop that program (`mlflow ui`, a database browser), then try again"
BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")


def address_of(runs: Path, tracking: TrackingSettings) -> tuple[str, Path | None, str | None]:
    """The URI of MLflow's database or server, the SQLite file that it names if it does, and where artifacts go."""
    if tracking.uri:
        uri, database, artifacts = tracking.uri, sqlite_file(tracking.uri), tracking.artifacts
    else:
        database = runs.resolve() / "mlflow.db"
        uri, artifacts = sqlite_url(database), tracking.artifacts or database.with_name(ARTIFACTS).as_uri()
    if database and artifacts and not urlsplit(artifacts).scheme:
        artifacts = Path(artifacts).absolute().as_uri()  # MLflow would unescape a path
    return uri, database, artifacts


def open_database(database: Path, say: Callable[[str], None], artifacts: str | None = None) -> MlflowClient:
    """A client of an SQLite database, which one process at a time makes, upgrades or mends.

    say: gets a sentence where an old file is set aside. artifacts: where the study's settings place its files, if they
    do; every other run whose files were moved with the database is pointed at them. Raises TalSearchError if the
    database is of a newer MLflow, is locked by another program, or holds runs and cannot be upgraded.
    """
    import_mlflow()
    database.parent.mkdir(parents=True, exist_ok=True)
    with locked_for_creation(database), _explained(database):
        if not _is_whole(database):
            _make(database, say)
        with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # MLflow's UI reads while a study writes
            _follow(connection, database.parent / ARTIFACTS, artifacts)
        return mlflow_client(sqlite_url(database))


@contextmanager
def _explained(database: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, SQLAlchemyError) as error:
        if not reported(error, *BUSY):
            raise
        raise TalSearchError(LOCKED.format(path=database)) from error


def _is_whole(database: Path) -> bool:
    """Whether all tables are as this MLflow has them: its last migration notes its revision when it is done."""
    if is_missing(database):
        return False
    try:
        with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
            connection.execute("BEGIN IMMEDIATE")  # waits for a process that makes tables at this moment
            revision = _revision(connection)
    except sqlite3.DatabaseError as error:
        if reported(error, "SQLITE_CORRUPT"):
            return False
        raise  # locked, a full disk, no permission, or somebody else's file
    heads, known = _revisions()
    if revision is not None and revision not in known:
        raise TalSearchError(
            f"{database} is of a newer MLflow (revision {revision}); install that version, or move the file away"
        )
    return revision in heads


def _revision(connection: sqlite3.Connection) -> str | None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" not in tables:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _revisions() -> tuple[frozenset[str], frozenset[str]]:
    """MLflow's newest revision, and all."""
    import mlflow.store
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(Path(mlflow.store.__path__[0], "db_migrations")))
    return frozenset(script.get_heads()), frozenset(known.revision for known in script.walk_revisions())


def _make(database: Path, say: Callable[[str], None]) -> None:
    """Replace the database by a whole one: the same, completed, or an empty one where it is damaged or has no runs.

    An old file with runs is kept. Raises TalSearchError where it has runs and cannot be completed.
    """
    content = None
    try:
        content = _completed(database)
    except Exception as error:  # MLflow's migrations raise many kinds
        if reported(error, *BUSY):
            raise
        if not is_damage(error) and _has_runs(database):
            raise TalSearchError(KEPT.format(path=database, reason=first_line(error))) from error
    sentence, ending = (ANEW, ".half-made") if content is None else (UPGRADED, ".older")
    content = content or _completed(None)
    if not is_missing(database) and (sentence is ANEW or _has_runs(database)):
        aside = set_aside(database, ending, SIDE_FILES)
        say(sentence.format(path=database, aside=aside.name) + REOPEN)
    replace_database(database, content)


def _completed(database: Path | None) -> bytes:
    """A database with all of MLflow's tables and the content of `database`, made in memory."""
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine("sqlite:///:memory:")  # type: ignore[no-untyped-call]
    try:
        if database is not None and not is_missing(database):
            raw = engine.raw_connection()
            with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as old:
                old.backup(raw.driver_connection)
            raw.close()
        _initialize_tables(engine)  # type: ignore[no-untyped-call]
        return serialized(engine)
    finally:
        engine.dispose()


def _has_runs(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
            return False
        return connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is not None


def _follow(connection: sqlite3.Connection, folder: Path, artifacts: str | None) -> None:
    """Point the runs at `folder` whose files were moved there with the database; MLflow stores absolute addresses."""
    here = folder.as_uri()
    tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'experiments'").fetchall()
    known = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall() if tables else []
    for (there,) in known:
        ours = str(there).startswith("file:") and str(there).rpartition("/")[2] == ARTIFACTS
        if not ours or there in (here, artifacts):
            continue
        inside = "substr(artifact_uri, 1, length(:there) + 1) = :there || '/'"
        values = {"there": there, "here": here}
        found = connection.execute(f"SELECT run_uuid FROM runs WHERE {inside}", values)  # noqa: S608
        if _moved([run for (run,) in found], str(there), folder):
            with connection:
                moved = ":here || substr(artifact_uri, length(:there) + 1)"
                connection.execute(f"UPDATE runs SET artifact_uri = {moved} WHERE {inside}", values)  # noqa: S608
                place = "UPDATE experiments SET artifact_location = :here WHERE artifact_location = :there"
                connection.execute(place, values)


def _moved(runs: list[str], there: str, folder: Path) -> bool:
    """Whether files of these runs are in `folder`, or at least not at the address in the database.

    The old place is looked at only if nothing is here: it may be gone, or belong to somebody else.
    """
    if any((folder / run).exists() for run in runs):
        return True
    old = unquote(urlsplit(there).path)
    return not any(os.path.exists(f"{old}/{run}") for run in runs)  # noqa: PTH110 (Path.exists may raise)
