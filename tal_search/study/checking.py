"""From plain values to typed, frozen settings: any dataclass whose fields carry types, and rules made by `hyper`.

Every problem is reported to the `Written` it was read from, and the default stands in for a value that is wrong, so
that one pass finds them all.
"""

from __future__ import annotations

import math
import os
import re
import types
import typing
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields, is_dataclass
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeVar

from tal_search.fields import broken_rule
from tal_search.study.yaml_reader import Key, Written, shown

Settings = TypeVar("Settings")

FRACTION = re.compile(r"\s*[-+]?\d{1,9}\s*/\s*0*[1-9]\d{0,8}\s*", re.ASCII)


class Checker:
    """Builds settings from the plain content of a study; problems go to `written`."""

    def __init__(self, written: Written, root: type, sections: dict[str, type]) -> None:
        """`root` is the study's dataclass, `sections` the open mappings whose keys are the fields of a dataclass."""
        self.written = written
        self.known = [".".join(key) for key in _keys(root, ())]
        self.known += [f"{name}.{spec.name}" for name, cls in sections.items() for spec in _fields(cls)]

    def settings(self, cls: type[Settings], content: dict[str, Any], key: Key = (), **given: Any) -> Settings:
        """An instance of `cls`, sections inside it too; `given` are fields that no file sets."""
        self.refuse_unknown(content, [spec.name for spec in _fields(cls) if spec.name not in given], key)
        hints = typing.get_type_hints(cls)
        found = dict(given)
        for spec in _fields(cls):
            if spec.name not in content or spec.name in given:
                continue
            value, inner = content[spec.name], (*key, spec.name)
            section = _section(hints[spec.name])
            if section is not None and (value is not None or section is hints[spec.name]):
                found[spec.name] = self.settings(section, self.mapping(value, inner), inner)
            elif typing.get_origin(hints[spec.name]) is dict:
                found[spec.name] = self.mapping(value, inner)
            else:
                found.update(self.field(spec, hints[spec.name], value, inner))
        return cls(**found)

    def mapping(self, value: Any, key: Key) -> dict[str, Any]:
        """A section's content: empty where nothing stands under its name, or where something else does (reported)."""
        if value is not None and not isinstance(value, dict):
            self.written.add(key, f"is {shown(value)}; it must be a mapping, KEY: VALUE lines")
        return value if isinstance(value, dict) else {}

    def field(self, spec: Field[Any], hint: Any, value: Any, key: Key) -> dict[str, Any]:
        """The field's value by its name, or nothing where a type or a rule is broken (reported)."""
        problem = None
        typed = converted(hint, value)
        if typed is WRONG and value is None:
            problem = f"has no value; it must be {words(hint)}"
        elif typed is WRONG:
            problem = f"is {shown(value)}; it must be {words(hint)}{_near(hint, value)}"
        else:
            for item in typed if isinstance(typed, tuple) else [typed]:
                rule = None if item == "auto" else broken_rule(spec, item)
                if rule is not None:
                    near = did_you_mean(closest(str(item), list(spec.metadata["choices"])))
                    problem = f"is {shown(value)}; it must be {rule}{near}"
        if problem is not None:
            self.written.add(key, problem)
            return {}
        return {spec.name: typed}

    def chosen(self, cls: type, content: dict[str, Any], key: Key) -> dict[str, Any]:
        """The fields of `cls` that the study sets, checked; fields it does not set are left out."""
        specs, hints = {spec.name: spec for spec in fields(cls)}, typing.get_type_hints(cls)
        self.refuse_unknown(content, list(specs), key)
        found: dict[str, Any] = {}
        for name, value in content.items():
            if name in specs:
                found |= self.field(specs[name], hints[name], value, (*key, name))
        return found

    def axes(
        self, cls: type, groups: Mapping[str, type], content: dict[str, Any], key: Key
    ) -> dict[str, tuple[Any, ...]]:
        """Each axis of fields of `cls`, or of a group's dataclass (axis "GROUP.NAME"), its values checked as theirs."""
        specs, hints = {spec.name: spec for spec in fields(cls)}, typing.get_type_hints(cls)
        self.refuse_unknown(content, [*specs, *groups], key)
        found: dict[str, tuple[Any, ...]] = {}
        for name, values in content.items():
            inner = (*key, name)
            if name in groups:
                grouped = self.axes(groups[name], {}, self.mapping(values, inner), inner)
                found |= {f"{name}.{axis}": values for axis, values in grouped.items()}
            elif name in specs:
                found[name] = self.values(specs[name], hints[name], values, inner)
        return found

    def values(self, spec: Field[Any], hint: Any, values: Any, key: Key) -> tuple[Any, ...]:
        """A list of one or more different values of a field, each checked as the field's."""
        if not isinstance(values, list) or not values:
            self.written.add(key, f"is {shown(values)}; it must be a list of one value or more")
            return ()
        found: list[Any] = []
        for index, value in enumerate(values):
            found += self.field(spec, hint, value, (*key, str(index))).values()
        for value in repeated(found):
            self.written.add(key, f"has {shown(value)} more than once; keep one")
        return tuple(found)

    def refuse_unknown(self, content: dict[str, Any], names: list[str], key: Key) -> None:
        """Report every key that is none of `names`, with the closest valid one, of another section if need be."""
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


WRONG: Any = object()  # no value of the type


def converted(hint: Any, value: Any) -> Any:
    """The value as its type, or WRONG. A number may be a fraction written as text ("1/16"); a list becomes a tuple."""
    options = _options(hint)
    if len(options) > 1:
        found = [typed for typed in (converted(option, value) for option in options) if typed is not WRONG]
        return found[0] if found else WRONG
    if hint is Any:
        return value
    if typing.get_origin(hint) is Literal:
        return value if isinstance(value, str) and value in typing.get_args(hint) else WRONG
    if typing.get_origin(hint) is tuple:
        items = [converted(typing.get_args(hint)[0], item) for item in value] if isinstance(value, list) else [WRONG]
        return WRONG if any(item is WRONG for item in items) else tuple(items)
    if hint is float:
        return _number(value)
    if hint is Path:
        # os.path leaves ~nobody as it is, where Path.expanduser would raise.
        if not isinstance(value, str) or not value or "\0" in value:
            return WRONG
        return Path(os.path.expanduser(value))  # noqa: PTH111
    return value if type(value) is hint else WRONG


def words(hint: Any) -> str:
    """What a value of the type is called, after "it must be"."""
    if len(_options(hint)) > 1:
        return " or ".join(words(option) for option in _options(hint))
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        return ("one of " if len(choices) > 1 else "") + ", ".join(choices)
    if typing.get_origin(hint) is tuple:
        return f"a list, each value {words(typing.get_args(hint)[0])}"
    named = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text", Path: "a path"}
    return {**named, type(None): "null"}[hint]


def repeated(values: Iterable[Any]) -> list[Any]:
    """The values that come more than once, each once."""
    return [value for value, count in Counter(values).items() if count > 1]


def closest(name: str, names: list[str], cutoff: float = 0.6) -> str | None:
    """The valid name a wrong one probably means."""
    folded = {valid.lower(): valid for valid in names}
    near = get_close_matches(name.lower(), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else None


def did_you_mean(near: str | None) -> str:
    return f"; did you mean '{near}'?" if near else ""


def _number(value: Any) -> Any:
    if isinstance(value, str) and FRACTION.fullmatch(value):
        return float(Fraction("".join(value.split())))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return WRONG
    return float(value)


def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _near(hint: Any, value: Any) -> str:
    """A hint at the choice a misspelt one probably means."""
    choices = [c for option in _options(hint) if typing.get_origin(option) is Literal for c in typing.get_args(option)]
    return did_you_mean(closest(value, choices) if isinstance(value, str) else None)


def _fields(cls: Any) -> list[Field[Any]]:
    """The fields a study's author sets."""
    return [spec for spec in fields(cls) if spec.metadata.get("written", True)]


def _section(hint: Any) -> type | None:
    """The dataclass of a section, which may be left out as null."""
    found = (option for option in _options(hint) if is_dataclass(option))
    return next((option for option in found if isinstance(option, type)), None)


def _keys(cls: type, key: Key) -> list[Key]:
    hints = typing.get_type_hints(cls)
    found: list[Key] = []
    for spec in _fields(cls):
        inner = (*key, spec.name)
        section = _section(hints[spec.name])
        found += [inner, *(_keys(section, inner) if section is not None else [])]
    return found
