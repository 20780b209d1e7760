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
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.bench_optimisation import CHANNELS, CLASSES, videos_of
from benchmarks.bench_step import KINDS, product_rate, timed, unfolding_step
from benchmarks.machine import machine
from tal_search.data.catalog import definition
from tal_search.data.sampling.settings import NATIVE, Sampling, SplitSampling
from tal_search.methods import available, specification
from tal_search.study.effective_preset import named_preset
from tal_search.trial.loop import Fit, choose_device
from tal_search.types import VideoSet

DATASET, TRAINING_VIDEOS = "thumos14", 200
PREFERRED = ("paper", "release", "adapted")


class Step:
    """The training step of a method, all its phases: an epoch of one batch."""

    def __init__(self, method: str, videos: int, precision: str, device: torch.device, *, masked: bool) -> None:
        dataset = definition(DATASET)
        preset = next(named_preset(dataset, method, name) for name in PREFERRED if name in dataset.presets[method])
        self.snippets = preset.snippets or 750
        settings: dict[str, object] = {"steps": None} if "steps" in preset.hyperparameters else {}
        settings |= {"epochs": 1000, "batch_size": videos}
        torch.manual_seed(0)
        built = specification(method).build({**preset.hyperparameters, **settings}, CHANNELS, CLASSES)
        data = cut(videos_of(videos), self.snippets, masked=masked)
        sampling = Sampling(training=SplitSampling(kind=NATIVE)) if masked else None
        self.fit = Fit(built, data, np.arange(videos), 0, precision, device, sampling, self.snippets)
        self.epoch, self.precision, self.device = 0, precision, device
        with FlopCounterMode(display=False) as counter:
            self()  # also the warm-up
        self.operations = counter.get_total_flops()

    def __call__(self) -> None:
        self.epoch += 1
        self.fit.epoch(self.epoch)

    def measure(self) -> tuple[float, float]:
        """Seconds, and the step's share of the matrix-product rate around it."""
        before = product_rate(self.precision, self.device)
        seconds = timed(self, self.device)
        rate = (before + product_rate(self.precision, self.device)) / 2
        return seconds, self.operations / seconds / rate


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
            plain = Step(method, args.videos, precision, device, masked=False)
            padded = Step(method, args.videos, precision, device, masked=True) if masks else None
            rounds = []
            for _ in range(args.rounds):
                seconds, share = plain.measure()
                with_masks = padded.measure()[0] / seconds if padded else math.nan
                unfolding = timed(unfold, device) / seconds if unfold else math.nan
                rounds.append((seconds, share, with_masks, unfolding))
            seconds, share, with_masks, unfolding = median(rounds)
            epoch = seconds * math.ceil(TRAINING_VIDEOS / args.videos)
            words = "" if math.isnan(with_masks) else f", with masks {with_masks:.2f} times as long"
            words += "" if math.isnan(unfolding) else f", {unfolding:.1f} times as fast as unfolding in float32"
            print(
                f"  {method} T={plain.snippets} {precision}: epoch {epoch:.0f} s, "
                f"{100 * share:.0f} % of the matrix-product rate{words}",
                flush=True,
            )


if __name__ == "__main__":
    main()
