"""The complexity command: parameters and multiply-adds of every method, as in BackTAL's Table 10."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tal_search.cli.arguments import Grammar, Key, one_of, parse, whole
from tal_search.cli.console import console
from tal_search.data.catalog import definition
from tal_search.methods import available
from tal_search.study.effective_preset import named_preset, preset_names

if TYPE_CHECKING:
    from tal_search.cli.text_table import TextTable

USAGE = """\
tal-search complexity method=NAME|all [snippets=T] [channels=2048] [classes=20]

Parameters, and multiply-adds per video, of a method with its presets for
THUMOS14, counted while the network runs on one random video. T defaults to the
preset's.
"""
SIZE = whole(2, 10**6, "is not a whole number of at least 2")


def _channels(text: str) -> int:
    channels = SIZE(text)
    if channels % 2:
        raise ValueError("is odd; half of the channels are RGB, half are flow")
    return channels


GRAMMAR = Grammar(
    command="complexity",
    keys={
        "method": Key(convert=one_of([*available(), "all"]), required="give a method, or method=all"),
        "snippets": Key(convert=SIZE),
        "channels": Key(convert=_channels, default=2048),
        "classes": Key(convert=SIZE, default=20),
    },
)
DATASET, PRESETS = "thumos14", ("paper", "release", "adapted")
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
    "GMAC: 10⁹ multiply-adds per video, forward pass, every convolution and matrix product. Paper (BackTAL Sec. 4.4, "
    "on its Table 10): percentages of HAM-Net's; the table's figures are not available. They are not comparable: the "
    "profiler used there misses BackTAL's two affinity convolutions, which are functions, not layers, and hold most "
    "of its parameters. Variant release convolves branch by branch, as the equations are written; variant paper "
    "multiplies by the first convolution's weights once for both branches, with the same result. Every preset is "
    "counted at T snippets, also one whose videos have more or fewer."
)


def command(arguments: list[str]) -> int:
    """Count and show; returns the exit code. Raises InputError."""
    sizes = parse(GRAMMAR, arguments).values
    method = sizes.pop("method")
    names = available() if method == "all" else [method]
    from tal_search.cli.text_table import drawn

    size = ", ".join(f"{key} {value}" for key, value in sizes.items() if value is not None)
    screen = console()
    screen.print(drawn(complexity_text(names, **sizes), size, screen.width))
    return 0


def complexity_text(names: list[str], *, snippets: int | None, channels: int, classes: int) -> TextTable:
    """Table 10 for these methods: one row per preset for THUMOS14."""
    from tal_search.cli.text_table import TextTable
    from tal_search.trial.complexity import complexity

    rows, dataset = [], definition(DATASET)
    for name in names:
        for preset in (preset for preset in PRESETS if preset in preset_names(dataset, name)):
            found = named_preset(dataset, name, preset)
            length = snippets or found.snippets or 0
            counted = complexity(name, found.hyperparameters, channels=channels, snippets=length, classes=classes)
            paper = PAPER.get(name, ("not available",) * 2)
            counts = [
                f"{counted.parameters / 1e6:.2f}",
                f"{counted.training / 1e9:.1f}",
                f"{counted.inference / 1e9:.1f}",
            ]
            rows.append([name, preset, str(length), *counts, *paper])
    return TextTable("Complexity (Table 10)", HEADS, rows, ("method", "preset"), (), NOTE)
