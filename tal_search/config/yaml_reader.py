"""Reader of the files of studies and datasets: a subset of YAML, with the place (file:line) of each value.

Only mappings, lists and scalars are read; tags and aliases are refused, so a file yields plain values only. Scalars
follow YAML 1.2 (`1e-4` is a number, `yes` is text). `${KEY}` is the value of another key, see `references`; the tree is
OmegaConf's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tal_search.config.references import refused, too_large
from tal_search.errors import Problems
from tal_search.text.printable import first_line
from tal_search.text.urls import masked
from tal_search.types import Plain, Value

Key = tuple[str, ...]


class Invalid(Enum):
    """Stands for a value that could not be read or has the wrong type."""

    INVALID = "invalid"


INVALID: Final = Invalid.INVALID
PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}
DIGITS = r"\d+(?:_\d+)*"
INT = re.compile(rf"[-+]?{DIGITS}", re.ASCII)
FLOAT = re.compile(rf"[-+]?({DIGITS}(\.({DIGITS})?)?|\.{DIGITS})([eE][-+]?\d+)?", re.ASCII)
INT_DIGITS = 40  # longer integers are read as floats; Python refuses those of thousands of digits
DEPTH = 16  # of nested sections and lists, more than any file needs
NOT_FINITE = re.compile(r"([-+]?)\.?(inf|nan)", re.IGNORECASE)
WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
MOST_CHARACTERS = 100_000  # of a file; the studies here have up to 3000
SHOWN = 60  # characters of a value in a message


@dataclass
class Written:
    """A file's tree, the place of each value ("studies/x.yaml:12" or "command line: a=1"), and all problems so far."""

    source: str
    tree: DictConfig = field(default_factory=lambda: OmegaConf.create({}))
    places: dict[Key, str] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)

    def place(self, key: Key) -> str:
        """Where `key` is written, or the nearest section around it."""
        known = (self.places[key[:length]] for length in range(len(key), 0, -1) if key[:length] in self.places)
        return next(known, self.source)

    def add(self, key: Key, sentence: str) -> None:
        """Report a problem of the value at `key`; `sentence` continues after the key's name."""
        self.problems.add(f"{self.place(key)}: {dotted(key)} {sentence}")

    def content(self) -> dict[str, Plain]:
        """The tree as dictionaries and lists with interpolations resolved; those that cannot be are reported."""
        if too_large(self.tree):
            self.problems.add(f"{self.source}: its references ${{...}} fill in more than a file holds; write them out")
            return {}
        content = self._plain(self.tree, ())
        assert isinstance(content, dict)
        return content

    def _plain(self, node: object, key: Key) -> Plain:
        if not isinstance(node, DictConfig | ListConfig):
            assert node is None or isinstance(node, bool | int | float | str)
            return node
        values: dict[str, Plain] = {}
        for name in range(len(node)) if isinstance(node, ListConfig) else list(node):
            inner = (*key, str(name))
            try:
                values[inner[-1]] = self._plain(node[name], inner)
            except (OmegaConfBaseException, RecursionError) as error:
                self.add(inner, f"cannot be filled in ({first_line(error)}); write the value out")
        return list(values.values()) if isinstance(node, ListConfig) else values


def read_yaml(text: str, source: str, *, dots: bool = True) -> Written:
    """The tree of a YAML text; `source` names the file in messages. Problems are collected in it, nothing is raised.

    dots: whether a dotted name is a mapping inside a mapping, as in a study.
    """
    reader = Reader(source, dots=dots)
    content = reader.read(text)
    if content is not INVALID and not isinstance(content, dict):
        reader.problems.add(f"{source}:1: is {shown(content)}, not a mapping; write KEY: VALUE lines")
    tree = OmegaConf.create(content if isinstance(content, dict) else {})
    return Written(source, tree, reader.places, reader.problems)


@dataclass
class Reader:
    """Reads one YAML text. numbered: whether places include the line number; dots: see `read_yaml`."""

    source: str
    numbered: bool = True
    dots: bool = True
    places: dict[Key, str] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)

    def read(self, text: str, key: Key = ()) -> Plain | Invalid:
        """The value of the text, which is at `key`; INVALID if there is a problem, which is reported."""
        if len(text) > MOST_CHARACTERS:
            return self._refuse(None, f"has {len(text)} characters; at most {MOST_CHARACTERS} are read, shorten it")
        try:
            node = _NodeLoader(text).get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            fix = "indent with spaces, not tabs" if "\\t" in str(error.problem) else "correct it"
            return self._refuse(mark, f"cannot be read as YAML: {error.problem}; {fix}")
        except (yaml.YAMLError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
            return self._refuse(None, f"cannot be read as YAML: {reason}; correct it")
        return self._refuse(None, "is empty; write at least a description") if node is None else self._value(node, key)

    def _refuse(self, mark: yaml.Mark | None, sentence: str) -> Invalid:
        self.problems.add(f"{self._place(mark)}: {sentence}")
        return INVALID

    def _place(self, mark: yaml.Mark | None) -> str:
        return f"{self.source}:{mark.line + 1}" if mark is not None and self.numbered else self.source

    def _value(self, node: yaml.Node, key: Key) -> Plain | Invalid:
        if node.tag not in PLAIN_TAGS:
            tag = f"{dotted(key)} has the tag {node.tag}"
            return self._refuse(node.start_mark, f"{tag}, which is not read; use plain values")
        if len(key) > DEPTH:
            return self._refuse(node.start_mark, f"{dotted(key[:3])}... is nested too deeply; give a plain value")
        self.places.setdefault(key, self._place(node.start_mark))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            items = [self._value(item, (*key, str(index))) for index, item in enumerate(node.value)]
            valid = [item for item in items if item is not INVALID]
            return valid if len(valid) == len(items) else INVALID
        return self.scalar(node.value, key, quoted=getattr(node, "style", None) is not None)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Plain]:
        """A mapping's content; a dotted name may be a mapping inside a mapping, as on the command line."""
        content: dict[str, Plain] = {}
        for name_node, value_node in node.value:
            mark = name_node.start_mark
            names = self._names(name_node)
            if not all(names):
                self._refuse(mark, f"{dotted(key) or 'the file'} has a key that is not a word; write KEY: VALUE")
                continue
            if "${" in name_node.value:
                self._refuse(mark, f"{shown(name_node.value)} is a key; ${{...}} is not filled in there, write it out")
                continue
            inner = (*key, *names)
            if inner in self.places:
                self._refuse(mark, f"{dotted(inner)} is given again (first at {self.places[inner]}); keep one")
                continue
            self.places[inner] = self._place(mark)
            value = self._value(value_node, inner)
            if value is not INVALID and not nest(content, inner[len(key) :], value):
                self._refuse(mark, f"{dotted(inner)} is both a value and a section; keep one")
        return content

    def _names(self, node: yaml.Node) -> Key:
        """The parts of a mapping's key; one of them is empty where it is not a word."""
        name = node.value if isinstance(node, yaml.ScalarNode) else ""
        return tuple(name.split(".")) if self.dots else (name,)

    def scalar(self, text: str, key: Key, *, quoted: bool) -> Plain | Invalid:
        """The value of a scalar's text; INVALID if it holds anything else than references (`references.refused`)."""
        value = text if quoted else plain_scalar(text)
        problem = refused(value) if isinstance(value, str) else None
        if problem is None:
            return value
        self.problems.add(f"{self.places.get(key, self.source)}: {dotted(key)} is {shown(value)}, {problem}")
        return INVALID


class _NodeLoader(yaml.BaseLoader):
    """Builds nodes, never objects; refuses aliases, which could expand without end."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(None, None, "an alias *NAME is not read, repeat the value", mark)
        return super().compose_node(parent, index)


def plain_scalar(text: str) -> Value:
    """The value of an unquoted scalar: null, a Boolean, a number, or the text itself."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if len(text) <= INT_DIGITS and INT.fullmatch(text):
        return int(text)
    if FLOAT.fullmatch(text):
        return float(text)
    special = NOT_FINITE.fullmatch(text)
    return float(special[1] + special[2]) if special else text


def nest(into: dict[str, Plain], key: Key, value: Plain) -> bool:
    """Put a value at a key of nested mappings, merging mappings; False if the key is taken by another value."""
    if len(key) > 1:
        inner = into.setdefault(key[0], {})
        return isinstance(inner, dict) and nest(inner, key[1:], value)
    if key[0] not in into:
        into[key[0]] = value
        return True
    there = into[key[0]]
    if not isinstance(there, dict) or not isinstance(value, dict):
        return False
    return all(nest(there, (name,), inner) for name, inner in value.items())


def dotted(key: Key) -> str:
    """A key as messages name it: search.axes.kernel_size[1]."""
    return "".join([*key[:1], *(f"[{part}]" if part.isdecimal() else f".{part}" for part in key[1:])])


def shown(value: object) -> str:
    """A value as in a study file, shortened to fit a message, and without the password of a URL."""
    text = json.dumps(masked(value) if isinstance(value, str) else value, ensure_ascii=False, default=str)
    text = masked(text)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
