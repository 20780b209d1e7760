"""The datasets known by name: their classes, splits, sizes and thresholds.

To add a dataset, add an entry to DATASETS here and a preset to each method that should run on it: hyperparameters and
numbers of snippets are in the presets, because papers choose them by method. docs/extending.md has the recipe.
"""

from __future__ import annotations

from dataclasses import dataclass

from tal_search.data import class_names


@dataclass(frozen=True, kw_only=True)
class KnownDataset:
    """Facts about a dataset that are known before any file is read.

    train, test: names of folders and of subsets in the ground truth (compared without case), in order of preference.
    videos: published numbers of training and test videos with instances. stand_in: those of the simulated stand-in,
    fewer for large sets. snippets: T of BackTAL, for conversions. tiou: thresholds that papers report, with the
    protocol `activitynet`.
    """

    title: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    classes: tuple[str, ...]
    videos: tuple[int, int]
    stand_in: tuple[int, int]
    snippets: int
    tiou: str


# The test split is chosen first: "validation" is the test split of releases without a "test" subset, and the training
# split of THUMOS14, which has one.
DATASETS = {
    "thumos14": KnownDataset(
        title="THUMOS14",
        train=("val", "validation", "train", "training"),
        test=("test", "testing", "validation"),
        classes=class_names.THUMOS14,
        videos=(200, 210),
        stand_in=(200, 210),
        snippets=750,
        tiou="0.1:0.9:0.1",
    ),
    "activitynet12": KnownDataset(
        title="ActivityNet 1.2",
        train=("training", "train"),
        test=("validation", "val"),
        classes=class_names.ACTIVITYNET12,
        videos=(4819, 2383),
        stand_in=(1000, 500),
        snippets=100,
        tiou="0.5:0.95:0.05",
    ),
    "hacs": KnownDataset(
        title="HACS",
        train=("training", "train"),
        test=("validation", "val"),
        classes=class_names.HACS,
        videos=(37613, 5981),
        stand_in=(1000, 400),
        snippets=200,
        tiou="0.5:0.95:0.05",
    ),
    "beoid": KnownDataset(
        title="BEOID",
        train=("training", "train"),
        test=("validation", "val", "test"),
        classes=class_names.BEOID,
        videos=(46, 12),
        stand_in=(46, 12),
        snippets=400,
        tiou="0.1:0.7:0.1",
    ),
    "gtea": KnownDataset(
        title="GTEA",
        train=("training", "train"),
        test=("validation", "val", "test"),
        classes=class_names.GTEA,
        videos=(21, 7),
        stand_in=(21, 7),
        snippets=400,
        tiou="0.1:0.7:0.1",
    ),
}
# Any other dataset: the usual names of splits, otherwise as THUMOS14.
OTHER = KnownDataset(
    title="THUMOS14",
    train=("train", "training", "val", "validation"),
    test=("test", "testing", "validation", "val"),
    classes=class_names.THUMOS14,
    videos=(0, 0),
    stand_in=(200, 210),
    snippets=750,
    tiou="0.1:0.9:0.1",
)


def dataset_name(text: str) -> str:
    """The name of a dataset; that of a known one if the text differs from it only by case, dots, hyphens or spaces."""
    plain = "".join(filter(str.isalnum, text.casefold()))
    return plain if plain in DATASETS else text


def known(name: str) -> KnownDataset:
    """The dataset of that name, or the assumptions about an unknown one."""
    return DATASETS.get(name, OTHER)
