"""A definition's text: what changes it, what does not, and what cannot be followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.trial.code_version import reach
from tests.support.code_copies import write_package
from tests.support.code_ways import HELPERS, WAYS, version


def test_nothing_of_the_many_ways_is_a_problem(tmp_path: Path) -> None:
    package = write_package(tmp_path, {"a.py": HELPERS, "methods/m.py": WAYS})
    found = reach(package, "m", "simulated")
    assert found.problems == []
    names = {definition.name for definition in found.definitions}
    assert {"plain", "K", "helper", "Kind", "COUNT", "C", "handled"} <= names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("y=1,", "y=2,"), ("*rest, ", "*, "), ("key=key, ", ""), ("~column", "-column"), (" @ ", " * "),
        ("{x=}", "{x}"), ("!r:", "!s:"), (":>{w}", ":<{w}"), ('"tail"', '"tale"'), ("é", "è"), ("1e-4", "1e-5"),
        ("-0.0", "0.0"), ("0x10", "0x11"), ("1j", "2j"), ("await y async for", "await y for"), ("z > 1", "z >= 1"),
        ("[1, *rest]", "[1, *_]"), ("as found", "as x"), ("raise Kind(", "raise ValueError("),
        ("Kind(args=", "Kind(x="),
        ("b=x, *", "b=0, *"), ("lambda: K", "lambda: 3"), ("{**x, ", "{1: x, "), ("x[1:2, ::3]", "x[1:2, 3]"),
        ("@np.vectorize\n", ""), ("@np.vectorize", "@np.matrix"), ("assert x,", "assert not x,"),
        ("math.exp", "math.log"),
        ("< 1 <=", "< 1 <"), ("metaclass=type", ""), ("field: int = K", "field: ClassVar[int] = K"), ("@property", ""),
        ("[self.other] = 1", "[self.another] = 1"), ("A, (B, *C)", "B, (A, *C)"), ("handled, Whole", "Whole, handled"),
        ("import math", "import cmath as math"), ("from pack.a import helper, K", "from pack.b import helper, K"),
        ("except (ValueError, Kind)", "except ValueError"), ("yield from file", "yield file"), ("global COUNT", "pass"),
    ],
)  # fmt: skip
def test_what_computes_otherwise_has_another_version(old: str, new: str, tmp_path: Path) -> None:
    assert old in WAYS
    other = HELPERS.replace("K = 3", "K = 4")
    assert version(tmp_path / "1", WAYS, b=other) != version(tmp_path / "2", WAYS.replace(old, new), b=other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import numpy as np", "import numpy"), ("1e-4", "0.0001"), ("0x10", "16"), ('"tail" "é"', '"tailé"'),
        ('\'it"s\'', '"it\\"s"'), ('f"no {x}"', '"nothing"'), (" from None", ""), (', "message"', ""),
        ("key: int = 2", "key: float = 2"), (" -> float", ""), ("total = x + y * K", "total: int = (x) + (y * K)"),
        ("field: int = K", "field: float = K"), ("def plain(", "def renamed("), ("def value(self): return self.field",
         "def value(self):\n        '''Text.'''\n        return self.field"), ("class Kind(Exception): ...",
         "class Kind(Exception):\n    '''Text.'''"), ("import math", "import math, os"),
        ("from pack.a import helper, K", "import pack.a\nfrom pack import a as z\nhelper, K = 0, 0"),
    ],
)  # fmt: skip
def test_what_is_only_written_otherwise_has_the_same_version(old: str, new: str, tmp_path: Path) -> None:
    assert old in WAYS
    changed = WAYS.replace(old, new)
    if "np" in old:
        changed = changed.replace("np.", "numpy.")
    if "def plain" in old:
        changed = changed.replace("(plain,", "(renamed,")
    if new.startswith("import pack.a"):
        changed = changed.replace("helper, K = 0, 0", "").replace("helper(", "pack.a.helper(").replace("K", "z.K")
        changed = changed.replace("z.Kind", "Kind")
    assert version(tmp_path / "1", WAYS) == version(tmp_path / "2", changed)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("from pack.a import *\nSPECIFICATION = 1", "may bind any name"),
        ("from pack import a\nSPECIFICATION = lambda x: getattr(a, x)", "is used as a value"),
        ("SPECIFICATION = lambda x, y: getattr(x, y)", "has a computed name"),
        ("import importlib as i\nSPECIFICATION = i.import_module('pack.a')", "importlib.import_module leads to code"),
        ("import sys\nSPECIFICATION = sys.modules['pack.a']", "sys.modules leads to code"),
        ("SPECIFICATION = eval('1')", "eval leads to code"),
        ("SPECIFICATION = lambda: globals()", "globals leads to code"),
        ("from pack.a import lost\nSPECIFICATION = lost", "pack.a.lost does not exist"),
        ("SPECIFICATION = unknown", "unknown is not known"),
    ],
)
def test_what_cannot_be_followed_is_said(source: str, said: str, tmp_path: Path) -> None:
    package = write_package(tmp_path, {"a.py": HELPERS, "methods/m.py": source + "\n"})
    assert said in reach(package, "m", "simulated").problems[-1]


def test_a_heartbeat_is_left_out_and_what_else_is_called_so_is_not(tmp_path: Path) -> None:
    beats = "def beat(words, *values): ...\n"
    with_beat = WAYS.replace("import math", "import math\nfrom pack.h import beat").replace(
        "    total = x + y * K\n", "    beat('step %d', x)\n    total = x + y * K\n"
    )
    assert with_beat.count("beat") == 2
    plain = version(tmp_path / "1", WAYS)
    assert version(tmp_path / "2", with_beat, h=beats) == plain
    # Its value counts.
    assert version(tmp_path / "3", with_beat.replace("    beat(", "    x = beat("), h=beats) != plain, (
        "its value counts"
    )
    assert version(tmp_path / "4", with_beat.replace("from pack.h", "from other"), h=beats) != plain
