"""Instances labelled Ambiguous: never a class, and the same for THUMOS14's protocol in a list or a ground truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tal_search.config.thresholds import parse_tiou
from tal_search.data.load import check, load
from tal_search.data.splits import restrict
from tal_search.data.truth.ambiguous import read_ambiguous
from tal_search.errors import InputError
from tal_search.metrics.average_precision import score
from tal_search.metrics.comparison import compare
from tal_search.metrics.error_profile import error_profile
from tal_search.trial.evaluate import open_benchmark
from tal_search.types import BACKGROUND_CLICKS, INSTANCES
from tests.support.ambiguous_truths import DETECTIONS, LIST, SAYS, add_ambiguous, labelled
from tests.support.make_dataset import CLASSES, found
from tests.support.paths import FIXTURES

NINE = parse_tiou("0.1:0.9:0.1")


def test_labels_in_the_ground_truth_are_as_good_as_a_list(tmp_path: Path) -> None:
    rules: dict[str, Any] = {"protocol": "thumos14", "ambiguous": LIST}
    listed, (found,) = open_benchmark(FIXTURES / "stpn/ground_truth.json", "test", [DETECTIONS], **rules)
    expected = score(listed.truth, found, NINE, subset="test", **listed.rules)
    half = replace(found, **{name: getattr(found, name)[::2] for name in ("video", "label", "segment", "score")})
    for more in ({}, {"ambiguous": LIST}, {"videos": 210}, {"drop_duplicates": True}):
        given = open_benchmark(labelled(tmp_path), "test", [DETECTIONS], protocol="thumos14", **more)
        benchmark, (same,) = given
        assert benchmark.truth.classes == listed.truth.classes
        scores = score(benchmark.truth, same, NINE, subset="test", **benchmark.rules)
        if "drop_duplicates" not in more:
            assert scores == expected
        assert scores.ambiguous == 87
    comparisons = [compare(one.truth, found, half, (0.5,), **one.rules) for one in (listed, benchmark)]
    assert comparisons[0] == comparisons[1]
    profiles = [error_profile(one.truth, found, subset="test", **one.rules) for one in (listed, benchmark)]
    assert profiles[0] == profiles[1]
    assert sum(profiles[0].counts.values()) < 9151  # those ignored are no error


def test_activitynet_leaves_them_out(tmp_path: Path) -> None:
    without, (found,) = open_benchmark(FIXTURES / "stpn/ground_truth.json", "test", [DETECTIONS])
    benchmark, _ = open_benchmark(labelled(tmp_path), "test")
    first, second = (score(one.truth, found, NINE, subset="test", **one.rules) for one in (without, benchmark))
    assert first == second
    assert second.ambiguous == 0


def test_no_class_of_that_name_is_trained(root: Path) -> None:
    add_ambiguous(root)
    spec = found(root)
    notes = check(spec, ("A1",), (BACKGROUND_CLICKS,))
    assert notes == [f"{root / 'gt_thumos14.json'}: 7 instances are {SAYS}leaves such instances out"]
    dataset = load(spec, "A1", (INSTANCES,))
    assert dataset.classes == CLASSES
    assert dataset.train.labels.shape == (4, len(CLASSES))
    assert (dataset.train.segment_labels >= 0).sum() == 8  # two instances a video, as before
    truth = dataset.train_truth
    assert truth.ambiguous is not None
    few = restrict(truth, truth.videos[2:])
    assert few.ambiguous is not None
    assert few.ambiguous.segment.tolist() == [[14, 18]] * 2
    assert few.ambiguous.videos == few.videos


def test_every_bad_line_of_an_ambiguous_list_is_named(tmp_path: Path) -> None:
    path = tmp_path / "unclear.txt"
    path.write_text("v 1 2\n\nv 3\nv 5 4\nv x 4\nv 1 nan\nw  0.5 1.5\n")
    with pytest.raises(InputError) as caught:
        read_ambiguous(path)
    assert [problem.split("'")[1] for problem in caught.value.problems] == ["v 3", "v 5 4", "v x 4", "v 1 nan"]
    assert caught.value.problems[0] == f"{path}: line 3 is 'v 3'; give VIDEO START END, in seconds, END after START"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text"):
        read_ambiguous(path)
    with pytest.raises(InputError, match="No such file"):
        read_ambiguous(tmp_path / "none.txt")
    with pytest.raises(InputError, match="a pipe or a device, not a regular file"):
        read_ambiguous(Path("/dev/zero"))
