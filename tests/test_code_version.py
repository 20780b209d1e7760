"""The code version: changed by what a trial runs, and by nothing else."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from waiting import DEADLINE

from tal_search.code_version import PACKAGE, code_version, import_closure, read_source, version_of

FILES = sorted(PACKAGE.rglob("*.py"))
WRITTEN = '''\
"""What it is."""

import os  # for its name


def f(a: str, b: bytes = b"#1") -> str:
    """Say # what 'it' does.

    At length.
    """

    # Why: don't ask.
    "a string that is no docstring, and does nothing"
    text = """kept:

    # no comment \x20
    """ + a   # a "comment"
    return text + '#' + "it's" + r'\\\\' + f"{a!r}#" + \\
        "ü"  # ünd
'''  # fmt: skip
REWORDED = b"""\
import os
def f(a: str, b: bytes = b"#1") -> str:
    text = \"\"\"kept:

    # no comment \x20
    \"\"\" + a
    return text + '#' + "it's" + r'\\\\' + f"{a!r}#" + \\
        "\xc3\xbc"
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(PACKAGE, tmp_path / "tal_search", ignore=shutil.ignore_patterns("__pycache__")))


def closure_of(package: Path, files: dict[str, str]) -> set[str]:
    """The closure of method `m` in a package of these files."""
    for name, source in {"trial.py": "", "methods/m.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return set(import_closure(package, "m"))


def test_code_without_comments_docstrings_and_blank_lines() -> None:
    assert read_source(WRITTEN.encode(), "tal_search").code == REWORDED
    assert read_source(REWORDED, "tal_search").code == REWORDED
    assert read_source(WRITTEN.replace("\n", "\r\n").encode(), "tal_search").code == REWORDED
    assert read_source(WRITTEN.rstrip().encode(), "tal_search").code == REWORDED
    changed = WRITTEN.replace("kept:\n\n", "kept:\n")
    assert read_source(changed.encode(), "tal_search").code != REWORDED


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_python_reads_the_same_tokens_in_what_is_kept(file: Path) -> None:
    """Python's own tokenizer as the reference: it agrees on what is a string and what a comment."""
    text = file.read_bytes()
    kept = tokens(read_source(text, "tal_search").code)
    everything = tokens(text)
    left_out = [token for token in everything if token[0] == tokenize.COMMENT]
    assert kept == [token for token in without_bare_strings(everything) if token not in left_out]


def tokens(text: bytes) -> list[tuple[int, str]]:
    skipped = (tokenize.NL, tokenize.ENCODING, tokenize.INDENT, tokenize.DEDENT)
    found = [(token.type, token.string) for token in tokenize.tokenize(io.BytesIO(text).readline)]
    return [token for token in found if token[0] not in skipped]


def without_bare_strings(found: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Logical lines of nothing but strings (and comments) are gone."""
    lines: list[list[tuple[int, str]]] = [[]]
    for token in found:
        lines[-1].append(token)
        if token[0] == tokenize.NEWLINE:
            lines.append([])
    silent = {tokenize.STRING, tokenize.NEWLINE, tokenize.COMMENT}
    return [token for line in lines if not {kind for kind, _ in line} <= silent for token in line]


@pytest.mark.parametrize("name", ["nn/losses.py", "trial.py", "methods/backtal.py", "metrics/average_precision.py"])
def test_code_that_a_trial_runs_changes_it(name: str, package: Path) -> None:
    before = version_of(package, "backtal")
    with (package / name).open("a") as file:
        file.write("\n\n# A reworded comment.\n")
    assert version_of(package, "backtal") == before
    with (package / name).open("a") as file:
        file.write("CHANGED = 1\n")
    assert version_of(package, "backtal") != before


@pytest.mark.parametrize(
    "name", ["cli.py", "search/driver.py", "tracking/mlflow_tracker.py", "study/loading.py", "methods/another.py"]
)
def test_other_code_does_not(name: str, package: Path) -> None:
    with (package / name).open("a") as file:
        file.write("\nCHANGED = 1\n")
    assert version_of(package, "backtal") == code_version("backtal")


def test_it_is_short_and_the_same_in_another_folder(package: Path) -> None:
    assert version_of(package, "backtal") == code_version("backtal")
    assert len(code_version("backtal")) == 12
    assert set(code_version("backtal")) <= set("0123456789abcdef")


def test_a_moved_file_changes_it(package: Path) -> None:
    """The code is the same to the letter, its name is not."""
    before = version_of(package, "backtal")
    (package / "nn" / "losses.py").rename(package / "nn" / "losses2.py")
    method = package / "methods" / "backtal.py"
    method.write_text(method.read_text().replace("import losses", "import losses2 as losses"))
    assert "nn/losses2.py" in import_closure(package, "backtal")
    assert version_of(package, "backtal") != before


def test_a_trial_runs_no_search_and_no_tracking() -> None:
    closure = import_closure(PACKAGE, "backtal")
    assert {"trial.py", "methods/backtal.py", "nn/losses.py", "training/loop.py", "__init__.py"} <= closure.keys()
    assert not [name for name in closure if name.startswith(("search/", "study/", "tracking/", "cli", "evaluate"))]


def test_imports_in_every_form_are_followed(tmp_path: Path) -> None:
    method = """
import os.path, pack.a
from pack import b
from pack.c import name
from pack.d import *
from .other import nothing
from .._helpers import help
if TYPE_CHECKING:
    from pack import unseen
else:
    import pack.seen
def f():
    match 1:
        case 1:
            try:
                from pack.deep.inside import x
            except ImportError:
                import pack.fallback
async def g():
    class Inner:
        with open("x"):
            import pack.inner
"""
    names = {"a.py", "b.py", "c.py", "d.py", "seen.py", "fallback.py", "inner.py", "_helpers.py"}
    names |= {"__init__.py", "deep/__init__.py", "deep/inside.py"}
    unseen = {"unseen.py": "", "methods/other.py": "import pack.unseen"}
    found = closure_of(tmp_path / "pack", {"methods/m.py": method, **unseen, **dict.fromkeys(names, "")})
    assert found == names | {"trial.py", "methods/m.py"}


def test_files_that_import_one_another_and_helpers_of_methods(tmp_path: Path) -> None:
    files = {
        "trial.py": "from pack import a",
        "a.py": "from pack import b",
        "b.py": "import pack.a, pack.methods._shared",
        "methods/__init__.py": "",
        "methods/_shared.py": "",
        "methods/n.py": "",
    }
    assert closure_of(tmp_path / "pack", files) == {*files, "methods/m.py"} - {"methods/n.py"}


def test_nothing_is_imported_to_read_it() -> None:
    code = "import sys, tal_search.code_version as c; c.code_version('backtal'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=True)
    loaded = done.stdout.split()
    assert "tal_search.code_version" in loaded
    assert not {"torch", "numpy", "tal_search.trial", "tal_search.methods", "tal_search.types"} & set(loaded)
