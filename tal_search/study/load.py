"""Loads a study: a file of `studies/` and command-line overrides, checked, with all problems reported in one pass.

Names, types and rules of hyperparameters come from the method's `Hyperparameters` and from `Inference`; none is
repeated here.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from tal_search.config.checking import Checker, closest, did_you_mean, repeated
from tal_search.config.named_files import Listed, NamedFiles
from tal_search.config.yaml_reader import Key, Written, shown
from tal_search.data.catalog import dataset_name
from tal_search.data.definition import DatasetDefinition
from tal_search.errors import InputError, Problems
from tal_search.localization.inference import Inference
from tal_search.methods import available, specification
from tal_search.study.cases import check_cases, clicks_read, read_cases, reference_study
from tal_search.study.dataset_settings import DatasetSettings
from tal_search.study.effective_preset import definition_of, preset_names, preset_problems
from tal_search.study.overrides import apply_override
from tal_search.study.presets import annotator_problems, find_dataset, thresholds
from tal_search.study.rules import (
    check_addresses,
    check_lengths,
    check_search,
    checked_options,
    with_long_forms,
    with_tiou_as_text,
)
from tal_search.study.search_settings import SearchSettings
from tal_search.study.settings import FOLDER, Study
from tal_search.study.space import Dimension, read_space
from tal_search.study.supervision.rules import check_supervision, renamed
from tal_search.study.supervision.settings import GROUPS
from tal_search.text.urls import without_passwords
from tal_search.types import INFERENCE, Plain, Value

MOST_TRIALS = 20_000
FILES = NamedFiles(FOLDER.name)


def load_study(name: str, overrides: list[str], folder: Path = FOLDER) -> Study:
    """The study of `folder`/NAME.yaml, or else of the installed studies, changed by command-line overrides.

    Raises InputError with all problems of the file and the overrides, each with its place.
    """
    path = _find(name, folder)
    written = FILES.read(path, FILES.shown(path, folder))
    for override in overrides:
        apply_override(written, override)
    study = replace(_checked(name, written), overrides=(f"study={name}", *map(without_passwords, overrides)))
    if written.problems:
        problems = [*dict.fromkeys(written.problems), *_data_problems(study, written.problems)]
        raise InputError(problem.replace("\n", "\\n") for problem in problems)
    return study


def list_studies(folder: Path = FOLDER) -> list[Listed]:
    """Every study that `load_study` finds, by name, with its one-line description."""
    return FILES.listed(folder)


def _find(name: str, folder: Path) -> Path:
    files = FILES.files(folder)
    if name not in files:
        raise InputError(
            f"study={name} is unknown{did_you_mean(closest(name, list(files)))}; studies found: "
            f"{', '.join(sorted(files)) or 'none'} (files {FOLDER.name}/NAME.yaml, NAME of letters, digits, - and _)"
        )
    return files[name]


def _checked(name: str, written: Written) -> Study:
    """The study with defaults in place of wrong settings, which are reported to `written`."""
    content = _with_dataset_name(with_tiou_as_text(written.content()), written)
    given = content.get("search")
    if isinstance(given, dict):
        content["search"] = with_long_forms(given)
    method = str(content.get("method", "backtal"))
    sections: dict[str, type] = {"inference": Inference}
    if method in available():
        sections["hyperparameters"] = specification(method).hyperparameters
    else:
        near = did_you_mean(closest(method, available()))
        valid = f"it must be one of {', '.join(available())}{near}"
        written.add(("method",), f"is {shown(content.pop('method'))}; {valid}")
    checker = Checker(written, Study, sections)
    study = checker.settings(Study, content, name=name, places={}, overrides=())
    chosen = {key: checker.chosen(cls, _content(content, key), (key,)) for key, cls in sections.items()}
    study = replace(
        study,
        name=study.study.fork or name,
        hyperparameters=chosen.get("hyperparameters", study.hyperparameters),
        inference=chosen["inference"],
        search=_checked_search(checker, study.search, content, method),
    )
    study, usable = _with_definition(study, written)
    check_search(study, written)
    check_lengths(study, written)
    if not study.search.cases:
        _check_inference(study, written)
    if usable:
        _check_dataset(study, definition_of(study), written)
    check_supervision(study, written)
    _check_tiou(study, written)
    _check_size(study, written)
    _check_packing(study, written)
    check_addresses(study, written)
    return replace(
        renamed(study), places={".".join(key): at for key, at in written.places.items()} | {"": written.source}
    )


def _checked_search(checker: Checker, search: SearchSettings, content: dict[str, Plain], method: str) -> SearchSettings:
    axes: dict[str, tuple[Value, ...]] = {}
    space: dict[str, Dimension] = {}
    if method in available():
        fields, groups = specification(method).hyperparameters, GROUPS
        axes = checker.axes(fields, groups, _content(content, "search", "axes"), ("search", "axes"))
        space = read_space(checker, fields, groups, _content(content, "search", "space"), ("search", "space"))
    cases = read_cases(checker, _content(content, "search", "cases"), method)
    return replace(checked_options(checker, search), axes=axes, space=space, cases=cases)


def _content(content: dict[str, Plain], *names: str) -> dict[str, Plain]:
    """The content of a section inside sections; empty if it is not a mapping."""
    for name in names:
        section = content.get(name)
        content = section if isinstance(section, dict) else {}
    return content


def _data_problems(study: Study, known: Problems) -> list[str]:
    """Problems of the data, which would otherwise appear only after the study's problems are fixed."""
    if any("dataset" in problem or "annotators" in problem for problem in known):
        return []
    try:
        found = find_dataset(replace(reference_study(study), preset="auto"))  # the preset may be the problem
        return annotator_problems(study, found, *clicks_read(study))
    except InputError as error:
        return list(error.problems)


def _with_dataset_name(content: dict[str, Plain], written: Written) -> dict[str, Plain]:
    """A dataset is named as its file is; without a name, the file given as `dataset.file` names it."""
    section = content.get("dataset")
    if not isinstance(section, dict):
        return content
    file, name = section.get("file"), section.get("name")
    if name is None and isinstance(file, str) and "name" not in section:
        name = Path(file).stem
    if not isinstance(name, str):
        return content
    try:
        return {**content, "dataset": {**section, "name": dataset_name(name)}}
    except InputError as error:
        for problem in error.problems:
            written.add(("dataset", "name"), f"is wrong: {problem}")
        return {**content, "dataset": {key: value for key, value in section.items() if key not in ("name", "file")}}


def _with_definition(study: Study, written: Written) -> tuple[Study, bool]:
    """The study, and whether its dataset's file can be used; else with the default dataset, and problems reported."""
    try:
        definition_of(study)
    except InputError as error:
        written.problems.extend(error.problems)
        return replace(study, dataset=replace(study.dataset, name=DatasetSettings.name, file=None)), False
    return study, True


def _check_dataset(study: Study, dataset: DatasetDefinition, written: Written) -> None:
    """Report what does not go with the file of the dataset, and problems of the presets that it changes."""
    written.problems.extend(preset_problems(dataset, study.dataset.file))
    check_cases(study, dataset, written)
    _check_choices(study, dataset, written)


def _check_choices(study: Study, dataset: DatasetDefinition, written: Written) -> None:
    """Report a preset that the method of a study without cases does not have for the dataset."""
    valid = ["auto", *preset_names(dataset, study.method)]
    if study.preset not in valid and not study.search.cases:
        near = did_you_mean(closest(study.preset, valid))
        choices = f"{study.method} on {study.dataset.name} it must be one of {', '.join(valid)}{near}"
        written.add(("preset",), f"is {shown(study.preset)}; for {choices}")


def _check_tiou(study: Study, written: Written) -> None:
    """Report invalid thresholds; those of a dataset's file are checked with it."""
    if study.protocol.tiou == "auto":
        return
    try:
        thresholds(study)
    except InputError as error:
        place = written.place(("protocol", "tiou"))
        written.problems.extend(f"{place}: protocol.{problem}" for problem in error.problems)


def _check_inference(study: Study, written: Written) -> None:
    """Report inference settings of a method without activations, on which they have no effect."""
    if specification(study.method).has_activations:
        return
    keys: list[Key] = [("inference", name) for name in study.inference]
    keys += [("search", "axes", *axis.split(".")) for axis in study.search.axes if axis.startswith(INFERENCE)]
    keys += [("search", "space", *axis.split(".")) for axis in study.search.space if axis.startswith(INFERENCE)]
    for key in keys:
        written.add(
            key, f"is given, but {study.method} localizes without class activation sequences; remove it, its "
            "detections depend on hyperparameters only",
        )  # fmt: skip


def _check_size(study: Study, written: Written) -> None:
    """Report empty or repeated seeds and annotators, and absurd numbers of trials."""
    repeats = study.search.repeats
    for name, values in (("seeds", repeats.seeds), ("annotators", repeats.annotators)):
        key = ("search", "repeats", name)
        if not values:
            written.add(key, "has no values; give at least one")
        elif values != "auto":
            for value in repeated(values):
                written.add(key, f"has {shown(value)} more than once; keep one")
    lengths = [len(values) for values in study.search.axes.values()]
    cells = math.prod(lengths) if study.search.plan == "grid" else 1 + sum(lengths) + len(study.search.cases)
    if cells * len(repeats.seeds) > MOST_TRIALS:
        asked = f"makes {cells} cells x {len(repeats.seeds)} seeds"
        written.add(("search", "axes"), f"{asked}; at most {MOST_TRIALS} trials are planned, take fewer values")


def _check_packing(study: Study, written: Written) -> None:
    """Report settings that conflict with a measured number of concurrent trials."""
    resources, place = study.resources, ("resources", "trials_per_device")
    if resources.trials_per_device is None:
        return
    if resources.backend == "inline":
        written.add(place, "is auto, but backend inline runs one trial at a time; drop it, or use backend ray")
    if study.ray.address is not None:
        written.add(place, "is auto, which measures this machine alone; on a cluster give resources.concurrent_trials")
    for name in ("concurrent_trials", "gpus_per_trial"):
        if getattr(resources, name):
            written.add(place, f"is auto, which chooses resources.{name} itself; drop one of them")
