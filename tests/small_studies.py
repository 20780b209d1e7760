"""A small study that really ran, for tests of what reads a finished one."""

from __future__ import annotations

from pathlib import Path

from tal_search.cli import main

NAME = "quickstart"
# A grid of a training axis and an inference axis; the centre's class threshold is not the preset's, so that the study's
# inference settings differ from those that its fits are trained with.
SETTINGS = [
    f"study={NAME}", "backend=inline", "tracking.mlflow=false", "dataset.source=simulated",
    "dataset.snippets=60", "dataset.simulation={train_videos:60,test_videos:20,channels:16}",
    "hyperparameters={epochs:8,learning_rate:1e-2,batch_size:8}", "inference.class_threshold=0.04",
    "protocol={selection:holdout,holdout_fraction:0.5,evaluate_every:4}", "search.plan=grid", "~search.axes",
    "search.axes={lambda_sep:[0.5,1.0,8.0],inference.nms:[0.3,0.55]}",
    "search.repeats={seeds:[0,1],annotators:[A1]}",
]  # fmt: skip


def run_small_study(runs: Path) -> None:
    """Twelve trials from six fits, with held-out videos."""
    assert main(["run", *SETTINGS, f"runs={runs}"]) == 0
