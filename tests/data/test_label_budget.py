"""Label budgets: nested draws of videos, instances and clicks, and what a trial under a budget of videos may see."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.data.clicks.annotation_cost import annotation_seconds
from tal_search.data.clicks.annotation_rates import labelled, training_truth
from tal_search.data.clicks.click_budget import within_budget
from tal_search.data.clicks.clicks import Clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.label_budget import kept_count, training_rows, within_instances, within_videos
from tal_search.data.load import LOADED, load
from tal_search.data.splits import holdout_split
from tal_search.data.truth.truths import present
from tal_search.trial.folder import TrialFolder
from tal_search.trial.run import Progress
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, INSTANCES, SHARE_OF, VIDEO_LABELS, VIDEOS
from tests.support.make_dataset import edit_json, found
from tests.support.small_fits import make_data, make_spec, run

DATA = make_data()
TRUTH = training_truth(DATA)
HOLDOUT = {"selection": "holdout", "holdout_fraction": 0.3, "holdout_seed": 0}
SHARES = st.floats(0, 1)


def at(**shares: float) -> DatasetSpec:
    return dataclasses.replace(DATA, shares={name: share for name, share in shares.items() if share < 1})


@given(st.integers(1, 60), SHARES, SHARES, st.sampled_from(["A1", "A2"]))
def test_fewer_videos_are_a_part_of_more(count: int, one: float, other: float, annotator: str) -> None:
    names, rows = tuple(f"v{number}" for number in range(count)), np.arange(count)
    fewer, more = (within_videos(at(videos=share), annotator, names, rows) for share in sorted((one, other)))
    assert {*fewer} <= {*more} <= {*rows}
    assert len(more) == kept_count(max(one, other), count) == max(1, round(max(one, other) * count))
    assert (np.diff(more) > 0).all()


def test_the_draw_of_videos_follows_the_names_of_videos_and_annotator_and_not_their_order() -> None:
    names = tuple(f"v{number}" for number in range(40))
    kept = {name: {names[row] for row in within_videos(at(videos=0.5), name, names, np.arange(40))} for name in "AB"}
    assert kept["A"] != kept["B"]
    turned = names[::-1]
    assert {turned[row] for row in within_videos(at(videos=0.5), "A", turned, np.arange(40))} == kept["A"]


@given(SHARES, SHARES)
@settings(max_examples=30, deadline=None)
def test_held_out_videos_are_taken_before_the_budget(one: float, other: float) -> None:
    labels_NC = present(TRUTH)
    whole, wanted = holdout_split(labels_NC, 0.3, 0)
    found = [training_rows(at(videos=share), "A1", HOLDOUT, TRUTH.videos, labels_NC) for share in sorted((one, other))]
    for rows, held in found:
        np.testing.assert_array_equal(held, wanted)
        assert {*rows} <= {*whole}
    assert {*found[0][0]} <= {*found[1][0]}


def instances(share: float, annotator: str = "none") -> set[tuple[int, int, float, float]]:
    kept = within_instances(at(instances=share), annotator, TRUTH)
    return set(zip(kept.video.tolist(), kept.label.tolist(), *kept.segment.T.tolist(), strict=True))


@given(SHARES, SHARES)
@settings(max_examples=30, deadline=None)
def test_fewer_instances_are_a_part_of_more(one: float, other: float) -> None:
    fewer, more = (instances(share) for share in sorted((one, other)))
    assert fewer <= more
    assert len(more) == round(max(one, other) * len(TRUTH.label))
    assert instances(0.5, "A1") != instances(0.5, "A2")


@given(st.integers(0, 40), SHARES, SHARES, st.sampled_from([BACKGROUND_CLICKS, ACTION_CLICKS]))
def test_fewer_clicks_of_either_kind_are_a_part_of_more(count: int, one: float, other: float, kind: str) -> None:
    clicks = Clicks.of(kind, "A1", ("v",), [(0, float(number), 0) for number in range(count)])
    (name,) = (name for name in SHARE_OF if SHARE_OF[name] == kind)
    fewer, more = (within_budget(at(**{name: share}), clicks, np.array([60.0])).time for share in sorted((one, other)))
    assert {*fewer} <= {*more} <= {*clicks.time}
    assert len(more) == round(max(one, other) * count)
    (foreign,) = {"background_clicks", "action_clicks"} - {name}
    assert len(within_budget(at(**{foreign: 0.5}), clicks, np.array([60.0])).time) == count


def test_the_draw_of_background_clicks_is_that_of_earlier_versions() -> None:
    clicks = Clicks.of(BACKGROUND_CLICKS, "A1", ("v",), [(0, float(number), -1) for number in range(12)])
    kept = within_budget(at(background_clicks=0.5), clicks, np.array([60.0]))
    assert kept.time.tolist() == EARLIER


EARLIER = [1.0, 4.0, 5.0, 8.0, 10.0, 11.0]  # of version 0.3.0

KINDS = (VIDEO_LABELS, BACKGROUND_CLICKS, ACTION_CLICKS, INSTANCES)


def total(shares: dict[str, float], protocol: dict[str, object]) -> float:
    minutes, rates = labelled(at(**shares), "A1", KINDS, protocol)
    assert minutes is not None
    return minutes * annotation_seconds(KINDS, rates)


@given(st.lists(st.tuples(SHARES, SHARES), min_size=4, max_size=4), st.sampled_from([HOLDOUT, {"selection": "last"}]))
@settings(max_examples=20, deadline=None)
def test_a_smaller_budget_of_anything_costs_no_more(
    pairs: list[tuple[float, float]], protocol: dict[str, object]
) -> None:
    names = (*SHARE_OF, VIDEOS)
    less, more = (dict(zip(names, map(end, pairs), strict=True)) for end in (min, max))
    assert total(less, protocol) <= total(more, protocol) + 1e-6 <= total({}, protocol) + 2e-6


def test_the_cost_is_counted_by_hand_from_the_videos_that_are_kept(root: Path) -> None:
    spec = dataclasses.replace(found(root), shares={"videos": 0.5})
    truth = training_truth(spec)
    rows = within_videos(spec, "A1", truth.videos, np.arange(4))
    assert len(rows) == 2
    minutes, rates = labelled(spec, "A1", (VIDEO_LABELS, BACKGROUND_CLICKS))
    assert minutes == pytest.approx(truth.duration[rows].sum() / 60)
    assert rates[BACKGROUND_CLICKS] * minutes == pytest.approx(6), "3 clicks of A1 in each video"


def test_the_cost_of_videos_without_a_duration_is_unknown_and_not_nothing(root: Path) -> None:
    edit_json(root / "gt_thumos14.json", lambda content: content["database"]["video_val_0001"].pop("duration"))
    assert labelled(found(root), "A1", (VIDEO_LABELS, BACKGROUND_CLICKS)).minutes is None


def test_a_budget_enters_the_key_where_it_is_read_and_below_one() -> None:
    spec = make_spec(DATA)

    def key(**shares: float) -> str:
        return dataclasses.replace(spec, dataset=dataclasses.replace(DATA, shares=shares)).key

    assert key(instances=0.5) == key(action_clicks=0.5) == key(videos=1.0) == spec.key, "BackTAL reads neither"
    assert len({spec.key, key(videos=0.5), key(videos=0.25), key(background_clicks=0.5)}) == 4


def test_a_specification_of_an_earlier_version_has_its_share_under_the_present_name() -> None:
    spec = dataclasses.replace(make_spec(DATA), dataset=at(background_clicks=0.5))
    content = spec.to_json()
    dataset = content["dataset"]
    assert isinstance(dataset, dict)
    del dataset["shares"]
    older = {**content, "dataset": {**dataset, "clicks_fraction": 0.5}}
    assert type(spec).from_json(older) == spec
    assert type(spec).from_json({**content, "dataset": {**dataset, "clicks_fraction": 1.0}}).dataset == DATA


@pytest.mark.parametrize("selection", ["last", "holdout"])
@pytest.mark.usefixtures("one_thread")
def test_a_trial_never_sees_the_videos_that_its_budget_leaves_out(selection: str, tmp_path: Path) -> None:
    spec = dataclasses.replace(make_spec(DATA, selection=selection, epochs=2), dataset=at(videos=0.5))
    dataset = load(spec.dataset, spec.annotator, spec.supervision)
    train = dataset.train
    rows, held = training_rows(spec.dataset, "A1", spec.protocol, train.videos, train.labels)
    gone = np.setdiff1d(np.arange(len(train.videos)), np.concatenate([rows, held]))
    assert len(gone)
    features, labels = train.features.copy(), train.labels.copy()
    features[gone], labels[gone] = np.nan, 1 - labels[gone]
    clicks = train.background_clicks.copy()
    clicks[gone] = ~clicks[gone]
    spoilt = dataclasses.replace(train, features=features, background_clicks=clicks)
    if selection == "last":
        spoilt = dataclasses.replace(spoilt, labels=labels)
    losses = []
    for name, videos in (("whole", train), ("spoilt", spoilt)):
        seen = dataclasses.replace(dataset, train=videos)
        progress, _ = Progress.open(spec, TrialFolder(tmp_path / name), seen, "cpu")
        losses.append([progress.next_epoch().losses for _ in range(2)])
    assert losses[0] == losses[1]


@pytest.mark.usefixtures("one_thread")
def test_budgets_share_the_arrays_of_their_dataset(tmp_path: Path) -> None:
    LOADED.clear()
    half, tenth = (load(at(videos=share), "A1", (VIDEO_LABELS,)).train.features for share in (0.5, 0.1))
    assert half is tenth
    result = run(dataclasses.replace(make_spec(DATA, epochs=1), dataset=at(videos=0.0)), tmp_path)
    assert result.selected_epoch == 1, "one video is left"
