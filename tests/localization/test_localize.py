"""Localization against the plain code, to the last bit, and its corner cases."""

from __future__ import annotations

import io
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tal_search.data.features.resampling import resample
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize, localize_many, normalise, proposal_key
from tal_search.types import Detections
from tests.support import reference_localization


def assert_equal(ours: Detections, theirs: Detections) -> None:
    assert (ours.videos, ours.classes) == (theirs.videos, theirs.classes)
    for name in ("video", "label", "segment", "score"):
        mine, expected = getattr(ours, name), getattr(theirs, name)
        assert (mine.dtype, mine.shape) == (expected.dtype, expected.shape)
        assert np.array_equal(mine, expected, equal_nan=True), name


@st.composite
def any_activations(draw: st.DrawFn) -> Activations:
    """Few distinct values, so that sequences have plateaus and detections ties; now and then infinite ones."""
    videos, classes, snippets = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    distinct = draw(st.sampled_from([2, 5, 1000]))
    values = draw(st.sampled_from([1.0, 30.0])) * rng.integers(
        -distinct // 3, distinct, (videos, classes + 2, snippets)
    )
    if draw(st.integers(0, 9)) == 0:
        values[rng.random(values.shape) < 0.1] = rng.choice([np.inf, -np.inf, np.nan])
    return Activations(
        videos=tuple(f"v{index}" for index in range(videos)),
        cas=values[:, 1:] / distinct,
        attention=np.abs(values[:, 0]),
        scores=rng.integers(0, 5, (videos, classes + 1)) / 5,
        duration=rng.integers(1, 300, videos) / 7,
        frames=rng.integers(1, 200, videos),
    )


def grid_value(least: float, most: float) -> st.SearchStrategy[float]:
    return st.integers(0, 20).map(lambda step: least + (most - least) * step / 20) | st.floats(least, most)


INFERENCES = st.builds(
    Inference,
    rule=st.sampled_from(["thresholds", "basnet"]),
    class_threshold=grid_value(0, 1),
    activation_low=grid_value(0, 0.5),
    activation_high=grid_value(0.01, 1),
    activation_step=st.floats(0.02, 1),
    attention_proposals=st.booleans(),
    attention_low=grid_value(0, 0.5),
    attention_high=grid_value(0.01, 1),
    attention_step=st.floats(0.02, 1),
    outer_margin=grid_value(0, 2) | st.just(1e300),
    score_weight=grid_value(0, 2),
    trim=st.sampled_from([0.0, 0.02]) | grid_value(0, 0.49),
    whole_video=st.sampled_from([0.0, 0.6]) | grid_value(0, 2),
    nms=grid_value(0.001, 1),
    overlap=st.sampled_from(["plain", "release"]),
)


@given(any_activations(), INFERENCES, st.booleans())
@settings(deadline=None, max_examples=300)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # infinite activations
def test_detections_equal_the_plain_code(activations: Activations, inference: Inference, rounded: bool) -> None:
    assume(inference.nms < 1 or not inference.whole_video)  # equal segments: all stay in the plain code, one in ours
    if rounded:
        activations = activations.rounded()
    classes = tuple("abc"[: activations.cas.shape[1] - 1])
    theirs = reference_localization.localize(activations, classes, inference)
    assert_equal(localize(activations, classes, inference), theirs)


@given(any_activations(), INFERENCES, st.lists(INFERENCES, min_size=1, max_size=8), st.booleans())
@settings(deadline=None, max_examples=50)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_many_settings_equal_each_for_itself(
    activations: Activations, base: Inference, others: list[Inference], ordered: bool
) -> None:
    """Half of them differ from one another in nothing that proposals depend on."""
    later = [{name: getattr(other, name) for name in ("class_threshold", "nms", "score_weight")} for other in others]
    several = [*others, *(replace(base, **values) for values in later)]
    if ordered:
        several.sort(key=proposal_key)
    classes = tuple("abc"[: activations.cas.shape[1] - 1])
    found = list(localize_many(activations, classes, several))
    assert len(found) == len(several)
    for inference, detections in zip(several, found, strict=True):
        assert_equal(detections, localize(activations, classes, inference))


@given(any_activations(), st.integers(0, 3), st.data())
@settings(deadline=None, max_examples=50)
def test_a_file_and_a_part_give_back_what_went_in(kept: Activations, taps: int, data: st.DataObject) -> None:
    snippets = kept.cas.shape[-1]
    mask = np.arange(len(kept.videos) * taps * snippets, dtype=np.float16).reshape(len(kept.videos), taps, snippets)
    kept = replace(kept, affinity=mask if taps else None).rounded()
    file = io.BytesIO()
    kept.save(file)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cas.npz"
        path.write_bytes(file.getvalue())
        same_activations(Activations.load(path), kept)
    same_activations(Activations.joined((kept.of_video(name) for name in kept.videos), kept.videos), kept)
    name = data.draw(st.sampled_from(kept.videos))
    assert np.array_equal(kept.of_video(name).cas[0], kept.cas[kept.videos.index(name)], equal_nan=True)


def same_activations(ours: Activations, theirs: Activations) -> None:
    assert ours.videos == theirs.videos
    assert set(ours.arrays()) == set(theirs.arrays())
    for name, array in theirs.arrays().items():
        assert ours.arrays()[name].dtype == array.dtype
        assert np.array_equal(ours.arrays()[name], array, equal_nan=True), name


def test_upsampling_uses_half_pixel_centres() -> None:
    expected = [0.0, 0.25, 0.75, 1.25, 1.75, 2.0]
    assert resample(np.array([0.0, 1.0, 2.0]), 6) == pytest.approx(expected)
    assert resample(np.array([[5.0]]), 3).tolist() == [[5, 5, 5]]
    assert resample(np.array([1.0, 4.0, 2.0]), 3).tolist() == [1, 4, 2]


def test_normalising_keeps_negative_floor_and_flat_sequences() -> None:
    assert normalise(np.array([-1.0, 0.0, 2.0])).tolist() == [-0.5, 0.0, 1.0]
    assert normalise(np.array([3.0, 3.0])).tolist() == [0.0, 0.0]
    assert normalise(np.array([-3.0, -1.0])).tolist() == [-3.0, -1.0]
    with np.errstate(invalid="ignore"):
        assert normalise(np.array([np.inf, 1.0])).tolist()[1] == 0.0
    assert normalise(np.array([np.nan, 1.0])).tolist() == [0.0, 0.0]


def activations(cas: np.ndarray, scores: list[list[float]]) -> Activations:
    videos, _, snippets = cas.shape
    return Activations(
        videos=tuple(f"v{i}" for i in range(videos)),
        cas=cas,
        attention=np.zeros((videos, snippets)),
        scores=np.array(scores),
        duration=np.full(videos, 10.0),
        frames=np.full(videos, 100),
    )


def test_a_clear_bump_is_found_where_it_is() -> None:
    cas = np.zeros((1, 3, 20))
    cas[0, 1, 5:10] = 4.0
    found = localize(activations(cas, [[0.1, 0.8, 0.1]]), ("a", "b"), Inference())
    assert found.label.tolist() == [1] * len(found.label)
    assert found.segment[0] == pytest.approx([2.5, 5.0], abs=0.3)
    assert found.score[0] == pytest.approx(1.0 + 0.2 * 0.8, abs=0.1)
    assert ((found.segment >= 0) & (found.segment <= 10)).all()


def test_a_sequence_of_many_runs_loses_none() -> None:
    """More runs than the rows that are set aside at first, and than twice as many."""
    cas = np.zeros((1, 3, 2000))
    cas[0, :, ::2] = 1.0
    spiky = replace(activations(cas, [[0.9, 0.9, 0.1]]), attention=cas[:, 0], frames=np.array([2000]))
    inference = Inference(nms=1.0, activation_step=0.2)
    found = localize(spiky, ("a", "b"), inference)
    assert len(found.score) > 2 * 1000
    assert_equal(found, reference_localization.localize(spiky, ("a", "b"), inference))


def test_no_confident_class_gives_no_detection() -> None:
    found = localize(activations(np.ones((2, 3, 20)), [[0.2, 0.2, 0.6]] * 2), ("a", "b"), Inference())
    assert len(found.score) == 0
    assert found.segment.shape == (0, 2)


def test_saved_activations_localize_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    original = activations(rng.standard_normal((3, 4, 25)), [[0.5, 0.3, 0.1, 0.1]] * 3).rounded()
    buffer = io.BytesIO()
    original.save(buffer)
    (tmp_path / "cas.npz").write_bytes(buffer.getvalue())
    loaded = Activations.load(tmp_path / "cas.npz")
    assert loaded.cas.dtype == np.float16
    ours, theirs = (localize(a, ("a", "b", "c"), Inference()) for a in (original, loaded))
    assert (ours.segment == theirs.segment).all()
    assert (ours.score == theirs.score).all()
