"""Number of parameters of a method's network and multiply-adds per video, counted while it runs.

Functional convolutions and matrix products are counted like layers; a profiler of layers would miss them. Elementwise
operations are not counted, as in the literature. B = 1 video, D channels, T snippets, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tal_search.methods import specification
from tal_search.methods.base import ActivationMethod, Method
from tal_search.nn.batch import Batch
from tal_search.types import VideoSet

# Vector products, which the counter leaves out; it counts two operations per multiply-add.
VECTORS: dict[object, Callable[..., int]] = {
    torch.ops.aten.mv: lambda matrix, _, **__: 2 * matrix[0] * matrix[1],
    torch.ops.aten.dot: lambda vector, _, **__: 2 * vector[0],
}
FRAMES_PER_SNIPPET = 16
SECONDS_PER_SNIPPET = 0.5


class Complexity(NamedTuple):
    """parameters: trained numbers; training, inference: multiply-adds of one video, forward only.

    Training is one pass through every phase, including its losses; inference ends where localization begins.
    """

    parameters: int
    training: int
    inference: int


def complexity(
    method: str, hyperparameters: Mapping[str, object], *, channels: int, snippets: int, classes: int
) -> Complexity:
    """Complexity of a method with these hyperparameters (the rest at their defaults) at the given D, T and C."""
    torch.manual_seed(0)
    kind = specification(method)
    built = kind.method(kind.configured(hyperparameters).trained_on(videos=1), channels, classes)
    batch = _batch(channels, snippets, classes)
    with torch.no_grad():
        built.network.eval()
        built.prepare(1, lambda: iter([batch]))
        built.network.train()
        training = multiply_adds(lambda: [built.losses(batch, phase.name) for phase in built.phases])
        inference = multiply_adds(lambda: _localize(built, batch))
    parameters = sum(tensor.numel() for tensor in built.network.parameters())
    return Complexity(parameters, training, inference)


def multiply_adds(run: Callable[[], object]) -> int:
    """Multiply-adds of all convolutions and matrix products in `run`."""
    # A fused attention kernel is one operation that is not counted; its plain form is two matrix products.
    with FlopCounterMode(display=False, custom_mapping=VECTORS) as counter, sdpa_kernel(SDPBackend.MATH):
        run()
    return int(counter.get_total_flops()) // 2


def _batch(channels: int, snippets: int, classes: int) -> Batch:
    """One video with one instance, an action click inside it and background clicks outside."""
    labels = torch.zeros(1, classes)
    labels[0, 0] = 1
    background = torch.zeros(1, snippets, dtype=torch.bool)
    background[0, [0, -1]] = True
    action = torch.zeros(1, classes, snippets, dtype=torch.bool)
    action[0, 0, snippets // 2] = True
    return Batch(
        rows=torch.zeros(1, dtype=torch.int64),
        features=torch.randn(1, channels, snippets),
        labels=labels,
        background_clicks=background,
        action_clicks=action,
        segments=torch.tensor([[[snippets / 4, 3 * snippets / 4]]]),
        segment_labels=torch.zeros(1, 1, dtype=torch.int64),
    )


def _localize(method: Method, batch: Batch) -> None:
    """Run the network; where possible stop before localization, which has no matrix products."""
    features = batch.features.numpy()
    snippets = features.shape[2]
    videos = VideoSet.labelled(
        videos=("v",),
        features=features,
        labels=batch.labels.numpy(),
        duration=np.array([SECONDS_PER_SNIPPET * snippets]),
        frames=np.array([FRAMES_PER_SNIPPET * snippets]),
    )
    if isinstance(method, ActivationMethod):
        method.activations(videos)
    else:
        from tal_search.localization.inference import Inference

        method.detect(videos, tuple(map(str, range(batch.labels.shape[1]))), Inference())
