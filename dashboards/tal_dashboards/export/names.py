"""File names of exported tables and figures: distinct, in ASCII letters, digits and a few punctuation marks."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
GREEK = dict(zip(LETTERS, NAMES.split(), strict=True))
MOST_CHARACTERS = 95  # of a name; at most 100 with its suffix
DIGITS = 8  # of the hash added to a name that was shortened or is not unique


def file_names(view: str, titles: Iterable[str]) -> dict[str, str]:
    """Names of a view's tables or figures by title; equal names get a hash of the title."""
    names = {title: file_name(view, title) for title in titles}
    count = Counter(name.casefold() for name in names.values())  # some file systems ignore case
    return {title: file_name(view, title, distinct=count[name.casefold()] > 1) for title, name in names.items()}


def file_name(view: str, title: str, *, distinct: bool = False) -> str:
    """The file name without suffix, safe for any title: VIEW-TITLE, or VIEW for a figure named like its view.

    distinct: append a hash of the title.
    """
    if title == view and not distinct:
        return view
    letters = "".join(GREEK.get(letter, letter) for letter in unicodedata.normalize("NFKD", title))
    words = re.sub(r"[^A-Za-z0-9_@=-]+", "-", letters.encode("ascii", "ignore").decode()).strip("-")
    name = f"{view}-{words}"
    if not words or distinct or len(name) > MOST_CHARACTERS:
        digest = hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()[:DIGITS]
        name = f"{name[: MOST_CHARACTERS - DIGITS - 1].rstrip('-')}-{digest}"
    return name
