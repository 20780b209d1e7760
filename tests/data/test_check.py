"""Survey of a dataset: numbers of its splits and clicks, and every problem in one pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tal_search.data.check import survey
from tal_search.data.features.cache import convert
from tal_search.types import BACKGROUND_CLICKS
from tests.support.make_dataset import change, edit_json, found, problems_of


@pytest.mark.parametrize("converted", [False, True])
def test_numbers_of_splits_and_clicks(root: Path, tmp_path: Path, converted: bool) -> None:
    if converted:
        convert(found(root), tmp_path / "converted", [])
    notes: list[str] = []
    (train, test), clicks = survey(found(tmp_path / "converted" if converted else root), notes)
    assert (train.name, train.seconds.tolist(), train.snippets.tolist()) == ("training", [40, 41, 42, 43], [40] * 4)
    assert (train.instances, train.classes, test.instances, test.classes) == (8, 3, 6, 3)
    assert [(of.kind, of.annotator, of.clicks, of.videos) for of in clicks] == [
        (BACKGROUND_CLICKS, "A1", 12, 4), (BACKGROUND_CLICKS, "A2", 4, 4),
    ]  # fmt: skip
    assert clicks[0].per_minute == pytest.approx(12 / (166 / 60))
    assert notes == []


def test_a_damaged_video_is_a_problem_and_instances_of_no_length_a_note(root: Path) -> None:
    edit_json(
        root / "gt_thumos14.json",
        lambda content: content["database"]["video_val_0001"]["annotations"][0].update(segment=[3, 3]),
    )
    notes: list[str] = []
    survey(found(root), notes)
    assert [note.split(": ")[1][:24] for note in notes] == ["1 instance has no length"]
    change(root / "val" / "video_val_0003.npz", feat_spa=np.full((4, 40), np.inf, np.float32))
    (root / "clicks_background_A2.txt").write_text("no clicks")
    features, clicks = problems_of(lambda: survey(found(root), []))
    assert "video_val_0003.npz: feat_spa has 160 values that are not finite" in features
    assert "clicks_background_A2.txt: is not a click file" in clicks
