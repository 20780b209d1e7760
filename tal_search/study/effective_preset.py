"""The preset that a study's method uses on its dataset: the method's, with the changes of the dataset's file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from tal_search.config.checking import Checker, closest, did_you_mean
from tal_search.config.yaml_reader import Written
from tal_search.data.catalog import definition
from tal_search.data.clicks.annotation_rates import ALL
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.definition import DatasetDefinition, PresetChange
from tal_search.data.features.cache import CONVERTED, open_cache, read_manifest
from tal_search.data.features.split_reader import read_splits
from tal_search.data.folds import folds_of
from tal_search.data.load import check, load_truths, training_truth
from tal_search.data.truth.facts import Facts, facts_of
from tal_search.errors import InputError, Problems
from tal_search.localization.inference import Inference
from tal_search.methods import available, specification
from tal_search.methods.base import Preset
from tal_search.study.settings import Study
from tal_search.types import Source, canonical_json

GENERIC, SIMULATED = "generic", "simulated"
ALWAYS = (SIMULATED, GENERIC)  # every method has them for every dataset


@dataclass(frozen=True, kw_only=True)
class EffectivePreset:
    """A preset with T `snippets`, complete but for the defaults of method and inference.

    facts: of the ground truth, where the preset is generic or T follows from them.
    """

    name: str
    snippets: int
    preset: Preset
    facts: Facts | None = None


def definition_of(study: Study) -> DatasetDefinition:
    """The definition of a study's dataset. Raises InputError where its file cannot be used."""
    return definition(study.dataset.name, study.dataset.file)


def preset_names(dataset: DatasetDefinition, method: str) -> tuple[str, ...]:
    """The presets that a method has for a dataset: those that its file names, and ALWAYS."""
    return tuple(dict.fromkeys((*dataset.presets.get(method, {}), *ALWAYS)))


def preset_name(study: Study, source: Source) -> str:
    """The study's preset.

    `auto` is `simulated` for simulated data, else the one named like the variant, `paper` or `release`, or `adapted`,
    if the dataset's file names it for the method, else `generic`.
    """
    if study.preset != "auto":
        return study.preset
    if source == "simulated":
        return SIMULATED
    variant = "release" if study.hyperparameters.get("variant") == "release" else "paper"
    named = definition_of(study).presets.get(study.method, {})
    return next((name for name in (variant, "adapted") if name in named), GENERIC)


def named_preset(dataset: DatasetDefinition, method: str, name: str) -> Preset:
    """A method's preset with the dataset's changes; any but `generic`, which `effective_preset` makes."""
    preset = specification(method).presets[name].changed(_change(dataset, method, name))
    return preset if preset.snippets else replace(preset, snippets=dataset.snippets)


def effective_preset(study: Study, spec: DatasetSpec) -> EffectivePreset:
    """The preset of a study without cases on the dataset that was found, or on its fold `spec.fold`.

    T is the study's, else the preset's, else that of the dataset's file, else by the rule of `Facts.snippets`. Raises
    InputError where a ground truth that is needed cannot be used, with every problem of the data.
    """
    dataset, name, protocol = definition_of(study), preset_name(study, spec.source), held_out(study)
    if name != GENERIC:
        preset = named_preset(dataset, study.method, name)
        facts = None if study.dataset.snippets or preset.snippets else dataset_facts(spec, protocol)
        snippets = study.dataset.snippets or preset.snippets or (facts.snippets if facts else 0)
        return EffectivePreset(name=name, snippets=snippets, preset=preset, facts=facts)
    change, facts = _change(dataset, study.method, name), dataset_facts(spec, protocol)
    snippets = study.dataset.snippets or facts.fixed or change.snippets or dataset.snippets or facts.snippets
    facts = replace(facts, fixed=snippets)
    preset = specification(study.method).generic(facts).changed(change)
    return EffectivePreset(name=name, snippets=snippets, preset=preset, facts=facts)


def _change(dataset: DatasetDefinition, method: str, name: str) -> PresetChange:
    """The checked changes of a dataset. Raises InputError with all that is wrong with them."""
    written = Written(file_shown(dataset))
    change = read_change(dataset, method, name, written)
    written.problems.raise_if_any()
    return change


def read_change(dataset: DatasetDefinition, method: str, name: str, written: Written) -> PresetChange:
    """The changes of a dataset in a method's preset; unknown settings and wrong values are reported to `written`."""
    change, key = dataset.presets.get(method, {}).get(name, PresetChange()), ("presets", method, name)
    sections = {"hyperparameters": specification(method).hyperparameters, "inference": Inference}
    checker = Checker(written, PresetChange, sections)
    if change.inference and not specification(method).has_activations:
        words = f"is given, but {method} localizes without class activation sequences; remove it"
        written.add((*key, "inference"), words)
    if change.sampling is not None:
        for split, name, words in change.sampling.problems(method, specification(method).method.samplings):
            written.add((*key, "sampling", split, name), words)
    return replace(
        change,
        hyperparameters=checker.chosen(sections["hyperparameters"], change.hyperparameters, (*key, "hyperparameters")),
        inference=checker.chosen(Inference, change.inference, (*key, "inference")),
    )


def preset_problems(dataset: DatasetDefinition, file: Path | None = None) -> Problems:
    """A sentence for each unknown method, preset and setting that the file of a dataset names, and each wrong value."""
    written = Written(file_shown(dataset) if file is None else str(file))
    for method, named in dataset.presets.items():
        if method not in available():
            near = did_you_mean(closest(method, available()))
            written.add(("presets", method), f"is no method; it must be one of {', '.join(available())}{near}")
            continue
        valid = [*specification(method).presets, GENERIC]
        for name in named:
            if name not in valid:
                near = did_you_mean(closest(name, valid))
                words = f"is no preset of {method}; it must be one of {', '.join(valid)}{near}"
                written.add(("presets", method, name), words)
            else:
                read_change(dataset, method, name, written)
    return written.problems


def file_shown(dataset: DatasetDefinition) -> str:
    """The file of a dataset, as messages name it."""
    return f"datasets/{dataset.name}.yaml"


def held_out(study: Study) -> dict[str, Any]:
    """The part of a study's protocol that says which training videos are held out."""
    return {**asdict(study.protocol), "selection": study.selection}


def dataset_facts(spec: DatasetSpec, protocol: Mapping[str, Any] = ALL) -> Facts:
    """Facts of a dataset that was found, from the headers of its features and the ground truth that a fit trains on.

    The ground truth is that of `training_truth`: neither test videos, those of the fold, nor held-out ones have a say.
    Raises InputError with every problem of the data where they cannot be used.
    """
    try:
        sizes = _sizes(canonical_json(asdict(replace(_bare(spec), folds={}, fold=None))))
        return _facts(canonical_json(asdict(_bare(spec))), canonical_json(dict(protocol)), **sizes)
    except InputError:
        check(spec, (), ())
        raise


def _bare(spec: DatasetSpec) -> DatasetSpec:
    """The dataset without T and clicks, which facts do not depend on."""
    return replace(spec, snippets=0, clicks={}, click_fingerprints={})


@lru_cache(maxsize=64)  # folds
def _facts(spec_json: str, protocol_json: str, **sizes: int | None) -> Facts:
    spec = DatasetSpec(**json.loads(spec_json))
    spec = replace(spec, fold=folds_of(spec)[0]) if spec.fold is None else spec
    return facts_of(training_truth(spec, json.loads(protocol_json)), load_truths(spec)[1], **sizes)


@lru_cache(maxsize=4)
def _sizes(spec_json: str) -> dict[str, int | None]:
    """Of the features: `channels`, and `longest` and `fixed` where they are known, see `Facts`."""
    spec = DatasetSpec(**json.loads(spec_json))
    if spec.source == "simulated":
        return {"channels": spec.simulation["channels"]}
    if spec.layout["name"] == CONVERTED:
        snippets = read_manifest(Path(spec.root))["snippets"]
        stored, _ = open_cache(Path(spec.root), snippets, checked=False)
        return {"channels": stored.features.shape[1], "fixed": snippets}
    splits = read_splits(spec, Problems())  # whatever is wrong with single videos is reported before training
    longest = max((shape.snippets for split in splits for shape in split.shapes.values()), default=None)
    return {"channels": splits[0].channels, "longest": longest}
