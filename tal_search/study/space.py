"""Search space of a sampler: a range or choices for each hyperparameter, and the conditions under which it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, get_args

from tal_search.config.checking import Checker, Setting, closest, converted, did_you_mean, settings_of, words
from tal_search.config.yaml_reader import INVALID, Invalid, Key, shown
from tal_search.fields import broken_rule
from tal_search.types import Plain

LARGEST_RANGE = 100_000  # larger ranges of whole numbers are not checked value by value (for oddness, say)


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A range from `low` to `high`, both included (whole numbers by `step`), or one of `choices`.

    `when`: other hyperparameters of the space, each with the values at which this one is drawn; at others it keeps the
    centre's value.
    """

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: float | int | None = None
    choices: tuple[Any, ...] = ()
    when: dict[str, tuple[Plain, ...]] = field(default_factory=dict)


def read_space(
    checker: Checker, cls: type, groups: Mapping[str, type], content: Mapping[str, Plain], key: Key
) -> dict[str, Dimension]:
    """Each dimension of fields of `cls`, or of a group's dataclass (named "GROUP.NAME"); problems are reported."""
    keys: dict[str, Key] = {}
    space: dict[str, Dimension] = {}
    for owner, prefix, given, place in _sections(checker, cls, groups, content, key):
        known = settings_of(owner)
        checker.refuse_unknown(given, [*known, *([] if prefix else groups)], place)
        for name, value in given.items():
            if name in known:
                keys[prefix + name] = (*place, name)
                dimension = _dimension(checker, known[name], value, (*place, name))
                if dimension is not None:
                    space[prefix + name] = dimension
    for name, dimension in space.items():
        _check_conditions(checker, space, name, dimension, keys[name])
    return space


def _sections(
    checker: Checker, cls: type, groups: Mapping[str, type], content: Mapping[str, Plain], key: Key
) -> list[tuple[type, str, dict[str, Plain], Key]]:
    outer = {name: value for name, value in content.items() if name not in groups}
    inner = [
        (groups[name], f"{name}.", checker.mapping(content[name], (*key, name)), (*key, name))
        for name in groups
        if name in content
    ]
    return [(cls, "", outer, key), *inner]


def _dimension(checker: Checker, setting: Setting, value: Plain, key: Key) -> Dimension | None:
    if isinstance(value, list):
        value = {"choices": value}
    if not isinstance(value, dict):
        checker.written.add(key, f"is {shown(value)}; give {{low: A, high: B}} or a list of choices")
        return None
    before = len(checker.written.problems)
    checker.refuse_unknown(value, [spec.name for spec in fields(Dimension)], key)
    when = _when(checker, value.get("when"), (*key, "when"))
    if "choices" in value:
        choices = checker.values(setting, value["choices"], (*key, "choices"))
        if set(value) & {"low", "high", "log", "step"}:
            checker.written.add(key, "has choices and a range; keep one")
        dimension = Dimension(choices=choices, when=when)
    else:
        dimension = _range(checker, setting, value, key, when)
    return dimension if len(checker.written.problems) == before else None


def _when(checker: Checker, content: Plain, key: Key) -> dict[str, tuple[Plain, ...]]:
    given = checker.mapping(content, key)
    return {name: tuple(value if isinstance(value, list) else [value]) for name, value in given.items()}


def _range(
    checker: Checker, setting: Setting, value: dict[str, Plain], key: Key, when: dict[str, tuple[Plain, ...]]
) -> Dimension:
    numeric = _numeric(setting.hint)
    if numeric is None:
        name = setting.spec.name
        checker.written.add(key, f"is {shown(value)}; {name} is {words(setting.hint)}, give a list of choices")
        return Dimension()
    ends: dict[str, int | float] = {}
    for end in ("low", "high"):
        if end not in value:
            checker.written.add(key, f"has no {end}; give low and high")
        elif isinstance(number := checker.field(Setting(setting.spec, numeric), value[end], (*key, end)), int | float):
            ends[end] = number
    log, step = value.get("log", False), _step(setting, numeric, value.get("step"))
    if not isinstance(log, bool):
        checker.written.add((*key, "log"), f"is {shown(log)}; it must be true or false")
    if step is INVALID:
        checker.written.add((*key, "step"), f"is {shown(value['step'])}; it must be {words(numeric)} greater than 0")
    if len(ends) < 2 or step is INVALID:
        return Dimension()
    dimension = Dimension(low=ends["low"], high=ends["high"], log=log is True, step=step, when=when)
    problem = _range_problem(setting.spec, ends["low"], ends["high"], dimension)
    if problem:
        checker.written.add(key, problem)
    return dimension


def _numeric(hint: object) -> type[int] | type[float] | None:
    """int or float if the field is a number (or a number or None)."""
    options = set(get_args(hint) or (hint,)) - {type(None)}
    return int if options == {int} else float if options == {float} else None


def _step(setting: Setting, numeric: type[int] | type[float], given: Plain) -> int | float | Invalid | None:
    """The step as a number; by default 2 for odd fields."""
    if given is None:
        return 2 if setting.spec.metadata.get("odd") else None
    step = converted(numeric, given)
    return step if isinstance(step, int | float) and step > 0 else INVALID


def _range_problem(spec: Field[object], low: float, high: float, dimension: Dimension) -> str | None:
    step = dimension.step
    if low >= high:
        return f"goes from {low:g} to {high:g}; low must be smaller than high"
    if dimension.log and (low <= 0 or step is not None):
        return "is logarithmic; low must be greater than 0 and no step given" + (
            " (an odd whole number has a step of 2)" if spec.metadata.get("odd") else ""
        )
    if step is not None and abs((high - low) / step - round((high - low) / step)) > 1e-9:
        return f"goes from {low:g} in steps of {step:g}, which do not reach {high:g}; choose ends that are steps apart"
    if isinstance(low, int) and isinstance(high, int) and (high - low) / (step or 1) <= LARGEST_RANGE:
        values = range(low, high + 1, int(step or 1))
        broken = next((rule for rule in (broken_rule(spec, value) for value in values) if rule), None)
        return f"holds values that break a rule; each must be {broken}" if broken else None
    return None


def _check_conditions(checker: Checker, space: dict[str, Dimension], name: str, dimension: Dimension, key: Key) -> None:
    """Conditions must refer to dimensions defined above, and to values that these can take."""
    above = list(space)[: list(space).index(name)]
    for other, values in dimension.when.items():
        place = (*key, "when", other)
        if other not in above:
            near = did_you_mean(closest(other, above))
            checker.written.add(place, f"is no dimension defined above {name}{near}; reorder the space, or correct it")
            continue
        if not values:
            checker.written.add(place, "has no values; give those at which the dimension is drawn")
        elif space[other].choices:
            strange = [value for value in values if value not in space[other].choices]
            if strange:
                checker.written.add(place, f"has {shown(strange[0])}, which is not a choice of {other}")
        elif not all(_reaches(space[other], value) for value in values):
            checker.written.add(
                place, f"is {shown(list(values))}; give choices or whole numbers that {other} can take, as a list"
            )


def _reaches(dimension: Dimension, value: Plain) -> bool:
    """Whether a range of whole numbers has the value; a condition on a continuous range would never hold."""
    low, high = dimension.low, dimension.high
    if not isinstance(low, int) or not isinstance(high, int) or type(value) is not int:
        return False
    return low <= value <= high and (value - low) % int(dimension.step or 1) == 0
