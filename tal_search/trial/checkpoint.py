"""Training progress of a trial on disk, from which it resumes: written atomically, checked against its SHA-256.

The name of each file `progress-EPOCH.HASH.pt` holds the first 16 digits of its content's SHA-256. The two newest files
are kept: if the newest is damaged, the trial resumes from the one before.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tal_search.files.atomic import write_atomically

NAME = re.compile(r"progress-(\d+)\.([0-9a-f]{16})\.pt")


def save_progress(folder: Path, epoch: int, state: Mapping[str, object]) -> None:
    """Write `state` (tensors, numbers, text, lists and dictionaries of them) as the progress after `epoch`."""
    payload = _dump(state)
    path = folder / f"progress-{epoch}.{_hash(payload)}.pt"
    write_atomically(path, lambda stream: stream.write(payload))
    others = [(number, old) for number, old in _saved(folder) if old != path]
    # A file of a later epoch was damaged; otherwise this epoch would not have been trained again.
    keep = next((old for number, old in others if number < epoch), None)
    for _, old in others:
        if old != keep:
            old.unlink()


def load_progress(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """The newest undamaged state, or None; and a message for each damaged file that was skipped."""
    damaged: list[str] = []
    state, resumed = None, "starts anew"
    for epoch, path in _saved(folder):
        payload = _undamaged(path)
        if payload is not None:
            state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
            resumed = f"continues from epoch {epoch}"
            break
        damaged.append(path.name)
    return state, [f"checkpoint {name} is damaged (its checksum differs); the trial {resumed}" for name in damaged]


def _saved(folder: Path) -> list[tuple[int, Path]]:
    """Epoch and file, newest first."""
    matches = [(NAME.fullmatch(path.name), path) for path in folder.glob("progress-*.pt")]
    return sorted(((int(match[1]), path) for match, path in matches if match), reverse=True)


def _undamaged(path: Path) -> bytes | None:
    try:
        payload = path.read_bytes()
    except OSError:  # a bad sector
        return None
    return payload if path.name.endswith(f".{_hash(payload)}.pt") else None


def _hash(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()[:16]


def clear_progress(folder: Path) -> None:
    """Remove the files that only an unfinished trial needs, and temporary files of killed writers."""
    for path in (*folder.glob("progress-*.pt"), *folder.glob(".*")):
        path.unlink(missing_ok=True)


def save_weights(path: Path, epoch: int, network: dict[str, torch.Tensor]) -> None:
    """A checkpoint in the released code's layout: {"epoch", "state_dict"}."""
    payload = _dump({"epoch": epoch, "state_dict": network})
    write_atomically(path, lambda stream: stream.write(payload))


def _dump(content: Mapping[str, object]) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
