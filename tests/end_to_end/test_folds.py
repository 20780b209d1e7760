"""A study with folds, killed and resumed, on Ray and in this process, in the dashboards, exported and from Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tal_search
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.export.export import export_study
from tal_dashboards.views import views
from tal_dashboards.views.breakdown import answer, caption
from tal_search.execution.driver import run_study
from tal_search.plan.compatibility import fixed_settings
from tal_search.plan.plan_problems import repeat_problems
from tal_search.plan.training_videos import training_videos
from tal_search.results.breakdown.by_group import UNAVAILABLE
from tal_search.results.folds.pooling import MISSING, interval_words
from tal_search.tracking.values import Naming, trial_tags
from tests.support.folded_study import folded_plan
from tests.support.paths import ROOT
from tests.support.study_files import problems

COMMAND = [sys.executable, "-m", "tal_search", "run", "study=folded", "runs=runs"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "dashboards")])}


@pytest.mark.slow
def test_a_killed_study_shows_missing_folds_and_ends_like_one_that_was_not_killed(tmp_path: Path) -> None:
    plan = folded_plan(tmp_path / "killed", of=6)
    process = subprocess.Popen(COMMAND, cwd=tmp_path / "killed", env=_environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.lstrip().startswith("[ 8/12]"):
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    data = StudyReader(tmp_path / "killed" / "runs", "folded")()
    states = data.trials["state"].tolist()
    assert states[0] == "done"
    assert states[1].endswith(MISSING)
    assert data.trials["mAP@0.5"].notna().tolist() == [True, False]
    subprocess.run(COMMAND, cwd=tmp_path / "killed", env=_environment(), check=True, stdout=subprocess.PIPE)
    resumed = StudyReader(tmp_path / "killed" / "runs", "folded")()
    whole = folded_plan(tmp_path / "whole", of=6)
    run_study(whole)
    other = StudyReader(tmp_path / "whole" / "runs", "folded")()
    assert (resumed.trials["state"] == "done").all()
    for score in ("mAP@0.5", "average"):
        np.testing.assert_allclose(resumed.trials[score], other.trials[score], atol=1e-9)
    assert [spec.key for spec in plan.fits] == [spec.key for spec in whole.fits]


@pytest.mark.slow
def test_folds_run_on_ray(tmp_path: Path) -> None:
    inline, on_ray = (folded_plan(tmp_path / name, f"resources.backend={name}") for name in ("inline", "ray"))
    outcomes = [run_study(plan) for plan in (inline, on_ray)]
    assert not any(outcome.failed for outcome in outcomes)
    assert [result.mAP for result in outcomes[0].finished.values()] == [
        outcomes[1].finished[trial.id].mAP for trial in on_ray.trials
    ]


def test_dashboards_export_and_python_show_folds_and_pooled_scores(tmp_path: Path) -> None:
    plan = folded_plan(tmp_path)
    run_study(plan)
    words = interval_words(6)
    study = tal_search.load("folded", runs=tmp_path / "runs")
    assert sorted(study.trials["fold"]) == [0, 0, 1, 1, 2, 2]
    assert study.cells["n"].tolist() == [1, 1]
    assert words in study.description
    data = StudyReader(tmp_path / "runs", "folded")()
    assert words in data.words
    assert len(data.every) == 6
    assert len(data.trials) == 2
    drawn = {}
    for name, view in views().items():
        info = view.info(data, {})
        drawn[name] = str(view.layout(data, {}))
        view.figures(info), view.tables(info)
    assert "fold 1" in drawn["timeline"]
    assert "fold 1" in drawn["errors"]
    assert "'fold'" in drawn["study"] or ">fold<" in drawn["study"] or "fold" in drawn["study"]
    assert "the mean of the folds' own scores" in drawn["study"]
    assert "band: 95 %" not in drawn["study"]
    assert words in drawn["cost"]
    assert "Tukey's correction over all pairs" in drawn["cost"]
    export_study(tmp_path / "runs", "folded", tmp_path / "export")
    page = (tmp_path / "export" / "index.html").read_text()
    assert words in page
    files = (tmp_path / "export").rglob("*.csv")
    tables = [path for path in files if " low," in path.read_text().splitlines()[0]]
    assert tables
    assert all(words in path.read_text() for path in tables)
    spec = plan.fits[1]
    assert trial_tags(spec)["fold"] == "1"
    assert Naming.of(plan)(spec).endswith("fold 1")


def test_a_curve_is_the_mean_over_all_folds_at_epochs_that_all_have_reached(tmp_path: Path) -> None:
    plan = folded_plan(tmp_path, "protocol.evaluate_every=1", "hyperparameters.epochs=2", axes={"lambda_sep": [1.0]})
    run_study(plan)
    data = StudyReader(tmp_path / "runs", "folded")()
    view = views()["study"]
    (curve,) = view.info(data, {}).curves.values()
    of_folds = [data.epochs(spec.key)["test/mAP/0.5"] for spec in plan.fits]
    assert len(of_folds) == 3
    assert curve["epoch"].tolist() == [1, 2]
    assert curve["mean"].tolist() == pytest.approx((100 * np.mean(of_folds, axis=0)).tolist())
    assert curve["n"].tolist() == [1, 1]
    assert curve[["mean low", "mean high"]].isna().all(axis=None)
    less = replace(data, single=data.every[data.every["fold"] != 2])
    assert view.info(less, {}).curves == {}, "the mean of two folds is no curve of three"


def test_group_tables_say_that_intervals_are_not_available(tmp_path: Path) -> None:
    run_study(folded_plan(tmp_path))
    data = StudyReader(tmp_path / "runs", "folded")()
    view = views()["breakdown"]
    tables = view.tables(view.info(data, {}))
    assert set(tables) == {"lambda_sep by class", "lambda_sep by length"}
    for table in tables.values():
        assert set(table["verdict"]) == {"centre", UNAVAILABLE}
        assert table.filter(regex="^Δ.* (low|high)$").isna().all(axis=None)
    part = view.info(data, {}).parts[0]
    assert answer(part).endswith("groups are not available with folds, as folds share training data.")
    assert UNAVAILABLE in caption(part)
    assert "Holm" not in caption(part)


def test_groups_of_instances_are_those_of_the_pooled_detections(tmp_path: Path) -> None:
    from tal_dashboards.data.group_scores import groups_of, scores_by

    run_study(folded_plan(tmp_path))
    data = StudyReader(tmp_path / "runs", "folded")()
    by_class = scores_by(data, data.done, "class")
    assert by_class.mean(axis=1).tolist() == pytest.approx(data.done[data.score].tolist())
    assert sum(group.instances for group in groups_of(data, data.done, "class")) == 36


def test_a_study_says_where_its_folds_are_wrong(tmp_path: Path) -> None:
    text = (
        "dataset: {source: simulated, folds: {by: 'user(\\d+)', of: 3, off: 1}}\nsearch: {axes: {lambda_sep: [1.0]}}\n"
    )
    (problem,) = [one for one in problems(tmp_path, text) if "folds" in one]
    assert "dataset.folds.off is unknown" in problem
    few = text.replace(", off: 1", "").replace("of: 3", "of: 1")
    assert any("dataset.folds.of is 1" in one for one in problems(tmp_path, few))


def test_a_pattern_that_fits_no_name_is_reported_before_anything_is_trained(tmp_path: Path) -> None:
    from tal_search.errors import InputError

    with pytest.raises(InputError) as raised:
        folded_plan(tmp_path, "dataset.folds.by='person(\\d+)'")
    (problem,) = raised.value.problems
    assert problem.startswith("command line: ")
    assert "finds no subject in the names of 12 of 12 videos" in problem
    assert not (tmp_path / "runs").exists()


def test_folds_are_part_of_the_key_of_a_study_and_of_its_trials(tmp_path: Path) -> None:
    three, six = folded_plan(tmp_path), folded_plan(tmp_path, of=6)
    without = folded_plan(tmp_path, "dataset.folds=null")
    keys = [{spec.key for spec in plan.fits} for plan in (three, six, without)]
    assert [len(of_plan) for of_plan in keys] == [6, 12, 2]
    assert len(set.union(*keys)) == 20
    assert fixed_settings(three)["dataset"] != fixed_settings(six)["dataset"]
    assert "folds" not in str(fixed_settings(without))
    assert without.folds == (None,)
    assert training_videos(three.dataset, three.protocol) == 8


def test_a_pruner_over_repeats_and_too_small_a_budget_are_refused(tmp_path: Path) -> None:
    study = folded_plan(tmp_path).study
    search = replace(study.search, plan="sampler", pruner=replace(study.search.pruner, name="wilcoxon"))
    budget = replace(study.budget, trials=2)
    found = repeat_problems(replace(study, search=search, budget=budget), 1, 3)
    assert len(found) == 2
    assert "budget.trials is 2, but one cell has 3 trials (seeds x annotators x folds)" in found[0]
    assert "search.pruner is wilcoxon, which takes repeats for independent, but folds share training data" in found[1]
