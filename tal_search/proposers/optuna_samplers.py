"""Optuna's samplers and pruners built from a study's settings, and drawing a cell from a space."""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import BaseTrial, FrozenTrial

from tal_search.record.distributions import choice, distribution_of
from tal_search.study import Dimension, PrunerSettings, SamplerSettings
from tal_search.study.samplers import PRUNERS, SAMPLERS

Space = Mapping[str, Dimension]

# Attributes in which Optuna's samplers cache the space that earlier trials have in common.
SPACES = ("_search_space", "_intersection_search_space", "_group_decomposed_search_space")


class NumberedSampler(BaseSampler):
    """One of Optuna's samplers, rebuilt for each trial and for each dimension that is drawn independently.

    Its random state depends only on the study's seed, the trial's number and the dimension's name. A resumed study
    therefore continues as if it had never stopped, even after a kill between two dimensions of one trial.
    """

    def __init__(self, settings: SamplerSettings, space: Space) -> None:
        self._settings = settings
        spans: dict[str, BaseDistribution] = {name: spanned(dimension) for name, dimension in space.items()}
        every = {name: distribution for name, distribution in spans.items() if not distribution.single()}
        always = {name: distribution for name, distribution in every.items() if not space[name].when}
        numeric = {
            name: distribution
            for name, distribution in always.items()
            if not isinstance(distribution, CategoricalDistribution)
        }
        # These two infer their space from the first trials. If conditions hold in those but not in later ones, QMC
        # would restart its sequence, and CMA-ES would fail or sample at random.
        self._known: dict[str, dict[str, BaseDistribution]] = {"qmc": every, "cmaes": numeric}
        self._spaces: dict[str, object] = {}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        self._whole = self._sampler(trial.number)
        if self._settings.name in self._known:
            return self._known[self._settings.name]
        for name in SPACES:
            if hasattr(self._whole, name):  # a new cache would read all earlier trials again
                setattr(self._whole, name, self._spaces.setdefault(name, getattr(self._whole, name)))
        return self._whole.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, object]:
        return self._whole.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> object:
        sampler = self._sampler(trial.number, param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _sampler(self, number: int, name: str = "") -> BaseSampler:
        settings = self._settings
        options = asdict(SAMPLERS[settings.name](**settings.options))
        seed = random.Random(f"{settings.seed}/{number}/{name}").randrange(2**31)  # noqa: S311
        if settings.name in ("qmc", "gp", "cmaes"):
            independent = optuna.samplers.RandomSampler(seed=seed)
            options |= {"independent_sampler": independent, "warn_independent_sampling": False}
        if settings.name == "qmc":
            seed = settings.seed  # one sequence for the whole study
            options["number"] = number
        with _experimental():
            return CLASSES[settings.name](seed=seed, **options)


class _NumberedQMC(optuna.samplers.QMCSampler):
    """Returns the point with the trial's number; Optuna's own takes the next one, also for a trial that is resumed."""

    def __init__(self, number: int, **options: Any) -> None:
        super().__init__(**options)
        self._number = number

    def _find_sample_id(self, study: optuna.Study, search_space: dict[str, BaseDistribution]) -> int:  # noqa: ARG002
        return self._number


CLASSES: dict[str, Callable[..., BaseSampler]] = {
    "random": optuna.samplers.RandomSampler, "qmc": _NumberedQMC, "tpe": optuna.samplers.TPESampler,
    "gp": optuna.samplers.GPSampler, "cmaes": optuna.samplers.CmaEsSampler, "nsgaii": optuna.samplers.NSGAIISampler,
}  # fmt: skip


def pruner_for(settings: PrunerSettings, *, epochs: int, evaluate_every: int) -> BasePruner:
    """The pruner of a study whose trials have `epochs` epochs and are scored after every `evaluate_every`."""
    if settings.name == "none":
        return optuna.pruners.NopPruner()
    options = asdict(PRUNERS[settings.name](**settings.options))
    if settings.name == "median":
        return optuna.pruners.MedianPruner(**options)
    if settings.name == "wilcoxon":
        with _experimental():
            return optuna.pruners.WilcoxonPruner(**options)
    options["min_resource"] = min(options["min_resource"] or evaluate_every, epochs)
    if settings.name == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=epochs, **options)
    return optuna.pruners.SuccessiveHalvingPruner(**options)


@contextmanager
def _experimental() -> Iterator[None]:
    """Without Optuna's warnings about experimental options and pruners: the study asks for them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def draw(trial: BaseTrial, space: Space, centre: Mapping[str, object]) -> dict[str, object]:
    """A cell: each dimension in order, drawn if its conditions hold, else at the centre's value."""
    cell = dict(centre)
    for name, dimension in space.items():
        if all(cell[other] in values for other, values in dimension.when.items()):
            cell[name] = _suggest(trial, name, dimension)
    return cell


def count_cells(space: Space, centre: Mapping[str, object], most: int) -> int | None:
    """Number of cells in a space; None if there are more than `most`, as in any range without steps."""
    count = sum(1 for _ in itertools.islice(_cells(list(space.items()), dict(centre)), most + 1))
    return count if count <= most else None


def _cells(dimensions: list[tuple[str, Dimension]], cell: dict[str, object]) -> Iterator[dict[str, object]]:
    """Every cell that `draw` can return; steps of a fraction by their number, as no condition depends on them."""
    if not dimensions:
        yield cell
        return
    (name, dimension), *rest = dimensions
    drawn = all(cell[other] in values for other, values in dimension.when.items())
    for value in _values(spanned(dimension)) if drawn else (cell[name],):
        yield from _cells(rest, {**cell, name: value})


def _values(distribution: BaseDistribution) -> Iterable[object]:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices
        case IntDistribution(low=low, high=high, step=step):
            return range(low, high + 1, step)
        case FloatDistribution(low=low, high=high, step=float(step)):
            return range(round((high - low) / step) + 1)
    return itertools.count()


def _suggest(trial: BaseTrial, name: str, dimension: Dimension) -> object:
    match spanned(dimension):
        case CategoricalDistribution(choices=choices):
            return dimension.choices[choices.index(trial.suggest_categorical(name, choices))]
        case IntDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_int(name, low, high, step=step, log=log)
        case FloatDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_float(name, low, high, step=step, log=log)


def spanned(dimension: Dimension) -> CategoricalDistribution | IntDistribution | FloatDistribution:
    """The distribution that a sampler draws a dimension from."""
    low, high, step = dimension.low, dimension.high, dimension.step
    if dimension.choices:
        return CategoricalDistribution([choice(value) for value in dimension.choices])
    assert low is not None
    assert high is not None
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, step=int(step or 1), log=dimension.log)
    return FloatDistribution(low, high, step=step, log=dimension.log)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The distribution of each dimension in the trials of the record."""
    return {
        name: distribution_of(dimension.choices or [dimension.low, dimension.high]) for name, dimension in space.items()
    }
