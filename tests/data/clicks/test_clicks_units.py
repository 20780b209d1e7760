"""Seconds or frames, and clicks outside their video: alike in every format of click files."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.clicks.clicks import ClickedVideos, read_clicks
from tests.support.make_dataset import HEADER, problems_of

KNOWN = ClickedVideos(seconds={"a": 10.0, "b": 50.0}, fps={"a": 10.0, "b": 10.0}, classes=("Diving",))


def backtal(number: object) -> str:
    return f"{HEADER}\nb,b.mp4,20,background_background,1,1,1,1\na,a.mp4,20,background_background,{number},1,1,1\n"


def lines(number: object) -> str:
    return f"b,1.5,Diving\na,{number},Diving\n"


def lacp(number: object) -> str:
    return f"class,class_index,start_frame,stop_frame,video_id,point\nDiving,0,1,2,b,15\nDiving,0,1,2,a,{number}\n"


def frames_json(number: object) -> str:
    return f'{{"b": [51, 499], "a": [{number}]}}'


def seconds_json(number: object) -> str:
    return f'{{"b": [1, 2, 49.5], "a": [{number}]}}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clicks.txt"


FORMATS = {  # format, the place of the click on `a`, its last number
    "backtal": (backtal, "line 3", 10),
    "lines": (lines, "line 2", 10),
    "lacp": (lacp, "line 3", 100),
    "json in frames": (frames_json, "a[0]", 100),
    "json in seconds": (seconds_json, "a[0]", 10),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_click_outside_its_video_is_refused_with_its_place_and_a_fix(path: Path, name: str) -> None:
    make, where, last = FORMATS[name]
    path.write_text(make(last))
    assert 10 in read_clicks(path, None, "A1", KNOWN, []).by_video()["a"]
    for number in (last + 1, 10**6, -1):
        path.write_text(make(number))
        (problem,) = problems_of(lambda: read_clicks(path, None, "A1", KNOWN, []))
        assert problem.startswith(f"{path}: {where}: the click is at ")
        assert "of a, which lasts 10 s; correct or remove the row" in problem
    for text in ("NaN", "Infinity", "-Infinity", '"soon"'):
        path.write_text(make(text))
        (problem,) = problems_of(lambda: read_clicks(path, None, "A1", KNOWN, []))
        assert problem.startswith(f"{path}: {where}: the click on a is at '")
        assert problem.endswith(("give a frame's number", "give a number of seconds"))


def test_a_fraction_is_no_frame_number(path: Path) -> None:
    path.write_text(lacp(12.5))
    (problem,) = problems_of(lambda: read_clicks(path, None, "A1", KNOWN, []))
    assert "line 3: the click is at frame 12.5 of a, and no frame number is a fraction; give a whole number" in problem
    path.write_text(lacp("12.0"))
    assert read_clicks(path, None, "A1", KNOWN, []).by_video()["a"].tolist() == [1.2]
    path.write_text('{"a": [2.5, 90, 95, 99]}')
    problems = problems_of(lambda: read_clicks(path, None, "A1", KNOWN, []))
    assert len(problems) == 3
    assert "a[1]: the click is at 90 s of a, which lasts 10 s; correct or remove the row" in problems[0]
    assert "(its numbers are taken for seconds: a[0] is 2.5, and no frame number is a fraction)" in problems[0]


def test_one_wrong_number_does_not_make_seconds_frames(path: Path) -> None:
    path.write_text(json.dumps({"a": [1, 2, 3, 4, 60], "b": [5, 30]}))
    (problem,) = problems_of(lambda: read_clicks(path, None, "A1", KNOWN, []))
    assert "a[4]: the click is at 60 s of a, which lasts 10 s; correct or remove the row" in problem
    assert "its numbers are taken for seconds: 1 of 7 lie beyond the ends of their videos in seconds" in problem


@given(st.data(), st.integers(2, 60), st.booleans())
def test_the_unit_of_whole_numbers_is_found(data: st.DataObject, fps: int, in_frames: bool) -> None:
    """Frames in all of a video are told from seconds, without a click in the first of `fps` parts of every video."""
    seconds = data.draw(st.lists(st.integers(1, 50), min_size=1, max_size=20))
    late = [max(second, 50 // fps + 1) for second in seconds] if in_frames else seconds
    numbers = [second * fps for second in late] if in_frames else seconds
    known = dataclasses.replace(KNOWN, fps={"b": float(fps)})
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clicks.json"
        path.write_text(json.dumps({"b": numbers}))
        times = read_clicks(path, None, "A1", known, notes).by_video()["b"].tolist()
    assert times == sorted(map(float, late if in_frames else seconds))
    assert f"its numbers are taken for {'frames' if in_frames else 'seconds'}: " in notes[0]


def test_frames_of_videos_without_a_rate_are_one_problem(path: Path) -> None:
    path.write_text(lacp(5) + "Diving,0,1,2,a,6\n")
    (problem,) = problems_of(lambda: read_clicks(path, None, "A1", dataclasses.replace(KNOWN, fps={"b": 5.0}), []))
    assert (
        "2 clicks, such as line 3, are frames of videos whose fps is unknown (a); add or correct it in the ground"
        in problem
    )


def test_seconds_that_look_like_frames_are_said_to(path: Path) -> None:
    path.write_text(lines(90).replace("1.5", "400"))
    problems = problems_of(lambda: read_clicks(path, None, "A1", KNOWN, []))
    assert len(problems) == 2
    assert all("(this format holds seconds, and the file looks like frames)" in problem for problem in problems)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": [1], "a": [2]}', "'a' is given 2 times; put its numbers into one list"),
        (backtal("1,5"), "line 3: has 9 fields where 8 are needed; correct or remove the row"),
        (lines("1,5"), "line 2: has 4 fields where 3 are needed"),
    ],
)
def test_nothing_of_a_file_is_passed_over_unseen(path: Path, text: str, says: str) -> None:
    path.write_text(text)
    (problem,) = problems_of(lambda: read_clicks(path, None, "A1", KNOWN, []))
    assert says in problem


def test_empty_fields_at_the_end_of_a_line_are_no_content(path: Path) -> None:
    path.write_text("a,1.5,Diving\na,2.5,Diving,,\n")
    assert read_clicks(path, None, "A1", KNOWN, []).by_video()["a"].tolist() == [1.5, 2.5]
