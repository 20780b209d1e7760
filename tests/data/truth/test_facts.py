"""Facts of a ground truth, and the T, class threshold and lengths that generic presets take from them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.truth.annotations import read_annotations
from tal_search.data.truth.facts import Facts, facts_of
from tal_search.types import Annotations
from tests.support.facts import SMALL
from tests.support.paths import FIXTURES


def truth(durations: list[float], instances: list[tuple[int, int, float, float]], classes: int = 3) -> Annotations:
    """Instances are (video, class, start, end)."""
    video, label, start, end = zip(*instances, strict=True)
    return Annotations(
        videos=tuple(f"v{index}" for index in range(len(durations))),
        classes=tuple(f"c{index}" for index in range(classes)),
        video=np.array(video, np.int64), label=np.array(label, np.int64),
        segment=np.stack([np.array(start, np.float64), np.array(end, np.float64)], 1), duration=np.array(durations),
    )  # fmt: skip


def test_facts_count_videos_and_classes_and_measure_instances_in_seconds_and_shares() -> None:
    train = truth([100.0, 10.0], [(0, 0, 0.0, 10.0), (0, 1, 20.0, 40.0), (1, 1, 2.0, 7.0)])
    found = facts_of(train, truth([300.0], [(0, 0, 0.0, 1.0)]), channels=8)
    assert (found.videos, found.classes, found.channels) == (2, 3, 8)
    assert (found.median_seconds, found.median_share) == (10.0, 0.2)
    assert found.shortest_seconds == pytest.approx(6.0)
    assert found.shortest_share == pytest.approx(0.12)
    assert found.stretch == pytest.approx(300 / 91)


def test_labels_of_the_test_split_change_nothing() -> None:
    train = truth([100.0], [(0, 0, 0.0, 10.0)])
    tests = [truth([50.0], [(0, label, 0.0, end)]) for label, end in ((0, 1.0), (2, 49.0))]
    assert facts_of(train, tests[0]) == facts_of(train, tests[1])


def test_instances_are_clipped_to_their_video_and_those_of_no_length_left_out() -> None:
    train = truth([10.0], [(0, 0, -5.0, 5.0), (0, 0, 8.0, 20.0), (0, 1, 3.0, 3.0), (0, 1, 11.0, 12.0)])
    found = facts_of(train, train)
    assert len(found.spans) == 2
    assert found.median_seconds == 3.5
    assert found.spans.min() == 0
    assert found.spans.max() == 1


def test_without_durations_t_is_the_features_own_length() -> None:
    unknown = truth([math.nan], [(0, 0, 0.0, 10.0)])
    found = facts_of(unknown, unknown, longest=333)
    assert (found.snippets, found.long_instances, found.stretch) == (350, False, 1.0)
    assert found.median_seconds == 10.0
    assert math.isnan(found.median_share)
    assert math.isnan(found.ceiling(100))
    assert facts_of(unknown, unknown).snippets == 400
    assert facts_of(unknown, unknown, longest=70_000).snippets == 1000
    mixed = truth([math.nan, 100.0], [(0, 0, 0.0, 10.0), (1, 0, 0.0, 50.0)])
    assert facts_of(mixed, mixed).shortest_share == 0.5


@pytest.mark.parametrize(
    ("changes", "snippets"),
    [
        ({"shortest_share": 0.004, "stretch": 1.0}, 750),
        ({"shortest_share": 0.004, "stretch": 1.2}, 900),
        ({"shortest_share": 0.5}, 100),
        ({"shortest_share": 1e-9}, 1000),
        ({"shortest_share": 0.004, "stretch": 1.0, "longest": 388}, 400),
        ({"shortest_share": 0.5, "longest": 12}, 50),
        ({"shortest_share": 0.004, "fixed": 123}, 123),
    ],
)
def test_t_gives_the_shortest_tenth_three_snippets(changes: dict[str, float], snippets: int) -> None:
    assert replace(SMALL, **changes).snippets == snippets  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.0, math.nan])
def test_any_shares_make_a_valid_t(share: float) -> None:
    facts = replace(SMALL, shortest_share=share, median_share=share)
    assert 100 <= facts.snippets <= 1000
    assert not facts.long_instances


def test_the_class_threshold_is_half_of_what_the_loss_drives_n_classes_to() -> None:
    for most, threshold in ((1, 0.25), (7, 1 / 16), (13, 1 / 28)):
        assert replace(SMALL, classes_per_video=most).class_threshold == threshold


def test_longer_test_videos_have_more_classes_up_to_all() -> None:
    facts = replace(SMALL, classes=12, classes_per_video=5, stretch=1.0)
    assert facts.class_threshold == 0.5 / 6
    assert replace(facts, stretch=1.5).class_threshold == 0.5 / 8
    assert replace(facts, stretch=2.7).class_threshold == 0.5 / 13


@pytest.mark.parametrize(("covering", "long"), [(0, False), (1, False), (2, True), (10, True)])
def test_instances_are_long_where_more_than_a_tenth_cover_half_of_their_video(covering: int, long: bool) -> None:
    """A median instance of a third of the video is not: it would be a false detection as a whole video."""
    spans = np.array([[0.25, 0.75]] * covering + [[0.2, 0.53]] * (10 - covering))
    assert replace(SMALL, spans=spans, median_share=0.33).long_instances == long


def test_the_ceiling_counts_instances_that_a_grid_can_match() -> None:
    spans = np.array([[0.0, 0.5], [0.12, 0.13], [0.2, 0.4]])
    facts = replace(SMALL, spans=spans)
    assert facts.ceiling(10) == pytest.approx(2 / 3)
    assert facts.ceiling(100) == 1.0
    for snippets in (7, 30):
        shares = [
            overlap(span, (round(span[0] * snippets) / snippets, round(span[1] * snippets) / snippets))
            for span in spans.tolist()
        ]
        assert facts.ceiling(snippets) == np.mean([share >= 0.7 for share in shares])


def overlap(one: list[float], other: tuple[float, float]) -> float:
    shared = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    return shared / (one[1] - one[0] + other[1] - other[0] - shared)


def facts_in(path: Path, training: str, test: str, **known: int) -> Facts:
    return facts_of(read_annotations(path, training), read_annotations(path, test), **known)


def test_thumos14_gets_the_snippets_that_its_papers_use() -> None:
    found = facts_in(FIXTURES / "thumos14" / "gt_hrpro.json", "Validation", "Test")
    assert (found.snippets, found.long_instances, found.classes_per_video) == (750, False, 2)
    assert found.ceiling(750) > 0.98


# T, classes in one video, whether instances are long. By hand: 400, 13; 400, 7; 100, 1, long.
REAL = {
    "beoid/beoid_groundtruth.json": ("training", "validation", 400, 13, False),
    "gtea/gtea_groundtruth.json": ("training", "validation", 350, 7, False),
    "activitynet/activity_net.v1-2.min.json": ("training", "validation", 100, 1, True),
    "hapt/stats-windows/gt_hapt.json": ("training", "test", 150, 5, False),
    "hapt/raw-whole/gt_hapt.json": ("training", "test", 350, 12, False),
}
LONGEST = {"beoid/beoid_groundtruth.json": 388}  # BEOID's longest video at 16 of 30 frames a second


@pytest.mark.parametrize("name", REAL)
def test_the_rule_on_real_ground_truths(shared: Path, name: str) -> None:
    training, test, snippets, classes, long = REAL[name]
    found = facts_in(shared / "data" / name, training, test, **({"longest": LONGEST[name]} if name in LONGEST else {}))
    assert (found.snippets, found.classes_per_video, found.long_instances) == (snippets, classes, long)
    assert found.ceiling(found.snippets) > (0.9 if name in LONGEST else 0.95)
