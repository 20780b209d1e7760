"""Time and peak memory of commands on large data sets.

    python -m benchmarks.bench_data [--videos 410] [--channels 2048] [--snippets 750] [--rows 100000] [--train 500 4819]

Each command runs in a new process, on data sets written into the system's temporary folder:
- `data check` and `data convert` of a set as large as BackTAL's release: 1.4 GB of compressed npz, 2.5 GB unpacked;
- `data check` of --rows instances and as many clicks, with tiny features;
- one trial of one epoch, for each number of --train videos like ActivityNet's (100 classes, half as many test videos,
  T = 100) with 128 channels; the difference between them shows how memory grows with the set.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import machine

CLASS = "run"
TIMING = ("stride=16", "offset=8", "fps=25")
ONE_TRIAL = ("~search.axes", "hyperparameters.epochs=1", "resources.backend=inline")


def write_set(root: Path, videos: int, channels: int, snippets: int) -> int:
    """Write one file's content under every name, as the features need not differ; returns the size in bytes."""
    generator = np.random.default_rng(0)
    features = np.maximum(generator.standard_normal((channels, snippets), np.float32), 0)  # not negative, like I3D's
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


def write_linked(root: Path, train: int, test: int, rows: int, classes: int, channels: int) -> None:
    """Write videos in ActionFormer's layout, all hard links to one npy file, with `rows` training instances and clicks.

    Every video has 128 s and 200 snippets; each test video has one instance.
    """
    root.mkdir()
    generator = np.random.default_rng(0)
    np.save(root / "first.npy", np.maximum(generator.standard_normal((200, channels), np.float32), 0))
    database, clicks = {}, ["URLID,Start"]
    for subset, count in (("training", train), ("validation", test)):
        each = rows // train if subset == "training" else 1
        for index in range(count):
            name, label = f"{subset}_{index:05d}", f"class {index % classes:03d}"
            os.link(root / "first.npy", root / f"{name}.npy")
            starts = [round(128 / each * number, 3) for number in range(each)]
            instances = [{"segment": [start, start + 60 / each], "label": label} for start in starts]
            database[name] = {"subset": subset, "duration": 128.0, "fps": 25, "annotations": instances}
            if subset == "training":
                clicks += [f"{name},{start + 90 / each:.3f}" for start in starts]
    (root / "first.npy").unlink()
    (root / "gt_activitynet12.json").write_text(json.dumps({"database": database}))
    (root / "clicks_background_A1.txt").write_text("\n".join(clicks))


def run(*arguments: str) -> tuple[float, int, int]:
    """Run a module; returns its seconds and its peak memory in bytes, anonymous and in all."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL)
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
        raise SystemExit(f"{' '.join(arguments)} failed")
    return seconds, anonymous, whole


def measure(name: str, *arguments: str) -> None:
    """Run a command and print its row."""
    seconds, anonymous, whole = run(*arguments)
    print(f"| {name} | {seconds:.1f} | {anonymous / 2**20:.0f} | {whole / 2**20:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=410)
    parser.add_argument("--channels", type=int, default=2048)
    parser.add_argument("--snippets", type=int, default=750)
    parser.add_argument("--rows", type=int, default=100_000, help="instances, and clicks")
    parser.add_argument("--train", type=int, nargs="*", default=[500, 4819], help="training videos")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "set", Path(folder) / "out"
        root.mkdir()
        size = write_set(root, options.videos, options.channels, options.snippets)
        unpacked = 4 * options.videos * options.channels * options.snippets
        print(machine())
        print(f"{options.videos} videos, {size / 2**30:.2f} GiB, {unpacked / 2**30:.2f} GiB unpacked")
        print("| command | seconds | own memory, MiB | with mapped files, MiB |")
        print("|---|---|---|---|")
        data = ("tal_search", "data")
        measure("check", *data, "check", str(root))
        measure("convert (with its check)", *data, "convert", str(root), f"out={out}", f"snippets={options.snippets}")
        measure("check of the converted", *data, "check", str(out))
        linked = Path(folder) / "rows"
        write_linked(linked, max(1, options.rows // 50), 1, options.rows, 1, 4)
        measure(
            f"check of {options.rows} instances and clicks", *data, "check", str(linked), *TIMING, "name=activitynet12"
        )
        for videos in options.train:
            linked, runs = Path(folder) / f"train_{videos}", Path(folder) / f"runs_{videos}"
            write_linked(linked, videos, videos // 2, 2 * videos, 100, 128)
            settings = (f"dataset.root={linked}", *(f"dataset.{given}" for given in TIMING), f"runs={runs}", *ONE_TRIAL)
            measure(f"one epoch on {videos} videos", "tal_search.run", "study=anet_grid", *settings)


if __name__ == "__main__":
    main()
