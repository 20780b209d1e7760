"""Each file of a finished study damaged in turn: every number shown is the true one, or the file is named.

TAL_FLIPS (8) random bits of random files, and each kind of file truncated, emptied or deleted, are tried one at a
time; TAL_FLIPS=200 tries every kind in every way. A failing case is named by its seed.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tal_search.cli.main import main
from tal_search.trial.final_files import damage_of
from tal_search.trial.folder import TrialFolder
from tests.support.damage import WAYS, scores_shown, tables_shown
from tests.support.small_dashboards import SMALL

FLIPS = int(os.environ.get("TAL_FLIPS", "8"))
EVERYTHING = FLIPS >= 200
STUDY = "thumos_single"
ASKED = [
    f"study={STUDY}", *SMALL, "search.axes={lambda_sep: [0.25], inference.nms: [0.3]}", "search.repeats.seeds=[0]",
    "hyperparameters.epochs=2", "protocol.selection=holdout", "protocol.holdout_fraction=0.5",
]  # fmt: skip
# The kinds of file that are tried in every way.
KINDS = (
    "result.json", "spec.json", "settings.json", "epochs.parquet", "scores.json", "detections.json", "cas.npz",
    "checkpoint.pt", "record.db", "manifest.json",
)  # fmt: skip


class Kept(NamedTuple):
    """A finished study, its tables, and the scores of its trials."""

    runs: Path
    tables: dict[str, str]
    scores: dict[str, dict[str, float]]


def run(runs: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code, and everything that is printed, of `tal-search run`."""
    capsys.readouterr()
    code = main(["run", *ASKED, f"runs={runs}", *arguments])
    return code, " ".join("".join(capsys.readouterr()).split())  # lines are wrapped


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    runs = tmp_path_factory.mktemp("kept") / "runs"
    assert main(["run", *ASKED, f"runs={runs}"]) == 0
    tables_shown(runs, STUDY)  # fills the cache of scores by group
    tables, said = tables_shown(runs, STUDY)
    assert not said
    return Kept(runs, tables, scores_shown(runs, STUDY))


def files_of(runs: Path) -> list[Path]:
    """Every file with content, relative to the folder."""
    return sorted(path.relative_to(runs) for path in runs.rglob("*") if path.is_file() and path.stat().st_size)


def cases() -> list[tuple[str, str, int]]:
    """Way, beginning of the name of the file ("" for any), seed."""
    ways = [way for way in WAYS if way != "flip"]
    chosen = [(way, kind, 0) for place, kind in enumerate(KINDS) for way in (ways if EVERYTHING else [ways[place % 3]])]
    return [*chosen, *(("flip", KINDS[seed % len(KINDS)] if seed % 2 else "", seed) for seed in range(FLIPS))]


@pytest.mark.parametrize(("way", "kind", "seed"), cases())
def test_every_number_shown_is_the_true_one_or_the_file_is_named(
    way: str, kind: str, seed: int, kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str], one_thread: None
) -> None:
    chance = random.Random(seed)
    victim = chance.choice([path for path in files_of(kept.runs) if kind in ("", path.name)])
    runs = Path(shutil.copytree(kept.runs, tmp_path / "runs"))
    WAYS[way](runs / victim, chance)
    name = victim.name

    tables, said = tables_shown(runs, STUDY)
    no_record = name == "record.db" and "no record of a study" in said
    assert tables == kept.tables or name in said or no_record, "the dashboards"
    code, printed = run(runs, capsys, "--preview")
    assert code == 0
    gone = len(TrialFolder((kept.runs / victim).parent).settings()) if (way, name) == ("delete", "settings.json") else 0
    scored_again = gone and f"{gone} to score from kept activations, 0 fits" in printed
    assert "3 trials cached" in printed or name in printed or scored_again, "the preview"
    code, printed = run(runs, capsys)
    if code == 2:
        assert "record.db" in name, printed
        assert name in printed, "the run"
        (runs / STUDY / "record.db").unlink()
        code, printed = run(runs, capsys)
    assert code == 0, printed
    assert scores_shown(runs, STUDY) == kept.scores, "after the run"
    assert not [error for path in (runs / "trials").iterdir() for error in damage_of(path)], "nothing damaged is left"
