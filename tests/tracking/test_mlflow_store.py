"""Batches of metrics for MLflow."""

from __future__ import annotations

from tal_search.tracking.mlflow_store import POINTS, packed, points


def test_an_epoch_is_never_split_between_batches() -> None:
    groups = [points({f"loss/{name}": 1.0 for name in range(300)}, epoch, 0) for epoch in range(5)]
    batches = packed(groups)
    assert [point for batch in batches for point in batch] == [point for group in groups for point in group]
    assert all(len(batch) <= POINTS for batch in batches)
    assert [sorted({point.epoch for point in batch}) for batch in batches] == [[0, 1], [2, 3], [4]]


def test_no_values_are_no_batch() -> None:
    assert packed([]) == []
