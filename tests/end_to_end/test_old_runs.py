"""What version 0.1.0 left opens: its trials are shown, and stay when the study is begun anew with today's settings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tal_dashboards.data.reader import StudyReader
from tal_search.errors import InputError
from tal_search.execution.driver import run_study
from tal_search.plan.plan import Plan, resolve
from tal_search.plan.preview import preview
from tal_search.study import load_study
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec
from tests.support.paths import FIXTURES

KEPT = FIXTURES / "runs_of_0_1_0"


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


def test_they_are_not_taken_for_what_the_study_means_today(old: Path) -> None:
    """SF-Net has settings that 0.1.0 did not know, and its presets another class rule: equal but for code is none."""
    before = {spec.key: TrialFolder.of(old / "runs", spec.key).results() for spec in specs(old)}
    for settings in ([], ["accept_code_change=true"]):
        found = preview(plan_of(old, *settings))
        assert (found.cached, found.to_train) == (0, 2)
    with pytest.raises(InputError, match=r"other settings .*inference\.class_threshold was 0\.5, .*study\.fork"):
        run_study(plan_of(old, "accept_code_change=true"))
    outcome = run_study(plan_of(old, "study.fork=again"))
    assert not outcome.failed
    assert (outcome.cached, len(outcome.finished)) == (0, 3)
    after = {path.name: TrialFolder(path).results() for path in (old / "runs" / "trials").iterdir()}
    assert before.items() <= after.items()
