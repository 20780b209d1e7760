"""The machine that a benchmark runs on: each prints `machine()` first, so that its numbers name their processor."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def processor() -> str:
    """The model name from the kernel, else the architecture."""
    info = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return match[1].strip() if match else platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(device: str = "cpu") -> str:
    """Processor and cores, and the GPU for the device "cuda"."""
    words = f"{processor()}, {cores()} core{'' if cores() == 1 else 's'}"
    if device != "cuda":
        return words
    import torch

    return f"{words}; {torch.cuda.get_device_name()}"
