"""Fingerprints of files: hashes that change when the content does, or what a ground truth is read as."""

from __future__ import annotations

import dataclasses
import hashlib
from contextlib import suppress
from pathlib import Path

from tal_search.data.catalog import installed_as
from tal_search.data.data_folder import subsets_and_fps
from tal_search.data.definition import DatasetDefinition, SplitNames
from tal_search.data.truth.labels import read_labels
from tal_search.errors import InputError
from tal_search.files.json_reader import content_of, read_object
from tal_search.types import canonical_json


def subsets(path: Path, facts: DatasetDefinition) -> list[str]:
    """The training and the test subset of a ground truth."""
    with suppress(InputError):  # reported by `check`
        return list(subsets_and_fps(path, facts.splits)[:2])
    return []


def truth_hash(path: Path, facts: DatasetDefinition) -> str:
    """The hash of a ground truth, and of what its labels are read as where that is not as they are spelled."""
    content = hash_of(path)
    with suppress(InputError):  # reported by `check`
        respelled = read_labels(read_object(path, "database"), {}, facts).respelled
        return digest([content, respelled]) if respelled else content
    return content


def hash_of(path: Path) -> str:
    """SHA-256 of a file. Raises InputError where it cannot be read."""
    try:
        return hashlib.sha256(content_of(path)).hexdigest()
    except OSError as error:
        fix = "give the path of a JSON file" if path.suffix == ".json" else "correct the path"  # as its reader says
        raise InputError(f"{path}: cannot be read ({error.strerror}); {fix}") from None


def digest(content: object) -> str:
    """SHA-256 of JSON values."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def of_timeline(truth: Path, facts: DatasetDefinition) -> list[object]:
    """What identifies a real timeline: its content, and its subsets unless they are the usual ones, as in records of
    earlier versions."""
    chosen = subsets(truth, facts)
    usual = chosen == subsets(truth, dataclasses.replace(facts, splits=SplitNames()))
    return [truth_hash(truth, facts)] if usual else [truth_hash(truth, facts), chosen]


def of_stand_in(facts: DatasetDefinition) -> dict[str, object]:
    """What identifies a drawn timeline: classes and numbers of videos; of the installed data sets all that records of
    version 0.3 have, so that their studies go on.
    """
    known = installed_as(facts.name)
    if known is None or (known.classes, known.stand_in) != (facts.classes, facts.stand_in):
        return {"classes": facts.classes, "stand_in": dataclasses.asdict(facts.stand_in)}
    return {
        "title": known.shown, "train": known.splits.training, "test": known.splits.test, "classes": known.classes,
        "videos": (known.videos.training, known.videos.test), "snippets": known.snippets, "tiou": known.tiou,
        "stand_in": (known.stand_in.training, known.stand_in.test),
    }  # fmt: skip
