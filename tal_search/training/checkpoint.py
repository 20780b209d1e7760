"""Progress of a trial on disk: written atomically, checked against its SHA-256 when read.

`progress.json` names the newest `progress-EPOCH.pt` and its hash; it is replaced only once that file is on disk, so a
crash at any moment leaves one complete pair.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import torch

from tal_search.trial_folder import write_atomically, write_json


def save_progress(folder: Path, epoch: int, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, text, lists and dictionaries of them) as the progress after `epoch`."""
    payload = _dump(state)
    path = folder / f"progress-{epoch}.pt"
    write_atomically(path, lambda stream: stream.write(payload))
    write_json(folder / "progress.json", {"file": path.name, "sha256": hashlib.sha256(payload).hexdigest()})
    for old in folder.glob("progress-*.pt"):
        if old != path:
            old.unlink()


def load_progress(folder: Path) -> dict[str, Any] | None:
    """The newest saved state, or None where there is none or its hash does not match (the trial then starts anew)."""
    try:
        pointer = json.loads((folder / "progress.json").read_text())
        payload = (folder / Path(pointer["file"]).name).read_bytes()
    except (OSError, ValueError):
        return None
    if hashlib.sha256(payload).hexdigest() != pointer["sha256"]:
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return state


def clear_progress(folder: Path) -> None:
    """Remove what only an unfinished trial needs, and temporary files of killed writers."""
    for path in (folder / "progress.json", *folder.glob("progress-*.pt"), *folder.glob(".*")):
        path.unlink(missing_ok=True)


def save_weights(path: Path, epoch: int, network: dict[str, torch.Tensor]) -> None:
    """A checkpoint in the released code's layout: {"epoch", "state_dict"}."""
    payload = _dump({"epoch": epoch, "state_dict": network})
    write_atomically(path, lambda stream: stream.write(payload))


def _dump(content: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
