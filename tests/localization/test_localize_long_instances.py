"""BackTAL's localization of long instances: its settings on ActivityNet 1.2 and HACS keep what THUMOS14's lose."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tal_search.config.thresholds import parse_tiou
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.average_precision import score
from tal_search.types import Annotations, Detections
from tests.support import reference_localization
from tests.support.presets import preset_of

CLASSES = ("a", "b", "c", "d")
VIDEOS = 60
TIOU = parse_tiou("0.5:0.95:0.05")
# As released for both: margin in run lengths, end of the class thresholds, suppression; the rest is shared.
RELEASED = {"activitynet12": (20.0, 0.15, 0.70), "hacs": (200.0, 0.20, 0.71)}
CASES = pytest.mark.parametrize(("dataset", "preset"), [(d, p) for d in RELEASED for p in ("paper", "release")])
WRONG = {"nms": 0.55, "activation_high": 0.25, "attention_proposals": True}  # THUMOS14's


def inference_of(dataset: str, preset: str) -> Inference:
    return Inference(**preset_of("backtal", dataset, preset).inference)


@cache
def long_instances(snippets: int) -> tuple[Annotations, Activations]:
    """Videos with one instance of 30 to 90 % of their length, and what a network might give of them.

    Activation is a weak shoulder over the whole instance, more in a core of two thirds of it, and most in a peak of a
    quarter; the attention is high over three fifths of it, which are no instance.
    """
    random = np.random.default_rng(0)
    duration = random.uniform(30, 200, VIDEOS)
    cas = 0.01 * np.abs(random.standard_normal((VIDEOS, len(CLASSES) + 1, snippets)))
    attention = 0.05 * random.random((VIDEOS, snippets))
    label = np.arange(VIDEOS) % len(CLASSES)
    scores = np.full((VIDEOS, len(CLASSES) + 1), 0.05)
    scores[np.arange(VIDEOS), label] = 0.6
    length = random.uniform(0.3, 0.9, VIDEOS)
    start = random.uniform(0, 1 - length)
    share = ((np.arange(snippets) + 0.5) / snippets - start[:, None]) / length[:, None]  # 0 to 1 within the instance
    for height, first, end in ((0.08, 0, 1), (0.14, 0.15, 0.8), (0.78, 0.3, 0.55)):
        cas[np.arange(VIDEOS), label] += height * ((share >= first) & (share < end))
    attention += (share >= 0.3) & (share < 0.9)
    truth = Annotations(
        videos=tuple(f"video_{index}" for index in range(VIDEOS)), classes=CLASSES, video=np.arange(VIDEOS),
        label=label, segment=np.stack([start, start + length], axis=1) * duration[:, None], duration=duration,
    )  # fmt: skip
    kept = Activations(
        videos=truth.videos, cas=cas, attention=attention, scores=scores, duration=duration,
        frames=np.round(30 * duration).astype(np.int64),
    )  # fmt: skip
    return truth, kept


def found_by(dataset: str, inference: Inference) -> tuple[Annotations, Detections, float]:
    """Truth, detections and the average mAP in percent, at the data set's T."""
    truth, kept = long_instances(preset_of("backtal", dataset, "paper").snippets or 0)
    detections = localize(kept, CLASSES, inference)
    return truth, detections, 100 * score(truth, detections, TIOU, subset="made up").average_mAP


def missed(truth: Annotations, detections: Detections, tiou: float) -> int:
    """Instances that no detection of any score overlaps by `tiou`."""
    start, end = truth.segment[detections.video].T
    shared = np.minimum(end, detections.segment[:, 1]) - np.maximum(start, detections.segment[:, 0])
    union = end - start + np.diff(detections.segment, axis=1)[:, 0] - shared
    return VIDEOS - len(set(detections.video[shared >= tiou * union].tolist()))


@CASES
def test_settings_are_the_releases(dataset: str, preset: str) -> None:
    own = inference_of(dataset, preset)
    assert (own.outer_margin, own.activation_high, own.nms) == RELEASED[dataset]
    assert (own.score_weight, own.trim, own.whole_video, own.attention_proposals) == (0.6, 0.02, 0.6, False)
    assert (own.activation_low, own.activation_step) == (0.0, 0.025)
    assert own.overlap == {"paper": "plain", "release": "release"}[preset]


@CASES
def test_detections_equal_an_independent_implementation(dataset: str, preset: str) -> None:
    _, kept = long_instances(preset_of("backtal", dataset, preset).snippets or 0)
    ours = localize(kept, CLASSES, inference_of(dataset, preset))
    theirs = reference_localization.localize(kept, CLASSES, inference_of(dataset, preset))
    assert len(ours.score) > 2 * VIDEOS
    for name in ("video", "label", "segment", "score"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    whole = (ours.segment[:, 0] == 0) & np.isclose(ours.segment[:, 1], kept.duration[ours.video])
    assert ours.score[whole] == pytest.approx(0.6)
    assert VIDEOS > whole.sum() > VIDEOS / 4, "the others are suppressed by an instance of nearly the whole video"


@CASES
@pytest.mark.parametrize("name", WRONG)
def test_each_of_thumos14s_values_costs_ten_points(dataset: str, preset: str, name: str) -> None:
    right = inference_of(dataset, preset)
    wrong = replace(right, **{name: WRONG[name]})  # type: ignore[arg-type]
    assert found_by(dataset, right)[2] > 10 + found_by(dataset, wrong)[2]


@CASES
def test_thumos14s_values_together_lose_instances_and_make_twice_the_detections(dataset: str, preset: str) -> None:
    right = inference_of(dataset, preset)
    truth, kept, own = found_by(dataset, right)
    _, others, mAP = found_by(dataset, replace(right, **WRONG))  # type: ignore[arg-type]
    assert own > 40 + mAP
    assert len(others.score) > 2 * len(kept.score)
    assert missed(truth, kept, 0.85) == 0
    assert missed(truth, others, 0.85) > VIDEOS / 2


def test_proposals_of_the_attention_sequence_alone_are_left_out() -> None:
    """A class with nothing active has none but those, and only where they are asked for."""
    _, kept = long_instances(100)
    silent = replace(kept, cas=np.full_like(kept.cas, -1.0))
    own = inference_of("activitynet12", "paper")
    assert len(localize(silent, CLASSES, own).score) == 0
    assert len(localize(silent, CLASSES, replace(own, attention_proposals=True)).score) > 0
