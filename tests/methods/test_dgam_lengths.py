"""DGAM on videos of several lengths: noise, and what means over snippets are over."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tal_search.methods.dgam import DGAM, Hyperparameters
from tests.support.batches import background_batch

pytestmark = pytest.mark.usefixtures("one_thread")

CHANNELS, CLASSES, SNIPPETS = 8, 4, 15
LABELS = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
STREAMS = ("rgb", "flow")
TERMS = {"cvae": ("vae", "kl"), "attention": ("fg", "bg", "re", "guide")}


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_method() -> DGAM:
    torch.manual_seed(0)
    method = DGAM(Hyperparameters(attention_hidden=5, latent=6), CHANNELS, CLASSES)
    method.network.double()
    return method


@pytest.mark.parametrize("phase", ["cvae", "attention"])
def test_padding_does_not_change_the_noise_of_snippets(phase: str) -> None:
    """In training mode, of two videos of different lengths and of one without any padding."""
    method = make_method()
    method.network.train()
    features, labels = draw(5, 2, CHANNELS, SNIPPETS), LABELS
    features[1, :, 9:] = 0

    def losses(seed: int, more: int, rows: slice, lengths: list[int] | None) -> dict[str, float]:
        padded = torch.nn.functional.pad(features[rows], (0, more))
        batch = background_batch(padded, labels[rows], torch.zeros(len(padded), SNIPPETS + more, dtype=torch.bool))
        torch.manual_seed(seed)
        found = method.losses(replace(batch, length=None if lengths is None else torch.tensor(lengths)), phase)
        return {name: float(loss.detach()) for name, loss in found.items()}

    for rows, lengths, without in ((slice(2), [SNIPPETS, 9], [SNIPPETS, 9]), (slice(1), [SNIPPETS], None)):
        expected = losses(1, 0, rows, without)
        assert losses(1, 6, rows, lengths) == pytest.approx(expected, rel=1e-12)
        assert losses(2, 0, rows, without)["total"] != pytest.approx(expected["total"], rel=1e-6), "there is noise"


@pytest.mark.parametrize("phase", ["cvae", "attention"])
def test_each_snippet_of_a_batch_weighs_the_same_in_means_over_snippets(phase: str) -> None:
    method, longest = make_method(), SNIPPETS + 10
    method.network.eval()
    lengths = (SNIPPETS, longest)
    rows = [draw(seed, 1, CHANNELS, length) for seed, length in enumerate(lengths)]
    single = [
        method.losses(background_batch(row, LABELS[i : i + 1], torch.zeros(1, row.shape[2], dtype=torch.bool)), phase)
        for i, row in enumerate(rows)
    ]
    features = torch.cat([torch.nn.functional.pad(row, (0, longest - row.shape[2])) for row in rows])
    both = background_batch(features, LABELS, torch.zeros(2, longest, dtype=torch.bool))
    found = method.losses(replace(both, length=torch.tensor(lengths)), phase)
    for term in TERMS[phase]:
        shares = (0.5, 0.5) if term in ("fg", "bg") else tuple(length / sum(lengths) for length in lengths)
        for stream in STREAMS:
            name = f"{term}_{stream}"
            mean = sum(share * loss[name] for share, loss in zip(shares, single, strict=True))
            torch.testing.assert_close(found[name], mean)
