"""The clicks command: what click files hold, measured against the ground truth."""

from __future__ import annotations

import math
from pathlib import Path

from tal_search.cli.arguments import Grammar, Key, parse
from tal_search.cli.console import console, said
from tal_search.data import data_folder
from tal_search.data.clicks.click_statistics import ClickStatistics, statistics_of
from tal_search.data.clicks.clicks import ClickedVideos, read_clicks
from tal_search.data.features.split_reader import read_both
from tal_search.errors import InputError
from tal_search.types import BACKGROUND_CLICKS

USAGE = """\
tal-search clicks stats FILE ... [ground_truth=FILE]

Counts the clicks of each file on the training videos: videos, clicks inside an instance, gaps (or instances) without a
click, and where in the gap (or instance) the clicks lie. The format is recognised by the content: BackTAL's CSV,
VIDEO,seconds,label lines, LACP's CSV, or JSON {VIDEO: [number, ...]}. Without ground_truth, the one beside each file.
"""
GRAMMAR = Grammar(
    command="clicks stats", keys={"ground_truth": Key(convert=Path)}, words=(1, None),
    needs="takes one click file or more",
)  # fmt: skip


def command(arguments: list[str]) -> int:
    """Print the statistics of every file; returns the exit code. Raises InputError with the problems of all files."""
    paths, ground_truth = _parsed(arguments)
    problems: list[str] = []
    sentences: list[str] = []
    for path in paths:
        try:
            sentences += _described(path, ground_truth or data_folder.find_ground_truth(path.parent, path.parent.name))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    screen = console()
    for sentence in sentences:
        screen.print(said(sentence), soft_wrap=True)
    return 0


def _parsed(arguments: list[str]) -> tuple[list[Path], Path | None]:
    if arguments[0] != "stats":
        raise InputError(f"command line: '{arguments[0]}' is unknown; write `tal-search clicks stats FILE ...`")
    parsed = parse(GRAMMAR, arguments[1:])
    return [Path(word) for word in parsed.words], parsed.values["ground_truth"]


def _described(path: Path, ground_truth: Path) -> list[str]:
    *subsets, fps = data_folder.subsets_and_fps(ground_truth, path.parent.name)
    truth, test = read_both(ground_truth, subsets)
    lacking = [video for video, seconds in zip(truth.videos, truth.duration, strict=True) if not math.isfinite(seconds)]
    if lacking:
        raise InputError(f"{ground_truth}: {video} has no duration, which gaps need; add it" for video in lacking)
    known = ClickedVideos(
        seconds=dict(zip(truth.videos, truth.duration.tolist(), strict=True)),
        fps=fps,
        classes=truth.classes,
        others=frozenset(test.videos),
    )
    notes: list[str] = []
    found = statistics_of(read_clicks(path, None, path.stem, known, notes), truth)
    return [*notes, *_lines(path, found, len(truth.videos))]


def _lines(path: Path, found: ClickStatistics, videos: int) -> list[str]:
    background = found.kind == BACKGROUND_CLICKS
    span, instance = ("gap", "an instance") if background else ("instance", "an instance of their class")
    shares = " ".join(f"{100 * share:.1f}" for share in found.deciles)
    return [
        f"{path}: {found.clicks} {found.kind} in {found.videos} of {videos} videos, "
        f"{found.clicks / found.minutes:.2f} a minute of {found.minutes:.1f} min",
        f"  inside {instance}: {_share(found.inside, found.clicks)}",
        f"  {span}s without a click: {_share(found.missed, found.spans)} of {found.spans}",
        f"  where in the {span}, % of the clicks by tenths from its start: {shares}",
    ]


def _share(count: int, whole: int) -> str:
    return f"{count} ({100 * count / max(1, whole):.1f} %)"
