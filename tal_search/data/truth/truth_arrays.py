"""A ground truth as an npz file: what a fit was scored on, wherever the file that it came from is now."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from tal_search.data.truth.ambiguous import AMBIGUOUS
from tal_search.errors import InputError
from tal_search.types import Annotations

INSTANCES = ("video", "label", "segment")
UNCLEAR = "ambiguous_"  # before the names of the arrays of ambiguous instances


def save_truth(truth: Annotations, stream: IO[bytes]) -> None:
    """Write a ground truth exactly: names as text, times in seconds as float64."""
    arrays = {name: getattr(truth, name) for name in ("duration", *INSTANCES)}
    if truth.ambiguous is not None:
        arrays |= {UNCLEAR + name: getattr(truth.ambiguous, name) for name in INSTANCES}
    np.savez_compressed(stream, videos=np.array(truth.videos), classes=np.array(truth.classes), **arrays)


def load_truth(path: Path) -> Annotations:
    """The ground truth that `save_truth` wrote. Raises InputError where the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        truth = Annotations(
            videos=tuple(arrays["videos"].tolist()), classes=tuple(arrays["classes"].tolist()),
            duration=arrays["duration"], **{name: arrays[name] for name in INSTANCES},
        )  # fmt: skip
        if UNCLEAR + "video" not in arrays:
            return truth
        unclear = {name: arrays[UNCLEAR + name] for name in INSTANCES}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: cannot be read as a ground truth ({error}); remove its folder and run again"
        ) from None
    return replace(truth, ambiguous=replace(truth, classes=(AMBIGUOUS,), **unclear))
