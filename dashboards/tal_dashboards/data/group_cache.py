"""Scores by class and length that are slow to compute, kept as one small file a trial in `RUNS/STUDY/cache/`.

Nothing else reads these files: they may be removed at any time. A file that cannot be read, or that is of other
detections, another ground truth or another version of the metrics, is computed again and replaced.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tal_search import localization, metrics
from tal_search.files.atomic import replace_file
from tal_search.types import canonical_json

FOLDER = "cache"  # below the folder of a study
MOST_IN_MEMORY = 4000  # trials; a few kilobytes each
_memory: dict[str, Groups] = {}
_computing = threading.Lock()  # a second reader waits for what is computed, instead of computing it too


class Groups(NamedTuple):
    """Percent by name: AP of each class, mAP_N of each bucket of lengths that has an instance."""

    classes: dict[str, float]
    lengths: dict[str, float]


def kept(path: Path, of: dict[str, Any], compute: Callable[[], Groups]) -> Groups:
    """The content of a file where it is of what `of` says, else what `compute` gives, which is kept in its place.

    In a folder that cannot be written, or on a full disk, it is kept in memory alone.
    """
    text = canonical_json({**of, "code": code_of_metrics()})
    name = f"{path} {text}"
    with _computing:
        found = _memory.get(name) or _read(path, text)
        if found is None:
            found = compute()
            with suppress(OSError):
                content = json.dumps({"of": text, **found._asdict()}, allow_nan=False)
                replace_file(path, content.encode())
        if len(_memory) >= MOST_IN_MEMORY:
            _memory.pop(next(iter(_memory)))
        _memory[name] = found
        return found


@cache
def code_of_metrics() -> str:
    """A hash of the modules that lead from kept activations or detections to these scores."""
    digest = hashlib.sha256()
    for package in (localization, metrics):
        for folder in package.__path__:
            for file in sorted(Path(folder).glob("*.py")):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _read(path: Path, of: str) -> Groups | None:
    try:
        content = json.loads(path.read_bytes())
        if content["of"] != of:
            return None
        return Groups(*(_numbers(content[name]) for name in Groups._fields))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _numbers(content: Any) -> dict[str, float]:
    found = {str(name): float(value) for name, value in content.items()}
    if not all(math.isfinite(value) for value in found.values()):
        raise ValueError("not a number")
    return found
