"""A look at a dataset's folder: every file is read and checked as by `data check`, and its timing is inferred first."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tal_search.data import data_folder
from tal_search.data.catalog import definition
from tal_search.data.check import ClickSurvey, SplitSurvey, survey
from tal_search.data.clicks.click_statistics import ClickStatistics, statistics_of
from tal_search.data.clicks.clicks import ClickedVideos, read_clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.draft.timing_fit import TimingFit, fit_timing
from tal_search.data.features.cache import CONVERTED, open_cache
from tal_search.data.features.hdf5 import SUFFIXES
from tal_search.data.features.layouts import AUTO, detect
from tal_search.data.features.split_reader import FeatureSplit, read_both, read_splits
from tal_search.data.features.timing import AS_LAYOUT, Timing
from tal_search.data.find import find
from tal_search.data.simulation.videos import Simulation
from tal_search.data.supervision import clicked_videos
from tal_search.data.truth.facts import Facts, facts_of
from tal_search.errors import InputError, Problems
from tal_search.types import Annotations, Floats, Ints

ANNOTATIONS = (".json", ".txt", ".csv", ".md", ".yaml", ".pdf")  # a folder of such files has no features yet
STRAY = 1  # other file may lie there too
EVENLY = ("backtal", CONVERTED)  # layouts whose snippets always cover a video evenly


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a user says of a folder: each is inferred where it is None."""

    name: str | None = None
    layout: str = AUTO
    timing: Timing = AS_LAYOUT
    ground_truth: Path | None = None
    clicks: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Look:
    """Everything seen in a folder.

    train, test: the ground truth, with the durations of the features where they have their own. subsets: their names
    in the ground truth. fps: by video. layout: None without features, and then fit, snippets (T0 of each training and
    each test video) and channels are None or empty. clicks: by file, with statistics where every duration is known.
    """

    name: str
    root: Path
    truth: Path
    train: Annotations
    test: Annotations
    subsets: tuple[str, str]
    folders: tuple[str, ...]
    fps: dict[str, float]
    layout: str | None
    channels: int | None
    fit: TimingFit | None
    given: Timing
    snippets: tuple[Ints, ...]
    step: Floats | None
    clicks: tuple[tuple[ClickSurvey, ClickStatistics | None], ...]
    embedded: bool
    facts: Facts
    notes: tuple[str, ...]


def look(root: Path, asked: Asked) -> Look:
    """Look at a folder. Raises InputError with every problem of its files."""
    if not root.is_dir() and root.suffix not in SUFFIXES:
        raise InputError(f"{root} {data_folder.seen_at(root)}; give the folder of the features, or one HDF5 file")
    with data_folder.readable(root):
        path = asked.ground_truth or data_folder.find_ground_truth(root, asked.name or folder_name(root))
        name = asked.name or truth_name(path) or folder_name(root)
        if root.is_dir() and not _has_other_files(root) and detect(root, definition(name).splits, AUTO) is None:
            return _annotations(root, path, name, asked)
        return _features(root, path, name, asked)


def folder_name(root: Path) -> str:
    return data_folder.real(root).name


def truth_name(path: Path) -> str | None:
    """The name in a ground truth's file name, gt_NAME.json."""
    return path.stem.removeprefix("gt_") if path.stem.startswith("gt_") and path.stem != "gt_" else None


def _has_other_files(root: Path) -> bool:
    """Whether a folder holds more than STRAY files besides annotations."""
    files = (path for path in root.rglob("*") if not path.name.startswith("."))
    return sum(path.suffix.lower() not in ANNOTATIONS for path in files if not path.is_dir()) > STRAY


def _annotations(root: Path, path: Path, name: str, asked: Asked) -> Look:
    """A look at a folder without features."""
    facts = definition(name)
    *subsets, fps = data_folder.subsets_and_fps(path, facts.splits)
    notes: list[str] = []
    train, test = read_both(path, subsets, facts, notes)
    seconds = dict(zip(train.videos, train.duration.tolist(), strict=True))
    known = ClickedVideos(
        seconds={video: length if np.isfinite(length) else np.inf for video, length in seconds.items()},
        fps=fps, classes=train.classes, others=frozenset(test.videos),
    )  # fmt: skip
    problems, clicks = Problems(), []
    for kind, files in data_folder.find_clicks(root, name, asked.clicks).items():
        for annotator, file in files.items():
            with problems.gather():
                clicks.append(_clicks(file, kind, annotator, known, train, notes))
    problems.raise_if_any()
    return Look(
        name=name, root=root, truth=path, train=train, test=test, subsets=(subsets[0], subsets[1]), folders=(), fps=fps,
        layout=None, channels=None, fit=None, given=asked.timing, snippets=(), step=None, clicks=tuple(clicks),
        embedded=False,
        facts=facts_of(train, test), notes=tuple(notes),
    )  # fmt: skip


def _features(root: Path, path: Path, name: str, asked: Asked) -> Look:
    spec = find(
        name, "features", root, asked.ground_truth, asked.clicks, 2, Simulation(), asked.layout, _whole(asked.timing)
    )
    facts = definition(name)
    *subsets, fps = data_folder.subsets_and_fps(path, facts.splits)
    fit: TimingFit | None = None
    folders: tuple[str, ...] = ()
    longest = fixed = None
    if spec.layout["name"] == CONVERTED:
        fixed = int(spec.layout["snippets"])
        spec = dataclasses.replace(spec, snippets=fixed)
        channels = int(open_cache(root, fixed, checked=False)[0].features.shape[1])
    else:
        spec, fit, folders, channels = _timed(spec, asked.timing)
    notes: list[str] = []
    splits, _ = survey(spec, notes)
    train, test = (
        _with_seconds(truth, dict(zip(split.videos, split.seconds.tolist(), strict=True)))
        for truth, split in zip(read_both(path, subsets, facts), splits, strict=True)
    )
    if fixed is None:
        longest = int(max(split.snippets.max() for split in splits))
    known = clicked_videos(spec, dict(zip(train.videos, train.duration.tolist(), strict=True)), train, test)
    clicks = [
        _clicks(Path(file), kind, annotator, known, train, [])
        for kind, files in spec.clicks.items()
        for annotator, file in files.items()
        if file
    ]
    return Look(
        name=name, root=root, truth=path, train=train, test=test, subsets=(subsets[0], subsets[1]), folders=folders,
        fps=fps, layout=spec.layout["name"], channels=channels, fit=fit, given=asked.timing,
        snippets=tuple(split.snippets for split in splits), step=_step(spec, splits[0], train, fps),
        clicks=tuple(clicks),
        embedded=any(file == "" for files in spec.clicks.values() for file in files.values()),
        facts=facts_of(train, test, channels=channels, longest=longest, fixed=fixed), notes=tuple(notes),
    )  # fmt: skip


def _whole(asked: Timing) -> Timing:
    """The asked timing for `find`, which needs an offset with a stride."""
    return asked if asked.stride is None or asked.offset is not None else AS_LAYOUT


def _timed(spec: DatasetSpec, asked: Timing) -> tuple[DatasetSpec, TimingFit | None, tuple[str, ...], int]:
    """The features with the timing asked for or inferred, the names of folders that hold one split, and D."""
    splits = read_splits(dataclasses.replace(spec, layout=_layout(spec, AS_LAYOUT)), Problems())
    folders = () if splits[0].layout.together else tuple(split.folder.name for split in splits)
    channels = splits[0].channels
    if spec.layout["name"] in EVENLY or (asked.stride is not None and asked.offset is not None):
        return spec, None, folders, channels
    lengths, seconds, rates = list[int](), list[float](), list[float]()
    stated = _stated(splits) if spec.layout["name"] == "hdf5" else AS_LAYOUT
    asked = Timing(**{key: value if value is not None else vars(stated)[key] for key, value in vars(asked).items()})
    for split in splits:
        duration = dict(zip(split.truth.videos, split.truth.duration.tolist(), strict=True))
        for video in sorted(split.shapes.keys() & duration.keys()):
            if np.isfinite(duration[video]):
                lengths.append(split.shapes[video].snippets)
                seconds.append(duration[video])
                rates.append(split.fps.get(video, np.nan))
    fit = TimingFit()
    if lengths:
        fit = fit_timing(np.array(lengths, np.int64), np.array(seconds), np.array(rates), asked)
    if spec.layout["name"] == "hdf5" and asked == AS_LAYOUT and not fit.certain:
        return spec, None, folders, channels  # evenly, as without a stride
    if fit.timing.stride is None and asked.stride is not None and asked.offset is not None:
        fit = TimingFit(timing=asked)
    return dataclasses.replace(spec, layout=_layout(spec, fit.timing)), fit, folders, channels


def _step(spec: DatasetSpec, split: SplitSurvey, train: Annotations, fps: dict[str, float]) -> Floats:
    """Seconds from one stored snippet to the next in each training video."""
    stored = dict(zip(split.videos, (split.seconds / split.snippets).tolist(), strict=True))
    stride, rate = spec.layout.get("stride"), spec.layout.get("fps")
    if stride is None:
        return np.array([stored[video] for video in train.videos])
    return np.array([stride / (rate or fps[video]) for video in train.videos], np.float64)


def _layout(spec: DatasetSpec, timing: Timing) -> dict[str, object]:
    return {"name": spec.layout["name"], **vars(timing)}


def _stated(splits: tuple[FeatureSplit, ...]) -> Timing:
    """What most features of HDF5 files state; nothing where their first video cannot be read."""
    counts: Counter[Timing] = Counter()
    for split in splits:
        for name in sorted(split.files)[:3]:
            try:
                video = split.layout.read(split.files[name], None)
            except InputError:
                continue
            counts[Timing(stride=video.stride, offset=video.offset, fps=video.fps)] += 1
    return counts.most_common(1)[0][0] if counts else AS_LAYOUT


def _with_seconds(truth: Annotations, seconds: dict[str, float]) -> Annotations:
    return dataclasses.replace(truth, duration=np.array([seconds[video] for video in truth.videos], np.float64))


def _clicks(
    file: Path, kind: str, annotator: str, known: ClickedVideos, train: Annotations, notes: list[str]
) -> tuple[ClickSurvey, ClickStatistics | None]:
    clicks = read_clicks(file, kind, annotator, known, notes)
    timed = bool(np.isfinite(train.duration).all())
    minutes: Floats = train.duration / 60
    counted = ClickSurvey(
        kind=kind, annotator=annotator, clicks=len(clicks.time), videos=len(np.unique(clicks.video)),
        per_minute=len(clicks.time) / float(minutes.sum()) if timed else float("nan"),
    )  # fmt: skip
    return counted, statistics_of(clicks, train) if timed else None
