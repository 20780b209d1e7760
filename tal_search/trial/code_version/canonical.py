"""Canonical text of a definition: it changes with the computation and is the same under every Python version.

Left out: positions, comments, docstrings, annotations, heartbeats, messages of `raise` and `assert`, and defaults,
bounds and help of hyperparameters. A name is replaced by what it refers to, so import aliases and a function's file do
not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tal_search.trial.code_version.sources import Definition, Package
from tal_search.trial.code_version.writer import Writer


@dataclass(frozen=True)
class Described:
    """text: with `@` for each of `references`, in order; annotations: definitions that annotations name.

    problems: messages about places that may lead to code that cannot be followed.
    """

    text: str
    references: tuple[Definition, ...]
    annotations: frozenset[Definition]
    problems: tuple[str, ...]


@lru_cache(maxsize=4096)
def describe(package: Package, definition: Definition, without: frozenset[str] = frozenset()) -> Described:
    """The canonical text of a definition. without: class members to leave out, "Class.member"."""
    module = package.module(definition.module)
    assert module is not None, definition
    writer = Writer(package, module, definition.name, without)
    for statement in module.definitions[definition.name]:
        writer.visit(statement)
    return Described(
        " ".join(writer.words), tuple(writer.references), frozenset(writer.annotations), tuple(writer.problems)
    )


def alias_of(package: Package, definition: Definition) -> frozenset[Definition]:
    """Definitions named in a constant's value: it may be a type alias."""
    described = describe(package, definition)
    return frozenset(described.references) | described.annotations


def returned(package: Package, definition: Definition) -> frozenset[Definition]:
    """Definitions named in a function's return annotation; none for a class or a constant."""
    module = package.module(definition.module)
    assert module is not None, definition
    writer = Writer(package, module, definition.name, frozenset())
    for statement in module.definitions[definition.name]:
        writer.result(statement)
    return frozenset(writer.annotations)
