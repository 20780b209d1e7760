"""Training loop of any method: shuffle, loss, step.

Shapes: N videos of the training set, B videos of a batch, D channels, T snippets, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch

from tal_search.data.sampling.settings import Sampling
from tal_search.errors import TalSearchError
from tal_search.files.heartbeat import beat
from tal_search.methods import specification
from tal_search.methods.base import Method, Phase
from tal_search.nn.arrays import tensor
from tal_search.nn.batch import Batch
from tal_search.trial.optimisation.average import WeightAverage
from tal_search.trial.optimisation.optimizers import clip_gradients, make_optimizer
from tal_search.trial.optimisation.schedule import rate_factor
from tal_search.trial.training_videos import TrainingVideos
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import Dataset, Ints, VideoSet

# Arrays of the training set that a batch has, in its order.
OF_VIDEOS = ("features", "labels", "background_clicks", "action_clicks", "segments", "segment_labels")


def choose_device(device: str) -> torch.device:
    """The torch device; `auto` is the GPU if there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


class Fit:
    """A method being fitted: its optimizers, the average of its weights, if any, and training tensors.

    Shuffling and dropout of an epoch depend only on (seed, epoch), so a resumed fit equals an uninterrupted one.
    """

    def __init__(
        self,
        method: Method,
        videos: VideoSet,
        rows: Ints,
        seed: int,
        precision: str,
        device: torch.device,
        sampling: Sampling | None = None,
        snippets: int = 0,
    ) -> None:
        """rows: the videos of the set to train on; sampling: of stored snippets, see `TrainingVideos`."""
        hp = method.hyperparameters
        self.method, self.seed, self.device = method, seed, device
        self.batch_size = hp.batch_size
        self.bf16 = precision == "bf16"
        self.rows = torch.from_numpy(rows)
        if device.type == "cuda":
            torch.backends.cuda.matmul.fp32_precision = "tf32"
        method.network.to(device)
        self.initial = self.weights() if method.restarts else {}
        self._begin()
        self.clipped: list[torch.Tensor] = []  # of the epoch's steps, the total loss and the norm of its gradient
        self.training = training = TrainingVideos(videos, sampling or Sampling(), snippets, seed, rows, hp.batch_size)
        arrays = (getattr(training.videos, name) for name in OF_VIDEOS)
        self.data = Batch(torch.arange(len(training.videos.videos)), *(tensor(array).to(device) for array in arrays))

    def _begin(self) -> None:
        """Start the optimizers, and the average, of the network's current weights."""
        method, decay = self.method, self.method.hyperparameters.ema_decay
        self.optimizers = {phase.name: make_optimizer(method, phase) for phase in method.phases}
        self.average = None if decay is None else WeightAverage(method, decay)

    def epoch(self, number: int) -> dict[str, float]:
        """Train one epoch (numbered from 1); returns each loss, averaged over its steps.

        Raises TalSearchError if a loss, a weight or the norm of a clipped gradient is not finite: such a trial fails,
        it does not score 0.
        """
        torch.manual_seed(self.seed * 1_000_003 + number)
        self.prepare(number)
        self.method.network.train()
        sums: dict[str, torch.Tensor] = {}
        self.clipped = []
        for phase in self.method.active(number):
            shuffled = self.rows[torch.randperm(len(self.rows))]
            batches = shuffled.to(self.device).split(self.batch_size)  # type: ignore[no-untyped-call]
            self.training.begin(number, len(batches))
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
            self._begin()

    def _in_order(self) -> Iterator[Batch]:
        batches = self.rows.to(self.device).split(self.batch_size)  # type: ignore[no-untyped-call]
        if self.training.alike:
            return (self._batch(rows) for rows in batches)
        return (self.training.whole(rows.cpu().numpy(), self.data.features) for rows in batches)

    def _batch(self, rows: torch.Tensor) -> Batch:
        """rows: on the fit's device; moved there once per epoch, because each move makes the host wait."""
        beat()
        if not self.training.alike:
            return self.training.draw(rows.cpu().numpy(), self.data.features)
        batch = Batch(rows, *(getattr(self.data, name)[rows] for name in OF_VIDEOS))
        return replace(batch, features=batch.features.float())

    def _require_finite(self, epoch: int, losses: dict[str, float]) -> None:
        broken = [f"the loss {name} is {value}" for name, value in losses.items() if not math.isfinite(value)]
        weights = torch.stack([tensor.detach().sum() for tensor in self.method.network.parameters()])
        if not broken and not weights.isfinite().all():
            broken = ["a weight is nan or inf"]  # after the last step; the loss was computed before it
        broken = [*self._broken_gradient(), *broken]
        if broken:
            rate = self.method.hyperparameters.learning_rate
            raise TalSearchError(
                f"diverged at epoch {epoch}: {broken[0]}; lower hyperparameters.learning_rate, now {rate:g}"
            )

    def _broken_gradient(self) -> list[str]:
        """The norm of the first clipped gradient that is not finite, if its loss is: then it is the cause."""
        for loss, norm in torch.stack(self.clipped).tolist() if self.clipped else []:
            if not (math.isfinite(loss) and math.isfinite(norm)):
                return [f"the gradient's norm is {norm} at a loss of {loss:.3g}"] if math.isfinite(loss) else []
        return []

    def _set_rate(self, phase: Phase, passed: float) -> None:
        """Set the learning rate of a step; passed: epochs up to the middle of the step."""
        hp = self.method.hyperparameters
        assert hp.epochs is not None, "set before a fit, see trained_on"
        factor = rate_factor(hp.schedule, passed / hp.epochs, hp.warm_up, hp.final_rate)
        for group in self.optimizers[phase.name].param_groups:
            group["lr"] = getattr(hp, phase.learning_rate) * factor

    def step(self, phase: Phase, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """One step of a phase's optimizer on these videos, rows on the fit's device; returns the losses before it."""
        batch, optimizer = self._batch(rows), self.optimizers[phase.name]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            losses = self.method.losses(batch, phase.name)
        optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()  # type: ignore[no-untyped-call]
        clip_norm = self.method.hyperparameters.clip_norm
        if clip_norm is not None:
            norm = clip_gradients(optimizer, clip_norm)
            self.clipped.append(torch.stack([losses["total"].detach(), norm]))
        optimizer.step()
        if self.average is not None:
            self.average.update(phase)
        return losses

    def state(self) -> dict[str, object]:
        """Trained and averaged weights, optimizer states and the method's memory, for a checkpoint."""
        optimizers = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        average = None if self.average is None else self.average.state()
        memory = dict(self.method.memory)
        return {"network": self.weights(), "average": average, "optimizers": optimizers, "memory": memory}

    def load_state(self, state: dict[str, dict[str, torch.Tensor]]) -> None:
        self.method.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state(state["average"])  # type: ignore[arg-type]
        self.method.memory = {name: tensor.to(self.device) for name, tensor in state["memory"].items()}
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])  # type: ignore[arg-type]

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the network's weights, on the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.method.network.state_dict().items()}

    def averaged(self) -> AbstractContextManager[None]:
        """Within it the network has the weights that are evaluated: averaged ones, if there is an average."""
        return nullcontext() if self.average is None else self.average.in_network()

    def evaluated_weights(self) -> dict[str, torch.Tensor]:
        """A copy of the weights that are evaluated, on the CPU."""
        with self.averaged():
            return self.weights()

    def end(self, weights: dict[str, torch.Tensor]) -> None:
        """End training: from now on the network has these weights, and they are evaluated."""
        self.method.network.load_state_dict(weights)
        self.average = None


def fit_of(spec: TrialSpec, dataset: Dataset, rows: Ints, device: torch.device) -> Fit:
    """The trial's fit at its start; rows: the training videos to train on."""
    sampling, snippets = spec.dataset.sampled, spec.dataset.snippets
    return Fit(build(spec, dataset), dataset.train, rows, spec.seed, spec.precision, device, sampling, snippets)


def build(spec: TrialSpec, dataset: Dataset) -> Method:
    """The method with initial weights from the trial's seed."""
    torch.manual_seed(spec.seed)
    channels = dataset.train.features.shape[1]
    classes = len(dataset.classes)
    return specification(spec.method).build(spec.hyperparameters, channels, classes, spec.dataset.streams)
