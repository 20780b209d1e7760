"""What running a study would mean: counts and an estimate from finished trials."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.search.plan import Plan, preview, resolve
from tal_search.study import load_study
from tal_search.trial_folder import TrialFolder
from tal_search.types import TrialResult

STUDIES = Path(__file__).resolve().parents[1] / "studies"


def planned(name: str, *overrides: str) -> Plan:
    return resolve(load_study(name, ["search.repeats.seeds=[0]", *overrides], STUDIES))


def finish(plan: Plan, count: int, seconds: float) -> None:
    """Write what a finished trial leaves, for the first trials of a plan."""
    for spec in plan.specs[:count]:
        folder = TrialFolder.of(plan.study.runs, spec.key)
        folder.write_spec(spec)
        result = TrialResult(
            key=spec.key, selected_epoch=1, tiou=(0.5,), mAP=(0.3,), holdout_mAP=None, best_on_test_epoch=1,
            best_on_test_mAP=0.3, detections=1, parameters=1, seconds=seconds,
        )  # fmt: skip
        folder.write_result(result)


def test_preview_counts_and_estimates(tmp_path):
    plan = planned("quickstart", f"runs={tmp_path}", "backend=inline")
    assert preview(plan) == (5, 1, 5, 0, 5, None)
    finish(plan, 2, seconds=7.0)
    (tmp_path / "trials" / "broken").mkdir()
    (tmp_path / "trials" / "broken" / "result.json").write_text("{")
    found = preview(plan)
    assert found[:5] == (5, 1, 5, 2, 3)
    assert found.seconds == pytest.approx(21.0)
    two = preview(planned("quickstart", f"runs={tmp_path}", "resources.concurrent_trials=2"))
    assert two.seconds == pytest.approx(10.5)
    longer = preview(planned("quickstart", f"runs={tmp_path}", "backend=inline", "hyperparameters.epochs=80"))
    assert longer.done == 0
    assert longer.seconds == pytest.approx(5 * 14.0)
    assert preview(planned("quickstart", f"runs={tmp_path}", "dataset.snippets=50")).seconds is None
    finish(plan, 5, seconds=7.0)
    assert preview(plan) == (5, 1, 5, 5, 0, 0.0)
