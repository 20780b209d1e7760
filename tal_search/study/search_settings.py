"""Settings of the section `search` of a study: plan, axes, cases, sampler, pruner and repeats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tal_search.fields import hyper
from tal_search.study.space import Dimension
from tal_search.types import Value

LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class UntilSettings:
    """Further seeds for cells whose paired interval to the centre (or the first case) is still too wide.

    `interval`: target width of the 95 % interval of the difference, in points of mAP at tIoU 0.5; `at_most`: most
    repeats of a cell, the first ones included.
    """

    interval: float = hyper(1.0, "points", above=0, high=100)
    at_most: int = hyper(12, "repeats", low=2, high=1000)


@dataclass(frozen=True, kw_only=True)
class RepeatSettings:
    """Repeats of every cell: seeds × annotators; `auto` = every annotator with a click file."""

    seeds: tuple[int, ...] = hyper((0,), "seed", low=0, high=LARGEST_SEED)
    annotators: Literal["auto"] | tuple[str, ...] = "auto"
    until: UntilSettings | None = None


@dataclass(frozen=True, kw_only=True)
class SamplerSettings:
    """Sampler: one of Optuna's by name, its seed and its options (see `samplers.py`)."""

    name: Literal["qmc", "random", "tpe", "gp", "cmaes", "nsgaii"] = "qmc"
    seed: int = hyper(0, "seed", low=0, high=2**31 - 1)
    options: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PrunerSettings:
    """Pruner: none, or one of Optuna's by name, and its options (see `samplers.py`)."""

    name: Literal["none", "median", "successive_halving", "asha", "hyperband", "wilcoxon"] = "none"
    options: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CaseSettings:
    """A named cell: a method with its preset and settings; the study's are the defaults.

    The study's `hyperparameters` are for the study's method and apply to the cases of that method only. `paper`: the
    published system that the case reproduces (see `published.py`), whose numbers are shown beside it. `supervision`:
    its label budgets, over the study's; `clicks_per_minute`: background clicks kept, instead of a share. A case that
    keeps no clicks trains on video labels alone. `clicks_fraction`: the older name of supervision.background_clicks.
    """

    method: str | None = None
    preset: str | None = None
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    inference: dict[str, Any] = field(default_factory=dict)
    paper: str | None = None
    supervision: dict[str, Any] = field(default_factory=dict)
    clicks_fraction: float | None = hyper(None, "share", low=0, high=1)
    clicks_per_minute: float | None = hyper(None, "1/min", above=0)


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """The plan and its axes. An axis is any hyperparameter of the method, `inference.NAME` for an inference
    setting, or `supervision.NAME` for a label budget.

    one_at_a_time and grid use `axes` (the values to try); cases uses `cases`, by name, the first of which is the
    reference; sampler uses `space` (ranges to draw from), a sampler, a pruner, and objectives by name with directions.
    """

    plan: Literal["one_at_a_time", "grid", "cases", "sampler"] = "one_at_a_time"
    axes: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    cases: dict[str, CaseSettings] = field(default_factory=dict)
    space: dict[str, Dimension] = field(default_factory=dict)
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    pruner: PrunerSettings = field(default_factory=PrunerSettings)
    objectives: dict[str, str] = field(default_factory=lambda: {"mAP": "maximize"})
    repeats: RepeatSettings = field(default_factory=RepeatSettings)
