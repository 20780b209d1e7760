"""Every SQL statement on Optuna's tables.

Optuna's own storage takes about ten milliseconds to write a trial and many seconds to read 10,000; a study with
inference axes has hundreds of trials per fit. The statements rely on the schema of Optuna 5:
`tests/record/test_optuna_tables.py` compares it with the installed version, and the rows with those that Optuna writes.

`tal-search status` and the dashboards read a record without Optuna, which is slow to import: only `add_trials` and
`update_trial` import it.
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
    from optuna.trial import FrozenTrial, TrialState

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
LAST_ADDED = "tal_search:last_added"  # system attribute of a study: the last call of `add_trials`
Time = datetime | str  # UTC; text in SQLite

SETTINGS = "settings"  # the attribute of a study that holds those it was started with


class TrialRow(NamedTuple):
    """One trial; attributes: JSON texts, None where not set."""

    trial_id: int
    number: int
    state: str
    started: Time | None
    ended: Time | None
    attributes: Sequence[str | None]


# Reading


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


def trials_after(
    connection: Connection, study: str, after: int, ids: Sequence[int], names: Sequence[str | None]
) -> list[TrialRow]:
    """Trials of the study after this trial id, and those with these ids, in order, with these user attributes.

    Ids grow in the order of commits: who adds a trial locks its study. names: None stands for no attribute.
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
    query = query.select_from(TRIALS_OF_STUDIES).where(STUDIES.c.study_name == study)
    rows = connection.execute(query.where((trial.trial_id > after) | trial.trial_id.in_(ids)).order_by(trial.trial_id))
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


# Writing; each function is one transaction, which may be repeated


def add_trials(
    engine: Engine, study_id: int, trials: Sequence[FrozenTrial], study_attributes: Mapping[str, object] | None = None,
    *, key: str,
) -> list[tuple[int, int]]:  # fmt: skip
    """Write trials without intermediate values; returns (trial id, number) of each.

    study_attributes: new system attributes of the study. key: of this call; with the key of the last call, whose
    answer was lost, nothing is written, and the same is returned.
    """
    tables, of_study = _tables(), TRIALS.c.study_id == study_id
    insert = tables["trials"].insert().returning(tables["trials"].c.trial_id)
    kept = tables["study_system_attributes"]
    last = (kept.c.study_id == study_id) & (kept.c.key == LAST_ADDED)
    with engine.begin() as connection:
        # The driver is the only writer; the lock keeps trial numbers unique should another program write as well.
        connection.execute(select(STUDIES.c.study_id).where(STUDIES.c.study_id == study_id).with_for_update())
        before = json.loads(connection.scalar(select(kept.c.value_json).where(last)) or "{}")
        if before.get("key") == key:
            added = select(TRIALS.c.trial_id, TRIALS.c.number).where(of_study, TRIALS.c.number >= before["first"])
            rows = connection.execute(added.order_by(TRIALS.c.number).limit(len(trials)))
            return [(trial_id, number) for trial_id, number in rows]
        first = connection.scalar(select(func.count()).select_from(TRIALS).where(of_study)) or 0
        connection.execute(kept.delete().where(last))
        attributes = {**(study_attributes or {}), LAST_ADDED: {"key": key, "first": first}}
        connection.execute(kept.insert(), [{"study_id": study_id, **row} for row in _attributes(attributes)])
        written: list[tuple[int, int]] = []
        for number, trial in enumerate(trials, start=first):
            row = {
                "number": number, "study_id": study_id, "state": trial.state,
                "datetime_start": _utc(trial.datetime_start), "datetime_complete": _utc(trial.datetime_complete),
            }  # fmt: skip
            written.append((connection.execute(insert, row).scalar_one(), number))
        for name, contents in _rows_of_trials(trials, [trial_id for trial_id, _ in written]).items():
            if contents:
                connection.execute(tables[name].insert(), contents)
    return written


def update_trial(
    engine: Engine, trial_id: int, *, state: TrialState | None = None, values: Sequence[float] = (),
    attributes: Mapping[str, object] = {}, system_attributes: Mapping[str, object] = {},
    curve: Mapping[int, float] = {},
) -> None:  # fmt: skip
    """Change a running trial, at last its state; what it has under the same name or step (of `curve`) is replaced."""
    tables, trials = _tables(), _tables()["trials"]
    with engine.begin() as connection:
        for name, rows in _rows(values, attributes, system_attributes, curve).items():
            for row in rows:
                changed, by = tables[name], next(iter(row))  # its first column tells apart the rows of a trial
                connection.execute(changed.delete().where(changed.c.trial_id == trial_id, changed.c[by] == row[by]))
                connection.execute(changed.insert(), {"trial_id": trial_id, **row})
        if state is not None:
            where = trials.update().where(trials.c.trial_id == trial_id, trials.c.state != state)
            connection.execute(where.values(state=state, datetime_complete=_utc(datetime.now())))


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


def _tables() -> Mapping[str, sqlalchemy.Table]:
    """Optuna's, which know how enumerations are stored."""
    from optuna.storages._rdb.models import BaseModel

    return dict(BaseModel.metadata.tables)


def _rows_of_trials(trials: Sequence[FrozenTrial], ids: Sequence[int]) -> dict[str, list[dict[str, object]]]:
    """Rows of the other tables for trials with these ids, by table."""
    from optuna.distributions import distribution_to_json

    found: dict[str, list[dict[str, object]]] = defaultdict(list)
    for trial, trial_id in zip(trials, ids, strict=True):
        rows = _rows(trial.values or (), trial.user_attrs, trial.system_attrs, {})
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            text, number = distribution_to_json(distribution), distribution.to_internal_repr(value)
            rows["trial_params"].append({"param_name": name, "param_value": number, "distribution_json": text})
        for name, contents in rows.items():
            found[name].extend({"trial_id": trial_id, **row} for row in contents)
    return found


def _rows(
    values: Sequence[float], user: Mapping[str, object], system: Mapping[str, object], curve: Mapping[int, float]
) -> dict[str, list[dict[str, object]]]:
    """Rows of one trial by table, without the trial's id."""
    from optuna.storages._rdb.models import TrialIntermediateValueModel, TrialValueModel

    rows = defaultdict(list, trial_user_attributes=_attributes(user), trial_system_attributes=_attributes(system))
    for objective, value in enumerate(values):
        stored, kind = TrialValueModel.value_to_stored_repr(float(value))
        rows["trial_values"].append({"objective": objective, "value": stored, "value_type": kind})
    for step, value in curve.items():
        number, its = TrialIntermediateValueModel.intermediate_value_to_stored_repr(float(value))
        point: dict[str, object] = {"step": step, "intermediate_value": number, "intermediate_value_type": its}
        rows["trial_intermediate_values"].append(point)
    return rows


def _attributes(contents: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"key": name, "value_json": json.dumps(content)} for name, content in contents.items()]
