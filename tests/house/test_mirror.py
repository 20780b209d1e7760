"""The tests mirror the tree: a reader of a module finds its tests by name, and no test reaches into private parts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.paths import PACKAGES, ROOT

TESTS = ROOT / "tests"
ROOMS = {PACKAGES[0]: TESTS, PACKAGES[1]: TESTS / "dashboards"}
SOURCES = sorted(file for package in PACKAGES for file in package.rglob("*.py") if file.name != "__init__.py")
TEST_FILES = sorted(TESTS.rglob("test_*.py"))
NAMEDTUPLE = {"_fields", "_replace", "_asdict"}  # public, whatever their names
LEAST_STATEMENTS = 12  # in functions; a module with fewer is tested through its callers


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def statements(source: Path) -> int:
    """Statements in the functions of a module that are neither docstrings nor the bodies of protocols."""
    functions = [node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.FunctionDef)]
    inside = {id(node): node for function in functions for body in function.body for node in ast.walk(body)}
    return sum(isinstance(node, ast.stmt) and not isinstance(node, ast.Expr | ast.Pass) for node in inside.values())


def expected(source: Path) -> list[Path]:
    package = next(package for package in PACKAGES if source.is_relative_to(package))
    folder = ROOMS[package] / source.relative_to(package).parent
    return [*folder.glob(f"test_{source.stem}.py"), *folder.glob(f"test_{source.stem}_*.py")]


def test_every_module_with_logic_has_its_test_file() -> None:
    missing = [shown(file) for file in SOURCES if statements(file) >= LEAST_STATEMENTS and not expected(file)]
    assert not missing, "no tests/PACKAGE/test_MODULE.py for: " + ", ".join(missing)


@pytest.mark.parametrize("file", TEST_FILES, ids=shown)
def test_a_test_file_imports_from_no_other_and_touches_nothing_private(file: Path) -> None:
    tree, ours, problems = ast.parse(file.read_text()), set[str](), list[str]()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        names = [alias.name for alias in node.names]
        if node.module.startswith("tests.") and "test_" in f"{node.module}.{'.'.join(names)}".removeprefix("tests."):
            problems.append(f"line {node.lineno} imports from a test file; move the helper to tests/support/")
        if node.module.startswith(("tal_search", "tal_dashboards")):
            ours |= {alias.asname or alias.name for alias in node.names}
            problems += [f"line {node.lineno} imports {name}" for name in names if name.startswith("_")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ours:
            private = node.attr.startswith("_") and not node.attr.startswith("__") and node.attr not in NAMEDTUPLE
            problems += [f"line {node.lineno} touches {node.value.id}.{node.attr}"] * private
    assert not problems, problems
