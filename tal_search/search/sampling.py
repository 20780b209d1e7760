"""Optuna's samplers and pruners made from a study's settings, and how a cell is drawn from its space."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from tal_search.search.distributions import choice, distribution_of
from tal_search.study import Dimension, PrunerSettings, SamplerSettings
from tal_search.study.samplers import PRUNERS, SAMPLERS

Space = Mapping[str, Dimension]


def sampler_for(settings: SamplerSettings, number: int) -> BaseSampler:
    """The sampler that proposes cell `number` of a study.

    Its random state follows from the study's seed and the number alone: a study that is continued goes on where it
    stopped, instead of drawing its first cells again. Sequences (QMC, CMA-ES) keep their place in the record.
    """
    options = asdict(SAMPLERS[settings.name](**settings.options))
    seed = random.Random(f"{settings.seed}/{number}").randrange(2**31)  # noqa: S311
    drawn = optuna.samplers.RandomSampler(seed=seed)
    quiet: dict[str, Any] = {"independent_sampler": drawn, "warn_independent_sampling": False}
    make: dict[str, Callable[[], BaseSampler]] = {
        "random": lambda: drawn,
        "qmc": lambda: optuna.samplers.QMCSampler(
            seed=settings.seed, warn_asynchronous_seeding=False, **quiet, **options
        ),
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed, **options),
        "gp": lambda: optuna.samplers.GPSampler(seed=seed, **quiet, **options),
        "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=settings.seed, **quiet, **options),
        "nsgaii": lambda: optuna.samplers.NSGAIISampler(seed=seed, **options),
    }
    return make[settings.name]()


def pruner_for(settings: PrunerSettings, *, epochs: int, evaluate_every: int) -> BasePruner:
    """The pruner of a study whose trials have so many epochs and are scored every so many."""
    if settings.name == "none":
        return optuna.pruners.NopPruner()
    options = asdict(PRUNERS[settings.name](**settings.options))
    if settings.name == "median":
        return optuna.pruners.MedianPruner(**options)
    if settings.name == "wilcoxon":
        return optuna.pruners.WilcoxonPruner(**options)
    options["min_resource"] = options["min_resource"] or evaluate_every
    if settings.name == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=epochs, **options)
    return optuna.pruners.SuccessiveHalvingPruner(**options)


def draw(trial: optuna.Trial, space: Space, centre: Mapping[str, Any]) -> dict[str, Any]:
    """A cell: each dimension in order, drawn where its conditions hold, else at the centre's value."""
    cell = dict(centre)
    for name, dimension in space.items():
        if all(cell[other] in values for other, values in dimension.when.items()):
            cell[name] = _draw_one(trial, name, dimension)
    return cell


def _draw_one(trial: optuna.Trial, name: str, dimension: Dimension) -> Any:
    low, high, step = dimension.low, dimension.high, dimension.step
    if dimension.choices:
        stored = [choice(value) for value in dimension.choices]
        return dimension.choices[stored.index(trial.suggest_categorical(name, stored))]
    assert low is not None
    assert high is not None
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, step=int(step or 1), log=dimension.log)
    return trial.suggest_float(name, low, high, step=step, log=dimension.log)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What each dimension spans, for the record's own trials."""
    return {
        name: distribution_of(dimension.choices or [dimension.low, dimension.high]) for name, dimension in space.items()
    }
