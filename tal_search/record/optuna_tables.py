"""Trials written whole, one or many in one transaction: Optuna's own way costs ten milliseconds a trial.

A study with inference axes has hundreds of trials a fit. The rows are those that Optuna's storage writes, into its own
tables; `tests/record/test_optuna_tables.py` compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial


def add_trials(
    storage: RDBStorage, study_id: int, trials: Sequence[FrozenTrial], study_attributes: Mapping[str, Any] | None = None
) -> list[tuple[int, int]]:
    """Write trials without intermediate values; returns (trial id, number) of each.

    study_attributes: new system attributes of the study.
    """
    trial_table, study_table = models.TrialModel.__table__, models.StudyModel.__table__
    written: list[tuple[int, int]] = []
    with storage.engine.begin() as connection:
        # The driver is the only writer; the lock guards the numbers where it is not.
        connection.execute(
            sqlalchemy.select(study_table.c.study_id).where(study_table.c.study_id == study_id).with_for_update()
        )
        count = sqlalchemy.select(sqlalchemy.func.count()).where(trial_table.c.study_id == study_id)
        number = int(connection.execute(count).scalar_one())
        insert = trial_table.insert().returning(trial_table.c.trial_id)
        for trial in trials:
            row = {
                "number": number, "study_id": study_id, "state": trial.state, "datetime_start": _utc(trial, "start"),
                "datetime_complete": _utc(trial, "complete"),
            }  # fmt: skip
            written.append((int(connection.execute(insert, row).scalar_one()), number))
            number += 1
        added = [
            {"study_id": study_id, "key": name, "value_json": json.dumps(content)}
            for name, content in (study_attributes or {}).items()
        ]
        for model, rows in [
            *_rows(trials, [trial_id for trial_id, _ in written]), (models.StudySystemAttributeModel, added)
        ]:  # fmt: skip
            if rows:
                connection.execute(model.__table__.insert(), rows)
    return written


def add_intermediate_values(storage: RDBStorage, trial_id: int, values: Mapping[int, float]) -> None:
    """Write intermediate values of a trial, by step, in one transaction; those of steps it has are replaced."""
    table, rows = models.TrialIntermediateValueModel.__table__, []
    for step, value in values.items():
        stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(float(value))
        rows.append({"trial_id": trial_id, "step": step, "intermediate_value": stored, "intermediate_value_type": kind})
    with storage.engine.begin() as connection:
        connection.execute(table.delete().where(table.c.trial_id == trial_id, table.c.step.in_(list(values))))
        connection.execute(table.insert(), rows)


def _utc(trial: FrozenTrial, which: str) -> Any:
    """Optuna's models turn local times into the UTC they store."""
    model = models.TrialModel(datetime_start=trial.datetime_start, datetime_complete=trial.datetime_complete)
    return getattr(model, f"_datetime_{which}_utc")


def _rows(trials: Sequence[FrozenTrial], ids: Sequence[int]) -> list[tuple[Any, list[dict[str, Any]]]]:
    values, params = [], []
    attributes: list[dict[str, Any]] = []
    system: list[dict[str, Any]] = []
    for trial, trial_id in zip(trials, ids, strict=True):
        for objective, value in enumerate(trial.values or []):
            stored, kind = models.TrialValueModel.value_to_stored_repr(float(value))
            values.append({"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind})
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            params.append(
                {
                    "trial_id": trial_id, "param_name": name, "param_value": distribution.to_internal_repr(value),
                    "distribution_json": distribution_to_json(distribution),
                }
            )  # fmt: skip
        for rows, contents in ((attributes, trial.user_attrs), (system, trial.system_attrs)):
            for name, content in contents.items():
                rows.append({"trial_id": trial_id, "key": name, "value_json": json.dumps(content)})
    return [
        (models.TrialValueModel, values), (models.TrialParamModel, params),
        (models.TrialUserAttributeModel, attributes), (models.TrialSystemAttributeModel, system),
    ]  # fmt: skip
