"""The Optuna storage of a record: opening it, reading its trials, checking that new trials fit the old ones."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from tal_search.errors import InputError, MissingExtra
from tal_search.files.sqlite_files import sqlite_url
from tal_search.record import optuna_tables
from tal_search.record.distributions import widened
from tal_search.record.first_open import make_record, opened_by_several
from tal_search.record.lease import connect_options
from tal_search.text.printable import first_line
from tal_search.text.urls import masked

READ = ("id", "attempt", "reason", "result")
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


def open_storage(where: Path | str) -> RDBStorage:
    """Optuna's storage at a file or a URL. Raises InputError where it cannot be opened; a password is never shown."""
    if isinstance(where, str) and "://" in where:
        try:
            options: dict[str, Any] = {"pool_pre_ping": True, **connect_options(where)}
            return opened_by_several(lambda: RDBStorage(where, engine_kwargs=options))
        except ImportError:
            if where.startswith("postgresql+psycopg:"):
                raise MissingExtra("psycopg", "postgres") from None
            fix = "install it, or write postgresql+psycopg://HOST/DATABASE"
            raise InputError(f"record={shown(where)} needs a database driver that is not installed; {fix}") from None
        except (SQLAlchemyError, ValueError) as error:
            # A ValueError may quote part of the URL, and with it a password.
            reason = first_line(error) if isinstance(error, SQLAlchemyError) else "it is not a URL of a database"
            raise InputError(
                f"record={shown(where)} cannot be opened: {reason}; start it, or correct the URL"
            ) from None
    path = Path(where).resolve()
    try:
        make_record(path)
        # Set before Optuna opens the file: readers (dashboards) then never block the driver, nor the driver them.
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        options = {"creator": partial(_connect, path)}
        return RDBStorage(sqlite_url(path), engine_kwargs=options)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise InputError(f"{path} cannot be opened as a record: {first_line(error)}; move it away") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)  # SQLAlchemy's pool shares it between threads
    # A killed process loses nothing under NORMAL; a power cut loses the last trials, whose folders have them.
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def close(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def shown(where: Path | str) -> str:
    """A record's location for messages: a file, or a URL with its password masked or, as an option, left out."""
    return masked(str(where))


def id_of_study(
    storage: RDBStorage, study: str, directions: Sequence[StudyDirection] = (StudyDirection.MAXIMIZE,)
) -> int:
    """The id of the study with this name, which is created if the storage has none."""
    try:
        return storage.get_study_id_from_name(study)
    except KeyError:
        return storage.create_new_study(directions, study)


def agree(
    storage: RDBStorage,
    study: str,
    distributions: Mapping[str, BaseDistribution],
    settings: Mapping[str, object] | None,
    about: Mapping[str, object] | None,
    objective: tuple[str, str] | None,
) -> tuple[int, dict[str, BaseDistribution]]:
    """The id of a study, created if necessary, and its distributions for old and new trials; see `Record.open`."""
    study_id = id_of_study(storage, study)
    # All is compared before anything is written: a study that is refused stays as it was.
    changed = None if settings is None else agreed_settings(storage, study_id, study, settings)
    agreed, outdated = agreed_distributions(storage, study_id, distributions)
    if changed is not None:
        storage.set_study_user_attr(study_id, optuna_tables.SETTINGS, changed)
    for name in outdated:
        # Safe, because the way Optuna stores a number does not depend on the bounds.
        optuna_tables.replace_distribution(storage.engine, study_id, name, distribution_to_json(agreed[name]))
    if about is not None:
        storage.set_study_user_attr(study_id, ABOUT, dict(about))
    if objective is not None:
        name_objectives(storage, study_id, [objective[0]])
        storage.set_study_user_attr(study_id, CURVES, objective[1])
    return study_id, agreed


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


def agreed_settings(
    storage: RDBStorage, study_id: int, study: str, wanted: Mapping[str, object]
) -> dict[str, object] | None:
    """Those of `wanted` to store, None if the study has them; see `settings_to_keep`."""
    return settings_to_keep(storage.get_study_user_attrs(study_id).get(optuna_tables.SETTINGS), study, wanted)


def settings_to_keep(
    known: dict[str, object] | None, study: str, wanted: Mapping[str, object]
) -> dict[str, object] | None:
    """Compare the settings of a study with those it was started with; returns those to store, None if it has them.

    A section that `wanted` leaves out (the code version, where a change is accepted) is not compared; in the
    sections of GROWING, only entries that both have are compared. Raises InputError with every difference.
    """
    if known is None:
        return dict(wanted)
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
    return {**known, **new} if new != known else None


def differences(old: object, new: object, name: str = "") -> Iterator[str]:
    """ "NAME was A, is B" for every leaf that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield f"{name} was {json.dumps(old)}, is {json.dumps(new)}"


def agreed_distributions(
    storage: RDBStorage, study_id: int, wanted: Mapping[str, BaseDistribution]
) -> tuple[dict[str, BaseDistribution], list[str]]:
    """One distribution per axis for old and new trials alike, as Optuna's importances need it.

    Also the axes that gained values: the distributions of their old trials have to be widened in the record too. Raises
    InputError where an axis has numbers in some trials and other values in others.
    """
    agreed, outdated = dict(wanted), []
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
            outdated.append(name)
    return agreed, outdated
