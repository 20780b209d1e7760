"""Learning-rate schedules, as a factor of the learning_rate hyperparameter."""

from __future__ import annotations

import math

# Share of a fit's steps over which the rate rises from 0, unless a study says otherwise. On simulated data, starting at
# a high rate costs several points of mAP compared with reaching the same rate slowly (docs/LOG.md).
WARM_UP = 0.2
ONE_CYCLE_START = 1 / 25  # the first factor of one_cycle, as in PyTorch's OneCycleLR


def rate_factor(schedule: str, done: float, warm_up: float | None = None, final: float = 0.0) -> float:
    """Factor of the learning rate after the share `done` (0 to 1) of a fit's steps; schedule: one of SCHEDULES.

    warm_up: share of the steps over which the factor rises to 1; None is WARM_UP, or 0 for `constant`. `constant` then
    stays at 1; `cosine` (Loshchilov and Hutter, ICLR 2017) and `one_cycle` (Smith and Topin, 2019) fall to `final`
    along half a cosine. The rise is linear from 0; that of `one_cycle` is half a cosine from 1/25.

    The factor depends only on `done`, so a fit that resumes from a checkpoint has the same rates as an uninterrupted
    one.
    """
    if warm_up is None:
        warm_up = 0.0 if schedule == "constant" else WARM_UP
    if done < warm_up:
        risen = done / warm_up
        return risen if schedule != "one_cycle" else 1 - (1 - ONE_CYCLE_START) * _fall(math.pi * risen)
    if schedule == "constant":
        return 1.0
    return final + (1 - final) * _fall(math.pi * (done - warm_up) / (1 - warm_up))


def _fall(angle: float) -> float:
    """Half a cosine, from 1 at the angle 0 to 0 at π."""
    return (1 + math.cos(angle)) / 2
