"""Commands in messages and on pages, quoted so that they can be pasted into a shell."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

RUNS = Path("runs")  # the runs folder of a command that names none
KEY = re.compile(r"[\w.+-]+")
# Text that an override takes as it is. Other text needs quotes: brackets and commas have a meaning, `1` is a number.
PLAIN = re.compile(r"(?!(?i:null|none|true|false|nan|[+-]?inf)$)(?!.* #)(?=.*[/a-df-zA-DF-Z])[\w./][\w ./%?#&@+=-]*")


def command_line(*words: str, program: str = "tal-search") -> str:
    """A command with its words quoted where the shell needs it: `tal-search export study=grid runs='my runs'`.

    Lists are quoted whole, as in the documents: 'search.repeats.seeds=[0,1]'.
    """
    return " ".join([program, *map(quoted, words)])


def named(study: str, runs: Path) -> tuple[str, ...]:
    """The words that name a recorded study: study=NAME, and runs=FOLDER unless it is the default."""
    return (f"study={study}", *([] if runs == RUNS else [f"runs={runs}"]))


def repeated(study: str, runs: Path, overrides: Sequence[str], *changes: str) -> tuple[str, ...]:
    """The words of a study's last command line, with changes, for the runs folder where the study is now.

    overrides: those words, study=NAME first, or nothing. A change replaces an override of the same key.
    """
    keys = {change.partition("=")[0] for change in changes}
    given = overrides or (f"study={study}",)
    folder = [] if runs == RUNS else [f"runs={_literal(str(runs))}"]
    words = list[str]()
    for override in given:
        key = override.lstrip("+~").partition("=")[0]
        if key == "runs":
            words += folder
            folder = []
        elif key not in keys:
            words.append(override)
    return (*words, *folder, *changes)


def override(key: str, text: str) -> str:
    """An override of a study with a text as its value, quoted."""
    return quoted(f"{key}={_literal(text)}")


def quoted(word: str) -> str:
    """A word of a command; of KEY=VALUE only the value is quoted."""
    key, sign, value = word.partition("=")
    if not sign or not KEY.fullmatch(key) or value[:1] in ("[", "{"):
        return shlex.quote(word)
    return f"{key}={shlex.quote(value)}"


def _literal(text: str) -> str:
    """A text as the value of a study's override."""
    return text if PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
