"""The first line of a command says what the features are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.data.definition import DatasetDefinition
from tal_search.data.descriptions import describe, describe_folds


@pytest.mark.parametrize(
    ("published", "channels", "words"),
    [
        (None, 80, "features with 80 channels,"),
        (150, 150, "features with 150 channels,"),
        (150, 80, "features with 80 channels, not the 150 of published ones,"),
        (2048, 48, "surrogate features (48 channels, not the 2048 of I3D),"),
        (2048, 1024, "features with 1024 channels, not the 2048 of I3D,"),
        (2048, "unreadable", "features with unreadable channels, not the 2048 of I3D,"),
    ],
)
def test_other_features_than_those_of_papers_are_called_so(
    tmp_path: Path, published: int | None, channels: int | str, words: str
) -> None:
    facts = DatasetDefinition(name="mine", channels=published)
    said = describe(facts, tmp_path / "root", channels, [2, 1], "layout hdf5")
    assert said == f"root: {words} 2 training and 1 test videos; layout hdf5"


def test_folds_stand_in_place_of_the_two_splits() -> None:
    assert describe_folds("x: 16 training and 8 test videos; layout y", 24, 4, 12) == (
        "x: 24 videos in 4 folds over 12 subjects; layout y"
    )
    assert describe_folds("simulated x", 24, 4, 12) == "simulated x; 24 videos in 4 folds over 12 subjects"
