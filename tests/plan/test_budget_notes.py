"""Notes on label budgets: the older name, classes without a video, budgets that nothing reads."""

from __future__ import annotations

from pathlib import Path

from tal_search.plan.budget_notes import budget_notes
from tal_search.plan.plan import resolve
from tests.support.study_files import load

DATA = "dataset: {source: simulated, simulation: {train_videos: 24, test_videos: 20, channels: 8}}\n"


def notes(folder: Path, *overrides: str) -> list[str]:
    return budget_notes(resolve(load(folder, DATA, *overrides)))


def test_classes_that_lose_every_video_are_counted_and_named(tmp_path: Path) -> None:
    assert notes(tmp_path) == []
    (note,) = notes(tmp_path, "supervision.videos=0.05")
    assert note.startswith("supervision.videos=0.05 keeps 1 of 24 training videos (draw of A1); ")
    assert "classes have none of them and cannot be learned: " in note


def test_a_budget_that_no_trial_reads_and_the_older_name_are_named(tmp_path: Path) -> None:
    off = "hyperparameters={frame_weight: 0, lambda_sep: 0, beta_aff: 0}"
    (unread,) = notes(tmp_path, off, "supervision.background_clicks=0.5")
    assert "supervision.background_clicks=0.5 has no effect: with these settings no trial reads" in unread
    (older,) = notes(tmp_path, "dataset.clicks_fraction=0.5")
    assert "is the older name of supervision.background_clicks" in older
