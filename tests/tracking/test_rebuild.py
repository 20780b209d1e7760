"""A study's copy in MLflow made again from its folders and its record equals the first one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.plan.plan import Plan
from tal_search.tracking.rebuild import rebuild
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialOutcome
from tests.support.mlflow_contents import contents, give_database, local, runs_of, without_mlflow
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
