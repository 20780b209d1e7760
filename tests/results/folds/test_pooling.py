"""Folds are pooled: one score from all detections, intervals over subjects, and no score where folds are missing."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tal_search.cli.report import write_overview, write_tables
from tal_search.execution.driver import run_study
from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import study_frame
from tal_search.plan.preview import preview
from tal_search.results.cell_table import cells
from tal_search.results.folds.pooling import MISSING, folds_note, interval_words, method_of, pooled, spread_of
from tal_search.results.sensitivity import sensitivity_info
from tal_search.results.statistics import HIGH, LOW, METHOD, SPREAD
from tal_search.results.trials import StudyFrame
from tal_search.trial.folder import TrialFolder
from tal_search.trial.pooled.joint_folds import forget, joint_scores
from tal_search.trial.trial_types import TrialResult
from tal_search.types import JointScores
from tests.support.folded_study import folded_plan

Finished = tuple[Plan, StudyFrame, dict[str, TrialResult]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Two cells × two seeds × three folds, one of the cells at another inference setting."""
    axes: dict[str, list[object]] = {"lambda_sep": [0.0, 1.0], "inference.nms": [0.3]}
    plan = folded_plan(tmp_path_factory.mktemp("folds"), seeds=(0, 1), axes=axes)
    outcome = run_study(plan)
    assert not outcome.failed
    return plan, study_frame(plan, outcome.trials.values(), outcome.finished), outcome.finished


def test_a_repeat_is_as_many_fits_as_folds(finished: Finished) -> None:
    plan, data, results = finished
    assert plan.folds == (0, 1, 2)
    assert plan.trials_per_cell == 6
    assert len({trial.spec.key for trial in plan.trials}) == 12  # the inference cell has no fits of its own
    assert len(results) == len(plan.trials) == 18
    counts = preview(plan)
    assert (counts.cells, counts.repeats, counts.trials, counts.groups, counts.to_train) == (3, 2, 18, 12, 0)
    assert len(data.every) == 18
    assert len(data.trials) == 6
    assert "fold" not in data.trials
    folds = data.every.groupby(["seed", "lambda_sep", "inference.nms"])["fold"].apply(sorted)
    assert folds.tolist() == [[0, 1, 2]] * 6


def test_a_score_is_that_of_the_detections_of_all_folds_and_no_mean_of_scores(finished: Finished) -> None:
    """From the files alone, by an evaluator that knows no folds."""
    from tal_search.data.truth.annotations import read_annotations, read_detections
    from tal_search.metrics.average_precision import score

    plan, data, _ = finished
    truth_file = Path(plan.dataset.ground_truth)
    content = json.loads(truth_file.read_text())
    for entry in content["database"].values():
        entry["subset"] = "whole"
    whole = truth_file.with_name("whole.json")
    whole.write_text(json.dumps(content))
    truth = read_annotations(whole, "whole")
    keys = tuple(spec.key for spec in plan.fits[:3])
    files = [TrialFolder.of(plan.study.runs, key).detections for key in keys]
    merged: dict[str, list[object]] = {}
    for file in files:
        merged |= {video: rows for video, rows in json.loads(file.read_text())["results"].items() if rows}
    joint = whole.with_name("joint.json")
    joint.write_text(json.dumps({"results": merged}))
    found = read_detections(joint, truth.classes, truth.videos)
    expected = score(truth, found, data.tiou, subset="whole")
    joined = joint_scores(plan.study.runs, plan.study.name, keys)
    assert joined is not None
    assert expected.detections > 0
    assert joined.tiou == expected.tiou
    assert joined.mAP == pytest.approx(np.array(expected.mAP))
    of_folds = np.mean([TrialFolder.of(plan.study.runs, key).results()[None].mAP for key in keys], axis=0)
    assert of_folds != pytest.approx(joined.mAP)


def test_numbers_of_a_repeat_are_sums_and_means_over_its_folds(finished: Finished) -> None:
    _, data, _ = finished
    first = data.trials.iloc[0]
    folds = data.every[data.every["id"].isin(first["ids"])]
    assert len(folds) == 3
    assert first["seconds"] == pytest.approx(folds["seconds"].sum())
    assert first["detections"] == folds["detections"].sum()
    assert first["parameters"] == folds["parameters"].iloc[0]
    assert first["annotation_seconds"] == pytest.approx(folds["annotation_seconds"].mean())
    assert first["annotation_total"] == pytest.approx(folds["annotation_total"].mean())
    assert np.isnan(first["leaky"])


def test_another_inference_setting_is_pooled_from_activations(finished: Finished) -> None:
    _, data, results = finished
    other = data.trials[data.trials["inference.nms"] == 0.3].iloc[0]
    assert all("-" in name for name in other["ids"])
    assert other["detections"] == sum(results[name].detections for name in other["ids"])
    assert 0 < other["mAP@0.5"] <= 100


def test_intervals_are_over_subjects_and_every_table_says_so(finished: Finished, tmp_path: Path) -> None:
    plan, data, _ = finished
    table = cells(data)
    assert (table["n"] == 2).all()
    assert table[["mAP@0.5" + LOW, "mAP@0.5" + HIGH, "average" + LOW]].notna().all(axis=None)
    assert table.loc[~table["centre"], ["delta" + LOW, "delta" + HIGH]].notna().all(axis=None)
    words = "95 % bootstrap over 6 subjects; folds share training data"
    assert interval_words(6) == words
    assert words in folds_note(data)
    csv, markdown = write_tables(plan, data, sensitivity_info(data), tmp_path)
    assert words in markdown.read_text()
    assert pd.read_csv(csv)["intervals"].str.contains(words).all()
    assert words in write_overview(data, tmp_path).read_text()


def test_with_two_seeds_and_shared_fits_there_is_no_verdict(finished: Finished) -> None:
    """The spread over subjects says nothing of the noise of fits that subjects share."""
    off = cells(finished[1]).query("~centre")
    assert not off["verdict"].isin(["better", "worse"]).any()
    assert set(off.loc[off["verdict"] == "needs repeats", "needs"]) <= {"3 seeds"}


def test_missing_folds_give_no_score_and_the_state_says_how_many(finished: Finished) -> None:
    plan, _, results = finished
    less = dict(results)
    gone = [trial.id for trial in plan.trials if trial.spec.seed == 0 and trial.fold == 2]
    for name in gone:
        del less[name]
    data = study_frame(plan, plan.trials, less)
    states = data.trials.groupby("seed")["state"].unique().map(list).to_dict()
    assert states == {0: [f"1 of 3 {MISSING}"], 1: ["done"]}
    assert data.trials.loc[data.trials["seed"] == 0, ["mAP@0.5", "average", "holdout"]].isna().all(axis=None)
    assert (cells(data)["n"] == 1).all()
    assert "3 of 6 repeats without a score, as folds are missing (3 with 1 of 3 folds missing)" in folds_note(data)


def test_a_damaged_file_of_a_fold_gives_no_score(finished: Finished) -> None:
    plan, data, results = finished
    name = data.trials[data.is_centre(data.trials)].iloc[0]["ids"][1]
    path = TrialFolder.of(plan.study.runs, name.partition("-")[0]).cas
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    try:
        damaged = study_frame(plan, plan.trials, results).trials
        assert damaged["state"].tolist().count(f"files of 3 {MISSING}") == 2, "of both inference settings"
    finally:
        path.write_bytes(content)
    assert (study_frame(plan, plan.trials, results).trials["state"] == "done").all()


def test_draws_are_paired_and_kept_in_the_folder_and_a_broken_file_is_made_again(finished: Finished) -> None:
    plan, data, _ = finished
    first = data.trials.iloc[0]["draws"].mAP / 100
    folder = plan.study.runs / plan.study.name / "cache"
    kept = list(folder.glob("folds-*.npz"))
    assert len(kept) >= 6
    ids = data.trials.iloc[0]["ids"]
    for content in (None, b"no archive"):
        for path in kept:
            path.unlink() if content is None else path.write_bytes(content)
        forget()
        again = joint_scores(plan.study.runs, plan.study.name, ids)
        assert again is not None
        np.testing.assert_allclose(again.drawn, first, rtol=1e-6)
    forget()
    read = joint_scores(plan.study.runs, plan.study.name, ids)
    assert read is not None
    assert (read.tiou, read.subjects, read.note) == (data.tiou, 6, "")
    np.testing.assert_array_equal(read.drawn, again.drawn)


def test_words_without_folds_stay(finished: Finished) -> None:
    assert (method_of(0), spread_of(0)) == (METHOD, SPREAD)
    alone = replace(finished[1], folds={}, single=None)
    assert folds_note(alone) == ""
    assert alone.every is alone.trials


def test_axes_with_missing_values_are_grouped_by_them() -> None:
    rows = pd.DataFrame({
        "x": [None, None, 1.0, 1.0], "seed": 0, "annotator": "A1", "fold": [0, 1, 0, 1], "state": "done",
        "id": list("abcd"), "key": list("abcd"), "reason": "", "holdout": np.nan, "mAP@0.5": 1.0,
    })  # fmt: skip
    asked: list[tuple[str, ...]] = []

    def score(ids: tuple[str, ...]) -> JointScores:
        asked.append(ids)
        return JointScores(np.array([0.5]), np.zeros((3, 1), np.float32), (0.5,), 2, "")

    table = pooled(rows, ["x"], 2, score)
    assert asked == [("a", "b"), ("c", "d")]
    assert table["mAP@0.5"].tolist() == [50.0, 50.0]
    assert table["x"].isna().tolist() == [True, False]
    assert pooled(rows[:0], ["x"], 2, partial(score)).empty
