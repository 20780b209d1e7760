"""Reading the detections of all folds from their trials' folders; its numbers: tests/results/folds/test_pooling.py."""

from __future__ import annotations

from pathlib import Path

from tal_search.trial.pooled.joint_folds import code_of_metrics, joint_scores


def test_trials_that_are_not_there_give_no_score_and_write_nothing(tmp_path: Path) -> None:
    assert joint_scores(tmp_path, "study", ("0" * 20, "1" * 20)) is None
    assert not list(tmp_path.iterdir())


def test_the_hash_of_the_metrics_is_twelve_hex_digits() -> None:
    assert len(code_of_metrics()) == 12
    int(code_of_metrics(), 16)
