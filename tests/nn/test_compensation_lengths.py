"""Compensation sampling of padded videos, beside each of them alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.nn.compensation import Resampling, instances, proposals, shortest_lengths
from tests.support.drawn_weights import SNIPPETS, masks, stretches, weights

pytestmark = pytest.mark.usefixtures("one_thread")


@given(rows=weights, stretch=stretches, lengths=st.lists(st.integers(1, SNIPPETS), min_size=3, max_size=3), mask=masks)
@settings(max_examples=60, deadline=None)
def test_a_padded_video_is_resampled_as_it_is_alone(
    rows: list[list[float]], stretch: float, lengths: list[int], mask: list[bool]
) -> None:
    """Weights, features, clicks and labels after a video's end never count."""
    length = torch.tensor(lengths[: len(rows)])
    resampling = Resampling.of(torch.tensor(rows), stretch, length_B=length)
    features = torch.randn(len(rows), 2, SNIPPETS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    inside = torch.tensor([[mask]] * len(rows)) & (torch.arange(SNIPPETS) < length[:, None, None])
    scores = torch.rand(len(rows), 1, resampling.most, generator=torch.Generator().manual_seed(1))
    proposed = proposals(scores, torch.ones(len(rows), 1) > 0, 0.7, resampling.valid_BP)
    back = resampling.snippets_back(scores)
    shortest, pseudo = (
        shortest_lengths(proposed, resampling),
        instances(proposed, resampling.clicks(inside), resampling),
    )
    for b, own in enumerate(length.tolist()):
        alone = Resampling.of(torch.tensor([rows[b][:own]]), stretch)
        new = alone.most
        assert resampling.lengths_B[b] == new
        assert resampling.last_B1[b] == own - 1
        torch.testing.assert_close(
            resampling.features(features)[b, :, :new], alone.features(features[b : b + 1, :, :own])[0]
        )
        assert not resampling.features(features)[b, :, new:].any()
        assert torch.equal(resampling.clicks(inside)[b, :, :new], alone.clicks(inside[b : b + 1, :, :own])[0])
        assert torch.equal(resampling.labels(inside)[b, :, :new], alone.labels(inside[b : b + 1, :, :own])[0])
        assert not resampling.labels(inside)[b, :, new:].any()
        assert torch.equal(back[b, :, :own], alone.snippets_back(scores[b : b + 1, :, :new])[0])
        assert not back[b, :, own:].any()
        mine = proposed[b : b + 1, :, :new]
        assert torch.equal(shortest[b, :own], shortest_lengths(mine, alone)[0])
        assert torch.equal(pseudo[b, :, :own], instances(mine, alone.clicks(inside[b : b + 1, :, :own]), alone)[0])
        assert (shortest[b, own:] == torch.inf).all()
        assert not pseudo[b, :, own:].any()
        times = own * torch.linspace(0, 1, 7, dtype=torch.float64)[None]
        here = times.expand(len(rows), -1)
        torch.testing.assert_close(resampling.there(here)[b], alone.there(times)[0])
        torch.testing.assert_close(resampling.back(resampling.there(here))[b], times[0], rtol=0, atol=1e-9)
        assert resampling.back(resampling.lengths_B.max() + here)[b].tolist() == [own] * 7
    even = Resampling.even(features, length)
    assert even.lengths_B.tolist() == length.tolist()
    assert torch.equal(even.labels(inside), inside)
