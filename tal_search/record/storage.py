"""The Optuna storage of a record: opening it, reading its trials, checking that new trials fit the old ones."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import sqlalchemy
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError

from tal_search.errors import InputError, MissingExtra
from tal_search.record import optuna_tables
from tal_search.record.distributions import widened
from tal_search.record.retry import RetryingStorage

READ = ("id", "attempt", "reason", "result")
SETTINGS = "settings"
ABOUT = "about"
METRIC_NAMES = "study:metric_names"  # Optuna's
CURVES = "intermediate values"
GROWING = {"clicks", "cases"}  # sections of the settings whose entries (annotators or cases) may be added and removed


class Row(NamedTuple):
    """One Optuna trial with the user attributes that were asked for."""

    trial_id: int
    number: int
    state: TrialState
    attributes: dict[str, Any]


def open_storage(where: Path | str, folder: Path, say: Callable[[str], None] | None = None) -> RetryingStorage:
    """The storage at a file or a URL. folder: of the study; say: see `RetryingStorage`.

    Raises InputError where it cannot be opened; a password is never shown.
    """
    if isinstance(where, str) and "://" in where:
        try:
            return RetryingStorage(where, folder, say, engine_kwargs={"pool_pre_ping": True})
        except ImportError:
            if where.startswith("postgresql+psycopg:"):
                raise MissingExtra("psycopg", "postgres") from None
            fix = "install it, or write postgresql+psycopg://USER@HOST/DATABASE"
            raise InputError(f"record={shown(where)} needs a database driver that is not installed; {fix}") from None
        except (SQLAlchemyError, ValueError) as error:
            # A ValueError may quote part of the URL, and with it a password.
            reason = _first_line(error) if isinstance(error, SQLAlchemyError) else "it is not a URL of a database"
            raise InputError(
                f"record={shown(where)} cannot be opened: {reason}; start it, or correct the URL"
            ) from None
    path = Path(where).resolve()
    new = not path.exists()
    try:
        # Set before Optuna opens the file: readers (dashboards) then never block the driver, nor the driver them.
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        options = {"creator": partial(_connect, path)}
        storage = RetryingStorage(
            f"sqlite:///{quote(str(path))}", folder, say, engine_kwargs=options, skip_compatibility_check=new
        )
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise InputError(f"{path} cannot be opened as a record: {_first_line(error)}; move it away") from error
    sqlalchemy.event.listen(storage.engine, "checkout", lambda raw, *_: _set_busy_timeout(raw, storage.busy_seconds))
    return storage


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)  # SQLAlchemy's pool shares it between threads
    # A killed process loses nothing under NORMAL; a power cut loses the last trials, whose folders have them.
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _set_busy_timeout(connection: DBAPIConnection, seconds: float) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(1000 * seconds)}")
    cursor.close()


def close(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def shown(where: Path | str) -> str:
    """A record's location for messages: a file, or a URL without its password, be it in the address or an option."""
    if isinstance(where, str) and "://" in where:
        try:
            url = sqlalchemy.make_url(where)
        except (SQLAlchemyError, ValueError):  # a password with an @ or a :, perhaps
            return where.partition("://")[0] + "://..."
        return url.difference_update_query(_passwords(url)).render_as_string(hide_password=True)
    return str(where)


def without_password(url: str) -> str:
    """The URL without its password, for a file; the password is then read from PGPASSWORD or a password file."""
    whole = sqlalchemy.make_url(url)
    whole = whole.difference_update_query(_passwords(whole))
    return whole._replace(password=None).render_as_string()  # `URL.set` would take None to mean "unchanged"


def _passwords(url: sqlalchemy.URL) -> list[str]:
    """Names of the URL's options that may hold a password."""
    return [name for name in url.query if "pass" in name.lower()]


def id_of_study(storage: RDBStorage, study: str) -> int:
    """The id of the study with this name, which is created if the storage has none."""
    known = {frozen.study_name: frozen._study_id for frozen in storage.get_all_studies()}
    return known[study] if study in known else storage.create_new_study([StudyDirection.MAXIMIZE], study)


def rows(storage: RDBStorage, study_id: int, names: Sequence[str] = READ) -> Iterator[Row]:
    """Every trial of a study by number, with these attributes."""
    current: Row | None = None
    with storage.engine.connect() as connection:
        for trial_id, number, state, name, text in optuna_tables.attributes_of_trials(connection, study_id, names):
            if current is None or current.trial_id != trial_id:
                if current is not None:
                    yield current
                current = Row(trial_id, number, TrialState[state], {})
            if name is not None and text is not None:
                current.attributes[name] = json.loads(text)
    if current is not None:
        yield current


def name_objectives(storage: RDBStorage, study_id: int, names: list[str]) -> None:
    """Set the names under which Optuna and its dashboard show the values of a study's trials."""
    if storage.get_study_system_attrs(study_id).get(METRIC_NAMES) != names:
        storage.set_study_system_attr(study_id, METRIC_NAMES, names)


def agree_on_settings(storage: RDBStorage, study_id: int, study: str, wanted: Mapping[str, object]) -> None:
    """Compare the settings of a study with those it was started with, and store them if it is new.

    A section that `wanted` leaves out (the code version, where a change is accepted) is not compared; in the
    sections of GROWING, only entries that both have are compared. Raises InputError with every difference.
    """
    known: dict[str, object] | None = storage.get_study_user_attrs(study_id).get(SETTINGS)
    if known is None:
        storage.set_study_user_attr(study_id, SETTINGS, dict(wanted))
        return
    new: dict[str, object] = json.loads(json.dumps(wanted))  # as the record has it: tuples become lists
    old = {name: value for name, value in known.items() if name in new}
    for name in GROWING & new.keys() & old.keys():
        before, after = old[name], new[name]
        assert isinstance(before, dict), before
        assert isinstance(after, dict), after
        old[name], new[name] = {**after, **before}, {**before, **after}
    changes = list(differences(old, new))
    if changes:
        other_code = old.get("code_version") != new.get("code_version")
        accept = ", accept the change of code with accept_code_change=true" if other_code else ""
        raise InputError(
            f"the study {study} was started with other settings ({'; '.join(changes)}); restore them{accept}, "
            "or start a study of another name with study.fork=NAME (equal trials are reused)"
        )
    if new != known:
        storage.set_study_user_attr(study_id, SETTINGS, {**known, **new})


def differences(old: object, new: object, name: str = "") -> Iterator[str]:
    """ "NAME was A, is B" for every leaf that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield f"{name} was {json.dumps(old)}, is {json.dumps(new)}"


def agree_on_distributions(
    storage: RDBStorage, study_id: int, wanted: Mapping[str, BaseDistribution]
) -> dict[str, BaseDistribution]:
    """One distribution per axis for old and new trials alike, as Optuna's importances need it.

    Where an axis gained values, the distributions of the old trials are widened in the record too. Raises InputError
    where an axis has numbers in some trials and other values in others.
    """
    agreed = dict(wanted)
    with storage.engine.connect() as connection:
        known = optuna_tables.distributions(connection, study_id)
    for name, texts in known.items():
        stored = [json_to_distribution(text) for text in texts]
        for distribution in stored:
            try:
                agreed[name] = widened(distribution, agreed.get(name, distribution))
            except ValueError as error:
                raise InputError(
                    f"axis {name} has numbers in some trials and other values in others; "
                    "give the study another name with study.fork=NAME"
                ) from error
        if any(distribution != agreed[name] for distribution in stored):
            # Safe, because the way Optuna stores a number does not depend on the bounds.
            optuna_tables.replace_distribution(storage.engine, study_id, name, distribution_to_json(agreed[name]))
    return agreed


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
