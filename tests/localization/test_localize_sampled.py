"""Detections of perfect activations fall on the truth in seconds, however and wherever snippets are sampled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.features.timing import Timing
from tal_search.data.sampling.settings import SplitSampling
from tal_search.data.sampling.views import at_test
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.localization.no_detections import why_silent
from tal_search.types import Detections, VideoSet

FPS, CLASSES = 25.0, ("a", "b")
KINDS = {
    "rescale": SplitSampling(), "uniform": SplitSampling(kind="uniform"), "native": SplitSampling(kind="native"),
    "by length": SplitSampling(kind="uniform", least=40, most=90),
}  # fmt: skip
EVENLY, STRIDES, LATE = Timing(), Timing(stride=8, offset=4, fps=FPS), Timing(stride=8, offset=40, fps=FPS)


def stored(timing: Timing, length: int, truth: tuple[float, float], longest: int) -> VideoSet:
    """A video whose channel 0 is 1 in the snippets with their middle inside the truth, padded with a wrong value."""
    stride = timing.stride or 8
    duration = length * stride / FPS + (0.0 if timing.stride is None else 2 * (timing.offset or 0) / FPS)
    start, extent = timing.span(length, duration, FPS)
    middles = start + (np.arange(length) + 0.5) / length * extent
    features = np.full((1, 2, longest), 7.0, np.float32)
    features[0, :, :length] = (middles >= truth[0]) & (middles < truth[1])
    return VideoSet.labelled(
        videos=(f"v{length}",), features=features, labels=np.ones((1, 2), np.float32), duration=np.array([duration]),
        frames=np.array([round(duration * FPS)]), length=np.array([length]), start=np.array([start]),
        extent=np.array([extent]),
    )  # fmt: skip


def perfect(videos: VideoSet) -> Activations:
    """Activations that are channel 0, for the first class of two."""
    found = videos.features[:, 0].astype(np.float64)
    nothing = np.zeros_like(found)
    count = len(found)
    streams = np.stack([np.stack([found, nothing], 1)] * 2, 1)
    return Activations.of(
        videos, cas=np.stack([nothing, found, nothing], 1), attention=found + 1e-3,
        scores=np.tile([0.0, 0.9, 0.1], (count, 1)), stream_cas=streams[:, :, ::-1],
        stream_attention=np.stack([found, found], 1), stream_scores=np.tile([0.0, 0.9], (count, 2, 1)),
    )  # fmt: skip


def nearest(found: Detections, video: int, truth: tuple[float, float]) -> float:
    """The smallest over detections of a video of the larger distance of both ends from the truth, in seconds."""
    segments = found.segment[(found.video == video) & (found.label == 1)]
    assert len(segments)
    return float(np.abs(segments - truth).max(1).min())


@given(
    timing=st.sampled_from([EVENLY, STRIDES, LATE]), kind=st.sampled_from(sorted(KINDS)),
    rule=st.sampled_from(["thresholds", "basnet", "mean", "streams"]), length=st.integers(45, 120),
    first=st.floats(0.15, 0.5), share=st.floats(0.2, 0.4),
)  # fmt: skip
def test_the_truth_is_detected_within_the_length_of_a_snippet_or_two(
    timing: Timing, kind: str, rule: str, length: int, first: float, share: float
) -> None:
    seconds = length * 8 / FPS
    truth = (first * seconds, (first + share) * seconds)
    other = (5.0, 9.0)
    both = (stored(timing, 130, other, 130), stored(timing, length, truth, 130))
    parts = [perfect(at_test(video, KINDS[kind], 64)) for video in both]
    joined = Activations.joined(parts, tuple(part.videos[0] for part in parts))
    inference = Inference(rule=rule, class_threshold=0.05, activation_low=0.05)
    found = localize(joined.rounded(), CLASSES, inference)
    for video, (own, part) in enumerate(zip((other, truth), parts, strict=True)):
        step = max(float(part.timeline.step[0]), 8 / FPS)
        assert nearest(found, video, own) <= 2 * step + 1e-6
        alone = localize(part.rounded(), CLASSES, inference)
        mine = found.video == video
        assert np.array_equal(found.segment[mine], alone.segment), "padding changes nothing"
        assert np.array_equal(found.score[mine], alone.score)


@pytest.mark.parametrize("timing", [STRIDES, LATE])
def test_the_whole_video_is_a_detection_where_snippets_do_not_cover_it(timing: Timing) -> None:
    video = stored(timing, 50, (6.0, 9.0), 60)
    long = Inference(class_threshold=0.05, whole_video=0.6, nms=1.0, attention_proposals=False)
    found = localize(perfect(at_test(video, KINDS["native"], 64)), CLASSES, long)
    whole = found.segment[found.score == 0.6]
    assert whole == pytest.approx(np.array([[0.0, float(video.duration[0])]]), abs=1e-9)


@pytest.mark.parametrize("rule", ["thresholds", "mean", "streams"])
def test_no_detection_lies_outside_its_video_or_is_empty(rule: str) -> None:
    """The last 10 of 50 snippets are after the end of the video, and activations are high there."""
    video = stored(STRIDES, 50, (6.0, 99.0), 50)
    video.duration[0] = 40 * 8 / FPS
    assert video.features[0, 0, -10:].all()
    video.features[0, 0, 44] = 0.0
    found = localize(perfect(at_test(video, KINDS["native"], 64)), CLASSES, Inference(rule=rule, class_threshold=0.05))
    assert len(found.score)
    assert (found.segment[:, 1] > found.segment[:, 0]).all()
    assert found.segment.max() <= video.duration[0]


def test_one_video_of_several_lengths_has_no_padding() -> None:
    parts = [perfect(at_test(stored(STRIDES, length, (2.0, 4.0), 60), KINDS["native"], 9)) for length in (60, 31)]
    short = Activations.joined(parts, ("v60", "v31")).of_video("v31")
    assert short.arrays().keys() == parts[1].arrays().keys()
    for name, array in short.arrays().items():
        np.testing.assert_array_equal(array, parts[1].arrays()[name])


def test_padding_is_no_reason_why_nothing_is_detected() -> None:
    """Flat activations stay flat when a shorter video is padded with zeros."""
    flat = [stored(STRIDES, length, (-9.0, 999.0), 60) for length in (60, 31)]
    parts = [perfect(at_test(video, KINDS["native"], 9)) for video in flat]
    joined = Activations.joined(parts, ("v60", "v31"))
    joined.cas[0] = 0.0
    assert "flat or nowhere above 0" in why_silent(joined, CLASSES, Inference(attention_proposals=False))


def test_videos_of_a_single_snippet_are_localized() -> None:
    one = perfect(at_test(stored(STRIDES, 1, (-9.0, 99.0), 5), KINDS["native"], 9))
    for rule in ("thresholds", "basnet", "mean", "streams"):
        localize(one, CLASSES, Inference(rule=rule))
