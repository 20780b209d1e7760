"""Files that cache scores by class and length."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tal_dashboards.data.group_cache import Groups, code_of_metrics, kept

SCORES = Groups({"run": 50.0}, {"XS": 25.0})


def never() -> Groups:
    raise AssertionError("computed again")


def test_scores_are_computed_once_for_the_same_inputs(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "a.json"
    assert kept(path, {"tiou": 0.5}, lambda: SCORES) == SCORES
    assert path.exists()
    assert kept(path, {"tiou": 0.5}, never) == SCORES
    other = Groups({"run": 40.0}, {})
    assert kept(path, {"tiou": 0.7}, lambda: other) == other
    assert kept(path, {"tiou": 0.7}, never) == other


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.json"
    assert kept(path, {}, lambda: SCORES) == SCORES
    assert kept(path, {}, never) == SCORES


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"of": "other"}'])
def test_a_file_that_is_damaged_or_of_other_inputs_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    assert kept(path, {"a": content}, lambda: SCORES) == SCORES
    assert path.read_text() != content


def test_a_number_that_is_not_finite_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    kept(path, {}, lambda: SCORES)
    path.write_text(path.read_text().replace("50.0", "NaN"))
    moved = path.rename(tmp_path / "b.json")  # memory knows the scores by their path
    read = kept(moved, {}, lambda: Groups({"run": 1.0}, {}))
    assert all(math.isfinite(value) for value in read.classes.values())
    assert read.classes == {"run": 1.0}


def test_the_code_of_the_metrics_is_a_short_hash() -> None:
    assert len(code_of_metrics()) == 12
    assert int(code_of_metrics(), 16) >= 0
