"""The one parser of command lines: KEY=VALUE, words and flags, with every problem named at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from tal_search.errors import InputError

HELP = ("-h", "--help")
# Raises ValueError with what is wrong, as words after "KEY=VALUE", or InputError with whole sentences.
Converter = Callable[[str], Any]


@dataclass(frozen=True, kw_only=True)
class Key:
    """One KEY=VALUE. required: what is said after "KEY= is missing; ", or after "KEY= has no value; "."""

    convert: Converter = str
    default: Any = None
    required: str = ""


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """What a command takes. words: least and greatest number of words that are neither KEY=VALUE nor flags, None where
    there is no end of them; `needs` is said where their number is wrong. A path whose name has an equals sign is a word
    when its folder is written too: ./a=b.txt. overrides: any other argument that is no flag is kept as an override of a
    study.
    """

    command: str
    keys: Mapping[str, Key] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    words: tuple[int, int | None] = (0, 0)
    needs: str = ""
    overrides: bool = False


class Parsed(NamedTuple):
    """values: of every key of the grammar, converted, its default where it was not given."""

    values: dict[str, Any]
    flags: frozenset[str]
    words: tuple[str, ...]
    overrides: tuple[str, ...]
    problems: tuple[str, ...]


def parse(grammar: Grammar, arguments: Sequence[str]) -> Parsed:
    """Raises InputError with everything that is wrong."""
    parsed = parse_leniently(grammar, arguments)
    if parsed.problems:
        raise InputError(parsed.problems)
    return parsed


def parse_leniently(grammar: Grammar, arguments: Sequence[str]) -> Parsed:
    """The same with the problems in what it returns, for a command that has more to check."""
    values = {name: key.default for name, key in grammar.keys.items()}
    given: dict[str, list[str]] = {}
    flags, words, overrides, problems = set[str](), list[str](), list[str](), list[str]()
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if equals and name in grammar.keys:
            given.setdefault(name, []).append(text)
            if len(given[name]) == 1:
                values[name] = _converted(name, text, grammar.keys[name], problems)
        elif argument in grammar.flags:
            flags.add(argument)
        elif grammar.overrides and not argument.startswith("-"):
            overrides.append(argument)
        elif grammar.words[1] != 0 and not argument.startswith("-") and (not equals or "/" in name):
            words.append(argument)
        else:
            problems.append(_unknown(grammar, argument))
    problems += [
        f"command line: {name}= is given {len(texts)} times ({', '.join(texts)}); keep one"
        for name, texts in given.items()
        if len(texts) > 1
    ]
    missing = ((name, key) for name, key in grammar.keys.items() if key.required and name not in given)
    problems += [
        f"command line: {name}= is missing; {_instead(name, overrides) or key.required}" for name, key in missing
    ]
    least, most = grammar.words
    if len(words) < least or (most is not None and len(words) > most):
        problems.append(f"command line: {grammar.command} {grammar.needs}, not {' '.join(words) or 'none'}")
    return Parsed(values, frozenset(flags), tuple(words), tuple(overrides), tuple(problems))


def _converted(name: str, text: str, key: Key, problems: list[str]) -> Any:
    if not text:
        problems.append(f"command line: {name}= has no value; {key.required or 'give one, or leave it out'}")
        return key.default
    try:
        return key.convert(text)
    except ValueError as error:
        problems.append(f"command line: {name}={text} {error}")
    except InputError as error:
        problems += [f"command line: {problem}" for problem in error.problems]
    return key.default


def _instead(name: str, overrides: Sequence[str]) -> str:
    """Which argument was probably meant for the missing key: its value alone, or its name misspelt."""
    for argument in overrides:
        key, equals, text = argument.partition("=")
        if argument.isidentifier() or (text and get_close_matches(key, [name], 1)):
            return f"write {name}={text if equals else argument} instead of '{argument}'"
    return ""


def _unknown(grammar: Grammar, argument: str) -> str:
    name, equals, text = argument.partition("=")
    if name in grammar.flags:
        return f"command line: {name} takes no value; leave out '={text}'"
    shown = f"{name} is unknown" if equals else f"'{argument}' is unknown"
    if name.lstrip("-") in grammar.keys:
        return f"command line: {shown}; write {name.lstrip('-')}={text or 'VALUE'}"
    near = get_close_matches(name, [*grammar.keys, *grammar.flags], 1)
    if near:
        return f"command line: {shown}; did you mean '{near[0]}'?"
    taken = ", ".join([*(f"{key}=" for key in grammar.keys), *grammar.flags])
    return f"command line: {shown}; {grammar.command} takes {taken or 'no arguments'}"


def one_of(choices: Sequence[str]) -> Converter:
    """One of these words."""

    def convert(text: str) -> str:
        if text not in choices:
            near = get_close_matches(text, choices, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"is not one of {', '.join(choices)}{hint}")
        return text

    return convert


def whole(least: int, most: int, problem: str) -> Converter:
    """A whole number from `least` to `most`, both included; `problem` is said of any other text."""

    def convert(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text[:20]) <= most:
            raise ValueError(problem)
        return int(text)

    return convert


def number(least: float, below: float, problem: str) -> Converter:
    """A number from `least` on and smaller than `below`; `problem` is said of any other text."""

    def convert(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            raise ValueError(problem) from None
        if not least <= found < below:
            raise ValueError(problem)
        return found

    return convert


def ending(endings: Sequence[str]) -> Converter:
    """A path with one of these suffixes."""

    def convert(text: str) -> Path:
        if Path(text).suffix not in endings:
            raise ValueError(f"must end in {' or '.join(endings)}")
        return Path(text)

    return convert
