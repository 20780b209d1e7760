"""An epoch of every method at its THUMOS14 size (D = 2048, 200 videos), and the share of the matrix-product rate.

    python -m benchmarks.bench_epoch [--rounds 3] [--videos 4] [--device cpu|cuda] [--methods NAME ...]

One step of `--videos` videos is measured for each method with its THUMOS14 preset's T and settings, in bf16 and in
float32, and once more with masks (the last video a snippet shorter) where the method takes them; an epoch is as many
steps as 200 videos make. The rate of a square matrix product is measured just before and after each step; operations
are those of the step's products, convolutions and attentions. BackTAL's step by the unfolding reference is measured in
turn. Medians over rounds; ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np
import torch

from benchmarks.bench_optimisation import CHANNELS, CLASSES, videos_of
from benchmarks.bench_step import KINDS, FitStep, timed, unfolding_step
from benchmarks.machine import machine
from tal_search.data.catalog import definition
from tal_search.data.definition import USUAL_SNIPPETS
from tal_search.data.sampling.settings import NATIVE, Sampling, SplitSampling
from tal_search.methods import available, specification
from tal_search.methods.base import Preset
from tal_search.study.effective_preset import named_preset
from tal_search.trial.loop import Fit, choose_device
from tal_search.types import VideoSet

DATASET, TRAINING_VIDEOS = "thumos14", 200
PREFERRED = ("paper", "release", "adapted")


def preset_of(method: str) -> Preset:
    """The method's preset for THUMOS14 that is nearest to its source."""
    dataset = definition(DATASET)
    return next(named_preset(dataset, method, name) for name in PREFERRED if name in dataset.presets[method])


def step_of(method: str, videos: int, precision: str, device: torch.device, *, masked: bool) -> FitStep:
    """The training step of a method, all its phases, with its THUMOS14 preset."""
    preset = preset_of(method)
    snippets = preset.snippets or USUAL_SNIPPETS
    settings: dict[str, object] = {"steps": None} if "steps" in preset.hyperparameters else {}
    settings |= {"epochs": 1000, "batch_size": videos}
    torch.manual_seed(0)
    built = specification(method).build({**preset.hyperparameters, **settings}, CHANNELS, CLASSES)
    data = cut(videos_of(videos), snippets, masked=masked)
    sampling = Sampling(training=SplitSampling(kind=NATIVE)) if masked else None
    return FitStep(Fit(built, data, np.arange(videos), 0, precision, device, sampling, snippets), precision, device)


def cut(videos: VideoSet, snippets: int, *, masked: bool) -> VideoSet:
    """The first snippets of the videos; masked: the last video has one less."""
    part = dataclasses.replace(
        videos, features=np.ascontiguousarray(videos.features[:, :, :snippets]),
        background_clicks=videos.background_clicks[:, :snippets], action_clicks=videos.action_clicks[:, :, :snippets],
    )  # fmt: skip
    if not masked:
        return part
    length = np.full(len(part.videos), snippets)
    length[-1] -= 1
    part.features[-1, :, -1] = 0
    part.background_clicks[-1, -1] = False
    return dataclasses.replace(part, length=length, start=np.zeros(len(length)), extent=part.duration)


def median(rounds: Sequence[tuple[float, ...]]) -> list[float]:
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--methods", nargs="+", choices=available(), default=available())
    args = parser.parse_args()
    device = choose_device(args.device)
    print(machine(args.device))
    print(
        f"{args.videos} videos a step, D = {CHANNELS}, torch {torch.__version__}; medians of {args.rounds}", flush=True
    )
    for method in args.methods:
        unfold: Callable[[], object] | None = unfolding_step("paper", device) if method == "backtal" else None
        masks = NATIVE in specification(method).method.samplings
        for precision in KINDS:
            plain = step_of(method, args.videos, precision, device, masked=False)
            padded = step_of(method, args.videos, precision, device, masked=True) if masks else None
            rounds = []
            for _ in range(args.rounds):
                seconds, _, share = plain.measure()
                with_masks = padded.measure()[0] / seconds if padded else math.nan
                unfolding = timed(unfold, device) / seconds if unfold else math.nan
                rounds.append((seconds, share, with_masks, unfolding))
            seconds, share, with_masks, unfolding = median(rounds)
            epoch = seconds * math.ceil(TRAINING_VIDEOS / args.videos)
            words = "" if math.isnan(with_masks) else f", with masks {with_masks:.2f} times as long"
            words += "" if math.isnan(unfolding) else f", {unfolding:.1f} times as fast as unfolding in float32"
            print(
                f"  {method} T={preset_of(method).snippets or USUAL_SNIPPETS} {precision}: epoch {epoch:.0f} s, "
                f"{100 * share:.0f} % of the matrix-product rate{words}",
                flush=True,
            )


if __name__ == "__main__":
    main()
