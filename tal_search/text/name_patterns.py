"""Regular expressions of a study that find groups of videos, such as people, in their names."""

from __future__ import annotations

import math
import re
import warnings

LONGEST_PATTERN = 100  # characters of a regular expression
MOST_STEPS = 10**7  # that Python's backtracking matcher may take for one name: some tenths of a second


def pattern_problem(pattern: str, longest: int = 60) -> str | None:
    """Why a regular expression cannot find groups in names, with the fix; None if it can. longest: characters of names.

    Python's matcher backtracks. Without repeated groups and references to groups, a pattern with k repetitions takes
    at most C(n + k, k + 1) steps in a name of n characters; greater numbers are refused.
    """
    if len(pattern) > LONGEST_PATTERN:
        return f"has {len(pattern)} characters; give at most {LONGEST_PATTERN}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as of "[[", whose meaning may change
            groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError, Warning) as error:
        return f"is no regular expression ({error}); correct it"
    if groups > 1:
        return f"has {groups} groups in parentheses; keep the one that is wanted, and write (?:...) for the others"
    if re.search(r"\(\?[a-zA-Z-]*x", pattern):
        return "is verbose, (?x); write it without blanks"
    bare = re.sub(r"\\[^\d]|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?", "", pattern)  # without escapes, sets and the ? of (?
    if re.search(r"\)[*+{]", bare):
        return "repeats a group, which can take forever on some names; repeat single characters only"
    if re.search(r"\\\d|P=", bare):
        return "refers to a group, which can take forever on some names; write the pattern out"
    repetitions = len(re.findall(r"[*+{]|\?", re.sub(r"([*+?}])[?+]", r"\1", bare)))
    if math.comb(longest + repetitions, repetitions + 1) > MOST_STEPS:
        return f"has {repetitions} repetitions, which can take forever on names of {longest} characters; use fewer"
    return None


def group_of(name: str, pattern: str) -> str | None:
    """What a regular expression finds in a name, such as a person: its group, else its match; None without any."""
    found = re.search(pattern, name)
    return None if found is None else (found[1] if found.re.groups else found[0])
