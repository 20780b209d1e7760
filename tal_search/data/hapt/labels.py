"""Reader of HAPT's labels.txt.

A line is one instance: experiment, user, activity (1 to 12), first and last sample, counted from 1 (README.txt of the
release).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tal_search.data.truth.labels import named
from tal_search.errors import Problems
from tal_search.files.json_reader import brief, content_of
from tal_search.text.words import counted

CLASSES = (
    "walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "lying", "stand-to-sit", "sit-to-stand",
    "sit-to-lie", "lie-to-sit", "stand-to-lie", "lie-to-stand",
)  # fmt: skip
COLUMNS = 5
DIGITS = 9  # most of one number
MOST_BYTES = 1 << 26  # of one text file; those of the release have up to 4 MiB
AGAIN = "fetch the file again"
Key = tuple[int, int]  # experiment, user


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One instance of a class, from sample `start` up to `end`, which is not part of it, counted from 0."""

    start: int
    end: int
    label: str


def recording_name(experiment: int, user: int) -> str:
    """The name of a recording, as in its files."""
    return f"exp{experiment:02d}_user{user:02d}"


def lines_of(path: Path, problems: Problems) -> list[str] | None:
    """The lines of a text file without blank ones at its end; None, with a problem, where it is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB")
        return content_of(path).decode("ascii").rstrip().split("\n")
    except OSError as error:
        problems.add(f"{path}: cannot be read ({error.strerror}); {AGAIN}", "unread")
    except ValueError as error:
        reason = "it has bytes that are not ASCII" if isinstance(error, UnicodeDecodeError) else error
        problems.add(f"{path}: is not a text of numbers ({reason}); {AGAIN}", "no text")
    return None


def read_activities(
    path: Path, lengths: Mapping[Key, int | None], everything: Problems, notes: list[str]
) -> dict[Key, list[Instance]]:
    """Instances by experiment and user. lengths: samples of each recording, None where they are not known.

    Adds a problem for each kind of wrong line, and notes on recordings without files and on those without a label.
    """
    problems, instances, absent = Problems(path), dict[Key, list[Instance]](), list[str]()
    lines_of_instances: dict[Key, list[tuple[Instance, int]]] = {}
    lines = lines_of(path, everything)
    for number, line in enumerate(lines or [], 1):
        texts = line.split()
        seen = f"line {number} is '{brief(line.strip())}'"
        if len(texts) != COLUMNS or not all(text.isdecimal() and len(text) <= DIGITS for text in texts):
            fix = "it must be 5 whole numbers: experiment, user, activity, first and last sample"
            problems.add(f"{seen}; {fix}", "columns")
            continue
        experiment, user, activity, first, last = map(int, texts)
        wrong = _wrong(experiment, user, activity, first, last, lengths)
        if wrong:
            problems.add(f"{seen}, {wrong[1]}", wrong[0])
        elif (experiment, user) in lengths:
            instance = Instance(start=first - 1, end=last, label=CLASSES[activity - 1])
            instances.setdefault((experiment, user), []).append(instance)
            lines_of_instances.setdefault((experiment, user), []).append((instance, number))
        else:
            absent.append(recording_name(experiment, user))
    for key, labelled in lines_of_instances.items():
        _refuse_overlaps(recording_name(*key), labelled, problems)
    with everything.gather():
        problems.raise_if_any()
    if absent:
        names = list(dict.fromkeys(absent))
        of = f"{counted(len(absent), 'instance')} of {counted(len(names), 'recording')} without files ({named(names)})"
        notes.append(f"{path}: {of} left out; is the download complete?")
    bare = [recording_name(*key) for key in lengths if key not in instances]
    if bare and lines:
        notes.append(f"{path}: {counted(len(bare), 'recording')} without a label ({named(bare)}), all background")
    return instances


def _refuse_overlaps(recording: str, labelled: list[tuple[Instance, int]], problems: Problems) -> None:
    """Report instances of a recording, with their lines, that share samples: a person does one activity at a time."""
    in_order = sorted(labelled, key=lambda one: (one[0].start, one[0].end))
    for (earlier, line), (later, other) in itertools.pairwise(in_order):
        if later.start < earlier.end:
            fix = "keep one" if later == earlier else "correct one of them"
            problems.add(f"lines {line} and {other} overlap in {recording}; {fix}", "overlap")


def _wrong(
    experiment: int, user: int, activity: int, first: int, last: int, lengths: Mapping[Key, int | None]
) -> tuple[str, str] | None:
    """The kind of problem that a line has, and the words that name it; None without any."""
    others = [name for number, name in lengths if number == experiment and name != user]
    length = lengths.get((experiment, user))
    if not 1 <= activity <= len(CLASSES):
        return "activity", f"whose activity {activity} is unknown; activities are 1 to {len(CLASSES)}"
    if not 1 <= first <= last:
        return "segment", f"whose samples {first} to {last} are no segment; correct them"
    if others and (experiment, user) not in lengths:
        return "user", f"but the files of experiment {experiment} are of user {others[0]}; correct one of them"
    if length is not None and last > length:
        return "beyond", f"beyond the end of {recording_name(experiment, user)}, which has {length} samples"
    return None
