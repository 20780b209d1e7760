"""Samplers and pruners of a study, with their options: Optuna's, under Optuna's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tal_search.fields import hyper


@dataclass(frozen=True, kw_only=True)
class Random:
    """Independent draws."""


@dataclass(frozen=True, kw_only=True)
class QMC:
    """Quasi-random points that cover the space evenly, for exploration; the default."""

    qmc_type: Literal["sobol", "halton"] = "sobol"
    scramble: bool = True


@dataclass(frozen=True, kw_only=True)
class TPE:
    """Tree-structured Parzen estimator; running trials are treated as bad ones, so that parallel proposals differ."""

    n_startup_trials: int = hyper(10, "trials", low=0)
    n_ei_candidates: int = hyper(24, "candidates", low=1)
    multivariate: bool | None = hyper(None, "joint", help="None = with one objective")
    group: bool = False  # joint also if conditions make the spaces of trials differ
    constant_liar: bool = True


@dataclass(frozen=True, kw_only=True)
class GP:
    """Gaussian process."""

    n_startup_trials: int = hyper(10, "trials", low=1)
    deterministic_objective: bool = False


@dataclass(frozen=True, kw_only=True)
class CmaEs:
    """Covariance matrix adaptation; numeric axes only, the others are drawn at random."""

    n_startup_trials: int = hyper(1, "trials", low=0)
    popsize: int | None = hyper(None, "population", low=4)
    with_margin: bool = False
    consider_pruned_trials: bool = False


@dataclass(frozen=True, kw_only=True)
class NSGAII:
    """Genetic search for the Pareto front of several objectives."""

    population_size: int = hyper(50, "population", low=2)
    crossover_prob: float = hyper(0.9, "p", low=0, high=1)
    swapping_prob: float = hyper(0.5, "p", low=0, high=1)
    mutation_prob: float | None = hyper(None, "p", low=0, high=1)


SAMPLERS: dict[str, type] = {"qmc": QMC, "random": Random, "tpe": TPE, "gp": GP, "cmaes": CmaEs, "nsgaii": NSGAII}
ONE_OBJECTIVE = ("cmaes",)


@dataclass(frozen=True, kw_only=True)
class Median:
    """Stops a trial whose best score so far is below the median of the others at the same epoch."""

    n_startup_trials: int = hyper(5, "trials", low=0)
    n_warmup_steps: int = hyper(0, "epochs", low=0)
    n_min_trials: int = hyper(1, "trials", low=1)


@dataclass(frozen=True, kw_only=True)
class SuccessiveHalving:
    """Asynchronous successive halving (ASHA); the first rung is `min_resource` epochs."""

    min_resource: int | None = hyper(None, "epochs", low=1, help="None = epochs between two evaluations")
    reduction_factor: int = hyper(4, "η", low=2)
    min_early_stopping_rate: int = hyper(0, "s", low=0)


@dataclass(frozen=True, kw_only=True)
class Hyperband:
    """Successive halving with several first rungs."""

    min_resource: int | None = hyper(None, "epochs", low=1, help="None = epochs between two evaluations")
    reduction_factor: int = hyper(3, "η", low=2)


@dataclass(frozen=True, kw_only=True)
class Wilcoxon:
    """Stops a cell early if its repeats so far are worse than the best cell's by a signed-rank test."""

    p_threshold: float = hyper(0.1, "p", above=0, high=1)
    n_startup_steps: int = hyper(2, "repeats", low=0)


PRUNERS: dict[str, type] = {
    "median": Median, "successive_halving": SuccessiveHalving, "asha": SuccessiveHalving, "hyperband": Hyperband,
    "wilcoxon": Wilcoxon,
}  # fmt: skip
OVER_REPEATS = ("wilcoxon",)  # pruners whose steps are the repeats of a cell; steps of the others are epochs

# Objectives with their usual direction; mAP is of held-out training videos, never of the test split.
OBJECTIVES: dict[str, Literal["maximize", "minimize"]] = {
    "mAP": "maximize", "annotation_seconds": "minimize", "annotation_total": "minimize", "parameters": "minimize",
    "training_seconds": "minimize",
}  # fmt: skip
