"""Problems of a study that show only once its dataset is found: in its cases, rules, repeats and thresholds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from tal_search.config.yaml_reader import shown
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.cache import CONVERTED
from tal_search.data.sampling.settings import RESCALE, SamplingChange
from tal_search.localization.inference import Inference
from tal_search.methods import specification
from tal_search.plan.cells import Case, split
from tal_search.study import Study
from tal_search.study.samplers import OVER_REPEATS, Wilcoxon
from tal_search.types import CASE, INFERENCE, SHARE_OF, SUPERVISION, canonical_json


def repeated_cases(study: Study, cases: dict[str, Case]) -> list[str]:
    """A problem for each case with the settings of an earlier one, whose trials it would share."""
    first: dict[str, str] = {}
    problems = []
    for name, case in cases.items():
        same = first.setdefault(canonical_json(asdict(case)), name)
        if same != name:
            key = f"search.cases.{name}"
            problems.append(f"{study.place(key)}: {key} has exactly the settings of '{same}'; keep one of them")
    return problems


def rule_problems(study: Study, cases: Iterable[Case]) -> list[str]:
    """A problem for each method of one stream whose inference rule needs two."""
    methods = (case.method for case in cases if case.inference.rule == "streams")
    key = f"{study.place('inference.rule')}: inference.rule"
    return [
        f"{key} is streams, but {method} has one stream; give thresholds or mean"
        for method in dict.fromkeys(methods)
        if not specification(method).has_streams
    ]


def sampling_problems(study: Study, dataset: DatasetSpec, cases: Iterable[Case]) -> list[str]:
    """Problems of the sampling of videos: settings that contradict one another, and what method or data cannot have."""
    found: dict[str, None] = {}
    for case in cases:
        sampling, can = case.sampling, specification(case.method).method.samplings
        both = SamplingChange(training=sampling.training, test=sampling.test)
        problems = {f"{split}.{name}": words for split, name, words in both.problems(case.method, can)}
        if sampling.stored and dataset.layout.get("name") == CONVERTED:
            seen = f"needs the stored snippets, and {dataset.root} was converted to {case.snippets}"
            split = "test" if sampling.training.kind == RESCALE else "training"
            problems[split] = f"{seen}; give the features that it was made from, or kind: rescale for both splits"
        for key, sentence in problems.items():
            name = f"dataset.sampling.{key}"
            found[f"{study.place(name)}: {name} {sentence}"] = None
    return list(found)


def unread(study: Study, named: Mapping[str, Case], tried: Sequence[Case]) -> list[str]:
    """Problems of settings that nothing reads: budgets, shares of a case, and hyperparameters."""
    budgets = unread_budgets(study, tried) + unread_shares(study, named)
    return budgets + unread_hyperparameters(study, named, tried)


def unread_budgets(study: Study, cases: Iterable[Case]) -> list[str]:
    """A problem for each axis that is a budget of annotations that no cell reads: all its cells would be the same."""
    read = {kind for case in cases for kind in case.hyperparameters.supervision}
    section = "space" if study.search.plan == "sampler" else "axes"
    problems = []
    for axis in study.search.space or study.search.axes:
        kind = SHARE_OF.get(axis.removeprefix(SUPERVISION)) if axis.startswith(SUPERVISION) else None
        if kind is not None and kind not in read:
            key = f"search.{section}.{axis}"
            seen = f"is given, but with these settings no cell reads {kind}"
            problems.append(f"{study.place(key)}: {key} {seen}; remove it, or give the losses on them a weight")
    return problems


def unread_shares(study: Study, named: Mapping[str, Case]) -> list[str]:
    """A problem for each share of annotations that its case does not read.

    Whether a method reads some depends on its settings: BaS-Net reads clicks where their losses have a weight.
    """
    problems = []
    for name, case in named.items():
        for share in study.search.cases[name].supervision:
            kind = SHARE_OF.get(share)
            if kind is not None and kind not in case.hyperparameters.supervision:
                key, fix = f"search.cases.{name}.supervision.{share}", "remove it, or give the losses on them a weight"
                seen = f"is given, but with these settings {case.method} reads no {kind}"
                problems.append(f"{study.place(key)}: {key} {seen}; {fix}")
    return problems


def unread_hyperparameters(study: Study, named: Mapping[str, Case], tried: Iterable[Case]) -> list[str]:
    """A problem for each hyperparameter that no cell reads at a value of its own, not the default.

    tried: the cells of a plan, each with all its values, or those of a sampler, each with one value changed.
    """
    drawn = study.search.plan == "sampler"
    groups = {f"search.cases.{name}.": [case] for name, case in named.items()} or {"": [*tried]}
    problems = []
    for prefix, cases in groups.items():
        defaults = {spec.name: spec.default for spec in fields(cases[0].hyperparameters)}
        for name, why in cases[0].hyperparameters.unread.items():
            given = [case for case in cases if getattr(case.hyperparameters, name) != defaults[name]]
            if given and all(name in case.hyperparameters.unread for case in (cases if drawn else given)):
                seen = shown(getattr(given[0].hyperparameters, name))
                keys = [f"search.axes.{name}", f"search.space.{name}", f"{prefix}hyperparameters.{name}"]
                key = next((key for key in keys if key in study.places), f"hyperparameters.{name}")
                problems.append(f"{study.place(key)}: {key} is {seen}, but {why}")
    return problems


def cost_problems(study: Study, total: float | None) -> list[str]:
    """A problem if the cost of the training set is an objective and unknown. total: of the centre."""
    if "annotation_total" not in study.search.objectives or total is not None:
        return []
    seen = "needs the duration of every training video, and the ground truth lacks some"
    return [f"{study.place('search.objectives')}: search.objectives.annotation_total {seen}; add them there"]


def repeat_problems(study: Study, annotators: int, folds: int = 1) -> list[str]:
    """Problems with the number of repeats, which depends on the annotators of the dataset, and with its folds."""
    search, trials = study.search, study.budget.trials
    repeats, until = len(search.repeats.seeds) * annotators, search.repeats.until
    problems = []
    if search.plan == "sampler" and trials is not None and trials < repeats * folds:
        problems.append(("budget.trials", f"is {trials}, but one cell has {repeats * folds} trials", "at least that"))
    if search.pruner.name in OVER_REPEATS and folds > 1:
        seen = f"is {search.pruner.name}, which takes repeats for independent, but folds share training data"
        problems.append(("search.pruner", seen, "another"))
    elif search.pruner.name in OVER_REPEATS and repeats < (least := _least_repeats(search.pruner.options)):
        value = f"is {search.pruner.name}, which could never stop a cell of {repeats} repeats"
        problems.append(("search.pruner", value, f"at least {least}"))
    if until is not None and until.at_most <= repeats:
        problems.append(
            ("search.repeats.until.at_most", f"is {until.at_most}, but a cell has {repeats} repeats", "more")
        )
    made_of = "seeds x annotators" + (" x folds" if folds > 1 else "")
    return [f"{study.place(key)}: {key} {seen} ({made_of}); give {fix}" for key, seen, fix in problems]


def _least_repeats(options: dict[str, Any]) -> int:
    """Fewest repeats at which the Wilcoxon pruner can stop a cell early: n equal signs have a p of 1/2ⁿ."""
    settings = Wilcoxon(**options)
    return max(2, settings.n_startup_steps, math.floor(-math.log2(settings.p_threshold)) + 1) + 1


def ends(study: Study) -> Iterator[dict[str, object]]:
    """Cells at each end, or each choice, of one dimension of a space."""
    for axis, dimension in study.search.space.items():
        yield from ({axis: value} for value in dimension.choices or (dimension.low, dimension.high))


def narrowest(study: Study) -> dict[str, Any]:
    """The cell of a space with the narrowest ranges of thresholds: every start highest, every end lowest."""
    space = study.search.space
    ends = {axis: max(d.choices or (d.high,)) for axis, d in space.items() if axis.endswith("_low")}
    return ends | {axis: min(d.choices or (d.low,)) for axis, d in space.items() if axis.endswith("_high")}


def threshold_problems(study: Study, tried: Iterable[tuple[Mapping[str, object], Inference]]) -> list[str]:
    """One problem for each range of thresholds that a cell makes empty, so that nothing would be detected.

    tried: cells, each with the inference settings that it changes.
    """
    return list(dict.fromkeys(problem for cell, own in tried for problem in _empty_ranges(study, own, cell)))


def _empty_ranges(study: Study, own: Inference, cell: Mapping[str, object]) -> Iterator[str]:
    inference = {**vars(own), **split(cell)[1]}
    for low in [name for name in inference if name.endswith("_low")]:
        high = low.removesuffix("_low") + "_high"
        if inference[low] >= inference[high]:
            changed = next((axis for axis in cell if axis in (INFERENCE + low, INFERENCE + high)), None)
            section = "space" if study.search.plan == "sampler" else "axes"
            key = f"search.{section}.{changed}" if changed else INFERENCE + low
            of_case = f"search.cases.{cell.get(CASE)}.inference"
            place = study.place(of_case if of_case in study.places else key)
            yield (
                f"{place}: inference.{low} is {inference[low]:g} and inference.{high} is {inference[high]:g}; "
                "the first must be smaller"
            )
