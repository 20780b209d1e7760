"""For each rule, activations in which localization finds nothing, and the condition that they fail."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.localization.no_detections import why_silent

CLASSES = ("A", "B", "C")


def made(**changed: Any) -> Activations:
    """Four videos of ten snippets in which every rule finds something."""
    generator = np.random.default_rng(0)
    cas = generator.random((4, 4, 10))
    streams = {
        "stream_cas": generator.random((4, 2, 3, 10)), "stream_attention": generator.random((4, 2, 10)),
        "stream_scores": generator.random((4, 2, 3)),
    }  # fmt: skip
    whole = Activations(
        videos=("v1", "v2", "v3", "v4"), cas=cas, attention=generator.random((4, 10)), scores=generator.random((4, 4)),
        duration=np.full(4, 20.0), frames=np.full(4, 160), **streams,
    )  # fmt: skip
    return dataclasses.replace(whole, **changed)


def test_the_example_has_detections_under_every_rule() -> None:
    for rule in ("thresholds", "basnet", "mean", "streams"):
        assert len(localize(made(), CLASSES, Inference(rule=rule)).score)


LONE = np.array([[0.9, 0.01, 0.01, 0.08]] * 4)
FLAT = np.full((4, 4, 10), 0.5)
ALTERNATING = np.tile([0.0, 1.0], (4, 4, 5))


@pytest.mark.parametrize(
    ("rule", "settings", "changed", "words"),
    [
        ("thresholds", {"class_threshold": 0.9}, {"scores": np.full((4, 4), 0.25)},
         "the highest class score of a video is 0.25, below inference.class_threshold=0.9"),
        ("basnet", {"class_threshold": 0.9}, {"scores": np.full((4, 4), 0.25)}, "is 0.25, below"),
        ("basnet", {}, {"scores": LONE}, "drops videos whose only class is the first, A"),
        ("thresholds", {}, {"cas": FLAT, "attention": FLAT[:, 0]},
         "4 of 4 videos have a class that reaches the class threshold, but the activations of these classes are flat"),
        ("thresholds", {}, {"cas": -FLAT, "attention": FLAT[:, 0]}, "flat or nowhere above 0"),
        ("thresholds", {"activation_low": 0.5, "activation_high": 0.5, "attention_proposals": False}, {},
         "inference.activation_low=0.5 is not below activation_high=0.5"),
        ("thresholds", {}, {"scores": np.full((4, 4), np.nan)}, "the class scores of 4 of 4 videos are not finite"),
        ("thresholds", {}, {"cas": np.full((4, 4, 10), np.nan), "attention": FLAT[:, 0]},
         "but their activations are not finite"),
        ("mean", {}, {"scores": -np.ones((4, 4))}, "is -1, and a class needs a score above 0"),
        ("mean", {"class_threshold": 1.0}, {}, "no class exceeds inference.class_threshold=1 times the highest"),
        ("mean", {"actionness_weight": 0.0}, {"cas": ALTERNATING}, "two snippets in a row above their mean"),
        ("streams", {"lone_first_class": "dropped"}, {"stream_scores": np.tile(LONE[:, None, :3], (1, 2, 1))},
         "every stream would propose the first class alone"),
        ("streams", {}, {"stream_cas": np.full((4, 2, 3, 10), 0.001), "stream_attention": np.full((4, 2, 10), 0.01)},
         "the highest activation of rgb is 2.8e-05, not above inference.rgb_threshold=0.03; the highest activation of "
         "flow is 2.8e-05, not above inference.flow_threshold=0.08"),
    ],
)  # fmt: skip
def test_the_condition_that_nothing_meets_is_named(
    rule: str, settings: dict[str, Any], changed: dict[str, Any], words: str
) -> None:
    inference, activations = Inference(rule=rule, **settings), made(**changed)
    assert not len(localize(activations, CLASSES, inference).score), "else there is nothing to explain"
    assert words in why_silent(activations, CLASSES, inference)
