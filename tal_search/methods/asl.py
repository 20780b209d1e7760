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
from typing import TYPE_CHECKING

import numpy as np

from tal_search.data.truth.facts import Facts
from tal_search.fields import hyper
from tal_search.files.heartbeat import beat
from tal_search.localization.inference import Inference
from tal_search.methods.base import Batch, Method, MethodHyperparameters, MethodSpecification, Phase, Preset
from tal_search.methods.presets import epochs_for
from tal_search.types import INSTANCES, VIDEO_LABELS, Detections, Floats, VideoSet

if TYPE_CHECKING:
    import torch

    from tal_search.nn.action_sensitivity import SensitivityNetwork
    from tal_search.nn.assignment import Targets
    from tal_search.nn.pyramid import Output

LEAST_SCORE = 0.001  # of a detection, before and after Soft-NMS
MOST_OF_CLASS = 200  # segments per video and class that enter Soft-NMS
MOST_OF_VIDEO = 200  # detections per video


@dataclass(frozen=True, kw_only=True)
class Hyperparameters(MethodHyperparameters):
    """θ, δ, λ₁ and λ₂ are the paper's, the rest ActionFormer's for THUMOS14, except that weight decay is Adam's (theirs
    is decoupled), the learning rate is constant, and every video is rescaled to T snippets."""

    width: int = hyper(512, "H", low=1, help="channels of the pyramid")
    levels: int = hyper(6, "L", low=1, high=10, help="pyramid levels, each half as long as the one before")
    theta: float = hyper(0.2, "θ", low=0, high=1, help="share of the channel attention")
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
    network: SensitivityNetwork

    def __init__(self, hyperparameters: Hyperparameters, channels: int, classes: int) -> None:
        from tal_search.nn.action_sensitivity import ClassSensitivity, InstanceSensitivity, SensitivityNetwork
        from tal_search.nn.pyramid import PyramidNetwork

        self.hyperparameters = hp = hyperparameters
        self.classes = classes
        self.network = SensitivityNetwork(
            PyramidNetwork(channels, classes, width=hp.width, levels=hp.levels, theta=hp.theta, dropout=hp.dropout),
            ClassSensitivity(classes) if hp.class_sensitivity else None,
            InstanceSensitivity(hp.width) if hp.instance_sensitivity else None,
        )

    def losses(self, batch: Batch, phase: str) -> dict[str, torch.Tensor]:
        """L_cls and L_loc, weighed by sensitivity, the instance-level targets' MSE, ASCL, and their weighted sum."""
        from tal_search.nn.losses import full_precision, with_total

        assert phase == "all", phase
        output, quality = self.network(batch.features)
        with full_precision(batch.features):
            terms = self._terms(output, quality, batch)
        hp = self.hyperparameters
        return with_total(terms, {"instance": hp.lambda_instance, "contrast": hp.lambda_contrast})

    def _terms(
        self, output: Output, quality: tuple[torch.Tensor, torch.Tensor] | None, batch: Batch
    ) -> dict[str, torch.Tensor]:
        from tal_search.nn import assignment

        lengths = [level.shape[1] for level in output.levels]
        targets = assignment.assign(lengths, batch.segments, batch.segment_labels)
        inside_BP, logits_BPC = targets.inside.float(), output.logits.float()
        count = inside_BP.sum().clamp_min(1)
        tiou_BP, diou_BP = assignment.overlaps(output.segments, targets.segment)
        h_cls_BP, h_loc_BP = self._sensitivity(targets, quality)
        focal_BP = assignment.focal_loss(logits_BPC, targets.inside, targets.label)
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

        frames_BTH, segments, labels = output.levels[0].float(), batch.segments, batch.segment_labels
        of_class = self.network.of_class
        anchors, present = action_sensitivity.class_features(frames_BTH, segments, labels, self.classes, of_class)
        background = action_sensitivity.background_features(frames_BTH, segments, labels, self.hyperparameters.delta)
        return action_sensitivity.contrastive_loss(anchors, present, *background)

    def detect(self, videos: VideoSet, classes: tuple[str, ...], inference: Inference) -> Detections:  # noqa: ARG002
        """The highest-scoring segments of every video after Soft-NMS within each class; `inference` is not used.

        In order of videos, then classes, then descending score.
        """
        from tal_search.nn.arrays import evaluated

        def outputs(features: torch.Tensor) -> tuple[torch.Tensor, ...]:
            beat("evaluating")
            output = self.network.pyramid(features)
            return output.logits.float().sigmoid(), output.segments

        scores, segments = evaluated(self.network, videos.features, outputs)
        tables = [np.zeros((0, 5))]
        for row, (score_PC, segment_P2) in enumerate(zip(scores, segments, strict=True)):
            beat("localizing, video %d of %d", row + 1, len(scores))
            seconds_P2 = segment_P2.astype(np.float64) * (videos.duration[row] / videos.features.shape[2])
            seconds_P2 = seconds_P2.clip(0, videos.duration[row])
            detected = detections_of(score_PC.astype(np.float64), seconds_P2, self.hyperparameters.soft_nms)
            tables.append(np.column_stack([np.full(len(detected), row), detected]))
        table = np.concatenate(tables)
        return Detections(
            videos=videos.videos, classes=classes, video=table[:, 0].astype(np.int64),
            label=table[:, 1].astype(np.int64), segment=table[:, 2:4], score=table[:, 4],
        )  # fmt: skip


def detections_of(score_PC: Floats, segment_P2: Floats, sigma: float) -> Floats:
    """One video's rows (class, start, end, score), [n, 4]: Soft-NMS per class, then the highest scores of all."""
    from tal_search.localization.proposal_loops import soften

    score_CM = score_PC.T * (segment_P2[:, 1] > segment_P2[:, 0])
    order_CM = np.argsort(-score_CM, axis=1, kind="stable")[:, :MOST_OF_CLASS]
    score_CM = np.take_along_axis(score_CM, order_CM, axis=1)
    label, position = np.nonzero(score_CM >= LEAST_SCORE)
    segment = segment_P2[order_CM[label, position]]
    bounds = np.searchsorted(label, np.arange(len(score_CM) + 1))
    score = soften(segment, score_CM[label, position], bounds, sigma, LEAST_SCORE)
    best = np.argsort(-score, kind="stable")[:MOST_OF_VIDEO]
    best = best[score[best] > 0]
    best = best[np.lexsort([-score[best], label[best]])]
    return np.column_stack([label[best], segment[best], score[best]])


SPECIFICATION = MethodSpecification(method=ASL, hyperparameters=Hyperparameters, presets=PRESETS, generic=generic)
