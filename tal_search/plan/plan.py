"""The plan of a study: its dataset, its trials (cells × repeats, the centre first), and the checks that need data."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from tal_search.data.clicks.annotation_cost import annotation_seconds
from tal_search.data.clicks.annotation_rates import annotation_rates
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.find import default_annotators
from tal_search.errors import Problems
from tal_search.localization.inference import Inference
from tal_search.methods import specification
from tal_search.plan.cells import Case, Trial, cells, fits, split
from tal_search.plan.code_change import trained_by_other_code
from tal_search.plan.plan_problems import (
    ends,
    narrowest,
    repeat_problems,
    repeated_cases,
    rule_problems,
    threshold_problems,
)
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
from tal_search.trial.code_version import code_version
from tal_search.trial.folder import TrialFolder
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import CASE, INFERENCE, NO_ANNOTATOR, clicks_of


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study resolved: its dataset, its complete centre, and its trials, the centre's first.

    `reference` is the centre with all settings, or the first case. `clicks`: the kinds of clicks that any cell reads.
    `centre_cell` is the centre by axis, always one of the cells. `cells` and `trials` are empty if a sampler proposes
    them. `cases`: the cases by name, if the study has any.
    """

    study: Study
    dataset: DatasetSpec
    preset: str
    reference: Case
    protocol: dict[str, Any]  # see `TrialSpec`
    annotators: tuple[str, ...]
    clicks: tuple[str, ...]
    centre_cell: dict[str, object]
    cells: tuple[dict[str, object], ...]
    trials: tuple[Trial, ...]
    cases: dict[str, Case] = field(default_factory=dict)

    @cached_property
    def centre(self) -> dict[str, object]:
        """The centre's hyperparameters by name."""
        return self.reference.settings

    @cached_property
    def inference(self) -> dict[str, object]:
        """The centre's inference settings by name."""
        return asdict(self.reference.inference)

    @cached_property
    def fit_inference(self) -> dict[str, object]:
        """The preset's inference settings, which every fit is scored with while it trains."""
        return asdict(self.reference.fit_inference)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes: hyperparameters, and inference settings with the prefix INFERENCE."""
        return tuple(self.centre_cell)

    @cached_property
    def fits(self) -> tuple[TrialSpec, ...]:
        """The fits of the trials, each once."""
        return tuple(fits(self.trials))

    def with_finished_fits(self) -> Plan:
        """This plan without the trials whose fit is not finished."""
        finished = {spec.key for spec in self.fits if TrialFolder.of(self.study.runs, spec.key).result() is not None}
        return replace(self, trials=tuple(trial for trial in self.trials if trial.spec.key in finished))

    @property
    def repeats(self) -> list[tuple[int, str]]:
        """Every (seed, annotator) that a cell has from the start; cells without clicks have one repeat per seed."""
        return list(itertools.product(self.study.search.repeats.seeds, self.annotators))

    def trial(self, cell: dict[str, object], seed: int, annotator: str) -> Trial:
        """The trial of any cell and repeat of this study, with NO_ANNOTATOR if the cell reads no clicks."""
        case = self.cases[str(cell[CASE])] if self.cases else self.reference.at(cell)
        # vars, not asdict: copying each value of ten thousand trials would take half of a preview's time.
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

    def trials_of(self, cell: dict[str, object]) -> list[Trial]:
        """The trials that a cell has from the start, each once."""
        trials = [self.trial(cell, *repeat) for repeat in self.repeats]
        return list({trial.id: trial for trial in trials}.values())


def resolve(study: Study) -> Plan:
    """The plan of a study.

    Raises InputError if there is no dataset, or with all problems of annotators, thresholds, rules, cases and repeats.
    """
    reference = reference_study(study)
    dataset = find_dataset(reference)
    named = {name: _case(alone, dataset) for name, alone in case_studies(study)}
    centre = next(iter(named.values()), None) or _case(reference, dataset)
    centre_cell = _centre_cell(study, centre)
    sampled, wanted = study.search.plan == "sampler", study.search.repeats.annotators
    assignments = () if sampled else tuple(cells(study.search, centre_cell))
    tried = named.values() or [centre, *(centre.at(cell) for cell in (ends(study) if sampled else assignments))]
    clicks = clicks_of({kind for case in tried for kind in case.supervision})
    annotators = default_annotators(dataset, clicks) if wanted == "auto" else tuple(wanted)
    problems = Problems()
    problems.extend(annotator_problems(study, dataset, clicks))
    tried_inference = [(cell, named.get(str(cell.get(CASE)), centre).inference) for cell in assignments]
    problems.extend(threshold_problems(study, tried_inference or [(narrowest(study), centre.inference)]))
    problems.extend(rule_problems(study, tried))
    problems.extend(repeated_cases(study, named))
    problems.extend(repeat_problems(study, len(annotators)))
    problems.raise_if_any()
    plan = Plan(
        study=study, dataset=dataset, preset=preset_name(reference, dataset.source), reference=centre,
        protocol=_protocol(study), annotators=annotators, clicks=clicks, centre_cell=centre_cell, cells=assignments,
        trials=(), cases=named,
    )  # fmt: skip
    return _with_trials(plan)


def _case(study: Study, dataset: DatasetSpec) -> Case:
    """The settings of a study of one case: the method's defaults, then the preset's, then the study's."""
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


def _centre_cell(study: Study, centre: Case) -> dict[str, object]:
    if study.search.cases:
        return {CASE: next(iter(study.search.cases))}
    inference = {INFERENCE + name: value for name, value in vars(centre.inference).items()}
    named = {**centre.settings, **inference}
    return {axis: named[axis] for axis in (study.search.space or study.search.axes)}


def _with_trials(plan: Plan) -> Plan:
    """The plan with its trials, cell by cell; `accept_code_change` reuses finished ones of other code versions."""
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
    """The complete protocol; `auto` selects epochs by held-out videos if a sampler needs scores, else the last."""
    protocol = {**asdict(study.protocol), "tiou": list(thresholds(study))}
    if study.protocol.selection == "auto":
        protocol["selection"] = "holdout" if study.search.plan == "sampler" else "last"
    return protocol
