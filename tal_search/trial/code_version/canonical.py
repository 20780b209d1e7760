"""A definition as text that changes with what it computes, and is the same under every Python.

Left out: positions, comments, docstrings, annotations, what `raise` and `assert` say, defaults, bounds and help of
hyperparameters. What a name means is written, not the name: an import may have another alias, a function another place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tal_search.trial.code_version.sources import Definition, Package
from tal_search.trial.code_version.writer import Writer


@dataclass(frozen=True)
class Described:
    """text: with `@` for each of `references`, in their order; annotations: definitions that annotations name.

    problems: what may lead to code that is not seen, in words.
    """

    text: str
    references: tuple[Definition, ...]
    annotations: frozenset[Definition]
    problems: tuple[str, ...]


@lru_cache(maxsize=4096)
def describe(package: Package, definition: Definition, without: frozenset[str] = frozenset()) -> Described:
    """`without`: members of classes to leave out, "Class.member"."""
    module = package.module(definition.module)
    assert module is not None, definition
    writer = Writer(package, module, definition.name, without)
    for statement in module.definitions[definition.name]:
        writer.visit(statement)
    return Described(
        " ".join(writer.words), tuple(writer.references), frozenset(writer.annotations), tuple(writer.problems)
    )


def alias_of(package: Package, definition: Definition) -> frozenset[Definition]:
    """What the value of a constant names, as an annotation: the constant may stand for a type."""
    described = describe(package, definition)
    return frozenset(described.references) | described.annotations


def returned(package: Package, definition: Definition) -> frozenset[Definition]:
    """What the annotation of a function's result names; nothing for a class or a constant."""
    module = package.module(definition.module)
    assert module is not None, definition
    writer = Writer(package, module, definition.name, frozenset())
    for statement in module.definitions[definition.name]:
        writer.result(statement)
    return frozenset(writer.annotations)
