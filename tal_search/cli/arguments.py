"""Command-line parser of all commands: KEY=VALUE, words and flags, with all problems reported at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from tal_search.errors import InputError, Problems
from tal_search.files.json_reader import number_of

HELP = ("-h", "--help")
# Raises ValueError with words that follow "KEY=VALUE", or InputError with whole sentences.
Converter = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Key:
    """One KEY=VALUE. required: the words that follow "KEY= is missing; " or "KEY= has no value; "; empty: optional."""

    convert: Converter = str
    default: object = None
    required: str = ""


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """The arguments of a command.

    words: least and greatest number of words that are neither KEY=VALUE nor flags (None: no limit); `needs` is the
    message if their number is wrong. A path with an equals sign in its name is a word if its folder is given too:
    ./a=b.txt. overrides: whether any other argument that is not a flag is an override of a study.
    """

    command: str
    keys: Mapping[str, Key] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    words: tuple[int, int | None] = (0, 0)
    needs: str = ""
    overrides: bool = False


class Parsed(NamedTuple):
    """values: of every key of the grammar, converted, or its default."""

    values: dict[str, Any]
    flags: frozenset[str]
    words: tuple[str, ...]
    overrides: tuple[str, ...]
    problems: Problems


def parse(grammar: Grammar, arguments: Sequence[str]) -> Parsed:
    """The arguments. Raises InputError with all problems."""
    parsed = parse_leniently(grammar, arguments)
    parsed.problems.raise_if_any()
    return parsed


def parse_leniently(grammar: Grammar, arguments: Sequence[str]) -> Parsed:
    """The same with problems returned instead of raised, for a command that checks more."""
    values = {name: key.default for name, key in grammar.keys.items()}
    given: dict[str, list[str]] = {}
    flags, words, overrides, problems = set[str](), list[str](), list[str](), Problems()
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
            problems.add(_unknown(grammar, argument))
    for name, texts in given.items():
        if len(texts) > 1:
            problems.add(f"command line: {name}= is given {len(texts)} times ({', '.join(texts)}); keep one")
    for name, key in grammar.keys.items():
        if key.required and name not in given:
            problems.add(f"command line: {name}= is missing; {_instead(name, overrides) or key.required}")
    least, most = grammar.words
    if len(words) < least or (most is not None and len(words) > most):
        problems.add(f"command line: {grammar.command} {grammar.needs}, not {' '.join(words) or 'none'}")
    return Parsed(values, frozenset(flags), tuple(words), tuple(overrides), problems)


def _converted(name: str, text: str, key: Key, problems: Problems) -> object:
    if not text:
        problems.add(f"command line: {name}= has no value; {key.required or 'give one, or leave it out'}")
        return key.default
    try:
        return key.convert(text)
    except ValueError as error:
        problems.add(f"command line: {name}={text} {error}")
    except InputError as error:
        problems.extend(f"command line: {problem}" for problem in error.problems)
    return key.default


def _instead(name: str, overrides: Sequence[str]) -> str:
    """The argument that was probably meant for the missing key: its value alone, or with a misspelt name."""
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


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """A word among `choices`."""

    def convert(text: str) -> str:
        if text not in choices:
            near = get_close_matches(text, choices, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"is not one of {', '.join(choices)}{hint}")
        return text

    return convert


def whole(least: int, most: int, problem: str) -> Callable[[str], int]:
    """A whole number from `least` to `most`, both included; `problem` is the message for any other text."""

    def convert(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text[:20]) <= most:
            raise ValueError(problem)
        return int(text)

    return convert


def number(least: float, below: float, problem: str) -> Callable[[str], float]:
    """A number that is at least `least` and less than `below`; `problem` is the message for any other text."""

    def convert(text: str) -> float:
        value = number_of(text)
        if not least <= value < below:
            raise ValueError(problem)
        return value

    return convert


def ending(endings: Sequence[str]) -> Callable[[str], Path]:
    """A path with one of the suffixes `endings`."""

    def convert(text: str) -> Path:
        if Path(text).suffix not in endings:
            raise ValueError(f"must end in {' or '.join(endings)}")
        return Path(text)

    return convert
