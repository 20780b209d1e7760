"""The data command: reads a dataset once and says what is in it, or converts it into arrays that training maps."""

from __future__ import annotations

import difflib
import time
from dataclasses import replace
from pathlib import Path

from tal_search.cli.console import console, said
from tal_search.data.catalog import DATASETS, known
from tal_search.data.check import ClickSurvey, SplitSurvey, survey
from tal_search.data.features.cache import convert
from tal_search.data.features.layouts import NAMES
from tal_search.data.features.timing import Timing
from tal_search.data.find import find
from tal_search.data.simulation.videos import Simulation
from tal_search.errors import InputError
from tal_search.types import DatasetSpec

USAGE = """\
tal-search data check ROOT [KEY=VALUE ...]
tal-search data convert ROOT out=DIR [snippets=T] [KEY=VALUE ...]

check reads every file once and lists all that is wrong, or says what is there: videos, seconds, instances, clicks a
minute. convert writes every video at T snippets into one folder of arrays that training maps from the disk, half as
large where half precision allows it; then dataset.root=DIR.

  name=thumos14           the dataset (activitynet12, hacs, beoid, gtea, or another name)
  layout=auto             how features lie: backtal, basnet, actionformer, hdf5, converted; see docs/datasets.md
  stride= offset= fps=    snippet i is centred at (i·stride + offset)/fps seconds, where not as the layout has it
  ground_truth=FILE       where it is not beside the features
  clicks=DIR              likewise
"""
KEYS = ("name", "layout", "stride", "offset", "fps", "ground_truth", "clicks", "snippets", "out")
ANY_LENGTH = 2  # of a dataset that is only checked: nothing is rescaled


def command(arguments: list[str]) -> int:
    """Check or convert; returns the exit code. Raises InputError with everything that is wrong."""
    action, root, values = _parsed(arguments)
    started = time.monotonic()
    spec, screen = _found(root, values), console()
    screen.print(f"Data: {spec.description}", markup=False, soft_wrap=True)
    notes: list[str] = []
    splits, clicks = survey(spec, notes)
    lines = [_split_line(split, spec.name) for split in splits] + [_click_line(found) for found in clicks] + notes
    seconds, videos = time.monotonic() - started, sum(len(split.seconds) for split in splits)
    lines.append(f"Everything is whole: {videos} videos read in {seconds:.1f} s.")
    if action == "convert":
        out, written = Path(values["out"]), list[str]()
        convert(spec, out, written)
        lines += [*written, f"Converted to {spec.snippets} snippets; give dataset.root={out}"]
    for line in lines:
        screen.print(said(line), soft_wrap=True)
    return 0


def _parsed(arguments: list[str]) -> tuple[str, Path, dict[str, str]]:
    action, problems = arguments[0], []
    if action not in ("check", "convert"):
        raise InputError(f"command line: '{action}' is unknown; write `tal-search data check ROOT` or `data convert`")
    roots = [argument for argument in arguments[1:] if "=" not in argument]
    values = dict(argument.split("=", 1) for argument in arguments[1:] if "=" in argument)
    if len(roots) != 1 or roots[0].startswith("-"):
        problems.append(f"command line: data {action} takes one folder of features, not {' '.join(roots) or 'none'}")
    for key in values.keys() - set(KEYS):
        near = difflib.get_close_matches(key, KEYS, 1)
        problems.append(
            f"command line: {key} is unknown; " + (f"did you mean '{near[0]}'?" if near else ", ".join(KEYS))
        )
    problems += [
        f"command line: {key}={values[key]} is not a positive number; give one"
        for key in ("stride", "offset", "fps", "snippets")
        if key in values and _number(values[key], whole=key == "snippets") is None
    ]
    if values.get("layout", "auto") not in NAMES:
        problems.append(f"command line: layout={values['layout']} is not one of {', '.join(NAMES)}")
    if action == "convert" and not values.get("out"):
        problems.append("command line: out= is missing; give the new folder")
    if problems:
        raise InputError(problems)
    return action, Path(roots[0]), values


def _number(text: str, *, whole: bool = False) -> float | None:
    """A number of the command line that is no less than 0, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    fits = number >= ANY_LENGTH and number.is_integer() if whole else number >= 0
    return number if fits and number < 1e6 else None


def _found(root: Path, values: dict[str, str]) -> DatasetSpec:
    path = {key: Path(values[key]) for key in ("ground_truth", "clicks") if key in values}
    timing = Timing(**{key: _number(values[key]) for key in ("stride", "offset", "fps") if key in values})
    name = values.get("name", "thumos14")
    spec = find(
        name, "features", root, path.get("ground_truth"), path.get("clicks"), ANY_LENGTH, Simulation(),
        values.get("layout", "auto"), timing,
    )  # fmt: skip
    snippets = spec.layout.get("snippets") or values.get("snippets") or known(name).snippets
    return replace(spec, snippets=int(snippets))


def _split_line(split: SplitSurvey, name: str) -> str:
    published = known(name).videos[split.name != "training"] if name in DATASETS else None
    of = "" if published is None else f" of {published} published"
    (low, high), seconds = (split.snippets.min(), split.snippets.max()), split.seconds
    snippets = f"{low}" if low == high else f"{low} to {high}"
    lasting = f"{seconds.sum() / 60:.1f} min ({seconds.min():.1f} to {seconds.max():.1f} s)"
    return (
        f"{split.name}: {len(seconds)} videos{of}, {lasting}, {snippets} snippets, "
        f"{split.instances} instances of {split.classes} classes"
    )


def _click_line(found: ClickSurvey) -> str:
    counts = f"{found.clicks} in {found.videos} videos, {found.per_minute:.2f} a minute"
    return f"{found.kind} of {found.annotator}: {counts}"
