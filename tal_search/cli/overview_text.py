"""The overview of a study for a terminal of 80 columns: the answer, a line an axis, and what to run next."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from tal_search.results.overview import Overview

BAR = 24  # signs
NAME = 22


def legend(found: Overview) -> str:
    """What the signs of the bars mean."""
    if found.rows == "marginal":
        return "━ marginal effect, worst to best value, ─ its spread: a model of the search's cells, not a test."
    if math.isnan(found.noise):
        return "━ worst to best value; with one run a setting its noise is not known."
    return (
        "━ worst to best value, ─ 95 % interval corrected for all cells, ░ noise floor: two single runs differ by less "
        f"than {found.noise:.1f} points."
    )


def overview_text(found: Overview) -> Table:
    """A line an axis (or case), the greatest effect first."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from tal_search.results.overview import reach

    beside = "reference" if found.rows == "case" else "centre"
    low, high = reach(found)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for head in ("case" if found.rows == "case" else "axis", _scale(low, high), f"Δ to the {beside}", ""):
        table.add_column(Text(head), no_wrap=True)
    for row in found.ranking.to_dict("records"):
        sure = row["verdict"] not in ("within noise", "needs repeats", "unclear")
        cells = (_name(row), _bar(found, row, low, high), _ends(found, row), _verdict(row))
        table.add_row(*(Text(cell) for cell in cells), style="bold" if sure else "")
    return table


def next_lines(found: Overview) -> list[str]:
    """What would decide the rest, and how long it takes; each command on a line of its own."""
    return [
        line for words, command in found.steps for line in ([f"{words}:", f"  {command}"] if command else [f"{words}."])
    ]


def _name(row: dict[Any, Any]) -> str:
    words = f"{row['symbol']} {row['name']}".strip()
    return words if len(words) <= NAME else f"{words[: NAME - 1]}…"


def _ends(found: Overview, row: dict[Any, Any]) -> str:
    words = f"{row['effect']:+.1f}" if found.rows == "case" else f"{row['lowest']:+.1f} to {row['highest']:+.1f}"
    return words.replace("-", "−")


def _verdict(row: dict[Any, Any]) -> str:
    return f"needs {row['needs']}" if row["needs"] else str(row["verdict"])


def _scale(low: float, high: float) -> str:
    """The ends of the bars' scale, and 0, above their places."""
    ends, zero = (f"{low:+.0f}".replace("-", "−"), f"{high:+.0f}"), _place(0, low, high)
    signs = [*ends[0].ljust(BAR - len(ends[1])), *ends[1]]
    if len(ends[0]) < zero < BAR - len(ends[1]) - 1:
        signs[zero] = "0"
    return "".join(signs)


def _bar(found: Overview, row: dict[Any, Any], low: float, high: float) -> str:
    """Signs from the worst to the best value's difference, over the noise floor and below their intervals."""
    signs = [" "] * BAR

    def draw(sign: str, start: float, end: float) -> None:
        if math.isnan(start) or math.isnan(end):
            return
        for place in range(_place(start, low, high), _place(end, low, high) + 1):
            signs[place] = sign

    if not math.isnan(found.noise):
        draw("░", -found.noise, found.noise)
    for start, end in _intervals(row):
        draw("─", start, end)
    if row["effect"]:
        draw("━", min(0.0, row["lowest"]), max(0.0, row["highest"]))
    signs[_place(0, low, high)] = "│"
    return "".join(signs)


def _intervals(row: dict[Any, Any]) -> Iterator[tuple[float, float]]:
    for end in ("lowest", "highest"):
        yield row[f"{end} low"], row[f"{end} high"]


def _place(value: float, low: float, high: float) -> int:
    share = (max(low, min(high, value)) - low) / ((high - low) or 1.0)
    return min(BAR - 1, int(share * BAR))
