"""The data command: checks a dataset, or converts it to arrays that training maps into memory."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tal_search.cli.arguments import Grammar, Key, number, one_of, parse, whole
from tal_search.cli.console import console, print_line
from tal_search.data.catalog import DATASETS, dataset_name, known
from tal_search.data.check import ClickSurvey, SplitSurvey, survey
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.cache import convert
from tal_search.data.features.layouts import NAMES
from tal_search.data.features.timing import Timing
from tal_search.data.find import find
from tal_search.data.simulation.videos import Simulation
from tal_search.errors import InputError
from tal_search.text.commands import override
from tal_search.text.words import counted

USAGE = """\
tal-search data check ROOT [KEY=VALUE ...]
tal-search data convert ROOT out=DIR [snippets=T] [KEY=VALUE ...]

check reads every file and lists all problems, or what is there: videos,
seconds, instances, clicks per minute. convert writes every video at T snippets
to one folder of memory-mapped arrays, in half precision if the values allow it;
use it as dataset.root=DIR.

  name=thumos14          dataset (activitynet12, hacs, beoid, gtea, or any name)
  layout=auto            backtal, basnet, actionformer, hdf5 or converted; see
                         docs/datasets.md
  stride= offset= fps=   snippet i is centred at (i·stride + offset)/fps s; only
                         if this differs from the layout
  ground_truth=FILE      if it is not beside the features
  clicks=DIR             if they are not beside the features
"""
ANY_LENGTH = 2  # snippets; `check` rescales nothing, so any number will do
NO_NUMBER = "is not a positive number; give one"
POSITIVE = number(1e-6, 1e6, NO_NUMBER)
FRAMES = number(0, 1e6, "is not a number of frames; give one that is not negative")
KEYS = {
    "name": Key(convert=dataset_name, default="thumos14"),
    "layout": Key(convert=one_of(NAMES), default="auto"),
    "stride": Key(convert=POSITIVE),
    "offset": Key(convert=FRAMES),
    "fps": Key(convert=POSITIVE),
    "ground_truth": Key(convert=Path),
    "clicks": Key(convert=Path),
    "snippets": Key(convert=whole(ANY_LENGTH, 10**6, NO_NUMBER)),
}
OUT = {"out": Key(convert=Path, required="give the new folder")}
ROOT = "takes one folder of features"
CHECK = Grammar(command="data check", keys={**KEYS, "out": Key(convert=Path)}, words=(1, 1), needs=ROOT)
CONVERT = Grammar(command="data convert", keys={**KEYS, **OUT}, words=(1, 1), needs=ROOT)
GRAMMARS = {"check": CHECK, "convert": CONVERT}


def command(arguments: list[str]) -> int:
    """Check or convert; returns the exit code. Raises InputError with all problems."""
    action = arguments[0]
    if action not in GRAMMARS:
        raise InputError(f"command line: '{action}' is unknown; write `tal-search data check ROOT` or `data convert`")
    parsed = parse(GRAMMARS[action], arguments[1:])
    started = time.monotonic()
    spec, screen = _found(Path(parsed.words[0]), parsed.values), console()
    print_line(screen, f"Data: {spec.description}")
    notes: list[str] = []
    splits, clicks = survey(spec, notes)
    lines = [_split_line(*both) for both in zip(splits, _published(spec.name, splits), strict=True)]
    lines += [*map(_click_line, clicks), *notes]
    seconds, videos = time.monotonic() - started, sum(len(split.seconds) for split in splits)
    verdict = f"Usable, with {counted(len(notes), 'note')} above" if notes else "No problems"
    lines.append(f"{verdict}: {videos} videos read in {seconds:.1f} s.")
    if action == "convert":
        out, written = parsed.values["out"], list[str]()
        convert(spec, out, written)
        lines += [*written, f"Converted to {spec.snippets} snippets; use {override('dataset.root', str(out))}"]
    for line in lines:
        print_line(screen, line)
    return 0


def _found(root: Path, values: dict[str, Any]) -> DatasetSpec:
    timing = Timing(**{key: values[key] for key in ("stride", "offset", "fps") if values[key] is not None})
    spec = find(
        values["name"], "features", root, values["ground_truth"], values["clicks"], ANY_LENGTH, Simulation(),
        values["layout"], timing,
    )  # fmt: skip
    snippets = spec.layout.get("snippets") or values["snippets"] or known(values["name"]).snippets
    return replace(spec, snippets=int(snippets))


def _published(name: str, splits: list[SplitSurvey]) -> tuple[int | None, ...]:
    """The published number of videos of each split; None where the videos are cut or divided otherwise.

    Where videos are missing both splits have fewer. Any other cut or division has more than published in one of them.
    """
    videos = known(name).videos
    if name not in DATASETS or any(len(split.seconds) > most for split, most in zip(splits, videos, strict=True)):
        return (None,) * len(splits)
    return videos


def _split_line(split: SplitSurvey, published: int | None) -> str:
    of = "" if published is None else f" of {published} published"
    (low, high), seconds = (split.snippets.min(), split.snippets.max()), split.seconds
    snippets = f"{low}" if low == high else f"{low} to {high}"
    lasting = f"{seconds.sum() / 60:.1f} min ({seconds.min():.1f} to {seconds.max():.1f} s)"
    return (
        f"{split.name}: {counted(len(seconds), 'video')}{of}, {lasting}, {snippets} snippets, "
        f"{counted(split.instances, 'instance')} of {split.classes} class{'' if split.classes == 1 else 'es'}"
    )


def _click_line(clicks: ClickSurvey) -> str:
    counts = f"{clicks.clicks} in {clicks.videos} videos, {clicks.per_minute:.2f} per minute"
    return f"{clicks.kind} of {clicks.annotator}: {counts}"
