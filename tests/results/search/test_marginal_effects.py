"""Marginal effects and the ablation path of sampler studies: beside slow ways to the same, and beside the truth."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tal_search.results.cell_table import cells
from tal_search.results.search import forest
from tal_search.results.search.ablation_path import ablation_path
from tal_search.results.search.marginal_effects import MOST_VALUES, grid, marginal_effects
from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.components import Runs
from tests.support.drawn_runs import study_of

Truth = Callable[[dict[str, Any]], float]
SETTINGS = {"strong": 0.5, "weak": 1, "idle": 10.0, "on": True, "size": 3}


def truth(cell: dict[str, Any]) -> float:
    """Points of mAP; `size` has a say where `on` is."""
    return 40 + 20 * cell["strong"] + cell["weak"] + cell["on"] * (5 + 0.5 * cell["size"])


def sampled(count: int = 60, noise: float = 0.3, best: Truth = truth) -> StudyFrame:
    """A sampler's cells, the centre first; two repeats a cell."""
    random = np.random.default_rng(0)
    found = [SETTINGS]
    for _ in range(count - 1):
        on = bool(random.random() < 0.6)
        found.append({
            "strong": float(random.random()), "weak": int(random.integers(1, 4)),
            "idle": float(np.exp(random.uniform(0, 4))), "on": on, "size": int(random.integers(1, 10)) if on else 3,
        })  # fmt: skip
    value = np.array([best(cell) for cell in found])[:, None] + noise * random.normal(size=(count, 2))
    runs = Runs(value=value, seed=np.arange(2), annotator=np.zeros(2, np.int64), single=np.zeros(count, np.bool_))
    return replace(study_of(runs, found, "sampler"), objectives={"mAP": "maximize"})


@pytest.fixture(scope="module")
def study() -> StudyFrame:
    return sampled()


def test_an_axis_that_is_heard_at_some_values_of_another_is_recognized(study: StudyFrame) -> None:
    found = forest.fitted(study)
    assert found is not None
    assert found.silent == {"size": {"on": (False,)}}
    assert found.has_say("size", found.cells).equals(found.cells["on"])
    assert found.has_say("weak", found.cells).all()


def test_marginal_effects_are_mean_predictions_over_the_cells_one_after_the_other(study: StudyFrame) -> None:
    found, table = forest.fitted(study), marginal_effects(study)
    assert found is not None
    heard = [cell for cell in found.cells.to_dict("records") if cell["on"]]
    for row in table[(table["name"] == "size") & table["value"].isin([1, 3])].to_dict("records"):
        rows = found.design(pd.DataFrame([{**cell, "size": row["value"]} for cell in heard]))
        values = [np.mean([tree.predict(one[None])[0] for tree in trees for one in rows]) for trees in found.trees[:1]]
        values += [np.mean([tree.predict(rows) for tree in trees]) for trees in found.trees[1:]]
        assert row["mean"] == pytest.approx(values[0])
        assert row["high"] - row["mean"] == pytest.approx(1.96 * np.std(values[1:], ddof=1))
    assert table.loc[table["name"] == "size", "value"].tolist() == sorted({*study.trials["size"]})


def test_effects_come_near_the_truth_and_an_idle_axis_is_flat(study: StudyFrame) -> None:
    table = marginal_effects(study).set_index("name")
    strong, idle, on = table.loc["strong"], table.loc["idle"], table.loc["on"]
    centre = strong[strong["centre"]].iloc[0]
    assert (centre["value"], centre["delta"]) == (0.5, 0.0)
    assert np.isnan(centre["delta low"])
    wanted = 20 * (strong["value"].astype(float) - 0.5)
    assert np.abs(strong["delta"] - wanted).max() < 3, "a forest flattens the ends"
    assert strong["delta low"].iloc[-1] > 0 > strong["delta high"].iloc[0]
    assert np.ptp(idle["mean"]) < 1
    assert on["value"].tolist() == [False, True]
    assert on["delta"].iloc[0] == pytest.approx(-(5 + 0.5 * 5), abs=2), "sizes where it is on, 5 on the average"
    assert table["symbol"].tolist() == [name[0] for name in table.index]


def test_values_span_the_range_on_the_scale_of_the_search_with_the_centre_among_them() -> None:
    many = pd.Series(np.geomspace(1, 50, 60))
    values, centre = grid(many, 10.0)
    assert len(values) == MOST_VALUES + 1
    assert values[centre or 0] == 10.0
    assert values[1] / values[0] == pytest.approx(50 ** (1 / 11))
    whole, _ = grid(pd.Series(range(8, 129)), 32)
    assert all(isinstance(one, int) for one in whole)
    assert grid(pd.Series([1.0, 2.0]), 7.0) == ([1.0, 2.0], None), "the centre was not tried"
    words, _ = grid(pd.Series(["b", None, "a"], dtype=object), "a")
    assert words[1:] == ["a", "b"]


def test_no_order_of_trials_changes_a_digit_and_no_centre_no_difference(study: StudyFrame) -> None:
    turned = replace(study, trials=study.trials.sample(frac=1, random_state=1).reset_index(drop=True))
    pd.testing.assert_frame_equal(marginal_effects(turned), marginal_effects(study), check_exact=True)
    pd.testing.assert_frame_equal(ablation_path(turned), ablation_path(study), check_exact=True)
    outside = marginal_effects(replace(study, centre={**study.centre, "strong": 7.0}))
    assert outside.loc[outside["name"] == "strong", "delta"].isna().all()
    assert outside.loc[outside["name"] == "weak", "delta"].notna().all()


def test_few_cells_and_other_plans_have_none_and_are_told_why(study: StudyFrame) -> None:
    few = replace(study, trials=study.trials.head(2 * 15))
    assert forest.unfitted(few) == "Marginal effects need 16 different finished cells; this study has 15."
    assert marginal_effects(few).empty
    assert ablation_path(few).empty
    assert "cells that differ in nothing else" in forest.unfitted(replace(study, plan="grid"))
    assert forest.unfitted(study) == ""


def test_the_held_out_score_is_what_is_explained_where_there_is_one(study: StudyFrame) -> None:
    held = replace(study, trials=study.trials.assign(holdout=70 - study.trials["mAP@0.5"] / 2))
    table = marginal_effects(held).set_index("name").loc["strong"]
    assert table["delta"].iloc[-1] < -3


def test_where_every_cell_was_run_the_path_is_the_greedy_one_of_their_means() -> None:
    settings = [dict(zip("abc", values, strict=True)) for values in itertools.product((0, 1, 2), repeat=3)]
    value = np.random.default_rng(5).normal(50, 5, (27, 1)) + np.zeros((27, 3))
    runs = Runs(value=value, seed=np.arange(3), annotator=np.zeros(3, np.int64), single=np.zeros(27, np.bool_))
    data = replace(study_of(runs, settings, "sampler"), objectives={"mAP": "maximize"})
    mean = {tuple(cell.values()): one for cell, one in zip(settings, value[:, 0].tolist(), strict=True)}
    best, here, wanted = max(mean, key=lambda cell: mean[cell]), (0, 0, 0), [(0, 0, 0)]
    while here != best:
        steps = [(*here[:at], best[at], *here[at + 1 :]) for at in range(3) if here[at] != best[at]]
        here = max(steps, key=lambda cell: mean[cell])
        wanted.append(here)
    found = ablation_path(data)
    assert found["mean"].tolist() == pytest.approx([mean[cell] for cell in wanted])
    assert found["gain"].iloc[1:].tolist() == pytest.approx(np.diff([mean[cell] for cell in wanted]).tolist())
    assert found["offset"].iloc[1:].tolist() == pytest.approx([0] * (len(wanted) - 1), abs=1e-9)
    assert set(found["source"]) == {"measured"}
    assert set(found["n"]) == {3}


def test_a_path_says_what_it_predicts_and_changes_an_axis_only_where_it_has_a_say(study: StudyFrame) -> None:
    off = replace(study, centre={**study.centre, "on": False})
    for data in (study, off):
        found, best = ablation_path(data), cells(data)["mAP@0.5"].max()
        assert found["source"].iloc[-1] == "measured"
        assert found["mean"].iloc[-1] == best
        assert found["source"].iloc[1:-1].eq("predicted").all()
        assert found["gain"].iloc[1:].tolist() == pytest.approx(found["predicted"].diff().iloc[1:].tolist())
        whole = found[["gain", "offset"]].iloc[1:].to_numpy().sum()
        assert whole == pytest.approx(best - found["mean"].iloc[0]), "nothing is lost between the two ends"
        middle = found.iloc[1:-1]
        assert middle["mean"].tolist() == middle["predicted"].tolist()
        assert found["name"].iloc[0] == ""
        assert found["name"].iloc[1:].is_unique
    assert ablation_path(study)["name"].iloc[1] == "strong"
    names = ablation_path(off)["name"].tolist()
    assert names.index("on") < names.index("size")
    assert ablation_path(study)["before"].iloc[1] == 0.5


def test_nothing_leads_from_the_centre_to_itself() -> None:
    assert ablation_path(sampled(best=lambda cell: 60.0 - 10 * (cell != SETTINGS))).empty
