"""What a detection file, or what a released checkpoint detects, is scored against, and by which rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tal_search.data.ambiguous import read_ambiguous
from tal_search.data.annotations import Unknown, read_annotations, read_detections
from tal_search.data.data_folder import feature_files
from tal_search.data.features.npz import read_video, rescale
from tal_search.data.features.split_reader import FALLBACK_FPS
from tal_search.data.splits import restrict
from tal_search.errors import InputError
from tal_search.localization.inference import Inference
from tal_search.metrics.matching import require_protocol
from tal_search.metrics.video_sets import left_out, without_duplicates, without_videos
from tal_search.types import Annotations, Detections, VideoSet

SNIPPETS = 750  # of THUMOS14


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A ground truth, and the protocol that detections are scored by against it.

    left_out: videos that the user's set of videos does not have; detections in them are dropped.
    """

    truth: Annotations
    subset: str
    protocol: str
    ambiguous: Annotations | None
    left_out: tuple[str, ...]

    @property
    def rules(self) -> dict[str, Any]:
        """Arguments that every score, comparison and profile of the benchmark is made with."""
        return {"protocol": self.protocol, "ambiguous": self.ambiguous}


def open_benchmark(
    ground_truth: Path,
    subset: str,
    files: Sequence[Path] = (),
    *,
    protocol: str = "activitynet",
    ambiguous: Path | None = None,
    drop_duplicates: bool = False,
    videos: int | None = None,
    unknown: Unknown = "error",
) -> tuple[Benchmark, list[Detections]]:
    """One subset of an ActivityNet-style ground truth, and the detections of each ActivityNet-style file.

    ambiguous: a list for protocol thumos14. drop_duplicates: an instance given twice counts once. videos: one of
    THUMOS14's test sets, 210 to 213; None is every video of the subset. unknown: see `read_detections`. Raises
    InputError with the problems of all files.
    """
    problems: list[str] = []
    benchmark = None
    try:
        benchmark = _read_benchmark(ground_truth, subset, protocol, ambiguous, videos)
    except InputError as error:
        problems += error.problems
        unknown = "count"  # nothing to compare names with; the files' own problems still show
    if benchmark is not None and drop_duplicates:
        benchmark = replace(benchmark, truth=without_duplicates(benchmark.truth))
    known = ((), ()) if benchmark is None else (benchmark.truth.classes, benchmark.truth.videos + benchmark.left_out)
    found = []
    for file in files:
        try:
            found.append(read_detections(file, *known, unknown))
        except InputError as error:
            problems += error.problems
    if benchmark is None or problems:
        raise InputError(problems)
    return benchmark, [without_videos(detections, benchmark.left_out) for detections in found]


def _read_benchmark(
    ground_truth: Path, subset: str, protocol: str, ambiguous: Path | None, videos: int | None
) -> Benchmark:
    problems: list[str] = []
    listed = truth = None
    dropped: tuple[str, ...] = ()
    try:
        require_protocol(protocol, ambiguous is not None)
        listed = read_ambiguous(ambiguous) if ambiguous is not None else None
    except InputError as error:
        problems += error.problems
    try:
        truth = read_annotations(ground_truth, subset)
        dropped = left_out(truth.videos, videos) if videos is not None else ()
    except InputError as error:
        problems += error.problems
    if truth is None or problems:
        raise InputError(problems)
    if dropped:
        truth = restrict(truth, tuple(name for name in truth.videos if name not in dropped))
    return Benchmark(truth=truth, subset=subset, protocol=protocol, ambiguous=listed, left_out=dropped)


def detect(
    checkpoint: Path, data: Path, benchmark: Benchmark, variant: str = "paper", snippets: int = SNIPPETS
) -> Detections:
    """What a BackTAL checkpoint, {"epoch", "state_dict"}, detects in the benchmark's videos.

    Widths are read from the tensors, which are loaded without pickle; THUMOS14 settings of `variant`. data: a folder of
    BackTAL npz files, or one that holds a folder named as the subset. snippets: T. Raises InputError: files that cannot
    be read or do not fit together, videos without features.
    """
    from tal_search.methods.backtal import PRESETS, BackTAL, Hyperparameters

    if variant not in ("paper", "release"):
        raise InputError(f"variant={variant} is unknown; give paper or release")
    truth = benchmark.truth
    method = BackTAL.from_state(_load_state(checkpoint), Hyperparameters(variant=variant), str(checkpoint))
    classes = method.network.classifier_module.conv.out_channels - 1  # type: ignore[union-attr, operator]
    if classes != len(truth.classes):
        raise InputError(f"{checkpoint}: has {classes} classes where the ground truth has {len(truth.classes)}")
    channels: int = method.network.base_module.conv_1.in_channels  # type: ignore[union-attr, assignment]
    videos = _test_videos(data, benchmark.subset, truth, channels, snippets)
    return method.detect(videos, truth.classes, Inference(**PRESETS["thumos14"][variant].inference))


def _load_state(checkpoint: Path) -> dict[str, Any]:
    import pickle

    import torch

    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "not a checkpoint of tensors, or truncated"
        raise InputError(f"{checkpoint}: cannot be loaded ({reason}); give a file with epoch and state_dict") from None
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise InputError(f"{checkpoint}: has no state_dict; give a file saved as epoch and state_dict")
    return state


def _test_videos(data: Path, subset: str, truth: Annotations, channels: int, snippets: int) -> VideoSet:
    """The ground truth's videos, in its order; labels and clicks are not read."""
    folder = data / subset if (data / subset).is_dir() else data
    files = feature_files(folder, data)
    missing = [name for name in truth.videos if name not in files]
    if missing:
        shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise InputError(f"{folder}: has no features of {len(missing)} videos of the ground truth: {shown}")
    problems: list[str] = []
    rows = []
    for name, truth_seconds in zip(truth.videos, truth.duration.tolist(), strict=True):
        try:
            video = read_video(files[name], channels)
        except InputError as error:
            problems.extend(error.problems)
            continue
        seconds = video.duration or truth_seconds
        frames = video.frames or round(seconds * (video.fps or FALLBACK_FPS))
        rows.append((rescale(video.features, snippets), seconds, max(1, frames)))
    if problems:
        raise InputError(problems)
    count = len(rows)
    return VideoSet.labelled(
        videos=truth.videos,
        features=np.stack([row[0] for row in rows]),
        labels=np.zeros((count, len(truth.classes)), np.float32),
        duration=np.array([row[1] for row in rows]),
        frames=np.array([row[2] for row in rows], np.int64),
    )
