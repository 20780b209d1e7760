"""Captions of exported figures and tables, which are read without the page around them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tal_dashboards.data.study_data import StudyData
from tal_search.results.folds.pooling import interval_words
from tal_search.types import NO_ANNOTATOR

# View, pattern of a figure's or table's name, and caption; \1 is a group of the pattern. The first match counts.
CAPTIONS: Sequence[tuple[str, str, str]] = (
    ("overview", "ranking", "Which axes matter, the greatest effect first; mAP in points."),
    ("overview", "values", "Mean mAP and difference to the centre by value of each axis."),
    ("overview", "next", "Runs that would decide what needs repeats."),
    ("study", "curves", "Test or held-out mAP by epoch, mean over repeats, of the best cell and the centre."),
    ("study", "progress", "Trials by state."),
    ("study", "best and centre", "The best cell and the centre; mAP in %."),
    ("study", "trials", "Every trial, the newest first; mAP in %."),
    ("study", "mAP by epoch", "mAP by epoch of the best cell and the centre, in %."),
    ("tables", "axes", "Which axes matter, the greatest effect first; mAP in points."),
    ("tables", "noise floor", "Spread of the centre in points of mAP, by its source."),
    ("tables", "(.+)", r"Sensitivity to \1: mAP in %, differences to the centre in points."),
    ("plots", "axis (.+)", r"mAP by value of \1."),
    ("plots", "heat map", "Mean mAP over two axes, in %."),
    ("plots", "contours", "Mean mAP over two axes as contours, in %."),
    ("plots", "parallel coordinates", "Every trial across all axes, coloured by mAP."),
    ("plots", "importance", "Share of the variation of mAP that each axis explains."),
    ("breakdown", "(.+) by class", r"Difference of AP to the centre by class and value of \1, in points."),
    (
        "breakdown",
        "(.+) by length",
        r"Difference of mAP to the centre by length and value of \1, in points.",
    ),
    ("playground", "mAP by tIoU", "Test mAP by tIoU threshold at several inference settings."),
    ("playground", "along a slider", "Test mAP along one inference setting."),
    ("playground", "settings", "Inference settings and their mAP, in %."),
    ("cost", "cost", "Test mAP against annotation time."),
    ("cost", "best by budget", "The method with the highest mean from each annotation time on; differences in points."),
    ("cost", "our cells", "Cells of this study by mAP, with their annotation cost."),
    ("cost", "published systems", "Published systems with their annotation cost and mAP."),
    ("modules", "position of (.+)", r"Position of \1 within their gap or instance, by annotator."),
    ("modules", "clicks by annotator", "Clicks on the training videos by annotator."),
    ("errors", "false positives", "Kinds of false positives among the highest-scoring detections."),
    ("errors", "gain from removing errors", "Gain in mAP from removing each kind of error, in points."),
    ("errors", "instances", "Instances by coverage, length and number: normalized mAP and share missed, in %."),
    ("errors", "(.+): mAP_N", r"Normalized mAP by \1 of instances, in %."),
    ("errors", "(.+): missed", r"Share of missed instances by \1, in %."),
    ("timeline", "timeline", "Ground truth, clicks, scores and detections of one test video; times in seconds."),
    ("timeline", "affinity mask", "Affinity of the selected moment with its neighbours."),
    ("timeline", "instances", "Instances of the video; times in seconds."),
    ("timeline", "clicks", "Clicks on the video; times in seconds."),
    ("timeline", r"detections (\d+)", r"Detections of fit \1 on the video; times in seconds."),
)


def caption(view: str, name: str) -> str:
    """The caption of a view's figure or table."""
    for of, pattern, words in CAPTIONS:
        if view == of and (match := re.fullmatch(pattern, name, re.DOTALL)):
            return match.expand(words)
    sentence = name[:1].upper() + name[1:]
    return sentence if sentence.endswith(".") else f"{sentence}."


def table_heading(data: StudyData, score: str = "mAP") -> str:
    """Study, score, method and data: "thumos_grid: mAP@0.5 in % of backtal on thumos14 (simulated data); 3 seeds.\""""
    where = f"{data.dataset} ({'simulated data' if data.simulated else data.data})"
    return f"{data.name}: {score} in % of {data.methods} on {where}; {repeats(data)}."


def repeats(data: StudyData) -> str:
    """The repeats that means are taken over: "3 seeds × 2 annotators"."""
    annotators = set(data.done["annotator"]) - {NO_ANNOTATOR}
    counts = {"seed": data.done["seed"].nunique(), "annotator": len(annotators)}
    kept = {name: count for name, count in counts.items() if name == "seed" or count > 1}
    words = " × ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in kept.items())
    return f"{words}, {data.folds['of']} folds each; {interval_words(data.subjects)}" if data.subjects else words
