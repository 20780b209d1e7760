"""Optuna distributions for the axes of a study, so that its importances and figures work on a planned grid.

A numeric axis spans exactly the values of the study: fANOVA weighs a region by its volume, so wide made-up bounds would
drown the data, and a categorical axis would lose the order. An axis over a factor of ten or more is logarithmic, as
its values are chosen by doubling. Text, switches, None and mixtures are categorical.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tal_search.types import canonical_json

LOGARITHMIC_FROM = 10.0


def distribution_of(values: Iterable[Any]) -> BaseDistribution:
    """The distribution of an axis with these values (at least one)."""
    found = [choice(value) for value in values]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in found):
        return CategoricalDistribution(_distinct(found))
    low, high = min(found), max(found)
    log = low > 0 and high / low >= LOGARITHMIC_FROM
    if all(isinstance(value, int) for value in found):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def widened(old: BaseDistribution, new: BaseDistribution) -> BaseDistribution:
    """The smallest distribution that holds both; stored values of `old` keep their meaning in it.

    Raises ValueError where one is categorical and the other a number.
    """
    if isinstance(old, CategoricalDistribution) and isinstance(new, CategoricalDistribution):
        return CategoricalDistribution(_distinct([*old.choices, *new.choices]))
    if isinstance(old, CategoricalDistribution) or isinstance(new, CategoricalDistribution):
        raise ValueError("a categorical axis and a numeric one have no common distribution")
    assert isinstance(old, IntDistribution | FloatDistribution), old
    assert isinstance(new, IntDistribution | FloatDistribution), new
    return distribution_of([old.low, old.high, new.low, new.high])


def choice(value: Any) -> Any:
    """The value as Optuna stores it: lists and dictionaries become their JSON."""
    return value if value is None or isinstance(value, bool | int | float | str) else canonical_json(value)


def _distinct(values: list[Any]) -> list[Any]:
    """Each value once, in order; True and 1 are different values."""
    return list({(type(value), value): value for value in values}.values())
