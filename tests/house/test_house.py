"""The structure of the code: the top level of the package, and the size of folders, files and functions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.paths import PACKAGES, ROOT

MOST_MODULES = 14
FOLDERS = sorted({file.parent for package in PACKAGES for file in package.rglob("*.py")})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_folder_has_few_modules(folder: Path) -> None:
    modules = sorted(file.name for file in folder.glob("*.py"))
    assert len(modules) <= MOST_MODULES, f"{len(modules)} modules; the room is two: {', '.join(modules)}"


def test_every_folder_with_modules_is_a_package() -> None:
    assert [folder for folder in FOLDERS if not (folder / "__init__.py").is_file()] == []


def test_only_what_every_room_needs_stands_at_the_top() -> None:
    found = {file.stem for file in (ROOT / "tal_search").glob("*.py")}
    assert found == {"__init__", "__main__", "run", "errors", "fields", "timeline", "types"}


MOST_LINES, MOST_FUNCTION_LINES = 250, 40
CODE = (*PACKAGES, ROOT / "benchmarks")
FILES = sorted(file for part in (*CODE, ROOT / "tests") for file in part.rglob("*.py"))


def test_files_and_functions_are_short() -> None:
    long = []
    for file in FILES:
        source, name = file.read_text(), file.relative_to(ROOT).as_posix()
        if (lines := source.count("\n")) > MOST_LINES:
            long.append(f"{name} has {lines} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and any(file.is_relative_to(part) for part in CODE):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    long.append(f"{name}: {node.name} has {lines} lines")
    assert not long, "\n".join(long)
