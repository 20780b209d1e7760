"""Labels of files read as class names: spellings that differ only by case or separators name one class."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tal_search.data.definition import DatasetDefinition
from tal_search.data.truth.ambiguous import AMBIGUOUS
from tal_search.errors import LISTED, Problems
from tal_search.files.json_reader import JsonFile, brief, nearest
from tal_search.text.words import counted, some_of

SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015]+")
BACKGROUND = ("background", "backgroundbackground")  # spellings; the second one is that of BackTAL's clicks
SPLIT_NAMES = {"training": "train", "validation": "val", "testing": "test"}
NAMED = 5  # videos named in one sentence; the rest are counted
OTHER_DATASET = "or give the name of the dataset that has them (name=NAME; in a study, dataset.name=NAME)"


class Use(NamedTuple):
    """How many instances or detections have a label, and where the first one is, if that helps."""

    number: int
    place: str = ""


class Labels(NamedTuple):
    """classes: those of a ground truth, in order. named: label → class, or AMBIGUOUS. uses: label → its use."""

    classes: tuple[str, ...]
    named: dict[str, str]
    uses: dict[str, Use]

    @property
    def respelled(self) -> dict[str, str]:
        """The labels that are not spelled as their class."""
        return {label: name for label, name in self.named.items() if label != name}

    def notes(self, path: Path) -> list[str]:
        """A note on labels that are not spelled as their class."""
        return respelling_notes(path, {label: self.uses[label].number for label in self.respelled}, self.named)


def spelling(label: str) -> str:
    """What all spellings of a label share: no case, no spaces, underscores or hyphens, no invisible characters.

    Between two digits a separator counts, so that "1-2" is not "12".
    """
    text = unicodedata.normalize("NFKC", label).casefold()
    text = "".join(letter for letter in text if not _is_invisible(letter)) or text
    joined = ""
    for part in filter(None, SEPARATORS.split(text)):
        joined += f"_{part}" if joined[-1:].isdigit() and part[0].isdigit() else part
    return joined or text


def _is_invisible(letter: str) -> bool:
    return unicodedata.category(letter) == "Cf"


def shown(label: str) -> str:
    """A label for a message, in which invisible characters are escaped."""
    escaped = (letter.encode("unicode_escape").decode() if _is_invisible(letter) else letter for letter in label)
    return brief("".join(escaped))


def split_name(subset: str) -> str:
    """What all usual names of one split share, in any case and with any spaces: "Test " is "testing"."""
    name = spelling(subset)
    return SPLIT_NAMES.get(name, name)


def read_as(labels: Iterable[str], classes: Iterable[str]) -> dict[str, str]:
    """Label → the class that it names, exactly or else in another spelling, without the labels that name none."""
    exact = dict.fromkeys(classes)
    shared = Counter(map(spelling, exact))
    by_spelling = {spelling(name): name for name in exact if shared[spelling(name)] == 1}
    named = {label: label if label in exact else by_spelling.get(spelling(label)) for label in labels}
    return {label: name for label, name in named.items() if name is not None}


def respelling_notes(
    path: Path, counts: Mapping[str, int], named: Mapping[str, str], what: str = "instance"
) -> list[str]:
    """A note on labels that are read as a class that is spelled differently; counts: of `what`, by label."""
    items = [
        f"'{shown(label)}' ({counted(number, what)}) as '{shown(named[label])}'"
        for label, number in counts.items()
        if named.get(label, label) != label
    ]
    same = "labels that differ from a class only by case, separators or invisible characters are read as that class"
    return [f"{path}: {same}: {some_of(items)}"] if items else []


def described(uses: Mapping[str, Use], classes: Sequence[str] = (), what: str = "instance") -> str:
    """Labels with the number of their instances or detections, the place of the first, and the nearest class."""
    items: list[str] = []
    for label, use in uses.items():
        near = nearest(label, classes) if len(items) < LISTED else None
        hint = f"; did you mean '{near}'?" if near else ""
        place = f", first in {use.place}" if use.place else ""
        items.append(f"'{shown(label)}' ({counted(use.number, what)}{place}{hint})")
    return some_of(items)


def named(names: Iterable[str]) -> str:
    """The first names, such as those of videos, and how many more there are."""
    return some_of([brief(name) for name in names], NAMED)


def read_labels(file: JsonFile, subset: Mapping[str, object], dataset: DatasetDefinition | None) -> Labels:
    """The classes of a ground truth and what its labels name; adds a problem for each kind of wrong label.

    Classes are the names in `activity_list`, in its order, else the sorted labels of the whole file, so that all
    subsets number them alike; those of a dataset that lists its classes are spelled as there, others as most often in
    the file. subset: the entries whose labels must be in `activity_list`. Problems are labels that are no class of the
    dataset, that `activity_list` does not name, and that mean background.
    """
    uses, names, problems = label_uses(file.entries), _activity_list(file), file.problems
    known = dataset if dataset is not None and dataset.classes else None
    actions = [label for label in (uses if names is None else names) if _is_action(label)]
    spelled = read_as(actions, known.classes) if known else _most_used(actions, uses)
    foreign = {label: uses.get(label, Use(0, "activity_list")) for label in actions if label not in spelled}
    if known and foreign:
        what = f"labels that are no class of {known.shown}: {described(foreign, known.classes)}"
        problems.add(f"{what}; correct or remove them, {OTHER_DATASET}")
    if names is None:
        classes, here = tuple(sorted(set(spelled.values()))), uses
    else:
        classes = tuple(spelled.get(label, label) for label in actions)
        here = {label: uses[label] for label in label_uses(subset)}
        _require_distinct(names, problems)
    named = read_as(filter(_is_action, uses), classes)
    named |= {label: AMBIGUOUS for label in uses if spelling(label) == spelling(AMBIGUOUS)}
    background = {label: use for label, use in here.items() if spelling(label) in BACKGROUND}
    if background:
        what = f"labels that mean background, which is no class: {described(background)}"
        problems.add(f"{what}; remove these instances: time without an instance is background")
    unnamed = {label: use for label, use in here.items() if label not in named | background | foreign}
    if unnamed:
        what = f"labels that activity_list does not name: {described(unnamed, classes)}"
        problems.add(f"{what}; correct one of them")
    return Labels(classes, named, uses)


def label_uses(entries: Mapping[str, object]) -> dict[str, Use]:
    """Each label of the entries of a ground truth, in order of appearance; whatever is no label is left out."""
    counts: Counter[str] = Counter()
    places: dict[str, str] = {}
    for video, entry in entries.items():
        items = entry.get("annotations") if isinstance(entry, dict) else None
        for number, item in enumerate(items if isinstance(items, list) else ()):
            label = item.get("label") if isinstance(item, dict) else None
            if isinstance(label, str) and label.strip():
                counts[label] += 1
                places.setdefault(label, f"database.{video}.annotations[{number}]")
    return {label: Use(count, places[label]) for label, count in counts.items()}


def _is_action(label: str) -> bool:
    return spelling(label) not in (*BACKGROUND, spelling(AMBIGUOUS))


def _most_used(labels: Iterable[str], uses: Mapping[str, Use]) -> dict[str, str]:
    """Label → its most frequent spelling; ties go to the first in alphabetical order."""
    best: dict[str, str] = {}
    spellings = {label: spelling(label) for label in labels}
    for label in sorted(spellings, key=lambda label: (-uses[label].number if label in uses else 0, label)):
        best.setdefault(spellings[label], label)
    return {label: best[shared] for label, shared in spellings.items()}


def _activity_list(file: JsonFile) -> list[str] | None:
    """The names in `activity_list`; None without one. Raises InputError where it is no list of names."""
    names, problems = file.content.get("activity_list"), file.problems
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        problems.add(f"activity_list is {brief(names)}; give a list of labels, or leave it out")
        problems.raise_if_any()
        return None
    background = [name for name in names if spelling(name) in BACKGROUND]
    if background:
        problems.add(f"activity_list names '{brief(background[0])}', which is no class; remove it")
    return names


def _require_distinct(names: Sequence[str], problems: Problems) -> None:
    """Add a problem for each name that a list holds more than once, in one spelling or several."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(spelling(name), []).append(name)
    for same in groups.values():
        if len(set(same)) > 1:
            spelled = " and ".join(f"'{shown(name)}'" for name in dict.fromkeys(same))
            problems.add(f"activity_list names {spelled}, which differ only by case or separators; keep one")
        elif len(same) > 1:
            problems.add(f"activity_list names '{brief(same[0])}' {len(same)} times; keep one")
