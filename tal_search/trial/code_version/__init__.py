"""Version of the code that computes a trial's numbers: it changes with a loss, but not with an error message.

The code is parsed, never imported, so that a preview does not load torch. The version covers the definitions (top-level
functions, classes and constants of this package) that lead from a trial's entry point to its numbers, in whichever file
they are. `boundary` lists the exceptions; `canonical` describes the text that is hashed.
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
    """Definitions that a trial's numbers depend on. stops: those that are not followed, with their names."""

    definitions: dict[Definition, Described] = field(default_factory=dict)
    stops: dict[Definition, str] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """Places that may lead to code that cannot be followed."""
        return sorted({problem for described in self.definitions.values() for problem in described.problems})


@cache
def code_version(method: str, source: str) -> str:
    """Hash (12 hexadecimal digits) of the code for a trial of `method`; source: `DatasetSpec.code_source`."""
    return version_of(_package(), method, source)


@cache
def _package() -> Package:
    return Package(PACKAGE)


def version_of(package: Package, method: str, source: str) -> str:
    """`code_version` of a package in any folder."""
    return digest(reach(package, method, source))


def reach(package: Package, method: str, source: str) -> Reach:
    """Every definition reached from a trial's entry point or from its method."""
    (module,) = (name for name in package.defining(OF_METHOD[0]) if name.rpartition(".")[2] == method)
    elsewhere = frozenset(
        name for other, names in OF_SOURCE.items() if other not in source.split("+") for name in names
    )
    return follow(package, [package.only(ENTRY), *(Definition(module, name) for name in OF_METHOD)], elsewhere)


def follow(package: Package, roots: list[Definition], elsewhere: frozenset[str] = frozenset()) -> Reach:
    """Definitions reached from the roots. `elsewhere`: names at which to stop, besides those of the boundary."""
    reached, waiting = Reach(), list(roots)
    while waiting:
        definition = waiting.pop()
        if definition.name in BOUNDARY or definition.name in elsewhere:
            reached.stops[definition] = definition.name
            if definition.name in BOUNDARY and definition.name not in elsewhere:
                waiting += _classes(package, returned(package, definition))
        elif definition not in reached.definitions:
            described = describe(package, definition, frozenset(BOUNDARY))
            reached.definitions[definition] = described
            waiting += [*described.references, *_classes(package, described.annotations)]
            statements = Definition(definition.module, STATEMENTS)
            waiting += [statements] if package.has(statements) else []
    return reached


def _classes(package: Package, annotations: frozenset[Definition]) -> set[Definition]:
    """Classes named in annotations: any method of their objects may be called."""
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


def digest(reached: Reach) -> str:
    """Hash of the definitions' texts and of the graph of their references, independent of their names."""
    hashes = {definition: _hash(described.text) for definition, described in reached.definitions.items()}
    stops = {definition: _hash(f"stop {name}") for definition, name in reached.stops.items()}
    kinds = 0
    while kinds < (kinds := len(set(hashes.values()))):
        known = {**hashes, **stops}
        hashes = {
            definition: _hash(" ".join([known[definition], *(known[target] for target in described.references)]))
            for definition, described in reached.definitions.items()
        }
    return _hash(" ".join(sorted({*hashes.values()})))[:12]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
