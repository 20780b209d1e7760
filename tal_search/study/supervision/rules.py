"""Rules of a study's label budgets: each is given once, and for annotations that the method can read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tal_search.config.yaml_reader import Key, Written
from tal_search.methods import specification
from tal_search.study.cases import case_studies
from tal_search.study.settings import Study
from tal_search.types import SHARE_OF, SUPERVISION

ALIAS: Key = ("dataset", "clicks_fraction")
BACKGROUND: Key = ("supervision", "background_clicks")


def check_supervision(study: Study, written: Written) -> None:
    """Report a budget of background clicks that is given twice, and budgets that no method of the study can read."""
    given = [key for key in (ALIAS, BACKGROUND) if _is_given(study, key, written)]
    given += [key for key, *_ in _axes(study) if key[-1] == BACKGROUND[-1]]
    per_minute = ("dataset", "clicks_per_minute")
    if study.dataset.clicks_per_minute is not None and given:
        name = given[0][-1] if given[0] == ALIAS else ".".join(given[0])
        written.add(per_minute, f"is given beside {name}; keep one of them")
    elif {ALIAS, BACKGROUND} <= {*given}:
        written.add(ALIAS, f"is the older name of {'.'.join(BACKGROUND)}, which is given too; keep one of them")
    cases = list(case_studies(study))
    methods = list(dict.fromkeys(alone.method for _, alone in cases)) or [study.method]
    for key, name in _budgets(study, written):
        _check_read(methods, key, name, written)
    for case, alone in cases:
        for name in study.search.cases[case].supervision:
            key = ("search", "cases", case, "supervision", name)
            alias = (*key[:-2], "clicks_fraction")
            _check_read([alone.method], alias if alias in written.places else key, name, written)


def renamed(study: Study) -> Study:
    """The study with `dataset.clicks_fraction` under its present name."""
    fraction = study.dataset.clicks_fraction
    if fraction is None:
        return study
    return replace(
        study,
        dataset=replace(study.dataset, clicks_fraction=None),
        supervision=replace(study.supervision, background_clicks=fraction),
    )


def alias_note(study: Study) -> list[str]:
    """One note where the study uses the older name of the share of background clicks."""
    places = [key for key in study.places if key.rpartition(".")[2] == ALIAS[-1]]
    if not places:
        return []
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    new = "supervision.background_clicks, also in a case (supervision: {background_clicks: SHARE})"
    return [f"{study.place(places[0])}: {places[0]}{more}: clicks_fraction is the older name of {new}."]


def _is_given(study: Study, key: Key, written: Written) -> bool:
    value = study.dataset.clicks_fraction if key == ALIAS else study.supervision.background_clicks
    return key in written.places and value is not None and (value < 1 or study.dataset.clicks_per_minute is None)


def _axes(study: Study) -> Iterator[tuple[Key, str]]:
    for section in ("axes", "space"):
        for axis in getattr(study.search, section):
            if axis.startswith(SUPERVISION):
                yield ("search", section, *axis.split(".")), axis.removeprefix(SUPERVISION)


def _budgets(study: Study, written: Written) -> Iterator[tuple[Key, str]]:
    """The keys of the study's own budgets, cases aside, with their names."""
    for name in SHARE_OF:
        key = ("supervision", name)
        if key in written.places:
            yield key, name
    if ALIAS in written.places and study.dataset.clicks_fraction is not None:
        yield ALIAS, BACKGROUND[-1]
    yield from _axes(study)


def _check_read(methods: list[str], key: Key, name: str, written: Written) -> None:
    kind = SHARE_OF.get(name)
    if kind is None or any(kind in specification(method).method.supervision for method in methods):
        return
    read = "no method of this study reads" if len(methods) > 1 else f"{methods[0]} never reads"
    written.add(key, f"is given, but {read} {kind}; remove it")
