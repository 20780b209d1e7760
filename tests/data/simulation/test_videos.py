"""The simulated stand-in: THUMOS14's statistics, the parts of the features, and determinism."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tal_search.data.find import find
from tal_search.data.load import load_truths
from tal_search.data.simulation.videos import Simulation, recorded, simulate
from tal_search.data.truth.annotations import read_annotations
from tal_search.data.truth.truths import background_gaps, present
from tal_search.errors import InputError
from tal_search.fields import broken_rule
from tal_search.types import Annotations, Dataset
from tests.support.definitions import THUMOS14
from tests.support.paths import FIXTURES

SMALL = Simulation(train_videos=30, test_videos=20, channels=16)


@pytest.fixture(scope="module")
def default() -> Dataset:
    return simulate(Simulation(), 50)


def test_default_shapes(default: Dataset) -> None:
    assert default.train.features.shape == (200, 64, 50)
    assert default.test.features.shape == (210, 64, 50)
    assert default.train.features.dtype == np.float32
    assert default.train.features.flags.c_contiguous
    assert np.isfinite(default.train.features).all()
    assert default.classes == THUMOS14
    assert len(set(default.train.videos) | set(default.test.videos)) == 410
    assert not default.train.background_clicks.any()
    assert default.train.background_clicks.shape == (200, 50)
    np.testing.assert_array_equal(default.train.frames, np.round(default.train.duration * 10))
    np.testing.assert_array_equal(default.train.labels, present(default.train_truth))
    assert default.train.labels.sum(0).min() >= 10


def test_same_settings_same_data_and_another_seed_other_data() -> None:
    first, again = simulate(SMALL, 50), simulate(SMALL, 50)
    np.testing.assert_array_equal(again.train.features, first.train.features)
    np.testing.assert_array_equal(again.test_truth.segment, first.test_truth.segment)
    other = simulate(dataclasses.replace(SMALL, seed=1), 50)
    assert other.train_truth.segment.shape != first.train_truth.segment.shape


def statistics(truth: Annotations) -> dict[str, float]:
    length = truth.segment[:, 1] - truth.segment[:, 0]
    count = np.bincount(truth.video, minlength=len(truth.videos))
    gaps = [background_gaps(truth, row, float(duration)) for row, duration in enumerate(truth.duration)]
    return {
        "median length": float(np.median(length)),
        "5 % length": float(np.quantile(length, 0.05)),
        "95 % length": float(np.quantile(length, 0.95)),
        "median count": float(np.median(count)),
        "mean count": float(count.mean()),
        "median duration": float(np.median(truth.duration)),
        "covered": float(length.sum() / truth.duration.sum()),
        "median gap": float(np.median([end - start for rows in gaps for start, end in rows])),
        "gaps a video": sum(map(len, gaps)) / len(gaps),
        "two classes": float((present(truth).sum(1) > 1).mean()),
    }


def test_drawn_timeline_has_the_statistics_of_thumos14(default: Dataset) -> None:
    for truth in (default.train_truth, default.test_truth):
        seen = statistics(truth)
        assert 2 < seen["median length"] < 4
        assert (truth.segment[:, 1] - truth.segment[:, 0]).min() >= 0.099
        assert (truth.segment[:, 1] - truth.segment[:, 0]).max() <= 118.1
        assert (truth.segment >= 0).all()
        assert (truth.segment[:, 1] <= truth.duration[truth.video] + 1e-9).all()


def test_drawn_timeline_is_near_the_real_one(default: Dataset) -> None:
    real = statistics(read_annotations(FIXTURES / "thumos14" / "gt_hrpro.json", "Validation"))
    drawn = statistics(default.train_truth)
    for name, value in real.items():
        assert 0.6 * value < drawn[name] < 1.6 * value, name


def test_real_timeline_is_kept() -> None:
    path = FIXTURES / "thumos14" / "gt_hrpro.json"
    truths = read_annotations(path, "Validation"), read_annotations(path, "Test")
    dataset = simulate(Simulation(channels=8), 50, truths)
    assert dataset.train_truth is truths[0]
    assert dataset.test.videos == truths[1].videos
    assert dataset.train.features.shape == (200, 8, 50)


def test_ground_truth_without_durations_is_refused() -> None:
    truth = simulate(SMALL, 20).train_truth
    duration = truth.duration.copy()
    duration[[1, 3]] = np.nan
    with pytest.raises(InputError) as caught:
        simulate(SMALL, 20, (dataclasses.replace(truth, duration=duration), truth))
    assert len(caught.value.problems) == 2
    assert "simulated_train_0001 has no duration" in caught.value.problems[0]


QUIET = dataclasses.replace(SMALL, noise=0.0, offset=0.0, bursts_per_minute=0.0, context=0.0)


def inside_mask(dataset: Dataset, row: int, snippets: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Snippets wholly inside an instance, and those farther than `margin` seconds from any."""
    truth, duration = dataset.train_truth, dataset.train.duration[row]
    edges = np.linspace(0, duration, snippets + 1)
    segments = truth.segment[truth.video == row]
    inside = np.any([(edges[:-1] >= start) & (edges[1:] <= end) for start, end in segments], axis=0)
    near = np.any([(edges[1:] > start - margin) & (edges[:-1] < end + margin) for start, end in segments], axis=0)
    return inside, ~near


def test_only_instances_carry_the_action() -> None:
    with_action, without = simulate(QUIET, 400), simulate(dataclasses.replace(QUIET, action=0.0), 400)
    difference = np.abs(with_action.train.features - without.train.features).sum(1)
    for row in range(30):
        inside, outside = inside_mask(with_action, row, 400, 0.0)
        assert (difference[row, inside] > 0.1).all()
        assert (difference[row, outside] < 1e-5).all()


def energy(features: np.ndarray) -> np.ndarray:
    return np.linalg.norm(features, axis=0)


def test_context_is_strongest_beside_instances() -> None:
    base = dataclasses.replace(QUIET, action=0.0, context_share=0.0)
    difference = (
        simulate(dataclasses.replace(base, context=1.0), 400).train.features - simulate(base, 400).train.features
    )
    dataset = simulate(base, 400)
    beside, far = [], []
    for row in range(30):
        inside, away = inside_mask(dataset, row, 400, 10.0)
        not_near = inside_mask(dataset, row, 400, 1.0)[1]
        just_outside = ~inside & ~not_near
        beside.extend(energy(difference[row])[just_outside])
        far.extend(energy(difference[row])[away])
        assert (energy(difference[row])[inside] < 1e-5).all()
    assert np.mean(beside) > 0.4
    assert np.mean(far) < 0.05


def test_context_lies_in_its_share_of_scenes() -> None:
    base = dataclasses.replace(QUIET, action=0.0, train_videos=200, context_seconds=0.01, context=1.0)
    beside_alone = simulate(dataclasses.replace(base, context_share=0.0), 100).train.features
    shares = {}
    for share in (0.6, 1.0):
        features = simulate(dataclasses.replace(base, context_share=share), 100).train.features
        shares[share] = (np.linalg.norm(features - beside_alone, axis=1) > 0.25).mean()
    assert shares[1.0] > 0.9
    assert shares[0.6] / shares[1.0] == pytest.approx(0.6, abs=0.05)


def test_motion_is_shared_by_the_classes() -> None:
    def between_classes(share: float) -> float:
        """Mean cosine of the mean action of different classes."""
        settings = dataclasses.replace(QUIET, motion_share=share, channels=64)
        with_action, without = simulate(settings, 200), simulate(dataclasses.replace(settings, action=0.0), 200)
        difference = with_action.train.features - without.train.features
        single = np.flatnonzero(with_action.train.labels.sum(1) == 1)
        label = with_action.train.labels[single].argmax(1)
        mean = difference[single].mean(2)
        mean /= np.linalg.norm(mean, axis=1, keepdims=True)
        return float((mean @ mean.T)[label[:, None] != label].mean())

    assert abs(between_classes(0.0)) < 0.1
    assert between_classes(0.5) > 0.3
    assert between_classes(1.0) > 0.95


def test_bursts_stay_out_of_instances() -> None:
    settings = dataclasses.replace(QUIET, context=1.0, bursts_per_minute=10.0)
    none = dataclasses.replace(settings, bursts_per_minute=0.0)
    # Bursts are drawn last, from the same stream: the first video is identical up to its bursts.
    dataset = simulate(settings, 400)
    difference = energy(dataset.train.features[0] - simulate(none, 400).train.features[0])
    inside, _ = inside_mask(dataset, 0, 400, 0.0)
    assert (difference[inside] < 1e-5).all()
    assert difference.max() > 0.5


def test_noise_is_correlated_and_of_the_stated_size() -> None:
    settings = dataclasses.replace(QUIET, action=0.0, noise=0.3, noise_correlation=0.7, train_videos=60)
    noise = (
        simulate(settings, 200).train.features - simulate(dataclasses.replace(settings, noise=0.0), 200).train.features
    )
    assert noise.std() == pytest.approx(0.3, rel=0.02)
    lagged = np.mean(noise[:, :, 1:] * noise[:, :, :-1]) / np.mean(noise**2)
    assert lagged == pytest.approx(0.7, abs=0.02)


def test_every_knob_changes_the_features() -> None:
    plain = simulate(SMALL, 30).train.features
    doubled = {"noise_correlation": 0.2, "motion_share": 0.1, "context_share": 0.1}
    for spec in dataclasses.fields(Simulation):
        if spec.name in ("train_videos", "test_videos", "channels"):
            continue
        value = doubled.get(spec.name, getattr(SMALL, spec.name) * 2 + (spec.name == "seed"))
        changed = simulate(dataclasses.replace(SMALL, **{spec.name: value}), 30).train.features
        assert changed.shape == plain.shape
        assert not np.array_equal(changed, plain), spec.name


def test_defaults_keep_their_own_rules() -> None:
    for spec in dataclasses.fields(Simulation):
        assert broken_rule(spec, getattr(Simulation(), spec.name)) is None
        assert spec.metadata["symbol"]


def test_another_recipe_is_another_dataset_and_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    today = find("thumos14", "simulated", None, None, None, 20, SMALL)
    assert recorded(today.simulation) == SMALL
    monkeypatch.setattr("tal_search.data.find.RECIPE", 3)
    later = find("thumos14", "simulated", None, None, None, 20, SMALL)
    assert later.fingerprint != today.fingerprint
    # Version 0.1.0 wrote no recipe: it was the first.
    first = {name: value for name, value in today.simulation.items() if name != "recipe"}
    for settings, recipe in ((later.simulation, 3), (first, 1)):
        with pytest.raises(InputError, match=f"drawn by recipe {recipe}"):
            load_truths(dataclasses.replace(today, simulation=settings))
