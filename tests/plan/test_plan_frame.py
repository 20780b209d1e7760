"""The frame of a plan: a row a trial, in order, with results where there are any."""

from __future__ import annotations

import dataclasses

import numpy as np

from tal_search.plan.plan_frame import study_frame, symbols
from tests.support.small_plans import planned
from tests.support.small_trials import TIOU, make_result


def test_a_row_is_a_trial_with_its_result_or_without() -> None:
    plan = planned("quickstart")
    plan = dataclasses.replace(plan, protocol={**plan.protocol, "tiou": list(TIOU)})
    first = plan.trials[1]
    frame = study_frame(plan, plan.trials, {first.id: make_result(first.spec)})
    table = frame.trials
    assert list(table["key"]) == [trial.spec.key for trial in plan.trials]
    assert list(table["state"]) == ["open", "done", "open", "open", "open"]
    assert list(table["kernel_size"]) == [trial.cell["kernel_size"] for trial in plan.trials]
    assert table["mAP@0.5"][1] == 100 * make_result(first.spec).at(0.5)
    assert np.isnan(table["mAP@0.5"][0])
    assert frame.axes == {"lambda_sep": "λ", "kernel_size": "h"}


def test_every_setting_of_a_plan_has_a_symbol() -> None:
    plan = planned("thumos_grid")
    known = symbols(plan)
    assert known.keys() >= {*plan.axes, *(f"inference.{name}" for name in plan.inference)}
    assert all(known.values())
