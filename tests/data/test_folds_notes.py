"""Folds on data that were made for the split of their ground truth are noted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tal_search.data.find import find
from tal_search.data.folds import split_notes
from tal_search.data.load import load_truths
from tests.support.subjects import SIMULATION, write_truth


@pytest.mark.parametrize(
    ("stated", "to_the_end", "wanted"),
    [
        ({}, False, ""),
        ({"made_for_split": ["values are standardized by the training people"]}, False, "(values are standardized by"),
        ({}, True, "100% of the training videos begin or end inside an instance, 0% of the test videos"),
        ({"made_for_split": 7}, False, ""),
    ],
)
def test_data_made_for_their_own_split_are_no_clean_folds(
    tmp_path: Path, stated: dict[str, object], to_the_end: bool, wanted: str
) -> None:
    path = write_truth(tmp_path)
    content = json.loads(path.read_text())
    for entry in content["database"].values():
        if to_the_end and entry["subset"] == "training":
            entry["annotations"][-1]["segment"][1] = entry["duration"]
    path.write_text(json.dumps({**stated, **content}))
    spec = find("thumos14", "simulated", None, path, None, 24, SIMULATION)
    notes = split_notes(path, load_truths(spec))
    assert (wanted in " ".join(notes), len(notes)) == (True, int(bool(wanted)))
