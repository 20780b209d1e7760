"""From a study to its trials: cells × repeats, the centre first. Pure but for looking for the dataset."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from tal_search.data.clicks.annotation_cost import annotation_seconds
from tal_search.data.clicks.annotation_rates import annotation_rates
from tal_search.data.find import default_annotators
from tal_search.errors import InputError
from tal_search.localization.inference import Inference
from tal_search.methods import specification
from tal_search.plan.cells import Case, Trial, cells, fits, rule_problems, split
from tal_search.plan.code_change import trained_by_other_code
from tal_search.plan.training_videos import training_videos
from tal_search.study import (
    Study,
    annotator_problems,
    case_studies,
    find_dataset,
    preset_name,
    reference_study,
    thresholds,
)
from tal_search.study.samplers import OVER_REPEATS, Wilcoxon
from tal_search.trial.code_version import code_version
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import CASE, INFERENCE, NO_ANNOTATOR, DatasetSpec, canonical_json, clicks_of


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study resolved: its data, its complete centre, and the trials it asks for, the centre's first.

    `reference` is the centre, complete; of a study of cases the first one. `clicks`: the kinds of clicks that any cell
    reads. `centre_cell` is the centre by axis (always one of the cells). `cells` and `trials` are
    empty where a sampler proposes them. `cases`: of a study of cases, by name.
    """

    study: Study
    dataset: DatasetSpec
    preset: str
    reference: Case
    protocol: dict[str, Any]
    annotators: tuple[str, ...]
    clicks: tuple[str, ...]
    centre_cell: dict[str, Any]
    cells: tuple[dict[str, Any], ...]
    trials: tuple[Trial, ...]
    cases: dict[str, Case] = field(default_factory=dict)

    @cached_property
    def centre(self) -> dict[str, Any]:
        """Every hyperparameter at the centre, by name."""
        return self.reference.settings

    @cached_property
    def inference(self) -> dict[str, Any]:
        """Every inference setting at the centre, by name."""
        return asdict(self.reference.inference)

    @cached_property
    def fit_inference(self) -> dict[str, Any]:
        """The preset's, which every fit is scored with while it trains."""
        return asdict(self.reference.fit_inference)

    @property
    def axes(self) -> tuple[str, ...]:
        """What the study varies: hyperparameters by name, inference settings with their prefix."""
        return tuple(self.centre_cell)

    @cached_property
    def fits(self) -> tuple[TrialSpec, ...]:
        """What is trained for the trials: each fit once."""
        return tuple(fits(self.trials))

    def with_finished_fits(self) -> Plan:
        """The same without the trials whose fit is not finished."""
        finished = {spec.key for spec in self.fits if TrialFolder.of(self.study.runs, spec.key).result() is not None}
        return replace(self, trials=tuple(trial for trial in self.trials if trial.spec.key in finished))

    @property
    def repeats(self) -> list[tuple[int, str]]:
        """Every (seed, annotator) a cell that reads clicks has from the start; any other has one a seed."""
        return list(itertools.product(self.study.search.repeats.seeds, self.annotators))

    def trial(self, cell: dict[str, Any], seed: int, annotator: str) -> Trial:
        """The trial of any cell and repeat of this study; NO_ANNOTATOR's where the cell reads no clicks."""
        case = self.cases[cell[CASE]] if self.cases else self.reference.at(cell)
        # Flat settings: asdict would copy each value of ten thousand trials, in half of a preview's time.
        spec = TrialSpec(
            method=case.method, code_version=case.code_version, hyperparameters=dict(vars(case.trained)),
            inference=dict(vars(case.fit_inference)), protocol=self.protocol, supervision=case.supervision,
            dataset=case.reading(self.dataset),
            annotator=annotator if clicks_of(case.supervision) else NO_ANNOTATOR, seed=seed,
            precision=self.study.resources.precision, cell=split(cell)[0],
        )  # fmt: skip
        rates = annotation_rates(spec.dataset, spec.annotator, spec.supervision)
        seconds = annotation_seconds(spec.supervision, rates, self.study.cost)
        return Trial(cell=cell, spec=spec, inference=dict(vars(case.inference)), annotation_seconds=seconds)

    def trials_of(self, cell: dict[str, Any]) -> list[Trial]:
        """The trials a cell has from the start, each once."""
        trials = [self.trial(cell, *repeat) for repeat in self.repeats]
        return list({trial.id: trial for trial in trials}.values())


def resolve(study: Study) -> Plan:
    """The study's trials. Raises InputError: no data, an annotator without clicks, thresholds that leave nothing."""
    reference = reference_study(study)
    dataset = find_dataset(reference)
    named = {name: _case(alone, dataset) for name, alone in case_studies(study)}
    centre = next(iter(named.values()), None) or _case(reference, dataset)
    centre_cell = _centre_cell(study, centre)
    sampled, wanted = study.search.plan == "sampler", study.search.repeats.annotators
    assignments = () if sampled else tuple(cells(study.search, centre_cell))
    tried = named.values() or [centre, *(centre.at(cell) for cell in (_ends(study) if sampled else assignments))]
    clicks = clicks_of({kind for case in tried for kind in case.supervision})
    problems = annotator_problems(study, dataset, clicks)
    annotators = default_annotators(dataset, clicks) if wanted == "auto" else tuple(wanted)
    extremes = [_narrowest(study)] if sampled else assignments
    problems += dict.fromkeys(
        p
        for cell in extremes
        for p in _threshold_problems(study, named.get(cell.get(CASE, ""), centre).inference, cell)
    )
    problems += rule_problems(study, tried)
    problems += [*_repeated_cases(study, named), *_repeat_problems(study, len(annotators))]
    if problems:
        raise InputError(problems)
    plan = Plan(
        study=study, dataset=dataset, preset=preset_name(reference, dataset.source), reference=centre,
        protocol=_protocol(study), annotators=annotators, clicks=clicks, centre_cell=centre_cell, cells=assignments,
        trials=(), cases=named,
    )  # fmt: skip
    return _with_trials(plan)


def _case(study: Study, dataset: DatasetSpec) -> Case:
    """The method of a study of one case: defaults, then the preset's settings, then the study's."""
    method = specification(study.method)
    preset = method.presets[study.dataset.name][preset_name(study, dataset.source)]
    fit_inference = Inference(**preset.inference)
    hp = method.configured(preset.hyperparameters, study.hyperparameters)
    return Case(
        method=study.method, code_version=code_version(study.method, dataset.source),
        snippets=study.dataset.snippets or preset.snippets,
        hyperparameters=hp, inference=replace(fit_inference, **study.inference), fit_inference=fit_inference,
        clicks_fraction=study.dataset.clicks_fraction, clicks_per_minute=study.dataset.clicks_per_minute,
        videos=None if hp.steps is None else training_videos(dataset, _protocol(study)),
    )  # fmt: skip


def _centre_cell(study: Study, centre: Case) -> dict[str, Any]:
    if study.search.cases:
        return {CASE: next(iter(study.search.cases))}
    inference = {INFERENCE + name: value for name, value in vars(centre.inference).items()}
    named = {**centre.settings, **inference}
    return {axis: named[axis] for axis in (study.search.space or study.search.axes)}


def _repeated_cases(study: Study, cases: dict[str, Case]) -> list[str]:
    """Two names for one thing would share their trials."""
    first: dict[str, str] = {}
    found = []
    for name, case in cases.items():
        same = first.setdefault(canonical_json(asdict(case)), name)
        if same != name:
            key = f"search.cases.{name}"
            found.append(f"{study.place(key)}: {key} has exactly the settings of '{same}'; keep one of them")
    return found


def _with_trials(plan: Plan) -> Plan:
    """Cells × repeats, all repeats of a cell together; with code of another version where that is accepted."""
    trials = [trial for cell in plan.cells for trial in plan.trials_of(cell)]
    unique = {trial.id: trial for trial in reversed(trials)}
    kept = [trial for trial in trials if unique[trial.id] is trial]
    if plan.study.accept_code_change:
        older = trained_by_other_code(plan.study.runs, [trial.spec for trial in kept])
        kept = [
            replace(trial, spec=replace(trial.spec, code_version=older.get(trial.spec.key, trial.spec.code_version)))
            for trial in kept
        ]
    return replace(plan, trials=tuple(kept))


def _protocol(study: Study) -> dict[str, Any]:
    """Complete; `auto` selects by held-out videos where a sampler chooses by what it sees, else the last epoch."""
    protocol = {**asdict(study.protocol), "tiou": list(thresholds(study))}
    if study.protocol.selection == "auto":
        protocol["selection"] = "holdout" if study.search.plan == "sampler" else "last"
    return protocol


def _repeat_problems(study: Study, annotators: int) -> list[str]:
    """What does not go with the number of repeats, which annotators found decide."""
    search, trials = study.search, study.budget.trials
    repeats, until = len(search.repeats.seeds) * annotators, search.repeats.until
    found = []
    if search.plan == "sampler" and trials is not None and trials < repeats:
        found.append(("budget.trials", f"is {trials}, but one cell has {repeats} trials", "at least that"))
    if search.pruner.name in OVER_REPEATS and repeats < (least := _least_repeats(search.pruner.options)):
        sees = f"is {search.pruner.name}, which could never stop a cell of {repeats} repeats"
        found.append(("search.pruner", sees, f"at least {least}"))
    if until is not None and until.at_most <= repeats:
        found.append(("search.repeats.until.at_most", f"is {until.at_most}, but a cell has {repeats} repeats", "more"))
    return [f"{study.place(key)}: {key} {seen} (seeds x annotators); give {fix}" for key, seen, fix in found]


def _least_repeats(options: dict[str, Any]) -> int:
    """Repeats that leave one to save where all before it were worse: n signs alike have a p of 1/2ⁿ."""
    settings = Wilcoxon(**options)
    return max(2, settings.n_startup_steps, math.floor(-math.log2(settings.p_threshold)) + 1) + 1


def _ends(study: Study) -> Iterator[dict[str, Any]]:
    """Cells that reach each end, or take each choice, of one dimension of a space."""
    for axis, dimension in study.search.space.items():
        yield from ({axis: value} for value in dimension.choices or (dimension.low, dimension.high))


def _narrowest(study: Study) -> dict[str, Any]:
    """The cell of a space that leaves the fewest thresholds: every first one highest, every end lowest."""
    space = study.search.space
    ends = {axis: max(d.choices or (d.high,)) for axis, d in space.items() if axis.endswith("_low")}
    return ends | {axis: min(d.choices or (d.low,)) for axis, d in space.items() if axis.endswith("_high")}


def _threshold_problems(study: Study, centre: Inference, cell: dict[str, Any]) -> list[str]:
    """A range of thresholds that is empty would silently find nothing."""
    inference, problems = {**vars(centre), **split(cell)[1]}, []
    for low in [name for name in inference if name.endswith("_low")]:
        high = low.removesuffix("_low") + "_high"
        if inference[low] >= inference[high]:
            changed = next((axis for axis in cell if axis in (INFERENCE + low, INFERENCE + high)), None)
            section = "space" if study.search.plan == "sampler" else "axes"
            key = f"search.{section}.{changed}" if changed else INFERENCE + low
            own = f"search.cases.{cell.get(CASE)}.inference"
            place = study.place(own if own in study.places else key)
            problems.append(
                f"{place}: inference.{low} is {inference[low]:g} and inference.{high} is {inference[high]:g}; "
                "the first must be smaller"
            )
    return problems
