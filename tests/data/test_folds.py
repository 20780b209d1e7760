"""Folds split the videos of both subsets by subject, and nothing of a fold's test videos reaches training."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.clicks.annotation_rates import labelled
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.cache import convert
from tal_search.data.find import check, find, load
from tal_search.data.folds import folds_of, joint, natural, subjects_of
from tal_search.data.load import LOADED, load_truths
from tal_search.data.simulation.videos import Simulation
from tal_search.errors import InputError
from tal_search.text.name_patterns import group_of
from tal_search.types import (
    ACTION_CLICKS,
    BACKGROUND_CLICKS,
    CLICKS,
    INSTANCES,
    VIDEO_LABELS,
    Annotations,
    VideoSet,
)
from tests.support.make_dataset import found
from tests.support.subjects import BY, folded, with_folds, write_truth

EVERYTHING = (VIDEO_LABELS, BACKGROUND_CLICKS, ACTION_CLICKS, INSTANCES)


def test_subjects_are_in_natural_order_and_each_video_has_one() -> None:
    names = ("e1_user10", "e2_user2", "e3_user10", "e4_user1")
    subjects, index = subjects_of(names, r"user\d+")
    assert subjects == ("user1", "user2", "user10")
    assert index.tolist() == [2, 1, 2, 0]


@given(st.lists(st.text(max_size=8), max_size=6))
def test_natural_order_is_total(names: list[str]) -> None:
    assert sorted(names, key=natural) == sorted(sorted(names, reverse=True), key=natural)


def _seen(videos: VideoSet, truth: Annotations) -> dict[str, bytes]:
    """Everything that a set says of each video, by name."""
    rows = {name: row for row, name in enumerate(truth.videos)}
    return {
        name: videos.features[row].astype(np.float32).tobytes() + videos.labels[row].tobytes()
        + truth.segment[truth.video == rows[name]].tobytes()
        for row, name in enumerate(videos.videos)
    }  # fmt: skip


@pytest.mark.parametrize("of", [2, 3, 6])
def test_every_fold_has_all_videos_once_and_equal_to_those_without_folds(tmp_path: Path, of: int) -> None:
    spec = folded(write_truth(tmp_path), of)
    whole = load(dataclasses.replace(spec, folds={}), "A1", EVERYTHING)
    known = _seen(whole.train, whole.train_truth) | _seen(whole.test, whole.test_truth)
    tested: list[str] = []
    for fold in folds_of(spec):
        dataset = load(dataclasses.replace(spec, fold=fold), "A1", EVERYTHING)
        train, test = _seen(dataset.train, dataset.train_truth), _seen(dataset.test, dataset.test_truth)
        assert train | test == known
        assert not train.keys() & test.keys()
        assert dataset.train_truth.videos == dataset.train.videos
        assert dataset.test_truth.videos == dataset.test.videos
        subjects = [{group_of(name, BY) for name in part} for part in (train, test)]
        assert not subjects[0] & subjects[1]
        assert subjects[1] == {f"{number + 1:02d}" for number in range(6)[fold::of]}
        tested += test
        assert dataset.test.background_clicks.sum() == dataset.test.action_clicks.sum() == 0
        assert dataset.test.segments.size == 0
    assert sorted(tested) == sorted(known)


def test_without_a_number_folds_are_all_videos(tmp_path: Path) -> None:
    spec = folded(write_truth(tmp_path), 3)
    truths = load_truths(spec)
    assert truths[0] is truths[1]
    assert len(truths[0].videos) == 12
    assert len(truths[0].label) == 36


def _changed(path: Path, videos: tuple[str, ...]) -> None:
    """Write other instances for these videos."""
    content = json.loads(path.read_text())
    for name in videos:
        content["database"][name]["annotations"] = [{"segment": [1, 2], "label": "HighJump"}]
    path.write_text(json.dumps(content))


def test_a_changed_test_video_changes_nothing_in_training(root: Path) -> None:
    """Features, labels, instances and clicks of the videos that a fold tests, all of them different."""
    lines = [
        f"video_{kind}_000{number},6,CliffDiving"
        for kind, count in (("val", 4), ("test", 3))
        for number in range(count)
    ]
    (root / "clicks_action_1.txt").write_text(
        "\n".join(line for line in lines if not line.startswith("video_val_0001"))
    )
    (root / "clicks_action_A1.txt").unlink(missing_ok=True)
    spec = with_folds(found(root), 4, 1, r"(\d)$")
    annotator = next(iter(spec.clicks[ACTION_CLICKS]))
    before = load(spec, annotator, (VIDEO_LABELS, ACTION_CLICKS, INSTANCES))
    tested = before.test.videos
    assert tested == ("video_val_0001", "video_test_0001")
    assert not {*tested} & {*before.train.videos}
    truth = Path(spec.ground_truth)
    content = json.loads(truth.read_text())
    for name in tested:
        content["database"][name]["annotations"] = [{"segment": [1, 2], "label": "HighJump"}]
        file = root / name.split("_")[1] / f"{name}.npz"
        with np.load(file) as kept:
            arrays = dict(kept)
        arrays = {
            key: array * 3 if array.dtype.kind == "f" and array.ndim > 1 else array for key, array in arrays.items()
        }
        np.savez(file, **arrays)
    truth.write_text(json.dumps(content))
    clicks = [line.replace(",6,", ",9,") if any(name in line for name in tested) else line for line in lines]
    (root / "clicks_action_1.txt").write_text("\n".join(clicks))
    LOADED.clear()
    again = with_folds(found(root), 4, 1, r"(\d)$")
    after = load(again, annotator, (VIDEO_LABELS, ACTION_CLICKS, INSTANCES))
    for field in dataclasses.fields(VideoSet):
        np.testing.assert_array_equal(getattr(before.train, field.name), getattr(after.train, field.name))
    assert not np.array_equal(before.test.features, after.test.features)


def test_a_click_file_may_cover_all_videos_and_only_training_clicks_are_read(root: Path) -> None:
    lines = [
        f"video_{kind}_000{number},{5 + number}.5,CliffDiving"
        for kind, count in (("val", 4), ("test", 3))
        for number in range(count)
    ]
    (root / "clicks_action_9.txt").write_text("\n".join(lines[:-1]))
    spec = found(root)
    annotator = next(iter(spec.clicks[ACTION_CLICKS]))
    notes = check(with_folds(spec, 2, None, r"(\d)$"), (annotator,), (ACTION_CLICKS,))
    assert any("no action clicks on 1 of the 7 videos of all folds (video_test_0002)" in note for note in notes)
    for fold in range(2):
        train = load(with_folds(spec, 2, fold, r"(\d)$"), annotator, (VIDEO_LABELS, ACTION_CLICKS)).train
        clicked = {name for name, clicks in zip(train.videos, train.action_clicks, strict=True) if clicks.any()}
        assert clicked == {*train.videos} - {"video_test_0002"}


@pytest.mark.parametrize("kind", CLICKS)
def test_a_clicker_clicks_the_same_in_every_fold(tmp_path: Path, kind: str) -> None:
    truth = write_truth(tmp_path)
    clicked: dict[str, set[bytes]] = {}
    for fold in range(3):
        train = load(folded(truth, 3, fold), "A1", (VIDEO_LABELS, kind)).train
        array = train.background_clicks if kind == BACKGROUND_CLICKS else train.action_clicks
        assert array.any()
        for name, clicks in zip(train.videos, array, strict=True):
            clicked.setdefault(name, set()).add(clicks.tobytes())
    assert len(clicked) == 12
    assert all(len(different) == 1 for different in clicked.values())


@pytest.mark.parametrize("fold", [None, 0, 1, 2])
def test_a_fold_costs_the_annotation_of_the_videos_that_it_trains_on(tmp_path: Path, fold: int | None) -> None:
    """Without a number of the fold, of all videos: each instance once."""
    spec = folded(write_truth(tmp_path), 3, fold)
    train, _ = load_truths(spec)
    found = labelled(spec, "A1", EVERYTHING)
    minutes = train.duration.sum() / 60
    assert found.minutes == pytest.approx(minutes)
    assert found.rates[INSTANCES] == pytest.approx(len(train.label) / minutes)
    assert len(train.label) == (36 if fold is None else 24)


def test_converted_features_have_the_same_folds(root: Path, tmp_path: Path) -> None:
    spec = dataclasses.replace(found(root), snippets=32)
    convert(spec, tmp_path / "converted", [])
    kept = dataclasses.replace(found(tmp_path / "converted"), snippets=32)
    for fold in range(3):
        a, b = (load(with_folds(one, 3, fold, r"(\d)$"), "A1", (VIDEO_LABELS,)) for one in (spec, kept))
        assert a.train.videos == b.train.videos
        np.testing.assert_array_equal(a.train.features, b.train.features)
        np.testing.assert_array_equal(a.test.labels, b.test.labels)


def test_ambiguous_instances_are_pooled_as_well(tmp_path: Path) -> None:
    path = write_truth(tmp_path)
    content = json.loads(path.read_text())
    for name in ("exp01_user01", "exp11_user06"):
        content["database"][name]["annotations"].append({"segment": [40, 44], "label": "Ambiguous"})
    path.write_text(json.dumps(content))
    spec = folded(path, 6)
    truth = load_truths(spec)[0]
    assert truth.ambiguous is not None
    assert [truth.videos[row] for row in truth.ambiguous.video] == ["exp01_user01", "exp11_user06"]
    last = load_truths(dataclasses.replace(spec, fold=5))
    assert [None if one.ambiguous is None else len(one.ambiguous.label) for one in last] == [1, 1]


def test_the_joint_truth_keeps_every_instance_with_its_video(tmp_path: Path) -> None:
    truths = load_truths(dataclasses.replace(folded(write_truth(tmp_path), 3), folds={}))
    both = joint(*truths)
    assert _rows(both) == [row for truth in truths for row in _rows(truth)]


def _rows(truth: Annotations) -> list[tuple[object, ...]]:
    columns = zip(truth.video.tolist(), truth.label.tolist(), truth.segment.tolist(), strict=True)
    return [(truth.videos[video], label, *segment) for video, label, segment in columns]


def _problem(spec: DatasetSpec, of: int, by: str) -> str:
    with pytest.raises(InputError) as raised:
        with_folds(spec, of, None, by)
    (problem,) = raised.value.problems
    return problem


def test_every_reason_against_folds_is_one_sentence(tmp_path: Path) -> None:
    path = write_truth(tmp_path)
    spec = dataclasses.replace(folded(path, 3), folds={})
    assert "finds no subject in the names of 12 of 12 videos (exp01_user01, " in _problem(spec, 3, r"person(\d+)")
    assert "dataset.folds.by is missing; give a pattern that finds the subject in a name" in _problem(spec, 3, "")
    assert "finds no subject in the names of 6 of 12 videos" in _problem(spec, 3, r"_user(\d)[1-3]$")
    assert "dataset.folds.of is 7, but dataset.folds.by finds only 6 subjects" in _problem(spec, 7, BY)
    assert _problem(spec, 7, BY).endswith("give at most 6")
    assert "finds only 1 subject (user)" in _problem(spec, 2, "user")
    content = json.loads(path.read_text())
    for name in ("exp03_user02", "exp04_user02"):
        content["database"][name]["annotations"] = []
    path.write_text(json.dumps(content))
    LOADED.clear()
    again = dataclasses.replace(folded(path, 3), folds={})
    assert "1 of 6 folds test or train on no instance (02)" in _problem(again, 6, BY)


def test_hapt_has_thirty_subjects(shared: Path) -> None:
    root = shared / "data" / "hapt" / "stats-windows"
    spec = find("hapt", "features", root, None, None, 64, Simulation())
    folds = with_folds(spec, 30, 0)
    assert folds.folds["subjects"] == [f"{number:02d}" for number in range(1, 31)]
    train, test = load_truths(folds)
    assert {group_of(name, BY) for name in test.videos} == {"01"}
    assert len({group_of(name, BY) for name in train.videos}) == 29
