"""Which cells are one method, and which a line joins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tal_search.results.budgets.curves import curves, method_names
from tal_search.results.trials import StudyFrame
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import ACTION_CLICKS, VIDEO_LABELS
from tests.support.drawn_budgets import budgets_of
from tests.support.small_trials import make_spec


def study_of_cases(names: list[str]) -> StudyFrame:
    return replace(budgets_of({(1, 1.0): 1.0}), axes={"case": "case"}, centre={"case": names[0]}, plan="cases")


def spec(
    method: str = "backtal", reads: tuple[str, ...] = (VIDEO_LABELS,), epochs: int = 3, **shares: float
) -> TrialSpec:
    made = make_spec(0)
    hyperparameters = {**made.hyperparameters, "epochs": epochs}
    dataset = replace(made.dataset, shares=shares)
    return replace(made, method=method, hyperparameters=hyperparameters, dataset=dataset, supervision=reads)


def named(specs: dict[str, TrialSpec], missing: tuple[str, ...] = ()) -> tuple[pd.Series, pd.Series]:
    names = [*specs, *missing]
    return method_names(study_of_cases(names), pd.DataFrame({"case": names}), specs)


def test_cases_that_differ_in_budgets_and_length_of_training_are_one_method_named_as_they_begin() -> None:
    specs = {
        "SF-Net": spec("sfnet"), "SF-Net 10 % of videos": spec("sfnet", epochs=30, videos=0.1), "ASL": spec("asl"),
        "ASL 10 % of videos": spec("asl", videos=0.1), "ASL 10 % of instances": spec("asl", instances=0.1),
    }  # fmt: skip
    methods, shares = named(specs)
    assert methods.tolist() == ["SF-Net", "SF-Net", "ASL", "ASL", "ASL"]
    assert curves(methods, shares) == {
        ("SF-Net", "videos"): [0, 1], ("ASL", "videos"): [2, 3], ("ASL", "instances"): [2, 4],
    }  # fmt: skip


def test_cases_named_by_their_budget_have_the_name_of_the_method() -> None:
    methods, shares = named({"100 %": spec(), "0 %": spec(background_clicks=0.0), "50 %": spec(background_clicks=0.5)})
    assert set(methods) == {"backtal"}
    assert curves(methods, shares) == {("backtal", "background clicks"): [0, 1, 2]}


def test_a_case_that_reads_no_clicks_has_none_of_the_budget_of_its_method() -> None:
    methods, shares = named({"all": spec(reads=(VIDEO_LABELS, ACTION_CLICKS)), "none": spec()})
    assert shares.tolist() == [{}, {ACTION_CLICKS: 0.0}]
    assert curves(methods, shares) == {("backtal", ACTION_CLICKS): [0, 1]}


def test_cases_with_equal_budgets_that_train_longer_are_two_methods() -> None:
    methods, _ = named({"short": spec(), "long": spec(epochs=9)})
    assert methods.tolist() == ["short", "long"]


def test_a_case_whose_folder_is_gone_is_a_method_of_its_own() -> None:
    methods, shares = named({"SF-Net": spec("sfnet")}, ("SF-Net 10 % of videos",))
    assert methods.tolist() == ["SF-Net", "SF-Net 10 % of videos"]
    assert curves(methods, shares) == {}


@pytest.mark.parametrize("limits", [(1.0, None), (1.0, 2.0)])
def test_clicks_per_minute_are_a_budget_too(limits: tuple[float, float | None]) -> None:
    made = {f"{limit}": replace(spec(), dataset=replace(spec().dataset, clicks_per_minute=limit)) for limit in limits}
    methods, shares = named(made)
    assert curves(methods, shares) == {("backtal", "clicks per minute"): [0, 1]}


def test_a_grid_of_two_budgets_has_lines_over_one_of_them() -> None:
    shares: list[dict[str, Any]] = [
        {"videos": videos, "instances": some} for videos in (0.1, 0.5) for some in (0.2, 0.4)
    ]
    found = curves(pd.Series(["asl"] * 4), pd.Series(shares, dtype=object))
    assert sorted(found.values()) == [[0, 2], [1, 3]]


def test_cases_of_other_sampling_are_other_methods() -> None:
    rescaled, part = spec("sfnet"), spec("sfnet", videos=0.1)
    native = replace(part, dataset=replace(part.dataset, sampling={"training": {"kind": "native"}}))
    assert named({"SF-Net": rescaled, "SF-Net 10 %": part})[0].nunique() == 1
    assert named({"SF-Net": rescaled, "SF-Net native 10 %": native})[0].nunique() == 2
