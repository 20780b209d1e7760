"""Background clicks: BackTAL's CSV, the grid of snippets, and simulated annotators (formats: test_click_files)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.annotations import read_annotations
from tal_search.data.clicks.click_statistics import statistics_of
from tal_search.data.clicks.clicks import ClickedVideos, read_clicks, snippet_of
from tal_search.data.simulation.clickers import CLICKERS, HUMANS, SHORT_GAP, simulate_clicks
from tal_search.data.truths import background_gaps
from tal_search.errors import InputError
from tal_search.types import BACKGROUND_CLICKS, Annotations
from tests.support.make_dataset import HEADER
from tests.support.paths import FIXTURES

DURATIONS = {"a": 10.0, "b": 5.0}


def read(path: Path, durations: dict[str, float] = DURATIONS) -> dict[str, np.ndarray]:
    """Seconds by video of a file of background clicks, for the videos that have any."""
    known = ClickedVideos(seconds=durations, fps={}, classes=())
    clicks = read_clicks(path, BACKGROUND_CLICKS, "A1", known, [])
    assert set(clicks.label) == {-1}
    return {video: seconds for video, seconds in clicks.by_video().items() if len(seconds)}


def simulated(truth: Annotations, annotator: str, seed: int) -> dict[str, np.ndarray]:
    return simulate_clicks(BACKGROUND_CLICKS, truth, truth.duration, annotator, seed).by_video()


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
        ("video,second", r"is no click file \(the first line is 'video,second'\); give BackTAL's CSV"),
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


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0.1, 1000), st.integers(1, 800))
def test_a_click_lies_in_the_snippet_that_holds_its_second(shares: list[float], duration: float, snippets: int) -> None:
    seconds = np.array([min(duration, share * duration) for share in shares])
    expected = {min(snippets - 1, int(second / duration * snippets)) for second in seconds}
    assert set(snippet_of(seconds, duration, snippets).tolist()) == expected


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
            grid[snippet_of(clicks.get(path.stem, np.zeros(0)), durations[path.stem], 750)] = True
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


def count_inside(truth: Annotations, clicks: dict[str, np.ndarray]) -> int:
    """Clicks that lie in an instance, its ends included."""
    count = 0
    for index, name in enumerate(truth.videos):
        segments = truth.segment[truth.video == index]
        count += sum(any(start <= second <= end for start, end in segments) for second in clicks.get(name, ()))
    return count


def missed_by_length(truth: Annotations, clicks: dict[str, np.ndarray]) -> tuple[float, float]:
    """Shares of short and of longer gaps without a click."""
    missed: dict[bool, list[bool]] = {True: [], False: []}
    for index, name in enumerate(truth.videos):
        seconds = clicks.get(name, np.zeros(0))
        for start, end in background_gaps(truth, index, float(truth.duration[index])):
            missed[bool(end - start < SHORT_GAP)].append(not ((seconds >= start) & (seconds < end)).any())
    return float(np.mean(missed[True] or [math.nan])), float(np.mean(missed[False]))


def test_real_gaps() -> None:
    truth = read_annotations(FIXTURES / "thumos14" / "gt_hrpro.json", "Validation")
    gaps = [background_gaps(truth, index, float(duration)) for index, duration in enumerate(truth.duration)]
    assert sum(map(len, gaps)) == 2880
    assert truth.duration.sum() / 60 == pytest.approx(696.7, abs=0.05)


def timeline(videos: int = 150) -> Annotations:
    """Two instances a video, at 5-12 s (overlapping 11-13 s) and 20-28 s of 30 s; the last video has none."""
    segments = np.tile([[5.0, 12.0], [11.0, 13.0], [20.0, 28.0]], (videos - 1, 1))
    return Annotations(
        videos=tuple(f"v{index}" for index in range(videos)),
        classes=("c",),
        video=np.repeat(np.arange(videos - 1), 3),
        label=np.zeros(3 * (videos - 1), np.int64),
        segment=segments,
        duration=np.full(videos, 30.0),
    )


def test_gaps_include_head_and_tail_and_merge_overlaps() -> None:
    truth = timeline()
    assert background_gaps(truth, 0, 30.0).tolist() == [[0, 5], [13, 20], [28, 30]]
    assert background_gaps(truth, 149, 30.0).tolist() == [[0, 30]]


@pytest.mark.parametrize("annotator", ["uniform", "gaussian"])
def test_machine_clickers_click_once_in_each_gap(annotator: str) -> None:
    truth = timeline()
    clicks = simulated(truth, annotator, 0)
    assert tuple(clicks) == truth.videos
    for index, seconds in enumerate(clicks.values()):
        gaps = background_gaps(truth, index, 30.0)
        assert len(seconds) == len(gaps)
        assert all(start <= second <= end for second, (start, end) in zip(seconds, gaps, strict=True))


def test_gaussian_clicks_nearer_the_middle() -> None:
    truth = timeline()
    away = {
        annotator: np.mean([abs(seconds[1] - 16.5) for seconds in list(clicks.values())[:-1]])
        for annotator in ("uniform", "gaussian")
        for clicks in [simulated(truth, annotator, 0)]
    }
    assert away["uniform"] == pytest.approx(7 / 4, rel=0.15)
    assert away["gaussian"] < 0.75 * away["uniform"]


@pytest.mark.parametrize("annotator", sorted(HUMANS))
def test_simulated_humans_miss_and_slip_at_their_rates(annotator: str) -> None:
    truth, human = timeline(2000), HUMANS[annotator]
    clicks = simulated(truth, annotator, 3)
    count = sum(map(len, clicks.values()))
    assert missed_by_length(truth, clicks)[1] == pytest.approx(human.missed_long, abs=0.02)
    assert count_inside(truth, clicks) / count == pytest.approx(human.inside, abs=0.015)
    assert all((np.diff(seconds) >= 0).all() for seconds in clicks.values())
    assert all(((seconds >= 0) & (seconds <= 30)).all() for seconds in clicks.values())


@pytest.mark.parametrize(("annotator", "missed"), [("A1", 1036), ("A2", 615), ("A3", 811)])
def test_simulated_humans_on_the_real_timeline_miss_and_slip_as_often_as_the_real_ones(
    annotator: str, missed: int
) -> None:
    truth = read_annotations(FIXTURES / "thumos14" / "gt_hrpro.json", "Validation")
    found = [
        statistics_of(simulate_clicks(BACKGROUND_CLICKS, truth, truth.duration, annotator, seed), truth)
        for seed in range(8)
    ]
    assert np.mean([one.missed for one in found]) == pytest.approx(missed, rel=0.05)
    assert sum(one.inside for one in found) / sum(one.clicks for one in found) == pytest.approx(
        HUMANS[annotator].inside, rel=0.15
    )
    assert np.mean([one.clicks for one in found]) == pytest.approx(
        (2880 - missed) / (1 - HUMANS[annotator].inside), rel=0.03
    )


def test_draws_depend_on_seed_and_annotator_alone() -> None:
    truth = timeline(40)
    draws = {
        (annotator, seed): np.concatenate(list(simulated(truth, annotator, seed).values())).tolist()
        for annotator in CLICKERS
        for seed in (0, 1)
    }
    assert len({tuple(draw) for draw in draws.values()}) == len(draws)
    again = np.concatenate(list(simulated(truth, "A1", 0).values())).tolist()
    assert again == draws["A1", 0]
