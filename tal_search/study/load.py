"""Loads a study: a file of `studies/` and command-line overrides, checked, with all problems reported in one pass.

Names, types and rules of hyperparameters come from the method's `Hyperparameters` and from `Inference`; none is
repeated here.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tal_search.errors import InputError, Problems
from tal_search.localization.inference import Inference
from tal_search.methods import available, specification
from tal_search.study.cases import check_cases, read_cases, reference_study
from tal_search.study.checking import Checker, closest, did_you_mean, repeated
from tal_search.study.overrides import apply_override
from tal_search.study.presets import annotator_problems, find_dataset, thresholds
from tal_search.study.rules import check_addresses, check_lengths, check_search, checked_options, with_long_forms
from tal_search.study.search_settings import SearchSettings
from tal_search.study.settings import FOLDER, Study
from tal_search.study.space import Dimension, read_space
from tal_search.study.yaml_reader import Key, Written, read_study_file, shown
from tal_search.text.urls import without_passwords
from tal_search.types import INFERENCE, Plain, Value

CODE = Path(__file__).resolve().parents[1]
# An installed package has the studies inside; a checkout has them at its top.
IN_PACKAGE, IN_CHECKOUT = CODE / FOLDER, CODE.parent / FOLDER
INSTALLED = IN_PACKAGE if IN_PACKAGE.is_dir() or not (CODE.parent / "pyproject.toml").is_file() else IN_CHECKOUT
STUDY_NAME = re.compile(r"[A-Za-z0-9_-]+")
MOST_TRIALS = 20_000


class ListedStudy(NamedTuple):
    """A study that `load_study` finds.

    origin: "./studies" (in the working folder), "tal_search" (installed with it) or "repository" (in the checkout of
    this code). replaces: the origin of another study with the same name, which it hides, or "".
    """

    name: str
    description: str
    origin: str
    replaces: str


def load_study(name: str, overrides: list[str], folder: Path = FOLDER) -> Study:
    """The study of `folder`/NAME.yaml, or else of the installed studies, changed by command-line overrides.

    Raises InputError with all problems of the file and the overrides, each with its place.
    """
    path = _find(name, folder)
    source = _shown(path, folder)
    try:
        written = read_study_file(path.read_text("utf-8"), source)
    except (OSError, UnicodeDecodeError) as error:
        written = Written(source)
        written.problems.add(f"{source}: cannot be read ({error}); write it as UTF-8 text")
    for override in overrides:
        apply_override(written, override)
    study = replace(_checked(name, written), overrides=(f"study={name}", *map(without_passwords, overrides)))
    if written.problems:
        problems = [*dict.fromkeys(written.problems), *_data_problems(study, written.problems)]
        raise InputError(problem.replace("\n", "\\n") for problem in problems)
    return study


def list_studies(folder: Path = FOLDER) -> list[ListedStudy]:
    """Every study that `load_study` finds, by name, with its one-line description."""
    studies, elsewhere = [], "repository" if INSTALLED == IN_CHECKOUT else "tal_search"
    for name, path in sorted(_files(folder).items()):
        written = read_study_file(path.read_text("utf-8", errors="replace"), path.name)
        description = str(written.content().get("description", "")).strip().split("\n")[0]
        own = path.parent != INSTALLED
        replaced = own and folder.resolve() != INSTALLED and (INSTALLED / path.name).is_file()
        origin, replaces = f"./{folder.name}" if own else elsewhere, elsewhere if replaced else ""
        studies.append(ListedStudy(name, "cannot be read" if written.problems else description, origin, replaces))
    return studies


def _files(folder: Path) -> dict[str, Path]:
    """Study files by name; those of `folder` hide installed ones."""
    paths = [*INSTALLED.glob("*.yaml"), *folder.glob("*.yaml")]
    return {path.stem: path for path in paths if STUDY_NAME.fullmatch(path.stem) and path.is_file()}


def _shown(path: Path, folder: Path) -> str:
    """A study's file as messages name it: studies/NAME.yaml of the working folder, or the installed path."""
    own = path.parent != INSTALLED or folder.resolve() == INSTALLED
    return f"{FOLDER.name}/{path.name}" if own else str(path)


def _find(name: str, folder: Path) -> Path:
    files = _files(folder)
    if name not in files:
        raise InputError(
            f"study={name} is unknown{did_you_mean(closest(name, list(files)))}; studies found: "
            f"{', '.join(sorted(files)) or 'none'} (files {FOLDER.name}/NAME.yaml, NAME of letters, digits, - and _)"
        )
    return files[name]


def _checked(name: str, written: Written) -> Study:
    """The study with defaults in place of wrong settings, which are reported to `written`."""
    content = _with_tiou_as_text(written.content())
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
    check_search(study, written)
    check_lengths(study, written)
    if study.search.cases:
        check_cases(study, written)
    else:
        _check_choices(study, written)
        _check_inference(study, written)
    if study.dataset.clicks_fraction < 1 and study.dataset.clicks_per_minute is not None:
        written.add(("dataset", "clicks_per_minute"), "is given beside clicks_fraction; keep one of them")
    _check_tiou(study, written)
    _check_size(study, written)
    _check_packing(study, written)
    check_addresses(study, written)
    return replace(study, places={".".join(key): at for key, at in written.places.items()} | {"": written.source})


def _checked_search(checker: Checker, search: SearchSettings, content: dict[str, Plain], method: str) -> SearchSettings:
    axes: dict[str, tuple[Value, ...]] = {}
    space: dict[str, Dimension] = {}
    if method in available():
        fields, groups = specification(method).hyperparameters, {INFERENCE.removesuffix("."): Inference}
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
        # The preset may be the problem, and the method's supervision is not known before its settings are valid.
        return annotator_problems(study, find_dataset(replace(reference_study(study), preset="auto")), ())
    except InputError as error:
        return list(error.problems)


def _with_tiou_as_text(content: dict[str, Plain]) -> dict[str, Plain]:
    """Accept `tiou: [0.3, 0.5]` and `tiou: 0.5` beside text."""
    protocol = content.get("protocol")
    tiou = protocol.get("tiou") if isinstance(protocol, dict) else None
    if not isinstance(protocol, dict) or not isinstance(tiou, list | float | int):
        return content
    text = ",".join(str(value) for value in tiou) if isinstance(tiou, list) else str(tiou)
    return {**content, "protocol": {**protocol, "tiou": text}}


def _check_choices(study: Study, written: Written) -> None:
    """Report a dataset or preset that the method does not have."""
    presets = specification(study.method).presets
    choices = [("dataset.name", study.dataset.name, list(presets))]
    if study.dataset.name in presets:
        choices.append(("preset", study.preset, ["auto", *presets[study.dataset.name]]))
    for key, value, valid in choices:
        if value not in valid:
            near = did_you_mean(closest(value, valid))
            written.add(tuple(key.split(".")), f"is {shown(value)}; it must be one of {', '.join(valid)}{near}")


def _check_tiou(study: Study, written: Written) -> None:
    """Report invalid thresholds."""
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
