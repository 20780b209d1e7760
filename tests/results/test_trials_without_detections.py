"""The note above tables of studies with trials that detect nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tal_search.plan.plan_frame import study_frame
from tal_search.results.trials import StudyFrame, silent_note
from tests.support.small_plans import cell_spec, plan_of


@pytest.fixture
def study(tmp_path: Path) -> StudyFrame:
    plan = plan_of(tmp_path, [cell_spec(seed) for seed in range(3)])
    return study_frame(plan, plan.trials, {})


def changed(study: StudyFrame, detections: list[float], reasons: list[str]) -> str:
    trials = study.trials.head(len(detections)).assign(detections=detections, reason=reasons, state="done")
    return silent_note(replace(study, trials=trials))


def test_a_study_whose_trials_all_detect_something_has_no_note(study: StudyFrame) -> None:
    assert changed(study, [3.0, np.nan], ["", "no detection of 1 of 6 classes: B"]) == ""
    without = pd.DataFrame({"state": ["done"]})
    assert silent_note(replace(study, trials=without)) == ""


def test_trials_without_detections_are_counted_with_the_first_reason(study: StudyFrame) -> None:
    count = "2 of 3 finished trials without detections, whose mAP is therefore 0"
    assert changed(study, [0.0, 5.0, 0.0], ["", "", ""]) == f"{count}."
    assert changed(study, [0.0, 5.0, 0.0], ["no detections: why", "", "no detections: why"]) == f"{count}: why."
    assert changed(study, [0.0, 5.0, 0.0], ["no detections: one", "", "no detections: other"]) == (
        f"{count}: one (and 1 more reasons, in the list of trials)."
    )
