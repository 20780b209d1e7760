"""The ablation path beside a greedy search over measured means."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tal_search.results.cell_table import cells
from tal_search.results.search.ablation_path import ablation_path
from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.runs import Runs
from tests.support.drawn_runs import study_of
from tests.support.sampled_study import SETTINGS, sampled


@pytest.fixture(scope="module")
def study() -> StudyFrame:
    return sampled()


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
