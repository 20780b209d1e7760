"""The dropdown of fits: which one is shown by default, and their names."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from tal_dashboards.data.fits import chooser, chosen_fit, offered, same
from tal_search.trial.folder import TrialFolder
from tests.support.dashboard_parts import words
from tests.support.small_dashboards import Made


def detections(folder: TrialFolder) -> Path:
    return folder.detections


def test_the_default_is_a_fit_at_the_centre(swept: Made) -> None:
    data = swept.read()
    centre = data.done.loc[data.is_centre(data.done), "key"].iloc[0]
    other = data.done.loc[~data.is_centre(data.done), "key"].iloc[0]
    assert chosen_fit(data, {}, detections) == chosen_fit(data, {"trial": "none"}, detections) == centre
    assert chosen_fit(data, {"trial": other}, detections) == other
    assert chosen_fit(data, {}, lambda folder: folder.path / "none") is None


def test_every_fit_is_offered_once_the_chosen_ones_first(swept: Made) -> None:
    data = swept.read()
    last = data.trials.sort_values(data.score)["key"].iloc[0]
    options = offered(data, last)
    assert next(iter(options)) == last
    assert {*options} == {*data.trials["key"]}
    centre = data.trials[data.is_centre(data.trials)].iloc[0]
    assert options[centre["key"]] == (
        f"centre · seed {centre['seed']} · {centre['annotator']} · {centre[data.score]:.1f} %"
    )
    assert any(name.startswith("λ = 0.25 · seed 0") for name in options.values())


def test_the_dropdown_says_if_the_selected_fit_cannot_be_shown(swept: Made) -> None:
    data = swept.read()
    first, second = data.trials["key"].iloc[[0, -1]]
    assert "has no files for this view" in words(chooser(data, {"trial": first}, second))
    assert "has no files" not in words(chooser(data, {"trial": "none"}, second))


@pytest.mark.parametrize(
    ("value", "centre", "equal"),
    [(1, 1, True), (1, 2, False), (None, None, True), (math.nan, None, True), (0, None, False), ("a", "a", True)],
)
def test_none_equals_a_missing_value(value: object, centre: object, equal: bool) -> None:
    assert same(value, centre) is equal
    assert same(value, centre) is bool(pd.isna(value) if centre is None else value == centre)
