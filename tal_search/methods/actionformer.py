"""ActionFormer: a transformer pyramid that classifies and regresses every moment (Zhang, Wu and Li, ECCV 2022).

Written from the paper and from what is known of its recipe; no golden file exists, so tests compare encoder block,
assignment, losses and decoding with loops. It regresses boundaries, so it has no class activation sequences and no
inference axes: its hyperparameters control how detections are made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tal_search.data.sampling.settings import CROP, KINDS, NATIVE, Sampling, SplitSampling
from tal_search.data.truth.facts import Facts
from tal_search.fields import hyper
from tal_search.localization.inference import Inference
from tal_search.methods.base import Method, MethodSpecification, Phase, Preset
from tal_search.methods.hyperparameters import MethodHyperparameters
from tal_search.methods.presets import epochs_for
from tal_search.nn.batch import Batch
from tal_search.types import INSTANCES, VIDEO_LABELS, Detections, VideoSet

if TYPE_CHECKING:
    import torch

    from tal_search.nn.pyramid.network import Output, PyramidNetwork


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(MethodHyperparameters):
    """Those of the paper on THUMOS14; its optimizer and schedule are in the presets, see RECIPE."""

    width: int = hyper(512, "H", low=1, help="channels of the pyramid")
    levels: int = hyper(6, "L", low=1, high=10, help="pyramid levels, each half as long as the one before")
    window: int = hyper(19, "window", low=1, odd=True, help="points that each one attends to, of its level")
    radius: float = hyper(1.5, "r", above=0, help="of centre sampling: strides from an instance's middle")
    lambda_regression: float = hyper(1.0, "λ_reg", low=0, help="weight of the regression loss")
    first_normaliser: float = hyper(
        100.0, "N₀", low=1, help="first value of the loss normaliser, a running mean of the positive points of a batch"
    )
    momentum: float = hyper(0.9, "m", low=0, below=1, help="of the loss normaliser; 0 = the batch's own count")
    candidates: int = hyper(2000, "top-k", low=1, help="segments of each level that enter Soft-NMS")
    least_duration: float = hyper(0.05, "d_min", low=0, help="seconds; segments are longer")
    soft_nms: float = hyper(0.5, "σ_NMS", above=0, help="width of Soft-NMS's Gaussian over tIoU")
    dropout: float = hyper(0.0, "dropout", low=0, high=0.99)
    drop_path: float = hyper(0.1, "drop path", low=0, high=0.99, help="probability that a video skips a branch")
    epochs: int = hyper(35, "epochs", low=1)
    batch_size: int = hyper(2, "batch", low=1)
    learning_rate: float = hyper(1e-4, "lr", above=0)
    weight_decay: float = hyper(0.05, "wd", low=0)

    @property
    def supervision(self) -> tuple[str, ...]:
        """Video labels and instances, whatever the settings."""
        return VIDEO_LABELS, INSTANCES


# Five epochs of warm-up and thirty of cosine, as any part of a training of another length.
RECIPE = {"optimizer": "adamw", "schedule": "cosine", "warm_up": 5 / 35, "clip_norm": 1.0, "ema_decay": 0.999}
MOST_SNIPPETS = 2304
PADDED = Sampling(
    training=SplitSampling(kind=CROP, lengths=(MOST_SNIPPETS,)), test=SplitSampling(kind=NATIVE)
)  # fmt: skip
# By name; a preset lists only what differs from the defaults above.
PRESETS = {
    "adapted": Preset(sampling=PADDED, hyperparameters=RECIPE),
    "simulated": Preset(
        snippets=200,
        hyperparameters=RECIPE
        | {"width": 32, "levels": 5, "epochs": 10, "batch_size": 8, "learning_rate": 2e-3, "ema_decay": 0.9},
    ),
}


def generic(facts: Facts) -> Preset:
    """THUMOS14's 3500 steps, as wide as the input up to 512 channels, the last level as long as it has there."""
    width = 512 if facts.channels is None else min(512, max(32, facts.channels))
    settings = RECIPE | {
        "width": width, "levels": min(6, 1 + max(0, int(math.log2(facts.snippets / 12)))),
        "epochs": epochs_for(3500, 2, facts), "learning_rate": float(f"{1e-4 * 512 / width:.2g}"),
    }  # fmt: skip
    return Preset(hyperparameters=settings, lengths=("epochs",))


class ActionFormer(Method):
    """A feature pyramid with class and boundary heads, trained on the points near the middles of instances.

    memory: "normaliser", a scalar, the number that both losses are divided by.
    """

    hyperparameters: Hyperparameters
    supervision = (VIDEO_LABELS, INSTANCES)
    phases = (Phase("all"),)
    samplings = KINDS
    network: PyramidNetwork

    def __init__(self, hyperparameters: Hyperparameters, channels: int, classes: int) -> None:
        import torch

        from tal_search.nn.pyramid.encoder import actionformer_settings
        from tal_search.nn.pyramid.network import PyramidNetwork

        self.hyperparameters = hp = hyperparameters
        self.classes = classes
        settings = actionformer_settings(
            width=hp.width, levels=hp.levels, window=hp.window, dropout=hp.dropout, drop_path=hp.drop_path
        )
        self.network = PyramidNetwork(channels, classes, settings, relu=True)
        self.memory = {"normaliser": torch.tensor(float(hp.first_normaliser))}

    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """Focal loss of all points, DIoU loss of those inside instances, and their weighted sum."""
        from tal_search.nn.losses import full_precision, with_total

        assert phase == "all", phase
        output = self.network(batch.features, batch.valid)
        with full_precision(batch.features):
            terms = self._terms(output, batch)
        return with_total(terms, {"regression": self.hyperparameters.lambda_regression})

    def _terms(self, output: Output, batch: Batch) -> dict[str, torch.Tensor]:
        from tal_search.nn import assignment
        from tal_search.nn.arrays import full

        labels_BK = batch.segment_labels
        targets = assignment.assign(output.lengths, batch.segments, labels_BK, radius=self.hyperparameters.radius)
        focal_BP = assignment.focal_loss_of(full(output.logits), targets.classes(labels_BK, self.classes))
        if output.valid is not None:
            focal_BP = focal_BP.masked_fill(~output.valid, 0.0)
        _, diou_BP = assignment.overlaps(output.segments, targets.segment)
        normaliser = self._normaliser(targets.inside.sum())
        return {
            "classification": focal_BP.sum() / normaliser,
            "regression": (targets.inside * (1 - diou_BP)).sum() / normaliser,
        }

    def _normaliser(self, count: torch.Tensor) -> torch.Tensor:
        """The loss normaliser, which in training takes in this batch's number of points inside instances."""
        kept, momentum = self.memory["normaliser"].to(count.device), self.hyperparameters.momentum
        if self.network.training:
            kept = momentum * kept + (1 - momentum) * count.clamp_min(1)
            self.memory = {"normaliser": kept}
        return kept

    def detect(self, videos: VideoSet, classes: tuple[str, ...], inference: Inference) -> Detections:  # noqa: ARG002
        """The highest-scoring segments of every video after Soft-NMS within each class; `inference` is not used.

        In order of videos, then classes, then descending score.
        """
        from tal_search.localization import segments
        from tal_search.nn.pyramid.network import evaluated_points, level_lengths

        hp = self.hyperparameters
        points = evaluated_points(self.network, videos.features)
        lengths = level_lengths(videos.features.shape[2], hp.levels)
        chosen = partial(segments.of_each_level, lengths=lengths, most=hp.candidates, least_seconds=hp.least_duration)
        return segments.detections(videos, classes, points, chosen, hp.soft_nms)


SPECIFICATION = MethodSpecification(
    method=ActionFormer, hyperparameters=Hyperparameters, presets=PRESETS, generic=generic
)
