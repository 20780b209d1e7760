"""What a feature file states besides its features: the shape in its header, and numbers such as frames a second.

Shapes: D channels, T0 stored snippets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tal_search.errors import Problems
from tal_search.files.json_reader import number_of

# The greatest plausible value of each number; those of a stride and an offset are frames.
MOST = {"frame_num": 1e7, "fps": 1000.0, "duration": 1e6, "stride": 1e4, "offset": 1e4}
MAY_BE_ZERO = ("offset",)


class StoredShape(NamedTuple):
    """D of all streams, T0, and the size of a stream's other axis, which would be T0 if the axes were exchanged."""

    channels: int
    snippets: int
    across: int


@dataclass(frozen=True, kw_only=True)
class VideoFile:
    """Content of one feature file. features float32 [D, T0]; labels float32 [C], 1 where the class is present.

    background_clicks bool [T0]; duration in seconds; stride and offset in frames. Whatever the file does not state is
    None. cut: whether the streams differed by one snippet, and the longer was cut to the shorter.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.float32] | None = None
    background_clicks: NDArray[np.bool_] | None = None
    frames: int | None = None
    fps: float | None = None
    duration: float | None = None
    stride: float | None = None
    offset: float | None = None
    cut: bool = False


def stated_numbers(stated: dict[str, object], problems: Problems) -> dict[str, float]:
    """The numbers of MOST that a file states, also as text or as an array of one; a problem for each that is none."""
    numbers = {}
    for name in (name for name in MOST if name in stated):
        array = np.asarray(stated[name])
        number = _number(array)
        if (number > 0 or (number == 0 and name in MAY_BE_ZERO)) and number <= MOST[name]:
            numbers[name] = number
        else:
            seen = f"{name} is {array.tolist()!s:.40}"
            bounds = f"from 0 to {MOST[name]:g}" if name in MAY_BE_ZERO else f"above 0, at most {MOST[name]:g}"
            problems.add(f"{seen}; give one number {bounds}, or leave it out")
    return numbers


def video_of(features_DT: NDArray[np.float32], numbers: dict[str, float], *, cut: bool = False) -> VideoFile:
    """Features and the numbers stated beside them, without labels and clicks."""
    return VideoFile(
        features=np.ascontiguousarray(features_DT),
        frames=max(1, round(numbers["frame_num"])) if "frame_num" in numbers else None,
        fps=numbers.get("fps"),
        duration=numbers.get("duration"),
        stride=numbers.get("stride"),
        offset=numbers.get("offset"),
        cut=cut,
    )


def _number(array: np.ndarray) -> float:
    """The number in an array of one element; NaN where it is none."""
    value = array.item() if array.size == 1 else None
    return number_of(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)


def common_length(lengths: list[int]) -> int | None:
    """T0 of streams of these lengths: that of the shorter where they differ by one, None where they differ by more."""
    return min(lengths) if max(lengths) - min(lengths) <= 1 else None
