"""Words for hyperparameters and cells, and the contents of small records."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tal_search.types import VideoSet, canonical_json, cell_words, clicks_of, criterion, written, written_axis


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 12, "1/12"), (-1 / 3, "-1/3"), (5 / 3, "5/3"), (0.3, "0.3"), (2.0, "2"), (1 / 33, "0.0303"),
        (1e-5, "1e-05"), (0.123456, "0.1235"), (math.inf, "inf"), (math.nan, "–"), (None, "–"), (True, "yes"),
        (np.bool_(False), "no"), (np.float64(1 / 6), "1/6"), (3, "3"), ("release", "release"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_in_a_study_file(value: object, text: str) -> None:
    assert written(value) == text


def test_an_axis_with_a_fraction_has_fractions_only() -> None:
    assert written_axis([1 / 16, 1 / 12, 0, True, None]) == ["1/16", "1/12", "0", "yes", "–"]
    assert written_axis([0.0625, 0.25]) == ["0.0625", "0.25"]
    assert written_axis(["1/2", 0.25]) == ["1/2", "0.25"], "a fraction written as text is text"


def test_a_cell_is_described_by_what_differs_from_the_centre() -> None:
    centre = {"kernel_size": 3, "k_ratio": 1 / 8}
    assert cell_words({"kernel_size": 1, "k_ratio": 1 / 12}, centre) == "kernel_size=1 k_ratio=1/12"
    assert cell_words(centre, centre) == "centre"
    assert cell_words({"case": "+ affinity"}, {"case": "baseline"}) == "+ affinity"


def test_kinds_of_clicks_and_the_criterion() -> None:
    assert clicks_of(["action clicks", "video labels"]) == ("action clicks",)
    assert (criterion((0.3, 0.5)), criterion((0.3, 0.7))) == ("0.5", "average")


def test_equal_contents_have_one_text() -> None:
    assert canonical_json({"b": (1, 2), "a": None}) == '{"a":null,"b":[1,2]}'
    assert canonical_json({"a": None, "b": [1, 2]}) == '{"a":null,"b":[1,2]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(math.nan)


def test_a_subset_of_videos_keeps_every_array_in_step() -> None:
    videos = VideoSet.labelled(
        videos=("a", "b", "c"), features=np.arange(24, dtype=np.float32).reshape(3, 2, 4),
        labels=np.eye(3, dtype=np.float32), duration=np.array([1.0, 2.0, 3.0]), frames=np.array([10, 20, 30]),
    )  # fmt: skip
    subset = videos.subset(np.array([2, 0]))
    assert subset.videos == ("c", "a")
    assert subset.duration.tolist() == [3.0, 1.0]
    assert subset.frames.tolist() == [30, 10]
    assert (subset.features == videos.features[[2, 0]]).all()
    assert (subset.labels.argmax(1) == [2, 0]).all()
    assert not subset.background_clicks.any()
    assert subset.action_clicks.shape == (2, 3, 4)
