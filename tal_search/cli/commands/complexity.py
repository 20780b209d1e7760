"""The complexity command: parameters and multiply-adds of every method, beside what BackTAL's Table 10 says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tal_search.cli.console import console
from tal_search.errors import InputError
from tal_search.methods import available, specification
from tal_search.study.checking import closest, did_you_mean

if TYPE_CHECKING:
    from tal_search.cli.text_table import TextTable

USAGE = """\
tal-search complexity method=NAME|all [snippets=T] [channels=2048] [classes=20]

Parameters and multiply-adds per video of a method, counted while its network runs on one made-up video, with its
presets for THUMOS14; T by default is each preset's.
"""
DEFAULTS: dict[str, int | None] = {"snippets": None, "channels": 2048, "classes": 20}
DATASET, PRESETS = "thumos14", ("paper", "release")
PAPER = {"backtal": ("14.72 %", "14.89 %")}  # of HAM-Net's parameters and FLOPs, BackTAL Sec. 4.4
HEADS = [
    "method",
    "preset",
    "T",
    "parameters M",
    "training GMAC",
    "inference GMAC",
    "paper: parameters",
    "paper: FLOPs",
]
NOTE = (
    "GMAC: 10⁹ multiply-adds of a video, forward, every convolution and matrix product. Paper (BackTAL Sec. 4.4, on "
    "its Table 10): shares of HAM-Net's; the table's own figures are not available. They are not comparable: the "
    "profiler behind them misses BackTAL's two affinity convolutions, which are functions and no layers, and hold most "
    "of its parameters. Variant release convolves branch by branch, as the equations are written; variant paper "
    "multiplies by the first convolution's weights once for both branches, which gives the same numbers."
)


def command(arguments: list[str]) -> int:
    """Count and show; returns the exit code. Raises InputError."""
    names, sizes = _checked(arguments)
    from tal_search.cli.text_table import drawn

    size = ", ".join(f"{key} {value}" for key, value in sizes.items() if value is not None)
    console().print(drawn(complexity_text(names, **sizes), size))
    return 0


def complexity_text(names: list[str], *, snippets: int | None, channels: int, classes: int) -> TextTable:
    """Table 10 for these methods: one row a preset of THUMOS14."""
    from tal_search.cli.text_table import TextTable
    from tal_search.trial.complexity import complexity

    rows = []
    for name in names:
        presets = specification(name).presets[DATASET]
        for preset in (preset for preset in PRESETS if preset in presets):
            length, settings = snippets or presets[preset].snippets, presets[preset].hyperparameters
            found = complexity(name, settings, channels=channels, snippets=length, classes=classes)
            paper = PAPER.get(name, ("not available",) * 2)
            counts = [f"{found.parameters / 1e6:.2f}", f"{found.training / 1e9:.1f}", f"{found.inference / 1e9:.1f}"]
            rows.append([name, preset, str(length), *counts, *paper])
    return TextTable("Complexity (Table 10)", HEADS, rows, ("method", "preset"), (), NOTE)


def _checked(arguments: list[str]) -> tuple[list[str], dict[str, Any]]:
    values = dict(DEFAULTS)
    problems, names = [], list[str]()
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key == "method":
            names = available() if value == "all" else [value]
            if names[0] not in available():
                near = did_you_mean(closest(value, available()))
                problems.append(f"command line: method={value} is none of {', '.join(available())}, all{near}")
        elif key not in DEFAULTS:
            keys = ["method", *DEFAULTS]
            near = did_you_mean(closest(key, keys)) or f"; the keys are {', '.join(keys)}"
            problems.append(f"command line: {argument} is unknown{near}")
        elif not value.isdecimal() or int(value) < 2:
            problems.append(f"command line: {argument} is not a whole number of at least 2")
        elif key == "channels" and int(value) % 2:
            problems.append(f"command line: {argument} is odd; half of the channels are RGB, half are flow")
        else:
            values[key] = int(value)
    if not names:
        problems.append("command line: method= is missing; give a method, or method=all")
    if problems:
        raise InputError(problems)
    return names, values
