"""Stride, offset and fps of features, inferred from their numbers of snippets and the durations of the videos.

A video of F frames has T snippets. Of whole windows of w frames, one every s frames, there are T = ⌊(F - w)/s⌋ + 1, so
F - T·s lies in [w - s, w) for every video. A stride is right if these remainders fit into an interval of s frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tal_search.data.features.plausibility import LENGTHS_DIFFER, near
from tal_search.data.features.timing import AS_LAYOUT, Timing
from tal_search.types import Floats, Ints

FITTING = 0.9  # share of the videos that a timing must explain
SLACK = 1.0  # frames by which rounded durations may be off
LONGEST_WINDOW = 8  # strides
MOST_STRIDES = 1000  # that are tried
DRIFT = 0.005  # by which durations and frame rates may be off in the long run
FAMILIAR_FPS = (25.0, 30.0, 24.0, 50.0, 60.0, 100.0, 20.0, 15.0, 10.0)
LEAST_RANGE = 10  # snippets between short and long videos, for a stride to be read from their difference


@dataclass(frozen=True, kw_only=True)
class TimingFit:
    """timing: AS_LAYOUT where none was found. fitting: share of the videos that it explains.

    fps: of each video (None), or one for all. others: whole strides that explain as many videos. window: least and
    greatest length in frames that fits, None where it is only assumed. rescaled: T0 of all videos, whatever their
    length. beyond: whether the last snippet reaches beyond the end of its video.
    """

    timing: Timing = AS_LAYOUT
    fitting: float = 0.0
    others: tuple[int, ...] = ()
    window: tuple[int, int] | None = None
    rescaled: int | None = None
    beyond: bool = False

    @property
    def certain(self) -> bool:
        """Whether no other stride explains the videos."""
        return self.timing.stride is not None and not self.others


class _Stride(NamedTuple):
    """One stride: the share of the videos it explains, and the least and greatest remainder of these, in frames."""

    frames: int
    fitting: float
    low: float
    high: float


def fit_timing(snippets: Ints, seconds: Floats, fps: Floats, asked: Timing = AS_LAYOUT) -> TimingFit:
    """The timing of features with `snippets` [N] in videos of `seconds` [N]; fps [N]: of the ground truth, else NaN.

    asked: what is known of it already, and kept. Whole strides are preferred, at the frame rates of the ground truth;
    where these explain nothing, snippets that come at a regular time are written at a familiar rate.
    """
    if len(set(snippets.tolist())) == 1 and len(seconds) > 1 and max(seconds) >= LENGTHS_DIFFER * min(seconds):
        return TimingFit(rescaled=int(snippets[0]))
    rates = [_stated(fps) if asked.fps is None else asked.fps] if asked.fps or np.isfinite(fps).all() else []
    for rate in [*rates, *(() if asked.fps else FAMILIAR_FPS)]:
        fit = _exact(snippets, seconds * (fps if rate is None else rate), rate, asked)
        if fit is not None:
            return fit
    for rate in rates or FAMILIAR_FPS[:1]:
        fit = _drifting(snippets, seconds * (fps if rate is None else rate), rate, asked)
        if fit is not None:
            return fit
    return TimingFit()


def _stated(fps: Floats) -> float | None:
    """The frame rate of all videos; None where they have their own."""
    return float(fps[0]) if len(set(fps.tolist())) == 1 else None


def _exact(snippets: Ints, frames: Floats, fps: float | None, asked: Timing) -> TimingFit | None:
    """The whole stride whose remainders fit best, if they fit."""
    tried = [_tried(snippets, frames, stride) for stride in _candidates(snippets, frames, asked.stride)]
    most = max((stride.fitting for stride in tried), default=0.0)
    if most < FITTING:
        return None
    equal = sorted((one for one in tried if one.fitting == most), key=lambda one: (one.high - one.low, -one.frames))
    best, others = equal[0], tuple(sorted(one.frames for one in equal[1:]))
    low, high = _windows(best)
    multiples = [best.frames * number for number in range(1, LONGEST_WINDOW + 1)]
    fits = [window for window in multiples if low <= window <= high]
    window = fits[0] if fits else round((low + high) / 2)
    beyond = window < best.frames
    offset = asked.offset if asked.offset is not None else best.frames / 2 if beyond else window / 2
    return TimingFit(
        timing=Timing(stride=float(best.frames), offset=offset, fps=fps),
        fitting=most, others=others, window=(low, high), beyond=beyond,
    )  # fmt: skip


def _candidates(snippets: Ints, frames: Floats, asked: float | None) -> list[int]:
    """Whole strides at which the usual video has windows of less than a frame to LONGEST_WINDOW strides."""
    if asked is not None:
        return [int(asked)] if float(asked).is_integer() else []
    low = float(np.median(frames / (snippets + LONGEST_WINDOW - 1)))
    high = float(np.median(frames / np.maximum(snippets - 1, 1)))
    first = max(1, math.floor(low))
    return list(range(first, min(math.ceil(high), first + MOST_STRIDES) + 1))


def _tried(snippets: Ints, frames: Floats, stride: int) -> _Stride:
    remainders = np.sort(frames - snippets * stride)
    remainders = remainders[remainders > -stride - SLACK]  # a window has a frame at least
    if not len(remainders):
        return _Stride(stride, 0.0, 0.0, 0.0)
    counts = np.searchsorted(remainders, remainders + stride + SLACK, "left") - np.arange(len(remainders))
    first = int(counts.argmax())
    last = first + int(counts[first]) - 1
    return _Stride(stride, int(counts[first]) / len(frames), float(remainders[first]), float(remainders[last]))


def _windows(stride: _Stride) -> tuple[int, int]:
    """The least and the greatest whole window with these remainders; of rounded durations, the one between them."""
    low, high = round(stride.high) + 1, round(stride.low) + stride.frames
    return (low, high) if low <= high else (high, low)


def _drifting(snippets: Ints, frames: Floats, fps: float | None, asked: Timing) -> TimingFit | None:
    """A whole stride close to the difference between short and long videos, where durations are not exact."""
    order = np.argsort(snippets, kind="stable")
    half = len(order) // 2
    short, long = order[:half], order[len(order) - half :]
    apart = snippets[long] - snippets[short] >= LEAST_RANGE
    if not apart.any():
        return None
    slope = float(np.median(((frames[long] - frames[short])[apart]) / (snippets[long] - snippets[short])[apart]))
    stride = asked.stride or float(round(slope))
    if stride < 1 or abs(slope / stride - 1) > DRIFT:
        return None
    timing = Timing(stride=stride, offset=stride / 2 if asked.offset is None else asked.offset, fps=fps)
    both = zip(snippets.tolist(), frames.tolist(), strict=True)
    explained = [near(seen, timing.expected(length, 1.0)) for seen, length in both]
    share = sum(explained) / len(explained)
    return TimingFit(timing=timing, fitting=share) if share >= FITTING else None
