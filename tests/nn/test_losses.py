"""Losses against loops written from the paper's equations."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from tal_search.nn import losses

BATCH, CLASSES, SNIPPETS, EMBEDDING = 3, 4, 20, 5


def problem(seed: int, clicks: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """CAS [B, C+1, T], labels [B, C] with one or more classes, clicks bool [B, T], unit embedding [B, E, T]."""
    generator = torch.Generator().manual_seed(seed)
    cas = torch.randn(BATCH, CLASSES + 1, SNIPPETS, generator=generator, dtype=torch.float64)
    labels = (torch.rand(BATCH, CLASSES, generator=generator) < 0.4).double()
    labels[torch.arange(BATCH), torch.randint(CLASSES, (BATCH,), generator=generator)] = 1
    clicked = torch.rand(BATCH, SNIPPETS, generator=generator) < clicks
    embedding = torch.randn(BATCH, EMBEDDING, SNIPPETS, generator=generator, dtype=torch.float64)
    return cas, labels, clicked, functional.normalize(embedding, dim=1)


def top(values: Tensor, k: int) -> list[int]:
    return sorted(range(len(values)), key=lambda index: -float(values[index]))[:k]


def naive_frame(cas: Tensor, clicked: Tensor, *, release: bool) -> float:
    """Eq. 4 of each video that has clicks, then their mean; release: all clicks as those of one video."""
    videos = [[-float(cas[b, :, t].log_softmax(0)[-1]) for t in clicked[b].nonzero().flatten()] for b in range(BATCH)]
    groups = [list(itertools.chain(*videos))] if release else videos
    means = [sum(terms) / len(terms) for terms in groups if terms]
    return sum(means) / len(means) if means else 0.0


def naive_separation(cas: Tensor, labels: Tensor, clicked: Tensor, k: int, *, release: bool) -> float:
    videos = []
    for b in range(BATCH):
        positions = clicked[b].nonzero().flatten().tolist()
        if not positions:
            continue
        terms = []
        for c in labels[b].nonzero().flatten().tolist():
            act = cas[b, c, top(cas[b, c], k)].mean()
            background = cas[b, c, positions].mean()
            p_act, p_bg = torch.stack([act, background]).softmax(0)
            terms.append(float(-p_act.log() - (0 if release else (1 - p_bg).log())))
        videos.append(sum(terms) / len(terms))
    return sum(videos) / len(videos) if videos else 0.0


def naive_affinity(cas: Tensor, labels: Tensor, clicked: Tensor, embedding: Tensor, k: int, *, release: bool) -> float:
    videos = []
    for b in range(BATCH):
        background = clicked[b].nonzero().flatten().tolist()
        if not background:
            continue
        action = [t for c in labels[b].nonzero().flatten().tolist() for t in top(cas[b, c], k)]
        cosine = (embedding[b].T @ embedding[b]).tolist()

        def same(group: list[int], cosine: list[list[float]] = cosine) -> float:
            if release:
                return sum(max(0.0, 0.5 - min(cosine[u][v] for v in group)) for u in group) / len(group)
            return max([max(0.0, 0.5 - cosine[u][v]) for u, v in itertools.permutations(set(group), 2)], default=0.0)

        def different(rows: list[int], others: list[int], cosine: list[list[float]] = cosine) -> float:
            hardest = [max(0.0, max(cosine[u][v] for v in others) - 0.1) for u in rows]
            return sum(hardest) / len(hardest) if release else max(hardest)

        terms = same(action) + same(background) + different(action, background)
        videos.append(terms + (different(background, action) if release else 0.0))
    return sum(videos) / len(videos) if videos else 0.0


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.03, 0.3]), st.integers(1, 6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_click_losses_equal_the_equations(seed: int, clicks: float, k: int, release: bool) -> None:
    cas, labels, clicked, embedding = problem(seed, clicks)
    scores, chosen = losses.highest(cas, k)
    counts = losses.action_counts(chosen, labels)
    ours = (
        losses.frame_loss(cas, clicked, per_video=not release),
        losses.separation_loss(cas, scores, labels, clicked, release=release),
        losses.affinity_loss(embedding, counts, clicked, 0.5, 0.1, release=release),
    )
    theirs = (
        naive_frame(cas, clicked, release=release),
        naive_separation(cas, labels, clicked, k, release=release),
        naive_affinity(cas, labels, clicked, embedding, k, release=release),
    )
    assert [float(loss) for loss in ours] == pytest.approx(theirs, abs=1e-9)


@given(st.integers(0, 10_000), st.integers(1, 50))
@settings(max_examples=30, deadline=None)
def test_video_scores_of_single_and_double_precision_agree(seed: int, k: int) -> None:
    cas = torch.randn(3, 5, 50, generator=torch.Generator().manual_seed(seed))
    ours, theirs = (values.requires_grad_() for values in (cas.clone(), cas.double()))
    scores, expected = losses.video_scores(ours, k), theirs.topk(k, dim=-1).values.mean(-1)
    scores.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(scores.double(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-5, atol=1e-6)


def test_a_value_that_is_no_number_makes_its_video_score_none() -> None:
    cas = torch.zeros(1, 2, 9)
    cas[0, 1, 4] = float("nan")
    assert losses.video_scores(cas, 3).isnan().tolist() == [[False, True]]


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=30, deadline=None)
def test_classification_loss_is_cross_entropy_with_normalised_labels(seed: int, background: bool) -> None:
    cas, labels, _, _ = problem(seed, 0.1)
    scores = losses.video_scores(cas, 3)
    target = torch.cat([labels, torch.full((BATCH, 1), float(background), dtype=torch.float64)], 1)
    expected = functional.cross_entropy(scores, target / target.sum(1, keepdim=True))
    torch.testing.assert_close(losses.classification_loss(scores, labels, background=background), expected)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=30, deadline=None)
def test_binary_classification_loss_is_over_videos_and_classes(seed: int, background: bool) -> None:
    cas, labels, _, _ = problem(seed, 0.1)
    scores = losses.video_scores(cas, 3)
    terms = []
    for b in range(BATCH):
        target = torch.cat([labels[b], torch.tensor([float(background)], dtype=torch.float64)])
        target = target / target.sum()
        p = scores[b].softmax(0)
        terms += (-(target * p.log() + (1 - target) * (1 - p).log())).tolist()
    ours = losses.binary_classification_loss(scores, labels, background=background)
    assert float(ours) == pytest.approx(sum(terms) / len(terms))


def test_clicks_of_a_video_weigh_as_much_as_anothers_in_the_paper_and_as_many_as_they_are_in_the_release() -> None:
    cas = torch.zeros(3, 2, 5)
    cas[0, 1] = 3.0  # background is certain in the first video
    clicked = torch.zeros(3, 5, dtype=torch.bool)
    clicked[0, :4] = clicked[1, 0] = True
    sure, unsure = (float(-torch.tensor(values).log_softmax(0)[1]) for values in ([0.0, 3.0], [0.0, 0.0]))
    assert float(losses.frame_loss(cas, clicked)) == pytest.approx((4 * sure + unsure) / 5)
    assert float(losses.frame_loss(cas, clicked, per_video=True)) == pytest.approx((sure + unsure) / 2)


def test_paper_separation_at_half_the_weight_is_the_release_one() -> None:
    cas, labels, clicked, _ = problem(3, 0.2)
    scores = losses.video_scores(cas, 4)
    paper = losses.separation_loss(cas, scores, labels, clicked, release=False)
    torch.testing.assert_close(0.5 * paper, losses.separation_loss(cas, scores, labels, clicked, release=True))


@pytest.mark.parametrize(
    ("ratio", "snippets", "k"), [(1 / 8, 750, 93), (1 / 8, 40, 5), (1 / 12, 96, 8), (0.001, 10, 1), (1, 7, 7)]
)
def test_top_k(ratio: float, snippets: int, k: int) -> None:
    assert losses.top_k(ratio, snippets) == k


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 0.6]), st.sampled_from([0.0, 0.05, 0.3]))
def test_losses_at_action_clicks_and_of_the_filter_are_their_equations(seed: int, few: float, many: float) -> None:
    cas, _, background, _ = problem(seed, few)
    generator = torch.Generator().manual_seed(seed)
    action = torch.rand(BATCH, CLASSES, SNIPPETS, generator=generator) < many
    weight = torch.rand(BATCH, SNIPPETS, generator=generator, dtype=torch.float64)
    at_clicks = [-float(cas[b, :, t].log_softmax(0)[c]) for b, c, t in action.nonzero().tolist()]
    assert float(losses.action_frame_loss(cas, action)) == pytest.approx(sum(at_clicks) / max(1, len(at_clicks)))
    means = [-float(cas[b].log_softmax(0)[:-1][action[b]].mean()) for b in range(BATCH) if action[b].any()]
    assert float(losses.action_frame_loss(cas, action, per_video=True)) == pytest.approx(
        sum(means) / max(1, len(means))
    )
    terms = [-float((1 - weight[b, t]).log()) for b, t in background.nonzero().tolist()]
    terms += [-float(weight[b, t].log()) for b, t in action.any(1).nonzero().tolist()]
    assert float(losses.filter_loss(weight, background, action.any(1))) == pytest.approx(
        sum(terms) / max(1, len(terms))
    )


def test_a_filter_at_its_ends_has_a_finite_loss_and_gradient() -> None:
    logits = torch.tensor([[200.0, -200.0, 200.0, -200.0]], requires_grad=True)
    everywhere = torch.ones(1, 4, dtype=torch.bool)
    loss = losses.filter_loss(logits.sigmoid(), everywhere, everywhere)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
