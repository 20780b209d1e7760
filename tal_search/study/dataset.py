"""The dataset and the preset a study means, once the data is looked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tal_search.data.dataset import find
from tal_search.methods import declaration
from tal_search.study.settings import Study
from tal_search.types import DatasetSpec, Source


def preset_name(study: Study, source: Source) -> str:
    """The study's preset; `auto` is `simulated` for simulated data, else `release` for that variant, else `paper`."""
    if study.preset != "auto":
        return study.preset
    if source == "simulated":
        return "simulated"
    return "release" if study.hyperparameters.get("variant") == "release" else "paper"


def find_dataset(study: Study) -> DatasetSpec:
    """The study's dataset, found on disk or simulated, with the snippets the study asks for, or else its preset's.

    Raises InputError where it cannot be found or read.
    """
    settings = study.dataset
    presets: dict[str, Any] = declaration(study.method).PRESETS[settings.name]
    spec = find(
        name=settings.name,
        source=settings.source,
        root=settings.root,
        ground_truth=settings.ground_truth,
        clicks=settings.clicks,
        snippets=settings.snippets or presets["paper"]["snippets"],
        simulation=settings.simulation,
    )
    # What `auto` finds decides the preset, and the preset the number of snippets.
    return replace(spec, snippets=settings.snippets or presets[preset_name(study, spec.source)]["snippets"])


def annotator_problems(study: Study, spec: DatasetSpec) -> list[str]:
    """A sentence for each annotator the study names that has no click file in the dataset."""
    place = study.place("search.repeats.annotators")
    found = ", ".join(spec.clicks) or "none"
    wanted = study.search.repeats.annotators
    return [
        f"{place}: search.repeats.annotators has '{name}', who has no click file; found: {found} ({spec.description})"
        for name in ([] if wanted == "auto" else wanted)
        if name not in spec.clicks
    ]
