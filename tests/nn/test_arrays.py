"""Arrays to tensors without a copy, precisions, and a network evaluated in batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tal_search.nn.arrays import EVALUATION_BATCH, evaluated, full, tensor


def test_a_tensor_shares_the_memory_of_an_array_that_may_be_read_only() -> None:
    array = np.arange(3.0)
    array.flags.writeable = False
    assert tensor(array).data_ptr() == array.ctypes.data


@pytest.mark.parametrize(
    ("given", "expected"),
    [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)],
)
def test_full_precision_is_at_least_float32(given: torch.dtype, expected: torch.dtype) -> None:
    assert full(torch.zeros(1, dtype=given)).dtype == expected


def test_a_network_is_evaluated_on_all_videos_in_its_own_precision_without_dropout() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv1d(3, 2, 1), torch.nn.Dropout(0.9)).double().train()
    features = np.random.default_rng(0).normal(size=(EVALUATION_BATCH + 1, 3, 4)).astype(np.float32)
    outputs, means = evaluated(network, features, lambda batch: (network(batch), network(batch).mean((1, 2))))
    with torch.no_grad():
        expected = network[0](torch.from_numpy(features).double()).numpy()
    assert outputs.dtype == np.float64
    np.testing.assert_allclose(outputs, expected)
    np.testing.assert_allclose(means, expected.mean((1, 2)))
    assert not network.training
