"""Detection files: bad input, names unknown to the ground truth, round trips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.data.truth.annotations import read_annotations, read_detections, write_detections
from tal_search.errors import InputError
from tal_search.types import Detections
from tests.support.make_dataset import require_each
from tests.support.paths import FIXTURES


def results_file(folder: Path, results: Any) -> Path:
    path = folder / "found.json"
    path.write_text(json.dumps({"results": results}))
    return path


def found_problems(
    path: Path, classes: tuple[str, ...] = ("run",), videos: tuple[str, ...] = ("v",)
) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        read_detections(path, classes, videos)
    assert all(problem.startswith(f"{path}: ") and "\n" not in problem for problem in caught.value.problems)
    return caught.value.problems


def test_every_problem_of_a_detection_file_in_one_pass(tmp_path: Path) -> None:
    good = {"label": "run", "score": 1, "segment": [0, 1]}
    results = {
        "v": [
            good,
            {**good, "score": float("nan")},
            {**good, "score": None},
            {**good, "segment": [3, 3]},
            {**good, "label": 1},
            5,
        ],
        "w": [good, good],
        "empty": [],
        "x": {"label": "run"},
    }
    results["v"].append({**good, "label": "rum"})
    problems = found_problems(results_file(tmp_path, results))
    expected = [
        "results.v[1].score is NaN",
        "results.v[2].score is missing",
        "results.v[3].segment is [3, 3], which is not longer than 0 s",
        "results.v[4].label is 1",
        "results.v[5] is 5",
        "results.x is ",
        "has detections in 1 video that are not among the 1 of the subset: 'w' (2 detections); remove them",
        "labels that are no class of the ground truth: 'rum' (1 detection; did you mean 'run'?); remove them",
    ]
    require_each(problems, expected)
    assert "unknown=ignore" in problems[-1]


def test_unknown_labels_and_videos_ignored_or_counted(tmp_path: Path) -> None:
    items = [{"label": label, "score": 1, "segment": [0, 1]} for label in ("run", "fly")]
    path = results_file(tmp_path, {"strange": items, "v": items})
    ignored = read_detections(path, ("jump", "run"), ("u", "v"), "ignore")
    assert (ignored.videos, ignored.classes) == (("u", "v"), ("jump", "run"))
    assert (ignored.video.tolist(), ignored.label.tolist()) == ([1], [1])
    counted = read_detections(path, ("jump", "run"), ("u", "v"), "count")
    assert (counted.videos, counted.classes) == (("u", "v", "strange"), ("jump", "run", "fly"))
    assert (counted.video.tolist(), counted.label.tolist()) == ([2, 2, 1, 1], [1, 2, 1, 2])
    with pytest.raises(InputError, match="unknown=keep must be one of error, ignore, count"):
        read_detections(path, ("run",), ("v",), "keep")  # type: ignore[arg-type]


def test_no_detection_at_all_is_a_valid_file(tmp_path: Path) -> None:
    found = read_detections(results_file(tmp_path, {"gone": []}), ("run",), ("v",))
    assert found.segment.shape == (0, 2)
    assert found.videos == ("v",)


numbers = st.floats(-1e6, 1e6, allow_nan=False)
row = st.tuples(st.integers(0, 2), st.integers(0, 1), numbers, st.floats(0.001, 1e5), numbers)


@settings(max_examples=60, deadline=None)
@given(st.lists(row, max_size=12))
def test_written_detections_read_back_the_same(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    rows.sort(key=lambda item: item[0])
    found = Detections(
        videos=("v", "ü w", "x"),
        classes=("run", "jump"),
        video=np.array([item[0] for item in rows], np.int64),
        label=np.array([item[1] for item in rows], np.int64),
        segment=np.array([(item[2], item[2] + item[3]) for item in rows], np.float64).reshape(-1, 2),
        score=np.array([item[4] for item in rows], np.float64),
    )
    path = tmp_path_factory.mktemp("written") / "deep" / "found.json"
    write_detections(path, found)
    back = read_detections(path, found.classes, found.videos)
    assert (back.videos, back.classes) == (found.videos, found.classes)
    for name in ("video", "label", "segment", "score"):
        assert np.array_equal(getattr(back, name), getattr(found, name))
    assert set(json.loads(path.read_text())["results"]) == set(found.videos)


def test_a_score_that_is_not_finite_is_never_written(tmp_path: Path) -> None:
    one = np.zeros(1, np.int64)
    bad = Detections(
        videos=("v",), classes=("run",), video=one, label=one, segment=np.array([[0.0, 1.0]]), score=np.array([np.nan])
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_detections(tmp_path / "found.json", bad)
    assert list(tmp_path.iterdir()) == []


def test_the_published_detections_survive_a_round_trip(tmp_path: Path) -> None:
    folder = FIXTURES / "stpn"
    truth = read_annotations(folder / "ground_truth.json", "test")
    found = read_detections(folder / "detections.json", truth.classes, truth.videos)
    write_detections(tmp_path / "again.json", found)
    again = read_detections(tmp_path / "again.json", truth.classes, truth.videos)

    def content(detections: Detections) -> list[tuple[float, ...]]:
        columns = (detections.video, detections.label, *detections.segment.T, detections.score)
        return sorted(zip(*(column.tolist() for column in columns), strict=True))

    assert content(again) == content(found)
    assert len(again.label) == 9151
