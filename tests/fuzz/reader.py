"""A fuzzed reader of foreign files, and the videos that its first inputs name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

VIDEOS = ("video_val_0000", "video_val_0001")


class Reader(NamedTuple):
    """seeds: first inputs; read: raises InputError or returns; words: tokens for the mutations."""

    seeds: Callable[[Path], list[bytes]]
    read: Callable[[Path, bytes], None]
    words: tuple[str, ...] = ()
