"""One epoch of any method, top to bottom: shuffle, loss, step.

Shapes: N videos of the training set, B videos of a batch, D channels, T snippets, C classes.
"""

from __future__ import annotations

import math

import torch

from tal_search.errors import TalSearchError
from tal_search.methods import Batch, Method, Phase
from tal_search.nn.arrays import tensor
from tal_search.types import Ints, VideoSet


def choose_device(device: str) -> torch.device:
    """`auto` is the GPU where there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


class Fit:
    """A method being fitted: optimizers, training tensors, and a pass over them.

    An epoch's shuffling and dropout follow from (seed, epoch) alone, so a resumed fit repeats an uninterrupted one.
    """

    def __init__(
        self, method: Method, videos: VideoSet, rows: Ints, seed: int, precision: str, device: torch.device
    ) -> None:
        """rows: the videos of the set to train on; the others' features are not copied away."""
        hp = method.hyperparameters
        self.method, self.seed, self.device = method, seed, device
        self.batch_size: int = hp.batch_size
        self.bf16 = precision == "bf16"
        self.rows = torch.from_numpy(rows)
        method.network.to(device)
        self.optimizers = {
            phase.name: torch.optim.Adam(
                phase_parameters(method, phase), lr=hp.learning_rate, weight_decay=hp.weight_decay, fused=True
            )
            for phase in method.phases
        }
        self.data = Batch(
            features=tensor(videos.features).to(device),
            labels=tensor(videos.labels).to(device),
            background_clicks=tensor(videos.background_clicks).to(device),
        )

    def epoch(self, number: int) -> dict[str, float]:
        """Train one epoch (numbered from 1); returns the mean of every loss over its steps.

        Raises TalSearchError where a loss or a weight is not finite: such a trial has failed, it did not score 0.
        """
        torch.manual_seed(self.seed * 1_000_003 + number)
        self.method.network.train()
        sums: dict[str, torch.Tensor] = {}
        steps = 0
        for phase in self.method.phases:
            for rows in self.rows[torch.randperm(len(self.rows))].to(self.device).split(self.batch_size):  # type: ignore[no-untyped-call]
                steps += 1
                for name, loss in self._step(phase, rows).items():
                    sums[name] = sums.get(name, 0) + loss.detach()
        steps //= len(self.method.phases)
        means = torch.stack(list(sums.values())).cpu() / steps
        losses = dict(zip(sums, means.tolist(), strict=True))
        self._require_finite(number, losses)
        return losses

    def _require_finite(self, epoch: int, losses: dict[str, float]) -> None:
        broken = [f"the loss {name} is {value}" for name, value in losses.items() if not math.isfinite(value)]
        weights = torch.stack([tensor.detach().sum() for tensor in self.method.network.parameters()])
        if not broken and not weights.isfinite().all():
            broken = ["a weight is nan or inf"]  # made by the last step, whose loss was measured before it
        if broken:
            rate = self.method.hyperparameters.learning_rate
            raise TalSearchError(
                f"diverged at epoch {epoch}: {broken[0]}; lower hyperparameters.learning_rate, now {rate:g}"
            )

    def _step(self, phase: Phase, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        data, optimizer = self.data, self.optimizers[phase.name]
        batch = Batch(data.features[rows].float(), data.labels[rows], data.background_clicks[rows])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            losses = self.method.losses(batch, phase.name)
        optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return losses

    def state(self) -> dict[str, object]:
        """Weights and optimizer states, for a checkpoint."""
        optimizers = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        return {"network": self.weights(), "optimizers": optimizers}

    def load_state(self, state: dict[str, dict[str, torch.Tensor]]) -> None:
        self.method.network.load_state_dict(state["network"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])  # type: ignore[arg-type]

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the weights, on the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.method.network.state_dict().items()}


def phase_parameters(method: Method, phase: Phase) -> list[torch.nn.Parameter]:
    """The parameters a phase trains."""
    return [tensor for name, tensor in method.network.named_parameters() if name.startswith(phase.parameters)]
