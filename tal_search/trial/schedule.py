"""Learning-rate schedules, as a factor of the learning_rate hyperparameter."""

from __future__ import annotations

import math

# Share of a fit's steps over which a cosine schedule rises from 0. On simulated data, starting at a high rate costs
# several points of mAP compared with reaching the same rate slowly (docs/LOG.md).
WARM_UP = 0.2


def rate_factor(schedule: str, done: float) -> float:
    """Factor of the learning rate after the share `done` (0 to 1) of a fit's steps; schedule: one of SCHEDULES.

    `cosine` rises linearly over WARM_UP and falls to 0 along half a cosine. The factor depends only on `done`, so a
    fit that resumes from a checkpoint has the same rates as an uninterrupted one.
    """
    if schedule == "constant":
        return 1.0
    if done < WARM_UP:
        return done / WARM_UP
    return (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2
