"""Labels of action clicks: spellings of a class are read as that class, all others are refused."""

from __future__ import annotations

from pathlib import Path

from tal_search.data.clicks.clicks import ClickedVideos, read_clicks
from tal_search.types import ACTION_CLICKS
from tests.support.make_dataset import problems_of

KNOWN = ClickedVideos(seconds={"a": 10.0, "b": 5.0}, fps={}, classes=("HighJump", "GolfSwing"))


def test_labels_in_another_spelling_are_read_as_their_class_with_a_note(tmp_path: Path) -> None:
    path, notes = tmp_path / "clicks.txt", list[str]()
    path.write_text("a,1,High Jump\na,2,high_jump\nb,3,HighJump\nb,4,GOLFSWING\na,3,High Jump\n")
    clicks = read_clicks(path, ACTION_CLICKS, "A1", KNOWN, notes)
    assert clicks.label.tolist() == [0, 0, 0, 0, 1]
    same = "labels that differ from a class only by case, separators or invisible characters are read as that class"
    assert notes == [
        f"{path}: {same}: 'High Jump' (2 clicks) as 'HighJump', 'high_jump' (1 click) as 'HighJump', "
        "'GOLFSWING' (1 click) as 'GolfSwing'"
    ]


def test_labels_that_are_no_class_are_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "clicks.txt"
    lines = [f"a,1,{label}" for label in ("background", "HihgJump", "Ambiguous") for _ in range(30)]
    path.write_text("\n".join([*lines, "a,99,GolfSwing"]))
    labels, beyond = problems_of(lambda: read_clicks(path, ACTION_CLICKS, "A1", KNOWN, []))
    assert labels == (
        f"{path}: labels that are no class of the dataset: 'background' (30 clicks, first in line 1), 'HihgJump' "
        "(30 clicks, first in line 31; did you mean 'HighJump'?), 'Ambiguous' (30 clicks, first in line 61); "
        "correct them, or remove their rows"
    )
    assert "line 91: the click is at 99 s of a" in beyond
