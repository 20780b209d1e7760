"""The learning rate over a fit, as a factor of the hyperparameter."""

from __future__ import annotations

import math

# Share of a fit's steps in which a cosine schedule rises from 0. On simulated data high rates in the first steps end
# several points of mAP lower than the same rates reached slowly (docs/LOG.md).
WARM_UP = 0.2


def rate_factor(schedule: str, done: float) -> float:
    """Factor of the learning rate when the share `done` (0 to 1) of a fit's steps is behind; a name of SCHEDULES.

    `cosine` rises linearly over WARM_UP and falls to 0 along half a cosine. A function of the place in the fit alone:
    a fit that continues from a checkpoint has the rates of one that never stopped.
    """
    if schedule == "constant":
        return 1.0
    if done < WARM_UP:
        return done / WARM_UP
    return (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2
