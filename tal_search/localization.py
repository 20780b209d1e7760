"""From class activation sequences to detections (BackTAL paper Sec. 3.5; details as in its released code).

SF-Net's rule, `rule: mean`, takes one threshold a class, the mean of its sequence (SF-Net paper, Sec. 3.5).

Shapes: N videos, C classes (background has index C in a CAS), T snippets, R thresholds, P pairs of a video and a class
whose score in it is high enough, n proposals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tal_search.hyperparameters import hyper
from tal_search.types import Detections, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Inference:
    """Inference hyperparameters: scored again from cached class activation sequences, never fitted.

    Rule mean reads class_threshold (as a share of the video's highest score), score_weight, nms, overlap and
    actionness_weight; rule thresholds reads all but the last.
    """

    rule: str = hyper(
        "thresholds", "rule", choices=("thresholds", "mean"), help="mean: SF-Net's, runs above a sequence's mean"
    )
    class_threshold: float = hyper(0.25, "τ_cls", low=0, high=1, help="video score a class needs")
    activation_low: float = hyper(0.0, "θ_low", low=0, high=1, help="first threshold on the class sequence")
    activation_high: float = hyper(0.25, "θ_high", above=0, high=1, help="end of the thresholds, exclusive")
    activation_step: float = hyper(0.025, "θ_step", low=0.001, high=1)
    attention_low: float = hyper(0.3, "α_low", low=0, high=1, help="first threshold on the attention sequence")
    attention_high: float = hyper(0.8, "α_high", above=0, high=1, help="end of the thresholds, exclusive")
    attention_step: float = hyper(0.075, "α_step", low=0.001, high=1)
    outer_margin: float = hyper(0.25, "margin", low=0, help="outer region each side, in segment lengths")
    score_weight: float = hyper(0.2, "γ", low=0, help="weight of the video score in a detection's score")
    trim: float = hyper(0.0, "trim", low=0, high=0.49, help="share of a run's length cut off each of its ends")
    whole_video: float = hyper(0.0, "whole", low=0, help="score of the whole video for a class with runs; 0 = left out")
    actionness_weight: float = hyper(2.0, "w_act", low=0, help="weight of the attention sequence under rule mean")
    nms: float = hyper(0.55, "tIoU_NMS", above=0, high=1, help="class-wise non-maximum suppression")
    overlap: str = hyper("plain", "overlap", choices=("plain", "release"), help="release adds 1 s to lengths in NMS")


@dataclass(frozen=True, kw_only=True)
class Activations:
    """What localization reads of N videos, and what a trial keeps of its test videos.

    cas [N, C+1, T]; attention [N, T], class-agnostic (BackTAL: the L2 norm of the first suppressed layer; SF-Net:
    actionness); scores [N, C+1], the video scores, softmaxed but for rule mean; duration float64 [N] seconds; frames
    int64 [N]. affinity [N, h, T], which localization does not read: the similarities that weigh the h taps of a
    snippet's convolution; None from methods without.
    """

    videos: tuple[str, ...]
    cas: NDArray[np.floating]
    attention: NDArray[np.floating]
    scores: NDArray[np.floating]
    duration: Floats
    frames: Ints
    affinity: NDArray[np.floating] | None = None

    def rounded(self) -> Activations:
        """As a trial keeps them (float16 sequences): scores taken from these are reproduced from the file exactly."""
        sequences = ("cas", "attention", "affinity")
        half = {name: array.astype(np.float16) for name, array in self.arrays().items() if name in sequences}
        return Activations(videos=self.videos, **{**self.arrays(), **half})

    @classmethod
    def joined(cls, parts: Iterable[Activations], count: int) -> Activations:
        """Those of several sets of videos, `count` in all, as one: copied as they come, so that none is kept."""
        videos: list[str] = []
        joined: dict[str, NDArray[Any]] = {}
        for part in parts:
            for name, array in part.arrays().items():
                if name not in joined:
                    joined[name] = np.empty((count, *array.shape[1:]), array.dtype)
                joined[name][len(videos) : len(videos) + len(array)] = array
            videos += part.videos
        return cls(videos=tuple(videos), **joined)

    def of_video(self, name: str) -> Activations:
        """Those of one of the videos alone."""
        row = self.videos.index(name)
        return Activations(videos=(name,), **{name: array[row : row + 1] for name, array in self.arrays().items()})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Those there are, by name."""
        found = {spec.name: getattr(self, spec.name) for spec in fields(self) if spec.name != "videos"}
        return {name: array for name, array in found.items() if array is not None}

    def save(self, stream: IO[bytes]) -> None:
        arrays: dict[str, Any] = {"videos": np.asarray(self.videos), **self.arrays()}
        np.savez_compressed(stream, **arrays)

    @classmethod
    def load(cls, path: Path) -> Activations:
        # Opened here: on a file that is no archive, np.load leaves its own open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            names = [spec.name for spec in fields(cls) if spec.name in file or spec.name != "affinity"]
            arrays = {name: file[name] for name in names}
        return cls(**{**arrays, "videos": tuple(str(name) for name in arrays["videos"])})


def localize(activations: Activations, classes: tuple[str, ...], inference: Inference) -> Detections:
    """Detections of every video, videos in order, classes in order, by falling score within a class."""
    return next(localize_many(activations, classes, (inference,)))


def localize_many(
    activations: Activations, classes: tuple[str, ...], settings: Sequence[Inference]
) -> Iterator[Detections]:
    """The same at each setting, in their order.

    Neighbours of equal `proposal_key` share their proposals, so settings sorted by it cost least: what is left to do
    for each is its scores and its suppression. The proposals of one key at a time are held.
    """
    for _, neighbours in groupby(settings, key=proposal_key):
        sharing = list(neighbours)
        proposals = _propose(activations, sharing[0], min(inference.class_threshold for inference in sharing))
        for inference in sharing:
            yield _detect(proposals, activations.videos, classes, inference)


def proposal_key(inference: Inference) -> tuple[float, ...]:
    """What proposals depend on, but for the class threshold, which only chooses among them."""
    if inference.rule == "mean":
        return (inference.actionness_weight,)
    names = ("low", "high", "step")
    activation = (getattr(inference, f"activation_{name}") for name in names)
    attention = (getattr(inference, f"attention_{name}") for name in names)
    return *activation, *attention, inference.outer_margin, inference.trim, float(inference.whole_video > 0)


@dataclass(frozen=True, kw_only=True)
class _Proposals:
    """Runs of all thresholds, before scores are weighted and overlapping ones suppressed.

    video, label int64 [P]; video_score float64 [P]; level float64 [P], what the class threshold is compared with;
    segment float64 [n, 2] seconds; contrast float64 [n], inner mean minus outer mean (rule mean: the highest value);
    bounds int64 [P + 1]: pair p has the proposals from bounds[p] to bounds[p + 1]; whole int64 [≤ P], the proposals
    that are whole videos.
    """

    video: Ints
    label: Ints
    video_score: Floats
    level: Floats
    segment: Floats
    contrast: Floats
    bounds: Ints
    whole: Ints = field(default_factory=lambda: np.zeros(0, np.int64))


def _propose(activations: Activations, inference: Inference, class_threshold: float) -> _Proposals:
    if inference.rule == "mean":
        return _propose_above_mean(activations, inference.actionness_weight, class_threshold)
    from tal_search import kernels

    scores = activations.scores[:, :-1].astype(np.float64)
    confident = scores >= class_threshold
    arguments = _thresholds(inference, "activation"), _thresholds(inference, "attention"), float(inference.outer_margin)
    tables, counts = [np.zeros((0, 3))], [np.zeros(0, np.int64)]
    for number in np.flatnonzero(confident.any(axis=1)):
        cas_KT = normalise(activations.cas[number, np.flatnonzero(confident[number])].astype(np.float64))
        attention_T = normalise(activations.attention[number].astype(np.float64))
        frames = int(activations.frames[number])
        table, rows = kernels.propose(cas_KT, attention_T, frames, *arguments)
        if inference.trim > 0:
            table[:, :2] += inference.trim * (table[:, 1] - table[:, 0])[:, None] * np.array([1, -1])
        if inference.whole_video > 0:
            table, rows = _with_whole_video(table, rows, frames)
        table[:, :2] *= activations.duration[number] / frames
        tables.append(table)
        counts.append(rows)
    joined = np.concatenate(tables)
    bounds = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    last = bounds[1:][np.diff(bounds) > 0] - 1
    video, label = np.nonzero(confident)
    return _Proposals(
        video=video,
        label=label,
        video_score=scores[video, label],
        level=scores[video, label],
        segment=joined[:, :2].copy(),
        contrast=joined[:, 2].copy(),
        bounds=bounds,
        whole=last if inference.whole_video > 0 else last[:0],
    )


def _with_whole_video(table: Floats, rows: Ints, frames: int) -> tuple[Floats, Ints]:
    """After the runs of each class that has any, the whole video, once: suppression would keep one of equal ones.

    table: rows (first frame, last frame + 1, contrast) class by class; rows [K]: how many of each class.
    """
    ends = np.cumsum(rows)[rows > 0]
    return np.insert(table, ends, [0.0, frames, 0.0], axis=0), rows + (rows > 0)


def _propose_above_mean(activations: Activations, actionness_weight: float, class_threshold: float) -> _Proposals:
    """SF-Net's: runs of two snippets or more where a class's activation + weighted actionness is above its mean.

    A class needs a positive video score, and that share of the video's highest.
    """
    scores = activations.scores[:, :-1].astype(np.float64)
    level = np.where(scores > 0, scores / np.maximum(scores.max(1, keepdims=True), np.finfo(np.float64).tiny), -1.0)
    video, label = np.nonzero(level >= class_threshold)
    sequence_PT = activations.cas[video, label].astype(np.float64)
    sequence_PT += actionness_weight * activations.attention[video].astype(np.float64)
    above_PT = sequence_PT > sequence_PT.mean(1, keepdims=True)
    edges = np.diff(np.pad(above_PT.astype(np.int8), ((0, 0), (1, 1))))
    pair, first = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    pair, first, end = (array[end - first >= 2] for array in (pair, first, end))
    snippets = sequence_PT.shape[1]
    ends_within_2n = ((snippets + 1) * pair + np.stack([first, end])).T.ravel()  # the column added holds end = T
    padded = np.pad(sequence_PT, ((0, 0), (0, 1)))
    return _Proposals(
        video=video,
        label=label,
        video_score=scores[video, label],
        level=level[video, label],
        segment=np.stack([first, end], axis=1) / snippets * activations.duration[video[pair], None],
        contrast=np.maximum.reduceat(padded.ravel(), ends_within_2n)[::2],
        bounds=np.searchsorted(pair, np.arange(len(video) + 1)),
    )


def _detect(
    proposals: _Proposals, videos: tuple[str, ...], classes: tuple[str, ...], inference: Inference
) -> Detections:
    from tal_search import kernels

    pair = np.repeat(np.arange(len(proposals.video)), np.diff(proposals.bounds))
    score = proposals.contrast + inference.score_weight * proposals.video_score[pair]
    score[proposals.whole] = inference.whole_video
    confident = np.flatnonzero(proposals.level >= inference.class_threshold)
    extra = 1.0 if inference.overlap == "release" else 0.0
    kept = kernels.suppress(proposals.segment, score, proposals.bounds, confident, float(inference.nms), extra)
    return Detections(
        videos=videos,
        classes=classes,
        video=proposals.video[pair[kept]],
        label=proposals.label[pair[kept]],
        segment=proposals.segment[kept],
        score=score[kept],
    )


def _thresholds(inference: Inference, sequence: str) -> Floats:
    low, high, step = (getattr(inference, f"{sequence}_{part}") for part in ("low", "high", "step"))
    return np.arange(low, high, step, dtype=np.float64)


def normalise(sequence: Floats) -> Floats:
    """Min-max over the last axis, minimum and maximum clipped at 0 from below; a flat sequence becomes zero."""
    low = np.maximum(sequence.min(-1, keepdims=True), 0.0)
    high = np.maximum(sequence.max(-1, keepdims=True), 0.0)
    span = high - low
    return np.where(span > 0, (sequence - low) / np.where(span > 0, span, 1.0), 0.0)
