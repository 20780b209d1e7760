"""Padding changes nothing: no loss and no gradient of any method that trains with videos of several lengths."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch

from tal_search.data.sampling.settings import CROP
from tal_search.methods import available, specification
from tal_search.methods.base import Method
from tal_search.nn.batch import Batch

CHANNELS, CLASSES, LENGTHS = 8, 3, (40, 23, 31)
# By method, or by method and what its settings choose.
SMALL: dict[str, dict[str, object]] = {
    "actionformer": {"width": 8, "levels": 4, "window": 5},
    "asl": {"width": 8, "levels": 4},
    "asl with ActionFormer's encoder": {"width": 8, "levels": 4, "encoder": "actionformer"},
    "backtal": {"hidden_channels": 6, "embedding_hidden": 5, "filter_hidden": 4, "embedding_dim": 4},
    "basnet": {
        "hidden_channels": 6, "filter_hidden": 4, "frame_weight": 1.0, "action_weight": 1.0, "filter_weight": 1.0,
    },
    "sfnet": {"hidden_channels": 6, "embedding_dim": 4, "lambda_sep": 1.0, "beta_aff": 0.8},
    "dgam": {"attention_hidden": 5, "latent": 4},
    "representative": {"hidden_channels": 6, "prototypes": 4, "tau": 6.0, "proposal_threshold": 0.95, "epochs": 3},
}  # fmt: skip
VARIANTS = ("paper", "release")
PADDABLE = [name for name in available() if CROP in specification(name).method.samplings]
PADDABLE += [name for name in SMALL if name not in available()]


def built(name: str, variant: str) -> Method:
    torch.manual_seed(0)
    settings, name = dict(SMALL.get(name, {})), name.split()[0]
    if hasattr(specification(name).hyperparameters(), "variant"):
        settings["variant"] = variant
    elif variant == "release":
        pytest.skip("it has no variants")
    method = specification(name).build(settings, CHANNELS, CLASSES)
    method.hyperparameters = method.hyperparameters.trained_on(len(LENGTHS))
    method.network.double().eval()
    return method


def batch(snippets: int, rows: tuple[int, ...] = (0, 1, 2), *, masked: bool = True) -> Batch:
    """Videos of LENGTHS, padded with zeros to `snippets`; equal for every number of snippets."""
    generator = torch.Generator().manual_seed(1)
    longest = max(LENGTHS)
    features = torch.randn(len(LENGTHS), CHANNELS, longest, generator=generator, dtype=torch.float64)
    background = torch.rand(len(LENGTHS), longest, generator=generator) < 0.15
    action = torch.rand(len(LENGTHS), CLASSES, longest, generator=generator) < 0.1
    action &= ~background[:, None]
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    action &= labels.bool()[..., None]
    length = torch.tensor(LENGTHS)
    for row, last in enumerate(LENGTHS):
        for array in (features, background, action):
            array[row, ..., last:] = 0
    segments = torch.tensor([[[3.0, 9.5], [20.0, 36.0]], [[2.0, 20.0], [0.0, 0.0]], [[5.0, 8.0], [9.0, 30.0]]])
    chosen = torch.tensor(rows)

    def cut(array: torch.Tensor) -> torch.Tensor:
        padded = torch.nn.functional.pad(array, (0, max(0, snippets - longest)))
        return padded[chosen][..., :snippets]

    return Batch(
        chosen, cut(features), labels[chosen].double(), cut(background), cut(action), segments[chosen],
        torch.tensor([[0, 2], [1, -1], [0, 1]])[chosen], length[chosen] if masked else None,
    )  # fmt: skip


def losses(method: Method, given: Batch) -> dict[str, float]:
    """Every loss of every phase, and the sum of its gradients' absolute values."""
    found = {}
    for phase in method.phases:
        method.network.zero_grad()
        torch.manual_seed(3)
        terms = method.losses(given, phase.name)
        terms["total"].backward()  # type: ignore[no-untyped-call]
        gradients = [weight.grad for weight in method.network.parameters() if weight.grad is not None]
        found |= {f"{phase.name} {name}": float(term.detach()) for name, term in terms.items()}
        found |= {f"{phase.name} gradient {n}": float(grad.abs().sum()) for n, grad in enumerate(gradients)}
    return found


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", PADDABLE)
def test_more_padding_changes_no_loss_and_no_gradient(name: str, variant: str) -> None:
    method = built(name, variant)
    expected = losses(method, batch(max(LENGTHS)))
    assert sum(abs(value) for value in expected.values()) > 0
    for more in (1, 17):
        assert losses(method, batch(max(LENGTHS) + more)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", PADDABLE)
@pytest.mark.parametrize("row", range(len(LENGTHS)))
def test_a_padded_video_has_the_losses_of_the_same_video_without_padding(name: str, variant: str, row: int) -> None:
    method = built(name, variant)
    alone = losses(method, batch(LENGTHS[row], (row,), masked=False))
    assert losses(method, batch(max(LENGTHS) + 5, (row,))) == pytest.approx(alone, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", PADDABLE)
def test_a_mask_over_nothing_changes_nothing(name: str) -> None:
    method, given = built(name, "paper"), batch(LENGTHS[1], (1,))
    assert losses(method, given) == pytest.approx(losses(method, replace(given, length=None)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", PADDABLE)
def test_what_a_method_keeps_of_videos_does_not_depend_on_their_padding(name: str, variant: str) -> None:
    """Losses of a third epoch: a method may have looked at all videos before each, one or several at a time."""
    longest = max(LENGTHS)
    alone = [batch(length, (row,), masked=False) for row, length in enumerate(LENGTHS)]
    found = []
    for whole, snippets in (([batch(longest)], longest), ([batch(longest + 9)], longest + 9), (alone, longest)):
        method = built(name, variant)
        for epoch in range(1, 4):
            method.network.eval()
            with torch.no_grad():
                method.prepare(epoch, partial(iter, whole))
        found.append(losses(method, batch(snippets)))
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-9, abs=1e-12)
