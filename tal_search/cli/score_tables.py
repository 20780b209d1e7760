"""Tables of scores, comparisons and error profiles for a terminal of 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tal_search.files.atomic import write_atomically, write_json
from tal_search.metrics.comparison import LEVEL, Comparison
from tal_search.metrics.error_profile import ERRORS, ErrorProfile
from tal_search.types import DetectionScores

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table


def scores_table(scores: DetectionScores) -> Table:
    """AP in percent: a row per class and a last row of means, a column per tIoU threshold."""
    unclear = f", {scores.ambiguous} ambiguous" if scores.ambiguous else ""
    title = (
        f"AP in %, {scores.protocol} protocol, subset {scores.subset}\n{scores.video_set},\n"
        f"{scores.instances} instances{unclear}, {scores.detections} detections"
    )
    table = _table(title, ["tIoU", *(f"{threshold:g}" for threshold in scores.tiou), "average"])
    for label, values in scores.per_class.items():
        _add(table, label, _percents((*values, sum(values) / len(values))))
    table.add_section()
    table.add_row("mAP", *_percents((*scores.mAP, scores.average_mAP)), style="bold")
    return table


def folds_table(intervals: pd.DataFrame, method: str) -> Table:
    """mAP of pooled folds in percent with intervals; intervals: as `results.folds.pooling.with_intervals` makes."""
    table = _table(f"mAP in % of pooled folds\n{method}", ["score", "mAP", "from", "to"])
    for name, row in intervals.iterrows():
        _add(table, str(name), [f"{value:.2f}" if math.isfinite(value) else "–" for value in row.tolist()])
    return table


def comparison_table(comparison: Comparison, other: str) -> Table:
    """mAP of both in percent, and the difference with its interval; `other` names the second."""
    title = f"mAP in % compared with {other}\n{LEVEL:.0%} interval of a paired bootstrap over {comparison.drawn}"
    table = _table(title, ["tIoU", "mAP", "other", "difference", "from", "to"])
    columns = (comparison.mAP, comparison.other_mAP, comparison.difference, comparison.low, comparison.high)
    for name, mAP, other_mAP, *rest in zip(comparison.names, *columns, strict=True):
        _add(table, name, [*_percents((mAP, other_mAP)), *(f"{100 * value:+.2f}" for value in rest)])
    return table


def profile_tables(profile: ErrorProfile) -> Iterable[Table]:
    """False positives by kind of error, and missed instances by their characteristics."""
    title = f"Share of false positives in %, best G to {len(profile.top)}G detections of a class, tIoU {profile.tiou:g}"
    table = _table(title, ["", *(f"{row.times}G" for row in profile.top), "gain in mAP"])
    for kind in ERRORS:
        shares = [_percent(row.share(kind)) for row in profile.top]
        _add(table, kind, [*shares, f"{100 * profile.gain[kind]:+.2f}"])
    precision = [_percent(row.precision) for row in profile.top]
    table.add_section()
    _add(table, "precision", [*precision, ""])
    yield table
    title = f"Instances at tIoU {profile.tiou:g}: mAP_N in % ({100 * profile.normalized_mAP:.2f} of all) and missed"
    table = _table(title, ["", "bucket", "instances", "mAP_N", "missed %"])
    for characteristic, buckets in profile.buckets.items():
        for bucket in buckets:
            ends = f"{bucket.low:g} to {bucket.high:g}" if bucket.high < math.inf else f"above {bucket.low:g}"
            cells = [ends, str(bucket.instances), _percent(bucket.normalized_mAP), _percent(bucket.missed_share)]
            _add(table, f"{characteristic} {bucket.name}", cells)
        table.add_section()
    yield table


def write_profile(path: Path, profile: ErrorProfile) -> None:
    """Write the profile as JSON, or as a Parquet table with one number per row."""
    if path.suffix == ".json":
        write_json(path, profile.to_json())
        return
    import pandas

    write_atomically(path, lambda stream: pandas.DataFrame(profile.rows()).to_parquet(stream, index=False))


def _table(title: str, heads: list[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # Nine thresholds must fit 80 columns: the box already puts a space between columns.
    widest = max(len(line) for line in title.splitlines())
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, show_edge=False, padding=0, min_width=widest)
    table.add_column(heads[0])
    for head in heads[1:]:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _add(table: Table, name: str, cells: list[str]) -> None:
    from rich.text import Text

    table.add_row(Text(name), *cells)


def _percents(values: Iterable[float]) -> list[str]:
    return [f"{100 * value:.2f}" for value in values]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
