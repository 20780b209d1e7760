"""Inference settings along a slider, and the best of several (rescoring: `views/test_playground.py`)."""

from __future__ import annotations

import math

from tal_dashboards.data.inference_settings import FIELDS, SLIDERS, SWEPT, Scored, along, at, best_on, slider_range
from tal_search.localization.inference import Inference

TIOU = (0.3, 0.5)


def test_every_slider_is_an_inference_setting() -> None:
    assert {*SLIDERS} <= {*FIELDS}


def test_a_slider_reaches_the_study_s_own_value() -> None:
    assert slider_range("nms", Inference(nms=0.3)) == SLIDERS["nms"]
    assert slider_range("outer_margin", Inference(outer_margin=200.0)) == (0.0, 200.0, 0.05)


def test_settings_along_a_slider_change_nothing_else_and_have_a_range_of_thresholds() -> None:
    base = Inference()
    swept = along(base, "nms")
    assert len(swept) == SWEPT
    assert {setting.nms for setting in swept} >= {0.05, 1.0}
    assert {setting.score_weight for setting in swept} == {base.score_weight}
    lows = along(Inference(activation_low=0.0, activation_high=0.5), "activation_low")
    assert all(setting.activation_low < 0.5 for setting in lows)
    assert len(lows) < SWEPT


def test_the_best_is_the_first_of_equals_and_none_without_scores() -> None:
    first, second = (Scored(Inference(nms=nms), (20.0, 10.0), None) for nms in (0.3, 0.5))
    third = Scored(Inference(), (50.0, 5.0), None)
    assert best_on("test", [first, second, third], TIOU, "0.5") is first
    assert best_on("test", [first, second, third], TIOU, "average") is third
    assert best_on("holdout", [first, third], TIOU, "0.5") is None
    assert math.isnan(at(None, TIOU, "0.5"))
