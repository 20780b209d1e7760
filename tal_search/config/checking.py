"""Conversion of plain values to frozen settings, checked by the types of dataclass fields and the rules of `hyper`.

Problems are reported to the `Written` that the values come from, and a wrong value is replaced by the default, so that
one pass reports them all.
"""

from __future__ import annotations

import math
import os
import re
import types
import typing
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from tal_search.config.yaml_reader import INVALID, Invalid, Key, Written, plain_scalar, shown
from tal_search.fields import broken_rule
from tal_search.types import Plain, Value

Typed: TypeAlias = Value | Path | tuple[Value, ...]  # a field of the settings
Settings = TypeVar("Settings")
Hashed = TypeVar("Hashed", bound=Hashable)

FRACTION = re.compile(r"\s*[-+]?\d{1,9}\s*/\s*0*[1-9]\d{0,8}\s*", re.ASCII)


class Setting(typing.NamedTuple):
    """A dataclass field with its resolved type."""

    spec: Field[object]
    hint: object


def settings_of(cls: type) -> dict[str, Setting]:
    """The fields of a dataclass that a study may set, by name."""
    hints = typing.get_type_hints(cls)
    return {spec.name: Setting(spec, hints[spec.name]) for spec in fields(cls) if spec.metadata.get("written", True)}


class Checker:
    """Builds settings from the plain content of a study; problems go to `written`."""

    def __init__(self, written: Written, root: type, sections: Mapping[str, type]) -> None:
        """root: the study's dataclass; sections: the dataclasses of `hyperparameters` and `inference`, by name."""
        self.written = written
        self.known = [".".join(key) for key in _keys(root, ())]
        self.known += [f"{name}.{field}" for name, cls in sections.items() for field in settings_of(cls)]

    def settings(self, cls: type[Settings], content: Mapping[str, Plain], key: Key = (), **given: object) -> Settings:
        """An instance of `cls`, sections inside it included. given: fields that no file sets."""
        known = {name: setting for name, setting in settings_of(cls).items() if name not in given}
        self.refuse_unknown(content, list(known), key)
        values = dict(given)
        for name, setting in known.items():
            if name not in content:
                continue
            value, inner, section = content[name], (*key, name), _section(setting.hint)
            if section is not None and (value is not None or section is setting.hint):
                values[name] = self.settings(section, self.mapping(value, inner), inner)
            elif typing.get_origin(setting.hint) is dict:
                values[name] = self.mapping(value, inner)
            elif (typed := self.field(setting, value, inner)) is not INVALID:
                values[name] = typed
        return cls(**values)

    def mapping(self, value: Plain, key: Key) -> dict[str, Plain]:
        """A section's content; empty for null, and for any other value, which is reported."""
        if value is not None and not isinstance(value, dict):
            self.written.add(key, f"is {shown(value)}; it must be a mapping, KEY: VALUE lines")
        return value if isinstance(value, dict) else {}

    def field(self, setting: Setting, value: Plain, key: Key) -> Typed | Invalid:
        """The value converted to the field's type; INVALID if it breaks the type or the rule, which is reported."""
        spec, hint = setting
        problem = None
        typed = converted(hint, value)
        if typed is INVALID and value is None:
            problem = f"has no value; it must be {words(hint)}"
        elif typed is INVALID:
            problem = f"is {shown(value)}; it must be {words(hint)}{_near(hint, value)}"
        else:
            for item in typed if isinstance(typed, tuple) else [typed]:
                rule = None if item == "auto" else broken_rule(spec, item)
                if rule is not None:
                    near = did_you_mean(closest(str(item), list(spec.metadata["choices"])))
                    problem = f"is {shown(value)}; it must be {rule}{near}"
        if problem is not None:
            self.written.add(key, problem)
            return INVALID
        return typed

    def scalar(self, setting: Setting, value: Plain, key: Key) -> Value | Invalid:
        """The same for the field of a method, an inference setting or a sampler, which is a single value."""
        typed = self.field(setting, value, key)
        assert not isinstance(typed, tuple | Path), f"{setting.spec.name} must be a single value"
        return typed

    def chosen(self, cls: type, content: Mapping[str, Plain], key: Key) -> dict[str, Value]:
        """The fields of `cls` that the study sets, checked; the others are left out."""
        known = settings_of(cls)
        self.refuse_unknown(content, list(known), key)
        given = {name: self.scalar(known[name], content[name], (*key, name)) for name in content if name in known}
        return {name: value for name, value in given.items() if value is not INVALID}

    def axes(
        self, cls: type, groups: Mapping[str, type], content: Mapping[str, Plain], key: Key
    ) -> dict[str, tuple[Value, ...]]:
        """The values of each axis, a field of `cls` or of a group's dataclass (axis "GROUP.NAME"), checked."""
        known = settings_of(cls)
        self.refuse_unknown(content, [*known, *groups], key)
        axes: dict[str, tuple[Value, ...]] = {}
        for name, values in content.items():
            inner = (*key, name)
            if name in groups:
                grouped = self.axes(groups[name], {}, self.mapping(values, inner), inner)
                axes |= {f"{name}.{axis}": values for axis, values in grouped.items()}
            elif name in known:
                axes[name] = self.values(known[name], values, inner)
        return axes

    def values(self, setting: Setting, values: Plain, key: Key) -> tuple[Value, ...]:
        """A list of one or more different values of a field, each checked."""
        if not isinstance(values, list) or not values:
            self.written.add(key, f"is {shown(values)}; it must be a list of one value or more")
            return ()
        given = [self.scalar(setting, value, (*key, str(index))) for index, value in enumerate(values)]
        checked = tuple(value for value in given if value is not INVALID)
        for value in repeated(checked):
            self.written.add(key, f"has {shown(value)} more than once; keep one")
        return checked

    def refuse_unknown(self, content: Mapping[str, Plain], names: list[str], key: Key) -> None:
        """Report each key that is not in `names`, with the closest valid one, from another section if necessary."""
        for name in content:
            if name in names:
                continue
            near = closest(name, names)
            if near is None:
                lasts = {known.rpartition(".")[2]: known for known in reversed(self.known)}
                elsewhere = closest(name, list(lasts), cutoff=0.75)
                near = None if elsewhere is None else lasts[elsewhere]
            hint = f"did you mean '{near}'?" if near else f"valid: {', '.join(names)}"
            self.written.add((*key, name), f"is unknown; {hint} (value seen: {shown(content[name])})")


def converted(hint: object, value: Plain) -> Typed | Invalid:
    """The value as its type, or INVALID. A number may be text ("30.0", "1/16"); a list becomes a tuple."""
    options = _options(hint)
    if len(options) > 1:
        return next((typed for option in options if (typed := converted(option, value)) is not INVALID), INVALID)
    if typing.get_origin(hint) is Literal:
        return value if isinstance(value, str) and value in typing.get_args(hint) else INVALID
    if typing.get_origin(hint) is tuple:
        items = [converted(typing.get_args(hint)[0], item) for item in value] if isinstance(value, list) else [INVALID]
        valid = tuple(item for item in items if not isinstance(item, tuple | Path | Invalid))
        return valid if len(valid) == len(items) else INVALID
    if hint is float:
        return _number(value)
    if hint is Path:
        # os.path leaves ~nobody as it is, where Path.expanduser would raise.
        if not isinstance(value, str) or not value or "\0" in value:
            return INVALID
        return Path(os.path.expanduser(value))  # noqa: PTH111
    return value if not isinstance(value, list | dict) and type(value) is hint else INVALID


def words(hint: object) -> str:
    """The type as it follows "it must be"."""
    if len(_options(hint)) > 1:
        return " or ".join(words(option) for option in _options(hint))
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        return ("one of " if len(choices) > 1 else "") + ", ".join(choices)
    if typing.get_origin(hint) is tuple:
        return f"a list, each value {words(typing.get_args(hint)[0])}"
    named: dict[object, str] = {
        bool: "true or false", int: "a whole number", float: "a finite number", str: "text", Path: "a path",
        type(None): "null",
    }  # fmt: skip
    return named[hint]


def repeated(values: Iterable[Hashed]) -> list[Hashed]:
    """The values that occur more than once, each once."""
    return [value for value, count in Counter(values).items() if count > 1]


def closest(name: str, names: list[str], cutoff: float = 0.6) -> str | None:
    """The valid name that a wrong one probably means."""
    folded = {valid.lower(): valid for valid in names}
    near = get_close_matches(name.lower(), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else None


def did_you_mean(near: str | None) -> str:
    return f"; did you mean '{near}'?" if near else ""


def _number(value: Plain) -> float | Invalid:
    if isinstance(value, str) and FRACTION.fullmatch(value):
        return float(Fraction("".join(value.split())))
    value = plain_scalar(value.strip()) if isinstance(value, str) else value  # "30.0", quoted
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return INVALID
    return float(value)


def _options(hint: object) -> tuple[object, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _near(hint: object, value: Plain) -> str:
    """A suggestion for a misspelt choice."""
    choices = [c for option in _options(hint) if typing.get_origin(option) is Literal for c in typing.get_args(option)]
    return did_you_mean(closest(value, choices) if isinstance(value, str) else None)


def _section(hint: object) -> type | None:
    """The dataclass of a section, which may be optional (null in the file)."""
    return next((option for option in _options(hint) if isinstance(option, type) and is_dataclass(option)), None)


def _keys(cls: type, key: Key) -> Iterator[Key]:
    """Every key of a study, sections before their fields."""
    for name, setting in settings_of(cls).items():
        yield (*key, name)
        section = _section(setting.hint)
        if section is not None:
            yield from _keys(section, (*key, name))
