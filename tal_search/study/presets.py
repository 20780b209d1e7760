"""Resolves a study's dataset, tIoU thresholds and annotators against the data on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tal_search.config.checking import closest, did_you_mean
from tal_search.config.thresholds import parse_tiou
from tal_search.config.yaml_reader import shown
from tal_search.data.catalog import is_known, list_datasets
from tal_search.data.clicks.drawn_clicks import with_drawn_clicks
from tal_search.data.data_folder import CLICK_FILES, readable, seen_at
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.descriptions import describe_folds
from tal_search.data.features.layouts import AUTO, detect
from tal_search.data.features.timing import Timing
from tal_search.data.find import default_annotators, find
from tal_search.data.folds import require_folds
from tal_search.data.load import load_truths
from tal_search.errors import InputError
from tal_search.study.dataset_settings import FoldSettings
from tal_search.study.effective_preset import definition_of, effective_preset
from tal_search.study.settings import Study
from tal_search.text.words import some_of

MOST_CASES = 3  # named in a message


def thresholds(study: Study) -> tuple[float, ...]:
    """The tIoU thresholds to score at. Raises InputError if they are invalid."""
    tiou = study.protocol.tiou
    return parse_tiou(definition_of(study).tiou if tiou == "auto" else tiou)


def evaluation(study: Study) -> str:
    """The protocol to score by: the study's, or else the dataset's. Raises InputError as `definition_of`."""
    chosen = study.protocol.evaluation
    return definition_of(study).protocol if chosen == "auto" else chosen


def find_dataset(study: Study) -> DatasetSpec:
    """The study's dataset, found on disk or simulated, with the study's number of snippets, or else its preset's.

    Only a study without dataset.root is simulated where it has no features. Raises InputError if the dataset cannot be
    found or read.
    """
    settings = study.dataset
    given = settings.root is not None
    if settings.root is not None and settings.source == "simulated":
        _require_root(study, settings.root)
    spec = find(
        name=settings.name,
        source="features" if given and settings.source == "auto" else settings.source,
        root=settings.root if given else Path("data") / settings.name,
        ground_truth=settings.ground_truth,
        clicks=settings.clicks,
        snippets=settings.snippets or 0,
        simulation=settings.simulation,
        wanted=settings.layout,
        timing=Timing(stride=settings.stride, offset=settings.offset, fps=settings.fps),
        file=settings.file,
    )
    if spec.source == "simulated" and not (spec.ground_truth or settings.file or is_known(settings.name)):
        raise InputError(_unknown(study))
    spec = with_drawn_clicks(spec, settings.clickers)
    unread = "; dataset.root is not read" if given and settings.source == "simulated" else ""
    streams = [*settings.streams] or spec.streams
    spec = with_folds(study, replace(spec, description=spec.description + unread, streams=streams))
    # The source that `auto` finds decides the preset, and the preset the number of snippets: that of the first fold.
    return replace(spec, snippets=settings.snippets or effective_preset(study, spec).snippets)


def with_folds(study: Study, spec: DatasetSpec) -> DatasetSpec:
    """The dataset with the study's folds, if it has any. Raises InputError where it cannot be split so."""
    return folded(spec, study.dataset.folds, (study.place("dataset.folds.by"), study.place("dataset.folds.of")))


def folded(spec: DatasetSpec, wanted: FoldSettings | None, places: tuple[str, str]) -> DatasetSpec:
    """The dataset in folds, if they are wanted; places: of `by` and `of`. Raises InputError as `require_folds`."""
    if wanted is None:
        return spec
    truths = load_truths(spec)
    subjects = require_folds(truths, wanted.by, wanted.of, places)
    videos = len({video for truth in truths for video in truth.videos})
    words = describe_folds(spec.description, videos, wanted.of, len(subjects))
    return replace(spec, folds={"by": wanted.by, "of": wanted.of, "subjects": list(subjects)}, description=words)


def _unknown(study: Study) -> str:
    """The sentence on a name that no file describes and that has no features; it may be misspelt."""
    name = study.dataset.name
    near = did_you_mean(closest(name, [dataset.name for dataset in list_datasets()]))
    fix = f"give dataset.root and dataset.ground_truth, or describe it in datasets/{name}.yaml{near}"
    return f"{study.place('dataset.name')}: dataset.name is {shown(name)}, of which nothing is known; {fix}"


def _require_root(study: Study, root: Path) -> None:
    """Raises InputError where a root that is given and not needed is not there: most likely it is misspelt."""
    with readable(root):
        if not root.is_dir() and detect(root, definition_of(study).splits, AUTO) is None:
            fix = "correct it, or leave it out: dataset.source=simulated reads no features"
            raise InputError(f"{study.place('dataset.root')}: dataset.root={root} {seen_at(root)}; {fix}")


def annotator_problems(
    study: Study, spec: DatasetSpec, kinds: tuple[str, ...], readers: Sequence[str] = ()
) -> list[str]:
    """A sentence for each annotator of the study without a click file, or without one of a kind in `kinds`.

    If the study leaves the choice open (auto), one sentence if no annotator has clicks of every kind. Without kinds
    there is no problem, whatever the study's annotators. readers: the cases that read clicks.
    """
    wanted = study.search.repeats.annotators
    if not kinds:
        return []
    if wanted == "auto":
        return [] if default_annotators(spec, kinds) else [_nobody(study, spec, kinds, readers)]
    place, problems = study.place("search.repeats.annotators"), []
    everyone = tuple(dict.fromkeys(name for files in spec.clicks.values() for name in files))
    for name in wanted:
        key = f"{place}: search.repeats.annotators has '{name}', who has"
        if name not in everyone:
            problems.append(f"{key} no click file; found: {', '.join(everyone) or 'none'} ({spec.description})")
            continue
        for kind in (kind for kind in kinds if name not in spec.clicks[kind]):
            file, others = f"{CLICK_FILES[kind]}{name}.txt", ", ".join(spec.clicks[kind]) or "none"
            problems.append(f"{key} no {kind} ({file}); found: {others} ({spec.description})")
    return problems


def _nobody(study: Study, spec: DatasetSpec, kinds: tuple[str, ...], readers: Sequence[str]) -> str:
    files = " and ".join(f"{CLICK_FILES[kind]}ANNOTATOR.txt" for kind in kinds)
    keys = " and ".join(f"dataset.clickers.{kind.partition(' ')[0]}" for kind in kinds if kind not in spec.clickers)
    key, needs = "method", f"{study.method} needs"
    if study.search.cases:
        cases = some_of([*readers], MOST_CASES)
        key, needs = "search.cases", f"{cases} {'needs' if len(readers) == 1 else 'need'}"
    return (
        f"{study.place(key)}: {needs} {' and '.join(kinds)} of one annotator, but no annotator has them in "
        f"{spec.description}; put {files} beside the features, give their folder as dataset.clicks, or simulate them "
        f"by {keys}=uniform"
    )
