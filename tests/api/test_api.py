"""`tal_search.load` and `tal_search.run_study`: a study as DataFrames, arrays and figures."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import tal_search
from tal_search import StudyResults
from tal_search.errors import InputError
from tal_search.results.cell_table import cells
from tal_search.results.overview import overview
from tal_search.results.sensitivity import sensitivity_info
from tal_search.trial.folder import TrialFolder
from tal_search.types import INFERENCE
from tests.support.paths import ROOT
from tests.support.small_dashboards import SMALL, Made
from tests.support.waiting import DEADLINE, wait_for

ONE_FIT = [*SMALL, "search.repeats.seeds=[0]"]
SCORE = re.compile(r"mAP@0\.\d$")
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dashboards'}"}
READ = """
import json, sys
import tal_search
light = {"numpy", "pandas", "torch"} & {*sys.modules}
assert "load" in dir(tal_search)
sys.modules["dash"] = None  # as where it is not installed
study = tal_search.load("thumos_single", sys.argv[1])
shown = [study._repr_html_(), study.ranking, study.cells, study.curves, study.table("h"), study.next]
trial = study.trial(study.trials["key"][0])
shown += [trial.detections, trial.activations, trial.scores, trial.epochs, trial.settings]
heavy = {"torch", "ray", "mlflow", "optuna", "plotly", "numba"} & {*sys.modules}
try:
    study.figure()
except tal_search.errors.InputError as error:
    print(json.dumps([sorted(light), sorted(heavy), str(error)]))
"""
INTERRUPTED = """
import sys
import tal_search
settings = sys.argv[2:]
try:
    tal_search.run_study("thumos_single", settings, runs=sys.argv[1])
except KeyboardInterrupt as interrupt:
    print("alive:", interrupt)
study = tal_search.load("thumos_single", sys.argv[1])
print(sorted(study.trials["state"]))
study = tal_search.run_study("thumos_single", settings, runs=sys.argv[1], progress=False)
print(sorted(study.trials["state"]))
"""


@pytest.fixture(scope="module")
def study(swept: Made) -> StudyResults:
    return tal_search.load(swept.name, swept.runs)


def documented(owner: type, name: str) -> set[str]:
    """Columns that the docstring of a property names, by the whole word."""
    return set(re.findall(r"[\w@.]+", inspect.getdoc(getattr(owner, name)) or ""))


def test_a_study_is_read_without_torch_and_without_dash(swept: Made) -> None:
    command = [sys.executable, "-c", READ, str(swept.runs)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout
    assert json.loads(said) == [[], [], "dash is not installed; run: pip install 'tal-search[dashboards]'"]


def test_its_tables_are_those_of_the_results_room(study: StudyResults, swept: Made) -> None:
    data = swept.read()
    assert_frame_equal(study.trials, data.trials)
    assert_frame_equal(study.cells, cells(data))
    found = overview(data)
    assert_frame_equal(study.ranking, found.ranking)
    assert_frame_equal(study.curves, found.curves)
    assert (study.best, study.centre, study.noise, study.next) == (found.best, found.centre, found.noise, found.next)
    for table in sensitivity_info(data):
        assert_frame_equal(study.table(table.axes[0]), table.rows)
        assert_frame_equal(study.table(data.axes[table.axes[0]]), table.rows)  # by its symbol
    assert len(study.table()) == len(study.cells)


def test_a_grid_has_a_table_of_each_axis_through_the_centre(grid: Made) -> None:
    found = tal_search.load(grid.name, grid.runs)
    rows = found.table("lambda_sep")
    assert rows["lambda_sep"].tolist() == [0.5, 1.0, 8.0]
    assert rows[f"{INFERENCE}nms"].nunique() == 1
    assert rows["centre"].sum() == 1
    assert len(found.table()) == 6


def test_a_study_of_cases_has_a_row_a_case(compared: Made) -> None:
    found = tal_search.load(compared.name, compared.runs)
    assert set(found.ranking["name"]) < set(found.table("case")["case"])
    assert found.best is not None
    assert found.best["cell"] in set(found.trials["case"])


def test_writing_to_a_table_changes_no_other(study: StudyResults) -> None:
    before = study.cells
    tables = [study.trials, study.cells, study.ranking, study.curves, study.table("kernel_size")]
    for table in tables:
        table.insert(0, "more", 1)
        table.columns = pd.RangeIndex(table.shape[1])
    assert study.best is not None
    study.best["cell"] = "changed"
    trial = study.trial(study.trials["key"][0])
    trial.activations.cas[:] = 7
    epochs = trial.epochs
    epochs["epoch"] = 7
    assert_frame_equal(study.cells, before)
    assert "more" not in study.ranking
    assert study.best["cell"] != "changed"
    assert not (trial.activations.cas == 7).all()
    assert trial.epochs["epoch"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["trials", "cells", "ranking", "curves"])
def test_every_column_is_documented(study: StudyResults, name: str) -> None:
    known = documented(StudyResults, name) | (documented(StudyResults, "trials") if name == "cells" else set())
    columns = [column.removesuffix(" low").removesuffix(" high") for column in getattr(study, name)]
    left = [column for column in columns if column not in study.axes and not SCORE.match(column)]
    assert [column for column in left if not set(column.split()) <= known] == []


def test_a_trial_has_what_its_fit_kept(study: StudyResults, swept: Made) -> None:
    row = study.trials.iloc[3]
    trial, result = study.trial(row["key"][:10]), TrialFolder.of(swept.runs, row["key"]).result()
    assert result is not None
    assert (trial.key, len(trial.detections)) == (row["key"], result.detections)
    assert set(trial.detections["video"]) <= set(trial.activations.videos)
    assert (trial.detections["end"] > trial.detections["start"]).all()
    assert (trial.truth["end"] <= trial.activations.duration.max()).all()
    assert trial.settings["hyperparameters.kernel_size"] == row["kernel_size"]
    assert (trial.settings["seed"], trial.settings["dataset.source"]) == (row["seed"], "simulated")
    scores = trial.scores
    for tiou, fraction in zip(result.tiou, result.mAP, strict=True):
        name = f"mAP@{tiou:g}"
        assert scores.loc["all classes", name] == pytest.approx(100 * fraction)
        assert scores.iloc[1:][name].mean() == pytest.approx(100 * fraction)
        assert trial.epochs[f"test {name}"].iloc[-1] == pytest.approx(100 * fraction)
    assert trial.epochs["test mAP@0.1:0.9"].iloc[-1] == pytest.approx(scores.loc["all classes"].mean())
    assert np.isfinite(trial.epochs["loss total"]).all()


def test_every_figure_of_the_views_has_a_name(study: StudyResults) -> None:
    names = study.figures()
    assert len(names) == len(set(names)) > 10
    assert {name.partition("/")[0] for name in names} >= {"study", "plots", "playground", "cost", "errors", "timeline"}
    drawn = study.figure("plots/axis kernel_size", {"plots-score": "average"})
    assert drawn.layout.yaxis.title.text == "average mAP (%)"
    assert drawn.layout.title.text == "simulated data"
    assert study.figure("cost") == study.figure("cost/cost")
    assert [one.text for one in study.figure().layout.annotations if one.text == "mAP@0.5 (%)"]
    assert study.figure() == study.figure("overview/overview")


def test_names_that_are_wrong_are_answered_with_those_there_are(study: StudyResults) -> None:
    with pytest.raises(InputError, match=r"its axes: lambda_sep \(λ\)"):
        study.table("kernel")
    with pytest.raises(InputError, match=r"VIEW one of .*plots"):
        study.figure("plot/axis kernel_size")
    with pytest.raises(InputError, match=r"figures of this view: .*plots/axis kernel_size"):
        study.figure("plots/axis kernel")
    for key in ("", "no key", "../trials"):
        with pytest.raises(InputError, match=r"column `key` of `trials`"):
            study.trial(key)
    with pytest.raises(InputError, match="has no record of a study nothing"):
        tal_search.load("nothing", study.trials.attrs.get("runs", "runs"))


def test_it_shows_itself(study: StudyResults) -> None:
    assert re.fullmatch(
        r"<StudyResults thumos_single: backtal on thumos14 \(simulated\), 12 of 12 trials done, best .*>", repr(study)
    )
    page = study._repr_html_()
    assert "(simulated data)" in page
    assert all(f"({axis})</th>" in page for axis in study.axes)
    assert page.count("<tr") == 1 + len(study.ranking)


def test_a_study_is_run_and_a_failed_trial_is_a_warning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = [*ONE_FIT, "search.axes={learning_rate: [1e30]}"]
    with pytest.warns(RuntimeWarning, match=r"failed \(learning_rate=1e\+30, seed 0, annotator A1\): diverged"):
        found = tal_search.run_study("thumos_single", settings, runs=tmp_path)
    assert capfd.readouterr().err.splitlines()[-1] == "2 of 2 fits, 1 failed"
    assert dict(found.trials["state"].value_counts()) == {"done": 1, "failed": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = tal_search.run_study("thumos_single", [*ONE_FIT, "search.axes={learning_rate: [0.005]}"], runs=tmp_path)
    assert (again.centre or {})["mean"] == (found.centre or {})["mean"]
    assert again.cells["n"].sum() == 1


def test_all_that_is_wrong_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        tal_search.run_study("thumos_single", ["hyperparameters.epoch=3", "search.axes.kernel_size=[2]"], runs=tmp_path)
    assert len(caught.value.problems) == 2
    assert not list(tmp_path.iterdir())


def test_an_interrupted_study_goes_on_in_the_same_process(tmp_path: Path) -> None:
    """A second interrupt ends the command; in a notebook the kernel and its variables stay."""
    settings = [*ONE_FIT, "search.axes={inference.nms: [0.3]}", "hyperparameters.epochs=30"]
    settings += ["resources.checkpoint_every_seconds=0", "protocol.evaluate_every=30"]
    command = [sys.executable, "-c", textwrap.dedent(INTERRUPTED), str(tmp_path), *settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        wait_for(lambda: list(tmp_path.glob("trials/*/progress-*")), process)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    alive, before, after = out.splitlines()
    assert alive.startswith("alive: interrupted; the same call continues; tal_search.load('thumos_single'")
    assert before == "['running']"
    assert after == "['done', 'done']"
