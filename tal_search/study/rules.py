"""Rules that combinations of settings must satisfy, mostly in the search section of a study."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from tal_search.config.checking import Checker, closest, did_you_mean
from tal_search.config.yaml_reader import Key, Written, dotted, shown
from tal_search.data.clicks.drawn_clicks import Clickers
from tal_search.study.samplers import OBJECTIVES, ONE_OBJECTIVE, PRUNERS, SAMPLERS
from tal_search.study.search_settings import SearchSettings
from tal_search.study.settings import Study
from tal_search.text.name_patterns import pattern_problem
from tal_search.text.urls import is_misread, masked, web_link
from tal_search.types import Plain, Value

SEARCH: Key = ("search",)
RESERVED = ("trials", "features", "mlartifacts")  # other folders in `runs`
NAME = re.compile(r"[A-Za-z0-9_-]+")
PLANNED_ONLY = "axes are for plan one_at_a_time or grid; a sampler draws from search.space, move them there"
CASES_ONLY = "axes are for plan one_at_a_time or grid; give each setting to a case, search.cases.NAME"


def with_long_forms(search: dict[str, Plain]) -> dict[str, Plain]:
    """The search section with short forms (`sampler: tpe`, `objectives: [mAP]`) written out."""
    search = dict(search)
    for key in ("sampler", "pruner"):
        if isinstance(search.get(key), str):
            search[key] = {"name": search[key]}
    objectives = search.get("objectives")
    names = objectives if isinstance(objectives, list) else [objectives]
    texts = [name for name in names if isinstance(name, str)]
    if len(texts) == len(names):
        search["objectives"] = {name: OBJECTIVES.get(name, "maximize") for name in texts}
    return search


def with_tiou_as_text(content: dict[str, Plain]) -> dict[str, Plain]:
    """Accept `tiou: [0.3, 0.5]` and `tiou: 0.5` beside text."""
    protocol = content.get("protocol")
    tiou = protocol.get("tiou") if isinstance(protocol, dict) else None
    if not isinstance(protocol, dict) or not isinstance(tiou, list | float | int):
        return content
    text = ",".join(str(value) for value in tiou) if isinstance(tiou, list) else str(tiou)
    return {**content, "protocol": {**protocol, "tiou": text}}


def checked_options(checker: Checker, search: SearchSettings) -> SearchSettings:
    """The search with the options of its sampler and pruner checked."""
    sampler, pruner, written = search.sampler, search.pruner, checker.written
    place = (*SEARCH, "sampler", "options")
    if not _reported(written, (*SEARCH, "sampler", "name")):
        sampler = replace(sampler, options=checker.chosen(SAMPLERS[sampler.name], sampler.options, place))
        if sampler.options.get("group") and sampler.options.get("multivariate") is False:
            written.add((*place, "group"), "is true, which draws dimensions jointly; drop multivariate: false")
    place = (*SEARCH, "pruner", "options")
    if pruner.name != "none":
        pruner = replace(pruner, options=checker.chosen(PRUNERS[pruner.name], pruner.options, place))
    elif pruner.options and not _reported(written, (*SEARCH, "pruner", "name")):
        written.add(place, f"is given, but no pruner; give search.pruner.name, one of {', '.join(PRUNERS)}")
    return replace(search, sampler=sampler, pruner=pruner)


def check_search(study: Study, written: Written) -> None:
    """Report settings that do not go together."""
    _check_objectives(study.search, written)
    _check_holdout(study, written)
    check_clickers(study.dataset.clickers, written)
    if study.search.plan == "sampler":
        _check_sampler(study, written)
    else:
        _check_planned(study, written)
    if study.study.fork is not None and not NAME.fullmatch(study.study.fork):
        written.add(("study", "fork"), f"is {shown(study.study.fork)}; a name has letters, digits, - and _")
    if study.name in RESERVED:
        written.add(("study", "fork"), f"is {study.name}, a folder that all studies share; choose another name")


def check_lengths(study: Study, written: Written) -> None:
    """Report a training length that is given both in epochs and in steps: one of them would be ignored."""
    search = study.search
    own = _given_in(("hyperparameters",), study.hyperparameters)
    own |= {name: (*SEARCH, section, name) for section in ("axes", "space") for name in getattr(search, section)}
    layers = [own]
    for name, case in search.cases.items():
        layers.append(_given_in((*SEARCH, "cases", name, "hyperparameters"), case.hyperparameters))
    for keys in layers:
        if {"epochs", "steps"} <= keys.keys():
            words = f"is given beside {dotted(keys['epochs'])}, and each says how long to train; keep one of them"
            written.add(keys["steps"], words)


def check_addresses(study: Study, written: Written) -> None:
    """Report an address of the dashboards that a browser cannot open, as every MLflow run would link to it, and
    passwords that a program would take for a host.
    """
    page = study.tracking.dashboard
    if page is not None and not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", page):
        words = f"is {shown(page)}; it must be the address of the dashboards, such as http://127.0.0.1:8050"
        written.add(("tracking", "dashboard"), words)
    uri = study.tracking.uri
    if uri is not None and uri.lower().startswith("http") and not is_misread(uri) and not web_link(uri):
        written.add(
            ("tracking", "uri"), f"is {masked(uri)}; give the address of a server, such as http://127.0.0.1:5000"
        )
    for key, url in {("record",): study.record, ("tracking", "uri"): study.tracking.uri}.items():
        if url is not None and is_misread(url):
            signs = "@ as %40, / as %2F, ? as %3F and # as %23"
            written.add(
                key,
                f"has a password with signs that end the password; write {signs}, or leave the password "
                f"out and set {'PGPASSWORD' if key == ('record',) else 'MLFLOW_TRACKING_PASSWORD'}",
            )


def check_clickers(clickers: Clickers | None, written: Written) -> None:
    """Report clickers of no kind of clicks."""
    place = ("dataset", "clickers")
    reported = any(f": {dotted(place)}" in problem for problem in written.problems)
    if clickers is not None and not clickers.by_kind and not reported:
        written.add(place, "names no kind of clicks; give background or action, such as background: uniform")


def _check_holdout(study: Study, written: Written) -> None:
    """Report an expression for groups that is none, or that no epoch is selected by."""
    by, place = study.protocol.holdout_by, ("protocol", "holdout_by")
    if by is None:
        return
    problem = pattern_problem(by)
    if problem is not None:
        written.add(place, f"is {shown(by)}, which {problem}")
    if study.protocol.selection == "last":
        written.add(place, "is given, but selection is last, which holds out no video; use holdout, or remove it")


def _given_in(section: Key, settings: Mapping[str, Value]) -> dict[str, Key]:
    return {name: (*section, name) for name, value in settings.items() if value is not None}


def _check_objectives(search: SearchSettings, written: Written) -> None:
    place = (*SEARCH, "objectives")
    if not search.objectives and not _reported(written, place):
        written.add(place, f"has no objective; choose from {', '.join(OBJECTIVES)}")
    for name, direction in search.objectives.items():
        if "test" in name.lower():
            written.add(
                (*place, name),
                "is a test score, which never steers a search; use mAP, that of held-out training videos",
            )
        elif name not in OBJECTIVES:
            near = did_you_mean(closest(name, list(OBJECTIVES)))
            written.add((*place, name), f"is unknown; it must be one of {', '.join(OBJECTIVES)}{near}")
        elif direction not in ("maximize", "minimize"):
            written.add((*place, name), f"is {shown(direction)}; it must be maximize or minimize")


def _check_sampler(study: Study, written: Written) -> None:
    search, several = study.search, len(study.search.objectives) > 1
    only = next(iter(search.objectives), "mAP")
    if search.axes:
        written.add((*SEARCH, "axes"), f"is given; {PLANNED_ONLY}")
    _check_cases_given(study, written)
    if not any(key[:2] == (*SEARCH, "space") for key in written.places if len(key) > 2):
        written.add((*SEARCH, "plan"), "is sampler, but search.space is empty; give a range, NAME: {low: A, high: B}")
    if not any(key in written.places for key in (("budget", "trials"), ("budget", "minutes"))):
        written.add((*SEARCH, "plan"), "is sampler, which never ends by itself; give budget.trials or budget.minutes")
    if study.protocol.selection == "last":
        written.add(
            ("protocol", "selection"),
            "is last, which leaves a sampler nothing but test scores to choose by; use holdout (or auto)",
        )
    if search.repeats.until is not None:
        written.add((*SEARCH, "repeats", "until"), "compares cells to the centre; a sampler's plan has none, remove it")
    if several and search.sampler.name in ONE_OBJECTIVE:
        written.add(
            (*SEARCH, "sampler"), f"is {search.sampler.name}, which takes one objective; use nsgaii, tpe, gp or random"
        )
    if several and search.pruner.name != "none":
        written.add((*SEARCH, "pruner"), f"is {search.pruner.name}, which needs a single objective; remove one of them")
    if search.pruner.name != "none" and not several and only != "mAP" and only in OBJECTIVES:
        written.add((*SEARCH, "pruner"), f"is {search.pruner.name}, which watches mAP; make it the objective")


def _check_planned(study: Study, written: Written) -> None:
    search = study.search
    for key in ("space", "sampler", "pruner", "objectives"):
        if key in _given(written):
            written.add((*SEARCH, key), f"is given; it needs plan: sampler, and the plan is {search.plan}")
    if search.plan == "cases" and search.axes:
        written.add((*SEARCH, "axes"), f"is given; {CASES_ONLY}")
    _check_cases_given(study, written)


def _check_cases_given(study: Study, written: Written) -> None:
    """Report cases without their plan, and the plan without cases."""
    search = study.search
    if search.plan == "cases" and not search.cases and not _reported(written, (*SEARCH, "cases")):
        written.add((*SEARCH, "plan"), "is cases, but search.cases is empty; give cases, NAME: {method: ...}")
    if search.plan != "cases" and search.cases and not _reported(written, (*SEARCH, "plan")):
        written.add((*SEARCH, "cases"), f"is given; it needs plan: cases, and the plan is {search.plan}")


def _reported(written: Written, key: Key) -> bool:
    """Whether a problem of this key is reported already, so that its consequences need no message."""
    return any(f": {dotted(key)} is " in problem for problem in written.problems)


def _given(written: Written) -> set[str]:
    """The keys of `search` that the author wrote."""
    return {key[1] for key in written.places if len(key) > 1 and key[0] == "search"}
