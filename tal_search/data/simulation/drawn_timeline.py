"""A timeline of action instances drawn to look like THUMOS14's: durations, counts, lengths and gaps, no data copied.

The constants are moments of the 200 THUMOS14 validation videos (3003 instances), so that a drawn set has their
statistics: median instance about 3 s, shortest 0.2 s, longest about 118 s, a median of 8 instances a video.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tal_search.types import Annotations, Floats

# Mean and standard deviation of the logarithm, one value a video; then the range seen.
VIDEO_SECONDS = (4.94, 0.92, 9.0, 1400.0)
INSTANCES = (2.04, 1.18, 1.0, 128.0)
COUNT_FOLLOWS_DURATION = 0.65  # correlation of the two logarithms
# log seconds of an instance = class + video + instance effects; lengths fall as counts rise.
LENGTH_MEAN, LENGTH_OF_CLASS, LENGTH_OF_VIDEO, LENGTH_OF_INSTANCE = 1.34, 0.58, 0.57, 0.44
LENGTH_FOLLOWS_COUNT = -0.4
LENGTH_RANGE = (0.2, 118.0)
MOST_COVERED = 0.7  # share of a video that instances may take; 9 videos in 10 are below it
GAP_SHAPE = 0.8  # gamma shape of the gaps of one video: uneven, as those of real videos (variation about 1)
SECOND_CLASS = 0.14  # share of videos with instances of two classes


@dataclass(frozen=True)
class _Video:
    """What one video draws its instances from."""

    seconds: float
    count: int
    log_length: float  # class effect left out


def class_lengths(classes: int, generator: np.random.Generator) -> Floats:
    """Each class's effect on log seconds [C]: normal quantiles in random order, so that no draw lacks long classes."""
    normal = np.sort(generator.standard_normal((2001, classes)), axis=1).mean(0)
    return generator.permutation(LENGTH_OF_CLASS * normal / normal.std())


def draw_timeline(
    prefix: str, videos: int, names: tuple[str, ...], lengths_C: Floats, generator: np.random.Generator
) -> Annotations:
    """Annotations of `videos` simulated videos named PREFIX_0000 on; times in seconds, rounded to 0.1 s.

    Each of the C classes, which `names` says, is the first class of every Cth video; instances of one video do not
    overlap.
    """
    classes = len(names)
    first_N = generator.permutation(np.arange(videos) % classes)
    second_N = (first_N + generator.integers(1, classes, videos)) % classes
    second_N = np.where(generator.random(videos) < SECOND_CLASS, second_N, first_N)
    durations, rows, labels, segments = [], [], [], []
    for row in range(videos):
        video = _draw_video(generator)
        label_K = np.where(generator.random(video.count) < 0.5, second_N[row], first_N[row])
        label_K[0] = first_N[row]
        segment_K2 = _place(video, lengths_C[label_K], generator)
        durations.append(video.seconds)
        rows.append(np.full(len(segment_K2), row))
        labels.append(label_K[: len(segment_K2)])
        segments.append(segment_K2)
    return Annotations(
        videos=tuple(f"{prefix}_{row:04d}" for row in range(videos)),
        classes=names,
        video=np.concatenate(rows).astype(np.int64),
        label=np.concatenate(labels).astype(np.int64),
        segment=np.concatenate(segments),
        duration=np.array(durations),
    )


def _draw_video(generator: np.random.Generator) -> _Video:
    z_seconds, z_count, z_length = generator.standard_normal(3)
    z_count = COUNT_FOLLOWS_DURATION * z_seconds + np.sqrt(1 - COUNT_FOLLOWS_DURATION**2) * z_count
    z_length = LENGTH_FOLLOWS_COUNT * z_count + np.sqrt(1 - LENGTH_FOLLOWS_COUNT**2) * z_length
    return _Video(
        seconds=round(_log_normal(VIDEO_SECONDS, z_seconds), 1),
        count=round(_log_normal(INSTANCES, z_count)),
        log_length=LENGTH_MEAN + LENGTH_OF_VIDEO * z_length,
    )


def _log_normal(moments: tuple[float, float, float, float], z: float) -> float:
    mean, deviation, least, most = moments
    return float(np.clip(np.exp(mean + deviation * z), least, most))


def _place(video: _Video, effect_K: Floats, generator: np.random.Generator) -> Floats:
    """Instances [K', 2] in order of time: as many of the wanted ones as fit, with gaps before, between and after."""
    noise_K = LENGTH_OF_INSTANCE * generator.standard_normal(video.count)
    length_K = np.clip(np.exp(video.log_length + effect_K + noise_K), *LENGTH_RANGE)
    room = MOST_COVERED * video.seconds
    length_K[0] = min(length_K[0], room)
    length_K = length_K[np.cumsum(length_K) <= room + 1e-9]
    gap_share = generator.gamma(GAP_SHAPE, size=len(length_K) + 1)
    gap_G = gap_share / gap_share.sum() * (video.seconds - length_K.sum())
    start_K = np.cumsum(gap_G[:-1]) + np.cumsum(length_K) - length_K
    segment_K2 = np.round(np.stack([start_K, start_K + length_K], 1), 1)
    segment_K2[:, 1] = np.maximum(segment_K2[:, 1], segment_K2[:, 0] + 0.1)  # rounding must not empty an instance
    return np.minimum(segment_K2, [video.seconds - 0.1, video.seconds])
