"""The text of a draft: a definition in YAML, with the evidence for each value as comments for the user to edit."""

from __future__ import annotations

import re
import textwrap

from tal_search.data.draft.choices import Choices
from tal_search.data.draft.look import Look
from tal_search.text.printable import printable

WIDTH = 118
# Text that YAML reads as itself, without quotes.
PLAIN = re.compile(
    r"(?!(?:null|true|false|yes|no|on|off|y|n|nan|inf)$)[A-Za-z](?:[\w ./()-]*[\w)])?", re.ASCII | re.IGNORECASE
)


def document(seen: Look, chosen: Choices) -> str:
    """The content of datasets/NAME.yaml."""
    evidence = {choice.key: choice.evidence for choice in chosen.inferred}
    lines = [
        *_comment("Drafted by `tal-search data init` from the files. Correct what is wrong, fill in what is missing."),
        *(line for gap in chosen.missing for line in _comment(f"Not inferred: {gap.key}: {gap.why}; {gap.give}.")),
        f"title: {scalar(seen.name)}",
        f"description: {scalar(_described(seen))}",
        'source: "" # where the data comes from and how to get it',
        *_classes(seen, chosen),
        *_comment(f"splits: {evidence['splits']}"),
        "splits:",
        f"  training: [{', '.join(map(scalar, chosen.training))}]",
        f"  test: [{', '.join(map(scalar, chosen.test))}]",
    ]
    for key, value in (("layout", chosen.layout and scalar(chosen.layout)), ("stride", _number(chosen.stride)),
                       ("offset", _number(chosen.offset)), ("fps", _number(chosen.fps)),
                       ("snippets", str(chosen.snippets)),
                       ("tiou", f'"{chosen.tiou}"')):  # fmt: skip
        if value:
            lines += [*_comment(f"{key}: {evidence.get(key, 'given')}"), f"{key}: {value}"]
    lines += ["protocol: activitynet"]
    if chosen.groups is not None:
        folds = f"dataset.folds: {{by: '{chosen.groups.pattern}', of: {chosen.groups.number}}}"
        lines += _comment(f"One fold for each of {chosen.groups.number} groups in the names, in a study: {folds}")
    return "\n".join(lines) + "\n"


def scalar(text: str) -> str:
    """A text as YAML reads it back: plain, or in double quotes."""
    if PLAIN.fullmatch(text):
        return text
    escaped = "".join(_escaped(letter) for letter in text)
    return f'"{escaped}"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def _described(seen: Look) -> str:
    videos = f"{len(seen.train.videos)} training and {len(seen.test.videos)} test videos"
    return f"{videos}, {len(seen.train.label) + len(seen.test.label)} instances of {len(seen.train.classes)} classes"


def _classes(seen: Look, chosen: Choices) -> list[str]:
    if not chosen.classes or any("${" in name for name in chosen.classes):
        return _comment(f"classes: those of the ground truth ({len(seen.train.classes)})")
    listed = ", ".join(map(scalar, chosen.classes))
    return ["classes:", *textwrap.wrap(f"[{listed}]", WIDTH, initial_indent="  ", subsequent_indent="   ",
                                       break_long_words=False, break_on_hyphens=False)]  # fmt: skip


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(printable(text), WIDTH, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)
