"""The space a sampler draws from: for each hyperparameter a range or choices, and when it has a say at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, get_type_hints

from tal_search.fields import broken_rule
from tal_search.study.checking import WRONG, Checker, closest, converted, did_you_mean, words
from tal_search.study.yaml_reader import Key, shown

LARGEST_RANGE = 100_000  # whole numbers of one range that are tried against a rule such as oddness


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A range from `low` to `high`, both included (whole numbers by `step`), or one of `choices`.

    `when`: other hyperparameters of the space and the values of each at which this one is drawn; elsewhere it keeps the
    centre's value.
    """

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: float | int | None = None
    choices: tuple[Any, ...] = ()
    when: dict[str, tuple[Any, ...]] = field(default_factory=dict)


def read_space(
    checker: Checker, cls: type, groups: Mapping[str, type], content: dict[str, Any], key: Key
) -> dict[str, Dimension]:
    """Each dimension of fields of `cls`, or of a group's dataclass (named "GROUP.NAME"); problems are reported."""
    specs: dict[str, tuple[Field[Any], Any, Key]] = {}
    found: dict[str, Dimension] = {}
    for owner, prefix, given, place in _sections(checker, cls, groups, content, key):
        hints = get_type_hints(owner)
        own = {spec.name: spec for spec in fields(owner)}
        checker.refuse_unknown(given, [*own, *([] if prefix else groups)], place)
        for name, value in given.items():
            if name in own:
                specs[prefix + name] = own[name], hints[name], (*place, name)
                dimension = _dimension(checker, own[name], hints[name], value, (*place, name))
                if dimension is not None:
                    found[prefix + name] = dimension
    for name, dimension in found.items():
        _check_conditions(checker, found, name, dimension, specs[name][2])
    return found


def _sections(
    checker: Checker, cls: type, groups: Mapping[str, type], content: dict[str, Any], key: Key
) -> list[tuple[type, str, dict[str, Any], Key]]:
    outer = {name: value for name, value in content.items() if name not in groups}
    inner = [
        (groups[name], f"{name}.", checker.mapping(content[name], (*key, name)), (*key, name))
        for name in groups
        if name in content
    ]
    return [(cls, "", outer, key), *inner]


def _dimension(checker: Checker, spec: Field[Any], hint: Any, value: Any, key: Key) -> Dimension | None:
    if isinstance(value, list):
        value = {"choices": value}
    if not isinstance(value, dict):
        checker.written.add(key, f"is {shown(value)}; give {{low: A, high: B}} or a list of choices")
        return None
    before = len(checker.written.problems)
    checker.refuse_unknown(value, [spec.name for spec in fields(Dimension)], key)
    when = _when(checker, value.get("when"), (*key, "when"))
    if "choices" in value:
        choices = checker.values(spec, hint, value["choices"], (*key, "choices"))
        if set(value) & {"low", "high", "log", "step"}:
            checker.written.add(key, "has choices and a range; keep one")
        dimension = Dimension(choices=choices, when=when)
    else:
        dimension = _range(checker, spec, hint, value, key, when)
    return dimension if len(checker.written.problems) == before else None


def _when(checker: Checker, content: Any, key: Key) -> dict[str, tuple[Any, ...]]:
    if content is None:
        return {}
    given = checker.mapping(content, key)
    return {name: tuple(value if isinstance(value, list) else [value]) for name, value in given.items()}


def _range(
    checker: Checker, spec: Field[Any], hint: Any, value: dict[str, Any], key: Key, when: dict[str, tuple[Any, ...]]
) -> Dimension:
    numeric = _numeric(hint)
    if numeric is None:
        checker.written.add(key, f"is {shown(value)}; {spec.name} is {words(hint)}, give a list of choices")
        return Dimension()
    ends: dict[str, Any] = {}
    for end in ("low", "high"):
        if end not in value:
            checker.written.add(key, f"has no {end}; give low and high")
        else:
            number = checker.field(spec, numeric, value[end], (*key, end))
            ends |= {end: number[spec.name]} if number else {}
    log, step = value.get("log", False), _step(spec, numeric, value.get("step"))
    if not isinstance(log, bool):
        checker.written.add((*key, "log"), f"is {shown(log)}; it must be true or false")
    if step is WRONG:
        checker.written.add((*key, "step"), f"is {shown(value['step'])}; it must be {words(numeric)} greater than 0")
    if len(ends) < 2 or step is WRONG:
        return Dimension()
    dimension = Dimension(low=ends["low"], high=ends["high"], log=log is True, step=step, when=when)
    problem = _range_problem(spec, dimension)
    if problem:
        checker.written.add(key, problem)
    return dimension


def _numeric(hint: Any) -> type | None:
    """int or float where the field is a number (or a number or None)."""
    options = set(getattr(hint, "__args__", (hint,))) - {type(None)}
    return next((kind for kind in (int, float) if options == {kind}), None)


def _step(spec: Field[Any], numeric: type, given: Any) -> Any:
    """The step as a number; odd fields step by two unless told otherwise."""
    if given is None:
        return 2 if spec.metadata.get("odd") else None
    step = converted(numeric, given)
    return step if step is not WRONG and step > 0 else WRONG


def _range_problem(spec: Field[Any], dimension: Dimension) -> str | None:
    low, high, step = dimension.low, dimension.high, dimension.step
    assert low is not None
    assert high is not None
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
    """A condition looks at a dimension written before, and at values it can take."""
    before = list(space)[: list(space).index(name)]
    for other, values in dimension.when.items():
        place = (*key, "when", other)
        if other not in before:
            near = did_you_mean(closest(other, before))
            checker.written.add(place, f"is no dimension written before {name}{near}; reorder the space, or correct it")
            continue
        if not values:
            checker.written.add(place, "has no values; give those at which the dimension is drawn")
        elif space[other].choices:
            strange = [value for value in values if value not in space[other].choices]
            if strange:
                checker.written.add(place, f"has {shown(strange[0])}, which is none of the choices of {other}")
        elif not all(_reaches(space[other], value) for value in values):
            checker.written.add(
                place, f"is {shown(list(values))}; give choices or whole numbers that {other} can take, as a list"
            )


def _reaches(dimension: Dimension, value: Any) -> bool:
    """A condition on a continuous range would hold with probability zero."""
    low, high = dimension.low, dimension.high
    if not isinstance(low, int) or not isinstance(high, int) or type(value) is not int:
        return False
    return low <= value <= high and (value - low) % int(dimension.step or 1) == 0
