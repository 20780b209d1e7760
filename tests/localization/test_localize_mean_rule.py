"""SF-Net's rule of localization, `rule: mean`, against a loop, and the video scores that it reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize, localize_many
from tal_search.methods.sfnet import PRESETS, Hyperparameters, SFNet
from tal_search.nn import sfnet
from tal_search.types import VideoSet

pytestmark = pytest.mark.usefixtures("one_thread")

RULE = Inference(**PRESETS["adapted"].inference)


def naive_localization(activations: Activations, inference: Inference) -> list[tuple[int, int, float, float, float]]:
    found = []
    for v in range(len(activations.videos)):
        scores = [float(value) for value in activations.scores[v, :-1]]
        for c, video_score in enumerate(scores):
            if video_score <= 0 or video_score / max(scores) <= inference.class_threshold:
                continue
            cas, actionness = activations.cas[v, c].tolist(), activations.attention[v].tolist()
            sequence = [a + inference.actionness_weight * b for a, b in zip(cas, actionness, strict=True)]
            mean, runs, run = sum(sequence) / len(sequence), [], []
            for t in range(len(sequence) + 1):
                if t < len(sequence) and sequence[t] > mean:
                    run.append(t)
                elif run:
                    runs.append(run)
                    run = []
            seconds = activations.duration[v] / len(sequence)
            for run in runs:
                if len(run) >= 2:
                    peak = max(sequence[t] for t in run) + inference.score_weight * video_score
                    found.append((v, c, run[0] * seconds, (run[-1] + 1) * seconds, peak / 100))
    return sorted(found)


@st.composite
def any_activations(draw: st.DrawFn) -> Activations:
    videos, classes, snippets = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 16))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Activations(
        videos=tuple(f"v{index}" for index in range(videos)),
        cas=rng.integers(-5, 6, (videos, classes + 1, snippets)) / 4,
        attention=rng.integers(-3, 4, (videos, snippets)) / 4,
        scores=rng.integers(-4, 5, (videos, classes + 1)) / 4,
        duration=rng.integers(1, 300, videos) / 7,
        frames=rng.integers(1, 200, videos),
    )


@given(any_activations(), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 2.0]))
@settings(max_examples=150, deadline=None)
def test_rule_mean_equals_the_loop(activations: Activations, threshold: float, weight: float) -> None:
    inference = replace(RULE, class_threshold=threshold, actionness_weight=weight)
    ours = localize(activations, tuple("abc"), inference)
    rows = sorted(zip(ours.video.tolist(), ours.label.tolist(), *ours.segment.T, ours.score, strict=True))
    theirs = naive_localization(activations, inference)
    assert len(rows) == len(theirs)
    for row, expected in zip(rows, theirs, strict=True):
        assert row == pytest.approx(expected)
    assert (ours.segment[:, 0] >= 0).all()
    assert (ours.segment[:, 1] <= activations.duration[ours.video]).all()


@given(any_activations())
@settings(max_examples=30, deadline=None)
def test_settings_of_both_rules_may_be_scored_together(activations: Activations) -> None:
    wanted = [RULE, replace(RULE, class_threshold=0.0), replace(RULE, actionness_weight=0.5), Inference(nms=0.3)]
    together = list(localize_many(activations, tuple("abc"), wanted))
    for found, inference in zip(together, wanted, strict=True):
        alone = localize(activations, tuple("abc"), inference)
        assert np.array_equal(found.segment, alone.segment)
        assert np.array_equal(found.score, alone.score)


def test_a_class_needs_more_than_its_share_of_the_highest_score() -> None:
    """The mean of the ⌊T/12⌋ highest; background does not count."""
    method = SFNet(Hyperparameters(), 2, 4)
    cas = torch.zeros(1, 5, 26)
    cas[0, :4, 3:5] = torch.tensor([3.0, 2.0, 2.125, -1.0])[:, None]  # 2 is two thirds of 3, 2.125 is more
    cas[0, 4] = 9.0

    class Replayed(torch.nn.Linear):
        def forward(self, features: Tensor) -> sfnet.Output:
            return sfnet.Output(cas=(cas.expand(len(features), -1, -1),), actionness=(), embedding=None)

    method.network = Replayed(1, 1)
    videos = VideoSet.labelled(
        videos=("v",), features=np.zeros((1, 2, 26), np.float32), labels=np.ones((1, 4), np.float32),
        duration=np.array([26.0]), frames=np.array([26]),
    )  # fmt: skip
    found = method.activations(videos)
    assert found.scores[0].tolist() == [3, 2, 2.125, 0, 9]
    detections = localize(found, tuple("abcd"), RULE)
    assert detections.label.tolist() == [0, 2]
    assert detections.segment.tolist() == [[3.0, 5.0]] * 2
    assert detections.score.tolist() == pytest.approx([0.06, 0.0425])
