"""Types of a trial: keys, results as JSON, and the score that trials are compared by."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tal_search.trial.trial_types import TrialResult, TrialSpec, objective, setting_name
from tests.support.small_trials import make_result, make_spec

RESULT = make_result(make_spec())


def test_a_specification_survives_json() -> None:
    spec = replace(make_spec(1), settings=({"nms": 0.3},))
    assert TrialSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_key_depends_on_the_experiment_and_not_on_what_a_study_wants_of_it() -> None:
    spec = make_spec()
    assert replace(spec, settings=({"nms": 0.3},), cell={"lambda_sep": 1.0}).key == spec.key
    others = [replace(spec, seed=1), replace(spec, code_version="2"), replace(spec, inference={"nms": 0.4})]
    assert len({spec.key, *(other.key for other in others)}) == 4


@pytest.mark.parametrize("holdout", [None, (0.3, 0.2, 0.1)])
def test_a_result_survives_json(holdout: tuple[float, ...] | None) -> None:
    result = replace(RESULT, holdout_mAP=holdout)
    assert TrialResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_a_result_of_an_earlier_version_has_all_its_seconds_in_one() -> None:
    content = {name: value for name, value in RESULT.to_json().items() if name != "scoring_seconds"}
    assert TrialResult.from_json(content).wall_seconds == RESULT.seconds


def test_a_metric_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="has a metric that is not finite: nan"):
        replace(RESULT, mAP=(0.1, float("nan"), 0.3))


def test_trials_are_compared_on_held_out_videos_if_there_are_any() -> None:
    assert objective(RESULT) == RESULT.at(0.5)
    assert objective(replace(RESULT, holdout_mAP=(0.3, 0.2, 0.1))) == 0.2
    assert objective(replace(RESULT, tiou=(0.1, 0.2, 0.3))) == pytest.approx(sum(RESULT.mAP) / 3)


def test_the_name_of_a_setting_does_not_depend_on_the_order_of_its_keys() -> None:
    assert setting_name({"nms": 0.3, "trim": 0.0}) == setting_name({"trim": 0.0, "nms": 0.3})
    assert setting_name({"nms": 0.3}) != setting_name({"nms": 0.4})
