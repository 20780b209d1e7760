"""Groups of videos in their names, such as the person in exp01_user07, by which a dataset can be folded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

LEAST_VIDEOS = 1.5  # a group has on average; with fewer the number counts videos
NUMBERED = re.compile(r"([A-Za-z]+)([_\- ]?)\d+")
PEOPLE = ("user", "subject", "subj", "sub", "sbj", "person", "participant", "patient", "volunteer", "actor", "player",
          "speaker", "worker", "p", "s", "u")  # fmt: skip
# Numbers that count cuts of a video or views of it.
NO_GROUPS = ("cam", "camera", "view", "clip", "part", "seg", "segment", "window", "win", "take", "trial", "video",
             "vid", "v", "c", "frame", "frames", "fps")  # fmt: skip


class NameGroups(NamedTuple):
    """pattern: a regular expression that every name matches; its group 1 is the group. people: whether the word says
    so. groups: name → group.
    """

    pattern: str
    people: bool
    groups: dict[str, str]

    @property
    def number(self) -> int:
        return len(set(self.groups.values()))

    def shared(self, *splits: Sequence[str]) -> set[str]:
        """The groups that all of these splits have videos of."""
        return set.intersection(*({self.groups[name] for name in split} for split in splits))


def name_groups(names: Sequence[str]) -> NameGroups | None:
    """The likeliest groups in the names: people first, then any other number that several names share; None without."""
    if not names:
        return None
    words = list(dict.fromkeys((match[1], match[2]) for match in NUMBERED.finditer(names[0])))
    ranked = sorted(words, key=lambda word: word[0].lower() not in PEOPLE)
    patterns = [
        (rf"{word}{sign}(\d+)", word.lower() in PEOPLE) for word, sign in ranked if word.lower() not in NO_GROUPS
    ]
    for pattern, people in [*patterns, (r"^(\d+)\D", False)]:
        whole = rf"(?<![A-Za-z]){pattern}"  # not the end of a longer word
        found = _matched(whole, names)
        groups = NameGroups(pattern if _matched(pattern, names) == found else whole, people, found)
        if len(found) == len(names) and 2 <= groups.number <= len(names) / LEAST_VIDEOS:
            return groups
    return None


def _matched(pattern: str, names: Sequence[str]) -> dict[str, str]:
    return {name: match[1] for name in names if (match := re.search(pattern, name))}
