"""Cases: named cells of a study, which may override its method and settings. Problems are collected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tal_search.config.checking import Checker, closest, did_you_mean
from tal_search.config.yaml_reader import Key, Written, shown
from tal_search.data.catalog import visible
from tal_search.data.definition import DatasetDefinition
from tal_search.localization.inference import Inference
from tal_search.methods import available, specification
from tal_search.methods.hyperparameters import layered
from tal_search.results.published import published_systems
from tal_search.study.effective_preset import preset_names
from tal_search.study.search_settings import CaseSettings
from tal_search.study.settings import Study
from tal_search.study.supervision.settings import SupervisionSettings
from tal_search.types import Plain, Value, clicks_of

CASES: Key = ("search", "cases")
BACKGROUND = "background_clicks"
LONGEST_NAME = 80  # characters


def read_cases(checker: Checker, content: Mapping[str, Plain], method: str) -> dict[str, CaseSettings]:
    """Each case, checked with the rules of its method (by default `method`)."""
    cases = {}
    for name, given in content.items():
        key = (*CASES, name)
        if len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
            checker.written.add(key, f"is no valid name of a case; give at most {LONGEST_NAME} printable characters")
        cases[name] = _read_case(checker, checker.mapping(given, key), method, key)
    return cases


def _read_case(checker: Checker, content: Mapping[str, Plain], method: str, key: Key) -> CaseSettings:
    case = checker.settings(CaseSettings, content, key)
    wrong = case.method is not None and case.method not in available()
    if wrong:
        near = did_you_mean(closest(str(case.method), available()))
        words = f"is {shown(case.method)}; it must be one of {', '.join(available())}{near}"
        checker.written.add((*key, "method"), words)
        case = replace(case, method=None)
    inference = checker.chosen(Inference, case.inference, (*key, "inference"))
    hyperparameters: dict[str, Value] = {}
    if not wrong and (case.method or method) in available():
        fields = specification(case.method or method).hyperparameters
        hyperparameters = checker.chosen(fields, case.hyperparameters, (*key, "hyperparameters"))
    supervision = checker.chosen(SupervisionSettings, case.supervision, (*key, "supervision"))
    names = [f"supervision.{BACKGROUND}"] if BACKGROUND in supervision else []
    names += ["clicks_fraction"] if case.clicks_fraction is not None else []
    names += ["clicks_per_minute"] if case.clicks_per_minute is not None else []
    if len(names) > 1:
        checker.written.add((*key, *names[-1].split(".")), f"is given beside {names[0]}; keep one of them")
    elif case.clicks_fraction is not None:
        supervision[BACKGROUND] = case.clicks_fraction
    return replace(
        case, hyperparameters=hyperparameters, inference=inference, supervision=supervision, clicks_fraction=None
    )


def check_cases(study: Study, dataset: DatasetDefinition, written: Written) -> None:
    """Report unknown presets and published systems, and hyperparameters that no case uses."""
    systems = published_systems(dataset)
    for name, alone in case_studies(study):
        key, paper = (*CASES, name), study.search.cases[name].paper
        valid = ("auto", *preset_names(dataset, alone.method))
        if alone.preset not in valid:
            choices = f"{alone.method} on {dataset.name} it must be one of {', '.join(valid)}"
            written.add((*key, "preset"), f"is {shown(alone.preset)}; for {choices}")
        if study.search.cases[name].inference and not specification(alone.method).has_activations:
            words = f"is given, but {alone.method} localizes without class activation sequences; remove it"
            written.add((*key, "inference"), words)
        if paper is not None and paper not in systems and not _is_elsewhere(paper):
            near = did_you_mean(closest(paper, list(systems)))
            words = near or f"; it must be one of {', '.join(systems) or 'none'}"
            written.add((*key, "paper"), f"is {shown(paper)}, no published system on {dataset.name}{words}")
    unread = study.hyperparameters and all(alone.method != study.method for _, alone in case_studies(study))
    if unread and study.search.cases:
        written.add(
            ("hyperparameters",), f"are for the method {study.method}, which no case uses; give them to the cases"
        )


def _is_elsewhere(paper: str) -> bool:
    """Whether a system has published on another dataset, so that a study of cases runs on every dataset."""
    return any(paper in published_systems(dataset) for dataset in visible())


def case_studies(study: Study) -> Iterator[tuple[str, Study]]:
    """Each case by name, as a study without cases.

    The study's inference settings apply to the cases that localize from class activation sequences.
    """
    for name, case in study.search.cases.items():
        method = case.method or study.method
        dataset, shares = study.dataset, case.supervision
        if case.clicks_per_minute is not None or BACKGROUND in shares:
            dataset = replace(dataset, clicks_per_minute=case.clicks_per_minute)
            shares = {BACKGROUND: 1.0, **shares}
        shared = study.hyperparameters if method == study.method else {}
        yield (
            name,
            replace(
                study,
                method=method,
                preset=case.preset or study.preset,
                dataset=dataset,
                supervision=replace(study.supervision, **shares),
                hyperparameters=layered(shared, case.hyperparameters),
                inference={**(study.inference if specification(method).has_activations else {}), **case.inference},
            ),
        )


def clicks_read(study: Study) -> tuple[tuple[str, ...], list[str]]:
    """The kinds of clicks that the study or its cases read, whatever their presets, and the cases that read any."""
    read = {
        name: clicks_of(specification(alone.method).configured(alone.hyperparameters).supervision)
        for name, alone in (dict(case_studies(study)) or {"": study}).items()
    }
    return clicks_of({kind for kinds in read.values() for kind in kinds}), [name for name in read if read[name]]


def reference_study(study: Study) -> Study:
    """The first case as a study without cases; the study itself if it has none."""
    return next((alone for _, alone in case_studies(study)), study)
