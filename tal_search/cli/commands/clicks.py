"""The clicks command: statistics of click files against the ground truth."""

from __future__ import annotations

import math
from pathlib import Path

from tal_search.cli.arguments import Grammar, Key, parse
from tal_search.cli.console import console, print_line
from tal_search.data import catalog, data_folder
from tal_search.data.clicks.click_statistics import ClickStatistics, statistics_of
from tal_search.data.clicks.clicks import ClickedVideos, read_clicks
from tal_search.data.features.split_reader import read_both
from tal_search.errors import InputError, Problems
from tal_search.types import BACKGROUND_CLICKS

USAGE = """\
tal-search clicks stats FILE ... [ground_truth=FILE]

Statistics of each file's clicks on the training videos: number of clicks and
videos, clicks inside an instance, gaps (or instances) without a click, and
where in the gap (or instance) the clicks are. Formats, recognized by content:
BackTAL's CSV, VIDEO,seconds,label lines, LACP's CSV, and JSON
{VIDEO: [number, ...]}. ground_truth defaults to the one beside each file.
"""
GRAMMAR = Grammar(
    command="clicks stats", keys={"ground_truth": Key(convert=Path)}, words=(1, None),
    needs="takes one click file or more",
)  # fmt: skip


def command(arguments: list[str]) -> int:
    """Print the statistics of every file; returns the exit code. Raises InputError with the problems of all files."""
    paths, ground_truth = _parsed(arguments)
    problems, sentences = Problems(), list[str]()
    for path in paths:
        with problems.gather():
            truth = ground_truth or data_folder.find_ground_truth(path.parent, path.parent.name)
            sentences += _described(path, truth)
    problems.raise_if_any()
    screen = console()
    for sentence in sentences:
        print_line(screen, sentence)
    return 0


def _parsed(arguments: list[str]) -> tuple[list[Path], Path | None]:
    if arguments[0] != "stats":
        raise InputError(f"command line: '{arguments[0]}' is unknown; write `tal-search clicks stats FILE ...`")
    parsed = parse(GRAMMAR, arguments[1:])
    return [Path(word) for word in parsed.words], parsed.values["ground_truth"]


def _described(path: Path, ground_truth: Path) -> list[str]:
    dataset = catalog.recognised(ground_truth, path.parent.name)
    *subsets, fps = data_folder.subsets_and_fps(ground_truth, dataset.splits)
    notes: list[str] = []
    truth, test = read_both(ground_truth, subsets, dataset, notes=notes)
    lacking = [video for video, seconds in zip(truth.videos, truth.duration, strict=True) if not math.isfinite(seconds)]
    if lacking:
        raise InputError(
            f"{ground_truth}: {video} has no duration, which is needed for gaps; add it" for video in lacking
        )
    known = ClickedVideos(
        seconds=dict(zip(truth.videos, truth.duration.tolist(), strict=True)),
        fps=fps,
        classes=truth.classes,
        others=frozenset(test.videos),
    )
    statistics = statistics_of(read_clicks(path, None, path.stem, known, notes), truth)
    return [*notes, *_lines(path, statistics, len(truth.videos))]


def _lines(path: Path, clicks: ClickStatistics, videos: int) -> list[str]:
    background = clicks.kind == BACKGROUND_CLICKS
    span, instance = ("gap", "an instance") if background else ("instance", "an instance of their class")
    shares = " ".join(f"{100 * share:.1f}" for share in clicks.deciles)
    return [
        f"{path}: {clicks.clicks} {clicks.kind} in {clicks.videos} of {videos} videos, "
        f"{clicks.clicks / clicks.minutes:.2f} per minute of {clicks.minutes:.1f} min",
        f"  inside {instance}: {_share(clicks.inside, clicks.clicks)}",
        f"  {span}s without a click: {_share(clicks.missed, clicks.spans)} of {clicks.spans}",
        f"  where in the {span}, % of the clicks by tenths from its start: {shares}",
    ]


def _share(count: int, whole: int) -> str:
    return f"{count} ({100 * count / max(1, whole):.1f} %)"
