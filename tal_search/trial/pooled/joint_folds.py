"""Scores of the pooled detections of folds, from the folders of their trials, kept in the study's folder."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, lru_cache, reduce
from pathlib import Path
from typing import Any

import numpy as np

from tal_search import localization, metrics
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.folds import joint, subjects_of
from tal_search.data.load import load_truths
from tal_search.data.truth.annotations import read_detections
from tal_search.data.truth.truth_arrays import load_truth
from tal_search.errors import InputError, TalSearchError
from tal_search.files.atomic import replace_file
from tal_search.localization.activations import Activations
from tal_search.localization.inference import Inference
from tal_search.localization.localize import localize
from tal_search.metrics.average_precision import score
from tal_search.metrics.comparison import RESAMPLES, SEED, draws, resampled_mAP
from tal_search.metrics.matching import match_classes, positions
from tal_search.text.words import some_of
from tal_search.trial.final_files import TRUTH
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import Annotations, Detections, JointScores, canonical_json

FOLDER = "cache"  # below the folder of a study; its files can be deleted at any time


def joint_scores(runs: Path, study: str, ids: tuple[str, ...]) -> JointScores | None:
    """Scores of the detections of all folds; ids: of their trials, by fold. None if files are missing or damaged.

    Kept in memory and in the study's folder.
    """
    with suppress(TalSearchError, OSError, ValueError, KeyError, TypeError):
        files = [_source(runs, name).stat() for name in ids]
        return _scored(runs, study, ids, tuple((stat.st_mtime_ns, stat.st_size) for stat in files))
    return None


def forget() -> None:
    """Forget what is kept in memory, as in a new process."""
    _scored.cache_clear()


@lru_cache(maxsize=1024)
def _scored(runs: Path, study: str, ids: tuple[str, ...], stamps: tuple[tuple[int, int], ...]) -> JointScores:
    text = canonical_json([ids, stamps, RESAMPLES, SEED, code_of_metrics()])
    path = runs / study / FOLDER / f"folds-{hashlib.sha256(canonical_json(ids).encode()).hexdigest()[:20]}.npz"
    wrong = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, TypeError)
    with suppress(*wrong), np.load(path, allow_pickle=False) as kept:
        if str(kept["of"]) == text:
            tiou, count = tuple(kept["tiou"].tolist()), int(kept["subjects"])
            return JointScores(kept["mAP"], kept["drawn"], tiou, count, str(kept["note"]))
    found = _computed(runs, ids)
    stream = io.BytesIO()
    np.savez(stream, of=text, **found._asdict())
    with suppress(OSError):  # a read-only or full disk
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, stream.getvalue())
    return found


def _computed(runs: Path, ids: tuple[str, ...]) -> JointScores:
    spec, (truth, found) = _spec(runs, ids[0]), joint_detections(runs, ids)
    protocol = spec.protocol
    return pooled_scores(truth, found, tuple(protocol["tiou"]), spec.dataset.folds["by"], protocol["evaluation"])


def pooled_scores(
    truth: Annotations, found: Detections, tiou: tuple[float, ...], by: str, evaluation: str,
    ambiguous: Annotations | None = None,
) -> JointScores:  # fmt: skip
    """Scores of the detections of all folds, and their draws; by: the pattern that finds a video's subject."""
    mAP = score(truth, found, tiou, subset="test", protocol=evaluation, ambiguous=ambiguous).mAP
    matches = match_classes(truth, found, tiou, protocol=evaluation, ambiguous=ambiguous)
    subjects, subject_V = subjects_of(truth.videos, by)
    drawn_BT = resampled_mAP(truth, matches, draws(len(truth.videos), subject_V), evaluation)
    note = "" if len(found.score) else "no detections: in no fold"
    return JointScores(np.array(mAP), drawn_BT.astype(np.float32), tiou, len(subjects), note)


def joint_detections(runs: Path, ids: Sequence[str]) -> tuple[Annotations, Detections]:
    """The ground truth of all videos (see `joint_truth`), and the detections of these trials, one per fold, in them.

    Raises InputError or Damaged: files that are missing or damaged.
    """
    truth = joint_truth(runs, ids)
    parts = [_detections(runs, name, truth) for name in ids]
    video, label, segment, score_N = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("video", "label", "segment", "score")
    )
    return truth, replace(parts[0], video=video, label=label, segment=segment, score=score_N)


def joint_truth(runs: Path, ids: Sequence[str]) -> Annotations:
    """The ground truth that these trials, one per fold, were scored on, as it is kept in their folders.

    The file it was read from may be moved, corrected or deleted since. Raises InputError or Damaged.
    """
    data = {
        canonical_json([spec.dataset.fingerprint, spec.dataset.folds]) for spec in (_spec(runs, name) for name in ids)
    }
    if len(data) > 1:
        raise InputError(
            f"{runs}: the folds {some_of(list(ids))} are of several datasets; run the same `run` command again"
        )
    folders = [TrialFolder.of(runs, name.partition("-")[0]) for name in ids]
    return reduce(joint, [load_truth(folder.verified(folder.path / TRUTH)) for folder in folders])


def truth_of(folder: TrialFolder, dataset: DatasetSpec, split: str) -> Annotations:
    """Ground truth of a fit's videos in `split`, "test" or "train"; a fold's test videos as they were scored.

    Raises InputError or Damaged.
    """
    if split == "test" and (folder.path / TRUTH).exists():
        return load_truth(folder.verified(folder.path / TRUTH))
    train, test = load_truths(dataset)
    return test if split == "test" else train


def _spec(runs: Path, name: str) -> TrialSpec:
    folder = TrialFolder.of(runs, name.partition("-")[0])
    spec = folder.spec()
    if spec is None:
        raise InputError(f"{folder.path} has no readable spec.json; run the same `run` command again")
    return spec


def _source(runs: Path, name: str) -> Path:
    """The file that a trial's detections are read from: of further inference settings, its activations."""
    key, _, setting = name.partition("-")
    folder = TrialFolder.of(runs, key)
    return folder.cas if setting else folder.detections


def _detections(runs: Path, name: str, truth: Annotations) -> Detections:
    key, _, setting = name.partition("-")
    folder, path = TrialFolder.of(runs, key), _source(runs, name)
    if not setting:
        return read_detections(folder.verified(path), truth.classes, truth.videos)
    settings: dict[str, Any] = folder.settings()[setting]["inference"]
    found = localize(Activations.load(folder.verified(path)), truth.classes, Inference(**settings))
    return replace(found, videos=truth.videos, video=positions(found.videos, truth.videos)[found.video])


@cache
def code_of_metrics() -> str:
    """A hash of the modules that compute scores from activations or detections."""
    digest = hashlib.sha256()
    for package in (localization, metrics):
        for folder in package.__path__:
            for file in sorted(Path(folder).glob("*.py")):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
