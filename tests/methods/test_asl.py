"""ASL: losses weighed by sensitivity, boundaries regressed, Soft-NMS, and a trial without activations."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tal_search.data.find import load
from tal_search.data.truth.annotations import read_detections
from tal_search.localization.inference import Inference
from tal_search.methods.asl import ASL, Hyperparameters
from tal_search.metrics.average_precision import score
from tal_search.nn.batch import Batch
from tal_search.trial.code_version import code_version
from tal_search.trial.folder import TrialFolder
from tal_search.trial.loop import Fit
from tal_search.trial.run import run_trial
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import INSTANCES, NO_ANNOTATOR, VIDEO_LABELS, Dataset
from tests.support.batches import background_batch
from tests.support.small_fits import TIOU, make_data, make_spec, run
from tests.support.study_files import load as load_study_text
from tests.support.study_files import problems

pytestmark = pytest.mark.usefixtures("one_thread")

CHANNELS, CLASSES, SNIPPETS = 6, 4, 30
SWITCHES = [
    {}, {"class_sensitivity": False}, {"instance_sensitivity": False}, {"lambda_contrast": 0.0},
    {"class_sensitivity": False, "instance_sensitivity": False},
]  # fmt: skip


def method(**options: Any) -> ASL:
    torch.manual_seed(0)
    return ASL(Hyperparameters(**{"width": 8, "levels": 3, "dropout": 0.0, **options}), CHANNELS, CLASSES)


def batch(segments: list[list[tuple[float, float, int]]]) -> Batch:
    """Random videos with these instances: start, end, class."""
    features = torch.randn(4, CHANNELS, SNIPPETS, generator=torch.Generator().manual_seed(1))[: len(segments)]
    most = max(len(rows) for rows in segments)
    rows = torch.tensor([[*rows, *[(0, 0, -1)] * (most - len(rows))] for rows in segments]).reshape(
        len(segments), most, 3
    )
    labels = torch.zeros(len(segments), CLASSES)
    clicks = torch.zeros(len(segments), SNIPPETS, dtype=torch.bool)
    plain = background_batch(features, labels, clicks)
    return dataclasses.replace(plain, segments=rows[..., :2].float(), segment_labels=rows[..., 2].long())


VIDEOS = [[(2, 6, 1), (10, 25, 2)], [(0, 30, 0)], []]


@pytest.mark.parametrize("options", SWITCHES)
@torch.no_grad()
def test_losses_are_weighed_by_what_is_left_of_the_sensitivity(options: dict[str, Any]) -> None:
    """L_cls and L_loc from the equations, point by point; targets and sensitivities have tests of their own."""
    from tal_search.nn import assignment

    asl, videos = method(**options), batch(VIDEOS)
    found = {name: loss.item() for name, loss in asl.losses(videos, "all").items()}
    output, quality = asl.network(videos.features)
    targets = assignment.assign([30, 15, 8], videos.segments, videos.segment_labels)
    focal = assignment.focal_loss(output.logits, targets.inside, targets.label)
    tiou, diou = assignment.overlaps(output.segments, targets.segment)
    count, cls, loc, missed = int(targets.inside.sum()), 0.0, 0.0, 0.0
    assert count > 10
    for b, p in np.ndindex(3, 53):
        if not targets.inside[b, p]:
            cls += float(focal[b, p])
            continue
        h = [0.0, 0.0] if options.get("class_sensitivity", True) or quality is not None else [1.0, 1.0]
        if asl.network.of_class is not None:
            parts = asl.network.of_class(targets.position[b, p], targets.label[b, p])
            h = [h[0] + float(parts[0]), h[1] + float(parts[1])]
        if quality is not None:
            h = [h[0] + float(quality[0][b, p]), h[1] + float(quality[1][b, p])]
            class_score = 1 / (1 + math.exp(-float(output.logits[b, p, targets.label[b, p]])))
            missed += float((quality[0][b, p] - class_score) ** 2 + (quality[1][b, p] - tiou[b, p]) ** 2)
        cls += h[0] * float(focal[b, p])
        loc += h[1] * float(1 - diou[b, p])
    expected = {"cls": cls / count, "loc": loc / count}
    if quality is not None:
        expected["instance"] = missed / count
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert ("contrast" in found) == (options.get("lambda_contrast") != 0)
    parts = found["cls"] + found["loc"] + 0.3 * (found.get("instance", 0) + found.get("contrast", 0))
    assert found["total"] == pytest.approx(parts, rel=1e-5)
    assert set(found) == {*expected, "total"} | ({"contrast"} & set(found))


@pytest.mark.parametrize("options", [*SWITCHES, {"encoder": "actionformer"}])
def test_gradients_reach_every_parameter(options: dict[str, Any]) -> None:
    asl = method(**options)
    many = [[(s, s + 3.0, c), (s + 8, s + 26.0, (c + 1) % 4)] for s, c in zip((0, 1, 2, 3), range(4), strict=True)]
    asl.losses(batch(many), "all")["total"].backward()  # type: ignore[no-untyped-call]
    silent = [n for n, p in asl.network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


@pytest.mark.parametrize("options", SWITCHES)
@pytest.mark.parametrize("empty", [[[]], [[], []]])
def test_videos_without_instances_are_background_and_nothing_else(
    options: dict[str, Any], empty: list[list[tuple[float, float, int]]]
) -> None:
    asl = method(**options)
    losses = asl.losses(batch(empty), "all")
    losses["total"].backward()  # type: ignore[no-untyped-call]
    assert losses["cls"] == losses["total"] > 0
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in asl.network.parameters())


def test_a_video_without_instances_changes_nothing_that_points_inside_instances_learn() -> None:
    asl = method()
    alone, beside = (asl.losses(batch(rows), "all") for rows in ([VIDEOS[0]], [VIDEOS[0], []]))
    for name in ("loc", "instance", "contrast"):
        assert beside[name].item() == pytest.approx(alone[name].item(), rel=1e-5)


@cache
def simulated() -> Dataset:
    """A small simulated set; training videos with their instances."""
    return load(make_data(), NO_ANNOTATOR, (VIDEO_LABELS, INSTANCES))


SMALL = {"width": 16, "levels": 4, "epochs": 2, "batch_size": 4, "learning_rate": 5e-3, "dropout": 0.0}


def fitted(epochs: int) -> ASL:
    data = simulated()
    torch.manual_seed(0)
    asl = ASL(Hyperparameters(**SMALL), 12, len(data.classes))
    fit = Fit(asl, data.train, np.arange(40), 0, "float32", torch.device("cpu"))
    for epoch in range(epochs):
        fit.epoch(epoch + 1)
    return asl


def test_a_fit_learns_to_localize() -> None:
    data = simulated()
    found = [fitted(epochs).detect(data.test, data.classes, Inference()) for epochs in (0, 6)]
    before, after = (score(data.test_truth, one, (0.3, 0.5), subset="test").mAP for one in found)
    assert max(before) < 0.02
    assert after[1] > 0.1


def test_detections_lie_inside_their_video_in_order() -> None:
    data = simulated()
    for asl in (fitted(0), fitted(1)):
        found = asl.detect(data.test, data.classes, Inference())
        assert len(found.score) > 100
        assert (found.segment[:, 0] >= 0).all()
        assert (found.segment[:, 0] < found.segment[:, 1]).all()
        assert (found.segment[:, 1] <= data.test.duration[found.video]).all()
        order = np.lexsort([-found.score, found.label, found.video])
        assert order.tolist() == list(range(len(order)))


def test_other_videos_do_not_change_a_videos_detections() -> None:
    data = simulated()
    asl = fitted(1)
    together = asl.detect(data.test, data.classes, Inference())
    rows = np.array([13, 2, 7])
    apart = asl.detect(data.test.subset(rows), data.classes, Inference())
    for place, row in enumerate(rows):
        one, other = apart.video == place, together.video == row
        assert apart.label[one].tolist() == together.label[other].tolist()
        np.testing.assert_allclose(apart.segment[one], together.segment[other], rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(apart.score[one], together.score[other], rtol=1e-4)


@pytest.mark.parametrize("snippets", [2, 7, 33])
def test_any_number_of_snippets_will_do(snippets: int) -> None:
    asl = method(levels=6)
    features = torch.randn(2, CHANNELS, snippets)
    output, _ = asl.network(features)
    lengths = [math.ceil(snippets / 2**level) for level in range(6)]
    assert [level.shape[1] for level in output.levels] == lengths
    assert output.logits.shape == (2, sum(lengths), CLASSES)
    assert (output.segments[..., 0] < output.segments[..., 1]).all()


def asl_spec(**changes: Any) -> TrialSpec:
    spec = make_spec(make_data(), **changes)
    return dataclasses.replace(
        spec,
        method="asl",
        code_version=code_version("asl", "simulated"),
        hyperparameters=dataclasses.asdict(Hyperparameters(**SMALL)),
    )


@pytest.mark.parametrize("selection", ["last", "holdout"])
def test_a_trial_without_activations_is_complete_and_may_be_interrupted(tmp_path: Path, selection: str) -> None:
    spec, folder = asl_spec(selection=selection), TrialFolder(tmp_path / "parts")
    steps = run_trial(spec, folder, device="cpu")
    next(steps)
    steps.close()
    result, whole = run(spec, folder.path), run(spec, tmp_path / "whole")
    untimed = {"seconds": 0.0, "scoring_seconds": 0.0}
    assert dataclasses.replace(result, **untimed) == dataclasses.replace(whole, **untimed)
    assert {path.name for path in folder.path.iterdir()} == {
        "spec.json", "checkpoint.pt", "detections.json", "scores.json", "epochs.parquet", "result.json",
    }  # fmt: skip
    truth = simulated().test_truth
    kept = read_detections(folder.detections, truth.classes, truth.videos, "error")
    assert score(truth, kept, TIOU, subset="test").mAP == result.mAP
    assert result.at(0.3) > 0
    assert list(run_trial(spec, folder, device="cpu")) == []


STUDY = """
description: ASL
method: asl
dataset: {name: thumos14, source: simulated}
"""
REFUSED = "is given, but asl localizes without class activation sequences; remove it, its detections depend on hyperp"


def test_inference_settings_are_refused_before_training(tmp_path: Path) -> None:
    assert load_study_text(tmp_path, STUDY).method == "asl"
    for text, key in (
        ("inference: {nms: 0.4}", "inference.nms"),
        ("search: {axes: {inference.nms: [0.4]}}", "search.axes.inference.nms"),
        ("search: {axes: {inference: {nms: [0.4]}}}", "search.axes.inference.nms"),
        ("search: {plan: sampler, space: {inference.nms: {low: 0.2, high: 0.4}}}\nbudget: {trials: 3}",
         "search.space.inference.nms"),
    ):  # fmt: skip
        (problem,) = problems(tmp_path, STUDY + text)
        assert f"{key} {REFUSED}" in problem
    (problem,) = problems(tmp_path, STUDY, "search.axes.inference.nms=[0.3,0.7]")
    assert problem.startswith("command line: search.axes.inference.nms=[0.3,0.7]: ")


def test_the_method_declares_instances() -> None:
    assert Hyperparameters().supervision == ASL.supervision == (VIDEO_LABELS, INSTANCES)
