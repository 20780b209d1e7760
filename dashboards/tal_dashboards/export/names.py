"""File names of exported tables and figures: ASCII letters, digits and a few marks, no two alike."""

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
MOST_CHARACTERS = 95  # of a name; with its ending at most 100
DIGITS = 8  # of the hash behind a name that says less than its title


def file_names(view: str, titles: Iterable[str]) -> dict[str, str]:
    """The names of a view's tables or figures by title; those that would be one file get a hash of their titles."""
    found = {title: file_name(view, title) for title in titles}
    count = Counter(name.casefold() for name in found.values())  # some file systems know no upper and lower case
    return {
        title: file_name(view, title, distinct=count[name.casefold()] > 1) for title, name in found.items()
    }  # fmt: skip


def file_name(view: str, title: str, *, distinct: bool = False) -> str:
    """Of a table or figure, without its ending: no title leads anywhere else. distinct: with a hash of the title.

    The figure that is called like its view is called so alone.
    """
    if title == view and not distinct:
        return view
    letters = "".join(GREEK.get(one, one) for one in unicodedata.normalize("NFKD", title))
    words = re.sub(r"[^A-Za-z0-9_@=-]+", "-", letters.encode("ascii", "ignore").decode()).strip("-")
    name = f"{view}-{words}"
    if not words or distinct or len(name) > MOST_CHARACTERS:
        digest = hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()[:DIGITS]
        name = f"{name[: MOST_CHARACTERS - DIGITS - 1].rstrip('-')}-{digest}"
    return name
