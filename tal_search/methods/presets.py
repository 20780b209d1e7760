"""Parts of presets that methods share: length and rate of the generic ones, and those of BaS-Net and BackTAL."""

from __future__ import annotations

import math

from tal_search.data.truth.facts import Facts
from tal_search.localization.inference import generic_thresholds
from tal_search.methods.base import Preset

I3D_CHANNELS, THUMOS14_VIDEOS = 2048, 200
MOST_FACTOR = 40.0  # of `rate_for`, at 51 channels; the greatest that was tried is 32

# Of BackTAL and of its baseline BaS-Net, alike so that the two can be compared. Chosen on held-out training videos
# (docs/LOG.md); the mAP of 120 epochs at a constant rate, in 500 steps.
SIMULATED_BRANCHES = Preset(
    snippets=200,
    hyperparameters={
        "epochs": 20, "batch_size": 8, "learning_rate": 3e-3, "schedule": "cosine", "feature_scale": 16.0,
        "dropout": 0.5,
    },
)  # fmt: skip


def generic_branches(epochs: int, facts: Facts) -> Preset:
    """The generic preset of BackTAL and of BaS-Net, trained for `epochs`: the paper's settings otherwise."""
    settings = {"epochs": epochs, "learning_rate": rate_for(1e-4, facts), "schedule": "cosine"}
    return Preset(hyperparameters=settings, inference=generic_thresholds(facts), lengths=("epochs",))


def epochs_for(steps: int, batch_size: int, facts: Facts) -> int:
    """Epochs of a generic preset: `steps`, and more by the root of the number of videos beyond THUMOS14's 200."""
    wanted = steps * max(1.0, math.sqrt(facts.videos / THUMOS14_VIDEOS))
    return math.ceil(wanted / math.ceil(facts.videos / batch_size))


def rate_for(rate: float, facts: Facts) -> float:
    """Learning rate of a generic preset: `rate` is for networks as wide as I3D features; narrower ones need more.

    The best rate of Adam is inverse to the width (Yang, Hu, et al., "Tensor Programs V", 2022).
    """
    factor = 1.0 if facts.channels is None else I3D_CHANNELS / facts.channels
    return float(f"{rate * min(factor, MOST_FACTOR):.2g}")
