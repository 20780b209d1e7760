"""Optuna distributions for the axes of a planned study, which Optuna's importances and figures need.

A numeric axis spans exactly the values of the study: fANOVA weighs a region by its volume, so wider bounds would hide
the data, and a categorical axis would lose the order. An axis that spans a factor of ten or more is logarithmic,
because such values are usually chosen by doubling. Text, booleans, None and mixtures are categorical.
"""

from __future__ import annotations

from collections.abc import Iterable

from optuna.distributions import (
    BaseDistribution,
    CategoricalChoiceType,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tal_search.types import canonical_json

LOGARITHMIC_FROM = 10.0


def distribution_of(values: Iterable[object]) -> BaseDistribution:
    """The distribution of an axis with these values (at least one)."""
    numbers: list[int | float] = []
    choices = [choice(value) for value in values]
    for value in choices:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return CategoricalDistribution(_distinct(choices))
        numbers.append(value)
    low, high = min(numbers), max(numbers)
    log = low > 0 and high / low >= LOGARITHMIC_FROM
    if isinstance(low, int) and isinstance(high, int) and all(isinstance(number, int) for number in numbers):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def widened(old: BaseDistribution, new: BaseDistribution) -> BaseDistribution:
    """The smallest distribution that includes both; stored values of `old` keep their meaning in it.

    Raises ValueError where one is categorical and the other a number.
    """
    if isinstance(old, CategoricalDistribution) and isinstance(new, CategoricalDistribution):
        return CategoricalDistribution(_distinct([*old.choices, *new.choices]))
    if isinstance(old, CategoricalDistribution) or isinstance(new, CategoricalDistribution):
        raise ValueError("a categorical axis and a numeric one have no common distribution")
    assert isinstance(old, IntDistribution | FloatDistribution), old
    assert isinstance(new, IntDistribution | FloatDistribution), new
    return distribution_of([old.low, old.high, new.low, new.high])


def choice(value: object) -> CategoricalChoiceType:
    """The value as Optuna stores it: lists and dictionaries as JSON."""
    return value if value is None or isinstance(value, bool | int | float | str) else canonical_json(value)


def _distinct(values: Iterable[CategoricalChoiceType]) -> list[CategoricalChoiceType]:
    """Each value once, in order; True and 1 are different values."""
    return list({(type(value), value): value for value in values}.values())
