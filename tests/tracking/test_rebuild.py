"""A study's copy in MLflow made again from its folders and its record equals the first one."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tal_search.errors import InputError
from tal_search.files.sqlite_files import sqlite_url
from tal_search.plan.plan import Plan
from tal_search.record.driver_lock import lock_study
from tal_search.tracking.rebuild import rebuild
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialOutcome
from tests.support.mlflow_contents import contents, empty_database, give_database, local, runs_of, without_mlflow
from tests.support.small_plans import cell_spec, plan_of, run

FAILED, DONE = cell_spec(1, raises="out of luck"), cell_spec(0)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A study of a finished and a failed trial, with the copy that its run made."""
    plan = plan_of(tmp_path_factory.mktemp("first") / "runs", [DONE, FAILED], mlflow=True)
    outcome, _ = run(plan)
    assert (len(outcome.finished), len(outcome.failed), outcome.copied) == (1, 1, True)
    for spec in (DONE, FAILED):
        TrialFolder.of(plan.study.runs, spec.key).write_spec(spec)
    return plan


@pytest.fixture
def bare(copied: Plan, tmp_path: Path) -> Plan:
    """The same study in another folder, without its copy."""
    runs = without_mlflow(Path(shutil.copytree(copied.study.runs, tmp_path / "runs")))
    (runs / "grid" / "mlflow.jsonl").unlink()
    give_database(runs)
    return replace(copied, study=replace(copied.study, runs=runs))


@pytest.mark.parametrize("version", ["today's", "earlier"])
def test_it_equals_the_first_copy_and_rebuilding_again_changes_nothing(
    version: str, copied: Plan, bare: Plan, tmp_path: Path
) -> None:
    folder = TrialFolder.of(bare.study.runs, FAILED.key)
    if version == "earlier":  # whose folders do not tell that a trial failed
        folder.forget_outcome()
        assert folder.outcome().state == "unfinished"
    first = contents(local(copied.study.runs), tmp_path)
    costs = [{name: points for name, points in run["metrics"].items() if "annotation" in name} for run in first]
    assert {} in costs, "a failed trial has no result"
    value, total = bare.cost(DONE)
    assert total is None
    assert {"annotation_seconds": [(3, value)]} in costs
    assert {run["tags"].get("reason") for run in first} == {None, "ValueError: out of luck"}
    for _ in range(2):
        assert rebuild(bare).startswith("2 trained trials of grid are in ")
        assert contents(local(bare.study.runs), tmp_path) == first
    assert runs_of(local(bare.study.runs))[0].info.status == "FAILED"


def test_what_another_study_or_damage_left_in_a_folder_changes_nothing(
    copied: Plan, bare: Plan, tmp_path: Path
) -> None:
    folder = TrialFolder.of(bare.study.runs, FAILED.key)
    folder.write_outcome(TrialOutcome("pruned"))  # by a study that stopped the same fit early
    (folder.path / "spec.json").write_text("{")
    assert rebuild(bare).startswith("2 trained trials of grid are in ")
    assert contents(local(bare.study.runs), tmp_path) == contents(local(copied.study.runs), tmp_path)


def test_a_fit_whose_folder_is_gone_is_left_out(bare: Plan) -> None:
    shutil.rmtree(TrialFolder.of(bare.study.runs, FAILED.key).path)
    assert rebuild(bare).startswith("1 trained trials of grid are in ")
    assert [run.data.tags["key"] for run in runs_of(local(bare.study.runs))[1]] == [DONE.key]


def test_a_study_that_never_ran_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"record\.db does not exist; run the study first"):
        rebuild(plan_of(tmp_path, [DONE], mlflow=True))


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0


def metrics_of(plan: Plan) -> list[dict[str, float]]:
    """The last value of each metric, as MLflow's tables of runs show them."""
    return [run.data.metrics for run in runs_of(local(plan.study.runs))[1] if run.data.tags["key"] == DONE.key]


@pytest.mark.parametrize(
    "changed",
    ["latest_metrics SET value = value + 1 WHERE key = 'mAP/0.5'", "params SET value = '9' WHERE key = 'epochs'"],
)
def test_a_run_with_other_values_is_made_again(changed: str, copied: Plan, bare: Plan, tmp_path: Path) -> None:
    rebuild(bare)
    (child,) = [run for run in runs_of(local(bare.study.runs))[1] if run.data.tags["key"] == DONE.key]
    change(bare.study.runs / "mlflow.db", f"UPDATE {changed} AND run_uuid = '{child.info.run_id}'")
    first = contents(local(copied.study.runs), tmp_path)
    rebuild(bare)
    assert contents(local(bare.study.runs), tmp_path) == first
    assert metrics_of(bare) == metrics_of(copied)


def test_only_the_database_of_the_study_has_to_be_sound(bare: Plan, tmp_path: Path) -> None:
    change(
        bare.study.runs / "mlflow.db",
        "CREATE TABLE broken (a)",
        "INSERT INTO broken VALUES (NULL)",
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE broken (a NOT NULL)' WHERE name = 'broken'",
    )
    with pytest.raises(InputError, match=r"mlflow\.db is damaged \(NULL value in broken\.a\); move it away"):
        rebuild(bare)
    (tmp_path / "other.db").write_bytes(empty_database())
    tracking = replace(bare.study.tracking, uri=sqlite_url(tmp_path / "other.db"), artifacts=str(tmp_path / "files"))
    assert rebuild(replace(bare, study=replace(bare.study, tracking=tracking))).startswith("2 trained trials of grid")


def test_the_record_is_read_as_it_is_when_no_driver_can_change_it_any_more(
    bare: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = bare.study.runs / "grid" / "record.db"

    @contextmanager
    def after_another_driver(*arguments: Any) -> Iterator[Any]:
        record.with_name("record.db.sha256").unlink()
        change(record, "UPDATE trials SET state = 'RUNNING' WHERE state = 'FAIL'")
        with lock_study(*arguments) as lock:
            yield lock

    monkeypatch.setattr("tal_search.tracking.rebuild.lock_study", after_another_driver)
    assert rebuild(bare).startswith("1 trained trials of grid are in ")
