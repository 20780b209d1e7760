"""Simulated annotators: one click in every gap or instance, or with the misses and slips of a measured human.

The constants of humans are measured on the released THUMOS14 clicks (200 validation videos). Background clicks (2880
gaps): the shares of gaps below 1 s and of longer gaps that got no click, and the share of clicks inside an instance
(175 of 2264, 52 of 2323 and 175 of 2344); over all gaps the misses are 36, 21 and 28 %. Action clicks (sets 1 to 3,
3003 instances): the share of instances without a click of their class, and mean and standard deviation of the relative
position inside the instance. Not simulated: action clicks outside all instances of their class (4, 2 and 4 % of those
of humans), and a second background click in a gap (humans make 1.00 to 1.13 per clicked gap).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from tal_search.data.clicks.clicks import BACKGROUND, Clicks
from tal_search.data.truth.truths import background_gaps, rows_by_video, within
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, CLICKS, Annotations, Floats


@dataclass(frozen=True)
class Human:
    """Rates of one annotator: shares of missed gaps, below SHORT_GAP and longer, and of clicks inside an instance;
    share of missed instances, and relative position of the click in an instance (mean and standard deviation).
    """

    missed_short: float
    missed_long: float
    inside: float
    missed_instance: float
    position: float
    position_spread: float


HUMANS = {
    "A1": Human(0.823, 0.227, 0.0773, 0.0516, 0.305, 0.202),
    "A2": Human(0.686, 0.078, 0.0224, 0.0533, 0.572, 0.204),
    "A3": Human(0.838, 0.122, 0.0747, 0.0426, 0.600, 0.193),
}
CLICKERS = (*HUMANS, "uniform", "gaussian")
SHORT_GAP = 1.0  # seconds
SLIP = 0.3  # mean seconds by which a click inside an instance is past the boundary (measured median: 0.2)
GAUSSIAN_WIDTH = 1 / 6  # standard deviation of the `gaussian` clicker, relative to the gap or instance


def simulate_clicks(kind: str, truth: Annotations, durations: Floats, annotator: str, seed: int) -> Clicks:
    """Clicks of one of CLICKERS on every video of `truth`; kind: one of CLICKS; durations float64 [N] seconds.

    `uniform`: anywhere in each gap or instance; `gaussian`: around its middle; A1, A2, A3: with that human's misses,
    background clicks uniform as well (humans are near it) apart from slips, action clicks at that human's positions.
    Instances are clipped to their video; those of no length and those outside it get no click. The draws depend only on
    (seed, kind, annotator).
    """
    assert annotator in CLICKERS, annotator
    assert kind in CLICKS, kind
    truth = within(truth, durations)
    if kind == ACTION_CLICKS:
        return _action_clicks(truth, annotator, _generator(f"{annotator} {kind}", seed))
    generator = _generator(annotator, seed)
    triples = []
    for row, rows in enumerate(rows_by_video(truth)):
        gaps = background_gaps(truth, row, durations[row])
        if annotator in HUMANS:
            seconds = _human(HUMANS[annotator], gaps, truth.segment[rows], generator)
        else:
            seconds = _position(annotator, gaps, generator)
        triples += [(row, second, BACKGROUND) for second in seconds.tolist()]
    return Clicks.of(BACKGROUND_CLICKS, annotator, truth.videos, triples)


def _generator(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _action_clicks(truth: Annotations, annotator: str, generator: np.random.Generator) -> Clicks:
    """At most one click an instance; a human's positions follow the beta distribution with its mean and spread."""
    seconds_K, kept_K = _position(annotator, truth.segment, generator), np.ones(len(truth.label), np.bool_)
    if annotator in HUMANS:
        human = HUMANS[annotator]
        mean, concentration = human.position, human.position * (1 - human.position) / human.position_spread**2 - 1
        share_K = generator.beta(mean * concentration, (1 - mean) * concentration, len(truth.label))
        seconds_K = truth.segment[:, 0] + share_K * (truth.segment[:, 1] - truth.segment[:, 0])
        kept_K = generator.random(len(truth.label)) >= human.missed_instance
    columns = (column[kept_K].tolist() for column in (truth.video, seconds_K, truth.label))
    return Clicks.of(ACTION_CLICKS, annotator, truth.videos, list(zip(*columns, strict=True)))


def _position(annotator: str, gaps_G2: Floats, generator: np.random.Generator) -> Floats:
    if annotator == "gaussian":
        share = np.clip(generator.normal(0.5, GAUSSIAN_WIDTH, len(gaps_G2)), 0, 1)
    else:
        share = generator.random(len(gaps_G2))
    return gaps_G2[:, 0] + share * (gaps_G2[:, 1] - gaps_G2[:, 0])


def _human(human: Human, gaps_G2: Floats, segments_K2: Floats, generator: np.random.Generator) -> Floats:
    missed_G = np.where(gaps_G2[:, 1] - gaps_G2[:, 0] < SHORT_GAP, human.missed_short, human.missed_long)
    # A slip leaves its gap without a click, so more gaps are drawn than end up with one.
    gaps_G2 = gaps_G2[generator.random(len(gaps_G2)) < (1 - missed_G) / (1 - human.inside)]
    seconds_G = _position("uniform", gaps_G2, generator)
    slips_G = (generator.random(len(gaps_G2)) < human.inside) & (len(segments_K2) > 0)
    past_G = generator.exponential(SLIP, len(gaps_G2))
    for gap in np.flatnonzero(slips_G):
        inner = np.minimum(past_G[gap], (segments_K2[:, 1] - segments_K2[:, 0]) / 2)
        places = np.concatenate([segments_K2[:, 0] + inner, segments_K2[:, 1] - inner])
        seconds_G[gap] = places[np.abs(places - seconds_G[gap]).argmin()]
    return seconds_G
