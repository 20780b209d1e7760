"""Finding a dataset's files by name: folders of features, the ground truth, click files."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from tal_search.data.definition import SplitNames
from tal_search.data.features.plausibility import grouped
from tal_search.data.truth.labels import named, spelling, split_name
from tal_search.errors import InputError, Problems
from tal_search.files.json_reader import brief, number_of, read_object
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS

CLICK_FILES = {BACKGROUND_CLICKS: "clicks_background_", ACTION_CLICKS: "clicks_action_"}
CLICK_SUFFIXES = (".txt", ".csv", ".json")
NEARLY_CLICKS = re.compile(r"clicks?[\W_]*(background|action)", re.IGNORECASE)
TRUTH_PATTERNS = ("gt_*.json", "*groundtruth*.json", "*ground_truth*.json")
MOST_FPS = 1000.0  # frames a second that a video may have
LOOKED_AT = 10_000  # files of a folder that are counted for a message
KINDS = 5  # of files that a message lists


def split_folders(
    root: Path, names: SplitNames, has_features: Callable[[Path], bool]
) -> tuple[Path | None, Path | None]:
    """The training and the test folder under `root`; None for a split without a folder that has features.

    Raises InputError where a split has two folders with features. Of a dataset whose file does not name its splits
    these are folders of one name in two forms, such as val and validation, as it may have a third split.
    """
    stated = names != SplitNames()
    problems = Problems()
    tests = [part for part in names.test if has_features(root / part)]
    trains = [part for part in names.training if part not in tests[:1] and has_features(root / part)]
    for split, parts in (("test", [part for part in tests if part not in trains]), ("training", trains)):
        alike = [part for part in parts if stated or split_name(part) == split_name(parts[0])]
        if len({real(root / part) for part in alike}) > 1:
            problems.add(f"{root} has {len(alike)} folders of the {split} split ({', '.join(alike)}); keep one of them")
    problems.raise_if_any()
    return (root / trains[0] if trains else None), (root / tests[0] if tests else None)


def real(path: Path) -> Path:
    """The path without links; one that leads to itself stays a path that cannot be read."""
    return Path(os.path.realpath(path))


def seen_at(root: Path) -> str:
    """What is at a path, in words that follow it: "does not exist", "is empty", "holds 7 .pkl and 1 .json"."""
    try:
        if not root.exists():
            return "is a link to nothing" if root.is_symlink() else "does not exist"
        if not root.is_dir():
            return "is a file, not a folder"
        next(root.iterdir(), None)
    except (OSError, ValueError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    found = (Path(name) for _, _, names in os.walk(root) for name in names if not name.startswith("."))
    kinds = Counter(path.suffix or "without an ending" for path in islice(found, LOOKED_AT)).most_common()
    listed = [f"{count} {kind}" for kind, count in kinds[:KINDS]]
    listed += [f"{sum(count for _, count in kinds[KINDS:])} others"] if len(kinds) > KINDS else []
    return (
        f"holds {' and '.join([', '.join(listed[:-1]), listed[-1]] if listed[1:] else listed)}"
        if listed
        else "is empty"
    )


def why_none(root: Path, names: SplitNames, has_features: Callable[[Path], bool]) -> str:
    """What `root` lacks to be read as features."""
    train, test = split_folders(root, names, has_features) if root.is_dir() else (None, None)
    lacking = "features" if train is test else "training features" if train is None else "test features"
    return f"no {lacking} under {root}"


@contextmanager
def readable(root: Path) -> Iterator[None]:
    """Raises InputError where a file or folder under `root` cannot be opened in the block."""
    try:
        yield
    except OSError as error:
        seen = f"{error.filename or root}: cannot be read ({error.strerror})"
        raise InputError(f"{seen}; correct its permissions or dataset.root") from None


def holds(folder: Path, pattern: str) -> bool:
    """Whether a folder has a file, not hidden, that matches `pattern`."""
    return folder.is_dir() and any(True for path in folder.glob(pattern) if not path.name.startswith("."))


def feature_files(folder: Path, root: Path, pattern: str = "*.npz") -> dict[str, Path]:
    """Video → file, sorted by name. Raises InputError naming every file that is a link out of `root`."""
    paths = sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))
    odd = [path for path in paths if path.exists() and not path.is_file()]
    if odd:
        raise InputError(grouped((path, f"{path} is not a file; remove it, or give it another name") for path in odd))
    real_root = real(root)
    folder_inside = real(folder).is_relative_to(real_root)
    outside = [
        path for path in paths if not folder_inside or (path.is_symlink() and not real(path).is_relative_to(real_root))
    ]
    if outside and not folder_inside:
        raise InputError(f"{folder} is a link out of dataset.root={root}; give the real folder as dataset.root")
    if outside:
        fix = f"is a link out of dataset.root={root}; copy the file there"
        raise InputError(grouped((path, f"{path} {fix}") for path in outside))
    return {path.stem: path for path in paths}


def _places(root: Path | None, name: str) -> list[Path]:
    """Folders that may hold the annotations of features in `root`, nearest first."""
    if root is None:
        return []
    root = real(root)
    return list(dict.fromkeys([root, root / "annotations", root.parent / name, root.parent]))


def find_ground_truth(root: Path | None, name: str) -> Path:
    """The annotation file of a dataset: of the nearest folder with any, gt_NAME.json, or else the only one.

    Raises InputError, naming the setting that chooses one, where there is none or several.
    """
    places = _places(root, name)
    for place in places:
        files = sorted({path for pattern in TRUTH_PATTERNS for path in place.glob(pattern) if path.is_file()})
        of_name = [path for path in files if path.name == f"gt_{name}.json"]
        if of_name or len(files) == 1:
            return (of_name or files)[0]
        if files:
            listed = ", ".join(path.name for path in files)
            raise InputError(f"{place} has several ground truths ({listed}); choose by dataset.ground_truth=PATH")
    looked = ", ".join(os.path.relpath(place) for place in places)
    fix = "give dataset.ground_truth=PATH, or write one as docs/datasets.md says"
    raise InputError(f"no ground truth (gt_{name}.json) in {looked}; {fix}")


def find_clicks(root: Path | None, name: str, folder: Path | None) -> dict[str, dict[str, Path]]:
    """Kind of clicks → annotator → click file, in `folder` if given, else in the nearest folder with any of that kind.

    Files are clicks_background_ANNOTATOR and clicks_action_ANNOTATOR (.txt, .csv or .json); a bare number N is
    annotator AN. A name stands for one annotator, although in the THUMOS14 releases A1's background clicks (BackTAL)
    and A1's action clicks (SF-Net) come from different people. Raises InputError where a given folder has no such file,
    an annotator has two of one kind, or a file of that name is none or names no annotator.
    """
    problems = Problems()
    files = {}
    for kind, prefix in CLICK_FILES.items():
        each = (_click_files(place, prefix, problems) for place in ([folder] if folder else _places(root, name)))
        files[kind] = next(filter(None, each), {})
    if folder and not any(files.values()):
        names = " or ".join(f"{prefix}ANNOTATOR.txt" for prefix in CLICK_FILES.values())
        problems.add(f"dataset.clicks={folder} is not a folder with files {names}; correct it")
    problems.raise_if_any()
    return files


def _click_files(place: Path, prefix: str, problems: Problems) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(path for path in place.glob(f"{prefix}*") if path.suffix in CLICK_SUFFIXES):
        suffix = path.stem.removeprefix(prefix)
        annotator = f"A{suffix}" if suffix.isdigit() else suffix
        if not path.is_file():
            seen = "is a link to nothing" if path.is_symlink() and not path.exists() else "is not a file"
            problems.add(f"{path} {seen}; put the clicks there, or give it another name")
        elif not annotator:
            problems.add(f"{path} names no annotator; rename it to {prefix}ANNOTATOR{path.suffix}")
        elif annotator in files:
            problems.add(f"{path} and {files[annotator].name} are both of annotator {annotator}; keep one")
        else:
            files[annotator] = real(path)
    return files


def click_notes(root: Path, name: str, read: list[Path]) -> list[str]:
    """Notes on files whose names are nearly those of click files, where these are looked for and beside those read."""
    places = dict.fromkeys([*(path.parent for path in read), *_places(root, name)])
    right = " or ".join(f"{prefix}ANNOTATOR.txt" for prefix in CLICK_FILES.values())
    near = {place: sorted(path.name for path in place.glob("*") if _is_nearly_clicks(path)) for place in places}
    return [
        f"{place}: {named(names)} {'is' if len(names) == 1 else 'are'} not read; a click file is named {right}"
        for place, names in near.items()
        if names
    ]


def _is_nearly_clicks(path: Path) -> bool:
    named_right = path.name.startswith(tuple(CLICK_FILES.values())) and path.suffix in CLICK_SUFFIXES
    return bool(NEARLY_CLICKS.match(path.name)) and not named_right and path.is_file()


def subset_by_video(path: Path) -> dict[str, str]:
    """Video → the name of its subset in a ground truth. Raises InputError where the file cannot be read."""
    entries = {
        video: entry for video, entry in read_object(path, "database").entries.items() if isinstance(entry, dict)
    }
    return {video: entry["subset"] for video, entry in entries.items() if isinstance(entry.get("subset"), str)}


def subsets_and_fps(path: Path, splits: SplitNames) -> tuple[str, str, dict[str, float]]:
    """The names of the training and the test subset in a ground truth, and its frames a second by video, where given.

    Of several names of one subset (see `split_name`) it is the most frequent.
    Raises InputError where the file is no ground truth or lacks a subset.
    """
    file = read_object(path, "database")
    entries = {video: entry for video, entry in file.entries.items() if isinstance(entry, dict)}
    present = Counter(entry["subset"] for entry in entries.values() if isinstance(entry.get("subset"), str))
    usual = {spelling(subset) for subset in present}
    chosen = dict[str, str]()
    for purpose, names in (("test", splits.test), ("training", splits.training)):
        taken = {split_name(subset) for subset in chosen.values()}
        match = [wanted for wanted in names if spelling(wanted) in usual and split_name(wanted) not in taken]
        if match:
            alike = (subset for subset, _ in present.most_common() if split_name(subset) == split_name(match[0]))
            chosen[purpose] = next(alike)
        else:
            listed = ", ".join(f"'{subset}'" for subset in sorted(present)) or "none"
            fix = f"name the subset of some videos {names[0]}; with dataset.folds, which ignore it, any will do"
            file.problems.add(f"has no {purpose} subset ({' or '.join(names)}); subsets present: {listed}; {fix}")
    file.problems.raise_if_any()
    fps, _ = _fps(entries)
    return chosen["training"], chosen["test"], fps


def fps_notes(path: Path) -> list[str]:
    """A sentence on the videos of a ground truth whose fps is no frame rate. Raises InputError as `subsets_and_fps`."""
    _, wrong = _fps(
        {name: entry for name, entry in read_object(path, "database").entries.items() if isinstance(entry, dict)}
    )
    if not wrong:
        return []
    listed = ", ".join(f"{video}: {brief(value)}" for video, value in islice(wrong.items(), KINDS))
    have = "videos have" if len(wrong) > 1 else "video has"
    return [f"{path}: {len(wrong)} {have} an fps that is no frame rate and is not read ({listed}); correct it"]


def _fps(entries: dict[str, dict[str, object]]) -> tuple[dict[str, float], dict[str, object]]:
    """Frames a second by video, also from text; and the values that are no frame rate."""
    stated = {video: entry["fps"] for video, entry in entries.items() if entry.get("fps") is not None}
    fps = {video: number_of(value) for video, value in stated.items() if 0 < number_of(value) < MOST_FPS}
    return fps, {video: value for video, value in stated.items() if video not in fps}
