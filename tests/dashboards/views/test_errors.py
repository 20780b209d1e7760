"""View 7 against the trial's own score and the profile that `evaluate` gives."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.views import errors
from tal_dashboards.views.parts.trial_panel import trial_info, trial_tables, view_query
from tal_search.metrics.error_profile import ERRORS, KINDS, error_profile
from tests.support.small_dashboards import Made


def test_the_profile_is_of_the_trial_whose_score_the_study_shows(small_study: StudyData) -> None:
    done = small_study.done
    for row in done[done["inference.nms"] == small_study.centre["inference.nms"]].to_dict("records"):
        found = errors.info(small_study, {"trial": row["key"]})
        assert found is not None
        assert found.key == row["key"]
        assert 100 * found.profile.mAP == pytest.approx(row["mAP@0.5"], abs=1e-12)
    at_preset = replace(small_study, inference=small_study.fit_inference)
    kept = errors.info(at_preset, {"trial": row["key"]})
    assert kept is not None
    detections, truth = small_study.detections(row["key"]), small_study.truth(row["key"])
    assert kept.profile == error_profile(truth, detections, subset="test")


def test_columns_of_the_breakdown_add_up_to_the_profile(small_study: StudyData) -> None:
    found = errors.info(small_study, {})
    assert found is not None
    table = errors.breakdown(found.profile)
    assert np.allclose(table[list(KINDS)].sum(axis=1), 100)
    counts = (table[list(KINDS)].mul(table["detections"], axis=0) / 100).cumsum()
    for top, row in zip(found.profile.top, counts.to_dict("records"), strict=True):
        assert row == pytest.approx(top.counts)
    drawn = errors.figures(found)["false positives"]
    assert [trace.name for trace in drawn.data] == list(KINDS)
    assert drawn.layout.barmode == "stack"
    for trace in drawn.data:
        assert list(trace.y) == table[trace.name].tolist()


def test_gains_and_instances_are_the_profile_s_in_percent(small_study: StudyData) -> None:
    found = errors.info(small_study, {})
    assert found is not None
    gains = errors.gains(found.profile).set_index("error")
    assert gains["gain"].to_dict() == {kind: 100 * found.profile.gain[kind] for kind in ERRORS}
    assert gains["detections"].to_dict() == {kind: found.profile.counts[kind] for kind in ERRORS}
    table, truth = errors.instances(found.profile), small_study.truth(found.key)
    for name, buckets in found.profile.buckets.items():
        mine = table[table["characteristic"] == name]
        assert mine["instances"].sum() == len(truth.label)
        shares = [float("nan") if bucket.missed_share is None else 100 * bucket.missed_share for bucket in buckets]
        assert mine["missed share"].tolist() == pytest.approx(shares, nan_ok=True)
    assert set(table["characteristic"]) == {"length", "coverage", "instances"}


def test_every_figure_says_what_its_axes_are(small_study: StudyData) -> None:
    found = errors.info(small_study, {})
    drawn = errors.figures(found)
    units = {name: (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) for name, figure in drawn.items()}
    assert units["gain from removing errors"] == ("removed", "gain in mAP@0.5 (points)")
    assert units["length: mAP_N"] == ("length (s)", "mAP_N (%)")
    assert units["coverage: missed"] == ("coverage (share of the video)", "missed instances (%)")
    assert len(drawn["length: mAP_N"].layout.shapes) == 1
    assert list(drawn["length: mAP_N"].data[0].x)[-1] == "XL (> 18)"
    assert set(errors.tables(found)) == {"false positives", "gain from removing errors", "instances"}


def test_a_study_without_detections_says_what_to_run(small_study: StudyData) -> None:
    empty = replace(small_study, trials=small_study.trials.assign(state="failed"))
    assert errors.info(empty, {}) is None
    assert (errors.figures(None), errors.tables(None)) == ({}, {})
    assert f"tal-search run study={small_study.name}" in str(errors.layout(empty, {}))


def test_a_trial_without_detections_stays_chosen_for_the_other_views(grid: Made, tmp_path: Path) -> None:
    shutil.copytree(grid.runs / grid.name, tmp_path / grid.name)
    shutil.copytree(grid.runs / "trials", tmp_path / "trials")
    data = StudyReader(tmp_path, grid.name)()
    key = data.trials["key"].iloc[-1]
    data.folder(key).detections.unlink()
    assert "the selected one has no files for this view" in str(errors.layout(data, {"view": "errors", "trial": key}))
    kept, whole = trial_info(data, key), trial_info(grid.read(), key)
    assert kept is not None
    assert whole is not None
    assert trial_tables(kept)["results"].equals(trial_tables(whole)["results"])
    assert f"trial={key}" in view_query({"view": "errors", "trial": key}, "study")
