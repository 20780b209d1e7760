"""Cases: named cells of a study, which may override its method and settings. Problems are collected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tal_search.localization.inference import Inference
from tal_search.methods import available, specification
from tal_search.methods.base import layered
from tal_search.results.published import published_systems
from tal_search.study.checking import Checker, closest, did_you_mean
from tal_search.study.search_settings import CaseSettings
from tal_search.study.settings import Study
from tal_search.study.yaml_reader import Key, Written, shown
from tal_search.types import Plain, Value

CASES: Key = ("search", "cases")
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
    if case.clicks_fraction is not None and case.clicks_per_minute is not None:
        checker.written.add((*key, "clicks_per_minute"), "is given beside clicks_fraction; keep one of them")
    return replace(case, hyperparameters=hyperparameters, inference=inference)


def check_cases(study: Study, written: Written) -> None:
    """Report unknown presets, datasets and published systems, and hyperparameters that no case uses."""
    dataset, systems = study.dataset.name, published_systems(study.dataset.name)
    for name, alone in case_studies(study):
        key, paper = (*CASES, name), study.search.cases[name].paper
        presets = specification(alone.method).presets
        if dataset not in presets:
            known = f"its method {alone.method} has presets for {', '.join(presets)}"
            written.add(key, f"cannot run on the dataset {shown(dataset)}; {known}")
        elif alone.preset not in ("auto", *presets[dataset]):
            valid = ", ".join(("auto", *presets[dataset]))
            written.add((*key, "preset"), f"is {shown(alone.preset)}; for {alone.method} it must be one of {valid}")
        if study.search.cases[name].inference and not specification(alone.method).has_activations:
            words = f"is given, but {alone.method} localizes without class activation sequences; remove it"
            written.add((*key, "inference"), words)
        if paper is not None and paper not in systems:
            near = did_you_mean(closest(paper, list(systems)))
            valid = f"it must be one of {', '.join(systems) or 'none'}"
            written.add((*key, "paper"), f"is {shown(paper)}, no published system on {dataset}{near or '; ' + valid}")
    unread = study.hyperparameters and all(alone.method != study.method for _, alone in case_studies(study))
    if unread and study.search.cases:
        written.add(
            ("hyperparameters",), f"are for the method {study.method}, which no case uses; give them to the cases"
        )


def case_studies(study: Study) -> Iterator[tuple[str, Study]]:
    """Each case by name, as a study without cases.

    The study's inference settings apply to the cases that localize from class activation sequences.
    """
    for name, case in study.search.cases.items():
        method = case.method or study.method
        dataset = study.dataset
        if case.clicks_fraction is not None or case.clicks_per_minute is not None:
            fraction = 1.0 if case.clicks_fraction is None else case.clicks_fraction
            dataset = replace(dataset, clicks_fraction=fraction, clicks_per_minute=case.clicks_per_minute)
        shared = study.hyperparameters if method == study.method else {}
        yield (
            name,
            replace(
                study,
                method=method,
                preset=case.preset or study.preset,
                dataset=dataset,
                hyperparameters=layered(shared, case.hyperparameters),
                inference={**(study.inference if specification(method).has_activations else {}), **case.inference},
            ),
        )


def reference_study(study: Study) -> Study:
    """The first case as a study without cases; the study itself if it has none."""
    return next((alone for _, alone in case_studies(study)), study)
