"""Writes a definition's syntax tree as text, node by node; see `canonical`."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

from tal_search.trial.code_version.scopes import Comprehension, Scope, lookup, scope_of, scope_of_comprehension
from tal_search.trial.code_version.sources import (
    Definition,
    External,
    Module,
    OwnModule,
    Package,
    Target,
    is_silent,
    is_type_checking,
)

SKIPPED = ("ctx", "kind", "type_comment")
# Hyperparameters and presets are in a trial's key: a field made by HYPER counts by its name, presets not at all.
HYPER, SPECIFICATION, PRESETS = "hyper", "MethodSpecification", ("presets", "generic")
KINDS_OF_FIELD = ("ClassVar", "InitVar", "KW_ONLY")  # annotations that change a dataclass's behaviour
HEARTBEAT = "beat"  # tells that the trial is alive, and changes no number
COMPUTED = ("getattr", "setattr", "delattr")
BUILTINS = frozenset(dir(builtins))
UNSEEN = ("__import__", "compile", "eval", "exec", "globals", "importlib", "locals", "runpy", "sys.modules")


class Writer(ast.NodeVisitor):
    """words: the text so far, with `@` for each of `references`; see `canonical.Described`."""

    def __init__(self, package: Package, module: Module, name: str, without: frozenset[str]) -> None:
        self._package, self._module, self._name, self._without = package, module, name, without
        self._scopes: list[Scope] = []
        self.words: list[str] = []
        self.references: list[Definition] = []
        self.annotations: set[Definition] = set()
        self.problems: list[str] = []

    def generic_visit(self, node: ast.AST) -> None:
        self.words.append(f"({type(node).__name__}")
        for field in node._fields:
            value = getattr(node, field, None)
            if field not in SKIPPED and value is not None and value != []:
                self.words.append(f"{field}=")
                self._value(value)
        self.words.append(")")

    def _value(self, value: object) -> None:
        if isinstance(value, list):
            self.words.append("[")
            for item in value:
                self._value(item)
            self.words.append("]")
        elif isinstance(value, ast.AST):
            self.visit(value)
        else:
            self.words.append(ascii(value))

    def _write(self, kind: str, *values: object) -> None:
        self.words.append(f"({kind}")
        for value in values:
            self._value(value)
        self.words.append(")")

    def result(self, node: ast.stmt) -> None:
        """Add the names in a function's return annotation to `annotations`."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._annotation(node.returns)

    # Names

    def _meaning(self, node: ast.expr) -> Target | None:
        """The definition or module that a dotted name refers to; None for a value known only at run time."""
        if isinstance(node, ast.Attribute):
            return self._package.attribute(self._meaning(node.value), node.attr)
        if not isinstance(node, ast.Name):
            return None
        bound, target = lookup(self._scopes, node.id)
        if bound:
            return target
        if node.id in self._module.definitions or node.id in self._module.imports:
            return self._package.find(self._module.name, node.id)
        if node.id not in BUILTINS and not node.id.startswith("__"):
            self._report(f"{node.id} is not known")
        return None

    def _report(self, problem: str) -> None:
        self.problems.append(f"{self._name}: {problem}")

    def _refer(self, target: Target) -> None:
        if isinstance(target, Definition):
            self.references.append(target)
            self.words.append("@")
            return
        self.words.append(f"<{target.name}>")
        if isinstance(target, OwnModule):
            self._report(f"the module {target.name} is used as a value")
        elif not isinstance(target, External):
            self._report(f"{target.name} does not exist")
        elif any(target.name == name or target.name.startswith(f"{name}.") for name in UNSEEN):
            self._report(f"{target.name} leads to code that cannot be followed")

    def visit_Name(self, node: ast.Name) -> None:
        if not self._scopes and isinstance(node.ctx, ast.Store):  # the definition, or another target of the statement
            self.words.append("self" if node.id == self._name else "other")
            return
        target = self._meaning(node)
        if target is None:
            self.words.append(node.id)
            if node.id in UNSEEN and not lookup(self._scopes, node.id)[0]:
                self._report(f"{node.id} leads to code that cannot be followed")
        else:
            self._refer(target)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        target = self._meaning(node)
        if target is None:
            self._write("Attribute", node.value, node.attr)
        else:
            self._refer(target)

    def visit_Call(self, node: ast.Call) -> None:
        computed = isinstance(node.func, ast.Name) and node.func.id in COMPUTED
        if computed and not isinstance(node.args[1], ast.Constant):
            self._report(f"{ast.unparse(node)} has a computed name")
        if self._is_call_of(node, SPECIFICATION):
            node = ast.Call(node.func, node.args, [word for word in node.keywords if word.arg not in PRESETS])
        self.generic_visit(node)

    # Statements

    def visit_Expr(self, node: ast.Expr) -> None:
        if not is_silent(node) and not self._is_call_of(node.value, HEARTBEAT):
            self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        pass

    def visit_Import(self, node: ast.Import) -> None:
        pass

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if any(alias.name == "*" for alias in node.names):
            self._report(f"from {node.module} import * may bind any name")

    def visit_If(self, node: ast.If) -> None:
        if is_type_checking(node.test):
            self._value(node.orelse)
        else:
            self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._write("Raise", node.exc.func if isinstance(node.exc, ast.Call) else node.exc or [])

    def visit_Assert(self, node: ast.Assert) -> None:
        self._write("Assert", node.test)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._write("Assign", node.targets, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._annotation(node.annotation)
        if self._scopes and self._scopes[-1].of_class:
            kinds = [kind for kind in KINDS_OF_FIELD if kind in ast.unparse(node.annotation)]
            value = [] if node.value is None or self._is_call_of(node.value, HYPER) else [node.value]
            self._write("Field", kinds, node.target, *value)
        elif node.value is not None:
            self._write("Assign", [node.target], node.value)

    def _is_call_of(self, value: ast.expr, name: str) -> bool:
        meaning = self._meaning(value.func) if isinstance(value, ast.Call) else None
        return isinstance(meaning, Definition) and meaning.name == name

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Join neighbouring pieces of text: Python versions split them differently."""
        parts: list[object] = []
        for value in node.values:
            text = value.value if isinstance(value, ast.Constant) else None
            if text is None:
                parts.append(value)
            elif parts and isinstance(parts[-1], str):
                parts[-1] += str(text)
            elif text:
                parts.append(str(text))
        self._write("JoinedStr", parts)

    # Scopes

    def _inside(self, scope: Scope, nodes: Iterable[object]) -> None:
        self._scopes.append(scope)
        self._value([*nodes])
        self._scopes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._annotation(node.returns)
        name = node.name if self._scopes else "self"
        self.words.append("(Function")
        self._value([type(node).__name__, name, node.decorator_list, node.args, getattr(node, "type_params", [])])
        self._inside(scope_of(node, self._package, self._module.parent), node.body)
        self.words.append(")")

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.words.append("(Lambda")
        self.visit(node.args)
        self._inside(scope_of(node, self._package, self._module.parent), [node.body])
        self.words.append(")")

    def visit_arg(self, node: ast.arg) -> None:
        self._annotation(node.annotation)
        self.words.append(node.arg)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        name = node.name if self._scopes else "self"
        self.words.append("(Class")
        self._value([name, node.decorator_list, node.bases, node.keywords, getattr(node, "type_params", [])])
        body = [item for item in node.body if f"{node.name}.{getattr(item, 'name', '')}" not in self._without]
        self._inside(scope_of(node, self._package, self._module.parent), body)
        self.words.append(")")

    def _comprehension(self, node: Comprehension) -> None:
        self.words.append(f"({type(node).__name__}")
        first, *others = node.generators
        self.visit(first.iter)  # evaluated outside the comprehension's scope
        result = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._inside(scope_of_comprehension(node), [*result, first.target, first.ifs, first.is_async, others])
        self.words.append(")")

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _annotation(self, node: ast.AST | None) -> None:
        """Add the definitions that an annotation names, also inside quotes, to `annotations`."""
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Literal"):
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self._annotation(ast.parse(node.value, mode="eval").body)
        elif isinstance(node, ast.Name | ast.Attribute):
            target = self._meaning(node)
            self.annotations |= {target} if isinstance(target, Definition) else set()
        elif node is not None:
            for child in ast.iter_child_nodes(node):
                self._annotation(child)
