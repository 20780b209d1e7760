"""Trials whose videos are sampled: interrupted ones end as others, holdouts are seen as at test, kept files rescore."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tal_search.data.load import load, load_truths
from tal_search.data.sampling.settings import SplitSampling
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.methods.basnet import Hyperparameters
from tal_search.metrics.average_precision import score
from tal_search.nn.batch import Batch
from tal_search.trial.code_version import code_version
from tal_search.trial.folder import TrialFolder
from tal_search.trial.loop import fit_of
from tal_search.trial.run import run_trial
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import BACKGROUND_CLICKS, VIDEO_LABELS
from tests.support.native_dataset import NATIVE, SNIPPETS, TRAINING, native_spec
from tests.support.small_fits import TIOU, numbers, run

pytestmark = pytest.mark.usefixtures("one_thread")
TEST = {"native": NATIVE, "rescale": SplitSampling(), "by length": SplitSampling(kind="uniform", least=80, most=100)}


def make_spec(
    root: Path, training: str, test: str = "native", *, selection: str = "last", epochs: int = 4
) -> TrialSpec:
    settings = {"epochs": epochs, "learning_rate": 1e-2, "batch_size": 4, "frame_weight": 1.0, "dropout": 0.5}
    return TrialSpec(
        method="basnet",
        code_version=code_version("basnet", "features"),
        hyperparameters=dataclasses.asdict(Hyperparameters(**settings)),  # type: ignore[arg-type]
        inference=dataclasses.asdict(Inference(class_threshold=0.1)),
        protocol={
            "evaluation": "activitynet", "tiou": list(TIOU), "selection": selection, "holdout_fraction": 0.3,
            "holdout_seed": 0, "evaluate_every": 2,
        },
        supervision=(VIDEO_LABELS, BACKGROUND_CLICKS), dataset=native_spec(root, TRAINING[training], TEST[test]),
        annotator="S1", seed=0, precision="float32", cell={},
    )  # fmt: skip


@pytest.mark.parametrize("training", TRAINING)
def test_an_interrupted_trial_ends_as_an_uninterrupted_one(tmp_path: Path, training: str) -> None:
    spec = make_spec(tmp_path / "moves", training)
    whole, folder = run(spec, tmp_path / "whole"), TrialFolder(tmp_path / "parts")
    steps = run_trial(spec, folder, device="cpu", checkpoint_every_seconds=1e9)
    for _ in range(2):
        next(steps)
    steps.close()
    assert folder.result() is None
    assert numbers(run(spec, folder.path)) == numbers(whole)
    losses = [[r.losses for r in TrialFolder(tmp_path / name).epoch_reports()] for name in ("whole", "parts")]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4


@pytest.mark.parametrize("training", ["crop", "native"])
def test_a_fit_takes_the_windows_of_its_trial(tmp_path: Path, training: str) -> None:
    """Also where steps are measured, before a study starts."""
    spec = make_spec(tmp_path / "moves", training)
    dataset = load(spec.dataset, spec.annotator, spec.supervision)
    fit, seen = fit_of(spec, dataset, np.arange(4), torch.device("cpu")), set()
    losses = fit.method.losses

    def watched(batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        seen.add(batch.features.shape[2])
        return losses(batch, phase)

    fit.method.losses = watched  # type: ignore[method-assign]
    for epoch in range(1, 5):
        fit.epoch(epoch)
    assert seen == ({20, 90} if training == "crop" else {100})


def test_trials_differ_by_their_sampling_and_so_do_their_keys(tmp_path: Path) -> None:
    specs = [make_spec(tmp_path / "moves", training) for training in TRAINING]
    assert len({spec.key for spec in specs}) == len(TRAINING)
    rescaled = make_spec(tmp_path / "moves", "rescale", "rescale")
    assert rescaled.dataset.sampling == {}


@pytest.mark.parametrize("test", TEST)
def test_held_out_videos_are_seen_as_at_test_and_kept_activations_give_the_same_scores(
    tmp_path: Path, test: str
) -> None:
    spec, folder = make_spec(tmp_path / "moves", "crop", test, selection="holdout"), TrialFolder(tmp_path / "trial")
    other = dataclasses.asdict(Inference(class_threshold=0.2, nms=0.3))
    spec = dataclasses.replace(spec, settings=(spec.inference, other))
    result = run(spec, folder.path)
    for path in (folder.cas, folder.holdout_cas):
        kept = Activations.load(path)
        lengths = kept.timeline.length
        stored = np.array([len(np.load(tmp_path / "moves" / f"{name}.npy")) for name in kept.videos])
        expected = {"native": stored, "rescale": np.full(len(stored), SNIPPETS), "by length": stored.clip(80, 100)}
        assert lengths.tolist() == expected[test].tolist()
        assert kept.cas.shape[-1] == lengths.max()
    truth_of = load_truths(spec.dataset)[1]
    kept = Activations.load(folder.cas)
    again = localize(kept, truth_of.classes, Inference(**spec.inference))
    assert score(truth_of, again, TIOU, protocol="activitynet", subset="test").mAP == result.mAP
    scored = {tuple(entry["inference"].values()): entry["mAP"] for entry in folder.settings().values()}
    assert tuple(scored[tuple(spec.inference.values())]) == result.mAP
    assert len(scored) == 2
