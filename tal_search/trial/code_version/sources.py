"""The package's modules, parsed: the definitions at their top level, and the targets of their names.

Nothing is imported. A module is parsed when a name refers to it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import resolve_name
from pathlib import Path
from typing import NamedTuple

STATEMENTS = "<statements>"  # name for the statements of a module that bind no name


class Definition(NamedTuple):
    """A top-level name of a module of the package."""

    module: str
    name: str


class OwnModule(NamedTuple):
    """A module of the package, by its dotted name."""

    name: str


class External(NamedTuple):
    """A name of another package, dotted."""

    name: str


class Missing(NamedTuple):
    """A name of the package that does not exist."""

    name: str


Target = Definition | OwnModule | External | Missing


@dataclass
class Module:
    """definitions: top-level name → statements that bind it; imports: name → dotted module and name in it."""

    name: str
    parent: str  # the package that relative imports start from
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def collect(self, body: list[ast.stmt]) -> None:
        """Add top-level statements; from `if TYPE_CHECKING:` only the imports, which annotations use."""
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.imports.update(imported(node, self.parent))
                if any(alias.name == "*" for alias in node.names):
                    self._add(STATEMENTS, node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._add(node.name, node)
            elif isinstance(node, ast.If | ast.Try | ast.With):
                self._collect_blocks(node)
            elif not is_silent(node):
                names = list(bound_names(own_nodes([node])))
                for name in names or [STATEMENTS]:
                    self._add(name, node)

    def _collect_blocks(self, node: ast.If | ast.Try | ast.With) -> None:
        if isinstance(node, ast.If) and is_main(node.test):
            return
        if isinstance(node, ast.If) and is_type_checking(node.test):
            self.collect([child for child in node.body if isinstance(child, ast.Import | ast.ImportFrom)])
            self.collect(node.orelse)
            return
        self.collect(node.body)
        if not isinstance(node, ast.With):
            self.collect(node.orelse)
        if isinstance(node, ast.Try):
            self.collect([child for handler in node.handlers for child in handler.body] + node.finalbody)

    def _add(self, name: str, node: ast.stmt) -> None:
        self.definitions.setdefault(name, []).append(node)


class Package:
    """The modules of a package in any folder, each parsed once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """A module by its dotted name; None if the package has no such module."""
        if name not in self._modules:
            file = self._file(name)
            self._modules[name] = None if file is None else self._read(name, file)
        return self._modules[name]

    def _file(self, name: str) -> Path | None:
        """Found without listing all files, which takes longer."""
        top, *parts = name.split(".")
        if top != self.name:
            return None
        base = self.folder.joinpath(*parts)
        return next((file for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file()), None)

    def _read(self, name: str, file: Path) -> Module:
        module = Module(name, name if file.name == "__init__.py" else name.rpartition(".")[0])
        module.collect(ast.parse(file.read_bytes()).body)
        return module

    def files(self) -> dict[str, Path]:
        """Every module's file, by dotted name."""
        files = {}
        for file in sorted(self.folder.rglob("*.py")):
            parts = file.relative_to(self.folder.parent).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
        return files

    @cached_property
    def _texts(self) -> dict[str, bytes]:
        return {name: file.read_bytes() for name, file in self.files().items()}

    def defining(self, name: str) -> list[str]:
        """Names of the modules that define `name` at their top level."""
        beginning = re.compile(rb"^\s*(?:(?:async )?def |class )?(?:\w+, )*%s\b" % name.encode(), re.MULTILINE)
        texts = ((module, text) for module, text in self._texts.items() if name.encode() in text)  # a fast first check
        candidates = [self.module(module) for module, text in texts if beginning.search(text)]
        return [module.name for module in candidates if module and name in module.definitions]

    def only(self, name: str) -> Definition:
        """The only definition of that name in the package."""
        modules = self.defining(name)
        assert len(modules) == 1, f"{name} is defined in {modules}"
        return Definition(modules[0], name)

    def has(self, definition: Definition) -> bool:
        module = self.module(definition.module)
        return module is not None and definition.name in module.definitions

    def is_class(self, definition: Definition) -> bool:
        module = self.module(definition.module)
        assert module is not None, definition
        return any(isinstance(node, ast.ClassDef) for node in module.definitions[definition.name])

    def find(self, module: str, name: str | None) -> Target:
        """The target of an import: a module, or the definition of a name, through re-exports."""
        source = self.module(module)
        if source is None:
            whole = module if name is None else f"{module}.{name}"
            return Missing(whole) if whole.split(".")[0] == self.name else External(whole)
        if name is None:
            return OwnModule(module)
        if name in source.definitions:
            return Definition(module, name)
        if name in source.imports:
            return self.find(*source.imports[name])
        inner = f"{module}.{name}"
        return OwnModule(inner) if self.module(inner) else Missing(inner)

    def attribute(self, target: Target | None, name: str) -> Target | None:
        """The target of `target.name`; None for a value known only at run time."""
        if isinstance(target, OwnModule):
            return self.find(target.name, name)
        return External(f"{target.name}.{name}") if isinstance(target, External) else None


def imported(node: ast.Import | ast.ImportFrom, parent: str) -> dict[str, tuple[str, str | None]]:
    """Names that an import binds, with the dotted module and the name in it (None: the module itself)."""
    if isinstance(node, ast.Import):
        return {
            alias.asname or alias.name.split(".")[0]: (alias.name if alias.asname else alias.name.split(".")[0], None)
            for alias in node.names
        }
    module = resolve_name("." * node.level + (node.module or ""), parent) if node.level else node.module or ""
    return {alias.asname or alias.name: (module, alias.name) for alias in node.names if alias.name != "*"}


def bound_names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names that the nodes themselves bind, without imports and nodes inside them."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest


def own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node inside, in any order, without the bodies of inner functions, classes and comprehensions."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            yield from (inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
            continue
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def is_silent(node: ast.stmt) -> bool:
    """A docstring or another constant as a statement, or `pass`: no effect."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def is_type_checking(test: ast.expr) -> bool:
    """Whether this is the condition of `if TYPE_CHECKING:`."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def is_main(test: ast.expr) -> bool:
    """Whether this is the condition of `if __name__ == "__main__":`."""
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
