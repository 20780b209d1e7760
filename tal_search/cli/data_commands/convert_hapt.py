"""data convert-hapt: HAPT's raw files to features, one file a sequence, and a ground truth."""

from __future__ import annotations

import re
from pathlib import Path

from tal_search.cli.arguments import Grammar, Key, one_of, parse
from tal_search.cli.console import console, print_line
from tal_search.data.hapt import sequences, windows
from tal_search.data.hapt.conversion import convert_hapt
from tal_search.data.hapt.raw_files import RATE
from tal_search.text.commands import command_line
from tal_search.text.words import counted

OFFICIAL = "official"
FOLD = re.compile(r"(\d{1,4})/(\d{1,4})")
SNIPPETS = {"whole": 750, "windows": 160, "clips": 200}  # T of studies: about two windows a snippet, at most


def fold(text: str) -> tuple[int, int] | None:
    """None for "official"; (K, N) for "K/N". Raises ValueError for any other text."""
    match = FOLD.fullmatch(text)
    if text == OFFICIAL:
        return None
    if match is None or int(match[2]) < 2 or int(match[1]) >= int(match[2]):
        raise ValueError(f"is no split; give {OFFICIAL}, or K/N with K from 0 to N - 1, such as 0/5")
    return int(match[1]), int(match[2])


GRAMMAR = Grammar(
    command="data convert-hapt",
    keys={
        "out": Key(convert=Path, required="give the new folder"),
        "features": Key(convert=one_of(windows.KINDS), default="raw"),
        "sequences": Key(convert=one_of(sequences.KINDS), default="whole"),
        "folds": Key(convert=fold),
    },
    words=(1, 1),
    needs="takes one folder, RawData of the download",
)


def command(arguments: list[str]) -> int:
    """Convert and print what was written and the next commands; returns the exit code. Raises InputError."""
    parsed, notes = parse(GRAMMAR, arguments), list[str]()
    out, kind = parsed.values["out"], parsed.values["sequences"]
    written = convert_hapt(Path(parsed.words[0]), out, parsed.values["features"], kind, parsed.values["folds"], notes)
    screen = console()
    for subset in sequences.SUBSETS:
        print_line(screen, _subset_line(subset, [sequence for sequence in written if sequence.subset == subset]))
    for note in notes:
        print_line(screen, note)
    print_line(screen, f"Written to {out}. Next:")
    snippets = () if kind == "windows" else (f"dataset.snippets={SNIPPETS[kind]}",)
    print_line(screen, f"  {command_line('data', 'check', str(out), 'name=hapt')}")
    print_line(screen, f"  {command_line('run', 'study=hapt_methods', f'dataset.root={out}', *snippets, '--preview')}")
    return 0


def _subset_line(subset: str, part: list[sequences.Sequence]) -> str:
    people = len({sequence.recording.user for sequence in part})
    minutes = sum(sequence.end - sequence.start for sequence in part) / RATE / 60
    instances = counted(sum(len(sequence.instances) for sequence in part), "instance")
    recordings = counted(len({sequence.recording.name for sequence in part}), "recording")
    persons = "1 person" if people == 1 else f"{people} people"
    return f"{subset}: {recordings} of {persons}, {counted(len(part), 'sequence')}, {minutes:.1f} min, {instances}"
