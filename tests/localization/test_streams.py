"""Localization by rule streams against plain loops, and its corner cases."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter1d

from tal_search.errors import InputError
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize, localize_many, proposal_key
from tal_search.localization.streams import UPSAMPLING, upsample_from_starts
from tal_search.methods.dgam import RULE

Row = tuple[int, int, float, float, float]  # video, class, start, end, score
CLASSES = tuple("abcd")


@st.composite
def any_activations(draw: st.DrawFn) -> Activations:
    """Of one class or more, of videos short and long; attention that is high, low, or next to nothing."""
    videos, classes, snippets = draw(st.integers(0, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    scale = draw(st.sampled_from([1.0, 0.3, 1e-3, 0.0]))
    logits = draw(st.sampled_from([0.5, 3.0, 30.0])) * rng.normal(size=(videos, 2, classes + 1))
    probabilities = np.exp(logits - logits.max(2, keepdims=True))
    probabilities /= probabilities.sum(2, keepdims=True)
    cas = rng.random((videos, 2, classes, snippets)) ** draw(st.sampled_from([1, 6]))
    attention = scale * rng.random((videos, 2, snippets))
    nothing = np.zeros((videos, classes + 1, snippets))
    return Activations(
        videos=tuple(f"v{number}" for number in range(videos)), cas=nothing, attention=nothing[:, 0],
        scores=nothing[..., 0], duration=rng.uniform(1, 500, videos), frames=np.full(videos, 100),
        stream_cas=cas, stream_attention=attention, stream_scores=probabilities[..., :-1],
    )  # fmt: skip


INFERENCES = st.builds(
    Inference,
    rule=st.just("streams"),
    class_threshold=st.sampled_from([0.0, 0.1, 0.3, 1.0]),
    nms=st.sampled_from([0.2, 0.5, 1.0]),
    score_weight=st.sampled_from([0.0, 0.2]),
    outer_margin=st.sampled_from([0.0, 0.25, 1.0, 20.0]),
    rgb_share=st.sampled_from([0.0, 0.35, 0.5]),
    rgb_threshold=st.sampled_from([0.0, 0.03, 0.2]),
    flow_threshold=st.sampled_from([0.01, 0.08, 0.2]),
    smoothing=st.sampled_from([0.0, 0.0, 1.25]),
    lone_first_class=st.sampled_from(["kept", "dropped"]),
)


def linear(sequence: np.ndarray) -> np.ndarray:
    """20 positions a snippet by SciPy, as the released code does."""
    if len(sequence) == 1:
        return np.repeat(sequence, UPSAMPLING)
    line = interp1d(np.arange(len(sequence)), sequence, fill_value="extrapolate")
    return np.array(line(np.arange(UPSAMPLING * len(sequence)) / UPSAMPLING))


def classes_of(probabilities: np.ndarray, inference: Inference) -> list[int]:
    chosen = [label for label, value in enumerate(probabilities) if value > inference.class_threshold]
    chosen = chosen or [max(range(len(probabilities)), key=lambda label: probabilities[label])]
    return [] if chosen == [0] and inference.lone_first_class == "dropped" else chosen


def runs_of(found: Activations, row: int, stream: int, label: int, inference: Inference) -> list[Row]:
    attention = found.stream_attention[row, stream]
    own = attention * found.stream_cas[row, stream, label]
    own_share = inference.rgb_share if stream == 0 else 1 - inference.rgb_share
    other = attention * found.stream_cas[row, 1 - stream, label]
    scored = linear(attention * (own_share * own + (1 - own_share) * other))
    level = 0.8 * linear(own) + 0.2 * linear(attention) ** 2
    if inference.smoothing:
        level = gaussian_filter1d(level, inference.smoothing * UPSAMPLING)
    threshold = inference.rgb_threshold if stream == 0 else inference.flow_threshold
    assume(not np.isclose(level, threshold, rtol=0, atol=1e-12).any() or not attention.any())
    above = [bool(value > threshold) for value in level]
    if above == [True] + [False] * (len(above) - 1):
        return []
    rows: list[Row] = []
    seconds = found.duration[row] / len(level)
    weight = inference.score_weight * found.stream_scores[row, stream, label]
    end = 0
    while True in above[end:]:
        first = above.index(True, end)
        end = above.index(False, first) if False in above[first:] else len(above)
        width = int(inference.outer_margin * (end - first)) + 1
        sides = scored[max(first - width, 0) : first], scored[end : end + width]
        outer = sum(float(side.mean()) for side in sides if len(side))
        score = float(scored[first:end].mean()) - 0.3 * outer + weight
        rows.append((row, label, first * seconds, end * seconds, score))
    return rows


def joined(rows: list[Row], threshold: float) -> list[Row]:
    kept: list[Row] = []
    for one in sorted(rows, key=lambda row: -row[4]):
        clear = True
        for other in kept:
            shared = max(0.0, min(one[3], other[3]) - max(one[2], other[2]))
            clear = clear and shared <= threshold * ((one[3] - one[2]) + (other[3] - other[2]) - shared)
        if clear:
            kept.append(one)
    return kept


def reference(found: Activations, inference: Inference) -> list[Row]:
    rows: list[Row] = []
    for row in range(len(found.videos)):
        chosen = [classes_of(found.stream_scores[row, stream], inference) for stream in (0, 1)]
        for label in range(found.stream_scores.shape[2]):
            streams = [stream for stream in (0, 1) if label in chosen[stream]]
            proposals = [one for stream in streams for one in runs_of(found, row, stream, label, inference)]
            rows += joined(proposals, inference.nms if len(streams) == 2 else 2.0)
    return rows


def table(found: Activations, inference: Inference) -> np.ndarray:
    detections = localize(found, CLASSES[: found.stream_scores.shape[2]], inference)
    columns = detections.video, detections.label, detections.segment, detections.score
    return np.column_stack(columns)


@given(any_activations(), INFERENCES)
@settings(deadline=None, max_examples=200)
def test_detections_equal_the_loops(found: Activations, inference: Inference) -> None:
    expected = np.array(reference(found, inference)).reshape(-1, 5)
    ours = table(found, inference)
    assert ours.shape == expected.shape
    order = np.lexsort(expected.round(9).T[::-1]), np.lexsort(ours.round(9).T[::-1])
    np.testing.assert_allclose(ours[order[1]], expected[order[0]], rtol=1e-9, atol=1e-9)
    key = [(video, label, -score) for video, label, _, _, score in ours]
    assert key == sorted(key), "by video, class and falling score"


@given(any_activations(), st.lists(INFERENCES, min_size=1, max_size=6), st.booleans())
@settings(deadline=None, max_examples=50)
def test_many_settings_equal_each_for_itself(found: Activations, several: list[Inference], ordered: bool) -> None:
    later = {"class_threshold": 0.2, "nms": 0.4, "score_weight": 0.1, "lone_first_class": "dropped"}
    several = [*several, *(replace(one, **later) for one in several)]
    if ordered:
        several.sort(key=proposal_key)
    classes = CLASSES[: found.stream_scores.shape[2]]
    for inference, detections in zip(several, localize_many(found, classes, several), strict=True):
        alone = localize(found, classes, inference)
        for name in ("video", "label", "segment", "score"):
            assert np.array_equal(getattr(detections, name), getattr(alone, name)), name


@given(any_activations(), INFERENCES)
@settings(deadline=None, max_examples=30)
def test_a_file_gives_back_the_streams(found: Activations, inference: Inference) -> None:
    kept = found.rounded()
    assert kept.stream_cas is not None
    assert kept.stream_attention is not None
    assert (kept.stream_cas.dtype, kept.stream_attention.dtype) == (np.float16, np.float16)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cas.npz"
        with path.open("wb") as file:
            kept.save(file)
        read = Activations.load(path)
    assert np.array_equal(table(read, inference), table(kept, inference))
    for row, name in enumerate(found.videos):
        alone = table(kept.of_video(name), inference)
        whole = table(kept, inference)
        assert np.array_equal(alone[:, 1:], whole[whole[:, 0] == row][:, 1:])


@given(st.integers(1, 9), st.integers(1, 30), st.integers(0, 10_000))
@settings(deadline=None)
def test_upsampling_is_linear_between_starts_and_goes_on_after_the_last(snippets: int, times: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(2, snippets))
    ours = upsample_from_starts(values, times)
    assert ours.shape == (2, snippets * times)
    np.testing.assert_array_equal(ours[:, ::times], values)
    if snippets > 1:
        line = interp1d(np.arange(snippets), values, axis=1, fill_value="extrapolate")
        np.testing.assert_allclose(ours, line(np.arange(snippets * times) / times), atol=1e-12)


def made(scores: list[list[float]], level: float = 0.9) -> Activations:
    """One video of 10 s; both streams see class 0 in snippets 2 to 4, class 1 in 6 and 7."""
    cas, attention = np.zeros((1, 2, 2, 10)), np.zeros((1, 2, 10))
    cas[0, :, 0, 2:5] = cas[0, :, 1, 6:8] = level
    attention[0, :, 2:5] = attention[0, :, 6:8] = level
    mean = np.zeros((1, 3, 10))
    return Activations(
        videos=("v",), cas=mean, attention=mean[:, 0], scores=mean[..., 0], duration=np.array([10.0]),
        frames=np.array([250]), stream_cas=cas, stream_attention=attention, stream_scores=np.array([scores]),
    )  # fmt: skip


RELEASED = Inference(**RULE)


def test_a_class_of_both_streams_is_suppressed_and_one_of_a_single_stream_is_not() -> None:
    found = localize(made([[0.8, 0.1], [0.8, 0.15]]), ("a", "b"), RELEASED)
    assert found.label.tolist().count(0) == 2, "class a: attention of the other class's snippets is a run too"
    # .1 is not above the threshold: class b is flow's alone, and its runs all stay.
    assert found.label.tolist().count(1) == 2
    nothing = replace(RELEASED, nms=1.0)
    assert localize(made([[0.8, 0.1], [0.8, 0.15]]), ("a", "b"), nothing).label.tolist().count(0) == 4


def test_a_stream_without_a_confident_class_proposes_its_best() -> None:
    assert set(localize(made([[0.02, 0.05], [0.04, 0.03]]), ("a", "b"), RELEASED).label.tolist()) == {0, 1}


def test_a_stream_of_the_first_class_alone_proposes_nothing_where_it_is_dropped() -> None:
    dropped = replace(RELEASED, lone_first_class="dropped")
    scores = [[0.8, 0.05], [0.05, 0.8]]
    assert set(localize(made(scores), ("a", "b"), RELEASED).label.tolist()) == {0, 1}
    assert set(localize(made(scores), ("a", "b"), dropped).label.tolist()) == {1}
    both = [[0.8, 0.05], [0.4, 0.3]]
    assert set(localize(made(both), ("a", "b"), dropped).label.tolist()) == {0, 1}
    assert len(localize(made([[0.8, 0.05], [0.05, 0.05]]), ("a", "b"), dropped).score) == 0


def test_no_attention_gives_no_detections() -> None:
    for level in (0.0, 1e-7):
        assert len(localize(made([[0.8, 0.8], [0.8, 0.8]], level), ("a", "b"), RELEASED).score) == 0


def test_activations_of_one_stream_are_refused() -> None:
    alone = replace(made([[0.8, 0.1], [0.8, 0.1]]), stream_cas=None, stream_attention=None, stream_scores=None)
    with pytest.raises(InputError, match=r"inference\.rule is streams, but these activations are of one stream"):
        localize(alone, ("a", "b"), RELEASED)
