"""Our SQL on Optuna's tables: the schema it relies on, the rows it writes, and that no other file has any."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import BaseModel
from optuna.trial import FrozenTrial, TrialState, create_trial

from tal_search.record import optuna_tables
from tests.support.paths import ROOT
from tests.support.small_records import trials_of

VERSION = "v3.2.0.a"  # of Optuna's schema, as Alembic names it
ATTRIBUTES = {"key": "VARCHAR(512)", "value_json": "TEXT"}
SCHEMA = {
    "studies": {"study_id": "INTEGER NOT NULL", "study_name": "VARCHAR(512) NOT NULL"},
    "study_user_attributes": {"study_user_attribute_id": "INTEGER NOT NULL", "study_id": "INTEGER", **ATTRIBUTES},
    "study_system_attributes": {"study_system_attribute_id": "INTEGER NOT NULL", "study_id": "INTEGER", **ATTRIBUTES},
    "trials": {
        "trial_id": "INTEGER NOT NULL", "number": "INTEGER", "study_id": "INTEGER",
        "state": "COMPLETE|FAIL|PRUNED|RUNNING|WAITING NOT NULL", "datetime_start": "DATETIME",
        "datetime_complete": "DATETIME",
    },
    "trial_user_attributes": {"trial_user_attribute_id": "INTEGER NOT NULL", "trial_id": "INTEGER", **ATTRIBUTES},
    "trial_system_attributes": {"trial_system_attribute_id": "INTEGER NOT NULL", "trial_id": "INTEGER", **ATTRIBUTES},
    "trial_params": {
        "param_id": "INTEGER NOT NULL", "trial_id": "INTEGER", "param_name": "VARCHAR(512)", "param_value": "FLOAT",
        "distribution_json": "TEXT",
    },
    "trial_values": {
        "trial_value_id": "INTEGER NOT NULL", "trial_id": "INTEGER NOT NULL", "objective": "INTEGER NOT NULL",
        "value": "FLOAT", "value_type": "FINITE|INF_NEG|INF_POS NOT NULL",
    },
    "trial_intermediate_values": {
        "trial_intermediate_value_id": "INTEGER NOT NULL", "trial_id": "INTEGER NOT NULL", "step": "INTEGER NOT NULL",
        "intermediate_value": "FLOAT", "intermediate_value_type": "FINITE|INF_NEG|INF_POS|NAN NOT NULL",
    },
}  # fmt: skip


def kind(column: sqlalchemy.Column[object]) -> str:
    """The type of a column; of an enumeration, its values."""
    if isinstance(column.type, sqlalchemy.Enum):
        return "|".join(sorted(column.type.enums)) + (" NOT NULL" if not column.nullable else "")
    return f"{column.type}{'' if column.nullable else ' NOT NULL'}"


def differences(tables: dict[str, dict[str, str]]) -> list[str]:
    """A sentence for each column in which these tables differ from SCHEMA."""
    return [
        f"Optuna {optuna.__version__}: column {table}.{name} is {tables.get(table, {}).get(name, 'absent')}, "
        f"but tal_search/record/optuna_tables.py relies on {SCHEMA[table].get(name, 'its absence')}"
        for table in SCHEMA
        for name in sorted(SCHEMA[table].keys() | tables.get(table, {}).keys())
        if SCHEMA[table].get(name) != tables.get(table, {}).get(name)
    ]


def installed() -> dict[str, dict[str, str]]:
    """The columns of the installed Optuna's tables."""
    tables: dict[str, sqlalchemy.Table] = dict(BaseModel.metadata.tables)
    return {name: {column.name: kind(column) for column in table.columns} for name, table in tables.items()}


def test_optunas_schema_is_the_one_that_our_sql_relies_on(tmp_path: Path) -> None:
    assert not differences(installed()), "\n".join(differences(installed()))
    storage = RDBStorage(f"sqlite:///{tmp_path / 'new.db'}")
    versions = storage.get_current_version(), storage.get_head_version()
    storage.engine.dispose()
    assert versions == (VERSION, VERSION), f"Optuna {optuna.__version__} has schema {versions[1]}, not {VERSION}"


def test_a_changed_schema_is_named_column_by_column() -> None:
    tables = installed()
    tables["trials"] = {**tables["trials"], "state": "VARCHAR(8)", "heartbeat": "DATETIME"}
    del tables["trials"]["number"], tables["trial_values"]
    found = [sentence.partition(": ")[2] for sentence in differences(tables)]
    ours = "but tal_search/record/optuna_tables.py relies on"
    assert found[:3] == [
        f"column trials.heartbeat is DATETIME, {ours} its absence",
        f"column trials.number is absent, {ours} INTEGER",
        f"column trials.state is VARCHAR(8), {ours} COMPLETE|FAIL|PRUNED|RUNNING|WAITING NOT NULL",
    ]
    assert len(found) == 3 + len(SCHEMA["trial_values"])


def test_the_tables_that_we_read_are_a_part_of_the_schema() -> None:
    tables = [value for value in vars(optuna_tables).values() if isinstance(value, sqlalchemy.TableClause)]
    assert len(tables) == 5
    for table in tables:
        assert {column.name for column in table.columns} <= SCHEMA[table.name].keys()


def test_no_other_file_has_sql_on_optunas_tables() -> None:
    sql = re.compile(rf"\b(FROM|JOIN|INTO|UPDATE) ({'|'.join(SCHEMA)})\b|_rdb\.models|\b\w*_(user|system)_attributes\"")
    paths = [path for folder in ("tal_search", "dashboards") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in paths if sql.search(path.read_text())] == ["optuna_tables.py"]


@pytest.fixture(params=["EST5", "UTC"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def templates() -> list[FrozenTrial]:
    """A running trial, and complete ones with numbers that SQL has no word for."""
    distributions = {
        "lambda_sep": FloatDistribution(0.25, 4.0, log=True),
        "affinity": CategoricalDistribution((True, None)),
    }
    values = [0.5, float("inf"), -float("inf")]
    attributes = {"empty": None, "result": {"mAP": [0.5, 0.25]}}
    running = create_trial(
        state=TrialState.RUNNING, params={}, distributions={}, system_attrs={"rung": [0.5, values[1]]}
    )
    return [running] + [
        create_trial(
            params={"lambda_sep": 0.25 * 4**number, "affinity": (True, None)[number % 2]}, distributions=distributions,
            value=value, user_attrs=attributes,
        )
        for number, value in enumerate(values)
    ]  # fmt: skip


@pytest.mark.usefixtures("zone")
def test_trials_written_at_once_are_those_that_optuna_writes(tmp_path: Path) -> None:
    trials, found = templates(), []
    for ours in (True, False):
        url = f"sqlite:///{tmp_path / f'{ours}.db'}"
        storage = RDBStorage(url)
        study = storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "s")
        if ours:
            written = optuna_tables.add_trials(storage.engine, study, trials[:1], {"of": "study"}, key="a")
            written += optuna_tables.add_trials(storage.engine, study, trials[1:], key="b")
            assert [number for _, number in written] == [0, 1, 2, 3]
            attributes = storage.get_study_system_attrs(study)
            assert attributes["of"] == "study"
            assert attributes.keys() == {"of", optuna_tables.LAST_ADDED}
        else:
            for trial in trials:
                storage.create_new_trial(study, template_trial=trial)
        storage.remove_session()
        storage.engine.dispose()
        found.append(trials_of(url, "s"))
    assert found[0] == found[1]
    assert [(t.state, t.params, t.user_attrs) for t in found[0]] == [(t.state, t.params, t.user_attrs) for t in trials]
    assert [(t.datetime_start, t.datetime_complete) for t in found[0]] == [
        (t.datetime_start, t.datetime_complete) for t in trials
    ]


@pytest.mark.usefixtures("zone")
def test_an_updated_trial_is_the_one_that_optuna_updates(tmp_path: Path) -> None:
    """Each change is made twice, as after an answer that was lost."""
    found, running = list[FrozenTrial](), templates()[0]
    curve, more = {1: 0.5, 2: float("nan")}, {2: float("inf"), 3: 0.25}
    before = datetime.now()
    for ours in (True, False):
        url = f"sqlite:///{tmp_path / f'{ours}.db'}"
        storage = RDBStorage(url)
        study = storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE] * 2, "s")
        trial = storage.create_new_trial(study, template_trial=running)
        if ours:
            update = partial(optuna_tables.update_trial, storage.engine, trial)
            for _ in range(2):
                update(curve=curve, system_attributes={"rung": [1, None]})
            for _ in range(2):
                update(attributes={"a": {"b": 1}}, curve=more, state=TrialState.COMPLETE, values=[0.5, -float("inf")])
        else:
            for step, value in [*curve.items(), *more.items()]:
                storage.set_trial_intermediate_value(trial, step, value)
            storage.set_trial_system_attr(trial, "rung", [1, None])
            storage.set_trial_user_attr(trial, "a", {"b": 1})
            storage.set_trial_state_values(trial, TrialState.COMPLETE, [0.5, -float("inf")])
        storage.remove_session()
        storage.engine.dispose()
        found += trials_of(url, "s")
    for trial in found:
        assert trial.datetime_complete is not None
        assert before <= trial.datetime_complete <= datetime.now()
        trial.datetime_complete = None
    assert found[0] == found[1]


def test_a_call_that_is_repeated_adds_its_trials_once(tmp_path: Path) -> None:
    storage = RDBStorage(f"sqlite:///{tmp_path / 'record.db'}")
    study, other = (storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], name) for name in ("s", "other"))
    add, trials = partial(optuna_tables.add_trials, storage.engine), templates()
    add(study, trials[:1], key="a")
    written = add(study, trials[1:], {"x": 1}, key="b")
    add(other, trials[:1], key="b")
    assert add(study, trials[1:], {"x": 1}, key="b") == written
    assert [number for _, number in written] == [1, 2, 3]
    assert add(study, trials[:1], key="a")[0][1] == 4, "only the last call can have been unanswered"
    assert [len(storage.get_all_trials(one)) for one in (study, other)] == [5, 1]
    storage.remove_session()
    storage.engine.dispose()


def test_failed_trials_run_again_with_their_parameters(tmp_path: Path) -> None:
    storage = RDBStorage(f"sqlite:///{tmp_path / 'record.db'}")
    study, other = (storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], name) for name in ("s", "other"))
    failed = create_trial(state=TrialState.FAIL, params={"a": 1.0}, distributions={"a": FloatDistribution(0.0, 1.0)})
    optuna_tables.add_trials(storage.engine, study, [failed, templates()[1]], key="a")
    optuna_tables.add_trials(storage.engine, other, [failed], key="b")
    optuna_tables.reopen_failed_trials(storage.engine, study)
    again, complete = storage.get_all_trials(study)
    assert (again.state, again.datetime_complete, again.params) == (TrialState.RUNNING, None, {"a": 1.0})
    assert complete.state == TrialState.COMPLETE
    assert [trial.state for trial in storage.get_all_trials(other)] == [TrialState.FAIL]
    storage.remove_session()
    storage.engine.dispose()
