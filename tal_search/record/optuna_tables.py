"""Every SQL statement on Optuna's tables.

Optuna's own storage takes about ten milliseconds to write a trial and many seconds to read 10,000; a study with
inference axes has hundreds of trials per fit. The statements rely on the schema of Optuna 5:
`tests/record/test_optuna_tables.py` compares it with the installed version, and the rows with those that Optuna writes.

`tal-search status` and the dashboards read a record without Optuna, which is slow to import: only `add_trials` and
`add_intermediate_values` import it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy
from sqlalchemy import Connection, Engine, column, func, literal_column, null, select, table, update

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# Untyped, so that a value is read as the database's driver gives it.
STUDIES = table("studies", column("study_id"), column("study_name"))
STUDY_ATTRIBUTES = table("study_user_attributes", column("study_id"), column("key"), column("value_json"))
TRIALS = table(
    "trials", column("trial_id"), column("study_id"), column("number"), column("state"), column("datetime_start"),
    column("datetime_complete"),
)  # fmt: skip
TRIAL_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))
TRIAL_PARAMS = table("trial_params", column("trial_id"), column("param_name"), column("distribution_json"))

TRIALS_OF_STUDIES = TRIALS.join(STUDIES, TRIALS.c.study_id == STUDIES.c.study_id)

Time = datetime | str  # UTC; text in SQLite


class TrialRow(NamedTuple):
    """One trial; attributes: JSON texts, None where not set."""

    trial_id: int
    number: int
    state: str
    started: Time | None
    ended: Time | None
    attributes: Sequence[str | None]


# Reading


def id_of_study(connection: Connection, study: str) -> int | None:
    """The id of the study with this name."""
    found: int | None = connection.scalar(select(STUDIES.c.study_id).where(STUDIES.c.study_name == study))
    return found


def study_attributes(connection: Connection, study: str) -> dict[str, object] | None:
    """User attributes of the study with this name; None where there is no such study."""
    joined = STUDIES.outerjoin(STUDY_ATTRIBUTES, STUDIES.c.study_id == STUDY_ATTRIBUTES.c.study_id)
    query = select(STUDY_ATTRIBUTES.c.key, STUDY_ATTRIBUTES.c.value_json).select_from(joined)
    rows = connection.execute(query.where(STUDIES.c.study_name == study)).all()
    return {key: json.loads(value) for key, value in rows if key is not None} if rows else None


def last_change(connection: Connection, study: str) -> Time | None:
    """When a trial of the study last began or ended."""
    query = select(func.max(TRIALS.c.datetime_start), func.max(TRIALS.c.datetime_complete))
    query = query.select_from(TRIALS_OF_STUDIES).where(STUDIES.c.study_name == study)
    return max((when for when in connection.execute(query).one() if when is not None), default=None)


def trial_ids(connection: Connection, study: str) -> list[int]:
    query = select(TRIALS.c.trial_id).select_from(TRIALS_OF_STUDIES).where(STUDIES.c.study_name == study)
    return list(connection.scalars(query))


def trials_from(connection: Connection, study: str, first: int, names: Sequence[str | None]) -> list[TrialRow]:
    """Trials of the study from this trial id on, in order of ids, with these user attributes; None: no attribute.

    One subquery per attribute, which uses the index on trial and key, is three times as fast as one row per attribute.
    """
    attributes = TRIAL_ATTRIBUTES.c
    values = [
        null() if name is None
        else select(attributes.value_json)
        .where(attributes.trial_id == TRIALS.c.trial_id, attributes.key == name)
        .scalar_subquery()
        for name in names
    ]  # fmt: skip
    trial = TRIALS.c
    query = select(trial.trial_id, trial.number, trial.state, trial.datetime_start, trial.datetime_complete, *values)
    query = query.select_from(TRIALS_OF_STUDIES).where(STUDIES.c.study_name == study, trial.trial_id >= first)
    rows = connection.execute(query.order_by(trial.trial_id))
    return [
        TrialRow(trial_id, number, state, started, ended, attributes)
        for trial_id, number, state, started, ended, *attributes in rows
    ]


def attributes_of_trials(
    connection: Connection, study_id: int, names: Sequence[str]
) -> Iterator[tuple[int, int, str, str | None, str | None]]:
    """(trial id, number, state, name, JSON text) of each trial and attribute, by number; a trial with none of these
    attributes has one row, whose name is None.
    """
    attributes, trial = TRIAL_ATTRIBUTES.c, TRIALS.c
    joined = TRIALS.outerjoin(
        TRIAL_ATTRIBUTES, (attributes.trial_id == trial.trial_id) & attributes.key.in_(list(names))
    )
    query = select(trial.trial_id, trial.number, trial.state, attributes.key, attributes.value_json)
    query = query.select_from(joined).where(trial.study_id == study_id).order_by(trial.number)
    yield from connection.execute(query)


def values_of_attribute(connection: Connection, name: str) -> list[str]:
    """The distinct JSON texts of a user attribute, over the trials of all studies."""
    attributes = TRIAL_ATTRIBUTES.c
    return list(connection.scalars(select(attributes.value_json).where(attributes.key == name).distinct()))


def distributions(connection: Connection, study_id: int) -> dict[str, list[str]]:
    """The different distributions of each parameter in the trials of a study, as Optuna's JSON."""
    params = TRIAL_PARAMS.c
    joined = TRIAL_PARAMS.join(TRIALS, params.trial_id == TRIALS.c.trial_id)
    query = select(params.param_name, params.distribution_json).select_from(joined).distinct()
    texts: dict[str, list[str]] = {}
    for name, text in connection.execute(query.where(TRIALS.c.study_id == study_id)):
        texts.setdefault(name, []).append(text)
    return texts


# Writing; each function is one transaction


def add_trials(
    engine: Engine, study_id: int, trials: Sequence[FrozenTrial], study_attributes: Mapping[str, object] | None = None
) -> list[tuple[int, int]]:
    """Write trials without intermediate values; returns (trial id, number) of each.

    study_attributes: new system attributes of the study.
    """
    from optuna.storages._rdb.models import BaseModel

    tables: Mapping[str, sqlalchemy.Table] = BaseModel.metadata.tables
    insert = tables["trials"].insert().returning(tables["trials"].c.trial_id)
    written: list[tuple[int, int]] = []
    with engine.begin() as connection:
        # The driver is the only writer; the lock keeps trial numbers unique should another program write as well.
        connection.execute(select(STUDIES.c.study_id).where(STUDIES.c.study_id == study_id).with_for_update())
        first = connection.scalar(select(func.count()).select_from(TRIALS).where(TRIALS.c.study_id == study_id)) or 0
        for number, trial in enumerate(trials, start=first):
            row = {
                "number": number, "study_id": study_id, "state": trial.state,
                "datetime_start": _utc(trial.datetime_start), "datetime_complete": _utc(trial.datetime_complete),
            }  # fmt: skip
            written.append((connection.execute(insert, row).scalar_one(), number))
        rows = _rows_of_trials(trials, [trial_id for trial_id, _ in written])
        rows["study_system_attributes"] = [
            {"study_id": study_id, "key": name, "value_json": json.dumps(content)}
            for name, content in (study_attributes or {}).items()
        ]
        for name, contents in rows.items():
            if contents:
                connection.execute(tables[name].insert(), contents)
    return written


def add_intermediate_values(engine: Engine, trial_id: int, values: Mapping[int, float]) -> None:
    """Write intermediate values of a trial, by step; those of steps that it has are replaced."""
    from optuna.storages._rdb.models import TrialIntermediateValueModel as Model

    values_table: sqlalchemy.Table = Model.__table__
    rows = []
    for step, value in values.items():
        stored, kind = Model.intermediate_value_to_stored_repr(float(value))
        rows.append({"trial_id": trial_id, "step": step, "intermediate_value": stored, "intermediate_value_type": kind})
    known = (values_table.c.trial_id == trial_id) & values_table.c.step.in_(list(values))
    with engine.begin() as connection:
        connection.execute(values_table.delete().where(known))
        connection.execute(values_table.insert(), rows)


def reopen_failed_trials(engine: Engine, study_id: int) -> None:
    """Set failed trials of a study to running; parameters and intermediate values stay. Optuna has no call for it."""
    failed = (TRIALS.c.study_id == study_id) & (TRIALS.c.state == literal_column("'FAIL'"))
    values = {"state": literal_column("'RUNNING'"), "datetime_complete": null()}  # literals: an enum type in PostgreSQL
    with engine.begin() as connection:
        connection.execute(update(TRIALS).where(failed).values(values))


def replace_distribution(engine: Engine, study_id: int, name: str, distribution: str) -> None:
    """Give a parameter this distribution (Optuna's JSON) in every trial of a study; stored values stay as they are."""
    of_study = TRIAL_PARAMS.c.trial_id.in_(select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id))
    with engine.begin() as connection:
        where = update(TRIAL_PARAMS).where(TRIAL_PARAMS.c.param_name == name, of_study)
        connection.execute(where.values(distribution_json=distribution))


def _utc(when: datetime | None) -> datetime | None:
    """Optuna's tables hold UTC without a time zone; its trials have local times."""
    return None if when is None else when.astimezone(UTC).replace(tzinfo=None)


def _rows_of_trials(trials: Sequence[FrozenTrial], ids: Sequence[int]) -> dict[str, list[dict[str, object]]]:
    """Rows of the other tables for trials with these ids, by table."""
    from optuna.distributions import distribution_to_json
    from optuna.storages._rdb.models import TrialValueModel

    rows: dict[str, list[dict[str, object]]] = defaultdict(list)
    for trial, trial_id in zip(trials, ids, strict=True):
        for objective, value in enumerate(trial.values or []):
            stored, kind = TrialValueModel.value_to_stored_repr(float(value))
            rows["trial_values"].append(
                {"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind}
            )
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            rows["trial_params"].append(
                {
                    "trial_id": trial_id, "param_name": name, "param_value": distribution.to_internal_repr(value),
                    "distribution_json": distribution_to_json(distribution),
                }
            )  # fmt: skip
        attributes = {"trial_user_attributes": trial.user_attrs, "trial_system_attributes": trial.system_attrs}
        for table_name, contents in attributes.items():
            for name, content in contents.items():
                rows[table_name].append({"trial_id": trial_id, "key": name, "value_json": json.dumps(content)})
    return rows
