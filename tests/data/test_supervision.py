"""A trial gets exactly the supervision that its method declares, and its key covers exactly that."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tal_search.data.data_folder import CLICK_FILES
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.find import check, default_annotators, load
from tal_search.methods import available, specification
from tal_search.plan.plan import resolve
from tal_search.types import (
    ACTION_CLICKS,
    BACKGROUND_CLICKS,
    CLICKS,
    INSTANCES,
    NO_ANNOTATOR,
    VIDEO_LABELS,
    VideoSet,
    clicks_of,
)
from tests.support.make_dataset import change, edit_json, found, problems_of
from tests.support.small_fits import make_data, make_spec
from tests.support.study_files import load as load_study_text

EVERYTHING = (VIDEO_LABELS, BACKGROUND_CLICKS, ACTION_CLICKS, INSTANCES)


@pytest.fixture
def clicked(root: Path) -> DatasetSpec:
    """The small dataset, where A1 and A3 made action clicks too: at 6 s of the instance at 5-12 s, and at 24 s."""
    lines = [
        f"video_val_{number:04d},{{}},{('CliffDiving', 'GolfSwing', 'HighJump')[number % 3]}" for number in range(4)
    ]
    (root / "clicks_action_1.txt").write_text("\n".join(line.format(6) for line in lines))
    (root / "clicks_action_A3.txt").write_text("\n".join(line.format(24) for line in lines))
    return found(root)


def given(videos: VideoSet) -> set[str]:
    """The kinds of supervision beyond video labels that a set carries."""
    arrays = {BACKGROUND_CLICKS: videos.background_clicks, ACTION_CLICKS: videos.action_clicks}
    found = {kind for kind, array in arrays.items() if array.any()}
    return found | ({INSTANCES} if videos.segments.size or videos.segment_labels.size else set())


@pytest.mark.parametrize("count", range(8))
def test_only_the_supervision_declared_is_filled_in_and_the_test_split_has_none(
    clicked: DatasetSpec, count: int
) -> None:
    declared = tuple(kind for bit, kind in enumerate(EVERYTHING[1:]) if count >> bit & 1)
    dataset = load(clicked, "A1", (VIDEO_LABELS, *declared))
    assert given(dataset.train) == set(declared)
    assert given(dataset.test) == set()


def test_embedded_clicks_do_not_reach_a_method_that_reads_none(root: Path) -> None:
    for path in root.glob("clicks_*"):
        path.unlink()
    spec = found(root)
    assert given(load(spec, "embedded", EVERYTHING[:2]).train) == {BACKGROUND_CLICKS}
    assert given(load(spec, NO_ANNOTATOR, (VIDEO_LABELS,)).train) == set()


def test_action_clicks_lie_in_their_class_and_snippet(clicked: DatasetSpec) -> None:
    for annotator, second in (("A1", 6), ("A3", 24)):
        train = load(clicked, annotator, (ACTION_CLICKS,)).train
        expected = [(row, row % 3, int(second / (40 + row) * 40)) for row in range(4)]
        assert list(zip(*map(np.ndarray.tolist, np.nonzero(train.action_clicks)), strict=True)) == expected


def test_instances_are_in_snippets_clipped_and_padded(root: Path) -> None:
    def edit(content: dict) -> None:
        content["database"]["video_val_0001"]["annotations"] = [{"segment": [30, 99], "label": "GolfSwing"}]

    edit_json(root / "gt_thumos14.json", edit)
    train = load(found(root), NO_ANNOTATOR, (INSTANCES,)).train
    np.testing.assert_allclose(train.segments[0], [[5, 12], [20, 28]])
    np.testing.assert_allclose(train.segments[1], [[30 / 41 * 40, 40], [0, 0]], rtol=1e-6)
    assert train.segment_labels.tolist() == [[0, 0], [1, -1], [2, 2], [0, 0]]


def test_annotators_are_those_with_every_kind(clicked: DatasetSpec) -> None:
    assert default_annotators(clicked, (BACKGROUND_CLICKS,)) == ("A1", "A2")
    assert default_annotators(clicked, (ACTION_CLICKS,)) == ("A1", "A3")
    assert default_annotators(clicked, CLICKS) == ("A1",)
    assert default_annotators(clicked, ()) == (NO_ANNOTATOR,)
    check(clicked, ("A1",), CLICKS)
    (problem,) = problems_of(lambda: check(clicked, ("A1", "A2"), CLICKS))
    assert "annotator 'A2' has no action clicks in thumos14; found: A1, A3; add clicks_action_A2.txt" in problem


def test_two_files_of_one_annotator_are_refused(clicked: DatasetSpec) -> None:
    root = Path(clicked.root)
    (root / "clicks_action_A1.csv").write_text("")
    (problem,) = problems_of(lambda: found(root))
    assert "clicks_action_A1.csv" in problem
    assert "clicks_action_1.txt" in problem
    assert "both of annotator A1; keep one" in problem


def test_a_key_holds_the_clicks_the_trial_reads_and_no_others() -> None:
    data = make_data()
    prints = data.click_fingerprints
    spec = make_spec(data)

    def with_new(kind: str) -> str:
        changed = {**prints, kind: {**prints[kind], "A1": "new"}}
        return dataclasses.replace(spec, dataset=dataclasses.replace(data, click_fingerprints=changed)).key

    assert with_new(BACKGROUND_CLICKS) != spec.key
    assert with_new(ACTION_CLICKS) == spec.key
    assert type(spec).from_json(spec.to_json()) == spec


def test_a_share_of_the_background_clicks_is_a_nested_draw_that_enters_the_key(clicked: DatasetSpec) -> None:
    def grids(fraction: float, annotator: str = "A1") -> VideoSet:
        return load(dataclasses.replace(clicked, shares={"background_clicks": fraction}), annotator, EVERYTHING).train

    whole, half, quarter, none = (grids(fraction).background_clicks for fraction in (1, 0.5, 0.25, 0))
    assert [grid.sum() for grid in (whole, half, quarter, none)] == [12, 6, 3, 0]
    assert not (half & ~whole).any()
    assert not (quarter & ~half).any()
    np.testing.assert_array_equal(grids(0.25).background_clicks, quarter)
    np.testing.assert_array_equal(grids(0.0).action_clicks, grids(1.0).action_clicks)
    spec = make_spec(make_data())
    half_spec = dataclasses.replace(spec, dataset=dataclasses.replace(spec.dataset, shares={"background_clicks": 0.5}))
    assert half_spec.key != spec.key
    unread = [dataclasses.replace(one, supervision=(VIDEO_LABELS,)) for one in (spec, half_spec)]
    assert unread[0].key == unread[1].key, "it reads no clicks"


STUDY = """
dataset: {source: simulated, snippets: 40, simulation: {train_videos: 24, test_videos: 20, channels: 8}}
search: {repeats: {seeds: [0, 1], annotators: [A1, A2, A3]}}
hyperparameters: {lambda_sep: 0, beta_aff: 0}
"""


def test_a_trial_without_clicks_is_one_repeat_a_seed_whoever_clicked(tmp_path: Path) -> None:
    plan = resolve(load_study_text(tmp_path, STUDY, "search.axes={frame_weight: [0]}"))
    assert plan.annotators == ("A1", "A2", "A3")
    assert plan.clicks == (BACKGROUND_CLICKS,)
    with_clicks = [(trial.spec.seed, trial.spec.annotator) for trial in plan.trials if trial.cell["frame_weight"]]
    assert with_clicks == [(seed, name) for seed in (0, 1) for name in ("A1", "A2", "A3")]
    without = [trial.repeat for trial in plan.trials if not trial.cell["frame_weight"]]
    assert without == [(0, NO_ANNOTATOR), (1, NO_ANNOTATOR)]
    alone = resolve(
        load_study_text(tmp_path, STUDY, "hyperparameters.frame_weight=0", "search.repeats.annotators=auto")
    )
    assert (alone.annotators, alone.clicks) == ((NO_ANNOTATOR,), ())
    assert [trial.spec.key for trial in alone.trials] == [
        trial.spec.key for trial in plan.trials if not trial.cell["frame_weight"]
    ]


@pytest.fixture
def unclicked(root: Path) -> Path:
    """The small dataset without any click: video labels and instances are all there is."""
    for path in root.glob("clicks_*"):
        path.unlink()
    for path in (root / "val").glob("*.npz"):
        change(path, point_label=None)
    return root


@pytest.mark.parametrize("name", available())
def test_each_method_is_refused_where_its_supervision_is_missing_naming_the_file(
    name: str, unclicked: Path, tmp_path: Path
) -> None:
    weights = "hyperparameters={frame_weight: 1, action_weight: 1}" if name == "basnet" else "hyperparameters={}"
    text = f"method: {name}\ndataset: {{root: {unclicked}, source: features}}"
    kinds = clicks_of(specification(name).method.supervision)
    if kinds:
        (problem,) = problems_of(lambda: resolve(load_study_text(tmp_path, text, weights)))
        assert f"{name} needs {' and '.join(kinds)} of one annotator, but no annotator has them in" in problem
        assert f"put {' and '.join(f'{CLICK_FILES[kind]}ANNOTATOR.txt' for kind in kinds)} beside" in problem
    else:
        assert resolve(load_study_text(tmp_path, text, weights)).annotators == (NO_ANNOTATOR,)
    (unclicked / "gt_thumos14.json").unlink()  # labels and instances
    (problem,) = problems_of(lambda: resolve(load_study_text(tmp_path, text, weights)))
    assert "no ground truth (gt_thumos14.json) in" in problem


def test_backtal_without_its_losses_on_clicks_needs_none(unclicked: Path, tmp_path: Path) -> None:
    text = f"dataset: {{root: {unclicked}, source: features}}"
    weights = "hyperparameters={frame_weight: 0, lambda_sep: 0, beta_aff: 0}"
    assert resolve(load_study_text(tmp_path, text, weights)).annotators == (NO_ANNOTATOR,)


def test_instances_are_refused_where_no_training_video_has_any(root: Path, tmp_path: Path) -> None:
    edit_json(root / "gt_thumos14.json", _without_training_instances)
    plan = resolve(load_study_text(tmp_path, f"method: asl\ndataset: {{root: {root}, source: features}}"))
    problems = problems_of(lambda: check(plan.dataset, plan.annotators, ()))
    assert f"{root / 'gt_thumos14.json'}: subset 'val' has no instance in its 4 videos" in " ".join(problems)


def _without_training_instances(content: dict[str, Any]) -> None:
    for entry in content["database"].values():
        if entry["subset"] == "val":
            entry["annotations"] = []
