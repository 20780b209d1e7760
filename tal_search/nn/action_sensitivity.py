"""Action sensitivity: how informative each frame is for an action's class and its boundaries (ASL, notes section 4).

Shapes: B videos, P points, at most K instances per video, C classes, D input channels, T snippets, H channels of the
pyramid, A anchors (f_cls and f_loc of a video and class), M vectors an anchor is compared with. Positions d run from
-0.5 at an instance's start to 0.5 at its end.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tal_search.nn.arrays import full
from tal_search.nn.assignment import place_in
from tal_search.nn.pyramid.network import Output, PyramidNetwork

TEMPERATURE = 0.1
ABSENT = -1e4  # similarity that contributes nothing; finite, so that an empty row keeps finite gradients
# Initial means of the Gaussians of class, start and end: the middle of an instance, its start and its end.
FIRST_MEANS, FIRST_DEVIATIONS = (0.0, -0.5, 0.5), (0.5, 0.25, 0.25)


class ClassSensitivity(nn.Module):
    """p: for each class a Gaussian for classification and the sum of two for localization (Eq. p_cls and p_loc).

    The parameters are logarithms of the deviations, so that none can become zero.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.tensor(FIRST_MEANS)[:, None].repeat(1, classes))
        self.log_deviations = nn.Parameter(torch.tensor(FIRST_DEVIATIONS).log()[:, None].repeat(1, classes))

    def forward(self, position: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """p_cls and p_loc at positions in instances of these classes; `label` broadcasts to `position`."""
        apart = (position - self.means[:, label]) / self.log_deviations.exp()[:, label]
        gaussians = torch.exp(-(apart**2) / 2)
        return gaussians[0], gaussians[1] + gaussians[2]


class InstanceSensitivity(nn.Module):
    """q = sigmoid(Linear(Conv1d(f))) of every frame, for each of the two tasks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = max(1, width // 4)
        self.conv = nn.ModuleList(nn.Conv1d(width, hidden, 3, padding=1) for _ in range(2))
        self.out = nn.ModuleList(nn.Linear(hidden, 1) for _ in range(2))

    def forward(self, levels: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """q_cls and q_loc [B, P] of the pyramid's levels [B, T_l, H]."""
        tasks = []
        for conv, out in zip(self.conv, self.out, strict=True):
            parts = [out(functional.relu(conv(level.transpose(1, 2))).transpose(1, 2))[..., 0] for level in levels]
            tasks.append(full(torch.cat(parts, 1)).sigmoid())
        return tasks[0], tasks[1]


class SensitivityNetwork(nn.Module):
    """The pyramid and the two sensitivity modules that weigh its losses, each optional. Only the pyramid detects."""

    def __init__(
        self, pyramid: PyramidNetwork, of_class: ClassSensitivity | None, of_instance: InstanceSensitivity | None
    ) -> None:
        super().__init__()
        self.pyramid, self.of_class, self.of_instance = pyramid, of_class, of_instance

    def forward(
        self, features_BDT: Tensor, valid_BT: Tensor | None = None
    ) -> tuple[Output, tuple[Tensor, Tensor] | None]:
        """The pyramid's output, and q_cls and q_loc [B, P]; None without the instance level."""
        output: Output = self.pyramid(features_BDT, valid_BT)
        return output, None if self.of_instance is None else self.of_instance(output.levels)


def class_features(
    frames_BTH: Tensor, segments_BK2: Tensor, labels_BK: Tensor, classes: int, sensitivity: ClassSensitivity | None
) -> tuple[Tensor, Tensor]:
    """f_cls and f_loc of every video and class, stacked [2, B, C, H]; and the classes present in a video, bool [B, C].

    Sensitivity-weighted sums over the frames of the class's instances (Eq. 1 of the contrastive learning). A frame is
    weighted by the share of it inside the instance, so that instances shorter than a snippet are not lost. Without
    class-level sensitivity all frames have equal weight.
    """
    time_T = torch.arange(frames_BTH.shape[1], device=frames_BTH.device) + 0.5
    weight_BKT = covered(segments_BK2, len(time_T)) * (labels_BK >= 0)[..., None]
    label_BK = labels_BK.clamp_min(0)
    if sensitivity is None:
        weights = torch.stack([weight_BKT, weight_BKT])
    else:
        position_BKT = place_in(time_T, segments_BK2[:, :, None])
        parts = sensitivity(position_BKT, label_BK[..., None])
        weights = torch.stack(parts) * weight_BKT
    member_BKC = functional.one_hot(label_BK, classes).to(weights.dtype) * (labels_BK >= 0)[..., None]
    summed_2BCT = torch.einsum("xbkt,bkc->xbct", weights, member_BKC)
    return summed_2BCT @ frames_BTH, member_BKC.any(1)


def covered(segments_BK2: Tensor, snippets: int) -> Tensor:
    """Share of each snippet that lies in each segment: [B, K, T]."""
    edge_T = torch.arange(snippets, device=segments_BK2.device)
    start_BK1, end_BK1 = segments_BK2[..., :1], segments_BK2[..., 1:]
    return (torch.minimum(end_BK1, edge_T + 1) - torch.maximum(start_BK1, edge_T)).clamp_min(0)


def background_features(
    frames_BTH: Tensor, segments_BK2: Tensor, labels_BK: Tensor, delta: float, valid_BT: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """f_bg of every video [B, H], from frames within δ lengths before and after an instance; and which videos have it.

    Frames inside another instance are excluded, unlike in the paper's formula.
    """
    snippets, present_BK1 = frames_BTH.shape[1], (labels_BK >= 0)[..., None]
    start_BK, end_BK = segments_BK2.unbind(-1)
    margin_BK = delta * (end_BK - start_BK)
    near_BT = frames_BTH.new_zeros(frames_BTH.shape[:2])
    for first, last in ((start_BK - margin_BK, start_BK), (end_BK, end_BK + margin_BK)):
        near_BT = near_BT + (covered(torch.stack([first, last], -1), snippets) * present_BK1).sum(1)
    inside_BT = (covered(segments_BK2, snippets) * present_BK1).sum(1).clamp(0, 1)
    weight_BT = near_BT * (1 - inside_BT)
    if valid_BT is not None:
        weight_BT = weight_BT * valid_BT
    return (weight_BT[:, None] @ frames_BTH)[:, 0], weight_BT.sum(1) > 0


def contrastive_loss(
    anchors_2BCH: Tensor, present_BC: Tensor, background_BH: Tensor, has_background_B: Tensor
) -> Tensor:
    """ASCL: InfoNCE of the batch's f_cls and f_loc (Eq. 3 of the contrastive learning), mean over those present.

    Positives of an anchor are the other anchors of its class, from any video and either task; negatives are the anchors
    of other classes and every background. sim is exp(cos / τ). Zero for a batch without instances.
    """
    batch, classes = present_BC.shape
    anchors_AH = functional.normalize(anchors_2BCH.flatten(0, 2), dim=1)
    others_MH = torch.cat([anchors_AH, functional.normalize(background_BH, dim=1)])
    similarity_AM = anchors_AH @ others_MH.T / TEMPERATURE
    label_A = torch.arange(classes, device=anchors_AH.device).repeat(2 * batch)
    present_A = present_BC.flatten().repeat(2)
    same_AA = label_A[:, None] == label_A
    itself_AA = torch.eye(len(label_A), dtype=torch.bool, device=label_A.device)
    positive_AM = functional.pad(same_AA & ~itself_AA & present_A, (0, batch))
    negative_AM = torch.cat([~same_AA & present_A, has_background_B.expand(len(label_A), -1)], 1)
    positives_A = similarity_AM.masked_fill(~positive_AM, ABSENT).logsumexp(1)
    all_A = similarity_AM.masked_fill(~(positive_AM | negative_AM), ABSENT).logsumexp(1)
    weight_A = present_A.to(similarity_AM.dtype)
    return ((all_A - positives_A) * weight_A).sum() / weight_A.sum().clamp_min(1)
