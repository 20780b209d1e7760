"""Ground truth and protocol to score detection files against, and detections of a released checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from tal_search.data.catalog import recognised
from tal_search.data.data_folder import feature_files
from tal_search.data.definition import DatasetDefinition
from tal_search.data.features.npz import read_video, rescale
from tal_search.data.features.split_reader import FALLBACK_FPS
from tal_search.data.splits import restrict
from tal_search.data.truth.ambiguous import read_ambiguous
from tal_search.data.truth.annotations import Unknown, read_annotations, read_detections
from tal_search.errors import InputError, Problems
from tal_search.files.json_reader import require_regular
from tal_search.localization.inference import Inference
from tal_search.metrics.matching import require_protocol
from tal_search.metrics.video_sets import left_out, without_duplicates, without_videos
from tal_search.types import Annotations, Detections, VideoSet

if TYPE_CHECKING:
    import torch

SNIPPETS = 750  # T of released THUMOS14 checkpoints


class Rules(TypedDict):
    """Keyword arguments of every score, comparison and profile of a benchmark."""

    protocol: str
    ambiguous: Annotations | None


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A ground truth and the protocol under which detections are scored against it.

    left_out: videos that are not in the chosen set of videos; detections in them are dropped.
    """

    truth: Annotations
    subset: str
    protocol: str
    ambiguous: Annotations | None
    left_out: tuple[str, ...]

    @property
    def rules(self) -> Rules:
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
    dataset: DatasetDefinition | None = None,
    notes: list[str] | None = None,
) -> tuple[Benchmark, list[Detections]]:
    """One subset of an ActivityNet-style ground truth, and the detections of each ActivityNet-style file.

    ambiguous: a list for protocol thumos14. drop_duplicates: an instance given twice counts once. videos: one of
    THUMOS14's test sets, 210 to 213; None for every video of the subset. unknown: see `read_detections`. dataset: the
    definition whose classes the labels must be; None: that of the ground truth, see `catalog.recognised`. Adds notes on
    labels that are spelled differently. Raises InputError with the problems of all files.
    """
    problems = Problems()
    benchmark = None
    with problems.gather():
        benchmark = _read_benchmark(ground_truth, subset, protocol, ambiguous, videos, dataset, notes)
    if benchmark is None:
        unknown = "count"  # names cannot be compared; the files' own problems are still reported
    elif drop_duplicates:
        benchmark = replace(benchmark, truth=without_duplicates(benchmark.truth))
    known = ((), ()) if benchmark is None else (benchmark.truth.classes, benchmark.truth.videos + benchmark.left_out)
    detections = []
    for file in files:
        with problems.gather():
            detections.append(read_detections(file, *known, unknown, notes))
    problems.raise_if_any()
    assert benchmark is not None, "else there is a problem"
    return benchmark, [without_videos(each, benchmark.left_out) for each in detections]


def _read_benchmark(
    ground_truth: Path,
    subset: str,
    protocol: str,
    ambiguous: Path | None,
    videos: int | None,
    dataset: DatasetDefinition | None,
    notes: list[str] | None,
) -> Benchmark:
    problems = Problems()
    listed = truth = None
    dropped: tuple[str, ...] = ()
    with problems.gather():
        require_protocol(protocol, ambiguous is not None)
        listed = read_ambiguous(ambiguous) if ambiguous is not None else None
    with problems.gather():
        truth = read_annotations(ground_truth, subset, dataset or recognised(ground_truth), notes)
        dropped = left_out(truth.videos, videos) if videos is not None else ()
    problems.raise_if_any()
    assert truth is not None, "else there is a problem"
    if dropped:
        truth = restrict(truth, tuple(name for name in truth.videos if name not in dropped))
    return Benchmark(truth=truth, subset=subset, protocol=protocol, ambiguous=listed, left_out=dropped)


def detect(
    checkpoint: Path, data: Path, benchmark: Benchmark, variant: str = "paper", snippets: int = SNIPPETS
) -> Detections:
    """Detections of a BackTAL checkpoint, {"epoch", "state_dict"}, in the benchmark's videos.

    The network's widths are read from the tensors, which are loaded without pickle; the inference settings are those of
    `variant` on THUMOS14. data: a folder of BackTAL npz files, or its parent if the folder is named like the subset.
    snippets: T. Raises InputError: files that cannot be read or do not fit together, videos without features.
    """
    from tal_search.methods.backtal import PRESETS, BackTAL, Hyperparameters

    if variant not in ("paper", "release"):
        raise InputError(f"variant={variant} is unknown; give paper or release")
    truth = benchmark.truth
    method = BackTAL.from_state(_load_state(checkpoint), Hyperparameters(variant=variant), str(checkpoint))
    classes = method.network.classifier_module.conv.out_channels - 1
    if classes != len(truth.classes):
        raise InputError(f"{checkpoint}: has {classes} classes where the ground truth has {len(truth.classes)}")
    channels = method.network.base_module.conv_1.in_channels
    videos = _test_videos(data, benchmark.subset, truth, channels, snippets)
    return method.detect(videos, truth.classes, Inference(**PRESETS[variant].inference))


def _load_state(checkpoint: Path) -> dict[str, torch.Tensor]:
    import torch

    try:
        require_regular(checkpoint)
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # an unpickler raises whatever the bytes of another file lead it to
        reason = (isinstance(error, OSError) and error.strerror) or "not a checkpoint of tensors, or truncated"
        raise InputError(f"{checkpoint}: cannot be loaded ({reason}); give a file with epoch and state_dict") from None
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise InputError(f"{checkpoint}: has no state_dict; give a file saved as epoch and state_dict")
    return state


def _test_videos(data: Path, subset: str, truth: Annotations, channels: int, snippets: int) -> VideoSet:
    """Features of the ground truth's videos, in its order; labels and clicks are not read."""
    folder = data / subset if (data / subset).is_dir() else data
    files = feature_files(folder, data)
    missing = [name for name in truth.videos if name not in files]
    if missing:
        shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise InputError(f"{folder}: has no features of {len(missing)} videos of the ground truth: {shown}")
    problems = Problems()
    rows = []
    for name, truth_seconds in zip(truth.videos, truth.duration.tolist(), strict=True):
        with problems.gather():
            video = read_video(files[name], channels)
            seconds = video.duration or truth_seconds
            frames = video.frames or round(seconds * (video.fps or FALLBACK_FPS))
            rows.append((rescale(video.features, snippets), seconds, max(1, frames)))
    problems.raise_if_any()
    count = len(rows)
    return VideoSet.labelled(
        videos=truth.videos,
        features=np.stack([row[0] for row in rows]),
        labels=np.zeros((count, len(truth.classes)), np.float32),
        duration=np.array([row[1] for row in rows]),
        frames=np.array([row[2] for row in rows], np.int64),
    )
