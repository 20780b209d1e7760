"""The drawn timeline against THUMOS14: no statistic differs more than by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.catalog import definition
from tal_search.data.simulation.thumos14_moments import CLASSES
from tal_search.data.simulation.videos import Simulation, simulated_truths
from tal_search.data.truth.annotations import read_annotations
from tal_search.types import Annotations
from tests.support.paths import FIXTURES
from tests.support.timeline_statistics import class_lengths, statistics, together

HR_PRO = FIXTURES / "thumos14" / "gt_hrpro.json"
SEEDS = 12
# Standard deviations over seeds that a real statistic may be off: of some 120 compared, chance takes one beyond 3.5.
LIMIT = 4.0
LEAST_SPREAD = 0.03  # of a logarithm: times are rounded to 0.1 s, counts to 1


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Annotations, Annotations]]:
    """Training and test timeline of every seed."""
    return [simulated_truths(Simulation(seed=seed)) for seed in range(SEEDS)]


def distances(real: Annotations, drawn: list[Annotations]) -> dict[str, np.ndarray]:
    """How far each real statistic is from the mean over the drawn sets, in standard deviations.

    A real set is one draw too, so the difference has the variance of one set and of the mean of all.
    """
    wanted, found = statistics(real), [statistics(truth) for truth in drawn]
    result = {}
    for name, value in wanted.items():
        values = np.array([one[name] for one in found])
        spread = np.maximum(values.std(0, ddof=1), LEAST_SPREAD) * np.sqrt(1 + 1 / len(found))
        result[name] = np.abs(value - values.mean(0)) / spread
    return result


def beyond(real: Annotations, drawn: list[Annotations]) -> dict[str, list[float]]:
    found = distances(real, drawn)
    return {name: values.round(1).tolist() for name, values in found.items() if (values > LIMIT).any()}


@pytest.mark.parametrize("split", ["train", "test"])
def test_quantiles_are_those_of_the_real_timeline(drawn: list[tuple[Annotations, Annotations]], split: str) -> None:
    place = ["train", "test"].index(split)
    real = read_annotations(HR_PRO, ["Validation", "Test"][place])
    assert beyond(real, [truths[place] for truths in drawn]) == {}


@pytest.mark.parametrize("subset", ["val", "test"])
def test_quantiles_are_those_of_backtals_ground_truth(
    shared: Path, drawn: list[tuple[Annotations, Annotations]], subset: str
) -> None:
    real = read_annotations(shared / "data" / "thumos14" / "gt_thumos14.json", subset)
    assert beyond(real, [truths[subset == "test"] for truths in drawn]) == {}


def shorter(truth: Annotations) -> Annotations:
    """Instances of three quarters of their length."""
    start, end = truth.segment.T
    return replace(truth, segment=np.stack([start, start + 0.75 * (end - start)], 1))


def shuffled(truth: Annotations) -> Annotations:
    """Lengths that have nothing to do with their video, though as a set they are the same."""
    start, end = truth.segment.T
    length = np.random.default_rng(0).permutation(end - start)
    return replace(truth, segment=np.stack([start, start + length], 1))


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (shorter, {"instance seconds", "instance snippets"}),
        (shuffled, {"log seconds of a class's instances", "correlation of log instance and log video seconds"}),
    ],
)
def test_the_comparison_notices(
    drawn: list[tuple[Annotations, Annotations]], change: Callable[[Annotations], Annotations], seen: set[str]
) -> None:
    real = read_annotations(HR_PRO, "Test")
    assert seen & set(beyond(real, [change(test) for _, test in drawn]))


def test_every_cliff_dive_is_a_dive(drawn: list[tuple[Annotations, Annotations]]) -> None:
    for truth in (read_annotations(HR_PRO, "Test"), drawn[0][0]):
        cliff, dive = (truth.label == truth.classes.index(name) for name in ("CliffDiving", "Diving"))
        dives = {(row, *segment) for row, segment in zip(truth.video[dive], truth.segment[dive].tolist(), strict=True)}
        cliffs = zip(truth.video[cliff], truth.segment[cliff].tolist(), strict=True)
        assert {(row, *segment) for row, segment in cliffs} < dives
        assert together(truth, "CliffDiving", "Diving") > 0.4


def test_instances_of_one_class_do_not_overlap(drawn: list[tuple[Annotations, Annotations]]) -> None:
    truth = drawn[0][0]
    for row in range(len(truth.videos)):
        for label in np.unique(truth.label[truth.video == row]):
            segments = truth.segment[(truth.video == row) & (truth.label == label)]
            # Neighbours are shots that answer two deliveries.
            assert (segments[1:, 0] >= segments[:-1, 1] - 1e-6).all(), (row, truth.classes[label])


def test_segments_lie_in_their_video(drawn: list[tuple[Annotations, Annotations]]) -> None:
    for truth in drawn[0]:
        assert (truth.segment[:, 0] >= 0).all()
        assert (truth.segment[:, 1] - truth.segment[:, 0] >= 0.099).all()
        assert (truth.segment[:, 1] <= truth.duration[truth.video] + 1e-9).all()


def test_other_classes_take_their_lengths_from_thumos14() -> None:
    train, test = simulated_truths(Simulation(train_videos=400, test_videos=400), dataset=definition("beoid"))
    found = [class_lengths(truth) for truth in (train, test)]
    means = [moments[2] for moments in CLASSES.values()]
    for lengths in found:
        assert min(means) - 0.5 < lengths.min() < lengths.max() < max(means) + 0.5
    assert np.corrcoef(*found)[0, 1] > 0.8  # a class is as long in the test videos as in the training videos
