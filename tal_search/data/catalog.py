"""Datasets by name: where the file of one is found, and what holds for a dataset without a file.

A dataset is a file `datasets/NAME.yaml`, see docs/datasets.md. The file that a study names (`dataset.file`) comes
first, then that of the folder `datasets` in the working directory, then the installed ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from tal_search.config.named_files import NAME, Listed
from tal_search.data.definition import DatasetDefinition
from tal_search.data.definition_reader import FILES, read_definition
from tal_search.data.truth.labels import label_uses, spelling
from tal_search.errors import InputError
from tal_search.files.json_reader import read_object
from tal_search.text.printable import printable

# A name is that of a folder (data/NAME), of a ground truth (gt_NAME.json) and of a file (datasets/NAME.yaml).
USABLE = re.compile(r"\w(?:[\w .-]{0,98}[\w-])?")

# Share of a file's labels that must be classes of a dataset, and of its classes that must be among the labels, for the
# file to be taken for that dataset's.
RECOGNISED = 0.8


def definition(name: str, file: Path | None = None) -> DatasetDefinition:
    """The definition of a dataset: that in `file`, or in the nearest file of its name, or else the default one.

    Raises InputError with every problem of the file, and for a name that is none.
    """
    name = require_name(name)
    if file is not None:
        return read_definition(name, file)
    path = FILES.files().get(name) if NAME.fullmatch(name) else None
    if path is None:
        return DatasetDefinition(name=name)
    return _read(name, path.absolute(), FILES.shown(path), _stamp(path))


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes with the content of a file; empty where there is none, which the reader reports."""
    with suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino
    return ()


@lru_cache(maxsize=64)
def _read(name: str, path: Path, source: str, stamp: tuple[int, ...]) -> DatasetDefinition:  # noqa: ARG001 - of the file
    return read_definition(name, path, source)


def is_known(name: str) -> bool:
    """Whether a file in the working directory or an installed one has this name."""
    return name in FILES.files()


def installed_as(name: str) -> DatasetDefinition | None:
    """The definition of this name that is installed with this code, whatever the working directory has."""
    path = FILES.installed / f"{name}.yaml"
    if not NAME.fullmatch(name) or not path.is_file():
        return None
    return _read(name, path.absolute(), FILES.shown(path), _stamp(path))


def installed() -> dict[str, DatasetDefinition]:
    """The definitions that are installed with this code, by name."""
    names = sorted(path.stem for path in FILES.installed.glob("*.yaml"))
    return {name: found for name in names if (found := installed_as(name)) is not None}


def visible() -> Iterator[DatasetDefinition]:
    """The definitions that names lead to, read one at a time; files that cannot be read are left out."""
    for name in FILES.files():
        with suppress(InputError):  # reported where it is asked for by name
            yield definition(name)


def recognised(truth: Path, folder: str = "") -> DatasetDefinition:
    """The definition of the dataset that a ground truth belongs to: that of its name, gt_NAME.json, or else the one
    whose classes its labels are, or else that of the folder it was found for.

    The labels are those of a dataset if RECOGNISED of them are its classes, and of its classes are among them. Raises
    InputError where the file is no ground truth.
    """
    files, name = FILES.files(), truth.stem.removeprefix("gt_")
    if name in files and truth.stem != name:
        return definition(name)
    present = {spelling(label) for label in label_uses(read_object(truth, "database").entries)}
    shares = [
        (len(present & {spelling(label) for label in known.classes}) / max(len(present), len(known.classes)), known)
        for known in visible()
        if known.classes
    ]
    share, best = max(shares, key=lambda one: one[0], default=(0.0, None))
    if best is not None and share >= RECOGNISED:
        return best
    return definition(folder) if folder in files else DatasetDefinition(name=folder)


def list_datasets() -> list[Listed]:
    """Every dataset with a file that a name leads to, by name, with its one-line description."""
    return FILES.listed()


def require_name(text: str) -> str:
    """The name. Raises InputError for one that could not name a folder and a file."""
    if not USABLE.fullmatch(text):
        rule = "a name has at most 100 letters, digits, spaces, dots, - and _, and begins with a letter, digit or _"
        raise InputError(f"'{printable(text[:100])}' is no name of a dataset; {rule}")
    return text


def dataset_name(text: str) -> str:
    """The name of a dataset; that of a known one if the text differs from it only by case, dots, hyphens or spaces.

    Raises InputError as `require_name`.
    """
    names = FILES.files()
    if text in names:
        return text
    plain = _plain(text)
    return next((name for name in names if plain and _plain(name) == plain), require_name(text))


def name_of(name: str | None, file: Path | None, otherwise: str = "thumos14") -> str:
    """The name of a dataset: the one given, else that of its file. Raises InputError as `require_name`."""
    return name or (otherwise if file is None else require_name(file.stem))


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
