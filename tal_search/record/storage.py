"""The database under a record: opening it, reading it in one go, and what old and new trials must agree on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import sqlalchemy
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from tal_search.errors import InputError, MissingExtra
from tal_search.record.distributions import widened
from tal_search.record.retry import PatientStorage, patiently

READ = ("id", "attempt", "reason", "result")
SETTINGS = "settings"
ABOUT = "about"
METRIC_NAMES = "study:metric_names"  # Optuna's
CURVES = "intermediate values"
GROWING = {"clicks", "cases"}  # sections of the settings whose entries may come and go, by annotator and by name


class Row(NamedTuple):
    """One Optuna trial with the attributes a driver needs of it."""

    trial_id: int
    number: int
    state: TrialState
    attributes: dict[str, Any]


def open_storage(where: Path | str, folder: Path) -> PatientStorage:
    """The storage at a file or a URL, for the study with this folder.

    Raises InputError where it cannot be opened; a password is never shown.
    """
    if isinstance(where, str) and "://" in where:
        try:
            return PatientStorage(where, folder, engine_kwargs={"pool_pre_ping": True})
        except ImportError:
            if where.startswith("postgresql+psycopg:"):
                raise MissingExtra("psycopg", "postgres") from None
            fix = "install it, or write postgresql+psycopg://USER@HOST/DATABASE"
            raise InputError(f"record={shown(where)} needs a database driver that is not installed; {fix}") from None
        except (SQLAlchemyError, ValueError) as error:
            # A ValueError may quote a part of the URL, and so of a password.
            reason = _first_line(error) if isinstance(error, SQLAlchemyError) else "it is no URL of a database"
            raise InputError(
                f"record={shown(where)} cannot be opened: {reason}; start it, or correct the URL"
            ) from None
    path = Path(where).resolve()
    try:
        # Before Optuna opens it: readers (dashboards) then never block the driver, nor it them.
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        storage = PatientStorage(f"sqlite:///{quote(str(path))}", folder)
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise InputError(f"{path} cannot be opened as a record: {_first_line(error)}; move it away") from error
    # A killed process loses nothing under NORMAL; a power cut loses the last trials, whose folders have them.
    sqlalchemy.event.listen(storage.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=NORMAL"))
    sqlalchemy.event.listen(storage.engine, "checkout", lambda raw, *_: _set_patience(raw, storage.busy_seconds))
    storage.engine.dispose()
    return storage


def _set_patience(connection: Any, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout={int(1000 * seconds)}")


def close(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def shown(where: Path | str) -> str:
    """A place for a sentence: a URL without its password, wherever in it that stands."""
    if isinstance(where, str) and "://" in where:
        try:
            url = sqlalchemy.make_url(where)
        except (SQLAlchemyError, ValueError):  # a password with an @ or a :, perhaps
            return where.partition("://")[0] + "://..."
        secret = [name for name in url.query if "pass" in name.lower()]
        return url.difference_update_query(secret).render_as_string(hide_password=True)
    return str(where)


def without_password(url: str) -> str:
    """The URL as it may be kept in a file: the password then comes from PGPASSWORD or a password file."""
    whole = sqlalchemy.make_url(url)
    secret = [name for name in whole.query if "pass" in name.lower()]
    return whole.set(password=None).difference_update_query(secret).render_as_string()


def rows(storage: RDBStorage, study_id: int, names: Sequence[str] = READ) -> Iterator[Row]:
    """Every trial of a study by number, with these attributes.

    One query: Optuna's own reading of 10 000 trials takes many seconds.
    """
    statement = sqlalchemy.text(
        "SELECT t.trial_id, t.number, t.state, a.key, a.value_json FROM trials t LEFT JOIN trial_user_attributes a "
        "ON a.trial_id = t.trial_id AND a.key IN :names WHERE t.study_id = :study ORDER BY t.number"
    ).bindparams(sqlalchemy.bindparam("names", expanding=True))
    current: Row | None = None
    with storage.engine.connect() as connection:
        for trial_id, number, state, key, value in connection.execute(statement, {"names": names, "study": study_id}):
            if current is None or current.trial_id != trial_id:
                if current is not None:
                    yield current
                current = Row(trial_id, number, TrialState[state], {})
            if key is not None:
                current.attributes[key] = json.loads(value)
    if current is not None:
        yield current


def reopen_failed(storage: PatientStorage, study_id: int) -> None:
    """Failed trials of a study run again, with their parameters and intermediate values; Optuna has no word for it."""
    statement = sqlalchemy.text(
        "UPDATE trials SET state = 'RUNNING', datetime_complete = NULL WHERE study_id = :study AND state = 'FAIL'"
    )

    def reopen() -> None:
        with storage.engine.begin() as connection:
            connection.execute(statement, {"study": study_id})

    patiently(reopen, storage.folder)


def name_objectives(storage: RDBStorage, study_id: int, names: list[str]) -> None:
    """What Optuna and its dashboard call the values of a study's trials, one name each."""
    if storage.get_study_system_attrs(study_id).get(METRIC_NAMES) != names:
        storage.set_study_system_attr(study_id, METRIC_NAMES, names)


def agree_on_settings(storage: RDBStorage, study_id: int, study: str, wanted: dict[str, Any]) -> None:
    """Refuse a study that was begun with other settings, naming what differs; note those of a new one.

    A whole section that `wanted` leaves out is not compared: an accepted code version. Of sections that may grow, what
    both have is compared.
    """
    known = storage.get_study_user_attrs(study_id).get(SETTINGS)
    if known is not None:
        wanted = json.loads(json.dumps(wanted))
        compared = {name: value for name, value in known.items() if name in wanted}
        for name in GROWING & wanted.keys() & known.keys():
            compared[name], wanted[name] = {**wanted[name], **known[name]}, {**known[name], **wanted[name]}
        changes = list(differences(compared, wanted))
        if changes:
            accept = ", accept the change of code with accept_code_change=true" if "code_version" in changes[-1] else ""
            raise InputError(
                f"the study {study} was begun with other settings ({'; '.join(changes)}); go back to them{accept}, "
                "or begin anew under another name with study.fork=NAME (equal trials are kept)"
            )
    if wanted != known:
        storage.set_study_user_attr(study_id, SETTINGS, {**(known or {}), **wanted})


def differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """ "NAME was A, is B" for every leaf that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield f"{name} was {json.dumps(old)}, is {json.dumps(new)}"


def agree_on_distributions(
    storage: RDBStorage, study_id: int, wanted: dict[str, BaseDistribution]
) -> dict[str, BaseDistribution]:
    """One distribution per axis for old and new trials alike, which Optuna's importances ask for.

    A study whose axis gained values widens the old trials' distributions too, in one transaction.
    """
    agreed = dict(wanted)
    for name, found in _stored_distributions(storage, study_id).items():
        for distribution in found:
            try:
                agreed[name] = widened(distribution, agreed.get(name, distribution))
            except ValueError as error:
                raise InputError(
                    f"axis {name} has numbers in some trials and other values in others; "
                    "give the study another name with study.fork=NAME"
                ) from error
        if any(distribution != agreed[name] for distribution in found):
            _rewrite(storage, study_id, name, agreed[name])
    return agreed


def _stored_distributions(storage: RDBStorage, study_id: int) -> dict[str, list[BaseDistribution]]:
    statement = sqlalchemy.text(
        "SELECT DISTINCT p.param_name, p.distribution_json FROM trial_params p JOIN trials t "
        "ON t.trial_id = p.trial_id WHERE t.study_id = :study"
    )
    found: dict[str, list[BaseDistribution]] = {}
    with storage.engine.connect() as connection:
        for name, text in connection.execute(statement, {"study": study_id}):
            found.setdefault(name, []).append(json_to_distribution(text))
    return found


def _rewrite(storage: RDBStorage, study_id: int, name: str, distribution: BaseDistribution) -> None:
    """Optuna fixes a distribution when it stores a value; a number's stored form does not depend on its bounds."""
    statement = sqlalchemy.text(
        "UPDATE trial_params SET distribution_json = :json WHERE param_name = :name "
        "AND trial_id IN (SELECT trial_id FROM trials WHERE study_id = :study)"
    )
    with storage.engine.begin() as connection:
        connection.execute(statement, {"json": distribution_to_json(distribution), "name": name, "study": study_id})


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
