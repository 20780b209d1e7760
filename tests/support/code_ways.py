"""A module with many forms of Python, and the version of a method that uses it."""

from __future__ import annotations

from pathlib import Path

from tal_search.trial.code_version import Reach, reach, version_of
from tests.support.code_copies import write_package

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


def reached_through(source: str, folder: Path) -> Reach:
    """What a method of this source reaches, beside modules that give `helper` other names."""
    held = "from pack.a import helper\nclass Held:\n    def f(self): helper()\nAlias = list[Held]\n"
    source = source.replace("if TYPE_CHECKING", "from typing import TYPE_CHECKING\nif TYPE_CHECKING")
    files = {"a.py": HELPERS, "b.py": "from .a import helper\n", "c.py": held, "methods/m.py": source + "\n"}
    return reach(write_package(folder, files), "m", "simulated")


def require_helper_reached(source: str, folder: Path) -> None:
    """A method of this source reaches `helper`, without problems."""
    found = reached_through(source, folder)
    assert any(definition.name == "helper" for definition in found.definitions)
    assert found.problems == []
