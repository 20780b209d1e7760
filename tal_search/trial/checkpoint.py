"""Progress of a trial on disk: written atomically, checked against its SHA-256 when read.

A file `progress-EPOCH.HASH.pt` carries the beginning of its content's SHA-256 in its name, so each is complete in
itself. The two newest are kept: where the newest is damaged, the trial continues from the one before.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any

import torch

from tal_search.files.atomic import write_atomically

NAME = re.compile(r"progress-(\d+)\.([0-9a-f]{16})\.pt")


def save_progress(folder: Path, epoch: int, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, text, lists and dictionaries of them) as the progress after `epoch`."""
    payload = _dump(state)
    path = folder / f"progress-{epoch}.{_hash(payload)}.pt"
    write_atomically(path, lambda stream: stream.write(payload))
    before = [(number, old) for number, old in _saved(folder) if old != path]
    # A file of a later epoch was damaged, or this epoch would not have been trained again.
    keep = next((old for number, old in before if number < epoch), None)
    for _, old in before:
        if old != keep:
            old.unlink()


def load_progress(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """The newest undamaged state, None where there is none; and a sentence for every damaged file passed over."""
    damaged: list[str] = []
    state, goes_on = None, "starts anew"
    for epoch, path in _saved(folder):
        payload = _undamaged(path)
        if payload is not None:
            state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
            goes_on = f"continues from epoch {epoch}"
            break
        damaged.append(path.name)
    return state, [f"checkpoint {name} is damaged (its checksum differs); the trial {goes_on}" for name in damaged]


def _saved(folder: Path) -> list[tuple[int, Path]]:
    """Epoch and file, newest first."""
    found = [(NAME.fullmatch(path.name), path) for path in folder.glob("progress-*.pt")]
    return sorted(((int(match[1]), path) for match, path in found if match), reverse=True)


def _undamaged(path: Path) -> bytes | None:
    try:
        payload = path.read_bytes()
    except OSError:  # a bad sector
        return None
    return payload if path.name.endswith(f".{_hash(payload)}.pt") else None


def _hash(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()[:16]


def clear_progress(folder: Path) -> None:
    """Remove what only an unfinished trial needs, and temporary files of killed writers."""
    for path in (*folder.glob("progress-*.pt"), *folder.glob(".*")):
        path.unlink(missing_ok=True)


def save_weights(path: Path, epoch: int, network: dict[str, torch.Tensor]) -> None:
    """A checkpoint in the released code's layout: {"epoch", "state_dict"}."""
    payload = _dump({"epoch": epoch, "state_dict": network})
    write_atomically(path, lambda stream: stream.write(payload))


def _dump(content: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
