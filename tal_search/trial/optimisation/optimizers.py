"""The optimizer of each phase of a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from tal_search.methods.base import Method, Phase

# AdamW decays the weights of these layers only: no biases, norms, scales, embeddings, or parameters that a module
# defines itself (as in minGPT and ActionFormer).
DECAYED_LAYERS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.MultiheadAttention, nn.RNNBase,
)  # fmt: skip


def phase_parameters(method: Method, phase: Phase) -> dict[str, nn.Parameter]:
    """Parameters that a phase trains, by name."""
    return {name: tensor for name, tensor in method.network.named_parameters() if name.startswith(phase.parameters)}


def make_optimizer(method: Method, phase: Phase) -> torch.optim.Optimizer:
    """Adam, whose weight decay is an L2 penalty on every parameter, or AdamW, where it is decoupled.

    AdamW (Loshchilov and Hutter, ICLR 2019) shrinks only the weights of DECAYED_LAYERS, by rate · weight_decay a step.
    """
    hp = method.hyperparameters
    options: dict[str, Any] = {"lr": getattr(hp, phase.learning_rate), "betas": phase.betas, "fused": True}
    parameters = phase_parameters(method, phase)
    if hp.optimizer == "adam":
        return torch.optim.Adam(parameters.values(), weight_decay=hp.weight_decay, **options)
    decayed = decayed_names(method.network)
    parts = [[tensor for name, tensor in parameters.items() if (name in decayed) is kind] for kind in (True, False)]
    decays = (hp.weight_decay, 0.0)
    groups = [{"params": part, "weight_decay": decay} for part, decay in zip(parts, decays, strict=True) if part]
    return torch.optim.AdamW(groups, **options)


def decayed_names(network: nn.Module) -> set[str]:
    """Names of the parameters that AdamW decays: weights of at least two axes in DECAYED_LAYERS."""
    return {
        f"{prefix}.{name}".removeprefix(".")
        for prefix, module in network.named_modules()
        if isinstance(module, DECAYED_LAYERS)
        for name, tensor in module.named_parameters(recurse=False)
        if "weight" in name and tensor.dim() > 1
    }


def clip_gradients(optimizer: torch.optim.Optimizer, most: float) -> torch.Tensor:
    """Scale the gradients of an optimizer's parameters so that their joint L2 norm is at most `most`.

    Returns the norm before, which stays on the device.
    """
    parameters = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    return nn.utils.clip_grad_norm_(parameters, most)
