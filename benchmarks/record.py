"""Runs the benchmarks and saves their output with machine and versions in benchmarks/results/DATE-MACHINE.md.

    python -m benchmarks.record [--small] [--only NAME ...]

With --only, the other sections of a file from the same day are kept. --small runs each benchmark at its smallest
setting, to check that it works, and saves the file in the system's temporary folder. Without a GPU, benchmarks that
need one are "not measured". The exit code is 1 if a benchmark failed.
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

from benchmarks.machine import cores, machine, processor

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "numpy", "numba", "ray", "optuna", "mlflow")
RELEASE_TRIAL = (
    "--study thumos_single preset=release dataset.source=simulated dataset.simulation.channels=2048 "
    "protocol.evaluate_every=1 resources.precision=bf16 resources.device=cuda resources.gpus_per_trial=1"
)


class Bench(NamedTuple):
    """A module of this package with its arguments, those for --small, and whether it needs a GPU."""

    module: str
    arguments: str = ""
    small: str = ""
    gpu: bool = False


BENCHES = (
    Bench("bench_step", small="--rounds 1"),
    Bench("bench_step", "--device cuda", "--device cuda --rounds 1", gpu=True),
    Bench("bench_optimisation", small="--rounds 1 --videos 1"),
    Bench("bench_optimisation", "--device cuda", "--device cuda --rounds 1", gpu=True),
    Bench("bench_precision", small="--seeds 1 --epochs 1"),
    Bench("bench_precision", "--device cuda", "--device cuda --seeds 1 --epochs 1", gpu=True),
    Bench("bench_evaluator"),
    Bench("bench_localize"),
    Bench("bench_parity"),
    Bench("bench_verdicts", small="--studies 20"),
    Bench("bench_budgets", "--studies 100", small="--studies 2"),
    Bench("bench_data", small="--videos 8 --channels 64 --rows 1000 --train 100"),
    Bench("bench_search", "ray noop second propose reopen", small="inline noop"),
    Bench("bench_scaling", small="--points 2"),
    Bench("bench_dashboard", "10000 100000", small="1000"),
    Bench("ablation", small="full"),
    Bench("bench_study", small="--study quickstart hyperparameters.epochs=2"),
    Bench("bench_study", RELEASE_TRIAL, f"{RELEASE_TRIAL} hyperparameters.epochs=2", gpu=True),
)


def gpu() -> str | None:
    """The GPU's name, or None; asked in another process so that this one uses none of its memory."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip() or None


def heading(gpu_name: str | None, command: str) -> str:
    """The head of the file: machine, load, versions and command."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return "\n".join(
        [
            f"# Benchmarks of {datetime.date.today()}",
            "",
            "| | |",
            "|---|---|",
            f"| processor | {machine()} |",
            f"| memory | {memory:.0f} GiB |",
            f"| GPU | {gpu_name or 'none'} |",
            f"| load before | {os.getloadavg()[0]:.1f} (runnable processes, mean over a minute) |",
            f"| versions | Python {platform.python_version()}, {versions} |",
            f"| command | `{command}` |",
            "",
        ]
    )


def without(table: str, modules: list[str]) -> str:
    """The file's text without the sections of these benchmarks."""
    sections = re.split(r"^(?=## )", table, flags=re.MULTILINE)
    return "".join(section for section in sections if not re.match(rf"## ({'|'.join(modules)})( on a GPU)?\n", section))


def run(module: str, arguments: str, out: Path) -> bool:
    """Run one benchmark, printing its output and appending it to the file; returns whether it succeeded."""
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
    """Append text to the file."""
    with out.open("a") as file:
        file.write(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", nargs="*", choices=sorted({bench.module for bench in BENCHES}))
    args = parser.parse_args()
    name = re.sub(r"[^a-z0-9]+", "-", f"{processor()} {cores()} cores".lower()).strip("-")
    folder = Path(tempfile.gettempdir()) if args.small else RESULTS
    folder.mkdir(exist_ok=True)
    out, gpu_name = folder / f"{datetime.date.today()}-{name}.md", gpu()
    if args.only and out.exists():
        out.write_text(without(out.read_text(), args.only))
    else:
        out.write_text(heading(gpu_name, " ".join(["python -m benchmarks.record", *sys.argv[1:]])))
    failed = []
    for bench in BENCHES:
        if args.only and bench.module not in args.only:
            continue
        arguments = bench.small if args.small else bench.arguments
        title = f"python -m benchmarks.{bench.module} {arguments}".strip()
        add(out, f"\n## {bench.module}{' on a GPU' if bench.gpu else ''}\n\n    {title}\n\n")
        print(f"\n{title}", flush=True)
        if bench.gpu and gpu_name is None:
            add(out, "not measured: this machine has no GPU\n")
            print("not measured: this machine has no GPU")
            continue
        add(out, "```\n")
        if not run(bench.module, arguments, out):
            failed.append(bench.module)
    print(f"\nSaved in {out}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
