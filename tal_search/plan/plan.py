"""The plan of a study: its dataset, its trials (cells × repeats, the centre first), and the checks that need data."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from tal_search.data.clicks.annotation_cost import annotation_seconds
from tal_search.data.clicks.annotation_rates import labelled
from tal_search.data.dataset_spec import DatasetSpec, simulation_label
from tal_search.data.find import default_annotators
from tal_search.data.folds import folds_of
from tal_search.errors import Problems
from tal_search.localization.inference import Inference
from tal_search.methods import specification
from tal_search.plan import plan_problems
from tal_search.plan.cells import Case, Trial, cells, fits, split
from tal_search.plan.code_change import trained_by_other_code
from tal_search.plan.streams import stream_problems
from tal_search.plan.training_videos import training_videos
from tal_search.study import (
    EffectivePreset,
    Study,
    annotator_problems,
    case_studies,
    effective_preset,
    evaluation,
    find_dataset,
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
    them. `cases`: the cases by name, if the study has any. `by_fold`: the cases of each fold (the centre by ""), where
    settings follow from the ground truth that the fold trains on; `reference` and `cases` are those of the first.
    """

    study: Study
    dataset: DatasetSpec
    presets: dict[str, EffectivePreset]  # of each case by name, else of the study by ""
    reference: Case
    protocol: dict[str, Any]  # see `TrialSpec`
    annotators: tuple[str, ...]
    clicks: tuple[str, ...]
    centre_cell: dict[str, object]
    cells: tuple[dict[str, object], ...]
    trials: tuple[Trial, ...]
    cases: dict[str, Case] = field(default_factory=dict)
    by_fold: dict[int | None, dict[str, Case]] = field(default_factory=dict)

    @property
    def preset(self) -> str:
        """Name of the centre's preset."""
        return next(iter(self.presets.values())).name

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
        """Names of the axes: hyperparameters, inference settings (INFERENCE) and label budgets (SUPERVISION)."""
        return tuple(self.centre_cell)

    @property
    def label(self) -> str:
        """The warning on results of simulated data, or of simulated clicks that any cell reads; else ""."""
        return simulation_label(self.dataset.source, self.dataset.drawn(self.clicks))

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

    @property
    def folds(self) -> tuple[int | None, ...]:
        """The folds of every repeat; only None where the dataset has none."""
        return folds_of(self.dataset)

    @property
    def trials_per_cell(self) -> int:
        """Most trials that a cell has from the start: repeats × folds."""
        return len(self.repeats) * len(self.folds)

    def trial(self, cell: dict[str, object], seed: int, annotator: str, fold: int | None = None) -> Trial:
        """The trial of any cell, repeat and fold of this study, with NO_ANNOTATOR if the cell reads no clicks."""
        fold = self.folds[0] if fold is None else fold
        cases = self.by_fold.get(fold, self.cases or {"": self.reference})
        case = cases[str(cell[CASE])] if self.cases else cases[""].at(cell)
        # vars, not asdict: copying each value of ten thousand trials would take half of a preview's time.
        spec = TrialSpec(
            method=case.method, code_version=case.code_version, hyperparameters=dict(vars(case.trained)),
            inference=dict(vars(case.fit_inference)), protocol=self.protocol, supervision=case.supervision,
            dataset=replace(case.reading(self.dataset), fold=fold),
            annotator=annotator if clicks_of(case.supervision) else NO_ANNOTATOR, seed=seed,
            precision=self.study.resources.precision, cell=split(cell)[0],
        )  # fmt: skip
        seconds, total = self.cost(spec)
        return Trial(
            cell=cell, spec=spec, inference=dict(vars(case.inference)), annotation_seconds=seconds,
            annotation_total=total,
        )  # fmt: skip

    def cost(self, spec: TrialSpec) -> tuple[float, float | None]:
        """`annotation_seconds` and `annotation_total` of a fit's supervision, see `Trial`."""
        minutes, rates = labelled(spec.dataset, spec.annotator, spec.supervision, self.protocol)
        seconds = annotation_seconds(spec.supervision, rates, self.study.cost)
        return seconds, None if minutes is None else minutes * seconds

    def trials_of(self, cell: dict[str, object]) -> list[Trial]:
        """The trials that a cell has from the start, each once."""
        return self.trials_at(cell, self.repeats)

    def trials_at(self, cell: dict[str, object], repeats: Iterable[tuple[int, str]]) -> list[Trial]:
        """The trials of a cell at these repeats, each with all folds and each once."""
        trials = [self.trial(cell, *repeat, fold) for repeat in repeats for fold in self.folds]
        return list({trial.id: trial for trial in trials}.values())


def resolve(study: Study) -> Plan:
    """The plan of a study.

    Raises InputError if there is no dataset, or with all problems of annotators, thresholds, rules, cases and repeats.
    """
    reference = reference_study(study)
    dataset = find_dataset(reference)
    alone = dict(case_studies(study)) or {"": study}
    presets = {name: effective_preset(case, dataset) for name, case in alone.items()}
    resolved = {name: _case(case, dataset, presets[name]) for name, case in alone.items()}
    centre, named = next(iter(resolved.values())), resolved if study.search.cases else {}
    centre_cell = _centre_cell(study, centre)
    sampled, wanted = study.search.plan == "sampler", study.search.repeats.annotators
    assignments = () if sampled else tuple(cells(study.search, centre_cell))
    tried = [*named.values()] or [
        centre,
        *(centre.at(cell) for cell in (plan_problems.ends(study) if sampled else assignments)),
    ]
    clicks = clicks_of({kind for case in tried for kind in case.supervision})
    annotators = default_annotators(dataset, clicks) if wanted == "auto" or not clicks else tuple(wanted)
    problems = Problems()
    readers = [name for name, case in named.items() if clicks_of(case.supervision)]
    problems.extend(annotator_problems(study, dataset, clicks, readers))
    tried_inference = [(cell, named.get(str(cell.get(CASE)), centre).inference) for cell in assignments]
    tried_inference = tried_inference or [(plan_problems.narrowest(study), centre.inference)]
    problems.extend(plan_problems.threshold_problems(study, tried_inference))
    problems.extend(plan_problems.rule_problems(study, tried) + plan_problems.repeated_cases(study, named))
    problems.extend(stream_problems(study, dataset, tried) + plan_problems.sampling_problems(study, dataset, tried))
    problems.extend(plan_problems.unread(study, named, tried))
    problems.extend(plan_problems.repeat_problems(study, len(annotators), len(folds_of(dataset))))
    problems.raise_if_any()
    plan = Plan(
        study=study, dataset=dataset, presets=presets, reference=centre,
        protocol=_protocol(study), annotators=annotators, clicks=clicks, centre_cell=centre_cell, cells=assignments,
        trials=(), cases=named, by_fold=_by_fold(alone, dataset, presets),
    )  # fmt: skip
    problems.extend(plan_problems.cost_problems(study, plan.trial(centre_cell, *plan.repeats[0]).annotation_total))
    problems.raise_if_any()
    return _with_trials(plan)


def _case(study: Study, dataset: DatasetSpec, chosen: EffectivePreset) -> Case:
    """The settings of a study of one case: the method's defaults, then the preset's, then the study's."""
    fit_inference = Inference(**chosen.preset.inference)
    hp = specification(study.method).configured(chosen.preset.hyperparameters, study.hyperparameters)
    lengths = chosen.preset.lengths_beside(study.hyperparameters)
    return Case(
        method=study.method, code_version=code_version(study.method, dataset.code_source),
        snippets=chosen.snippets, lengths=lengths, sampling=chosen.preset.sampling.changed(study.dataset.sampling),
        hyperparameters=hp, inference=replace(fit_inference, **study.inference), fit_inference=fit_inference,
        budget=study.supervision, clicks_per_minute=study.dataset.clicks_per_minute,
        videos=training_videos(dataset, _protocol(study)) if lengths or hp.steps is not None else None,
    )  # fmt: skip


def _by_fold(
    alone: dict[str, Study], dataset: DatasetSpec, presets: dict[str, EffectivePreset]
) -> dict[int | None, dict[str, Case]]:
    """The cases of each fold, if there are folds and any preset follows from facts."""
    if not dataset.folds or not any(chosen.facts for chosen in presets.values()):
        return {}
    each = {fold: replace(dataset, fold=fold) for fold in folds_of(dataset)}
    return {
        fold: {name: _case(case, spec, effective_preset(case, spec)) for name, case in alone.items()}
        for fold, spec in each.items()
    }


def _centre_cell(study: Study, centre: Case) -> dict[str, object]:
    if study.search.cases:
        return {CASE: next(iter(study.search.cases))}
    inference = {INFERENCE + name: value for name, value in vars(centre.inference).items()}
    named = {**centre.settings, **inference, **centre.shares}
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
    protocol = {**asdict(study.protocol), "selection": study.selection, "evaluation": evaluation(study)}
    protocol["tiou"] = list(thresholds(study))
    if study.protocol.holdout_by is None:
        del protocol["holdout_by"]  # trials of earlier versions keep their keys
    return protocol
