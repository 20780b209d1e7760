"""Background clicks: BackTAL's CSV and the grid of snippets (other formats: test_click_files)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.clicks.clicks import ClickedVideos, read_clicks
from tal_search.data.simulation.clickers import HUMANS
from tal_search.data.truth.annotations import read_annotations
from tal_search.errors import InputError
from tal_search.timeline import Timeline
from tal_search.types import BACKGROUND_CLICKS, Floats, Ints
from tests.support.click_rates import count_inside, missed_by_length
from tests.support.make_dataset import HEADER

DURATIONS = {"a": 10.0, "b": 5.0}


def read(path: Path, durations: dict[str, float] = DURATIONS) -> dict[str, np.ndarray]:
    """Seconds by video of a file of background clicks, for the videos that have any."""
    known = ClickedVideos(seconds=durations, fps={}, classes=())
    clicks = read_clicks(path, BACKGROUND_CLICKS, "A1", known, [])
    assert set(clicks.label) == {-1}
    return {video: seconds for video, seconds in clicks.by_video().items() if len(seconds)}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_rows(*rows: str, header: str = HEADER) -> Path:
        path = tmp_path / "clicks_background_A1.txt"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    return write_rows


def row(video: str, second: object) -> str:
    return f"{video},{video}.mp4,20,background_background,{second},{second},1,1"


def test_reads_seconds_by_video_sorted(write: Callable[..., Path]) -> None:
    clicks = read(write(row("a", 7.5), row("b", 5), "", row("a", 0), row("a", 10)))
    assert {video: seconds.tolist() for video, seconds in clicks.items()} == {"a": [0, 7.5, 10], "b": [5]}


def test_columns_are_found_by_name_with_or_without_mark(write: Callable[..., Path]) -> None:
    assert read(write("3,a", header="Start,URLID"))["a"].tolist() == [3]
    assert read(write("3,a", header="\ufeffStart,URLID"))["a"].tolist() == [3]


def test_every_bad_row_in_one_pass_with_its_line(write: Callable[..., Path]) -> None:
    rows = [row("a", 10.5), row("a", 1), row("c", 1), row("b", -0.5), row("b", "soon"), row("b", "nan"), "b,b.mp4,20"]
    path = write(*rows)
    with pytest.raises(InputError) as caught:
        read(path)
    problems = sorted(caught.value.problems)
    assert [problem.split(": ")[1] for problem in problems] == [f"line {line}" for line in (2, 4, 5, 6, 7, 8)]
    assert "the click is at 10.5 s of a, which lasts 10 s" in problems[0]
    assert "video 'c' is not a training video" in problems[1]
    assert "the click is at -0.5 s of b" in problems[2]
    assert "the click on b is at 'soon'" in problems[3]
    assert "the click on b is at 'nan'" in problems[4]
    assert "has 3 fields where 8 are needed" in problems[5]
    assert all(problem.startswith(f"{path}: ") for problem in problems)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("video,second", r"is not a click file \(the first line is 'video,second'\); give BackTAL's CSV"),
        ("class,start,stop,video,point", "holds action clicks, but is named as a file of background clicks; rename it"),
        ("video_1,21.5,Diving", "holds action clicks, but is named as a file of background clicks; rename it"),
    ],
)
def test_files_of_another_kind(write: Callable[..., Path], header: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(write(row("a", 1), header=header))


def test_unreadable_files(write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "absent.txt")
    with pytest.raises(InputError, match="holds no click"):
        read(write())
    path = write()
    path.write_bytes(b"URLID,Start\n\xff\xfe,1\n")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read(path)


def snippets_at(seconds: Floats, duration: float, snippets: int) -> Ints:
    """The snippet at each second of one video that T snippets cover evenly, as training places its clicks."""
    even = Timeline.even(np.array([snippets]), np.array([duration]))
    return even.snippets(np.zeros(len(seconds), np.int64), seconds)


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0.1, 1000), st.integers(1, 800))
def test_a_click_lies_in_the_snippet_that_holds_its_second(shares: list[float], duration: float, snippets: int) -> None:
    seconds = np.array([min(duration, share * duration) for share in shares])
    expected = {min(snippets - 1, int(second / duration * snippets)) for second in seconds}
    assert set(snippets_at(seconds, duration, snippets).tolist()) == expected


def test_real_clicks_give_the_released_grid_exactly(shared: Path) -> None:
    data = shared / "data"
    truth = read_annotations(data / "thumos14" / "gt_thumos14.json", "val")
    durations = dict(zip(truth.videos, truth.duration.tolist(), strict=True))
    clicks = read(data / "thumos14" / "clicks_background_A1.txt", durations)
    files = sorted((data / "thumos14_evidence" / "val").glob("*.npz"))
    assert len(files) == 200
    for path in files:
        with np.load(path) as stored:
            grid = np.zeros(750, np.bool_)
            grid[snippets_at(clicks.get(path.stem, np.zeros(0)), durations[path.stem], 750)] = True
            np.testing.assert_array_equal(grid, stored["point_label"] == 20)


@pytest.mark.parametrize(
    ("annotator", "rows", "videos", "inside"), [("A1", 2264, 200, 175), ("A2", 2323, 199, 52), ("A3", 2344, 199, 175)]
)
def test_real_annotators_have_the_measured_rates(
    shared: Path, annotator: str, rows: int, videos: int, inside: int
) -> None:
    folder = shared / "data" / "thumos14"
    truth = read_annotations(folder / "gt_thumos14.json", "val")
    durations = dict(zip(truth.videos, truth.duration.tolist(), strict=True))
    clicks = read(folder / f"clicks_background_{annotator}.txt", durations)
    assert sum(map(len, clicks.values())) == rows
    assert len(clicks) == videos
    assert count_inside(truth, clicks) == inside
    human = HUMANS[annotator]
    assert human.inside == pytest.approx(inside / rows, abs=1e-4)
    missed = missed_by_length(truth, clicks)
    assert missed == pytest.approx((human.missed_short, human.missed_long), abs=1e-3)
