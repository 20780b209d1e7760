"""Fingerprints of files: hashes that change when the content does, or what a ground truth is read as."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from tal_search.data.data_folder import subsets_and_fps
from tal_search.data.definition import DatasetDefinition
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
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct the path") from None


def digest(content: object) -> str:
    """SHA-256 of JSON values."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
