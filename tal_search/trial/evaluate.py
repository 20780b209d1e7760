"""Ground truth and protocol to score detection files against, and detections of a released checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np

from tal_search.data.catalog import recognised
from tal_search.data.data_folder import feature_files, subsets_and_fps
from tal_search.data.definition import DatasetDefinition
from tal_search.data.features.npz import read_video, rescale
from tal_search.data.features.split_reader import FALLBACK_FPS, read_both
from tal_search.data.folds import joint, require_folds, subjects_of
from tal_search.data.splits import restrict
from tal_search.data.truth.ambiguous import read_ambiguous
from tal_search.data.truth.annotations import Unknown, read_annotations, read_detections
from tal_search.errors import InputError, Problems
from tal_search.files.json_reader import require_regular
from tal_search.localization.inference import Inference
from tal_search.metrics.matching import require_protocol
from tal_search.metrics.video_sets import left_out, without_duplicates, without_videos
from tal_search.text.words import counted, some_of
from tal_search.types import Annotations, Detections, VideoSet

if TYPE_CHECKING:
    import torch

SNIPPETS = 750  # T of released THUMOS14 checkpoints


class Rules(TypedDict):
    """Keyword arguments of every score, comparison and profile of a benchmark."""

    protocol: str
    ambiguous: Annotations | None


class Folds(NamedTuple):
    """Folds whose detections are pooled: `by` and `of` as in `dataset.folds`; places: where both are written."""

    by: str
    of: int
    places: tuple[str, str] = ("command line", "command line")


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A ground truth and the protocol under which detections are scored against it.

    left_out: videos that are not in the chosen set of videos; detections in them are dropped. folds: over whose
    subjects intervals are drawn, None for videos.
    """

    truth: Annotations
    subset: str
    protocol: str
    ambiguous: Annotations | None
    left_out: tuple[str, ...]
    folds: Folds | None = None

    @property
    def rules(self) -> Rules:
        return {"protocol": self.protocol, "ambiguous": self.ambiguous}


def open_benchmark(
    ground_truth: Path,
    subset: str | None,
    files: Sequence[Path | tuple[Path, ...]] = (),
    *,
    protocol: str = "activitynet",
    ambiguous: Path | None = None,
    drop_duplicates: bool = False,
    videos: int | None = None,
    unknown: Unknown = "error",
    dataset: DatasetDefinition | None = None,
    folds: Folds | None = None,
    notes: list[str] | None = None,
) -> tuple[Benchmark, list[Detections]]:
    """One subset of an ActivityNet-style ground truth, and the detections of each file, or of several pooled.

    subset: None for the test subset of the dataset. folds: both subsets of the dataset together, with its folds.
    ambiguous: a list for protocol thumos14. drop_duplicates: an instance given twice counts once. videos: one of
    THUMOS14's test sets, 210 to 213; None for every video of the subset. unknown: see `read_detections`. dataset: the
    definition whose classes the labels must be; None: that of the ground truth, see `catalog.recognised`. Adds notes on
    labels that are spelled differently. Raises InputError with the problems of all files.
    """
    problems = Problems()
    benchmark = None
    with problems.gather():
        benchmark = _read_benchmark(ground_truth, subset, protocol, ambiguous, videos, dataset, folds, notes)
    if benchmark is None:
        unknown = "count"  # names cannot be compared; the files' own problems are still reported
    elif drop_duplicates:
        benchmark = replace(benchmark, truth=without_duplicates(benchmark.truth))
    known = ((), ()) if benchmark is None else (benchmark.truth.classes, benchmark.truth.videos + benchmark.left_out)
    detections = []
    for group in files:
        with problems.gather():
            detections.append(_pooled((group,) if isinstance(group, Path) else group, known, unknown, notes))
    problems.raise_if_any()
    assert benchmark is not None, "else there is a problem"
    return benchmark, [without_videos(each, benchmark.left_out) for each in detections]


def unscored_folds(folds: Folds, truth: Annotations, found: Detections) -> list[str]:
    """A note on folds without any detection, whose files may have been left out."""
    subjects, subject_V = subjects_of(truth.videos, folds.by)
    known = found.video[found.video < len(truth.videos)]
    missing = sorted({*range(folds.of)} - {*(subject_V[known] % folds.of).tolist()})
    tested = [subject for fold in missing for subject in subjects[fold :: folds.of]]
    seen = f"WARNING: no detections of {len(missing)} of {folds.of} folds (subjects {some_of(tested, 5)})"
    return [f"{seen}; give the detections of all folds"] if missing else []


def _pooled(
    files: Sequence[Path], known: tuple[tuple[str, ...], tuple[str, ...]], unknown: Unknown, notes: list[str] | None
) -> Detections:
    """The detections of several files together. Raises InputError with all problems, also of videos in two of them."""
    problems, parts, file_of = Problems(), list[Detections](), dict[str, Path]()
    twice: dict[str, str] = {}
    for file in files:
        with problems.gather():
            part = read_detections(file, *known, unknown, notes)
            known = part.classes, part.videos  # unknown ones are added at the end, so rows of earlier parts stay right
            parts.append(part)
            for video in (part.videos[row] for row in np.unique(part.video).tolist()):
                if file_of.setdefault(video, file) != file:
                    twice[video] = f"{file_of[video]} and {file}"
    if twice:
        seen = f"{counted(len(twice), 'video')} ({some_of([*twice], 5)}), such as {next(iter(twice.values()))}"
        problems.add(f"two files of detections have the same {seen}; give one file a fold, and each once")
    problems.raise_if_any()
    video, label, segment, scores = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("video", "label", "segment", "score")
    )
    return replace(parts[-1], video=video, label=label, segment=segment, score=scores)


def _truth(
    ground_truth: Path, subset: str | None, dataset: DatasetDefinition, folds: Folds | None, notes: list[str] | None
) -> tuple[Annotations, str]:
    """The ground truth to score against, and the name of its subset or subsets. Raises InputError."""
    if subset is not None:
        return read_annotations(ground_truth, subset, dataset, notes), subset
    training, test, _ = subsets_and_fps(ground_truth, dataset.splits)
    if folds is None:
        return read_annotations(ground_truth, test, dataset, notes), test
    truths = read_both(ground_truth, [training, test], dataset, notes)
    require_folds(truths, folds.by, folds.of, folds.places)
    return joint(*truths), f"{training} and {test}"


def _read_benchmark(
    ground_truth: Path,
    subset: str | None,
    protocol: str,
    ambiguous: Path | None,
    videos: int | None,
    dataset: DatasetDefinition | None,
    folds: Folds | None,
    notes: list[str] | None,
) -> Benchmark:
    problems = Problems()
    listed = truth = None
    name = subset or ""
    dropped: tuple[str, ...] = ()
    with problems.gather():
        require_protocol(protocol, ambiguous is not None)
        listed = read_ambiguous(ambiguous) if ambiguous is not None else None
    with problems.gather():
        truth, name = _truth(ground_truth, subset, dataset or recognised(ground_truth), folds, notes)
        dropped = left_out(truth.videos, videos) if videos is not None else ()
    problems.raise_if_any()
    assert truth is not None, "else there is a problem"
    if dropped:
        truth = restrict(truth, tuple(name for name in truth.videos if name not in dropped))
    return Benchmark(truth=truth, subset=name, protocol=protocol, ambiguous=listed, left_out=dropped, folds=folds)


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
