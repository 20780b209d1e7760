"""Cells of a study, its trials (one cell × one repeat), and the fits that several trials share. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.label_budget import kept_count
from tal_search.data.sampling.settings import Sampling
from tal_search.localization.inference import Inference
from tal_search.methods import specification
from tal_search.methods.hyperparameters import MethodHyperparameters, layered
from tal_search.study import SearchSettings, SupervisionSettings
from tal_search.trial.trial_types import TrialSpec, setting_name
from tal_search.types import CASE, INFERENCE, SHARE_OF, SUPERVISION, VIDEOS


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One cell × one repeat: a fit, and the complete inference settings its activations are scored with.

    `cell` holds every axis of the study, training and inference alike. The cost of the supervision it reads, by the
    study's cost model: `annotation_seconds` per minute of labelled video, `annotation_total` seconds over the whole
    training set, of a fold without the videos that it tests; None where the ground truth lacks durations.
    """

    cell: dict[str, object]
    spec: TrialSpec
    inference: dict[str, object]
    annotation_seconds: float
    annotation_total: float | None = None

    @cached_property
    def setting(self) -> str | None:
        """The name of its inference settings; None for those that the fit itself is scored with."""
        return None if self.inference == self.spec.inference else setting_name(self.inference)

    @cached_property
    def id(self) -> str:
        """The fit's key, followed by the name of the inference settings unless they are the fit's own."""
        return self.spec.key if self.setting is None else f"{self.spec.key}-{self.setting}"

    @property
    def repeat(self) -> tuple[int, str]:
        """Seed and annotator, by which trials of different cells are paired. All folds of a dataset are one repeat."""
        return self.spec.seed, self.spec.annotator

    @property
    def fold(self) -> int | None:
        """The fold of its dataset; None where there are none."""
        return self.spec.dataset.fold


@dataclass(frozen=True, kw_only=True)
class Case:
    """A method with complete settings, on videos of T `snippets`: a named case, or the centre. See `Plan`.

    budget: shares of the supervision; `clicks_per_minute`: background clicks kept, see `DatasetSpec`. videos: how many
    it would train on without a budget, if the length of training may depend on it; lengths: as in its preset.
    """

    method: str
    code_version: str
    hyperparameters: MethodHyperparameters
    inference: Inference
    fit_inference: Inference
    snippets: int
    sampling: Sampling = field(default_factory=Sampling)
    clicks_per_minute: float | None = None
    videos: int | None = None
    lengths: tuple[str, ...] = ()
    budget: SupervisionSettings = field(default_factory=SupervisionSettings)

    @cached_property
    def trained(self) -> MethodHyperparameters:
        """The hyperparameters of its fits: steps are given in epochs, and `lengths` in those of fewer videos."""
        if self.videos is None:
            return self.hyperparameters
        hp, kept = self.hyperparameters, kept_count(self.budget.videos, self.videos)
        batches, fewer = (math.ceil(videos / hp.batch_size) for videos in (self.videos, kept))
        lengths = {name: -(-vars(hp)[name] * batches // fewer) for name in self.lengths}  # whole epochs, rounded up
        return replace(hp, **lengths).trained_on(kept)

    @cached_property
    def settings(self) -> dict[str, object]:
        """The hyperparameters of its fits by name, with `steps` as the study set them."""
        steps = {"steps": self.hyperparameters.steps} if self.hyperparameters.epochs is None else {}
        return {**vars(self.trained), **steps}

    @property
    def shares(self) -> dict[str, float]:
        """Its label budgets by name of the axis."""
        return {SUPERVISION + name: share for name, share in vars(self.budget).items()}

    def at(self, cell: Mapping[str, object]) -> Case:
        """This case with a cell's values."""
        training, inference = split(cell)
        shares = {axis.removeprefix(SUPERVISION): training.pop(axis) for axis in [*training] if is_budget(axis)}
        return replace(
            self,
            lengths=tuple(name for name in self.lengths if name not in training),
            hyperparameters=replace(self.hyperparameters, **layered(training)),
            inference=replace(self.inference, **inference),
            budget=replace(self.budget, **shares),
        )

    def reading(self, dataset: DatasetSpec) -> DatasetSpec:
        """The dataset as this case reads it."""
        read = (*self.hyperparameters.supervision, VIDEOS)
        shares = {name: share for name, share in self.budget.below_one.items() if SHARE_OF.get(name, name) in read}
        return replace(
            dataset, snippets=self.snippets, sampling=self.sampling.to_json(), shares=shares,
            clicks_per_minute=self.clicks_per_minute,
            streams=dataset.streams if specification(self.method).method.reads_streams else [],
        )  # fmt: skip

    @cached_property
    def supervision(self) -> tuple[str, ...]:
        """The supervision its method reads, without the kinds of which none is kept."""
        none = {SHARE_OF[name] for name, share in self.budget.below_one.items() if name in SHARE_OF and share == 0}
        return tuple(kind for kind in self.hyperparameters.supervision if kind not in none)


def cells(search: SearchSettings, centre: Mapping[str, object]) -> list[dict[str, object]]:
    """Every assignment of the axes, each once, the centre first; `centre` holds each axis' value there.

    one_at_a_time: the centre, then each axis in order, one value changed at a time. grid: the product of the axes, and
    the centre if the product lacks it, as differences are relative to it. cases: one axis, CASE, whose values are the
    names of the cases, the reference first.
    """
    if search.plan == "cases":
        return [{CASE: name} for name in search.cases]
    if search.plan == "grid":
        combinations = itertools.product(*search.axes.values())
        product: list[dict[str, object]] = [dict(zip(search.axes, values, strict=True)) for values in combinations]
        return [dict(centre), *(cell for cell in product if cell != centre)]
    changes = ((axis, value) for axis, values in search.axes.items() for value in values if value != centre[axis])
    return [dict(centre), *({**centre, axis: value} for axis, value in changes)]


def left_out(search: SearchSettings, centre: Mapping[str, object]) -> dict[str, object]:
    """The centre's values, by axis, that a grid lacks; with any, the centre is a cell beside the product."""
    axes = search.axes if search.plan == "grid" else {}
    return {axis: centre[axis] for axis, values in axes.items() if centre[axis] not in values}


def split(cell: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The training part of a cell, budgets included, and the inference part, without the prefix INFERENCE."""
    training = {axis: value for axis, value in cell.items() if not axis.startswith(INFERENCE)}
    inference = {axis.removeprefix(INFERENCE): value for axis, value in cell.items() if axis not in training}
    return training, inference


def is_budget(axis: str) -> bool:
    return axis.startswith(SUPERVISION)


def fits(trials: Iterable[Trial]) -> list[TrialSpec]:
    """The distinct fits of these trials, in order, each with all inference settings that its trials want."""
    specs: dict[str, TrialSpec] = {}
    wanted: dict[str, dict[str, dict[str, object]]] = {}
    for trial in trials:
        specs.setdefault(trial.spec.key, trial.spec)
        if trial.setting is not None:
            wanted.setdefault(trial.spec.key, {})[trial.setting] = trial.inference
    return [replace(spec, settings=tuple(wanted.get(key, {}).values())) for key, spec in specs.items()]
