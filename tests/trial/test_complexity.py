"""Parameters and multiply-adds: counted as an independent sum over layers says, and at full size as known."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from tal_search.cli.main import main
from tal_search.methods import available
from tal_search.methods.backtal import BackTAL, Hyperparameters
from tal_search.trial.complexity import complexity, multiply_adds

D, T, C = 2048, 750, 20


@pytest.mark.parametrize(("variant", "both"), [("release", 41.0), ("paper", 31.6)])
def test_backtal_at_full_size_has_29_million_parameters_and_41_billion_multiply_adds(variant, both):
    """The paper's network convolves each branch by itself (41.0); ours shares the first product (31.6)."""
    with torch.device("meta"):  # shapes alone: nothing is computed
        network = BackTAL(Hyperparameters(variant=variant), D, C).network
        features = torch.empty(1, D, T)
    assert sum(tensor.numel() for tensor in network.parameters()) / 1e6 == pytest.approx(29.45, abs=0.005)
    assert multiply_adds(lambda: network(features)) / 1e9 == pytest.approx(both, abs=0.05)
    assert multiply_adds(lambda: network.suppressed(features)) / 1e9 == pytest.approx(22.1, abs=0.05)


@given(taps=st.sampled_from([1, 3, 5]), hidden=st.integers(2, 9), length=st.integers(8, 30), classes=st.integers(2, 5))
@settings(max_examples=15, deadline=None)
def test_a_networks_count_is_the_sum_over_its_layers(taps, hidden, length, classes):
    settings = {"kernel_size": taps, "hidden_channels": hidden, "embedding_dim": 3, "filter_hidden": 5}
    found = complexity("backtal", settings, channels=6, snippets=length, classes=classes)
    embedding, gate = 3 * 6 * 1 + 3 * 1 * 3, 6 * 5 + 5
    first, second, last = taps * 6 * hidden, taps * hidden * hidden, hidden * (classes + 1)
    assert found.parameters == embedding + gate + first + second + last + (1 + 3 + 5 + 1)
    assert found.inference == length * (embedding + gate + first + second + last)
    assert found.training >= length * (embedding + gate + first + 2 * (second + last))


@pytest.mark.parametrize(
    ("run", "count"),
    [
        (lambda x: nn.Linear(8, 5)(x), 12 * 8 * 5),
        (lambda x: functional.conv1d(x.T[None], torch.randn(6, 4, 3), padding=1, groups=2), 12 * 6 * 4 * 3),
        (lambda x: torch.einsum("td,sd->ts", x, x), 12 * 12 * 8),
        (lambda x: torch.bmm(x[None], x.T[None]), 12 * 12 * 8),
        (lambda x: torch.addmm(torch.zeros(12, 12), x, x.T), 12 * 12 * 8),
        (lambda x: x @ x[0], 12 * 8),
        (lambda x: x[0] @ x[1], 8),
        (lambda x: functional.scaled_dot_product_attention(*(x[None, None],) * 3), 2 * 12 * 12 * 8),
        (lambda x: (x * x).softmax(0).sum(), 0),
    ],
)  # fmt: skip
def test_products_are_counted_by_whatever_function(run, count):
    with torch.no_grad():
        assert multiply_adds(lambda: run(torch.randn(12, 8))) == count


@pytest.mark.parametrize("method", available())
def test_every_method_can_be_counted_and_costs_more_with_more_snippets(method):
    short, long = (complexity(method, {}, channels=16, snippets=length, classes=4) for length in (64, 128))
    assert short.parameters > 0
    assert 0 < short.training < long.training
    assert 0 < short.inference < long.inference


def test_the_command_shows_the_table_and_refuses_what_it_cannot_read(capsys):
    assert main(["complexity", "method=backtal", "channels=16", "snippets=40", "classes=3"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Table 10" in shown
    assert "14.72 %" in shown
    assert "misses" in shown
    assert main(["complexity", "method=bactal", "chanels=16", "snippets=x", "channels=3"]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 4
    assert "did you mean 'backtal'" in error[0]
    assert "did you mean 'channels'" in error[1]
