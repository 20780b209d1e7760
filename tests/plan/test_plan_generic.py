"""Generic presets in a plan: facts of what each fit trains on, and as many steps within a budget of videos."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from tal_search.plan.plan import Plan, resolve
from tal_search.plan.preset_words import preset_words
from tal_search.study import Study, effective_preset, find_dataset, load_study
from tests.support.folded_study import folded_plan
from tests.support.study_files import load as load_text

TEXT = """
dataset: {name: thumos14, source: simulated, snippets: 20, simulation: {train_videos: 40, test_videos: 4, channels: 64}}
preset: generic
search: {repeats: {seeds: [0], annotators: [A1]}}
"""
BATCH = {"asl": 2, "backtal": 16, "basnet": 16, "dgam": 32, "representative": 16, "sfnet": 32}
STEPS = {"asl": 3500, "backtal": 1300, "basnet": 1300, "dgam": 4200, "representative": 1170, "sfnet": 2000}


def planned(folder: Path, method: str, *overrides: str) -> Plan:
    return resolve(load_text(folder, f"method: {method}\n{TEXT}", *overrides))


def steps(plan: Plan, videos: int) -> list[int]:
    """Optimizer steps of each fit on so many videos."""
    return [
        spec.hyperparameters["epochs"] * math.ceil(videos / spec.hyperparameters["batch_size"]) for spec in plan.fits
    ]


@pytest.mark.parametrize("method", STEPS)
def test_a_budget_of_videos_keeps_the_number_of_steps(tmp_path: Path, method: str) -> None:
    """A tenth of 40 videos is trained for more epochs: for as many steps as all videos, in whole epochs."""
    whole, tenth = planned(tmp_path, method), planned(tmp_path, method, "supervision.videos=0.1")
    (all_steps,), (few_steps,) = steps(whole, 40), steps(tenth, 4)
    batches, fewer = math.ceil(40 / BATCH[method]), math.ceil(4 / BATCH[method])
    assert STEPS[method] <= all_steps < STEPS[method] + batches
    assert STEPS[method] <= few_steps < all_steps + fewer
    assert tenth.fits[0].hyperparameters["epochs"] > whole.fits[0].hyperparameters["epochs"] or batches == fewer
    if method == "dgam":
        ramps = [plan.fits[0].hyperparameters for plan in (whole, tenth)]
        assert [one["ramp_epochs"] for one in ramps] == [math.ceil(one["epochs"] / 2) for one in ramps]


def test_other_presets_and_lengths_of_the_author_keep_their_epochs(tmp_path: Path) -> None:
    budget = "supervision.videos=0.1"
    assert planned(tmp_path, "asl", "preset=simulated", budget).centre["epochs"] == 10
    assert planned(tmp_path, "asl", "hyperparameters.epochs=7", budget).centre["epochs"] == 7
    dgam = planned(tmp_path, "dgam", "hyperparameters.epochs=7", budget).centre
    assert (dgam["epochs"], dgam["ramp_epochs"]) == (7, 2100)
    assert planned(tmp_path, "dgam").centre["ramp_epochs"] == 1050
    changed = "presets: {asl: {generic: {hyperparameters: {epochs: 9}}}}\n"
    (tmp_path / "mine.yaml").write_text(changed)
    assert planned(tmp_path, "asl", f"dataset.file={tmp_path / 'mine.yaml'}", budget).centre["epochs"] == 9


def test_a_budget_as_an_axis_gives_each_cell_its_length(tmp_path: Path) -> None:
    plan = planned(tmp_path, "asl", "search.axes={supervision.videos: [0.1, 0.5, 1.0]}")
    found = {spec.dataset.share("videos"): spec.hyperparameters["epochs"] for spec in plan.fits}
    assert found == {1.0: 175, 0.1: 1750, 0.5: 350}
    both = planned(tmp_path, "asl", "search.axes={supervision.videos: [0.1], epochs: [5]}")
    by_cell = [(spec.cell.get("epochs"), spec.hyperparameters["epochs"]) for spec in both.fits]
    assert by_cell == [(175, 175), (175, 175), (5, 5)], "a cell's epochs are what it says"


def test_held_out_videos_have_no_say_in_the_rule(tmp_path: Path) -> None:
    study = load_text(tmp_path, f"method: asl\n{TEXT}", "protocol.selection=holdout")
    plan = resolve(study)
    facts = effective_preset(study, plan.dataset).facts
    assert facts is not None
    assert facts.videos < 40
    assert plan.fits[0].hyperparameters["epochs"] == math.ceil(3500 / math.ceil(facts.videos / 2))


def rewritten(truth: Path, subject: str, change: Callable[[dict[str, object]], None]) -> None:
    content = json.loads(truth.read_text())
    for name, video in content["database"].items():
        if name.endswith(subject):
            change(video)
    truth.write_text(json.dumps(content))


def shortened(video: dict[str, object]) -> None:
    """One instance of a tenth of a second in each class."""
    video["annotations"] = [
        {"segment": [start, start + 0.1], "label": label}
        for start, label in ((5.0, "CliffDiving"), (9.0, "HighJump"), (15.0, "CliffDiving"), (21.0, "HighJump"))
    ] * 5


def studied(folder: Path) -> Study:
    plan = folded_plan(folder, of=6, axes={"dropout": [0.1]})
    overrides = [
        "dataset.name=mine",
        "dataset.snippets=null",
        "preset=generic",
        "method=asl",
        "hyperparameters=null",
        "inference=null",
    ]
    return load_study("folded", [*overrides, f"runs={plan.study.runs}"], folder / "studies")


def test_the_instances_of_a_fold_s_test_videos_change_nothing_of_its_trials(tmp_path: Path) -> None:
    """T of the other folds follows from the very short instances that only they train on."""
    study = studied(tmp_path)
    before = resolve(study)
    rewritten(tmp_path / "truth.json", "user03", shortened)
    after = resolve(study)
    assert [spec.dataset.fold for spec in after.fits] == list(range(6))
    same = [
        (one.hyperparameters, one.dataset.snippets) == (other.hyperparameters, other.dataset.snippets)
        for one, other in zip(before.fits, after.fits, strict=True)
    ]
    assert same == [False, False, True, False, False, False], "fold 2 tests user03"
    assert after.fits[2].dataset.snippets == 100 < after.fits[0].dataset.snippets == 1000
    assert find_dataset(study).snippets == 1000, "that of the first fold"


def test_the_words_on_a_preset_say_that_every_fold_follows_the_rule(tmp_path: Path) -> None:
    words = preset_words(resolve(studied(tmp_path)))
    assert words.startswith("Preset: generic. By rule, here for fold 0 of 6: T = 100 (")
    assert "From 10 training videos of 2 classes" in words
