"""The data command: checks a dataset, or converts it to arrays that training maps into memory."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tal_search.cli.arguments import Grammar, Key, number, one_of, parse_leniently, whole
from tal_search.cli.console import console, print_line
from tal_search.cli.data_commands import convert_hapt
from tal_search.cli.data_init import init
from tal_search.data.catalog import dataset_name, definition, name_of
from tal_search.data.check import ClickSurvey, SplitSurvey, survey
from tal_search.data.clicks.drawn_clicks import with_drawn_clicks
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.definition import USUAL_SNIPPETS
from tal_search.data.features.cache import convert
from tal_search.data.features.layouts import NAMES
from tal_search.data.features.timing import Timing
from tal_search.data.find import find
from tal_search.data.simulation.videos import Simulation
from tal_search.errors import InputError, Problems
from tal_search.study.dataset_keys import fold_places, read_settings, separated
from tal_search.study.effective_preset import preset_problems
from tal_search.study.presets import folded
from tal_search.text.commands import override
from tal_search.text.words import counted

USAGE = """\
tal-search data init ROOT [out=FILE] [KEY=VALUE ...]
tal-search data check ROOT [KEY=VALUE ...]
tal-search data convert ROOT out=DIR [snippets=T] [KEY=VALUE ...]
tal-search data convert-hapt RAWDATA out=DIR [features=raw|statistics]
                [sequences=whole|windows|clips] [folds=official|K/N]

init looks at a folder, writes datasets/NAME.yaml (or out=FILE) to edit, and
says what it inferred, what it could not, and what you may ask next. check reads
every file and lists all problems, or what is there: videos, seconds, instances,
clicks per minute. convert writes every video at T snippets to one folder of
memory-mapped arrays, in half precision if the values allow it; use it as
dataset.root=DIR.

  name=thumos14          dataset: one that `tal-search list` names, or any name
  file=FILE              what is known of it; default: datasets/NAME.yaml of the
                         working folder, else the installed one
  layout=auto            backtal, basnet, actionformer, hdf5 or converted; see
                         docs/datasets.md
  stride= offset= fps=   snippet i is centred at (i·stride + offset)/fps s; only
                         if this differs from the dataset's file and the layout
  ground_truth=FILE      if it is not beside the features
  clicks=DIR             if they are not beside the features
  folds={by: REGEX, of: N}     check only: folds over subjects
  clickers={background: uniform, action: uniform, annotators: 3, instead: false}
                         check only: simulated clicks, see docs/studies.md

Keys may be written as in a study, dataset.KEY=, and parts of folds and clickers
one by one, folds.by=REGEX.

convert-hapt makes features and a ground truth from the folder RawData of HAPT
(UCI data set 341); see docs/hapt.md. folds=0/5 tests every fifth person.
"""
ANY_LENGTH = 2  # snippets; `check` rescales nothing, so any number will do
NO_NUMBER = "is not a positive number; give one"
POSITIVE = number(1e-6, 1e6, NO_NUMBER)
FRAMES = number(0, 1e6, "is not a number of frames; give one that is not negative")
KEYS = {
    "name": Key(convert=dataset_name),
    "file": Key(convert=Path),
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
SECTIONS = {"check": ("folds", "clickers"), "convert": ()}  # of a study's `dataset` that change what the command says
CHECK = Grammar(command="data check", keys={**KEYS, "out": Key(convert=Path)}, words=(1, 1), needs=ROOT)
CONVERT = Grammar(command="data convert", keys={**KEYS, **OUT}, words=(1, 1), needs=ROOT)
GRAMMARS = {"check": CHECK, "convert": CONVERT}


def command(arguments: list[str]) -> int:
    """Check or convert; returns the exit code. Raises InputError with all problems."""
    action = arguments[0]
    if action == "init":
        return init(separated(arguments[1:], ())[0], {**KEYS, "out": Key(convert=Path)})
    if action == "convert-hapt":
        return convert_hapt.command(arguments[1:])
    if action not in GRAMMARS:
        raise InputError(f"command line: '{action}' is unknown; write `tal-search data check ROOT` or `data convert`")
    rest, overrides = separated(arguments[1:], SECTIONS[action])
    parsed, (settings, written) = parse_leniently(GRAMMARS[action], rest), read_settings(overrides)
    parsed.problems.extend(written.problems)
    parsed.problems.raise_if_any()
    started = time.monotonic()
    spec, screen = _found(Path(parsed.words[0]), parsed.values), console()
    spec = folded(with_drawn_clicks(spec, settings.clickers), settings.folds, fold_places(written))
    print_line(screen, f"Data: {spec.description}")
    notes: list[str] = []
    splits, clicks = survey(spec, notes)
    lines = [_split_line(*both) for both in zip(splits, _published(spec, splits), strict=True)]
    lines += [*map(_click_line, clicks), *notes]
    seconds, videos = time.monotonic() - started, sum(len(split.seconds) for split in splits)
    verdict = f"Usable, with {counted(len(notes), 'note')} above" if notes else "No problems"
    lines.append(f"{verdict}: {videos} videos read in {seconds:.1f} s.")
    if action == "convert":
        out, said = parsed.values["out"], list[str]()
        convert(spec, out, said)
        lines += [*said, f"Converted to {spec.snippets} snippets; use {override('dataset.root', str(out))}"]
    for line in lines:
        print_line(screen, line)
    return 0


def _found(root: Path, values: dict[str, Any]) -> DatasetSpec:
    timing = Timing(**{key: values[key] for key in ("stride", "offset", "fps") if values[key] is not None})
    name, file, problems = name_of(values["name"], values["file"]), values["file"], Problems()
    with problems.gather():
        problems.extend(preset_problems(definition(name, file), file))
    with problems.gather():
        spec = find(
            name, "features", root, values["ground_truth"], values["clicks"], ANY_LENGTH, Simulation(),
            values["layout"], timing, file,
        )  # fmt: skip
    if problems:
        raise InputError(dict.fromkeys(problems))  # a file that cannot be read is reported by both
    snippets = spec.layout.get("snippets") or values["snippets"] or spec.facts.snippets or USUAL_SNIPPETS
    return replace(spec, snippets=int(snippets))


def _published(spec: DatasetSpec, splits: list[SplitSurvey]) -> tuple[int | None, ...]:
    """The published number of videos of each split; None where the videos are cut or divided otherwise.

    Where videos are missing both splits have fewer. Any other cut or division has more than published in one of them.
    """
    counts = spec.facts.videos
    videos = (counts.training, counts.test)
    if any(len(split.seconds) > most for split, most in zip(splits, videos, strict=True)):
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
    return f"{clicks.kind} of {clicks.annotator}{clicks.drawn and f' (simulated, {clicks.drawn})'}: {counts}"
