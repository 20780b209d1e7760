"""Reader of HAPT's labels.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.data.hapt.labels import read_activities
from tal_search.errors import Problems

LENGTHS: dict[tuple[int, int], int | None] = {(1, 1): 1000, (2, 1): None}


def read(tmp_path: Path, text: str) -> tuple[dict[tuple[int, int], list[tuple[int, int, str]]], str, list[str]]:
    (tmp_path / "labels.txt").write_text(text)
    problems, notes = Problems(), list[str]()
    found = read_activities(tmp_path / "labels.txt", LENGTHS, problems, notes)
    rows = {key: [(one.start, one.end, one.label) for one in instances] for key, instances in found.items()}
    return rows, "\n".join(problems), notes


def test_samples_count_from_one_and_the_last_belongs_to_the_instance(tmp_path: Path) -> None:
    rows, problems, notes = read(tmp_path, "1 1 5 250 1000\n2 1 12 1 1\n")
    assert rows == {(1, 1): [(249, 1000, "standing")], (2, 1): [(0, 1, "lie-to-stand")]}
    assert (problems, notes) == ("", [])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1 1 5 250", "line 2 is '1 1 5 250'; it must be 5 whole numbers"),
        ("1 1 5 250 3e2", "it must be 5 whole numbers"),
        ("1 1 5 -3 300", "it must be 5 whole numbers"),
        ("1 1 5 3 9999999999", "it must be 5 whole numbers"),
        ("1 1 0 250 300", "whose activity 0 is unknown; activities are 1 to 12"),
        ("1 1 13 250 300", "whose activity 13 is unknown"),
        ("1 1 5 0 300", "whose samples 0 to 300 are no segment"),
        ("1 1 5 301 300", "whose samples 301 to 300 are no segment"),
        ("1 1 5 900 1001", "beyond the end of exp01_user01, which has 1000 samples"),
        ("1 3 5 1 100", "but the files of experiment 1 are of user 1"),
        ("", "line 2 is ''"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    assert says in read(tmp_path, f"1 1 5 1 100\n{line}\n2 1 5 1 100\n")[1]


def test_labels_without_a_recording_and_recordings_without_labels_are_noted(tmp_path: Path) -> None:
    _, problems, (absent, bare) = read(tmp_path, "1 1 5 1 100\n7 4 5 1 100\n7 4 5 200 300\n")
    assert problems == ""
    assert "2 instances of 1 recording without files (exp07_user04) left out" in absent
    assert "1 recording without a label (exp02_user01), all background" in bare


@pytest.mark.parametrize(
    ("second", "fix"), [("1 1 5 1 100", "keep one"), ("1 1 4 100 200", "correct one"), ("1 1 5 50 60", "correct one")]
)
def test_labels_that_share_samples_are_a_problem_with_their_lines(tmp_path: Path, second: str, fix: str) -> None:
    _, problems, _ = read(tmp_path, f"1 1 5 1 100\n2 1 5 1 100\n{second}\n")
    assert f"lines 1 and 3 overlap in exp01_user01; {fix}" in problems


def test_labels_that_follow_one_another_are_none(tmp_path: Path) -> None:
    assert read(tmp_path, "1 1 5 101 200\n1 1 4 1 100\n2 1 4 1 200\n")[1] == ""
