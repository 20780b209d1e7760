"""Click files in every format: recognised by content, read in full, without the ground truth beside the clicks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.data import data_folder
from tal_search.data.catalog import definition
from tal_search.data.clicks.clicks import ClickedVideos, Clicks, read_clicks
from tal_search.data.truth.annotations import read_annotations
from tal_search.errors import InputError
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, Annotations
from tests.support.make_dataset import problems_of
from tests.support.paths import FIXTURES

KNOWN = ClickedVideos(
    seconds={"a": 10.0, "b": 5.0, "c": 9.0},
    fps={"a": 10.0, "b": 30.0, "t": 30.0},
    classes=("Diving", "GolfSwing"),
    others=frozenset({"t"}),
)
LACP = "class,class_index,start_frame,stop_frame,video_id,point"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clicks.txt"


def rows(clicks: Clicks) -> list[tuple[str, float, int]]:
    names = [clicks.videos[video] for video in clicks.video]
    return list(zip(names, clicks.time.tolist(), clicks.label.tolist(), strict=True))


def read(path: Path, kind: str, notes: list[str] | None = None) -> list[tuple[str, float, int]]:
    clicks = read_clicks(path, kind, "A1", KNOWN, [] if notes is None else notes)
    assert (clicks.kind, clicks.annotator) == (kind, "A1")
    assert np.isnan(clicks.spent).all()
    return rows(clicks)


def test_sfnet_lines_with_blank_lines_and_spaces(path: Path) -> None:
    path.write_text("\r\nb,4.5, GolfSwing\r\n\r\na,7.25,Diving\r\na,0,GolfSwing\r\n")
    assert read(path, ACTION_CLICKS) == [("a", 0, 1), ("a", 7.25, 0), ("b", 4.5, 1)]


def test_lacp_points_are_frames_and_the_boundaries_are_announced_and_not_read(path: Path) -> None:
    notes: list[str] = []
    path.write_text(f"{LACP}\nDiving,0,garbage,,a,25\nGolfSwing,1,nan,-3,b,150\n")
    assert read(path, ACTION_CLICKS, notes) == [("a", 2.5, 0), ("b", 5, 1)]
    assert notes == [f"WARNING: {path} carries ground-truth boundaries beside the clicks; they are not read"]
    path.write_text("video,point,class\na,25,Diving\n")
    assert read(path, ACTION_CLICKS, notes) == [("a", 2.5, 0)]
    assert len(notes) == 1


def test_background_numbers_of_json_are_frames_where_they_cannot_be_seconds(path: Path) -> None:
    for text, unit, second in (('{"b\\n": [30, 0], "a": [], "t": [1]}', "frames", 1), ('{"b": [3, 0]}', "seconds", 3)):
        notes: list[str] = []
        path.write_text(text)
        assert read(path, BACKGROUND_CLICKS, notes) == [("b", 0, -1), ("b", second, -1)]
        assert f"its numbers are taken for {unit}: " in notes[0]


def test_clicks_of_videos_that_are_not_trained_on_are_passed_over(path: Path) -> None:
    path.write_text("t,1,Diving\na,1,Diving\n")
    assert read(path, ACTION_CLICKS) == [("a", 1, 0)]


def test_a_stray_in_a_hundred_is_a_note_and_more_are_problems(path: Path) -> None:
    notes: list[str] = []
    many = [f"a,{second / 10},Diving" for second in range(99)]
    path.write_text("\n".join([*many, "x,1,Diving"]))
    assert len(read(path, ACTION_CLICKS, notes)) == 99
    assert notes == [f"{path}: 1 of 100 clicks ignored, of unknown videos (line 100 'x')"]
    path.write_text("\n".join([*many[1:], "x,1,Diving"]))
    (problem,) = problems_of(lambda: read(path, ACTION_CLICKS))
    assert "line 99: video 'x' is not a training video" in problem


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("a,1,Divin\na,11,Diving\na,-1,Diving\na,x,Diving\na,2", ACTION_CLICKS, 5),
        (f"{LACP}\nDiving,0,1,2,c,3\nDiving,0,1,2,a,inf\nx,0,1,2,a,3\nDiving,0,1,2,a,101", ACTION_CLICKS, 4),
        ('{"a": [101, "soon", null, true], "b": 3, "c": [1]}', BACKGROUND_CLICKS, 6),
        ("a,1,Diving", BACKGROUND_CLICKS, ["holds action clicks, but is named as a file of background clicks"]),
        ('{"a": [1]}', ACTION_CLICKS, ["holds background clicks, but is named as a file of action clicks"]),
        ('{"a": [1]', BACKGROUND_CLICKS, ["is not a whole JSON file"]),
        ("[1]", BACKGROUND_CLICKS, ["is [1]; give BackTAL's CSV"]),
        ("", ACTION_CLICKS, ["is not a click file (the first line is ''); give lines VIDEO,seconds,label or LACP's"]),
        ("hello", BACKGROUND_CLICKS, ["is not a click file (the first line is 'hello'); give BackTAL's CSV"]),
        ("t,1,Diving", ACTION_CLICKS, ["holds no click of a training video"]),
    ],
)
def test_every_problem_of_a_file_in_one_pass(path: Path, text: str, kind: str, words: int | list[str]) -> None:
    path.write_text(text)
    problems = problems_of(lambda: read(path, kind))
    assert all(problem.startswith(f"{path}: ") for problem in problems)
    if isinstance(words, int):
        assert len(problems) == words, problems
    else:
        assert [word for word, problem in zip(words, problems, strict=True) if word not in problem] == []


PIECES = st.sampled_from(
    [
        "URLID,Start",
        LACP,
        "a",
        "t",
        ",",
        "\n",
        "\r",
        '"',
        "{",
        "}",
        "[",
        "]",
        ":",
        "1",
        "9e999",
        "-",
        "Diving",
        "\x00",
        " ",
    ]
)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=25).map(lambda parts: "".join(parts).encode())))
def test_whatever_a_file_holds_it_is_read_or_refused_in_sentences(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clicks.txt"
        path.write_bytes(content)
        try:
            clicks = read_clicks(path, None, "A1", KNOWN, [])
        except InputError as error:
            problems = error.problems
        else:
            problems = ()
            limits = np.array(list(KNOWN.seconds.values()))[clicks.video]
            assert ((clicks.time >= 0) & (clicks.time <= limits)).all()
    assert all(problem and "\n" not in problem for problem in problems)


REAL = {  # set → subset trained on, then rows, videos, clicks inside an instance of their class, by annotator
    "thumos14": ("val", [(2980, 200, 2859), (2919, 200, 2850), (3014, 199, 2896), (2986, 200, 2938)]),
    "beoid": ("training", [(589, 46, 572), (602, 46, 590), (604, 46, 578), (599, 46, 575)]),
    "gtea": ("training", [(369, 21, 366), (367, 21, 361), (377, 21, 367), (367, 21, 366)]),
}


def real(folder: Path, file: str, kind: str, notes: list[str]) -> tuple[Clicks, Annotations]:
    """Clicks of a folder that is named like its dataset, and the training instances of its ground truth."""
    name = folder.name
    files = ("gt_thumos14.json", "gt_hrpro.json", f"{name}_groundtruth.json")
    path = next(folder / file for file in files if (folder / file).exists())
    train, test, fps = data_folder.subsets_and_fps(path, definition(name).splits)
    truth = read_annotations(path, train)
    seconds = dict(zip(truth.videos, truth.duration.tolist(), strict=True))
    others = frozenset(read_annotations(path, test).videos)
    known = ClickedVideos(seconds=seconds, fps=fps, classes=truth.classes, others=others)
    return read_clicks(folder / file, kind, "A1", known, notes), truth


def inside(clicks: Clicks, truth: Annotations) -> int:
    """Clicks that lie in an instance, of their class where they have one."""
    count = 0
    for video, time, label in zip(clicks.video, clicks.time, clicks.label, strict=True):
        mine = (truth.video == video) & ((truth.label == label) | (label == -1))
        count += bool(((truth.segment[mine, 0] <= time) & (time <= truth.segment[mine, 1])).any())
    return count


@pytest.mark.parametrize("name", REAL)
def test_real_action_clicks(shared: Path, name: str) -> None:
    for number, expected in enumerate(REAL[name][1], 1):
        notes: list[str] = []
        clicks, truth = real(shared / "data" / name, f"clicks_action_{number}.txt", ACTION_CLICKS, notes)
        assert (len(clicks.time), len(set(clicks.video)), inside(clicks, truth)) == expected
        strays = ["ignored, of unknown videos" in note and "ideo_validation_0000945" in note for note in notes]
        assert strays == ([True] if (name, number) == ("thumos14", 2) else [])


def test_real_lacp_clicks() -> None:
    notes: list[str] = []
    clicks, truth = real(FIXTURES / "thumos14", "clicks_action_gaussian_lacp.csv", ACTION_CLICKS, notes)
    assert (len(clicks.time), len(set(clicks.video)), len(notes)) == (3003, 200, 1)
    assert inside(clicks, truth) == 3003


@pytest.mark.parametrize(("name", "expected"), [("beoid", (594, 46, 336)), ("gtea", (229, 21, 0))])
def test_real_background_frames(shared: Path, name: str, expected: tuple[int, int, int]) -> None:
    clicks, truth = real(shared / "data" / name, "clicks_background_uniform.json", BACKGROUND_CLICKS, [])
    assert (len(clicks.time), len(set(clicks.video)), inside(clicks, truth)) == expected


def test_a_device_and_numbers_of_thousands_of_digits_are_refused(path: Path) -> None:
    with pytest.raises(InputError, match="a pipe or a device, not a regular file"):
        read(Path("/dev/zero"), BACKGROUND_CLICKS)
    path.write_text('{"a": [%s]}' % ("1" * 5000))
    (problem,) = problems_of(lambda: read(path, BACKGROUND_CLICKS))
    assert "set_int_max_str_digits" not in problem
    assert "a[0]" in problem


@pytest.mark.parametrize("field", ['"1', '"1"2', "1" * 140_000])
def test_a_row_that_is_no_csv_takes_no_other_row_with_it(path: Path, field: str) -> None:
    path.write_text(f'URLID,Start,URL\na,1,"x, y"\na,2,{field}\na,soon,z\nb,4,z\n')
    quote, number = problems_of(lambda: read(path, BACKGROUND_CLICKS))
    assert f"{path}: line 3: is no row of a CSV file (" in quote
    assert "line 4: the click on a is at 'soon'" in number
    path.write_text('URLID,Start,URL\na,1,"x, y"\nb,4,z\n')
    assert [video for video, _, _ in read(path, BACKGROUND_CLICKS)] == ["a", "b"]


def test_problems_are_grouped_by_kind(path: Path) -> None:
    path.write_text("URLID,Start\n" + 50 * "a,99\n" + 50 * "x,1\n" + 50 * "a,soon\n")
    problems = problems_of(lambda: read(path, BACKGROUND_CLICKS))
    assert len(problems) == 9
    for words in ("which lasts 10 s", "'x' is not a training video", "is at 'soon'"):
        assert sum(words in problem for problem in problems) == 3
    assert sum(problem.endswith("(and 47 more like it)") for problem in problems) == 3
