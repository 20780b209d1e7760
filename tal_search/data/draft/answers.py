"""What a user asks next about a dataset, answered in numbers: labels, lengths, overlaps, clicks, cost, methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tal_search.data.clicks.annotation_cost import annotation_seconds
from tal_search.data.draft import grid
from tal_search.data.draft.choices import Choices
from tal_search.data.draft.look import Look
from tal_search.data.draft.truth_facts import LEAST_GAP, NEARLY_ALL, LabelFacts, SplitFacts, label_facts, split_facts
from tal_search.data.truth.labels import named
from tal_search.text.words import counted, some_of
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, CLICKS, INSTANCES, VIDEO_LABELS, Annotations, Floats

TIOU = (0.5, 0.7)
SHOWN = 3  # groups of classes that are named


class Answer(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


def answers(seen: Look, chosen: Choices, methods: Mapping[str, tuple[str, ...]]) -> list[Answer]:
    """Every question that the folder answers; methods: name → the supervision that it reads by default."""
    labels, timed = label_facts(seen.train), bool(np.isfinite(seen.train.duration).all())
    found = [Answer("Do the video labels say anything?", labels_say(labels))]
    if timed and len(seen.train.label):
        found.append(Answer("How short are the instances beside a snippet?", lengths_say(seen, chosen)))
    if timed:
        facts = split_facts(seen.train)
        found.append(Answer("What is between the instances?", gaps_say(facts)))
        found.append(Answer("What do the clicks cover?", clicks_say(seen)))
        found.append(Answer("What does annotation cost?", cost_says(seen, facts)))
    if chosen.groups is not None:
        found.append(Answer("Are there groups to fold by?", groups_say(seen, chosen)))
    found.append(Answer("Which methods can run?", methods_say(seen, methods)))
    return found


def labels_say(facts: LabelFacts) -> str:
    """What video labels tell apart."""
    verdict = "Yes" if facts.telling else "Little"
    parts = [
        f"{verdict}: a training video with instances has {facts.a_video:.1f} of {facts.classes} "
        f"{'class' if facts.classes == 1 else 'classes'} on average",
        f"{facts.full} of {counted(facts.videos, 'training video')} hold more than half of them",
    ]
    if facts.everywhere:
        parts.append(f"in {NEARLY_ALL:.0%} of the videos or more: {named(facts.everywhere)}")
    if facts.together:
        groups = [" + ".join(group) for group in facts.together]
        parts.append(f"always together, so that labels cannot tell them apart: {some_of(groups, SHOWN)}")
    advice = "" if facts.telling else "; cut the videos into shorter ones, or train on clicks or instances"
    return "; ".join(parts) + advice


def lengths_say(seen: Look, chosen: Choices) -> str:
    """Lengths in seconds and snippets, and what a grid of snippets can reach."""
    truth = seen.train
    seconds = grid.lengths(truth)
    if not len(seconds):
        return "No training instance has a length"
    parts = [f"The median is {np.median(seconds):.3g} s, the shortest tenth {np.quantile(seconds, 0.1):.3g} s or less"]
    steps = [(f"at T = {chosen.snippets}", truth.duration / chosen.snippets)]
    if seen.step is not None:
        steps.append((f"as stored (every {_range(seen.step)} s)", seen.step))
    for words, step in steps:
        parts.append(f"{words}: {_in_snippets(truth, step)}")
    return "; ".join(parts)


def _range(step: Floats) -> str:
    low, high = float(step.min()), float(step.max())
    return f"{low:.3g}" if high - low < 0.005 * high else f"{low:.3g} to {high:.3g}"


def _in_snippets(truth: Annotations, step: Floats) -> str:
    lengths = grid.lengths_in(truth, step)
    reach = [f"{100 * grid.reachable(truth, step, tiou):.0f} at tIoU {tiou:g}" for tiou in TIOU]
    usual = f"{np.median(lengths):.3g} and {np.quantile(lengths, 0.1):.2g} snippets"
    return f"{usual}, and detections that start and end between snippets reach a mAP of {' and '.join(reach)}"


def gaps_say(facts: SplitFacts) -> str:
    """Unlabelled time, videos without instances, overlaps."""
    parts = [
        f"{facts.unlabelled:.1%} of {facts.minutes:.1f} min of training video show no instance, in "
        f"{counted(facts.gaps, 'gap')} of {LEAST_GAP:g} s or more",
        f"{counted(len(facts.bare), 'video')} without an instance" + (f" ({named(facts.bare)})" if facts.bare else ""),
        f"{facts.overlapping} of {counted(facts.instances, 'instance')} overlap another one, "
        f"{facts.alike} one of their class",
    ]
    return "; ".join(parts)


def clicks_say(seen: Look) -> str:
    """The clicks of each file, and the gaps or instances that they leave out."""
    if not seen.clicks:
        return "The feature files hold background clicks" if seen.embedded else "There are no click files"
    parts = []
    for survey, statistics in seen.clicks:
        spans = "gaps" if survey.kind == BACKGROUND_CLICKS else "instances"
        missed = "" if statistics is None else f", {statistics.missed} of {statistics.spans} {spans} without one"
        inside = (
            f", {statistics.inside} inside an instance"
            if statistics is not None and survey.kind == BACKGROUND_CLICKS and statistics.inside
            else ""
        )
        parts.append(f"{survey.kind} of {survey.annotator}: {survey.per_minute:.2f} a minute{missed}{inside}")
    return "; ".join(parts)


def cost_says(seen: Look, facts: SplitFacts) -> str:
    """Hours of annotation of the training videos for each kind of supervision, by the published times."""
    if not facts.minutes:
        return "The training videos have no length"
    rates = {BACKGROUND_CLICKS: facts.gaps / facts.minutes, ACTION_CLICKS: facts.instances / facts.minutes}
    notes = {BACKGROUND_CLICKS: "one a gap", ACTION_CLICKS: "one an instance"}
    for kind in CLICKS:
        counts = [survey.clicks for survey, _ in seen.clicks if survey.kind == kind]
        if counts:
            rates[kind] = float(np.mean(counts)) / facts.minutes
            notes[kind] = "as clicked"
    rates[INSTANCES] = facts.instances / facts.minutes
    parts = [f"video labels {_hours((VIDEO_LABELS,), rates, facts)}"]
    parts += [f"with {kind} ({notes[kind]}) {_hours((kind,), rates, facts)}" for kind in CLICKS]
    parts.append(f"with all instances {_hours((INSTANCES,), rates, facts)}")
    return f"For {facts.minutes:.1f} min of training video, by the times published for THUMOS14: {', '.join(parts)}"


def _hours(supervision: tuple[str, ...], rates: Mapping[str, float], facts: SplitFacts) -> str:
    return f"{annotation_seconds(supervision, rates) * facts.minutes / 3600:.2g} h"


def groups_say(seen: Look, chosen: Choices) -> str:
    """Groups in the names, and whether both splits share some."""
    groups = chosen.groups
    assert groups is not None
    shared = groups.shared(seen.train.videos, seen.test.videos)
    both = (
        f"{len(shared)} of them have videos in both splits, so test scores are not those of new ones"
        if shared
        else "none has videos in both splits"
    )
    what = "people" if groups.people else "groups"
    return f"The names hold {groups.number} {what} ({groups.pattern}); {both}"


def methods_say(seen: Look, methods: Mapping[str, tuple[str, ...]]) -> str:
    """The methods whose supervision is there, and what the others lack."""
    able, lacking = runnable(seen, methods)
    parts = [", ".join(able) or "None"]
    parts += [f"{name} lacks {' and '.join(kinds)}" for name, kinds in lacking.items()]
    return "; ".join(parts)


def runnable(seen: Look, methods: Mapping[str, tuple[str, ...]]) -> tuple[list[str], dict[str, list[str]]]:
    """Methods whose supervision is there; and method → kinds of clicks that are not."""
    present = {survey.kind for survey, _ in seen.clicks} | ({BACKGROUND_CLICKS} if seen.embedded else set())
    lacking = {
        name: [kind for kind in CLICKS if kind in supervision and kind not in present]
        for name, supervision in methods.items()
    }
    return [name for name, kinds in lacking.items() if not kinds], {
        name: kinds for name, kinds in lacking.items() if kinds
    }
