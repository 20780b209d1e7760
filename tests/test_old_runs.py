"""What version 0.1.0 left opens: its trials are shown, and taken where a study accepts the change of code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tal_dashboards.data.reader import StudyReader
from tal_search.execution.driver import run_study
from tal_search.plan.plan import Plan, resolve
from tal_search.plan.preview import preview
from tal_search.study import load_study
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec

KEPT = Path(__file__).parent / "data" / "runs_of_0_1_0"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the folder that holds the study and its runs."""
    return Path(shutil.copytree(KEPT, tmp_path / "old"))


def plan_of(old: Path, *overrides: str) -> Plan:
    settings = [f"runs={old / 'runs'}", "resources.backend=inline", "resources.device=cpu", *overrides]
    return resolve(load_study("small", settings, old / "studies"))


def specs(old: Path) -> list[TrialSpec]:
    found = []
    for path in sorted((old / "runs" / "trials").iterdir()):
        content = json.loads((path / "spec.json").read_text())
        assert content.pop("key") == path.name
        found.append(TrialSpec.from_json(content))
    return found


def test_its_specifications_have_the_keys_they_had(old: Path) -> None:
    for spec in specs(old):
        result = TrialFolder.of(old / "runs", spec.key).result()
        assert result is not None
        assert result.key == spec.key


def test_its_trials_are_shown_with_their_scores(old: Path) -> None:
    data = StudyReader(old / "runs", "small")()
    assert set(data.trials["state"]) == {"done"}
    assert len(data.trials) == data.planned == 3
    by_key = {spec.key: TrialFolder.of(old / "runs", spec.key).results() for spec in specs(old)}
    kept = sorted(100 * value for found in by_key.values() for result in found.values() for value in result.mAP)
    shown = sorted(value for tiou in (0.1, 0.3, 0.5) for value in data.trials[f"mAP@{tiou:g}"])
    assert shown == pytest.approx(kept)
    assert max(shown) > 0


def test_they_are_taken_without_training_where_the_change_of_code_is_accepted(old: Path) -> None:
    before = {spec.key: TrialFolder.of(old / "runs", spec.key).results() for spec in specs(old)}
    outcome = run_study(plan_of(old, "accept_code_change=true"))
    assert not outcome.failed
    assert outcome.cached == len(outcome.finished) == 3
    assert {spec.key: TrialFolder.of(old / "runs", spec.key).results() for spec in specs(old)} == before
    assert len(list((old / "runs" / "trials").iterdir())) == 2


def test_without_that_they_are_planned_anew(old: Path) -> None:
    accepted, plain = (preview(plan_of(old, *settings)) for settings in (["accept_code_change=true"], []))
    assert (accepted.cached, accepted.to_train) == (3, 0)
    assert (plain.cached, plain.to_train) == (0, 2)
