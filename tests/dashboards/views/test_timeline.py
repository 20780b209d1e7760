"""Timeline view against the files of the trials: instances, clicks, activations, affinity and detections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.data.tracks import OUTCOMES, Track, mask_table
from tal_dashboards.views import timeline
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.error_profile import error_profile
from tal_search.timeline import Timeline
from tal_search.types import BACKGROUND_CLICKS, Detections


def shown(study: StudyData, **selection: str) -> timeline.TimelineInfo:
    found = timeline.info(study, {name.replace("_", "-"): value for name, value in selection.items()})
    assert found is not None
    return found


def test_a_test_video_shows_its_instances_and_what_the_trial_keeps_of_it(small_study: StudyData) -> None:
    key = small_study.done["key"].iloc[-1]
    truth, kept = small_study.truth(key), Activations.load(small_study.folder(key).cas)
    for row in (0, 7):
        found = shown(small_study, trial=key, timeline_video=kept.videos[row])
        mine = truth.segment[truth.video == truth.videos.index(kept.videos[row])]
        assert (found.video, found.split, found.tracks[0].key) == (kept.videos[row], "test", key)
        assert found.truth[["start", "end"]].to_numpy().tolist() == mine[np.argsort(mine[:, 0])].tolist()
        assert found.clicks.empty
        track = found.tracks[0]
        assert track.cas is not None
        assert track.affinity is not None
        assert np.array_equal(track.cas, kept.cas[row].astype(float))
        assert np.array_equal(track.affinity, kept.affinity[row].astype(float))  # type: ignore[index]
        assert track.end == found.duration == truth.duration[truth.videos.index(kept.videos[row])]


def test_detections_of_a_video_are_those_of_the_whole_set(small_study: StudyData) -> None:
    key = small_study.done["key"].iloc[0]
    for study in (small_study, replace(small_study, inference=small_study.fit_inference)):
        whole = localize(small_study.activations(key), small_study.truth(key).classes, Inference(**study.inference))
        for video in whole.videos[:6]:
            found = shown(study, trial=key, timeline_video=video).tracks[0]
            rows = np.flatnonzero(whole.video == whole.videos.index(video))
            rows = rows[np.argsort(-whole.score[rows], kind="stable")]
            assert found.found == len(rows)
            assert found.detections["score"].tolist() == whole.score[rows][:200].tolist()
            assert found.detections[["start", "end"]].to_numpy().tolist() == whole.segment[rows][:200].tolist()
            assert found.detections["label"].tolist() == [whole.classes[label] for label in whole.label[rows][:200]]
    kept = small_study.detections(key)  # at the settings that the fit was trained with: those on disk
    assert len(kept.score) == len(whole.score)


def test_outcomes_of_all_videos_are_those_of_the_error_profile(small_study: StudyData) -> None:
    key = small_study.done["key"].iloc[-1]
    truth = small_study.truth(key)
    whole = localize(small_study.activations(key), truth.classes, Inference(**small_study.inference))
    protocol = small_study.spec(key).protocol["evaluation"]
    profile = error_profile(truth, whole, subset="test", protocol=protocol)
    tracks = [shown(small_study, trial=key, timeline_video=video).tracks[0] for video in whole.videos]
    for outcome, kinds in OUTCOMES.items():
        wanted = sum(profile.counts.get(kind, 0) for kind in kinds)
        assert sum(track.counts.get(outcome, 0) for track in tracks) == wanted
    assert profile.counts["true positive"] > 0
    assert profile.counts["wrong label"] > 0


def test_training_videos_show_the_trial_s_clicks_and_activations_where_they_were_held_out(
    small_study: StudyData,
) -> None:
    key = small_study.done["key"].iloc[0]
    held, train = Activations.load(small_study.folder(key).holdout_cas).videos, small_study.truth(key, "train").videos
    clicks = small_study.clicks(key, BACKGROUND_CLICKS, "A1").by_video()
    other = next(name for name in train if name not in held)
    for video, split in ((held[0], "holdout"), (other, "train")):
        found = shown(small_study, trial=key, timeline_video=video)
        assert found.split == split
        assert (found.tracks[0].cas is not None) == (split == "holdout")
        assert found.clicks["time"].tolist() == clicks[video].tolist()
        assert set(found.clicks["kind"]) <= {BACKGROUND_CLICKS}
        assert found.whose == "the clicks of A1"
    assert any(len(seconds) for seconds in clicks.values())


def test_clicks_beyond_a_trial_s_budget_are_not_shown(small_study: StudyData, monkeypatch: pytest.MonkeyPatch) -> None:
    key = small_study.done["key"].iloc[0]
    spec, videos = small_study.spec(key), small_study.truth(key, "train").videos
    everything = sorted(small_study.clicks(key, BACKGROUND_CLICKS, "A1").time.tolist())
    half = replace(spec, dataset=replace(spec.dataset, shares={"background_clicks": 0.5}))
    monkeypatch.setattr(StudyData, "spec", lambda _, __: half)
    seen = sorted(time for video in videos for time in timeline.clicks_on(small_study, key, video)["time"])
    assert len(seen) == round(0.5 * len(everything)) > 0
    assert set(seen) <= set(everything)


def test_the_mask_of_a_moment_is_the_kept_column_without_what_lies_outside() -> None:
    mask = np.arange(15.0).reshape(3, 5)
    track = Track(
        "k",
        "one",
        Timeline.even(np.array([5]), np.array([10.0])),
        None,
        mask,
        pd.DataFrame(columns=["label", "start", "end", "score", "kind"]),
        {},
    )
    inside = mask_table([track], 4.5)
    assert inside["neighbour"].tolist() == [-1, 0, 1]
    assert inside["seconds"].tolist() == [3.0, 5.0, 7.0]
    assert inside["similarity"].tolist() == [2.0, 7.0, 12.0]
    assert mask_table([track], 0.0)["neighbour"].tolist() == [0, 1]
    assert mask_table([track], 10.0)["similarity"].tolist() == [4.0, 9.0]
    assert mask_table([track._replace(affinity=None)], 4.5).empty


def test_the_mask_of_a_real_trial_is_one_at_the_chosen_snippet(small_study: StudyData) -> None:
    found = shown(small_study, timeline_at="3")
    table = timeline.tables(found)["affinity mask"].set_index("neighbour")
    assert found.at == 3
    assert table.loc[0, "similarity"] == 1
    assert table["similarity"].between(-1.001, 1.001).all()
    assert timeline.figures(found)["affinity mask"].layout.yaxis.title.text == "cosine similarity"


def test_the_first_video_shown_is_that_of_the_surest_detection() -> None:
    three = np.array([[0.0, 1.0], [1.0, 2.0], [4.0, 5.0]])
    found = Detections(
        videos=("a", "b", "c"), classes=("x",), video=np.array([0, 2, 1]), label=np.zeros(3, np.int64), segment=three,
        score=np.array([0.2, 0.9, 0.8]),
    )  # fmt: skip
    assert timeline.surest(found) == "c"
    empty = Detections(
        videos=("a", "b"), classes=("x",), video=np.zeros(0, np.int64), label=np.zeros(0, np.int64),
        segment=np.zeros((0, 2)), score=np.zeros(0),
    )  # fmt: skip
    assert timeline.surest(empty) == "a"


def test_what_a_url_asks_for_and_is_not_there_is_passed_over(small_study: StudyData) -> None:
    found = shown(small_study, trial="../..", other="x", timeline_video="<b>", timeline_at="-5")
    assert found.video == timeline.surest(small_study.detections(found.tracks[0].key))
    assert len(found.tracks) == 1
    assert found.at == found.duration / 2
    empty = replace(small_study, trials=small_study.trials.assign(state="running"))
    assert timeline.info(empty, {}) is None
    assert f"tal-search run study={small_study.name}" in str(timeline.layout(empty, {}))
