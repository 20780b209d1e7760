"""Copies of the package, changed, and the versions of their code."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tal_search.methods import available
from tal_search.trial.code_version import PACKAGE, version_of
from tal_search.trial.code_version.sources import Package

SOURCES = ("simulated", "features")
DRAWN = ("simulated+clickers", "features+clickers")  # with simulated clicks
EVERY = frozenset((method, source) for method in available() for source in (*SOURCES, *DRAWN))


def copied(folder: Path) -> Path:
    """A copy of the package to change."""
    return Path(shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__")))


def versions(folder: Path) -> dict[tuple[str, str], str]:
    """The version of every method's code, by method and source."""
    package = Package(folder)
    return {(method, source): version_of(package, method, source) for method, source in sorted(EVERY)}


def restored(folder: Path, name: str, old: str, new: str) -> set[tuple[str, str]]:
    """`changed` by one edit, which is undone afterwards."""
    file = file_of(name, folder)
    text = file.read_text()
    edit(folder, name, old, new)
    try:
        return changed(folder)
    finally:
        file.write_text(text)


def changed(folder: Path) -> set[tuple[str, str]]:
    """Methods and sources whose version differs from this package's."""
    return {key for key, version in versions(folder).items() if version != unchanged()[key]}


@cache
def unchanged() -> dict[tuple[str, str], str]:
    return versions(PACKAGE)


def file_of(name: str, folder: Path = PACKAGE) -> Path:
    """The file that defines `name`, which is unique in the package."""
    package = Package(folder)
    return package.files()[package.only(name).module]


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Replace a text once, in the file that defines `name`."""
    file = file_of(name, folder)
    text = file.read_text()
    assert old in text, f"{old} is not in {file}"
    file.write_text(text.replace(old, new, 1))


class _Moved(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.ImportFrom]:
        if node.module == self.old:
            node.module = self.new
        parent, _, stem = self.old.rpartition(".")
        moved = [alias for alias in node.names if node.module == parent and alias.name == stem]
        node.names = [alias for alias in node.names if alias not in moved]
        new_parent, _, new_stem = self.new.rpartition(".")
        names = [ast.alias(new_stem, alias.asname or alias.name) for alias in moved]
        extra = [ast.ImportFrom(new_parent, names, 0)] if names else []
        return [node, *extra] if node.names else extra


def move(folder: Path, names: Mapping[str, str]) -> None:
    """Give the file that defines each name another dotted name, and rewrite every import of it."""
    package = Package(folder)
    moves = [_Moved(package.only(name).module, new) for name, new in names.items()]
    for moved in moves:
        place = folder.parent.joinpath(*moved.new.split(".")).with_suffix(".py")
        place.parent.mkdir(parents=True, exist_ok=True)
        (place.parent / "__init__.py").touch()
        package.files()[moved.old].rename(place)
    for file in folder.rglob("*.py"):
        tree: ast.AST = ast.parse(file.read_text())
        for moved in moves:
            tree = moved.visit(tree)
        file.write_text(ast.unparse(ast.fix_missing_locations(tree)))


def write_package(folder: Path, files: dict[str, str]) -> Package:
    """A package of these files. Its trials run `run_trial`, which its `trial.py` defines unless one is given."""
    trial = "def run_trial(): return 1\n"
    for name, source in {"__init__.py": "", "methods/__init__.py": "", "trial.py": trial, **files}.items():
        file = folder / "pack" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return Package(folder / "pack")
