"""The version of the code that a trial computes its numbers with: a changed loss changes it, an error's text does not.

The code is read, never imported, so that a study is previewed without torch. What counts are definitions (top-level
functions, classes and constants of this package) that lead from a trial's entry point to its numbers, wherever they
are; see `boundary` for what is left out and `canonical` for what a definition's text is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tal_search.trial.code_version.boundary import BOUNDARY, ENTRY, OF_METHOD, OF_SOURCE
from tal_search.trial.code_version.canonical import Described, alias_of, describe, returned
from tal_search.trial.code_version.sources import STATEMENTS, Definition, Package

PACKAGE = Path(__file__).parents[2]


@dataclass
class Reach:
    """What a trial computes with. stops: definitions that are known and not followed, by name."""

    definitions: dict[Definition, Described] = field(default_factory=dict)
    stops: dict[Definition, str] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """What may lead to code that is not seen."""
        return sorted({problem for described in self.definitions.values() for problem in described.problems})


@cache
def code_version(method: str, source: str) -> str:
    """Hash (12 hexadecimal digits) of what a trial of `method` on a dataset of this source computes with."""
    return version_of(_package(), method, source)


@cache
def _package() -> Package:
    return Package(PACKAGE)


def version_of(package: Package, method: str, source: str) -> str:
    """The same for a package in any folder."""
    return digest(reach(package, method, source))


def reach(package: Package, method: str, source: str) -> Reach:
    """Every definition that leads from a trial's entry point or from its method to its numbers."""
    (module,) = (name for name in package.defining(OF_METHOD[0]) if name.rpartition(".")[2] == method)
    elsewhere = frozenset(name for other, names in OF_SOURCE.items() if other != source for name in names)
    return follow(package, [package.only(ENTRY), *(Definition(module, name) for name in OF_METHOD)], elsewhere)


def follow(package: Package, roots: list[Definition], elsewhere: frozenset[str] = frozenset()) -> Reach:
    """What the roots lead to. `elsewhere`: names of definitions where it ends besides the boundary's."""
    found, waiting = Reach(), list(roots)
    while waiting:
        definition = waiting.pop()
        if definition.name in BOUNDARY or definition.name in elsewhere:
            found.stops[definition] = definition.name
            if definition.name in BOUNDARY and definition.name not in elsewhere:
                waiting += _classes(package, returned(package, definition))
        elif definition not in found.definitions:
            described = describe(package, definition, frozenset(BOUNDARY))
            found.definitions[definition] = described
            waiting += [*described.references, *_classes(package, described.annotations)]
            statements = Definition(definition.module, STATEMENTS)
            waiting += [statements] if package.has(statements) else []
    return found


def _classes(package: Package, annotations: frozenset[Definition]) -> set[Definition]:
    """Classes that annotations name: of an object of such a class any method may be called."""
    classes: set[Definition] = set()
    waiting, seen = list(annotations), set[Definition]()
    while waiting:
        definition = waiting.pop()
        if definition not in seen:
            seen.add(definition)
            if package.is_class(definition):
                classes.add(definition)
            else:
                waiting += alias_of(package, definition)
    return classes


def digest(found: Reach) -> str:
    """Hash of the definitions: of the text of each, and of what that refers to, and what that does, without names."""
    hashes = {definition: _hash(described.text) for definition, described in found.definitions.items()}
    stops = {definition: _hash(f"stop {name}") for definition, name in found.stops.items()}
    kinds = 0
    while kinds < (kinds := len(set(hashes.values()))):
        known = {**hashes, **stops}
        hashes = {
            definition: _hash(" ".join([known[definition], *(known[target] for target in described.references)]))
            for definition, described in found.definitions.items()
        }
    return _hash(" ".join(sorted({*hashes.values()})))[:12]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
