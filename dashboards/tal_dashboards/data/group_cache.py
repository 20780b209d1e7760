"""Cache of scores by class and instance length, which are slow to compute: one file per trial in `RUNS/STUDY/cache/`.

Nothing else reads these files, so they can be deleted at any time. A file that is unreadable, or was computed from
other detections, another ground truth or by another version of the metrics, is replaced.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tal_search.files.atomic import replace_file
from tal_search.files.checked import Damaged, read_sealed, sealed
from tal_search.trial.pooled.joint_folds import code_of_metrics
from tal_search.types import canonical_json

FOLDER = "cache"  # below the folder of a study
MOST_IN_MEMORY = 4000  # trials, of a few kilobytes each
_memory: dict[str, Groups] = {}
_computing = threading.Lock()  # another request waits for the result instead of computing it as well


class Groups(NamedTuple):
    """Percentages by name: AP of each class, mAP_N of each non-empty bucket of instance lengths."""

    classes: dict[str, float]
    lengths: dict[str, float]


def kept(path: Path, of: Mapping[str, object], compute: Callable[[], Groups]) -> Groups:
    """The cached scores if the file was made for the inputs `of`, else those of `compute`, which are then cached.

    Cached only in memory if the folder is not writable or the disk is full.
    """
    text = canonical_json({**of, "code": code_of_metrics()})
    name = f"{path} {text}"
    with _computing:
        groups = _memory.get(name) or _read(path, text)
        if groups is None:
            groups = compute()
            with suppress(OSError):
                content = json.dumps(sealed({"of": text, **groups._asdict()}), allow_nan=False)
                replace_file(path, content.encode())
        if len(_memory) >= MOST_IN_MEMORY:
            _memory.pop(next(iter(_memory)))
        _memory[name] = groups
        return groups


def _read(path: Path, of: str) -> Groups | None:
    try:
        content = read_sealed(path)
        if content["of"] != of:
            return None
        return Groups(*(_numbers(content[name]) for name in Groups._fields))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, Damaged):
        return None


def _numbers(content: Mapping[str, float]) -> dict[str, float]:
    numbers = {str(name): float(value) for name, value in content.items()}
    if not all(map(math.isfinite, numbers.values())):
        raise ValueError("not a finite number")
    return numbers
