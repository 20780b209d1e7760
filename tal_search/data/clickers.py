"""Simulated annotators: one background click in each gap between instances, or a measured human's misses and slips.

The humans' constants are measured on the released THUMOS14 background clicks (200 validation videos, 2880 gaps): the
share of gaps shorter and not shorter than 1 s that got no click, and the share of clicks inside an instance (175 of
2264, 52 of 2323 and 175 of 2344). Over all gaps the misses are 36, 21 and 28 %.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from tal_search.data.timeline import background_gaps, rows_by_video
from tal_search.types import Annotations, Floats


@dataclass(frozen=True)
class Human:
    """Rates of one annotator: gaps missed, shorter than SHORT_GAP or not, and clicks that fall inside an instance."""

    missed_short: float
    missed_long: float
    inside: float


HUMANS = {
    "A1": Human(0.823, 0.227, 0.0773),
    "A2": Human(0.686, 0.078, 0.0224),
    "A3": Human(0.838, 0.122, 0.0747),
}
CLICKERS = (*HUMANS, "uniform", "gaussian")
SHORT_GAP = 1.0  # seconds
SLIP = 0.3  # seconds past the boundary of a click that falls inside an instance, mean (measured median 0.2)
GAUSSIAN_WIDTH = 1 / 6  # standard deviation of the `gaussian` clicker, in gap lengths


def simulate_clicks(truth: Annotations, durations: Floats, annotator: str, seed: int) -> dict[str, Floats]:
    """Clicks of one of CLICKERS: video → sorted seconds, for every video of `truth`; durations float64 [N] seconds.

    `uniform`: anywhere in each gap; `gaussian`: around each gap's middle; A1, A2, A3: uniform too (a human's relative
    position in a gap is near uniform), with that human's misses and slips. The draws of an annotator depend on
    (seed, annotator) alone.
    """
    assert annotator in CLICKERS, annotator
    generator = np.random.default_rng([seed, zlib.crc32(annotator.encode())])
    clicks = {}
    for row, (video, rows) in enumerate(zip(truth.videos, rows_by_video(truth), strict=True)):
        gaps = background_gaps(truth, row, durations[row])
        if annotator in HUMANS:
            seconds = _human(HUMANS[annotator], gaps, truth.segment[rows], generator)
        else:
            seconds = _position(annotator, gaps, generator)
        clicks[video] = np.sort(seconds)
    return clicks


def _position(annotator: str, gaps_G2: Floats, generator: np.random.Generator) -> Floats:
    if annotator == "gaussian":
        share = np.clip(generator.normal(0.5, GAUSSIAN_WIDTH, len(gaps_G2)), 0, 1)
    else:
        share = generator.random(len(gaps_G2))
    return gaps_G2[:, 0] + share * (gaps_G2[:, 1] - gaps_G2[:, 0])


def _human(human: Human, gaps_G2: Floats, segments_K2: Floats, generator: np.random.Generator) -> Floats:
    missed = np.where(gaps_G2[:, 1] - gaps_G2[:, 0] < SHORT_GAP, human.missed_short, human.missed_long)
    gaps_G2 = gaps_G2[generator.random(len(gaps_G2)) >= missed]
    seconds_G = _position("uniform", gaps_G2, generator)
    slips_G = (generator.random(len(gaps_G2)) < human.inside) & (len(segments_K2) > 0)
    past_G = generator.exponential(SLIP, len(gaps_G2))
    for gap in np.flatnonzero(slips_G):
        inner = np.minimum(past_G[gap], (segments_K2[:, 1] - segments_K2[:, 0]) / 2)
        places = np.concatenate([segments_K2[:, 0] + inner, segments_K2[:, 1] - inner])
        seconds_G[gap] = places[np.abs(places - seconds_G[gap]).argmin()]
    return seconds_G
