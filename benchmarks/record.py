"""Runs the benchmarks and keeps what they print, with machine and versions, in benchmarks/results/DATE-MACHINE.md.

    python -m benchmarks.record [--small] [--only NAME ...]

With --only, the other sections of a table that was begun the same day stay as they are.
--small runs each at its smallest setting, to see that it works, and keeps the table in the system's temporary folder.
Rows that need a GPU say "not measured" where there is none. The exit code is 1 where a benchmark failed.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "numpy", "numba", "ray", "optuna", "mlflow")
RELEASE_TRIAL = (
    "--study thumos_single preset=release dataset.source=simulated dataset.simulation.channels=2048 "
    "protocol.evaluate_every=1 resources.precision=bf16 resources.device=cuda resources.gpus_per_trial=1"
)


class Bench(NamedTuple):
    """A module of this package, its arguments, those of the smallest setting, and whether a GPU is needed."""

    module: str
    arguments: str = ""
    small: str = ""
    gpu: bool = False


BENCHES = (
    Bench("bench_step", small="--rounds 1"),
    Bench("bench_step", "--device cuda", "--device cuda --rounds 1", gpu=True),
    Bench("bench_precision", small="--seeds 1 --epochs 1"),
    Bench("bench_precision", "--device cuda", "--device cuda --seeds 1 --epochs 1", gpu=True),
    Bench("bench_evaluator"),
    Bench("bench_localize"),
    Bench("bench_parity"),
    Bench("bench_verdicts", small="--studies 20"),
    Bench("bench_data", small="--videos 8 --channels 64 --rows 1000 --train 100"),
    Bench("bench_search", "ray noop second propose reopen", small="inline noop"),
    Bench("bench_scaling", small="--points 2"),
    Bench("bench_dashboard", "10000 100000", small="1000"),
    Bench("ablation", small="full"),
    Bench("bench_study", small="--study quickstart hyperparameters.epochs=2"),
    Bench("bench_study", RELEASE_TRIAL, f"{RELEASE_TRIAL} hyperparameters.epochs=2", gpu=True),
)


def processor() -> str:
    """The model's name as the kernel gives it."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return found[1].strip() if found else platform.machine()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu() -> str | None:
    """Its name, asked in another process so that this one holds none of its memory."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip() or None


def heading(found: str | None, command: str) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return "\n".join(
        [
            f"# Benchmarks of {datetime.date.today()}",
            "",
            "| | |",
            "|---|---|",
            f"| processor | {processor()}, {cores()} cores |",
            f"| memory | {memory:.0f} GiB |",
            f"| GPU | {found or 'none'} |",
            f"| load before | {os.getloadavg()[0]:.1f} (processes that wanted to run, mean of a minute) |",
            f"| versions | Python {platform.python_version()}, {versions} |",
            f"| command | `{command}` |",
            "",
        ]
    )


def without(table: str, modules: list[str]) -> str:
    """The table without the sections of these benchmarks."""
    sections = re.split(r"^(?=## )", table, flags=re.MULTILINE)
    return "".join(section for section in sections if not re.match(rf"## ({'|'.join(modules)})( on a GPU)?\n", section))


def run(module: str, arguments: str, out: Path) -> bool:
    """Runs one benchmark, its output shown and added to the file as it comes; whether it worked."""
    command = [sys.executable, "-u", "-m", f"benchmarks.{module}", *arguments.split()]
    began = time.monotonic()
    with (
        out.open("a") as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            file.write(line)
    add(out, f"```\n\n{time.monotonic() - began:.0f} s, exit code {process.returncode}\n")
    return process.returncode == 0


def add(out: Path, text: str) -> None:
    with out.open("a") as file:
        file.write(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", nargs="*", choices=sorted({bench.module for bench in BENCHES}))
    args = parser.parse_args()
    machine = re.sub(r"[^a-z0-9]+", "-", f"{processor()} {cores()} cores".lower()).strip("-")
    folder = Path(tempfile.gettempdir()) if args.small else RESULTS
    folder.mkdir(exist_ok=True)
    out, found = folder / f"{datetime.date.today()}-{machine}.md", gpu()
    if args.only and out.exists():
        out.write_text(without(out.read_text(), args.only))
    else:
        out.write_text(heading(found, " ".join(["python -m benchmarks.record", *sys.argv[1:]])))
    failed = []
    for bench in BENCHES:
        if args.only and bench.module not in args.only:
            continue
        arguments = bench.small if args.small else bench.arguments
        title = f"python -m benchmarks.{bench.module} {arguments}".strip()
        add(out, f"\n## {bench.module}{' on a GPU' if bench.gpu else ''}\n\n    {title}\n\n")
        print(f"\n{title}", flush=True)
        if bench.gpu and found is None:
            add(out, "not measured: this machine has no GPU\n")
            print("not measured: this machine has no GPU")
            continue
        add(out, "```\n")
        if not run(bench.module, arguments, out):
            failed.append(bench.module)
    print(f"\nKept in {out}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
