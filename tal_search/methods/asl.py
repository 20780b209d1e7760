"""ASL: action sensitivity learning from annotated instances (Shao, Wang, Quan, et al., ICCV 2023).

Built from notes on the paper; details they omit are ActionFormer's, which ASL extends: the pyramid's regression ranges,
focal and DIoU losses, Gaussian Soft-NMS. It regresses boundaries, so it has no class activation sequences and no
inference axes: its hyperparameters control how detections are made.

The class-level Gaussians are trained by the losses they weigh, as in the equations, and by the contrastive loss. The
instance-level sensitivity is trained by its own targets only; as a loss weight it is detached, or it would become 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tal_search.data.sampling.settings import KINDS
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

    from tal_search.nn.action_sensitivity import SensitivityNetwork
    from tal_search.nn.assignment import Targets
    from tal_search.nn.pyramid.network import Output

MOST_OF_CLASS = 200  # segments per video and class that enter Soft-NMS
WINDOW, DROP_PATH = 19, 0.1  # of ActionFormer's encoder, for encoder: actionformer


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(MethodHyperparameters):
    """θ, δ, λ₁ and λ₂ are the paper's, the rest ActionFormer's for THUMOS14, except that weight decay is Adam's (theirs
    is decoupled), the learning rate is constant, and every video is rescaled to T snippets.

    encoder: plain has one block at full length, attention over the whole video, one convolution for queries, keys and
    values, and an MLP of twice the width; both have the channel attention."""

    width: int = hyper(512, "H", low=1, help="channels of the pyramid")
    levels: int = hyper(6, "L", low=1, high=10, help="pyramid levels, each half as long as the one before")
    theta: float = hyper(0.2, "θ", low=0, high=1, help="share of the channel attention")
    encoder: str = hyper(
        "plain",
        "encoder",
        choices=("plain", "actionformer"),
        help="actionformer = two blocks at full length, window of 19, normalised convolutions, MLP ×4, drop path .1",
    )
    class_sensitivity: bool = hyper(True, "p", help="Gaussians learned for each class; false = off")
    instance_sensitivity: bool = hyper(True, "q", help="learned for each frame; false = off")
    lambda_instance: float = hyper(0.3, "λ₁", low=0, help="weight of the instance-level targets")
    lambda_contrast: float = hyper(0.3, "λ₂", low=0, help="weight of the contrastive loss (ASCL); 0 = off")
    delta: float = hyper(0.2, "δ", above=0, help="background of the contrastive loss, in instance lengths each side")
    soft_nms: float = hyper(0.5, "σ_NMS", above=0, help="width of Soft-NMS's Gaussian over tIoU")
    dropout: float = hyper(0.1, "dropout", low=0, high=0.99)
    epochs: int = hyper(35, "epochs", low=1)
    batch_size: int = hyper(2, "batch", low=1)
    learning_rate: float = hyper(1e-4, "lr", above=0)
    weight_decay: float = hyper(1e-4, "wd", low=0)

    @property
    def supervision(self) -> tuple[str, ...]:
        """Video labels and instances, whatever the settings."""
        return VIDEO_LABELS, INSTANCES


# By name; a preset lists only what differs from the defaults above.
PRESETS = {
    "adapted": Preset(),
    "simulated": Preset(
        snippets=200,
        hyperparameters={"width": 32, "levels": 5, "epochs": 10, "batch_size": 8, "learning_rate": 2e-3},
    ),
}


def generic(facts: Facts) -> Preset:
    """THUMOS14's 3500 steps, as wide as the input up to 512 channels, the last level as long as it has there."""
    width = 512 if facts.channels is None else min(512, max(32, facts.channels))
    settings = {
        "width": width, "levels": min(6, 1 + max(0, int(math.log2(facts.snippets / 12)))),
        "epochs": epochs_for(3500, 2, facts), "learning_rate": float(f"{1e-4 * 512 / width:.2g}"), "schedule": "cosine",
    }  # fmt: skip
    return Preset(hyperparameters=settings, lengths=("epochs",))


class ASL(Method):
    """A feature pyramid with class and boundary heads; class- and instance-level sensitivity weigh its losses."""

    hyperparameters: Hyperparameters
    supervision = (VIDEO_LABELS, INSTANCES)
    phases = (Phase("all"),)
    samplings = KINDS
    network: SensitivityNetwork

    def __init__(self, hyperparameters: Hyperparameters, channels: int, classes: int) -> None:
        from tal_search.nn.action_sensitivity import ClassSensitivity, InstanceSensitivity, SensitivityNetwork
        from tal_search.nn.pyramid.encoder import EncoderSettings, actionformer_settings
        from tal_search.nn.pyramid.network import PyramidNetwork

        self.hyperparameters = hp = hyperparameters
        self.classes = classes
        settings = EncoderSettings(width=hp.width, levels=hp.levels, theta=hp.theta, dropout=hp.dropout)
        if hp.encoder == "actionformer":
            settings = actionformer_settings(
                width=hp.width, levels=hp.levels, theta=hp.theta, dropout=hp.dropout, window=WINDOW, drop_path=DROP_PATH
            )
        self.network = SensitivityNetwork(
            PyramidNetwork(channels, classes, settings),
            ClassSensitivity(classes) if hp.class_sensitivity else None,
            InstanceSensitivity(hp.width) if hp.instance_sensitivity else None,
        )

    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """L_cls and L_loc, weighed by sensitivity, the instance-level targets' MSE, ASCL, and their weighted sum."""
        from tal_search.nn.losses import full_precision, with_total

        assert phase == "all", phase
        output, quality = self.network(batch.features, batch.valid)
        with full_precision(batch.features):
            terms = self._terms(output, quality, batch)
        hp = self.hyperparameters
        return with_total(terms, {"instance": hp.lambda_instance, "contrast": hp.lambda_contrast})

    def _terms(
        self, output: Output, quality: tuple[torch.Tensor, torch.Tensor] | None, batch: Batch
    ) -> dict[str, torch.Tensor]:
        from tal_search.nn import assignment
        from tal_search.nn.arrays import full

        targets = assignment.assign(output.lengths, batch.segments, batch.segment_labels)
        inside_BP, logits_BPC = targets.inside.float(), full(output.logits)
        count = inside_BP.sum().clamp_min(1)
        tiou_BP, diou_BP = assignment.overlaps(output.segments, targets.segment)
        h_cls_BP, h_loc_BP = self._sensitivity(targets, quality)
        focal_BP = assignment.focal_loss(logits_BPC, targets.inside, targets.label)
        if output.valid is not None:
            focal_BP = focal_BP.masked_fill(~output.valid, 0.0)
        terms = {
            "cls": ((inside_BP * h_cls_BP + 1 - inside_BP) * focal_BP).sum() / count,
            "loc": (inside_BP * h_loc_BP * (1 - diou_BP)).sum() / count,
        }
        if quality is not None:
            score_BP = logits_BPC.gather(2, targets.label[..., None])[..., 0].sigmoid()
            errors = (quality[0] - score_BP.detach()) ** 2 + (quality[1] - tiou_BP.detach()) ** 2
            terms["instance"] = (inside_BP * errors).sum() / count
        if self.hyperparameters.lambda_contrast > 0:
            terms["contrast"] = self._contrast(output, batch)
        return terms

    def _sensitivity(
        self, targets: Targets, quality: tuple[torch.Tensor, torch.Tensor] | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """h = p·1[c] + q for classification and localization, [B, P]; without the level that is off, 1 if both are."""
        import torch

        parts = []
        if self.network.of_class is not None:
            parts.append(torch.stack(self.network.of_class(targets.position, targets.label)))
        if quality is not None:
            parts.append(torch.stack(quality).detach())
        if not parts:
            return torch.ones_like(targets.position), torch.ones_like(targets.position)
        h_cls_BP, h_loc_BP = torch.stack(parts).sum(0)
        return h_cls_BP, h_loc_BP

    def _contrast(self, output: Output, batch: Batch) -> torch.Tensor:
        """ASCL on the finest level's features."""
        from tal_search.nn import action_sensitivity
        from tal_search.nn.arrays import full

        frames_BTH, segments, labels = full(output.levels[0]), batch.segments, batch.segment_labels
        of_class = self.network.of_class
        anchors, present = action_sensitivity.class_features(frames_BTH, segments, labels, self.classes, of_class)
        delta = self.hyperparameters.delta
        background = action_sensitivity.background_features(frames_BTH, segments, labels, delta, batch.valid)
        return action_sensitivity.contrastive_loss(anchors, present, *background)

    def detect(self, videos: VideoSet, classes: tuple[str, ...], inference: Inference) -> Detections:  # noqa: ARG002
        """The highest-scoring segments of every video after Soft-NMS within each class; `inference` is not used.

        In order of videos, then classes, then descending score.
        """
        from tal_search.localization import segments
        from tal_search.nn.pyramid.network import evaluated_points

        points = evaluated_points(self.network.pyramid, videos.features)
        chosen = partial(segments.of_each_class, most=MOST_OF_CLASS)
        return segments.detections(videos, classes, points, chosen, self.hyperparameters.soft_nms)


SPECIFICATION = MethodSpecification(method=ASL, hyperparameters=Hyperparameters, presets=PRESETS, generic=generic)
