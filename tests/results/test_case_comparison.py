"""The table of a study of cases, from results whose numbers are known, and from a study that really ran."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from tal_search.cli.progress import describe
from tal_search.cli.report import comparison_text, write_comparison
from tal_search.data.clicks.annotation_cost import CostModel
from tal_search.data.simulation.clickers import simulate_clicks
from tal_search.data.simulation.videos import Simulation, simulated_truths
from tal_search.execution.driver import run_study
from tal_search.plan.plan import Plan, resolve
from tal_search.plan.plan_frame import study_frame, supervision_words
from tal_search.proposers.events import Finished, Started
from tal_search.results.case_comparison import Comparison, comparison_info
from tal_search.results.published import BEST_ON_TEST, MARK_NOTE, NOT_AVAILABLE
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.uncertainty.families import critical
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialResult, TrialSpec
from tal_search.types import BACKGROUND_CLICKS
from tests.support.mlflow_contents import local, runs_of
from tests.support.small_trials import counting_trial, make_result
from tests.support.study_files import load

STUDY = """\
description: Three cases
dataset: {source: simulated}
search:
  plan: cases
  cases:
    base | line: {hyperparameters: {lambda_sep: 0, beta_aff: 0, frame_weight: 0}, paper: "Table 6: baseline"}
    + clicks (b=1): {hyperparameters: {lambda_sep: 0}, paper: "SF-Net"}
    full: {}
    its NMS: {inference: {nms: 0.5}}
  repeats: {seeds: [0, 1, 2], annotators: [A1]}
protocol: {tiou: [0.3, 0.5, 0.7]}
"""
SHIFT = {"base | line": 0.0, "+ clicks (b=1)": 5.0, "full": -3.0, "its NMS": 0.1}


def planned(folder: Path, *overrides: str) -> Plan:
    return resolve(load(folder, STUDY, f"runs={folder / 'runs'}", "backend=inline", *overrides))


def results(plan: Plan) -> dict[str, TrialResult]:
    """mAP@.5 in percent: 30 + seed for the reference; the others by their shift, noisier the further from it."""
    found = {}
    for trial in plan.trials:
        shift, seed = SHIFT[trial.cell["case"]], trial.spec.seed
        value = 30 + seed + shift + (0.2 * (seed - 1) if shift != 0.1 else 3.0 * (seed - 1))
        value = 30.0 + seed if shift == 0.0 else value
        found[trial.id] = replace(make_result(trial.spec), mAP=((value + 10) / 100, value / 100, (value - 10) / 100))
    return found


def click_seconds(annotator: str) -> float:
    """Of the simulated annotator's background clicks on the simulated videos, a minute of video."""
    truth = simulated_truths(Simulation())[0]
    clicks = simulate_clicks(BACKGROUND_CLICKS, truth, truth.duration, annotator, 0)
    return CostModel().seconds_per_background_click * len(clicks.time) / (float(truth.duration.sum()) / 60)


def compared(plan: Plan, but: tuple[tuple[str, int], ...] = ()) -> Comparison:
    found = results(plan)
    for trial in plan.trials:
        if (trial.cell["case"], trial.spec.seed) in but:
            del found[trial.id]
    return comparison_of(plan, found)


def comparison_of(plan: Plan, found: dict[str, TrialResult]) -> Comparison:
    return comparison_info(study_frame(plan, plan.trials, found), supervision_words(plan))


def test_a_row_a_case_with_means_intervals_differences_and_verdicts(tmp_path: Path) -> None:
    rows = compared(planned(tmp_path)).rows.set_index("case")
    assert rows.index.tolist() == list(SHIFT)
    assert rows["n"].tolist() == [3, 3, 3, 3]
    assert rows["mAP@0.5"].tolist() == pytest.approx([31, 36, 28, 31.1])
    assert rows["mAP@0.3"].tolist() == pytest.approx([41, 46, 38, 41.1])
    assert rows["average"].tolist() == pytest.approx([31, 36, 28, 31.1])
    t = scipy.stats.t.ppf(0.975, 2) / math.sqrt(3)
    half = t * np.std([30, 31, 32], ddof=1)
    assert rows[["mAP@0.5" + LOW, "mAP@0.5" + HIGH]].iloc[0].tolist() == pytest.approx([31 - half, 31 + half])
    assert rows["delta"].tolist()[1:] == pytest.approx([5, -3, 0.1])
    at_once = float(critical(np.full(3, 0.5), np.full(3, 2.0))[0]) / math.sqrt(3)  # three differences, so a wider bound
    assert at_once > 1.3 * t
    for half in (rows["delta" + HIGH] - rows["delta"], rows["delta"] - rows["delta" + LOW]):
        assert half.tolist()[1:] == pytest.approx([at_once * 0.2, at_once * 0.2, at_once * 3.0])
    assert rows[["delta", "delta" + LOW]].iloc[0].isna().all()
    assert rows["pairs"].tolist()[1:] == [3, 3, 3]
    assert rows["verdict"].tolist() == ["reference", "better", "worse", "needs repeats"]
    assert rows["needs"].tolist()[:3] == [""] * 3
    assert rows["needs"].iloc[3].endswith(" seeds")
    assert rows["supervision"].tolist() == ["video labels", *["background clicks"] * 3]
    assert rows["seconds"].tolist() == pytest.approx([45, *[45 + click_seconds("A1")] * 3])


def test_a_repeat_that_one_of_two_lacks_is_no_pair_and_two_pairs_say_nothing(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    rows = compared(plan, (("base | line", 0), ("full", 1), ("its NMS", 1), ("its NMS", 2))).rows.set_index("case")
    assert rows["n"].tolist() == [2, 3, 2, 1]
    assert rows["pairs"].tolist()[1:] == [2, 1, 0]
    assert rows["verdict"].tolist() == ["reference", *["needs repeats"] * 3]
    assert rows["needs"].tolist() == ["", "3 seeds", "3 seeds", "repeats in common"]
    assert rows[["delta" + LOW, "delta" + HIGH]].isna().all(axis=None), "two pairs are too few for an interval"
    assert rows["delta"].iloc[1] == pytest.approx(5.1)
    assert math.isnan(rows["delta"].iloc[3])


def test_a_case_without_clicks_has_a_repeat_a_seed_and_is_paired_by_seed(tmp_path: Path) -> None:
    plan = planned(tmp_path, "search.repeats.annotators=[A1,A2]")
    rows = comparison_of(plan, results(plan)).rows
    assert rows["n"].tolist() == [3, 6, 6, 6]
    assert rows["pairs"].tolist()[1:] == [3, 3, 3]
    assert rows["delta"].tolist()[1:] == pytest.approx([5, -3, 0.1])
    assert rows["seconds"].iloc[1] == pytest.approx(45 + fmean(map(click_seconds, ("A1", "A2"))))
    half = comparison_of(planned(tmp_path, "dataset.clicks_fraction=0.5"), {}).rows
    assert half["seconds"].tolist() == pytest.approx([45, *[45 + click_seconds("A1") / 2] * 3], abs=1e-3)
    assert half["n"].tolist() == [0, 0, 0, 0]
    by_clicks = planned(tmp_path, "search.repeats.annotators=[A1,A2]", "~search.cases.base | line")
    assert comparison_of(by_clicks, results(by_clicks)).rows["pairs"].tolist()[1:] == [6, 6]


def test_the_papers_numbers_stand_beside_the_case_that_names_them_with_their_source(tmp_path: Path) -> None:
    rows = compared(planned(tmp_path)).rows.set_index("case")
    assert rows["paper@0.5"].fillna(0).tolist() == [28.6, 29.3, 0, 0]
    assert rows["paper@0.7"].fillna(0).tolist() == [0, 9.6, 0, 0]
    assert rows["paper source"].tolist()[2:] == [NOT_AVAILABLE] * 2
    assert "Table 6" in rows["paper source"].iloc[0]
    assert rows["paper selection"].tolist() == [BEST_ON_TEST] * 2 + [NOT_AVAILABLE] * 2


def test_a_users_own_file_has_the_numbers_beside_cases(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    system = '{system: BackTAL, supervision: video labels, mAP: {"0.5": 12.5}, source: a page, selection: last}'
    file.write_text(f"published: [{system}]\n")
    own = ("dataset.name=mine", f"dataset.file={file}", "dataset.source=simulated")
    text = "search: {plan: cases, cases: {one: {paper: BackTAL}, two: {paper: DGAM, hyperparameters: {lambda_sep: 2}}}}"
    plan = resolve(load(tmp_path, text, f"runs={tmp_path / 'runs'}", *own))
    rows = comparison_of(plan, {}).rows.set_index("case")
    assert rows["paper@0.5"].fillna(0).tolist() == [12.5, 0], "DGAM has no numbers here, which is no error"
    assert rows["paper selection"].tolist() == ["last epoch", NOT_AVAILABLE]


def test_files_say_the_source_escape_names_and_hold_every_number(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    found = compared(plan)
    csv, markdown = write_comparison(plan, found, tmp_path)
    content = pd.read_csv(csv)
    assert content["case"].tolist() == ["base | line", "'+ clicks (b=1)", "full", "its NMS"]
    assert set(content["source"]) == {"simulated"}
    assert content["mAP@0.5"].tolist() == pytest.approx([31, 36, 28, 31.1])
    text = markdown.read_text()
    assert "Source: simulated" in text
    assert "| base \\| line | video labels | 45.0 | 9.0 h | 3 | 41.0±2.5 |" in text
    assert "| +5.0±0.7 | better | 29.3 † |" in text
    assert "BackTAL Table 6" in text
    assert text.count(MARK_NOTE) == 1
    shown = comparison_text(found)
    assert all(len(row) == len(shown.heads) for row in shown.rows)
    assert shown.bold == (True, False, False, False)
    assert [row[-1] for row in shown.rows] == ["28.6 †", "29.3 †", NOT_AVAILABLE, NOT_AVAILABLE]


def trial_function(spec: TrialSpec, folder: TrialFolder) -> Iterator[Any]:
    """Counts, as small trials do; the clicks are worth five points, whatever the seed."""
    spec = replace(spec, hyperparameters={**spec.hyperparameters, "seconds": 0.0, "epochs": 2})
    yield from counting_trial(spec, folder)
    points = 0.05 if spec.hyperparameters["beta_aff"] > 0 else 0.0
    result = folder.result()
    assert result is not None
    folder.write_result(replace(result, mAP=tuple(value + points for value in result.mAP)))


def test_a_study_of_cases_runs_resumes_and_is_copied_to_mlflow(tmp_path: Path) -> None:
    plan = planned(tmp_path, "study.fork=grid")
    events: list[Any] = []
    outcome = run_study(plan, on_event=events.append, trial=trial_function)
    assert (len(outcome.finished), outcome.failed, outcome.cached) == (12, {}, 0)
    assert sum(isinstance(event, Started) for event in events) == 9, "a case of other inference settings is not trained"
    assert describe(plan.trials[0].spec, plan.centre_cell) == "base | line seed=0 annotator=none"
    rows = comparison_info(study_frame(plan, outcome.trials.values(), outcome.finished)).rows
    assert rows["n"].tolist() == [3, 3, 3, 3]
    assert rows["verdict"].tolist() == ["reference", "better", "better", "better"]
    _, children = runs_of(local(plan.study.runs))
    assert {child.data.tags["cell"] for child in children} == {
        f'{{"case":"{name}"}}' for name in ("base | line", "+ clicks (b=1)", "full")
    }
    wider = planned(
        tmp_path, "study.fork=grid", "search.cases={full: {}, wide: {hyperparameters: {embedding_dim: 64}}}"
    )
    events.clear()
    again = run_study(wider, on_event=events.append, trial=trial_function)
    assert (again.cached, len(again.finished)) == (12, 15)
    assert sum(isinstance(event, Finished) for event in events) == 9 + 3


def test_undecided_cases_get_further_seeds_with_the_reference(tmp_path: Path) -> None:
    plan = planned(tmp_path, "search.repeats.until={interval: 1, at_most: 5}", "tracking.mlflow=false")

    def noisy(spec: TrialSpec, folder: TrialFolder) -> Iterator[Any]:
        yield from trial_function(spec, folder)
        result = folder.result()
        assert result is not None
        if spec.cell["case"] == "full":
            mAP = tuple(value + 0.04 * (-1) ** spec.seed for value in result.mAP)
            folder.write_result(replace(result, mAP=mAP))

    outcome = run_study(plan, trial=noisy)
    counts = comparison_info(study_frame(plan, outcome.trials.values(), outcome.finished)).rows.set_index("case")["n"]
    assert counts.to_dict() == {"base | line": 5, "+ clicks (b=1)": 3, "full": 5, "its NMS": 3}
