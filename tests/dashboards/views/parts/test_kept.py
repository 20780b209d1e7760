"""Ranges in parallel coordinates: written, dragged and combined."""

from __future__ import annotations

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.views.parts import kept
from tests.support.made_up_studies import made_up


def test_ranges_of_several_axes_combine_and_what_is_kept_is_said(small_study: StudyData) -> None:
    study = made_up(
        small_study,
        {"size": [1.0, 2.0, 4.0, 16.0], "switch": [True, False, True, True], "share": [1 / 16, 1 / 12, 1 / 8, 1 / 4]},
        [10.0, 20.0, 30.0, 40.0],
    )  # fmt: skip
    everything = kept.parallel_of(study, "mAP@0.5", {})
    assert everything is not None
    assert everything.summary[:2] == (4, 4)
    assert "no range is set" in kept.words_of(everything)
    chosen = {"plots-keep-size": "2 to 16", "plots-keep-switch": "yes", "plots-keep-share": "1/8..1/4"}
    found = kept.parallel_of(study, "mAP@0.5", chosen)
    assert found is not None
    assert found.kept_N.tolist() == [False, False, True, True]
    assert found.summary == (2, 4, 35.0, 25.0), "the centre is the first, at 10"
    assert "2 of 4 finished trials kept" in kept.words_of(found)
    assert "25.0 points above the centre" in kept.words_of(found)
    faded = [trace for trace in kept.figure_of(found).data if trace.opacity == 0.1]
    assert {row[2] for trace in faded for row in trace.customdata} == {"key0", "key1"}
    score = kept.parallel_of(study, "mAP@0.5", {"plots-keep-score": "15..25"})
    assert score is not None
    assert score.kept_N.tolist() == [False, True, False, False]
    wrong = kept.parallel_of(study, "mAP@0.5", {"plots-keep-size": "<b>", "plots-keep-switch": "maybe"})
    assert wrong is not None
    assert len(wrong.unread) == 2
    assert wrong.summary.kept == 4
    assert "1..16" in wrong.unread[0]


def test_a_dragged_box_is_a_range_of_the_axes_under_it(small_study: StudyData) -> None:
    study = made_up(small_study, {"size": [1.0, 4.0, 16.0], "switch": [True, False, True]}, [10.0, 20.0, 30.0])
    found = kept.parallel_of(study, "mAP@0.5", {})
    assert found is not None
    assert kept.dragged(found.axes, {"x": [0.1, 0.2], "y": [0.4, 1.2]}) == {"plots-keep-size": "3.031..16"}
    both = kept.dragged(found.axes, {"x": [0.9, 2.1], "y": [0.9, 0.5]})
    assert both == {"plots-keep-switch": "yes", "plots-keep-score": "20..28"}
    assert kept.dragged(found.axes, {"x": [0, 0], "y": [-0.1, 1.1]}) == {"plots-keep-size": ""}, "all of it is no range"
    again = kept.parallel_of(study, "mAP@0.5", both)
    assert again is not None
    assert again.summary.kept == 0
    assert "0 of 3 finished trials kept" in kept.words_of(again)
