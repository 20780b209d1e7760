"""Checking and converting a set of the size of BackTAL's release: 410 videos of 2048 channels and 750 snippets.

    python -m benchmarks.bench_data [--videos 410] [--channels 2048] [--snippets 750]

Writes the set into the system's temporary folder (compressed npz, 1.4 GB; 2.5 GB unpacked), then runs `tal-search data
check` and `data convert` on it, each in a process of its own, and prints their seconds and the greatest memory they
held: of the process's own, and with mapped files.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CLASS = "run"


def write_set(root: Path, videos: int, channels: int, snippets: int) -> int:
    """One file's content under every name, for its features need not differ; gives the bytes."""
    generator = np.random.default_rng(0)
    features = np.maximum(generator.standard_normal((channels, snippets), np.float32), 0)  # as I3D's: not negative
    first = root / "first.npz"
    half = channels // 2
    np.savez_compressed(
        first, feat_spa=features[:half], feat_tem=features[half:], cls_label=np.ones(1, np.float32),
        frame_num=6000, fps=30, duration=200.0,
    )  # fmt: skip
    database = {}
    for index in range(videos):
        split = "val" if index < videos * 200 // 410 else "test"
        name = f"video_{split}_{index:07d}"
        (root / split).mkdir(exist_ok=True)
        shutil.copy(first, root / split / f"{name}.npz")
        instance = {"segment": [10.0, 20.0], "label": CLASS}
        database[name] = {"subset": split, "duration": 200.0, "fps": 30, "annotations": [instance]}
    (root / "gt_thumos14.json").write_text(json.dumps({"database": database}))
    size = first.stat().st_size * videos
    first.unlink()
    return size


def run(*arguments: str) -> tuple[float, int, int]:
    """Seconds of the command, and the most bytes it held: anonymous, and in all."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "tal_search", "data", *arguments], stdout=subprocess.DEVNULL)
    anonymous = whole = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text().split("\n")
        except OSError:
            break
        held = {line.split(":")[0]: int(line.split()[1]) << 10 for line in status if line.startswith(("Rss", "VmRSS"))}
        anonymous, whole = max(anonymous, held.get("RssAnon", 0)), max(whole, held.get("VmRSS", 0))
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    if process.wait():
        raise SystemExit(f"data {' '.join(arguments)} failed")
    return seconds, anonymous, whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=410)
    parser.add_argument("--channels", type=int, default=2048)
    parser.add_argument("--snippets", type=int, default=750)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "set", Path(folder) / "out"
        root.mkdir()
        size = write_set(root, options.videos, options.channels, options.snippets)
        unpacked = 4 * options.videos * options.channels * options.snippets
        print(f"{options.videos} videos, {size / 2**30:.2f} GiB, {unpacked / 2**30:.2f} GiB unpacked")
        print("| command | seconds | own memory, MiB | with mapped files, MiB |")
        print("|---|---|---|---|")
        for name, arguments in (
            ("check", ("check", str(root))),
            ("convert (with its check)", ("convert", str(root), f"out={out}", f"snippets={options.snippets}")),
            ("check of the converted", ("check", str(out))),
        ):
            seconds, anonymous, whole = run(*arguments)
            print(f"| {name} | {seconds:.1f} | {anonymous / 2**20:.0f} | {whole / 2**20:.0f} |", flush=True)


if __name__ == "__main__":
    main()
