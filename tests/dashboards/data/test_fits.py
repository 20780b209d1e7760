"""The dropdown of fits: which one is shown by default, and their names."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from tal_dashboards.data import fits
from tal_dashboards.data.fits import chooser, chosen_fit, offered, same
from tal_search.results.ranking import selected_by
from tal_search.trial.folder import TrialFolder
from tests.support.dashboard_parts import words
from tests.support.small_dashboards import Made


def detections(folder: TrialFolder) -> Path:
    return folder.detections


def test_the_default_is_the_first_repeat_of_the_best_cell(swept: Made) -> None:
    data = swept.read()
    cells = data.done.assign(cell=data.done[list(data.axes)].astype(str).agg(" ".join, axis=1))
    means = cells.groupby("cell")[selected_by(data)].mean()
    first = cells.sort_values(["seed", "annotator"], kind="stable").drop_duplicates("cell").set_index("cell")["key"]
    best, other = first[means.idxmax()], first[means.idxmin()]
    assert best != other
    assert chosen_fit(data, {}, detections) == chosen_fit(data, {"trial": "none"}, detections) == best
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


@pytest.mark.parametrize(
    ("method", "case", "annotator", "name"),
    [("basnet", "BaS-Net", "none", "BaS-Net · seed 0"),
     ("basnet", "BaS-Net 25 %", "none", "basnet · BaS-Net 25 % · seed 0"),
     ("sfnet", "reference", "S1", "sfnet · reference · seed 0 · S1")],
)  # fmt: skip
def test_a_fit_is_named_by_method_and_case(compared: Made, method: str, case: str, annotator: str, name: str) -> None:
    data = compared.read()
    known = {"case": case, "method": method, "seed": 0, "annotator": annotator, "own": False, "state": "done"}
    assert list(data.axes) == ["case"]
    assert fits.words(data, pd.Series(known)) == name


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
