"""Local names: what functions, classes and comprehensions bind, and what they leave to the module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tal_search.trial.code_version.scopes import Scope, lookup, scope_of, scope_of_comprehension
from tal_search.trial.code_version.sources import Definition, External, Package
from tests.support.code_copies import write_package
from tests.support.code_ways import HELPERS, require_helper_reached

FUNCTION = """
def f(a, b=0, /, *rest, key, **more):
    global counted
    counted = total = a
    from pack.a import helper
    import math as m
    for row, (column, *_) in rest:
        with open(row) as file: (named := column)
    def inner(own): hidden = own
    class Inner: member = 1
    return [x for x in rest if (kept := x)]
"""


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return write_package(tmp_path, {"a.py": HELPERS})


def scope(source: str, package: Package) -> Scope:
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    return scope_of(node, package, "pack")


def test_a_function_binds_parameters_targets_and_imports_but_no_global(package: Package) -> None:
    names = scope(FUNCTION, package).names
    values = {"a", "b", "rest", "key", "more", "total", "row", "column", "_", "file", "named", "kept"}
    assert {name for name, target in names.items() if target is None} == values | {"inner", "Inner"}
    assert {name: target for name, target in names.items() if target is not None} == {
        "helper": Definition("pack.a", "helper"),
        "m": External("math"),
    }


def test_a_comprehension_binds_its_targets_alone() -> None:
    node = ast.parse("{key: (y := value) for key, (value, *rest) in items for z in key if z}", mode="eval").body
    assert isinstance(node, ast.DictComp)
    assert set(scope_of_comprehension(node).names) == {"key", "value", "rest", "z"}


def test_the_innermost_binding_counts_and_names_of_a_class_are_for_its_statements(package: Package) -> None:
    outer = scope("def f(x):\n    from pack.a import helper", package)
    of_class = scope("class C:\n    helper = x = 1", package)
    method = scope("def g(y): pass", package)
    imported = (True, Definition("pack.a", "helper"))
    assert lookup([outer], "helper") == imported
    assert lookup([outer, of_class], "helper") == (True, None)
    assert lookup([outer, of_class, method], "helper") == imported
    assert lookup([of_class, method], "x") == (False, None)
    assert lookup([], "x") == (False, None)


@pytest.mark.parametrize(
    "source",
    [
        "def SPECIFICATION():\n    from pack.b import helper\n    return helper",
        "def SPECIFICATION(helper):\n    from ..a import helper as h\n    return h",
        "def SPECIFICATION():\n    import pack.a\n    return [helper for helper in pack.a.helper]",
        "from pack.a import helper\ndef SPECIFICATION(): return helper([helper for helper in 'x'])",
        "from pack.a import helper\nclass SPECIFICATION:\n    helper = 1\n    def f(self): return helper",
        "from pack.a import helper\ndef SPECIFICATION(x=helper): return lambda helper: x",
    ],
)  # fmt: skip
def test_local_names_hide_only_what_they_bind(source: str, tmp_path: Path) -> None:
    require_helper_reached(source, tmp_path)
