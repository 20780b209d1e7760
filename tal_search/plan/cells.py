"""Trials of a study: one cell × one repeat, and the fits that several of them share. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tal_search.localization.inference import Inference
from tal_search.methods import specification
from tal_search.methods.base import MethodHyperparameters, layered
from tal_search.study import SearchSettings, Study
from tal_search.trial.trial_types import TrialSpec, setting_name
from tal_search.types import BACKGROUND_CLICKS, CASE, INFERENCE, DatasetSpec


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One cell × one repeat: a fit, and the complete inference settings its activations are scored with.

    `cell` holds every axis of the study, training and inference alike. `annotation_seconds`: what the supervision it
    reads costs by the study's cost model, per minute of video.
    """

    cell: dict[str, Any]
    spec: TrialSpec
    inference: dict[str, Any]
    annotation_seconds: float

    @cached_property
    def setting(self) -> str | None:
        """The name of its inference settings, None for those the fit itself is scored with."""
        return None if self.inference == self.spec.inference else setting_name(self.inference)

    @cached_property
    def id(self) -> str:
        """The fit's key, followed by the setting where that is not the fit's own."""
        return self.spec.key if self.setting is None else f"{self.spec.key}-{self.setting}"

    @property
    def repeat(self) -> tuple[int, str]:
        """What is paired across cells: seed and annotator."""
        return self.spec.seed, self.spec.annotator


@dataclass(frozen=True, kw_only=True)
class Case:
    """A method with complete settings, on videos of T `snippets`: a named case, or the centre. See `Plan`.

    `clicks_fraction`, `clicks_per_minute`: background clicks kept, see `DatasetSpec`. videos: how many it trains on,
    where the length of the training may depend on that.
    """

    method: str
    code_version: str
    hyperparameters: MethodHyperparameters
    inference: Inference
    fit_inference: Inference
    snippets: int
    clicks_fraction: float
    clicks_per_minute: float | None
    videos: int | None = None

    @cached_property
    def trained(self) -> MethodHyperparameters:
        """Those of its fits: a training that is set in steps has its epochs."""
        return self.hyperparameters if self.videos is None else self.hyperparameters.trained_on(self.videos)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Every hyperparameter by name: those of its fits, but steps as they were set."""
        own = self.hyperparameters
        return {**vars(self.trained), **({"steps": own.steps} if own.epochs is None else {})}

    def at(self, cell: dict[str, Any]) -> Case:
        """The same with a cell's values."""
        training, inference = split(cell)
        return replace(
            self,
            hyperparameters=replace(self.hyperparameters, **layered(training)),
            inference=replace(self.inference, **inference),
        )

    def reading(self, dataset: DatasetSpec) -> DatasetSpec:
        """The dataset as this case reads it."""
        return replace(
            dataset, snippets=self.snippets, clicks_fraction=self.clicks_fraction,
            clicks_per_minute=self.clicks_per_minute,
        )  # fmt: skip

    @cached_property
    def supervision(self) -> tuple[str, ...]:
        """What its method reads, but for background clicks of which none is kept."""
        found = self.hyperparameters.supervision
        return found if self.clicks_fraction > 0 else tuple(kind for kind in found if kind != BACKGROUND_CLICKS)


def cells(search: SearchSettings, centre: dict[str, Any]) -> list[dict[str, Any]]:
    """Every assignment of the axes, each once, the centre first; `centre` holds each axis' value there.

    one_at_a_time: the centre, then each axis in order, one value changed at a time. grid: the product of the axes, and
    the centre where that leaves it out, as differences are to it. cases: one axis, CASE, whose values are the names of
    the cases, the reference first.
    """
    if search.plan == "cases":
        return [{CASE: name} for name in search.cases]
    if search.plan == "grid":
        product = [dict(zip(search.axes, values, strict=True)) for values in itertools.product(*search.axes.values())]
        return [dict(centre), *(cell for cell in product if cell != centre)]
    return [dict(centre)] + [
        {**centre, axis: value} for axis, values in search.axes.items() for value in values if value != centre[axis]
    ]


def left_out(search: SearchSettings, centre: dict[str, Any]) -> dict[str, Any]:
    """The centre's values, by axis, that a grid does not name, so that the centre is a cell beside its product."""
    axes = search.axes if search.plan == "grid" else {}
    return {axis: centre[axis] for axis, values in axes.items() if centre[axis] not in values}


def split(cell: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The training part and the inference part of a cell, by plain names."""
    training = {axis: value for axis, value in cell.items() if not axis.startswith(INFERENCE)}
    inference = {axis.removeprefix(INFERENCE): value for axis, value in cell.items() if axis not in training}
    return training, inference


def rule_problems(study: Study, cases: Iterable[Case]) -> list[str]:
    """A sentence for each method of one stream whose inference rule needs two."""
    methods = (case.method for case in cases if case.inference.rule == "streams")
    key = f"{study.place('inference.rule')}: inference.rule"
    return [
        f"{key} is streams, but {method} has one stream; give thresholds or mean"
        for method in dict.fromkeys(methods)
        if not specification(method).has_streams
    ]


def fits(trials: Iterable[Trial]) -> list[TrialSpec]:
    """Each fit once, in the order of its first trial, with all the inference settings its trials want."""
    specs: dict[str, TrialSpec] = {}
    wanted: dict[str, dict[str, dict[str, Any]]] = {}
    for trial in trials:
        specs.setdefault(trial.spec.key, trial.spec)
        if trial.setting is not None:
            wanted.setdefault(trial.spec.key, {})[trial.setting] = trial.inference
    return [replace(spec, settings=tuple(wanted.get(key, {}).values())) for key, spec in specs.items()]
