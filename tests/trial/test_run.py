"""One trial on a small simulated set: deterministic, resumable, complete on disk."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.find import load
from tal_search.data.truth.annotations import read_detections
from tal_search.errors import TalSearchError
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.methods import specification
from tal_search.metrics.average_precision import score
from tal_search.trial import run as trial_run
from tal_search.trial.checkpoint import load_progress, save_progress
from tal_search.trial.folder import TrialFolder
from tal_search.trial.run import run_trial
from tal_search.trial.trial_types import EpochReport, TrialSpec
from tal_search.types import BACKGROUND_CLICKS
from tests.support.small_fits import make_data, make_spec, numbers, run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def dataset() -> DatasetSpec:
    return make_data()


def test_same_seed_gives_the_same_numbers_and_another_seed_does_not(dataset: DatasetSpec, tmp_path: Path) -> None:
    first, again = (run(make_spec(dataset), tmp_path / name) for name in ("a", "b"))
    assert numbers(first) == numbers(again)
    assert max(first.mAP) > 0
    assert run(make_spec(dataset, seed=1), tmp_path / "c").mAP != first.mAP


@pytest.mark.parametrize(("selection", "schedule"), [("last", "constant"), ("holdout", "constant"), ("last", "cosine")])
def test_an_interrupted_trial_ends_as_an_uninterrupted_one(
    dataset: DatasetSpec, tmp_path: Path, selection: str, schedule: str
) -> None:
    spec = make_spec(dataset, selection=selection, schedule=schedule)
    whole = run(spec, tmp_path / "whole")
    folder = TrialFolder(tmp_path / "parts")
    for stop_after in (1, 3):
        steps = run_trial(spec, folder, device="cpu", checkpoint_every_seconds=1e9)
        for _ in range(stop_after):
            next(steps)
        steps.close()
        assert folder.result() is None
    state, notes = load_progress(folder.path)
    assert state is not None
    assert notes == []
    assert [report["epoch"] for report in state["reports"]] == [1, 2, 3, 4]
    assert numbers(run(spec, folder.path)) == numbers(whole)
    assert [r.epoch for r in folder.epoch_reports()] == [1, 2, 3, 4, 5, 6]
    losses = [[r.losses for r in TrialFolder(tmp_path / name).epoch_reports()] for name in ("whole", "parts")]
    assert losses[0] == losses[1]


def test_a_damaged_checkpoint_is_said_and_the_trial_continues_from_the_one_before(
    dataset: DatasetSpec, tmp_path: Path
) -> None:
    spec, folder = make_spec(dataset), TrialFolder(tmp_path / "trial")
    steps = run_trial(spec, folder, device="cpu", checkpoint_every_seconds=0)
    for _ in range(4):
        next(steps)
    steps.close()
    (newest,) = folder.path.glob("progress-4.*.pt")
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    newest.write_bytes(bytes(content))
    said = list(run_trial(spec, folder, device="cpu"))
    assert said[0] == f"checkpoint {newest.name} is damaged (its checksum differs); the trial continues from epoch 3"
    assert [report.epoch for report in said[1:] if isinstance(report, EpochReport)] == [4, 5, 6]
    result = folder.result()
    assert result is not None
    assert numbers(result) == numbers(run(spec, tmp_path / "whole"))


def test_a_finished_folder_holds_everything_and_trains_nothing(dataset: DatasetSpec, tmp_path: Path) -> None:
    spec, folder = make_spec(dataset), TrialFolder(tmp_path / "trial")
    result = run(spec, folder.path)
    assert list(run_trial(spec, folder, device="cpu")) == []
    assert {path.name for path in folder.path.iterdir()} == {
        "spec.json", "checkpoint.pt", "cas.npz", "detections.json", "scores.json", "epochs.parquet", "result.json",
    }  # fmt: skip
    written = json.loads((folder.path / "spec.json").read_text())
    assert written.pop("key") == spec.key
    assert TrialSpec.from_json(written).key == spec.key
    assert json.loads(folder.scores.read_text())["mAP"] == list(result.mAP)
    reports = folder.epoch_reports()
    terms = {"cls_base", "cls_supp", "norm", "frame", "sep", "aff", "total"}
    assert all(set(report.losses) == terms for report in reports)
    assert [report.epoch for report in reports if report.scores] == [2, 4, 6]
    assert reports[-1].scores["test/mAP/0.5"] == result.at(0.5)
    assert result.best_on_test_mAP == max(report.scores["test/mAP/0.5"] for report in reports if report.scores)


def test_kept_activations_and_detections_give_the_recorded_scores(dataset: DatasetSpec, tmp_path: Path) -> None:
    spec, folder = make_spec(dataset), TrialFolder(tmp_path / "trial")
    result = run(spec, folder.path)
    data = load(dataset, "A1", (BACKGROUND_CLICKS,))
    kept = Activations.load(folder.cas)
    assert kept.cas.dtype == np.float16
    for detections in (
        localize(kept, data.classes, Inference(**spec.inference)),
        read_detections(folder.detections, data.test_truth.classes, data.test_truth.videos, "error"),
    ):
        assert score(data.test_truth, detections, (0.3, 0.5), subset="test").mAP == result.mAP


def test_a_trial_is_scored_by_the_protocol_its_study_names(dataset: DatasetSpec, tmp_path: Path) -> None:
    spec = make_spec(dataset)
    strict = dataclasses.replace(spec, protocol={**spec.protocol, "evaluation": "thumos14"})
    folder = TrialFolder(tmp_path / "trial")
    result = run(strict, folder.path)
    assert json.loads(folder.scores.read_text())["protocol"] == "thumos14"
    truth = load(dataset, "A1", ()).test_truth
    found = read_detections(folder.detections, truth.classes, truth.videos, "error")
    assert score(truth, found, (0.3, 0.5), protocol="thumos14", subset="test").mAP == result.mAP
    assert score(truth, found, (0.3, 0.5), subset="test").mAP > result.mAP  # interpolation never lowers AP
    assert strict.key != spec.key


@pytest.mark.parametrize("selection", ["last", "holdout"])
def test_training_seconds_contain_no_scoring(
    dataset: DatasetSpec, tmp_path: Path, selection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that only these advance: an epoch 1 s, a scored split 100 s, saved weights or activations 10 000 s."""
    clock = [0]

    def slow(owner: Any, name: str, seconds: int) -> None:
        quick = getattr(owner, name)

        def called(*arguments: Any, **options: Any) -> Any:
            clock[0] += seconds
            return quick(*arguments, **options)

        monkeypatch.setattr(owner, name, called)

    monkeypatch.setattr(trial_run, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    slow(trial_run.Fit, "epoch", 1)
    slow(trial_run, "score", 100)
    slow(trial_run, "save_weights", 10_000)
    slow(trial_run, "save_progress", 10_000)
    slow(trial_run, "write_atomically", 10_000)
    folder = TrialFolder(tmp_path / "trial")
    spec = make_spec(dataset, selection=selection)
    steps = run_trial(spec, folder, device="cpu", checkpoint_every_seconds=0)
    reports = [next(steps) for _ in range(3)]
    assert [(report.seconds, report.scoring_seconds) for report in reports] == [(1, 0), (1, 100), (1, 0)]
    steps.close()
    result = run(spec, folder.path, checkpoint_every_seconds=1e9)
    assert result.seconds == 6
    scored, written = divmod(result.scoring_seconds, 10_000)[::-1]
    # Epochs 2, 4 and 6; with held-out videos the test split, and those again where another epoch than the last is best.
    assert scored in ({300} if selection == "last" else {400, 500})
    assert written == (2 if selection == "last" else 3)  # the weights, and the activations of each split
    assert result.wall_seconds == result.seconds + result.scoring_seconds


@pytest.mark.parametrize(
    "options", [{}, {"variant": "release"}, {"affinity": False}, {"kernel_size": 1, "embedding_dim": 1}]
)
def test_every_parameter_learns(options: dict[str, Any], dataset: DatasetSpec, tmp_path: Path) -> None:
    spec = make_spec(dataset, epochs=1, **options)
    run(spec, tmp_path / "trial")
    torch.manual_seed(spec.seed)
    start = specification(spec.method).build(spec.hyperparameters, 12, 20).network.state_dict()
    end = torch.load(TrialFolder(tmp_path / "trial").checkpoint, weights_only=True)["state_dict"]
    assert all(not torch.equal(start[name], end[name]) for name in start)


def test_bf16_trains_close_to_float32(dataset: DatasetSpec, tmp_path: Path) -> None:
    spec = make_spec(dataset)
    run(spec, tmp_path / "a")
    run(dataclasses.replace(spec, precision="bf16"), tmp_path / "b")
    totals = [[r.losses["total"] for r in TrialFolder(tmp_path / name).epoch_reports()] for name in "ab"]
    assert totals[1] == pytest.approx(totals[0], rel=0.03)
    assert totals[1] != totals[0]


def test_a_diverging_fit_fails_instead_of_scoring_zero(dataset: DatasetSpec, tmp_path: Path) -> None:
    spec, folder = make_spec(dataset, learning_rate=1e30), TrialFolder(tmp_path / "trial")
    said = r"^diverged at epoch 1: the loss \w+ is (nan|-?inf); lower hyperparameters.learning_rate, now 1e\+30$"
    with pytest.raises(TalSearchError, match=said):
        run(spec, folder.path)
    assert folder.result() is None


@pytest.mark.parametrize(
    ("poisoned", "said"), [("weights", r"the loss \w+ is nan"), ("momentum", "a weight is nan or inf")]
)
def test_the_checkpoint_before_a_divergence_stays(
    dataset: DatasetSpec, tmp_path: Path, poisoned: str, said: str
) -> None:
    """A bad momentum spoils the weights in the epoch's one step, after its loss was measured."""
    spec, folder = make_spec(dataset, batch_size=40), TrialFolder(tmp_path / "trial")
    steps = run_trial(spec, folder, device="cpu")
    next(steps)
    steps.close()
    state, _ = load_progress(folder.path)
    assert state is not None
    momenta = [entry["exp_avg"] for optimizer in state["optimizers"].values() for entry in optimizer["state"].values()]
    for tensor in state["network"].values() if poisoned == "weights" else momenta:
        tensor.fill_(float("nan"))
    save_progress(folder.path, 1, state)
    before = sorted(folder.path.glob("progress-*"))
    with pytest.raises(TalSearchError, match=f"^diverged at epoch 2: {said}; lower"):
        run(spec, folder.path, checkpoint_every_seconds=0)
    assert sorted(folder.path.glob("progress-*")) == before
