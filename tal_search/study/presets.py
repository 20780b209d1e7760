"""Resolves a study's dataset, preset, tIoU thresholds and annotators against the data on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tal_search.data.catalog import known
from tal_search.data.data_folder import CLICK_FILES, readable, seen_at
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.layouts import AUTO, detect
from tal_search.data.features.timing import Timing
from tal_search.data.find import default_annotators, find
from tal_search.errors import InputError
from tal_search.methods import specification
from tal_search.metrics.average_precision import parse_tiou
from tal_search.study.settings import Study
from tal_search.types import Source


def preset_name(study: Study, source: Source) -> str:
    """The study's preset; `auto` is `simulated` for simulated data, else the one named like the variant, or `adapted`.

    Raises InputError if the method has none of these for the dataset.
    """
    if study.preset != "auto":
        return study.preset
    presets = specification(study.method).presets[study.dataset.name]
    variant = "release" if study.hyperparameters.get("variant") == "release" else "paper"
    wanted = ("simulated",) if source == "simulated" else (variant, "adapted")
    names = [name for name in wanted if name in presets]
    if not names:
        raise InputError(
            f"{study.place('preset')}: preset is auto, but {study.method} has no preset {' or '.join(wanted)} for "
            f"{study.dataset.name}; give one of {', '.join(presets)}"
        )
    return names[0]


def thresholds(study: Study) -> tuple[float, ...]:
    """The tIoU thresholds to score at. Raises InputError if they are invalid."""
    tiou = study.protocol.tiou
    return parse_tiou(known(study.dataset.name).tiou if tiou == "auto" else tiou)


def find_dataset(study: Study) -> DatasetSpec:
    """The study's dataset, found on disk or simulated, with the study's number of snippets, or else its preset's.

    Only a study without dataset.root is simulated where it has no features. Raises InputError if the dataset cannot be
    found or read.
    """
    settings = study.dataset
    given = settings.root is not None
    if settings.root is not None and settings.source == "simulated":
        _require_root(study, settings.root)
    presets = specification(study.method).presets[settings.name]
    spec = find(
        name=settings.name,
        source="features" if given and settings.source == "auto" else settings.source,
        root=settings.root if given else Path("data") / settings.name,
        ground_truth=settings.ground_truth,
        clicks=settings.clicks,
        snippets=settings.snippets or next(iter(presets.values())).snippets,
        simulation=settings.simulation,
        wanted=settings.layout,
        timing=Timing(stride=settings.stride, offset=settings.offset, fps=settings.fps),
    )
    # The source that `auto` finds decides the preset, and the preset the number of snippets.
    snippets = settings.snippets or presets[preset_name(study, spec.source)].snippets
    unread = "; dataset.root is not read" if given and settings.source == "simulated" else ""
    return replace(spec, snippets=snippets, description=spec.description + unread)


def _require_root(study: Study, root: Path) -> None:
    """Raises InputError where a root that is given and not needed is not there: most likely it is misspelt."""
    with readable(root):
        if not root.is_dir() and detect(root, study.dataset.name, AUTO) is None:
            fix = "correct it, or leave it out: dataset.source=simulated reads no features"
            raise InputError(f"{study.place('dataset.root')}: dataset.root={root} {seen_at(root)}; {fix}")


def annotator_problems(study: Study, spec: DatasetSpec, kinds: tuple[str, ...]) -> list[str]:
    """A sentence for each annotator of the study without a click file, or without one of a kind in `kinds`.

    If the study leaves the choice open (auto), one sentence if no annotator has clicks of every kind.
    """
    wanted = study.search.repeats.annotators
    if wanted == "auto":
        return [] if default_annotators(spec, kinds) else [_nobody(study, spec, kinds)]
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


def _nobody(study: Study, spec: DatasetSpec, kinds: tuple[str, ...]) -> str:
    files = " and ".join(f"{CLICK_FILES[kind]}ANNOTATOR.txt" for kind in kinds)
    key, needs = ("search.cases", "all cases need") if study.search.cases else ("method", f"{study.method} needs")
    return (
        f"{study.place(key)}: {needs} {' and '.join(kinds)} of one annotator, but no annotator has them in "
        f"{spec.description}; put {files} beside the features, or give their folder as dataset.clicks"
    )
