"""How a network sees a video: which of its stored snippets, by split.

Kinds (L stored snippets, T = `dataset.snippets`):

- rescale: T snippets by linear interpolation, so that every video has T.
- uniform: the first of each of T equal parts.
- random_perturbed: one at random of each of T equal parts, as the releases of BaS-Net and DGAM train.
- random: T at random in their order, none twice where L ≥ T.
- crop: a window at random, whose `lengths` take turns by step; shorter videos are whole, padded and masked.
- native: all stored snippets, padded and masked; in training a window of `most` at random of longer videos.

The sampled kinds are drawn anew at each step of training. `least` and `most` bound T by a video's length at test:
T = L within them. `batches` of crops: every video once an epoch (shuffled), or drawn anew at each step from all videos,
as SF-Net's release trains: the first whose crops hold an action click, if the method reads action clicks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from tal_search.fields import hyper

RESCALE, UNIFORM, PERTURBED, RANDOM, CROP, NATIVE = KINDS = (
    "rescale", "uniform", "random_perturbed", "random", "crop", "native",
)  # fmt: skip
DRAWN = (PERTURBED, RANDOM, CROP)  # in training only
PADDED = (CROP, NATIVE)  # sequences of several lengths
SHUFFLED, ANEW = BATCHES = ("shuffled", "anew")
MOST_LENGTH = 100_000


@dataclass(frozen=True, kw_only=True)
class SplitSampling:
    """Sampling of one split, see the module."""

    kind: str = hyper(RESCALE, "sampling", choices=KINDS)
    lengths: tuple[int, ...] = hyper((), "crop", low=2, high=MOST_LENGTH, help="snippets of windows, in turns by step")
    least: int | None = hyper(
        None, "T_min", low=2, high=MOST_LENGTH, help="at test: fewest snippets sampled of a video"
    )
    most: int | None = hyper(None, "T_max", low=2, high=MOST_LENGTH, help="most snippets of a video")
    batches: str = hyper(SHUFFLED, "batches", choices=BATCHES, help="of crops: which videos a step takes")

    def problems(self, split: str, method: str, can: Collection[str]) -> Iterator[tuple[str, str]]:
        """Names of settings that contradict the kind, with a sentence that continues after the name.

        can: the kinds that the method can train with.
        """
        if split == "test" and self.kind in DRAWN:
            yield "kind", f"is {self.kind}, which draws anew each time; at test give rescale, uniform or native"
            return
        if split == "training" and self.kind not in can:
            yield "kind", f"is {self.kind}, which {method} cannot train with; give {' or '.join(can)}"
        elif self.kind == CROP and not self.lengths:
            yield "kind", "is crop, but there are no lengths; give lengths: [SNIPPETS, ...]"
        if self.kind != CROP and self.lengths:
            yield "lengths", f"are given, but the kind is {self.kind}; remove them, or give kind: crop"
        bounded = self.kind == UNIFORM and split == "test"
        if self.least is not None and not bounded:
            yield "least", "is given, but only uniform sampling at test reads it; remove it"
        if self.most is not None and not bounded and (self.kind, split) != (NATIVE, "training"):
            yield "most", "is given, but only uniform sampling at test and native in training read it; remove it"
        if self.batches != SHUFFLED and self.kind != CROP:
            yield "batches", f"are {self.batches}, but the kind is {self.kind}; remove them, or give kind: crop"
        if self.least is not None and self.most is not None and self.least > self.most:
            yield "least", f"is {self.least}, more than most ({self.most}); exchange them"

    @property
    def takes_snippets(self) -> bool:
        """Whether T is the number of snippets of every video."""
        return self.kind not in PADDED and self.least is None and self.most is None

    def written(self, snippets: int) -> str:
        """The sampling in words; snippets: T."""
        if self.kind == CROP:
            batches = "" if self.batches == SHUFFLED else " of videos drawn anew"
            return f"crops of {' and '.join(map(str, self.lengths))} snippets{batches}"
        if self.kind == NATIVE:
            return "native" if self.most is None else f"native, crops of {self.most} of longer videos"
        if self.least is None and self.most is None:
            return f"{self.kind.replace('_', '-')} to {snippets}"
        if self.least is not None and self.most is not None:
            return f"{self.kind} to {self.least}–{self.most} by length"
        return f"{self.kind} to at {f'least {self.least}' if self.most is None else f'most {self.most}'} by length"


@dataclass(frozen=True, kw_only=True)
class SamplingChange:
    """The sampling of both splits, or of one of them; None leaves the preset's."""

    training: SplitSampling | None = None
    test: SplitSampling | None = None

    def problems(self, method: str, can: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """Split, setting and sentence of what contradicts, as `SplitSampling.problems`."""
        for split, sampling in (("training", self.training), ("test", self.test)):
            if sampling is not None:
                yield from ((split, name, words) for name, words in sampling.problems(split, method, can))


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Sampling of both splits."""

    training: SplitSampling = field(default_factory=SplitSampling)
    test: SplitSampling = field(default_factory=SplitSampling)

    @property
    def stored(self) -> bool:
        """Whether features are kept as stored; else every video is rescaled as it is read."""
        return any(split.kind != RESCALE for split in (self.training, self.test))

    @property
    def takes_snippets(self) -> bool:
        """Whether T is the number of snippets of every video of a split."""
        return self.training.takes_snippets or self.test.takes_snippets

    def to_json(self) -> dict[str, Any]:
        """As JSON values without defaults; empty where both splits are rescaled."""
        default = asdict(SplitSampling())
        return {
            name: {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
            for name, split in asdict(self).items()
            if (given := {key: value for key, value in split.items() if value != default[key]})
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Mapping[str, Any]]) -> Self:
        """What `to_json` wrote."""
        tuples = {name: {**split, "lengths": tuple(split.get("lengths", ()))} for name, split in content.items()}
        return cls(**{name: SplitSampling(**split) for name, split in tuples.items()})

    def changed(self, change: SamplingChange | None) -> Sampling:
        """This sampling with other ones of the splits that `change` gives."""
        if change is None:
            return self
        return Sampling(training=change.training or self.training, test=change.test or self.test)

    def written(self, snippets: int) -> str:
        """The sampling in words, once where both splits have the same; snippets: T."""
        training, test = self.training.written(snippets), self.test.written(snippets)
        return training if training == test else f"{training} in training, {test} at test"
