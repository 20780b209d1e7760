"""The evaluate command with the keys of a study: folds as `run` scores them, defaults, and keys without use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tal_search.cli.main import main
from tal_search.execution.driver import run_study
from tal_search.plan.plan_frame import study_frame
from tal_search.results.statistics import HIGH, LOW, means, repeat_columns
from tal_search.trial.folder import TrialFolder
from tests.support.folded_study import folded_plan
from tests.support.subjects import write_truth

BY = r"user(\d+)"
FOLDS = f"dataset.folds={{by: '{BY}', of: 3}}"


def write_found(truth: Path, path: Path, *left_out: str) -> Path:
    """Detections that are near the instances of a ground truth, with random scores."""
    generator, results = np.random.default_rng(0), {}
    for name, entry in json.loads(truth.read_text())["database"].items():
        if not any(word in name for word in left_out):
            results[name] = [
                {"label": one["label"], "score": generator.random(), "segment": [first + shift, first + shift + 5]}
                for one in entry["annotations"] for first in one["segment"][:1] for shift in generator.random(2)
            ]  # fmt: skip
    path.write_text(json.dumps({"results": results}))
    return path


def evaluate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, list[str]]:
    code = main(["evaluate", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err.splitlines()


def test_folds_get_the_scores_and_intervals_of_the_table_of_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = folded_plan(tmp_path, axes={"lambda_sep": [1.0]})
    outcome = run_study(plan)
    data = study_frame(plan, list(plan.trials), outcome.finished)
    files = [str(TrialFolder.of(plan.study.runs, spec.key).detections) for spec in plan.fits]
    out = tmp_path / "scores.json"
    keys = (
        f"ground_truth={tmp_path / 'truth.json'}",
        "dataset.name=thumos14",
        "protocol.tiou=[0.3,0.5,0.7]",
        f"out={out}",
    )
    code, text, _ = evaluate(capsys, f"detections={','.join(files)}", *keys, FOLDS)
    assert code == 0
    assert "95 % bootstrap over 6 subjects; folds share training data" in " ".join(text.split())
    content = json.loads(out.read_text())
    rows = data.trials
    scores = ["mAP@0.3", "mAP@0.5", "mAP@0.7", "average"]
    table = means(rows[scores], rows["seed"], repeat_columns(rows), scores)
    assert [row["score"] for row in content["folds"]["rows"]] == scores
    for row in content["folds"]["rows"]:
        expected = [table[row["score"] + end].iloc[0] / 100 for end in ("", LOW, HIGH)]
        assert [row["mean"], row["low"], row["high"]] == pytest.approx(expected, abs=1e-9)
    assert content["mAP"] == pytest.approx((rows[scores[:3]].iloc[0] / 100).tolist(), abs=1e-9)
    assert content["subset"] == "training and test"


def test_one_file_or_one_a_fold_give_the_same_and_a_comparison_draws_subjects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, out = write_truth(tmp_path), tmp_path / "scores.json"
    whole = write_found(truth, tmp_path / "whole.json")
    results, scores = json.loads(whole.read_text())["results"], []
    parts = []
    for subject in range(1, 7):
        parts.append(tmp_path / f"{subject}.json")
        mine = {name: rows for name, rows in results.items() if name.endswith(str(subject))}
        parts[-1].write_text(json.dumps({"results": mine}))
    for files in (str(whole), ",".join(map(str, parts))):
        keys = (f"ground_truth={truth}", f"folds.by={BY}", "folds.of=6", f"out={out}", f"compare={whole}")
        assert evaluate(capsys, f"detections={files}", *keys)[0] == 0
        scores.append(json.loads(out.read_text()))
    for content in scores:
        content["comparison"].pop("other")
        assert content["comparison"]["interval"] == "95%, paired bootstrap over 6 subjects"
    assert scores[0] == scores[1]
    assert scores[0]["videos"] == 12


def test_a_fold_without_detections_is_a_warning_and_a_video_in_two_files_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = write_truth(tmp_path)
    found = write_found(truth, tmp_path / "found.json", "user02", "user05")
    code, text, _ = evaluate(capsys, f"detections={found}", f"ground_truth={truth}", FOLDS)
    assert code == 0
    assert "WARNING: no detections of 1 of 3 folds (subjects 02, 05)" in " ".join(text.split())
    other = write_found(truth, tmp_path / "other.json")
    code, _, errors = evaluate(capsys, f"detections={found},{other}", f"ground_truth={truth}", FOLDS)
    assert (code, len(errors)) == (2, 1)
    assert "two files of detections have the same 8 videos (" in errors[0]


def test_keys_of_a_study_that_change_no_score_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = ("dataset.stride=4", "layout=hdf5", "dataset.clickers.background=uniform", "dataset.root=x")
    code, _, errors = evaluate(capsys, "detections=x", "ground_truth=x", *keys, "subset=test", FOLDS)
    assert code == 2
    assert errors == [
        "command line: stride=, layout=, clickers.background=, root= cannot change the score of given detections; "
        "leave out each",
        "command line: subset= is given beside folds=, which test both subsets; leave it out",
    ]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["folds.by=person(\\d)", "folds.of=3"], "finds no subject in the names of 12 of 12 videos"),
        ([f"folds.by={BY}", "folds.of=7"], "dataset.folds.by finds only 6 subjects"),
        ([f"folds.by={BY}", "folds.of=one"], "it must be a whole number"),
        (["folds.with=x"], "dataset.folds.with is unknown"),
        (["folds=3"], "dataset.folds is 3; it must be a mapping"),
    ],
)
def test_folds_that_cannot_be_are_refused_as_in_a_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: list[str], says: str
) -> None:
    truth = write_truth(tmp_path)
    found = write_found(truth, tmp_path / "found.json")
    code, _, errors = evaluate(capsys, f"detections={found}", f"ground_truth={truth}", *keys)
    assert code == 2
    assert any(says in error for error in errors)
    assert all(error.startswith("command line: ") for error in errors)


def test_the_subset_is_the_test_subset_of_the_dataset_unless_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, out = write_truth(tmp_path), tmp_path / "scores.json"
    found = write_found(truth, tmp_path / "found.json", "user01", "user02", "user03", "user04")
    scores: list[dict[str, Any]] = []
    for keys in ((), ("subset=test",)):
        assert evaluate(capsys, f"detections={found}", f"ground_truth={truth}", f"out={out}", *keys)[0] == 0
        scores.append(json.loads(out.read_text()))
    assert scores[0] == scores[1]
    assert (scores[0]["subset"], scores[0]["videos"]) == ("test", 4)
