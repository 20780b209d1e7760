"""A training length in steps: as many on every data set, in whole epochs that are known before the fit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tal_search.data.find import load
from tal_search.data.splits import holdout_split
from tal_search.methods import available, specification
from tal_search.methods.hyperparameters import layered
from tal_search.plan.plan import Plan, resolve
from tal_search.plan.preview import training_seconds
from tal_search.trial.folder import TrialFolder
from tal_search.trial.loop import Fit
from tal_search.trial.run import run_trial
from tests.support.facts import SMALL
from tests.support.study_files import load as load_text
from tests.support.study_files import problems

ONE_CELL = """
method: sfnet
dataset: {name: thumos14, source: simulated, snippets: 20, simulation: {train_videos: 10, test_videos: 4, channels: 4}}
search: {plan: grid, axes: {dropout: [0.7]}, repeats: {seeds: [0]}}
protocol: {evaluate_every: 100}
resources: {backend: inline}
"""


def planned(folder: Path, method: str, dataset: str, preset: str, *overrides: str) -> Plan:
    """One fit of a method's preset on a stand-in of the published size."""
    text = f"method: {method}\ndataset: {{name: {dataset}, source: simulated}}\npreset: {preset}\n"
    return resolve(load_text(folder, text + "search: {repeats: {seeds: [0]}}\n", *overrides))


def epochs_of(plan: Plan) -> list[int]:
    return [spec.hyperparameters["epochs"] for spec in plan.fits]


@pytest.mark.parametrize(
    ("method", "dataset", "videos", "batches", "epochs"),
    [
        ("sfnet", "thumos14", 200, 7, 1143),
        ("sfnet", "beoid", 46, 2, 4000),
        ("sfnet", "gtea", 21, 1, 8000),
        ("representative", "thumos14", 200, 13, 90),
        ("representative", "gtea", 21, 2, 585),
    ],
)
def test_every_data_set_is_trained_for_the_steps_of_thumos14(
    tmp_path: Path, method: str, dataset: str, videos: int, batches: int, epochs: int
) -> None:
    """SF-Net's release makes 8000 steps; the representative segments' 90 epochs on THUMOS14 are 1170."""
    steps = {"sfnet": 8000, "representative": 1170}[method]
    preset = "adapted"
    plan = planned(tmp_path, method, dataset, preset)
    assert plan.reference.videos == videos
    assert math.ceil(videos / plan.centre["batch_size"]) == batches
    assert (plan.centre["epochs"], plan.centre["steps"]) == (epochs, steps)
    assert epochs_of(plan) == [epochs]
    assert steps <= epochs * batches < steps + batches
    assert plan.fits[0].hyperparameters["steps"] == epochs * batches, "a trial's settings say what it does"


@pytest.mark.parametrize(
    ("method", "preset", "steps"), [("sfnet", "adapted", 8000), ("representative", "adapted", 1170)]
)
def test_videos_that_are_held_out_are_not_trained_on(tmp_path: Path, method: str, preset: str, steps: int) -> None:
    plan = planned(tmp_path, method, "gtea", preset, "protocol.selection=holdout")
    train, protocol = load(plan.dataset, "A1", ()).train, plan.protocol
    rows, held = holdout_split(train.labels, protocol["holdout_fraction"], protocol["holdout_seed"])
    assert plan.reference.videos == len(rows) == 21 - len(held) < 21
    assert epochs_of(plan) == [math.ceil(steps / math.ceil(len(rows) / plan.centre["batch_size"]))]


@given(videos=st.integers(1, 300), batch=st.integers(1, 64), steps=st.integers(1, 10_000))
def test_epochs_are_the_fewest_of_at_least_the_steps(videos: int, batch: int, steps: int) -> None:
    hyperparameters = specification("sfnet").hyperparameters(steps=steps, batch_size=batch)  # type: ignore[call-arg]
    trained = hyperparameters.trained_on(videos)
    batches = len(torch.arange(videos).split(batch))  # type: ignore[no-untyped-call]
    assert trained.epochs is not None
    assert (trained.epochs - 1) * batches < steps <= trained.epochs * batches == trained.steps
    assert trained.trained_on(videos) == trained
    given_epochs = specification("sfnet").hyperparameters(epochs=trained.epochs, batch_size=batch)  # type: ignore[call-arg]
    assert given_epochs.trained_on(videos) == trained, "the same training, however its length was given"


@pytest.mark.parametrize("name", available())
def test_a_preset_has_one_length_in_force(name: str) -> None:
    method = specification(name)
    for preset in (*method.presets.values(), method.generic(SMALL)):
        assert not {"epochs", "steps"} <= preset.hyperparameters.keys()
        trained = method.hyperparameters(**preset.hyperparameters).trained_on(21)
        assert trained.epochs is not None
        assert trained.epochs >= 1


def test_the_optimizer_makes_as_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And every report knows the number of epochs: 10 videos in batches of 4 make 3 steps an epoch."""
    made: list[int] = []
    step = Fit.step
    monkeypatch.setattr(Fit, "step", lambda *arguments: made.append(1) or step(*arguments))
    plan = resolve(load_text(tmp_path, ONE_CELL, "hyperparameters.steps=10", "hyperparameters.batch_size=4"))
    folder = TrialFolder(tmp_path / "trial")
    reports = [report for report in run_trial(plan.fits[0], folder, device="cpu") if hasattr(report, "epochs")]
    assert [(report.epoch, report.epochs) for report in reports] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(made) == 12
    result = folder.result()
    assert result is not None
    assert result.selected_epoch == 4


def test_the_preview_counts_the_epochs_that_follow(tmp_path: Path) -> None:
    short, long = (
        resolve(
            load_text(
                tmp_path,
                ONE_CELL,
                f"hyperparameters.steps={steps}",
                "hyperparameters.hidden_channels=2",
                f"runs={tmp_path}",
            )
        )
        for steps in (2, 200)
    )
    assert (epochs_of(short), epochs_of(long)) == ([2], [200])
    for _ in run_trial(short.fits[0], TrialFolder.of(tmp_path, short.fits[0].key), device="cpu"):
        pass
    one, many = (training_seconds(plan, plan.fits) for plan in (short, long))
    assert one is not None
    assert many == pytest.approx(100 * one)


@pytest.mark.parametrize(
    ("given_here", "epochs"),
    [
        ([], 32),  # the simulated preset's
        (["hyperparameters.epochs=7"], 7),
        (["hyperparameters.steps=7"], 7),  # one batch of all ten videos
        (["hyperparameters.steps=7", "hyperparameters.batch_size=4"], 3),
        (["hyperparameters.steps=7", "preset=adapted"], 7),
        (["hyperparameters.epochs=7", "preset=adapted"], 7),
        (["preset=adapted"], 8000),
    ],
)
def test_the_author_of_a_study_chooses_epochs_or_steps(tmp_path: Path, given_here: list[str], epochs: int) -> None:
    plan = resolve(load_text(tmp_path, ONE_CELL, *given_here))
    assert epochs_of(plan) == [epochs] == [plan.centre["epochs"]]


def test_both_at_once_are_refused_with_their_places(tmp_path: Path) -> None:
    said = "and each says how long to train; keep one of them"
    found = problems(tmp_path, ONE_CELL, "hyperparameters.steps=7", "hyperparameters.epochs=7")
    assert found == (
        f"command line: hyperparameters.steps=7: hyperparameters.steps is given beside hyperparameters.epochs, {said}",
    )
    found = problems(tmp_path, ONE_CELL, "hyperparameters.epochs=7", "search.axes.steps=[5,6]")
    assert [problem.partition(": search.axes.steps ")[2] for problem in found] == [
        f"is given beside hyperparameters.epochs, {said}"
    ]
    cases = "{plan: cases, cases: {a: {hyperparameters: {steps: 5}}, b: {hyperparameters: {steps: 5, epochs: 6}}}}"
    found = problems(tmp_path, f"method: sfnet\nsearch: {cases}\n")
    assert len(found) == 1
    assert "search.cases.b.hyperparameters.steps is given beside search.cases.b.hyperparameters.epochs" in found[0]
    found = problems(tmp_path, "method: backtal\nhyperparameters: {steps: 5}\n")
    assert len(found) == 1
    assert "hyperparameters.steps is unknown" in found[0]


def test_a_case_has_its_own_length(tmp_path: Path) -> None:
    cases = "{a: {}, b: {hyperparameters: {steps: 60}}, c: {hyperparameters: {epochs: 3}}, d: {preset: adapted}}"
    data = "{name: gtea, source: simulated, snippets: 20, simulation: {train_videos: 10, test_videos: 4, channels: 4}}"
    repeats = "repeats: {seeds: [0]}"
    text = f"method: sfnet\ndataset: {data}\nhyperparameters: {{epochs: 5}}\n"
    text += f"search: {{plan: cases, cases: {cases}, {repeats}}}\n"
    assert epochs_of(resolve(load_text(tmp_path, text))) == [5, 20, 3, 5]  # b: batches of 4


def axes_plan(folder: Path, axes: str, *overrides: str) -> Plan:
    text = ONE_CELL.replace("plan: grid, axes: {dropout: [0.7]}, ", "")
    return resolve(load_text(folder, text, f"search.axes={axes}", *overrides))


def test_steps_and_what_decides_the_batches_may_be_axes(tmp_path: Path) -> None:
    plan = axes_plan(
        tmp_path, "{steps: [6, 12], batch_size: [4]}", "hyperparameters.batch_size=5", "hyperparameters.steps=12"
    )
    assert plan.centre_cell == {"steps": 12, "batch_size": 5}
    assert [(spec.cell["steps"], spec.hyperparameters["epochs"]) for spec in plan.fits] == [(12, 6), (6, 3), (12, 4)]
    by_preset = axes_plan(tmp_path, "{steps: [32, 64]}")  # 32 epochs of one step
    assert by_preset.centre_cell == {"steps": 32}
    assert epochs_of(by_preset) == [32, 64]
    by_epochs = axes_plan(tmp_path, "{epochs: [3, 12]}", "preset=adapted", "hyperparameters.batch_size=5")
    assert by_epochs.centre_cell == {"epochs": 4000}
    assert epochs_of(by_epochs) == [4000, 3, 12]


def test_a_space_may_hold_steps(tmp_path: Path) -> None:
    text = ONE_CELL.replace("{plan: grid, axes: {dropout: [0.7]}", "{plan: sampler, space: {steps: {low: 3, high: 9}}")
    plan = resolve(
        load_text(tmp_path, text.replace("10", "40") + "budget: {trials: 3}\n", "hyperparameters.batch_size=2")
    )
    assert plan.centre["epochs"] == 32, "which pruners know the length by"
    assert plan.reference.videos is not None
    batches = math.ceil(plan.reference.videos / 2)
    trial = plan.trial({"steps": 9}, 0, "A1")
    assert trial.spec.hyperparameters["epochs"] == math.ceil(9 / batches)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([{"epochs": 3}, {"lr": 1}], {"epochs": 3, "lr": 1}),
        ([{"epochs": 3}, {"steps": 7}], {"epochs": None, "steps": 7}),
        ([{"steps": 7}, {"epochs": 3}], {"epochs": 3}),
        ([{"steps": 7}, {"epochs": 3}, {"steps": 8}], {"epochs": None, "steps": 8}),
        ([{"epochs": 3}, {"steps": 7, "epochs": None}], {"epochs": None, "steps": 7}),
    ],
)
def test_a_later_layer_replaces_the_length(layers: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    assert layered(*layers) == expected


def test_a_fit_expands_clicks_after_a_quarter_of_the_epochs(tmp_path: Path) -> None:
    plan = resolve(load_text(tmp_path, ONE_CELL, "hyperparameters.steps=8"))
    spec = plan.fits[0]
    dataset = load(spec.dataset, spec.annotator, spec.supervision)
    method = specification("sfnet").build(spec.hyperparameters, 4, len(dataset.classes))
    fit = Fit(method, dataset.train, np.arange(10), 0, "float32", torch.device("cpu"))
    grown = []
    for number in range(1, 9):
        fit.epoch(number)
        grown.append(bool(method.memory))
    assert grown == [False] * 2 + [True] * 6
