"""Ways in which a file is damaged, and what the dashboards show of a study with damaged files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tal_dashboards.data.reader import StudyReader
from tal_dashboards.views import views
from tal_search.errors import InputError

SCORES = ("mAP@", "average", "holdout", "leaky", "detections", "selected_epoch")


def flip(path: Path, chance: random.Random) -> None:
    """Flip one random bit."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def truncate(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(1, max(2, len(content)))])


WAYS: dict[str, Callable[[Path, random.Random], object]] = {
    "flip": flip, "truncate": truncate, "empty": lambda path, _: path.write_bytes(b""),
    "delete": lambda path, _: path.unlink(),
}  # fmt: skip


def tables_shown(runs: Path, study: str) -> tuple[dict[str, str], str]:
    """Every table of every view as CSV, by name, and all sentences that say what is damaged. RUNS is the folder."""
    tables: dict[str, str] = {}
    said: list[str] = []
    try:
        data = StudyReader(runs, study)()
    except InputError as error:
        return {}, str(error)
    for name, view in views().items():
        try:
            drawn = view.info(data, {})
            tables |= {
                f"{name}: {title}": table.to_csv().replace(str(runs), "RUNS")
                for title, table in view.tables(drawn).items()
            }
        except InputError as error:
            said.append(str(error))
    return tables | {"words": data.words}, "\n".join([*said, *data.damage])


def scores_shown(runs: Path, study: str) -> dict[str, dict[str, float]]:
    """Every score in the table of trials, by trial; NaN is left out."""
    table = StudyReader(runs, study)().trials.set_index("id")
    columns = [name for name in table if str(name).startswith(SCORES)]
    rows = table[columns].to_dict("index")
    return {str(key): {str(c): float(v) for c, v in row.items() if v == v} for key, row in rows.items()}
