"""Simulated annotators: one click in every gap or instance, or with the misses and slips of a measured human.

`simulate_clicks` is for simulated features; `draw_clicks` for any ground truth, video by video.

The constants of humans are measured on the released THUMOS14 clicks (200 validation videos). Background clicks (2880
gaps): the shares of gaps below 1 s and of longer gaps that got no click, and the share of clicks inside an instance
(175 of 2264, 52 of 2323 and 175 of 2344); over all gaps the misses are 36, 21 and 28 %. Action clicks (sets 1 to 3,
3003 instances): the share of instances without a click of their class, and mean and standard deviation of the relative
position inside the instance. Not simulated: action clicks outside all instances of their class (4, 2 and 4 % of those
of humans), and a second background click in a gap (humans make 1.00 to 1.13 per clicked gap).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tal_search.data.clicks.clicks import BACKGROUND, Clicks
from tal_search.data.truth.labels import named
from tal_search.data.truth.truths import background_gaps, rows_by_video, within
from tal_search.errors import InputError
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, CLICKS, Annotations, Floats, Ints


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
DRAWN_CLICKERS = ("uniform", "gaussian", "human")
SHORT_GAP = 1.0  # seconds; people miss most shorter gaps, so that uniform and gaussian drawn clicks leave them out
SLIP = 0.3  # mean seconds by which a click inside an instance is past the boundary (measured median: 0.2)
ROUNDING = 1e-6  # seconds by which a gap of SHORT_GAP may seem shorter, its ends being rounded decimals
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
        seconds = _background_seconds(annotator, gaps, truth.segment[rows], generator)
        triples += [(row, second, BACKGROUND) for second in seconds.tolist()]
    return Clicks.of(BACKGROUND_CLICKS, annotator, truth.videos, triples)


def draw_clicks(kind: str, clicker: str, annotator: str, truth: Annotations, seconds: Mapping[str, float]) -> Clicks:
    """Clicks of a drawn annotator (S1, S2, …) on the videos of `seconds`, which gives where their features end.

    kind: one of CLICKS; clicker: one of DRAWN_CLICKERS. As `simulate_clicks`, but `uniform` and `gaussian` click only
    in gaps of SHORT_GAP or more, strictly between the instances; `human` has the rates of A1, A2 or A3 in turn, S1's
    being A1's. Ambiguous instances are no background. A video's clicks depend only on (kind, clicker, annotator), its
    name and its ground truth; those after the end of its features are left out.
    Raises InputError where videos have no duration in the ground truth, and where no click is drawn.
    """
    assert clicker in DRAWN_CLICKERS, clicker
    require_stated(truth, seconds)
    row_of = {video: row for row, video in enumerate(truth.videos)}
    ways = clicker if clicker != "human" else [*HUMANS][(int(annotator.removeprefix("S")) - 1) % len(HUMANS)]
    rows_of, triples = rows_by_video(truth), list[tuple[int, float, int]]()
    for index, (video, end) in enumerate(seconds.items()):
        row = row_of[video]
        generator = np.random.default_rng([zlib.crc32(text.encode()) for text in (annotator, kind, video)])
        clicks = _of_video(kind, ways, _alone(truth, row, rows_of[row]), generator)
        triples += [(index, time, label) for time, label in clicks if time <= end]
    require_any(kind, clicker, len(triples))
    return Clicks.of(kind, annotator, tuple(seconds), triples)


def require_stated(truth: Annotations, seconds: Iterable[str]) -> None:
    """Raise InputError where videos have no duration in the ground truth."""
    stated = dict(zip(truth.videos, np.isfinite(truth.duration).tolist(), strict=True))
    lacking = [video for video in seconds if not stated.get(video)]
    if lacking:
        count = f"{len(lacking)} training video{'s have' if lacking[1:] else ' has'} no duration ({named(lacking)})"
        raise InputError(f"ground truth: {count}, which simulated clicks need; add it there")


def require_any(kind: str, clicker: str, clicks: int) -> None:
    """Raise InputError where no click is drawn."""
    if not clicks:
        span = f"gap of {SHORT_GAP:g} s or more" if kind == BACKGROUND_CLICKS else "instance longer than 0 s"
        seen = f"dataset.clickers draws no {kind} ({clicker}): few training videos, or none, have a {span}"
        raise InputError(f"{seen}; give another clicker, or click files")


def _alone(truth: Annotations, row: int, rows: Ints) -> Annotations:
    """The ground truth of one video, its instances clipped to it; `ambiguous` likewise, always given."""
    duration = truth.duration[row : row + 1]
    unclear = truth.ambiguous
    segments = np.zeros((0, 2)) if unclear is None else unclear.segment[unclear.video == row]
    one = replace(
        truth, videos=truth.videos[row : row + 1], video=np.zeros(len(rows), np.int64), label=truth.label[rows],
        segment=truth.segment[rows], duration=duration, ambiguous=None,
    )  # fmt: skip
    none = np.zeros(len(segments), np.int64)
    ambiguous = within(replace(one, video=none, label=none, segment=segments), duration)
    return replace(within(one, duration), ambiguous=ambiguous)


def _of_video(kind: str, ways: str, truth: Annotations, generator: np.random.Generator) -> list[tuple[float, int]]:
    """(second, label) of the clicks on the only video of `truth`, each inside its gap, instance or video."""
    if kind == ACTION_CLICKS:
        clicks = _action_clicks(truth, ways, generator)
        return list(zip(clicks.time.tolist(), clicks.label.tolist(), strict=True))
    assert truth.ambiguous is not None
    every = replace(
        truth, video=np.concatenate([truth.video, truth.ambiguous.video]),
        segment=np.concatenate([truth.segment, truth.ambiguous.segment]),
    )  # fmt: skip
    duration = float(truth.duration[0])
    gaps_G2 = background_gaps(every, 0, duration)
    if ways not in HUMANS:
        gaps_G2 = gaps_G2[gaps_G2[:, 1] - gaps_G2[:, 0] >= SHORT_GAP - ROUNDING]
    seconds = _background_seconds(ways, gaps_G2, truth.segment, generator)
    if ways not in HUMANS:
        inner_G2 = np.nextafter(gaps_G2, gaps_G2[:, ::-1])
        seconds = seconds.clip(inner_G2[:, 0], inner_G2[:, 1])
    return [(second, BACKGROUND) for second in seconds.clip(0, duration).tolist()]


def _background_seconds(annotator: str, gaps_G2: Floats, segments_K2: Floats, generator: np.random.Generator) -> Floats:
    if annotator in HUMANS:
        return _human(HUMANS[annotator], gaps_G2, segments_K2, generator)
    return _position(annotator, gaps_G2, generator)


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
    seconds_K = seconds_K.clip(truth.segment[:, 0], truth.segment[:, 1])
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
