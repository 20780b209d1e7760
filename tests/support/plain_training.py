"""Training by Adam alone, written out: what `Fit` does without options, and what a fit of each method once was."""

from __future__ import annotations

import math
from copy import deepcopy

import torch

from tal_search.methods.base import Method
from tal_search.trial.optimisation.schedule import WARM_UP
from tal_search.types import VideoSet
from tests.support.batches import batch_of


def plain_training(method: Method, videos: VideoSet, seed: int, precision: str = "float32") -> list[dict[str, float]]:
    """Train on all videos, on the CPU, for all epochs; returns the mean losses of each."""
    hp, every = method.hyperparameters, torch.arange(len(videos.videos))
    initial = deepcopy(method.network.state_dict())
    optimizers = adams(method)
    curve = []
    assert hp.epochs is not None
    for epoch in range(1, hp.epochs + 1):
        torch.manual_seed(seed * 1_000_003 + epoch)
        method.network.eval()
        with torch.no_grad():
            if method.prepare(epoch, lambda: (batch_of(videos, rows) for rows in batches(every, hp.batch_size))):
                method.network.load_state_dict(initial)
                optimizers = adams(method)
        method.network.train()
        means: dict[str, torch.Tensor] = {}
        for phase in method.active(epoch):
            parts = batches(every[torch.randperm(len(every))], hp.batch_size)
            for step, rows in enumerate(parts):
                optimizer = optimizers[phase.name]
                if hp.schedule == "cosine":
                    done = (epoch - 1 + (step + 0.5) / len(parts)) / hp.epochs
                    fallen = (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2
                    factor = done / WARM_UP if done < WARM_UP else fallen
                    optimizer.param_groups[0]["lr"] = getattr(hp, phase.learning_rate) * factor
                with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                    losses = method.losses(batch_of(videos, rows), phase.name)
                optimizer.zero_grad()
                losses["total"].backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                for name, loss in losses.items():
                    means[name] = means.get(name, 0) + loss.detach() / len(parts)
        curve.append({name: float(mean) for name, mean in means.items()})
    return curve


def adams(method: Method) -> dict[str, torch.optim.Adam]:
    return {
        phase.name: torch.optim.Adam(
            [weight for name, weight in method.network.named_parameters() if name.startswith(phase.parameters)],
            lr=getattr(method.hyperparameters, phase.learning_rate),
            betas=phase.betas,
            weight_decay=method.hyperparameters.weight_decay,
            fused=True,
        )
        for phase in method.phases
    }


def batches(rows: torch.Tensor, size: int) -> list[torch.Tensor]:
    return [rows[first : first + size] for first in range(0, len(rows), size)]
