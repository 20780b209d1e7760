"""A benchmark opened from files: the problems of all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.config.thresholds import parse_tiou
from tal_search.errors import InputError
from tests.support.scored_files import evaluate_file, evaluated

NINE = parse_tiou("0.1:0.9:0.1")


def test_problems_of_both_files_come_together(tmp_path: Path) -> None:
    found, truth = evaluated(tmp_path)
    found.write_text(found.read_text().replace("10.0", "-1"))
    with pytest.raises(InputError) as caught:
        evaluate_file(found, truth, "train", NINE, protocol="thumos")
    protocol, subset, segment = caught.value.problems
    assert protocol.startswith("protocol=thumos is unknown")
    assert subset == f"{truth}: subset 'train' is not in the file; subsets present: 'test' (1 videos)"
    assert segment.startswith(f"{found}: results.v1[0].segment is [0.0, -1]")
