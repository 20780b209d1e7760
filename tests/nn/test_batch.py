"""Batches: which snippets are valid, and what a method keeps of stored snippets at those that a batch takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tal_search.nn.batch import Batch, by_row, valid_snippets
from tests.support.batches import background_batch

STORED = torch.arange(3 * 2 * 9).view(3, 2, 9)  # [N, C, L]


def batch_of(rows: list[int], snippets: int, position: list[list[int]] | None = None) -> Batch:
    clicks = torch.zeros(len(rows), snippets, dtype=torch.bool)
    batch = background_batch(torch.zeros(len(rows), 4, snippets), torch.ones(len(rows), 2), clicks)
    place = None if position is None else torch.tensor(position)
    return replace(batch, rows=torch.tensor(rows), position=place)


def test_valid_snippets_are_those_before_the_length() -> None:
    batch = batch_of([0, 1], 3)
    assert batch.valid is None
    lengths = torch.tensor([1, 3])
    valid = replace(batch, length=lengths).valid
    assert valid is not None
    assert valid.tolist() == [[True, False, False], [True] * 3] == valid_snippets(lengths, 3).tolist()


def test_kept_values_are_those_of_the_stored_snippets_taken() -> None:
    whole = batch_of([2, 0], 5).kept(STORED)  # the longest of its videos has 5, of all videos 9
    assert torch.equal(whole, STORED[[2, 0]][..., :5])
    taken = batch_of([1, 2], 4, [[3, 4, 5, -1], [0, 2, 2, 8]])
    kept = taken.kept(STORED)
    assert torch.equal(kept[0, :, :3], STORED[1][:, 3:6])
    assert torch.equal(kept[1], STORED[2][:, [0, 2, 2, 8]])
    assert torch.equal(taken.kept(STORED[:, 0]), kept[:, 0]), "of any number of axes"


@pytest.mark.parametrize(
    ("position", "expected"),
    [([3, 4, 5, -1], 1.0), ([0, 2, 4, 6], 7 / 4), ([0, 0, 1, 1], 0.5), ([7, -1, -1, -1], 1.0)],
)
def test_how_many_stored_snippets_one_taken_stands_for(position: list[int], expected: float) -> None:
    assert batch_of([0], 4, [position]).stored_per_snippet.tolist() == [expected]
    assert batch_of([0, 1], 4).stored_per_snippet.tolist() == [1.0, 1.0]


def test_values_of_batches_are_joined_by_row_up_to_the_longest() -> None:
    rows = [torch.tensor([3, 0]), torch.tensor([1])]
    joined = by_row(rows, [STORED[:2, :, :4], STORED[2:]], -1)
    assert joined.shape == (4, 2, 9)
    assert torch.equal(joined[[3, 0], :, :4], STORED[:2, :, :4])
    assert torch.equal(joined[1], STORED[2])
    assert (joined[[3, 0], :, 4:] == -1).all()
    assert (joined[2] == -1).all()
    flags = by_row(rows, [torch.ones(2, 3) > 0, torch.ones(1, 5) > 0], False)
    assert flags.dtype == torch.bool
    assert flags.sum(1).tolist() == [3, 5, 0, 3]
