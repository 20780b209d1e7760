"""A definition's text: what changes it, what does not, and that every Python writes the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tal_search.trial.code_version import PACKAGE, code_version, reach, version_of
from tests.support.code_copies import EVERY, write_package

WAYS = """
import math
import numpy as np
from pack.a import helper, K

class Kind(Exception): ...

def plain(x, y=1, *rest, key: int = 2, other, **more) -> float:
    total = x + y * K
    for row, column in zip(rest, more):
        total += row @ column if row else ~column
    return helper(total, key=key, **more)

def strings(x, w):
    a = f"{x=}" f"{x!r:>{w}}" "tail" "é"
    b = f'{x["a"]} {w:{x}.{w}f} {{}}' + f"plain" + rb"\\d".decode()
    return a, b, 'it"s', 1e-4, 0x10, 1j, ..., None, True, -0.0

async def waits(xs):
    async with xs as (a, *b):
        return [await y async for y in a if (z := y) and z > 1]

def matches(x):
    match x:
        case {"a": [1, *rest], **more} if rest: return more
        case Kind(args=(a, b)) | [a, b]: return a + b
        case None | -1 | "s" as found: return found
        case _: raise Kind(f"no {x}") from None

def lambdas(x):
    return lambda a, b=x, *, c=(lambda: K): (a, b, c, {**x, "k": 1}, {k: v for k, v in x}, x[1:2, ::3])

@np.vectorize
def handled(x):
    global COUNT
    try:
        with open(x) as file, file: COUNT = yield from file
    except (ValueError, Kind) as error:
        del error
    else:
        assert x, "message"
    finally:
        while x: continue
    return math.exp(x) < 1 <= 2 and not x or x is None

class Whole(Kind, metaclass=type):
    field: int = K
    @property
    def value(self): return self.field
    def __init__(self): self.value, [self.other] = 1, [2]

COUNT = 0
A, (B, *C) = 1, (2, 3)
SPECIFICATION = (plain, strings, waits, matches, lambdas, handled, Whole, COUNT, A, B, C)
"""
HELPERS = "K = 3\ndef helper(x, **more): return x\n"


def version(folder: Path, method: str, **files: str) -> str:
    changed = {f"{name}.py": text for name, text in files.items()}
    return version_of(write_package(folder, {"a.py": HELPERS, "methods/m.py": method, **changed}), "m", "simulated")


def pythons() -> list[str]:
    """Every Python from 3.11 on that is found on PATH, or beside this one and its siblings, and starts."""
    base = Path(sys.base_prefix)
    places = [base / "bin", *sorted(base.parent.glob("*/bin"))]
    places += [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep)]
    names = [
        path for place in places for path in place.glob("python3.*") if re.fullmatch(r"python3\.1[1-9]", path.name)
    ]
    found = {path.name: str(path) for path in reversed(names) if starts(path)}
    return [found[name] for name in sorted(found)]


def starts(path: Path) -> bool:
    return subprocess.run([path, "-c", ""], capture_output=True, timeout=60).returncode == 0


def run(python: str, program: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, f"{python}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("python", pythons())
def test_every_python_gives_the_same_versions(python: str, tmp_path: Path) -> None:
    here = [code_version(*key) for key in sorted(EVERY)]
    program = f"import json; from tal_search.trial.code_version import code_version\n" \
              f"print(json.dumps([code_version(*key) for key in {sorted(EVERY)}]))"  # fmt: skip
    assert json.loads(run(python, program)) == here
    ways = version(tmp_path, WAYS)
    program = "from pathlib import Path; from tal_search.trial.code_version import *\n" \
              f"print(version_of(Package(Path({str(tmp_path / 'pack')!r})), 'm', 'simulated'))"  # fmt: skip
    assert run(python, program).strip() == ways


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


@pytest.mark.parametrize(
    "source",
    [
        "from pack.a import helper\nSPECIFICATION = helper",
        "from pack.b import helper\nSPECIFICATION = helper",
        "from pack import b\nSPECIFICATION = b.helper",
        "import pack.b as z\nSPECIFICATION = z.helper",
        "import pack.b\nSPECIFICATION = pack.b.helper",
        "from .. import b\nSPECIFICATION = b.helper",
        "from ..b import helper as h\ndef SPECIFICATION(): return h",
        "def SPECIFICATION():\n    from pack.b import helper\n    return helper",
        "def SPECIFICATION(helper):\n    from ..a import helper as h\n    return h",
        "def SPECIFICATION():\n    import pack.a\n    return [helper for helper in pack.a.helper]",
        "from pack.a import helper\ndef SPECIFICATION(): return helper([helper for helper in 'x'])",
        "from pack.a import helper\nclass SPECIFICATION:\n    helper = 1\n    def f(self): return helper",
        "from pack.a import helper\ndef SPECIFICATION(x=helper): return lambda helper: x",
        "try:\n    from pack.a import helper\nexcept ImportError:\n    helper = None\nSPECIFICATION = helper",
        "if TYPE_CHECKING:\n    from pack.c import Held\ndef SPECIFICATION(x: 'list[Held]'): x.f()",
        "from pack.c import Alias\ndef SPECIFICATION(x: Alias): x.f()",
        "from pack.c import Alias\nclass SPECIFICATION:\n    x: Alias",
        "import pack.a\npack.a.helper(1)\nSPECIFICATION = 1",
    ],
)  # fmt: skip
def test_names_are_followed_in_every_form(source: str, tmp_path: Path) -> None:
    held = "from pack.a import helper\nclass Held:\n    def f(self): helper()\nAlias = list[Held]\n"
    source = source.replace("if TYPE_CHECKING", "from typing import TYPE_CHECKING\nif TYPE_CHECKING")
    files = {"a.py": HELPERS, "b.py": "from .a import helper\n", "c.py": held, "methods/m.py": source + "\n"}
    found = reach(write_package(tmp_path, files), "m", "simulated")
    assert {definition for definition in found.definitions if definition.name == "helper"}
    assert found.problems == []
