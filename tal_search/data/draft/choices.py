"""What a draft proposes: each choice with its evidence, and what could not be inferred with what to give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tal_search.data.data_folder import seen_at
from tal_search.data.draft.look import Look
from tal_search.data.draft.name_groups import NameGroups, name_groups
from tal_search.data.draft.timing_fit import TimingFit
from tal_search.data.truth.labels import spelling
from tal_search.text.words import counted, some_of

FILLING = 0.25  # share of its video from which the median instance is long, as in ActivityNet (.36)
LONG_TIOU, SHORT_TIOU = "0.5:0.95:0.05", "0.3:0.7:0.1"
LISTED_CLASSES = 30  # most that a draft lists


class Choice(NamedTuple):
    """A key of the definition, the value proposed, and the evidence for it."""

    key: str
    value: str
    evidence: str


class Missing(NamedTuple):
    """What could not be inferred, why, and what to give."""

    key: str
    why: str
    give: str


@dataclass(frozen=True, kw_only=True)
class Choices:
    """A draft: what was inferred and what was not. Values are those of `DatasetDefinition`."""

    inferred: tuple[Choice, ...]
    missing: tuple[Missing, ...]
    training: tuple[str, ...]
    test: tuple[str, ...]
    classes: tuple[str, ...]
    layout: str | None
    stride: float | None
    offset: float | None
    fps: float | None
    snippets: int
    tiou: str
    groups: NameGroups | None


def choices(seen: Look) -> Choices:
    """The choices for a folder that was looked at."""
    names = [_names(subset, *seen.folders[row : row + 1]) for row, subset in enumerate(seen.subsets)]
    tiou, why = _tiou(seen)
    timing = seen.given if seen.fit is None else seen.fit.timing
    timed, open_questions = _timing(seen)
    groups = name_groups((*seen.train.videos, *seen.test.videos))
    classes = seen.train.classes
    listed = [*classes] if len(classes) <= LISTED_CLASSES else []
    inferred = (
        Choice("name", seen.name, f"the ground truth is {seen.truth.name}"),
        *_splits(seen, names),
        Choice("classes", str(len(classes)), some_of(list(classes), 8)),
        *_layout(seen),
        *timed,
        Choice("snippets", f"T = {seen.facts.snippets}", _why_snippets(seen)),
        Choice("tiou", tiou, why),
    )
    return Choices(
        inferred=inferred, missing=(*open_questions, *_missing(seen)), training=names[0], test=names[1],
        classes=tuple(listed), layout=seen.layout, stride=timing.stride, offset=timing.offset, fps=timing.fps,
        snippets=seen.facts.snippets, tiou=tiou, groups=groups,
    )  # fmt: skip


def _names(*names: str) -> tuple[str, ...]:
    """The names of a split, each once, whatever its case."""
    return tuple({spelling(name): name for name in reversed(names)}.values())[::-1]


def _splits(seen: Look, names: list[tuple[str, ...]]) -> list[Choice]:
    counts = [f"{' or '.join(split)} ({counted(len(truth.videos), 'video')})" for split, truth in
              zip(names, (seen.train, seen.test), strict=True)]  # fmt: skip
    of = "subsets of the ground truth" + (" and folders" if seen.folders else "")
    return [Choice("splits", f"training: {counts[0]}, test: {counts[1]}", of)]


def _layout(seen: Look) -> list[Choice]:
    if seen.layout is None:
        return []
    low, high = (int(edge) for edge in (min(part.min() for part in seen.snippets), max(p.max() for p in seen.snippets)))
    stored = f"{low}" if low == high else f"{low} to {high}"
    return [Choice("layout", seen.layout, f"{seen.channels} channels, {stored} snippets a video")]


def _timing(seen: Look) -> tuple[list[Choice], list[Missing]]:
    """Stride, offset and fps: those inferred or given, and those that are open."""
    fit, given = seen.fit, seen.given
    if seen.layout is None:
        return [], []
    if fit is None and given.stride is not None:
        return [
            Choice("stride", f"{given.stride:g} frames", "given"),
            Choice("offset", f"{given.offset:g}", "given"),
        ], []
    if fit is None:
        return [Choice("timing", "evenly", f"snippets of the layout {seen.layout} cover each video evenly")], []
    if fit.rescaled is not None:
        why = f"every video has {fit.rescaled} snippets, whatever its length: they were rescaled"
        return [], [
            Missing("stride", why, f"layout {seen.layout} cannot read them; store them as HDF5, which is read evenly")
        ]
    if fit.timing.stride is None:
        why = "no stride explains the numbers of snippets by the durations of the videos"
        return [], [
            Missing("stride, offset", why, "give stride= and offset= in frames, and fps= if features have their own")
        ]
    return _fitted(seen, fit)


def _fitted(seen: Look, fit: TimingFit) -> tuple[list[Choice], list[Missing]]:
    stride, offset, fps = fit.timing.stride, fit.timing.offset, fit.timing.fps
    assert stride is not None
    assert offset is not None
    videos = sum(len(part) for part in seen.snippets)
    share = f"{fit.fitting:.0%} of {videos} videos" if fit.fitting < 1 else f"all {videos} videos"
    rate = f"{fps:g} fps" if fps else "the fps of each video"
    explained = "numbers of snippets and durations of " + share
    stated = set(seen.fps.values())
    unlike = fps is not None and stated != {fps}
    own = (
        " (the ground truth has no such fps; only stride/fps, the time from snippet to snippet, matters)"
        if unlike
        else ""
    )
    found = [Choice("stride", f"{stride:g} frames", f"at {rate} it explains the {explained}{own}")]
    if fps:
        found.append(
            Choice("fps", f"{fps:g}", "of the ground truth" if not unlike else "chosen so that the stride is whole")
        )
    found.append(Choice("offset", f"{offset:g} frames", _why_offset(fit)))
    give = "give offset=, the frame at the centre of the first snippet, if features were extracted otherwise"
    missing = [Missing("offset", f"{offset:g} is a guess, as lengths do not show where a snippet is centred", give)]
    if fit.others:
        others = some_of([str(other) for other in fit.others], 6)
        missing.insert(
            0, Missing("stride", f"{others} would explain the videos as well", "give stride= if it is one of these")
        )
    return found, missing


def _why_offset(fit: TimingFit) -> str:
    if fit.window is None:
        return "half a stride, as durations are too inexact to show the window"
    low, high = fit.window
    if fit.beyond:
        return "half a stride, as the last snippet reaches beyond the end of its video"
    fits = f"{low}" if low == high else f"{low} to {high}"
    return f"half a window, if snippets are whole windows without padding (windows of {fits} frames fit)"


def _why_snippets(seen: Look) -> str:
    facts = seen.facts
    if facts.fixed is not None:
        return "as converted"
    if not np.isfinite(facts.shortest_share):
        return "no duration is known"
    longer = f", also in test videos {facts.stretch:.2g} times as long" if facts.stretch > 1 else ""
    return (
        f"the shortest tenth of the instances ({facts.shortest_seconds:.3g} s or less) should span 3 snippets{longer}; "
        "from 100 to 1000, and not far beyond what the features have"
    )


def _tiou(seen: Look) -> tuple[str, str]:
    """Thresholds: those of ActivityNet for instances that fill much of their video, else those of THUMOS14."""
    share = seen.facts.median_share
    if not np.isfinite(share):
        return SHORT_TIOU, "no duration is known; the usual ones for short instances"
    fills = f"the median instance fills {share:.1%} of its video"
    if share >= FILLING:
        return LONG_TIOU, f"{fills}, {FILLING:.0%} or more, as in ActivityNet and HACS"
    return SHORT_TIOU, f"{fills}, less than {FILLING:.0%}, as in THUMOS14"


def _missing(seen: Look) -> list[Missing]:
    missing = []
    if seen.layout is None:
        why = f"{seen.root} {seen_at(seen.root)}, no layout of docs/datasets.md"
        missing.append(
            Missing(
                "features", why, "put them there and run this again with another out=, or use dataset.source=simulated"
            )
        )
    untimed = int((~np.isfinite(seen.train.duration)).sum() + (~np.isfinite(seen.test.duration)).sum())
    if untimed:
        missing.append(Missing("durations", f"{counted(untimed, 'video')} have none", "add them to the ground truth"))
    missing.append(Missing("source", "no file says where the data comes from", "write it into the file"))
    return missing
