"""Sampling of splits: what contradicts, what a change keeps, how it is stored and told."""

from __future__ import annotations

import pytest

from tal_search.data.sampling.settings import KINDS, Sampling, SamplingChange, SplitSampling

CROPS = SplitSampling(kind="crop", lengths=(750, 2800))
BY_LENGTH = SplitSampling(kind="uniform", least=50, most=400)


@pytest.mark.parametrize(
    ("split", "sampling", "keys"),
    [
        ("training", CROPS, []),
        ("test", BY_LENGTH, []),
        ("test", CROPS, ["kind"]),
        ("test", SplitSampling(kind="random"), ["kind"]),
        ("test", SplitSampling(kind="random_perturbed"), ["kind"]),
        ("training", SplitSampling(kind="crop"), ["kind"]),
        ("training", SplitSampling(kind="native", lengths=(5,)), ["lengths"]),
        ("training", SplitSampling(kind="native", most=2304), []),
        ("test", SplitSampling(kind="native", most=2304), ["most"]),
        ("training", BY_LENGTH, ["least", "most"]),
        ("test", SplitSampling(kind="uniform", least=400, most=50), ["least"]),
        ("test", SplitSampling(least=3), ["least"]),
        ("training", SplitSampling(kind="crop", lengths=(750,), batches="anew"), []),
        ("training", SplitSampling(kind="native", batches="anew"), ["batches"]),
        ("training", SplitSampling(batches="anew"), ["batches"]),
        ("test", SplitSampling(kind="native", batches="anew"), ["batches"]),
    ],
)
def test_settings_that_contradict_the_kind_are_named(split: str, sampling: SplitSampling, keys: list[str]) -> None:
    found = dict(sampling.problems(split, "asl", KINDS))
    assert list(found) == keys
    assert all(";" in sentence for sentence in found.values()), "each says the fix"


def test_a_kind_that_the_method_cannot_train_with_is_one_problem_and_no_matter_at_test() -> None:
    crops = SplitSampling(kind="crop")
    for split, words in (("training", "which asl cannot train with; give rescale or uniform"), ("test", "draws anew")):
        ((name, sentence),) = crops.problems(split, "asl", ("rescale", "uniform"))
        assert name == "kind"
        assert words in sentence
    native = SplitSampling(kind="native")
    assert not list(native.problems("test", "asl", ("rescale",)))
    change = SamplingChange(training=native, test=SplitSampling(kind="native", most=7))
    assert [found[:2] for found in change.problems("asl", ("rescale",))] == [("training", "kind"), ("test", "most")]
    assert not list(SamplingChange(training=native).problems("asl", KINDS))


def test_it_is_stored_without_defaults_and_read_back() -> None:
    assert Sampling().to_json() == {}
    for kind in KINDS:
        sampling = Sampling(training=SplitSampling(kind=kind, lengths=(3, 4)), test=BY_LENGTH)
        assert Sampling.from_json(sampling.to_json()) == sampling
    assert Sampling(training=CROPS).to_json() == {"training": {"kind": "crop", "lengths": [750, 2800]}}


def test_a_change_keeps_the_split_that_it_does_not_name() -> None:
    preset = Sampling(training=CROPS, test=BY_LENGTH)
    assert preset.changed(None) == preset
    assert preset.changed(SamplingChange(test=SplitSampling())) == Sampling(training=CROPS)
    assert not Sampling().stored
    assert preset.stored
    assert Sampling(test=BY_LENGTH).stored


NATIVE = SplitSampling(kind="native", most=2304)
IN_WORDS = {
    "rescale to 750": Sampling(),
    "crops of 750 and 2800 snippets in training, native at test": Sampling(
        training=CROPS, test=SplitSampling(kind="native")
    ),
    "crops of 750 snippets of videos drawn anew in training, rescale to 750 at test": Sampling(
        training=SplitSampling(kind="crop", lengths=(750,), batches="anew")
    ),
    "random to 750 in training, uniform to 50–400 by length at test": Sampling(
        training=SplitSampling(kind="random"), test=BY_LENGTH
    ),
    "native, crops of 2304 of longer videos in training, rescale to 750 at test": Sampling(training=NATIVE),
    "rescale to 750 in training, uniform to at least 50 by length at test": Sampling(
        test=SplitSampling(kind="uniform", least=50)
    ),
    "rescale to 750 in training, uniform to at most 400 by length at test": Sampling(
        test=SplitSampling(kind="uniform", most=400)
    ),
    "random-perturbed to 750 in training, rescale to 750 at test": Sampling(
        training=SplitSampling(kind="random_perturbed")
    ),
}


@pytest.mark.parametrize("words", IN_WORDS)
def test_in_words(words: str) -> None:
    assert IN_WORDS[words].written(750) == words


def test_t_is_read_by_kinds_that_sample_and_not_by_those_that_follow_the_length() -> None:
    whole = SplitSampling(kind="native")
    assert Sampling().takes_snippets
    assert Sampling(training=CROPS).takes_snippets, "the test split is rescaled"
    assert not Sampling(training=CROPS, test=whole).takes_snippets
    assert not Sampling(training=NATIVE, test=BY_LENGTH).takes_snippets
