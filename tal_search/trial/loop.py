"""Training loop of any method: shuffle, loss, step.

Shapes: N videos of the training set, B videos of a batch, D channels, T snippets, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, replace

import torch

from tal_search.errors import TalSearchError
from tal_search.files.heartbeat import beat
from tal_search.methods.base import Batch, Method, Phase
from tal_search.nn.arrays import tensor
from tal_search.trial.schedule import rate_factor
from tal_search.types import Ints, VideoSet


def choose_device(device: str) -> torch.device:
    """The torch device; `auto` is the GPU if there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


class Fit:
    """A method being fitted: its optimizers and training tensors.

    Shuffling and dropout of an epoch depend only on (seed, epoch), so a resumed fit equals an uninterrupted one.
    """

    def __init__(
        self, method: Method, videos: VideoSet, rows: Ints, seed: int, precision: str, device: torch.device
    ) -> None:
        """rows: the videos of the set to train on."""
        hp = method.hyperparameters
        self.method, self.seed, self.device = method, seed, device
        self.batch_size = hp.batch_size
        self.bf16 = precision == "bf16"
        self.rows = torch.from_numpy(rows)
        if device.type == "cuda":
            torch.backends.cuda.matmul.fp32_precision = "tf32"
        method.network.to(device)
        self.initial = self.weights() if method.restarts else {}
        self.optimizers = self._optimizers()
        arrays = (getattr(videos, spec.name) for spec in fields(Batch) if spec.name != "rows")
        self.data = Batch(torch.arange(len(videos.videos)), *(tensor(array).to(device) for array in arrays))

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        hp = self.method.hyperparameters
        return {
            phase.name: torch.optim.Adam(
                phase_parameters(self.method, phase),
                lr=getattr(hp, phase.learning_rate), betas=phase.betas, weight_decay=hp.weight_decay, fused=True,
            )
            for phase in self.method.phases
        }  # fmt: skip

    def epoch(self, number: int) -> dict[str, float]:
        """Train one epoch (numbered from 1); returns each loss, averaged over its steps.

        Raises TalSearchError if a loss or a weight is not finite: such a trial fails, it does not score 0.
        """
        torch.manual_seed(self.seed * 1_000_003 + number)
        self.prepare(number)
        self.method.network.train()
        sums: dict[str, torch.Tensor] = {}
        for phase in self.method.active(number):
            shuffled = self.rows[torch.randperm(len(self.rows))]
            batches = shuffled.to(self.device).split(self.batch_size)  # type: ignore[no-untyped-call]
            for step, rows in enumerate(batches):
                beat("epoch %d, step %d of %d", number, step + 1, len(batches))
                self._set_rate(phase, number - 1 + (step + 0.5) / len(batches))
                for name, loss in self.step(phase, rows).items():
                    # A loss logged by two phases is the sum of both means.
                    sums[name] = sums.get(name, 0) + loss.detach() / len(batches)
        means = torch.stack(list(sums.values())).cpu()
        losses = dict(zip(sums, means.tolist(), strict=True))
        self._require_finite(number, losses)
        return losses

    def prepare(self, number: int) -> None:
        """Let the method look at the training set before an epoch, and begin anew where it asks for that."""
        beat("preparing epoch %d", number)
        self.method.network.eval()
        with torch.no_grad():
            anew = self.method.prepare(number, self._in_order)
        if anew:
            assert self.method.restarts, "a method whose `prepare` returns True needs `restarts = True`"
            self.method.network.load_state_dict(self.initial)
            self.optimizers = self._optimizers()

    def _in_order(self) -> Iterator[Batch]:
        batches = self.rows.to(self.device).split(self.batch_size)  # type: ignore[no-untyped-call]
        return (self._batch(rows) for rows in batches)

    def _batch(self, rows: torch.Tensor) -> Batch:
        """rows: on the fit's device; moved there once per epoch, because each move makes the host wait."""
        beat()
        batch = Batch(rows, *(getattr(self.data, spec.name)[rows] for spec in fields(Batch) if spec.name != "rows"))
        return replace(batch, features=batch.features.float())

    def _require_finite(self, epoch: int, losses: dict[str, float]) -> None:
        broken = [f"the loss {name} is {value}" for name, value in losses.items() if not math.isfinite(value)]
        weights = torch.stack([tensor.detach().sum() for tensor in self.method.network.parameters()])
        if not broken and not weights.isfinite().all():
            broken = ["a weight is nan or inf"]  # after the last step; the loss was computed before it
        if broken:
            rate = self.method.hyperparameters.learning_rate
            raise TalSearchError(
                f"diverged at epoch {epoch}: {broken[0]}; lower hyperparameters.learning_rate, now {rate:g}"
            )

    def _set_rate(self, phase: Phase, passed: float) -> None:
        """Set the learning rate of a step; passed: epochs up to the middle of the step."""
        hp = self.method.hyperparameters
        if hp.schedule != "constant":
            assert hp.epochs is not None, "set before a fit, see trained_on"
            rate = getattr(hp, phase.learning_rate) * rate_factor(hp.schedule, passed / hp.epochs)
            for group in self.optimizers[phase.name].param_groups:
                group["lr"] = rate

    def step(self, phase: Phase, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """One step of a phase's optimizer on these videos, rows on the fit's device; returns the losses before it."""
        batch, optimizer = self._batch(rows), self.optimizers[phase.name]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            losses = self.method.losses(batch, phase.name)
        optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return losses

    def state(self) -> dict[str, object]:
        """Weights, optimizer states and the method's memory, for a checkpoint."""
        optimizers = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        return {"network": self.weights(), "optimizers": optimizers, "memory": dict(self.method.memory)}

    def load_state(self, state: dict[str, dict[str, torch.Tensor]]) -> None:
        self.method.network.load_state_dict(state["network"])
        self.method.memory = {name: tensor.to(self.device) for name, tensor in state["memory"].items()}
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])  # type: ignore[arg-type]

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the weights, on the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.method.network.state_dict().items()}


def phase_parameters(method: Method, phase: Phase) -> list[torch.nn.Parameter]:
    """Parameters that a phase trains."""
    return [tensor for name, tensor in method.network.named_parameters() if name.startswith(phase.parameters)]
