"""Class activation sequences of a set of videos, and the .npz file that stores them.

Shapes: N videos, C classes (background has index C in a CAS), T snippets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tal_search.timeline import Timeline
from tal_search.types import Detections, Floats, Ints, VideoSet

SEQUENCES = ("cas", "attention", "affinity", "stream_cas", "stream_attention")  # arrays whose last axis is T


@dataclass(frozen=True, kw_only=True)
class Activations:
    """Class activation sequences and video scores of N videos: localization reads them, a trial keeps its test videos'.

    cas [N, C+1, T]; attention [N, T], class-agnostic (BackTAL: the L2 norm of the first suppressed layer; SF-Net:
    actionness); scores [N, C+1], the video scores, softmaxed except under rule mean; duration float64 [N] seconds;
    frames int64 [N]. length, start and extent [N]: see `VideoSet`; values after `length` are padding. affinity
    [N, h, T], not read by localization: the similarities that weigh the h taps of a snippet's convolution; None from
    methods without affinity convolutions.

    Read by rule streams, for S = 2 streams (RGB, flow), None from methods with one stream: stream_cas [N, S, C, T],
    class activations in 0 to 1, not weighted by attention; stream_attention [N, S, T]; stream_scores [N, S, C], class
    probabilities.
    """

    videos: tuple[str, ...]
    cas: NDArray[np.floating]
    attention: NDArray[np.floating]
    scores: NDArray[np.floating]
    duration: Floats
    frames: Ints
    affinity: NDArray[np.floating] | None = None
    stream_cas: NDArray[np.floating] | None = None
    stream_attention: NDArray[np.floating] | None = None
    stream_scores: NDArray[np.floating] | None = None
    length: Ints | None = None
    start: Floats | None = None
    extent: Floats | None = None

    @property
    def timeline(self) -> Timeline:
        """Times of the snippets."""
        return Timeline.stated(self.cas.shape[-1], self.duration, self.length, self.start, self.extent)

    def clip(self, segments: Floats, rows: Ints) -> Floats:
        """Segments [n, 2] in seconds of the videos `rows`, clipped in place to their videos: stored snippets may begin
        before a video or end after it, those that cover it evenly do not.
        """
        if self.length is not None:
            np.clip(segments, 0.0, self.duration[rows, None], out=segments)
        return segments

    def inside(self, detections: Detections) -> Detections:
        """The detections without those of stored snippets before or after their video, which `clip` made empty."""
        kept = detections.segment[:, 1] > detections.segment[:, 0]
        if self.length is None or kept.all():
            return detections
        columns = {name: getattr(detections, name)[kept] for name in ("video", "label", "segment", "score")}
        return replace(detections, **columns)

    @classmethod
    def of(
        cls, videos: VideoSet, *, cas: NDArray[np.floating], attention: NDArray[np.floating],
        scores: NDArray[np.floating], **others: NDArray[np.floating] | None,
    ) -> Activations:  # fmt: skip
        """Activations of a set of videos of one length, with their names, durations, frames and times."""
        length = None if videos.length is None else np.full(len(cas), cas.shape[-1])
        return cls(
            videos=videos.videos, cas=cas, attention=attention, scores=scores, duration=videos.duration,
            frames=videos.frames, length=length, start=videos.start, extent=videos.extent, **others,
        )  # fmt: skip

    def rounded(self) -> Activations:
        """Sequences in float16, as a trial keeps them: scores computed from these are reproduced from the file."""
        with np.errstate(over="ignore"):  # becomes infinite, see `broken`
            half = {name: array.astype(np.float16) for name, array in self.arrays().items() if name in SEQUENCES}
        return Activations(videos=self.videos, **{**self.arrays(), **half})

    def broken(self) -> int:
        """The number of videos with a value that is not finite."""
        finite_N = np.ones(len(self.videos), np.bool_)
        for array in self.arrays().values():
            finite_N &= np.isfinite(array).reshape(len(array), -1).all(axis=1)
        return int((~finite_N).sum())

    @classmethod
    def joined(cls, parts: Iterable[Activations], videos: tuple[str, ...]) -> Activations:
        """Join several sets, whose videos are `videos` in any order; each part is copied and released in turn.

        Sequences are padded with zeros to the T of the first set, which must be the longest.
        """
        row_of = {video: row for row, video in enumerate(videos)}
        joined: dict[str, NDArray[Any]] = {}
        for part in parts:
            rows = [row_of[video] for video in part.videos]
            for name, array in part.arrays().items():
                if name not in SEQUENCES:
                    joined.setdefault(name, np.zeros((len(videos), *array.shape[1:]), array.dtype))[rows] = array
                    continue
                if name not in joined:
                    joined[name] = np.zeros((len(videos), *array.shape[1:]), array.dtype)
                joined[name][rows, ..., : array.shape[-1]] = array
        return cls(videos=videos, **joined)

    def of_video(self, name: str) -> Activations:
        """The activations of one video, without padding."""
        row = self.videos.index(name)
        arrays = {name: array[row : row + 1] for name, array in self.arrays().items()}
        own = {name: array[..., : self.timeline.length[row]] for name, array in arrays.items() if name in SEQUENCES}
        return Activations(videos=(name,), **{**arrays, **own})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays that are not None, by name."""
        arrays = {spec.name: getattr(self, spec.name) for spec in fields(self) if spec.name != "videos"}
        return {name: array for name, array in arrays.items() if array is not None}

    def save(self, stream: IO[bytes]) -> None:
        arrays: dict[str, Any] = {"videos": np.asarray(self.videos), **self.arrays()}
        np.savez_compressed(stream, **arrays)

    @classmethod
    def load(cls, path: Path) -> Activations:
        # Opened here because np.load does not close a file that is not an archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            names = [spec.name for spec in fields(cls) if spec.name in file or spec.default is MISSING]
            arrays = {name: file[name] for name in names}
        return cls(**{**arrays, "videos": tuple(str(name) for name in arrays["videos"])})
