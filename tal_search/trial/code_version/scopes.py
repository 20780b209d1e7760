"""Local names of functions, class bodies and comprehensions."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from tal_search.trial.code_version.sources import Package, Target, bound_names, imported, own_nodes

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass
class Scope:
    """names: bound in this scope, with the target of an import, or None for a value known only at run time.

    The names of a class are visible to its own statements, not to its methods.
    """

    names: dict[str, Target | None] = field(default_factory=dict)
    of_class: bool = False


def scope_of(node: FunctionNode | ast.ClassDef, package: Package, parent: str) -> Scope:
    """Names that a function or class binds. parent: the package that relative imports start from."""
    inside = list(own_nodes([node.body] if isinstance(node, ast.Lambda) else node.body))
    names: dict[str, Target | None] = dict.fromkeys(bound_names(inside))
    if not isinstance(node, ast.ClassDef):
        names |= dict.fromkeys(argument.arg for argument in arguments(node.args))
    for inner in inside:
        if isinstance(inner, ast.Import | ast.ImportFrom):
            names |= {name: package.find(*origin) for name, origin in imported(inner, parent).items()}
    for name in (name for inner in inside if isinstance(inner, ast.Global | ast.Nonlocal) for name in inner.names):
        names.pop(name, None)
    return Scope(names, isinstance(node, ast.ClassDef))


def scope_of_comprehension(node: Comprehension) -> Scope:
    targets = (inner for generator in node.generators for inner in ast.walk(generator.target))
    return Scope({name.id: None for name in targets if isinstance(name, ast.Name)})


def arguments(args: ast.arguments) -> list[ast.arg]:
    every = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
    return [argument for argument in every if argument is not None]


def lookup(scopes: list[Scope], name: str) -> tuple[bool, Target | None]:
    """Whether a name is bound in one of the scopes (innermost last), and the target it is imported from."""
    for scope in reversed(scopes):
        if name in scope.names and (not scope.of_class or scope is scopes[-1]):
            return True, scope.names[name]
    return False, None
