"""Timeline figure: outcomes, colours, positions, and names as text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.data.tracks import Track, similarity_range
from tal_dashboards.figures.timeline_figures import LOOKS, timeline_figure
from tal_dashboards.views import timeline
from tal_search.metrics.error_profile import KINDS
from tal_search.timeline import Timeline

TEN = Timeline.even(np.array([4]), np.array([10.0]))


def shown(study: StudyData, **selection: str) -> timeline.TimelineInfo:
    found = timeline.info(study, {name.replace("_", "-"): value for name, value in selection.items()})
    assert found is not None
    return found


def test_detections_are_drawn_by_outcome_in_colour_width_and_marker() -> None:
    kinds = ["true positive", "wrong label", "confusion", "double detection", "background", "not scored"]
    frame = pd.DataFrame({"label": "a", "start": range(6), "end": range(1, 7), "score": 0.5, "kind": kinds})
    track = Track("k", "one", TEN, None, None, frame, {"hit": 1, "false": 3})
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
    track = Track("k", "one", TEN, None, mask, pd.DataFrame(columns=["label", "start", "end", "score", "kind"]), {})
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


def test_stored_snippets_are_drawn_at_their_times() -> None:
    """Snippets of 2 s from 1 s on."""
    stored = Timeline(length=np.array([4]), start=np.array([1.0]), extent=np.array([8.0]))
    none = pd.DataFrame(columns=["label", "start", "end", "score", "kind"])
    track = Track("k", "one", stored, np.zeros((2, 4)), np.ones((1, 4)), none, {})
    nothing = pd.DataFrame(columns=["label", "start", "end"]), pd.DataFrame(columns=["kind", "time", "label"])
    drawn = timeline_figure(*nothing, [track], ("a",), 12.0, 1.0)
    heats = [(trace.x0, trace.dx) for trace in drawn.data if trace.type == "heatmap"]
    assert heats == [(2.0, 2.0)] * 2


def test_names_from_data_are_text_in_the_figure() -> None:
    name = "<script>alert(1)</script>"
    truth = pd.DataFrame({"label": [name], "start": [1.0], "end": [2.0]})
    clicks = pd.DataFrame({"kind": [name], "time": [1.5], "label": [name]})
    detections = pd.DataFrame({"label": [name], "start": [1.0], "end": [2.0], "score": [0.5], "kind": KINDS[:1]})
    track = Track("k", name, TEN, np.zeros((2, 4)), np.ones((1, 4)), detections, {"hit": 1})
    drawn = timeline_figure(truth, clicks, [track], (name,), 4.0, 1.0)
    shown_names = [note.text for note in drawn.layout.annotations] + [str(trace.name) for trace in drawn.data]
    shown_names += [str(one) for trace in drawn.data for one in trace.y]
    shown_names += [str(one) for trace in drawn.data for one in (trace.customdata or ())]
    assert not any("<" in one.replace("<br>", "") for one in shown_names)
    assert sum("&lt;script&gt;" in one for one in shown_names) >= 5


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
