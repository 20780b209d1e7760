"""The version of the code that a trial of one method runs: a changed loss changes it, a changed README does not.

The code is read, never imported, so that a study is previewed without torch. Comments, docstrings and blank lines are
left out: what is reworded need not be trained again.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1]
METHODS = "methods"

# Strings of Python 3.11, in which an f-string cannot hold its own quotes; and ends of lines with what may precede them.
STRING_OR_END_OF_LINE = re.compile(
    rb"""(?P<string>'''(?:\\.|[^\\])*?'''|\"""(?:\\.|[^\\])*?\"""|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")"""
    rb"""|(?:[ \t\f]*(?:\#[^\n]*)?\n)+""",
    re.DOTALL,
)


class Source(NamedTuple):
    """code: what a file does, without comments, docstrings and blank lines; imports: dotted names it may import."""

    code: bytes
    imports: frozenset[str]


@cache
def code_version(method: str) -> str:
    """Hash (12 hexadecimal digits) of the files of this package that a trial of `method` runs."""
    return version_of(PACKAGE, method)


def version_of(package: Path, method: str) -> str:
    """The same for a package in any folder, read anew at each call."""
    digest = hashlib.sha256()
    for name, source in sorted(import_closure(package, method).items()):
        digest.update(name.encode() + b"\0" + source.code + b"\0")
    return digest.hexdigest()[:12]


def import_closure(package: Path, method: str) -> dict[str, Source]:
    """Files by their path inside the package ("nn/losses.py"): the method's, `trial.py`, and all that they import.

    Other methods' files are left out. An import that is computed when the program runs is not seen; the only one of
    a trial is its method's.
    """
    start = f"{package.name}.trial.run", f"{package.name}.{METHODS}.{method}"
    found: dict[str, Source] = {}
    waiting = [file for name in start for file in _files(package, name)]
    while waiting:
        file = waiting.pop()
        name = file.relative_to(package).as_posix()
        if name not in found and not _another_method(package, file, method):
            found[name] = read_source(file.read_bytes(), _parent(package, file))
            waiting += [file for imported in found[name].imports for file in _files(package, imported)]
    return found


def _files(package: Path, name: str) -> Iterator[Path]:
    """The files that importing `name` runs: the `__init__` of every package on the way, and the module's own.

    A last part that is no module is a name inside one, and adds no file; a module of another package has none here.
    """
    top, *parts = name.split(".")
    if top != package.name:
        return
    folder = package
    candidates = [folder / "__init__.py"]
    for part in parts:
        module, folder = folder / f"{part}.py", folder / part
        candidates.append(folder / "__init__.py" if folder.is_dir() else module)
    yield from (file for file in candidates if file.is_file())


def _another_method(package: Path, file: Path, method: str) -> bool:
    return file.parent == package / METHODS and not file.stem.startswith("_") and file.stem != method


def _parent(package: Path, file: Path) -> str:
    """The dotted name of the package that `file` lies in, which its relative imports start from."""
    return ".".join(file.relative_to(package.parent).parts[:-1])


def read_source(text: bytes, parent: str) -> Source:
    """What matters of a Python file in UTF-8, a module of the package `parent`. The same under every Python."""
    text = text.replace(b"\r\n", b"\n") + b"\n"
    statements = list(_statements(ast.parse(text)))
    starts = [0, *accumulate(len(line) + 1 for line in text.split(b"\n"))]
    kept, position = b"", 0
    for node in statements:
        if _is_bare_string(node):
            assert node.end_lineno is not None, "ast.parse gives every end"
            assert node.end_col_offset is not None, "ast.parse gives every end"
            kept += text[position : starts[node.lineno - 1] + node.col_offset]
            position = starts[node.end_lineno - 1] + node.end_col_offset
    code = STRING_OR_END_OF_LINE.sub(lambda match: match["string"] or b"\n", kept + text[position:])
    return Source(code.lstrip(b"\n"), frozenset(name for node in statements for name in _imported(node, parent)))


def _statements(block: ast.AST) -> Iterator[ast.stmt]:
    """Every statement inside, in the order of the text; none of `if TYPE_CHECKING:`, which never runs."""
    for name in ("body", "cases", "handlers", "orelse", "finalbody"):
        if name == "body" and isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING"):
            continue
        for inner in getattr(block, name, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from _statements(inner)


def _is_bare_string(node: ast.stmt) -> bool:
    """A docstring, or any other string that is a statement of its own."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _imported(node: ast.stmt, parent: str) -> Iterator[str]:
    """Dotted names: of `from a import b` both a and a.b, because b may be a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = resolve_name("." * node.level + (node.module or ""), parent) if node.level else node.module or ""
        yield module
        yield from (f"{module}.{alias.name}" for alias in node.names)
