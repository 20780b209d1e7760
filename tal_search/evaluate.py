"""Scoring a detection file, or what a released checkpoint detects, and the table that shows the scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tal_search.data.annotations import Unknown, read_annotations, read_detections, write_detections
from tal_search.data.feature_split import FALLBACK_FPS
from tal_search.data.features import read_video, rescale
from tal_search.data.layout import feature_files
from tal_search.errors import InputError
from tal_search.localization import Inference
from tal_search.metrics.average_precision import require_protocol, score
from tal_search.types import Annotations, DetectionScores, VideoSet

SNIPPETS = 750  # of THUMOS14

if TYPE_CHECKING:
    from rich.table import Table


def evaluate_file(
    detections: Path,
    ground_truth: Path,
    subset: str,
    tiou: tuple[float, ...],
    protocol: str = "activitynet",
    unknown: Unknown = "error",
) -> DetectionScores:
    """Score an ActivityNet-style detection file on one subset of an ActivityNet-style ground truth.

    tiou: thresholds, fractions. unknown: see `read_detections`. Raises InputError with the problems of both files.
    """
    problems: list[str] = []
    try:
        require_protocol(protocol)
    except InputError as error:
        problems += error.problems
    classes: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    try:
        truth = read_annotations(ground_truth, subset)
        classes, videos = truth.classes, truth.videos
    except InputError as error:
        problems += error.problems
        unknown = "count"  # nothing to compare names with; the file's own problems still show
    try:
        found = read_detections(detections, classes, videos, unknown)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return score(truth, found, tiou, protocol=protocol, subset=subset)


def evaluate_checkpoint(
    checkpoint: Path,
    data: Path,
    ground_truth: Path,
    subset: str,
    tiou: tuple[float, ...],
    protocol: str = "activitynet",
    variant: str = "paper",
    snippets: int = SNIPPETS,
    detections_out: Path | None = None,
) -> DetectionScores:
    """Localize the ground truth's videos with a BackTAL checkpoint, {"epoch", "state_dict"}, and score them.

    Widths are read from the tensors, which are loaded without pickle; THUMOS14 settings of `variant`. data: a folder of
    BackTAL npz files, or one that holds a folder named `subset`. snippets: T. detections_out: where to write the
    detections. Raises InputError: files that cannot be read or do not fit together, videos without features.
    """
    from tal_search.methods.backtal import INFERENCE_PRESETS, BackTAL, Hyperparameters

    require_protocol(protocol)
    if variant not in ("paper", "release"):
        raise InputError(f"variant={variant} is unknown; give paper or release")
    truth = read_annotations(ground_truth, subset)
    method = BackTAL.from_state(_load_state(checkpoint), Hyperparameters(variant=variant), str(checkpoint))
    classes = method.network.classifier_module.conv.out_channels - 1  # type: ignore[union-attr, operator]
    if classes != len(truth.classes):
        raise InputError(f"{checkpoint}: has {classes} classes where {ground_truth} has {len(truth.classes)}")
    channels: int = method.network.base_module.conv_1.in_channels  # type: ignore[union-attr, assignment]
    videos = _test_videos(data, subset, truth, channels, snippets)
    detections = method.detect(videos, truth.classes, Inference(**INFERENCE_PRESETS["thumos14"][variant]))
    if detections_out is not None:
        write_detections(detections_out, detections)
    return score(truth, detections, tiou, protocol=protocol, subset=subset)


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


def scores_table(scores: DetectionScores) -> Table:
    """A table for the terminal: AP in percent, a row a class and a last row of means, a column a tIoU threshold."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    title = (
        f"AP in %, {scores.protocol} protocol, subset {scores.subset}\n"
        f"{scores.videos} videos, {scores.instances} instances, {scores.detections} detections"
    )
    # Nine thresholds must fit 80 columns: the box itself leaves the one space between columns.
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("tIoU")
    for heading in (*(f"{threshold:g}" for threshold in scores.tiou), "average"):
        table.add_column(heading, justify="right", no_wrap=True)
    for label, values in scores.per_class.items():
        table.add_row(Text(label), *_percents(values))
    table.add_section()
    table.add_row("mAP", *_percents(scores.mAP), style="bold")
    return table


def _percents(values: tuple[float, ...]) -> list[str]:
    return [f"{100 * value:.2f}" for value in (*values, sum(values) / len(values))]
