"""Problems that show once the dataset of a study is found: one sentence each, with the place of the key."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tal_search.errors import InputError
from tal_search.localization.inference import Inference
from tal_search.plan.plan_problems import ends, narrowest, repeat_problems, threshold_problems
from tal_search.study import Study, load_study
from tests.support.paths import STUDIES
from tests.support.small_plans import planned

SAMPLER = ["search.plan=sampler", "~search.axes", "budget.trials=8"]
SPACE = "search.space={lambda_sep:{low:.5,high:2},affinity:[true,false]}"
THRESHOLDS = "search.space={inference.activation_low:{low:.1,high:.4},inference.activation_high:{low:.3,high:.9}}"


def study(*overrides: str) -> Study:
    return load_study("quickstart", overrides, STUDIES)


@pytest.mark.parametrize(
    ("overrides", "annotators", "problem"),
    [
        ((*SAMPLER, SPACE, "search.repeats.seeds=[0,1,2]"), 3, "budget.trials is 8, but one cell has 9 trials"),
        ((*SAMPLER, SPACE, "search.repeats.seeds=[0,1]"), 3, ""),
        (("search.repeats.until={interval:1,at_most:5}",), 2, ""),
        (
            ("search.repeats.until={interval:1,at_most:5}", "search.repeats.seeds=[0,1,2,3,4]"), 1,
            "search.repeats.until.at_most is 5, but a cell has 5 repeats (seeds x annotators); give more",
        ),
    ],
)  # fmt: skip
def test_repeats_must_suffice(overrides: Sequence[str], annotators: int, problem: str) -> None:
    if "until" in overrides[0]:
        overrides = ("search.repeats.seeds=[0]", *overrides)
    found = repeat_problems(study(*overrides), annotators)
    assert len(found) == bool(problem)
    assert all(problem in sentence for sentence in found)


def test_an_empty_range_of_thresholds_is_reported_once() -> None:
    cells = [({}, Inference(activation_low=0.5, activation_high=0.4))] * 2
    (problem,) = threshold_problems(study(), cells)
    assert problem.endswith("activation_low is 0.5 and inference.activation_high is 0.4; the first must be smaller")
    assert threshold_problems(study(), [({}, Inference())]) == []


def test_a_space_is_tried_at_its_ends_and_at_its_narrowest_thresholds() -> None:
    assert list(ends(study(*SAMPLER, SPACE))) == [
        {"lambda_sep": 0.5}, {"lambda_sep": 2.0}, {"affinity": True}, {"affinity": False},
    ]  # fmt: skip
    wide = study(*SAMPLER, THRESHOLDS.replace("high:.4", "high:.2"))
    assert narrowest(wide) == {"inference.activation_low": 0.2, "inference.activation_high": 0.3}
    with pytest.raises(InputError, match=r"activation_low is 0\.4 and inference\.activation_high is 0\.3"):
        planned("quickstart", *SAMPLER, THRESHOLDS)
