"""View 4 against what the trials recorded and against the evaluator."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tal_dashboards.app.components import name_of
from tal_dashboards.data.inference_settings import (
    SLIDERS,
    SWEPT,
    Scored,
    along,
    best_on,
    own_inference,
    rescored,
    slider_range,
)
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.views import playground
from tal_dashboards.views.playground import CHOSEN, HOLDOUT, LEAKY, OWN, chosen_settings
from tal_search.data.splits import restrict
from tal_search.errors import InputError
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.average_precision import score
from tests.support.presets import preset_of


def shown(study: StudyData, **selection: str) -> playground.PlaygroundInfo:
    found = playground.info(study, {name.replace("__", "-"): value for name, value in selection.items()})
    assert found is not None
    return found


def directly(study: StudyData, key: str, inference: Inference, split: str) -> tuple[float, ...]:
    """mAP in percent from the files of the fit, without any of the code under test."""
    folder = study.folder(key)
    kept = Activations.load(folder.cas if split == "test" else folder.holdout_cas)
    truth = study.truth(key) if split == "test" else restrict(study.truth(key, "train"), kept.videos)
    return tuple(100 * v for v in score(truth, localize(kept, truth.classes, inference), study.tiou, subset="any").mAP)


def test_every_recorded_setting_scores_again_exactly_as_the_record_has_it(small_study: StudyData) -> None:
    for row in small_study.done.to_dict("records"):
        found = shown(small_study, trial=row["key"], playground__nms=str(row["inference.nms"]))
        chosen = found.settings[CHOSEN]
        assert chosen.inference == replace(Inference(**small_study.inference), nms=row["inference.nms"])
        assert chosen.test == tuple(row[f"mAP@{tiou:g}"] for tiou in small_study.tiou)
        assert chosen.holdout is not None
        assert chosen.holdout[small_study.tiou.index(0.5)] == row["holdout"]
        at_centre = row["inference.nms"] == small_study.centre["inference.nms"]
        assert (found.settings[OWN] == chosen) == at_centre
        assert found.key == row["key"]


def test_a_sweep_scores_as_the_evaluator_does_on_both_splits(small_study: StudyData) -> None:
    found = shown(small_study, playground__sweep="score_weight", playground__outer_margin="0.4")
    assert found.varied == "score_weight"
    assert [one.inference.score_weight for one in found.swept] == pytest.approx(np.linspace(0, 1, SWEPT))
    for one in found.swept[::5]:
        assert one.inference.outer_margin == 0.4
        assert one.test == directly(small_study, found.key, one.inference, "test")
        assert one.holdout == directly(small_study, found.key, one.inference, "holdout")
    assert len({one.test for one in found.swept}) > 3, "settings that make no difference would prove nothing"


def test_the_best_are_of_all_settings_known_and_each_is_called_what_it_is(small_study: StudyData) -> None:
    key = small_study.done["key"].iloc[-1]
    mine = small_study.done[small_study.done["key"] == key]
    found = shown(small_study, trial=key)
    trained = small_study.folder(key).result()
    assert trained is not None
    assert trained.holdout_mAP is not None
    place = small_study.tiou.index(0.5)
    for role, split, column in ((HOLDOUT, "holdout", "holdout"), (LEAKY, "test", "mAP@0.5")):
        values = found.settings[role].on(split)
        own = trained.holdout_mAP if split == "holdout" else trained.mAP
        assert values is not None
        assert values[place] == max([*mine[column], 100 * own[place]])
    drawn = playground.figures(found)["mAP by tIoU"]
    symbols = {trace.name: trace.marker.symbol for trace in drawn.data}
    assert list(symbols) == [OWN, CHOSEN, HOLDOUT, LEAKY]
    assert [name for name, symbol in symbols.items() if symbol.endswith("-open")] == [LEAKY]
    assert (drawn.layout.xaxis.title.text, drawn.layout.yaxis.title.text) == ("tIoU threshold", "test mAP (%)")


def test_without_held_out_videos_nothing_is_called_best_on_them() -> None:
    settings = [Scored(Inference(nms=nms), (10.0, nms), None) for nms in (0.3, 0.7, 0.5)]
    assert best_on("holdout", settings, (0.3, 0.5), "0.5") is None
    best = best_on("test", settings, (0.3, 0.5), "0.5")
    assert best is not None
    assert best.inference.nms == 0.7
    assert best_on("test", settings, (0.3, 0.4), "average") == best


def test_the_sweep_marks_its_best_by_split_and_the_leaky_one_is_hollow(small_study: StudyData) -> None:
    found = shown(small_study, playground__sweep="nms")
    drawn = playground.figures(found)["along a slider"]
    traces = {trace.name: trace for trace in drawn.data}
    assert set(traces) == {"test videos", "holdout videos", HOLDOUT, LEAKY}
    assert traces[LEAKY].y[0] == max(traces["test videos"].y)
    assert traces[HOLDOUT].y[0] == max(traces["holdout videos"].y)
    assert (traces[HOLDOUT].marker.symbol, traces[LEAKY].marker.symbol) == ("star", "star-open")
    assert drawn.layout.xaxis.title.text == "tIoU_NMS (nms)"
    tables = playground.tables(found)
    assert tables["along a slider"]["mAP@0.5"].tolist() == list(traces["test videos"].y)
    assert tables["settings"]["settings"].tolist() == [OWN, CHOSEN, HOLDOUT, LEAKY]


def test_selections_out_of_range_are_passed_over_and_crossed_thresholds_are_a_sentence(small_study: StudyData) -> None:
    strange = {"playground-nms": "7", "playground-outer_margin": "nan", "playground-score_weight": "<b>", "trial": "x"}
    found = playground.info(small_study, {**strange, "playground-sweep": "../x"})
    assert found is not None
    assert found.settings[CHOSEN] == found.settings[OWN]
    assert found.swept == []
    crossed = {"playground-activation_low": "0.5", "playground-activation_high": "0.25"}
    with pytest.raises(InputError, match=r"θ_low is 0\.5 and θ_high is 0\.25; the first must be smaller"):
        playground.info(small_study, crossed)
    assert "the first must be smaller" in str(playground.layout(small_study, crossed))


def test_a_slider_reaches_the_study_s_own_value_and_other_settings_stay(small_study: StudyData) -> None:
    """HACS's margin is 200 run lengths, and it has no attention proposals."""
    hacs = Inference(**preset_of("backtal", "hacs", "paper").inference)
    assert slider_range("outer_margin", hacs)[:2] == (0.0, 200.0)
    assert slider_range("outer_margin", Inference()) == SLIDERS["outer_margin"]
    chosen = chosen_settings(hacs, {"playground-outer_margin": "120", "playground-nms": "0.5"})
    assert chosen == replace(hacs, outer_margin=120.0, nms=0.5)
    assert along(hacs, "outer_margin")[-1] == hacs
    key = small_study.done["key"].iloc[0]
    settings = [replace(Inference(), class_threshold=0.0, attention_proposals=on) for on in (True, False, True)]
    found = rescored(small_study, key, settings)
    assert [one.test for one in found] == [directly(small_study, key, one, "test") for one in settings]
    assert found[0].test == found[2].test != found[1].test


def test_the_study_s_settings_are_the_centre_s_where_the_fit_was_scored_with_them(small_study: StudyData) -> None:
    key = small_study.done["key"].iloc[0]
    assert own_inference(small_study, key) == Inference(**small_study.inference)
    other = replace(small_study, inference={**small_study.inference, "nms": 0.123})
    trained = json.loads((small_study.folder(key).path / "spec.json").read_text())["inference"]
    assert own_inference(other, key) == Inference(**trained)
    assert own_inference(other, key).class_threshold != Inference(**small_study.inference).class_threshold


def test_a_page_has_a_slider_for_each_setting_at_the_study_s_value(small_study: StudyData) -> None:
    page = playground.layout(small_study, {"playground-nms": "0.4"})
    values = {name: page[name_of(f"playground-{name}")].value for name in SLIDERS}
    assert values["nms"] == 0.4
    assert values["class_threshold"] == small_study.inference["class_threshold"] == 0.04
