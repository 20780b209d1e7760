"""Folds are scored on the truth that their trials kept, whatever becomes of its file, the runs and the cache."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tal_search.data.load import LOADED, load_truths
from tal_search.errors import InputError
from tal_search.execution.driver import run_study
from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import study_frame
from tal_search.results.folds.pooling import MISSING, folds_note
from tal_search.results.trials import StudyFrame
from tal_search.trial.folder import TrialFolder
from tal_search.trial.pooled.joint_folds import forget, joint_truth
from tal_search.trial.trial_types import TrialResult
from tests.support.folded_study import folded_plan

Finished = tuple[Plan, StudyFrame, dict[str, TrialResult]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    plan = folded_plan(tmp_path_factory.mktemp("folds"), axes={"lambda_sep": [1.0], "inference.nms": [0.3]})
    outcome = run_study(plan)
    return plan, study_frame(plan, plan.trials, outcome.finished), outcome.finished


def test_scores_are_those_of_the_truth_that_the_trials_were_scored_on(finished: Finished, tmp_path: Path) -> None:
    """Whatever becomes of the file, of the folder of runs and of the cache."""
    plan, _, results = finished
    data = study_frame(plan, plan.trials, results)
    runs, source = tmp_path / "runs", Path(plan.dataset.ground_truth)
    content = source.read_bytes()
    halved = json.loads(content)
    for entry in halved["database"].values():
        for instance in entry["annotations"]:
            instance["segment"][1] = sum(instance["segment"]) / 2
    try:
        for changed in (json.dumps(halved).encode(), b"no JSON", None):
            source.unlink() if changed is None else source.write_bytes(changed)
            shutil.rmtree(runs, ignore_errors=True)
            shutil.copytree(plan.study.runs, runs, copy_function=shutil.copy)  # copies have times of their own
            shutil.rmtree(runs / plan.study.name / "cache")
            forget()
            LOADED.clear()
            moved = replace(plan, study=replace(plan.study, runs=runs))
            again = study_frame(moved, plan.trials, results)
            scores = [name for name in data.trials if name.startswith("mAP@") or name == "average"]
            pd.testing.assert_frame_equal(again.trials[scores], data.trials[scores])
    finally:
        source.write_bytes(content)


def test_the_kept_truth_is_that_of_all_videos_and_a_damaged_one_gives_no_score(finished: Finished) -> None:
    plan, data, results = finished
    ids = data.trials.iloc[0]["ids"]
    truth, whole = joint_truth(plan.study.runs, ids), load_truths(replace(plan.dataset, fold=None))[0]
    assert sorted(truth.videos) == sorted(whole.videos)
    of = [{(t.videos[v], t.classes[c], *s) for v, c, s in zip(t.video, t.label, t.segment.tolist(), strict=True)}
          for t in (truth, whole)]  # fmt: skip
    assert of[0] == of[1]
    path = TrialFolder.of(plan.study.runs, ids[1].partition("-")[0]).path / "truth.npz"
    content = path.read_bytes()
    try:
        path.unlink()
        forget()
        kept = plan.study.runs / plan.study.name / "cache"
        kept.rename(kept.with_name("other"))
        lost = study_frame(plan, plan.trials, results)
        assert f"files of 3 {MISSING}" in set(lost.trials["state"])
        assert "; the same `run` command makes their files again." in folds_note(lost)
        assert TrialFolder(path.parent).result() is None, "so that `run` trains it again"
        shutil.rmtree(kept, ignore_errors=True)
        kept.with_name("other").rename(kept)
    finally:
        path.write_bytes(content)
    with pytest.raises(InputError, match="are of several datasets"):
        joint_truth(_with_other_data(plan.study.runs, ids[0]), ids[:2])


def _with_other_data(runs: Path, name: str) -> Path:
    """A copy of the folder of runs in which one trial's dataset is another."""
    copy = runs.parent / "other"
    shutil.copytree(runs, copy)
    folder = TrialFolder.of(copy, name.partition("-")[0])
    spec = folder.spec()
    assert spec is not None
    (folder.path / "result.json").unlink()  # its checksums
    folder.write_spec(replace(spec, dataset=replace(spec.dataset, fingerprint="other")))
    return copy


def test_pages_of_a_study_without_any_score_say_why(finished: Finished, tmp_path: Path) -> None:
    from tal_dashboards.data.reader import StudyReader
    from tal_dashboards.views import views

    plan, _, _ = finished
    runs = tmp_path / "runs"
    shutil.copytree(plan.study.runs, runs)
    shutil.rmtree(runs / plan.study.name / "cache")
    for path in runs.glob("trials/*/truth.npz"):
        path.unlink()
    forget()
    data = StudyReader(runs, plan.study.name)()
    assert "2 of 2 repeats without a score" in data.words
    view = views()["cost"]
    assert view.figures(view.info(data, {}))
