"""Inference settings cost no fit: hundreds of cells are scored from the kept activations of one."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tal_search.cli.main import main
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.find import load
from tal_search.data.load import load_truths
from tal_search.data.splits import restrict
from tal_search.errors import TalSearchError
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.average_precision import score
from tal_search.trial.folder import TrialFolder
from tal_search.trial.run import run_trial
from tal_search.trial.trial_types import EpochReport, TrialSpec, setting_name
from tal_search.types import BACKGROUND_CLICKS, Annotations
from tests.support.damage import WAYS, flip, truncate
from tests.support.small_fits import TIOU, make_data, make_spec, run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def dataset() -> DatasetSpec:
    return make_data()


def wanting(spec: TrialSpec, nms: list[float], margins: list[float]) -> TrialSpec:
    """The same fit with the product of these settings wanted."""
    pairs = itertools.product(nms, margins)
    return replace(spec, settings=tuple({**spec.inference, "nms": a, "outer_margin": b} for a, b in pairs))


def directly(path: Path, truth: Annotations, inference: dict[str, Any], tiou: tuple[float, ...]) -> tuple[float, ...]:
    """mAP of kept activations, without any of the code under test."""
    detections = localize(Activations.load(path), truth.classes, Inference(**inference))
    return score(truth, detections, tiou, subset="any").mAP


@pytest.mark.parametrize("selection", ["last", "holdout"])
def test_settings_score_as_their_detections_do_and_change_nothing_of_the_fit(
    dataset: DatasetSpec, tmp_path: Path, selection: str
) -> None:
    plain = make_spec(dataset, selection=selection, epochs=4)
    spec, folder = wanting(plain, [0.3, 0.55], [0.1, 0.25]), TrialFolder(tmp_path / "trial")
    own = spec.settings.index(plain.inference)
    spec = replace(spec, settings=spec.settings[:own] + spec.settings[own + 1 :])
    assert spec.key == plain.key
    steps = list(run_trial(spec, folder, device="cpu"))
    assert [type(step) for step in steps] == [EpochReport] * 4 + [type(None)] * 3
    alone = run(plain, tmp_path / "alone")
    results = folder.results()
    untimed = {"seconds": 0.0, "scoring_seconds": 0.0}
    assert replace(results[None], **untimed) == replace(alone, **untimed)
    assert set(results) == {None, *(setting_name(inference) for inference in spec.settings)}
    data = load(dataset, "A1", (BACKGROUND_CLICKS,))
    for inference in spec.settings:
        found = results[setting_name(inference)]
        assert found.mAP == directly(folder.cas, data.test_truth, inference, TIOU)
        if selection == "holdout":
            truth = restrict(data.train_truth, Activations.load(folder.holdout_cas).videos)
            assert found.holdout_mAP == directly(folder.holdout_cas, truth, inference, TIOU)
        else:
            assert found.holdout_mAP is None
        assert (found.best_on_test_epoch, found.best_on_test_mAP) == (None, None), "no epoch was scored there"
        assert (found.key, found.selected_epoch) == (plain.key, alone.selected_epoch)
    assert len({found.mAP for found in results.values()}) > 2
    assert "settings" not in json.loads((folder.path / "spec.json").read_text())


def test_later_settings_train_nothing_and_a_stop_keeps_what_is_scored(dataset: DatasetSpec, tmp_path: Path) -> None:
    plain, folder = make_spec(dataset, epochs=2), TrialFolder(tmp_path / "trial")
    run(wanting(plain, [0.3], [0.1]), folder.path)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.name != "settings.json"}
    first = folder.settings()
    assert len(first) == 1

    wider = wanting(plain, [0.3, 0.4, 0.7], [0.1, 0.2])
    steps = run_trial(wider, folder, device="cpu")
    assert [next(steps), next(steps)] == [None, None]
    steps.close()
    kept = folder.settings()
    assert (len(kept), len(folder.missing(wider)), folder.complete(wider)) == (3, 3, False)
    assert first.items() <= kept.items()
    assert list(run_trial(wider, folder, device="cpu")) == [None] * 3
    assert kept.items() <= folder.settings().items()
    assert folder.complete(wider)
    assert list(run_trial(wider, folder, device="cpu")) == []
    assert {path.name: path.read_bytes() for path in folder.path.iterdir() if path.name != "settings.json"} == before


@pytest.mark.parametrize("damage", [WAYS["delete"], truncate, flip])
def test_a_fit_whose_activations_are_damaged_is_trained_again_and_scored(
    dataset: DatasetSpec, tmp_path: Path, damage: Callable[[Path, random.Random], object]
) -> None:
    plain, folder = make_spec(dataset, epochs=1), TrialFolder(tmp_path / "trial")
    result = run(plain, folder.path)
    damage(folder.cas, random.Random(0))
    assert folder.result() is None
    assert run(wanting(plain, [0.3], [0.1]), folder.path).mAP == result.mAP
    assert len(folder.settings()) == 1


def test_large_activations_are_checked_when_they_are_scored(
    dataset: DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tal_search.trial.final_files.CHECKED_AT_ONCE", 0)
    plain, folder = make_spec(dataset, epochs=1), TrialFolder(tmp_path / "trial")
    result = run(plain, folder.path)
    flip(folder.cas, random.Random(0))
    assert folder.result() == result
    with pytest.raises(TalSearchError, match=r"/cas\.npz cannot be read .* kept as cas\.npz\.damaged") as raised:
        run(wanting(plain, [0.3], [0.1]), folder.path)
    assert "\n" not in str(raised.value)
    assert folder.result() is None, "the same command trains it again"
    assert folder.settings() == {}


AXES = {
    "inference.nms": [0.3, 0.45, 0.55, 0.6, 0.7],
    "inference.outer_margin": [0.1, 0.2, 0.25, 0.3, 0.4],
    "inference.score_weight": [0.0, 0.1, 0.2, 0.4],
    "inference.class_threshold": [0.1, 0.25, 0.35],
    "lambda_sep": [1.0, 4.0],
}


def command(root: Path, runs: Path, axes: dict[str, list[float]]) -> list[str]:
    written = ",".join(f"{axis}:{values}" for axis, values in axes.items()).replace(" ", "")
    return [
        "study=quickstart", "backend=inline", "tracking.mlflow=false", "dataset.source=features",
        f"dataset.root={root}", "search.repeats={seeds:[0],annotators:[A1]}", "hyperparameters.epochs=4",
        "hyperparameters.learning_rate=1e-2", "search.plan=grid", "~search.axes", f"search.axes={{{written}}}",
        f"runs={runs}",
    ]  # fmt: skip


def test_one_fit_serves_hundreds_of_inference_cells(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    settings = command(root, runs, AXES)
    assert main(["run", *settings, "--preview"]) == 0
    previewed = "600 trials in 2 fits; 0 trials cached, 0 to score from kept activations, 2 fits to train"
    assert previewed in capsys.readouterr().out
    assert main(["run", *settings]) == 0
    fits = {path.parent: path.stat().st_mtime_ns for path in runs.glob("trials/*/result.json")}
    assert len(fits) == 2
    table = pd.read_csv(runs / "quickstart" / "sensitivity.csv")
    assert (len(table), set(table["n"])) == (600, {1})
    assert len(table.drop_duplicates(list(AXES))) == 600
    assert_equal_to_direct_scores(table, fits)
    centre = {"inference.nms": 0.55, "inference.outer_margin": 0.25, "inference.score_weight": 0.2}
    preset = table["inference.class_threshold"] == 0.25
    for axis, value in centre.items():
        preset &= table[axis] == value
    assert preset.sum() == 2
    assert set(table.loc[~preset, "paper source"]) == {"not available"}

    wider = command(root, runs, {**AXES, "inference.nms": [*AXES["inference.nms"], 0.9]})
    capsys.readouterr()
    assert main(["run", *wider, "--preview"]) == 0
    previewed = "720 trials in 2 fits; 600 trials cached, 120 to score from kept activations, 0 fits to train"
    assert f"{previewed}; estimated time: 0.0 min" in capsys.readouterr().out
    assert main(["run", *wider]) == 0
    assert {path.parent: path.stat().st_mtime_ns for path in runs.glob("trials/*/result.json")} == fits
    widened = pd.read_csv(runs / "quickstart" / "sensitivity.csv")
    assert (len(widened), set(widened["n"])) == (720, {1})
    both = table.merge(widened, on=list(AXES), suffixes=("", " widened"))
    assert len(both) == 600
    assert both["mAP@0.5"].equals(both["mAP@0.5 widened"])


def assert_equal_to_direct_scores(table: pd.DataFrame, fits: dict[Path, int]) -> None:
    """Every 29th row against its activations, localized and scored here."""
    folders = {}
    for path in fits:
        spec = json.loads((path / "spec.json").read_text())
        del spec["key"]
        folders[spec["hyperparameters"]["lambda_sep"]] = TrialFolder(path), TrialSpec.from_json(spec)
    assert set(folders) == set(AXES["lambda_sep"])
    values = []
    for row in table.iloc[::29].to_dict("records"):
        folder, spec = folders[row["lambda_sep"]]
        inference = {**spec.inference, **{a.removeprefix("inference."): row[a] for a in AXES if a.startswith("inf")}}
        values.append(directly(folder.cas, load_truths(spec.dataset)[1], inference, (0.5,))[0])
        assert row["mAP@0.5"] == pytest.approx(100 * values[-1], abs=1e-9)
    assert len(np.unique(values)) > 3, "settings that make no difference would prove nothing"


def test_rescore_extends_the_finished_fits_and_trains_none(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    settings = [*command(root, runs, {"lambda_sep": [4.0]}), "search.plan=one_at_a_time"]
    assert main(["run", *settings, "budget.trials=1"]) == 0
    (fit,) = runs.glob("trials/*")
    before = (fit / "result.json").stat().st_mtime_ns
    capsys.readouterr()
    assert main(["rescore", *settings, "inference.nms=[0.3,0.7]"]) == 0
    out = capsys.readouterr().out
    assert "Left out, because not trained yet: 1 fit of the study; `run` trains them." in out
    assert "tIoU_NMS" in out
    assert list(runs.glob("trials/*")) == [fit]
    assert (fit / "result.json").stat().st_mtime_ns == before
    assert sorted(scored["inference"]["nms"] for scored in TrialFolder(fit).settings().values()) == [0.3, 0.7]
    assert main(["rescore", *settings, "inference.nms=0.3"]) == 2
    assert "command line: inference.nms=0.3: give a list of values, inference.nms=[...]" in capsys.readouterr().err


def test_a_cell_of_a_sampler_is_rescored_by_a_planned_study_which_rescore_says(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    holdout = "protocol.holdout_fraction=0.5"
    common = [*command(root, runs, {})[:-3], f"runs={runs}", holdout, "~search.axes", "study.fork=sampled"]
    sampler = [*common, "search.plan=sampler", "search.sampler=random", "search.space={lambda_sep:{low:0.5,high:2.0}}"]
    assert main(["run", *sampler, "budget.trials=1"]) == 0
    capsys.readouterr()
    assert main(["rescore", *sampler, "budget.trials=1", "inference.nms=[0.3]"]) == 2
    said = capsys.readouterr().err
    assert "is a sampler's study" in said
    assert "plan: grid, that cell's hyperparameters, protocol.selection: holdout, and search.axes.inference" in said
    best = float(pd.read_csv(runs / "sampled" / "cells.csv")["lambda_sep"][0])
    planned = [
        *common[:-1], "study.fork=planned", "search.plan=grid", f"hyperparameters.lambda_sep={best!r}",
        "protocol.selection=holdout", "search.axes={inference.nms:[0.3,0.7]}",
    ]  # fmt: skip
    assert main(["run", *planned]) == 0
    (fit,) = runs.glob("trials/*")
    assert sorted(scored["inference"]["nms"] for scored in TrialFolder(fit).settings().values()) == [0.3, 0.7]
