"""THUMOS14's test sets: names, videos left out, duplicates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tal_search.data.truth.annotations import read_annotations
from tal_search.errors import InputError
from tal_search.metrics.video_sets import LEFT_OUT, SPECIAL, describe_videos, left_out
from tal_search.trial.evaluate import open_benchmark
from tests.support.paths import FIXTURES

HR_PRO = FIXTURES / "thumos14/gt_hrpro.json"


def thumos14(*special: str) -> tuple[str, ...]:
    """The names of a THUMOS14 test set: 210 that are in every set, and some of the others."""
    return (*(f"video_test_{number:07d}" for number in range(2000, 2210)), *special)


@pytest.mark.parametrize(
    ("special", "says"),
    [
        (SPECIAL, "213 videos (THUMOS14 test)"),
        (("video_test_0000270", "video_test_0001496"), "212 videos (THUMOS14 test without 1292)"),
        (("video_test_0001496",), "211 videos (THUMOS14 test without 270, 1292)"),
        (("video_test_0001292",), "211 videos (THUMOS14 test without 270, 1496)"),
        ((), "210 videos (THUMOS14 test without 270, 1292, 1496)"),
    ],
)
def test_a_video_set_is_named_by_what_is_in_it(special: tuple[str, ...], says: str) -> None:
    assert describe_videos(thumos14(*special)) == says
    assert describe_videos(thumos14(*special)[1:]) == f"{209 + len(special)} videos"
    assert describe_videos(("v", *thumos14(*special)[1:])) == f"{210 + len(special)} videos"


def test_a_video_set_leaves_out_what_it_does_not_have_and_wants_all_it_has() -> None:
    for wanted, names in LEFT_OUT.items():
        assert left_out(thumos14(*SPECIAL), wanted) == names
        assert len(SPECIAL) - len(names) == wanted - 210
    assert left_out(thumos14(), 210) == SPECIAL  # not there anyway
    for videos, wanted, says in (
        (thumos14(), 211, "videos=211 needs video_test_0001496, which the ground truth lacks"),
        (thumos14(*SPECIAL), 209, "videos=209 is not a THUMOS14 test set; give one of 213, 212, 211, 210"),
        (("v", *SPECIAL), 213, "the ground truth has 1 videos; leave out videos="),
    ):
        with pytest.raises(InputError, match=says):
            left_out(videos, wanted)


def test_the_real_ground_truth_is_cut_to_the_set_that_is_asked_for(tmp_path: Path) -> None:
    """212 videos in HR-Pro's file, 210 in STPN's: cut to 210 both have as many instances of every class."""
    whole, _ = open_benchmark(HR_PRO, "Test", videos=212)
    assert (len(whole.truth.videos), len(whole.truth.label)) == (212, 3358)
    found = tmp_path / "found.json"
    results = {name: [{"label": "Diving", "score": 1, "segment": [0, 1]}] for name in whole.truth.videos}
    found.write_text(json.dumps({"results": results}))
    cut, (kept,) = open_benchmark(HR_PRO, "Test", [found], videos=210)
    assert describe_videos(cut.truth.videos) == "210 videos (THUMOS14 test without 270, 1292, 1496)"
    assert len(kept.label) == 210  # those in the two videos left out are no unknown videos
    other = read_annotations(FIXTURES / "stpn/ground_truth.json", "test")
    assert set(cut.truth.videos) == set(other.videos)
    assert cut.truth.classes == other.classes
    assert np.array_equal(np.bincount(cut.truth.label), np.bincount(other.label))
    with pytest.raises(InputError, match="videos=213 needs video_test_0001292"):
        open_benchmark(HR_PRO, "Test", videos=213)
