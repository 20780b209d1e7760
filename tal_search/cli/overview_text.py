"""The overview of a study for a terminal of 80 columns: a bar per axis, the legend, and what to run next."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from tal_search.results.overview import Overview

BAR = 24  # columns of a bar
NAME = 22  # columns of a name


def legend(info: Overview) -> str:
    """The meaning of the bars."""
    if info.rows == "marginal":
        return "━ marginal effect, worst to best value, ─ its spread: a model of the search's cells, not a test."
    if math.isnan(info.noise):
        return "━ worst to best value; with one run per setting, the noise is not known."
    return (
        "━ worst to best value, ─ 95 % interval corrected for all cells, ░ noise floor: two single runs differ by less "
        f"than {info.noise:.1f} points."
    )


def overview_text(info: Overview) -> Table:
    """A row per axis (or case), largest effect first."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from tal_search.cli.text_table import legible
    from tal_search.results.overview import reach

    beside = "reference" if info.rows == "case" else "centre"
    low, high = reach(info)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for head in ("case" if info.rows == "case" else "axis", _scale(low, high), f"Δ to the {beside}", ""):
        table.add_column(Text(legible(head)), no_wrap=True)
    for _, row in info.ranking.iterrows():
        sure = row["verdict"] not in ("within noise", "needs repeats", "unclear")
        cells = (_name(row), _bar(info, row, low, high), _ends(info, row), verdict_words(row))
        table.add_row(*(Text(legible(cell)) for cell in cells), style="bold" if sure else "")
    return table


def next_lines(info: Overview) -> list[str]:
    """What to run next: runs that would decide the undecided axes, each command on a separate line."""
    return [
        line for words, command in info.steps for line in ([f"{words}:", f"  {command}"] if command else [f"{words}."])
    ]


def _name(row: pd.Series) -> str:
    words = f"{row['symbol']} {row['name']}".strip()
    return words if len(words) <= NAME else f"{words[: NAME - 1]}…"


def _ends(info: Overview, row: pd.Series) -> str:
    words = f"{row['effect']:+.1f}" if info.rows == "case" else f"{row['lowest']:+.1f} to {row['highest']:+.1f}"
    return words.replace("-", "−")


def verdict_words(row: pd.Series) -> str:
    """The verdict, or what an undecided cell or axis needs."""
    return f"needs {row['needs']}" if row["needs"] else str(row["verdict"])


def _scale(low: float, high: float) -> str:
    """The axis of the bars: both ends and 0."""
    ends, zero = (f"{low:+.0f}".replace("-", "−"), f"{high:+.0f}"), _place(0, low, high)
    signs = [*ends[0].ljust(BAR - len(ends[1])), *ends[1]]
    if len(ends[0]) < zero < BAR - len(ends[1]) - 1:
        signs[zero] = "0"
    return "".join(signs)


def _bar(info: Overview, row: pd.Series, low: float, high: float) -> str:
    """A bar from the worst to the best difference, drawn over their intervals and the noise floor."""
    signs = [" "] * BAR

    def draw(sign: str, start: float, end: float) -> None:
        if math.isnan(start) or math.isnan(end):
            return
        for place in range(_place(start, low, high), _place(end, low, high) + 1):
            signs[place] = sign

    if not math.isnan(info.noise):
        draw("░", -info.noise, info.noise)
    for start, end in _intervals(row):
        draw("─", start, end)
    if row["effect"]:
        draw("━", min(0.0, row["lowest"]), max(0.0, row["highest"]))
    signs[_place(0, low, high)] = "│"
    return "".join(signs)


def _intervals(row: pd.Series) -> Iterator[tuple[float, float]]:
    for end in ("lowest", "highest"):
        yield row[f"{end} low"], row[f"{end} high"]


def _place(value: float, low: float, high: float) -> int:
    share = (max(low, min(high, value)) - low) / ((high - low) or 1.0)
    return min(BAR - 1, int(share * BAR))
