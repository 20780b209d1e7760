"""Snippets that are taken: in order, within the video, as each kind says."""

from __future__ import annotations

import numpy as np
import pytest

from tal_search.data.sampling.positions import drawn, parts, sampled, snippets_at_test, windows
from tal_search.data.sampling.settings import PERTURBED, RANDOM, UNIFORM, SplitSampling

SIZES = [(10, 4), (10, 10), (4, 10), (1, 6), (751, 750), (2800, 750)]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("length", "snippets"), SIZES)
@pytest.mark.parametrize("kind", [UNIFORM, PERTURBED, RANDOM])
def test_snippets_are_in_order_and_in_the_video(kind: str, length: int, snippets: int) -> None:
    for seed in range(20):
        taken = sampled(kind, length, snippets, rng(seed))
        assert len(taken) == snippets
        assert (np.diff(taken) >= 0).all()
        assert 0 <= taken[0] <= taken[-1] < length


def test_uniform_takes_the_first_of_each_part() -> None:
    assert parts(10, 4).tolist() == [0, 2, 5, 7]
    assert sampled(UNIFORM, 3, 6, rng()).tolist() == [0, 0, 1, 1, 2, 2]


def test_random_perturbed_stays_in_its_part_and_reaches_the_next_first_snippet() -> None:
    drawn_each = np.stack([sampled(PERTURBED, 40, 4, rng(seed)) for seed in range(300)])
    assert drawn_each.min(0).tolist() == [0, 10, 20, 30]
    assert drawn_each.max(0).tolist() == [10, 20, 30, 39]


def test_random_perturbed_takes_all_snippets_of_a_video_of_t() -> None:
    """As BaS-Net's release does; in any longer video it draws."""
    for seed in range(5):
        assert sampled(PERTURBED, 30, 30, rng(seed)).tolist() == list(range(30))
    assert len({tuple(sampled(PERTURBED, 31, 30, rng(seed)).tolist()) for seed in range(5)}) > 1


def test_random_takes_none_twice_of_longer_videos_and_all_of_shorter_ones() -> None:
    for seed in range(50):
        assert len(set(sampled(RANDOM, 20, 12, rng(seed)).tolist())) == 12
        assert set(sampled(RANDOM, 5, 12, rng(seed)).tolist()) == set(range(5))
    counts = np.bincount(np.concatenate([sampled(RANDOM, 10, 5, rng(seed)) for seed in range(2000)]), minlength=10)
    assert np.allclose(counts / 2000, 0.5, atol=0.05), "every snippet is as likely"


def test_windows_begin_anywhere_and_short_videos_are_whole() -> None:
    lengths = np.array([10, 4, 7])
    first = np.stack([windows(lengths, 7, rng(seed))[0] for seed in range(200)])
    assert windows(lengths, 7, rng())[1].tolist() == [7, 4, 7]
    assert first.min(0).tolist() == [0, 0, 0]
    assert first.max(0).tolist() == [3, 0, 0]
    assert windows(lengths, None, rng())[1].tolist() == [10, 4, 7]


def test_crops_take_turns_by_step_and_are_padded_to_the_longest_of_the_batch() -> None:
    crops, lengths = SplitSampling(kind="crop", lengths=(3, 5)), np.array([4, 9])
    for step, (shape, taken) in enumerate([((2, 3), [3, 3]), ((2, 5), [4, 5]), ((2, 3), [3, 3])]):
        position, kept = drawn(crops, lengths, 750, step, rng(step))
        assert position.shape == shape
        assert kept.tolist() == taken
        assert ((position == -1).sum(1) == shape[1] - kept).all()
        assert (np.diff(position[1]) == 1).all()


def test_native_takes_all_and_windows_of_the_longest() -> None:
    position, taken = drawn(SplitSampling(kind="native"), np.array([2, 4]), 750, 0, rng())
    assert position.tolist() == [[0, 1, -1, -1], [0, 1, 2, 3]]
    assert taken.tolist() == [2, 4]
    assert drawn(SplitSampling(kind="native", most=3), np.array([2, 4]), 750, 0, rng())[1].tolist() == [2, 3]


@pytest.mark.parametrize(("length", "snippets"), [(20, 50), (120, 120), (900, 400)])
def test_snippets_of_a_test_video_follow_its_length_within_bounds(length: int, snippets: int) -> None:
    assert snippets_at_test(SplitSampling(kind="uniform", least=50, most=400), length, 750) == snippets
    assert snippets_at_test(SplitSampling(kind="uniform"), length, 750) == 750


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [({"least": 50}, (50, 120, 900)), ({"most": 400}, (20, 120, 400)), ({"least": 50, "most": 50}, (50, 50, 50))],
)
def test_one_bound_alone_bounds(bounds: dict[str, int], expected: tuple[int, ...]) -> None:
    sampling = SplitSampling(kind="uniform", **bounds)
    assert tuple(snippets_at_test(sampling, length, 750) for length in (20, 120, 900)) == expected
