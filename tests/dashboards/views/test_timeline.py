"""View 8 against the files of the trials: instances, clicks, activations, affinity and detections of one video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.data.tracks import OUTCOMES, Track, mask_table, similarity_range
from tal_dashboards.figures.timeline_figures import LOOKS, timeline_figure
from tal_dashboards.views import timeline
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.error_profile import KINDS, error_profile
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
        assert track.duration == found.duration == truth.duration[truth.videos.index(kept.videos[row])]


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


def test_detections_are_drawn_by_outcome_in_colour_width_and_marker() -> None:
    kinds = ["true positive", "wrong label", "confusion", "double detection", "background", "not scored"]
    frame = pd.DataFrame({"label": "a", "start": range(6), "end": range(1, 7), "score": 0.5, "kind": kinds})
    track = Track("k", "one", 10.0, None, None, frame, {"hit": 1, "false": 3})
    nothing = pd.DataFrame(columns=["label", "start", "end"]), pd.DataFrame(columns=["kind", "time", "label"])
    drawn = {trace.name: trace for trace in timeline_figure(*nothing, [track, track], ("a",), 10, 1).data if trace.name}
    assert {name: [x for x in trace.x if x is not None][::2] for name, trace in drawn.items()} == {
        "hit": [0], "wrong label": [1], "false": [2, 3, 4], "not scored": [5]
    }  # fmt: skip
    assert drawn["false"].customdata[3] == "a: double detection"
    for place in range(3):
        assert len({look[place] for look in LOOKS.values()}) >= 3
    assert [drawn[name].line.color for name in LOOKS] == [look[0] for look in LOOKS.values()]
    legend = [trace.name for trace in timeline_figure(*nothing, [track, track], ("a",), 10, 1).data if trace.showlegend]
    assert sorted(legend) == sorted(LOOKS), "two tracks, one legend"


def test_colours_of_similarities_span_what_neighbours_have() -> None:
    mask = np.vstack([np.linspace(0.9, 0.95, 101), np.ones(101), np.linspace(0.92, 0.97, 101)])
    track = Track("k", "one", 10.0, None, mask, pd.DataFrame(columns=["label", "start", "end", "score", "kind"]), {})
    assert similarity_range([track]) == (0.9, 0.97)
    assert similarity_range([track._replace(affinity=np.ones((1, 5)))]) == (-1.0, 1.0)
    low, high = similarity_range([track._replace(affinity=np.full((3, 5), 0.5))])
    assert low < high
    nothing = pd.DataFrame(columns=["label", "start", "end"]), pd.DataFrame(columns=["kind", "time", "label"])
    drawn = timeline_figure(*nothing, [track], ("a",), 10.0, 1.0)
    (heat,) = (trace for trace in drawn.data if trace.type == "heatmap")
    assert list(heat.y) == ["-1", "+1"], "a snippet is always like itself"
    scale = drawn.layout.coloraxis2
    assert (scale.cmin, scale.cmax) == (0.9, 0.97)
    assert list(scale.colorbar.ticktext) == ["≤ 0.90", "≥ 0.97"]
    assert scale.colorbar.title.text == "similarity"


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
        assert found.annotator == "A1"
    assert any(len(seconds) for seconds in clicks.values())


def test_clicks_beyond_a_trial_s_budget_are_not_shown(small_study: StudyData, monkeypatch: pytest.MonkeyPatch) -> None:
    key = small_study.done["key"].iloc[0]
    spec, videos = small_study.spec(key), small_study.truth(key, "train").videos
    everything = sorted(small_study.clicks(key, BACKGROUND_CLICKS, "A1").time.tolist())
    half = replace(spec, dataset=replace(spec.dataset, clicks_fraction=0.5))
    monkeypatch.setattr(StudyData, "spec", lambda _, __: half)
    seen = sorted(time for video in videos for time in timeline.clicks_on(small_study, key, video)["time"])
    assert len(seen) == round(0.5 * len(everything)) > 0
    assert set(seen) <= set(everything)


def test_two_trials_lie_above_one_another_with_the_same_colours(small_study: StudyData) -> None:
    keys = small_study.done["key"].drop_duplicates().tolist()
    found = shown(small_study, trial=keys[0], other=keys[1])
    assert [track.key for track in found.tracks] == keys[:2]
    drawn = timeline.figures(found)["timeline"]
    activations = [trace for trace in drawn.data if trace.type == "heatmap" and trace.coloraxis == "coloraxis"]
    assert len(activations) == 2
    assert activations[0].yaxis != activations[1].yaxis
    assert len(shown(small_study, trial=keys[0], other=keys[0]).tracks) == 1
    titles = [note.text for note in drawn.layout.annotations]
    assert [title.split("<br>")[-1] for title in titles] == [
        "instances", *["class activations", "similarity with neighbours", "detections by score"] * 2
    ]  # fmt: skip


def test_snippets_lie_at_their_centres_in_seconds(small_study: StudyData) -> None:
    found = shown(small_study)
    track, drawn = found.tracks[0], timeline.figures(found)["timeline"]
    (cas,) = (trace for trace in drawn.data if trace.type == "heatmap" and trace.coloraxis == "coloraxis")
    assert track.cas is not None
    snippets = track.cas.shape[1]
    assert cas.x0 + cas.dx * (snippets - 1) == pytest.approx(found.duration - cas.x0)
    assert cas.dx * snippets == pytest.approx(found.duration)
    assert len(cas.y) == len(track.cas) == len(found.classes) + 1
    assert drawn.layout[f"xaxis{len(drawn.layout.annotations)}"].title.text == "time (s)"


def test_the_mask_of_a_moment_is_the_kept_column_without_what_lies_outside() -> None:
    mask = np.arange(15.0).reshape(3, 5)
    track = Track("k", "one", 10.0, None, mask, pd.DataFrame(columns=["label", "start", "end", "score", "kind"]), {})
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


def test_names_from_data_are_text_in_the_figure() -> None:
    name = "<script>alert(1)</script>"
    truth = pd.DataFrame({"label": [name], "start": [1.0], "end": [2.0]})
    clicks = pd.DataFrame({"kind": [name], "time": [1.5], "label": [name]})
    detections = pd.DataFrame({"label": [name], "start": [1.0], "end": [2.0], "score": [0.5], "kind": KINDS[:1]})
    track = Track("k", name, 4.0, np.zeros((2, 4)), np.ones((1, 4)), detections, {"hit": 1})
    drawn = timeline_figure(truth, clicks, [track], (name,), 4.0, 1.0)
    shown_names = [note.text for note in drawn.layout.annotations] + [str(trace.name) for trace in drawn.data]
    shown_names += [str(one) for trace in drawn.data for one in trace.y]
    shown_names += [str(one) for trace in drawn.data for one in (trace.customdata or ())]
    assert not any("<" in one.replace("<br>", "") for one in shown_names)
    assert sum("&lt;script&gt;" in one for one in shown_names) >= 5


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


def test_markup_in_the_names_of_classes_and_trials_is_text_in_the_figure(small_study: StudyData) -> None:
    key, name = small_study.done["key"].iloc[0], "<a href='x'>"
    found = shown(small_study, trial=key, timeline_video=small_study.truth(key, "train").videos[0])
    track = shown(small_study, trial=key).tracks[0]
    first, *others = small_study.truth(key).classes
    clicks = found.clicks.assign(label=found.clicks["label"].mask(found.clicks["label"] != "", name))
    named = track._replace(name=name, detections=track.detections.assign(label=name))
    drawn = timeline_figure(
        found.truth.assign(label=name), clicks, [named], (name, *others), found.duration, found.at
    ).to_json()
    assert first not in drawn
    assert "<a " not in drawn
    assert "\\u003ca " not in drawn
    assert "&lt;a href=" in drawn.replace("\\u0026", "&")
