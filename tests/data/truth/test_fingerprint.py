"""Fingerprints change with what a ground truth is read as."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.data.definition import DatasetDefinition, SplitNames
from tal_search.data.find import find
from tal_search.data.simulation.videos import Simulation
from tal_search.data.truth.fingerprint import hash_of, of_timeline, subsets, truth_hash
from tal_search.errors import InputError
from tests.support.make_dataset import SMALL, make_dataset

MINE = DatasetDefinition(name="mine", classes=("HighJump", "LongJump"))


def test_classes_and_splits_count_and_texts_do_not(tmp_path: Path) -> None:
    path = (
        make_dataset(tmp_path, train=2, test=2, channels=2, snippets=4, classes=("highjump", "LongJump"))
        / "gt_thumos14.json"
    )
    plain = truth_hash(path, DatasetDefinition(name="mine"))
    assert plain == hash_of(path) != truth_hash(path, MINE)
    assert truth_hash(path, replace(MINE, title="Mine", description="mine")) == truth_hash(path, MINE)
    assert subsets(path, MINE) == ["val", "test"]
    turned = SplitNames(training=("test",), test=("val",))
    assert subsets(path, replace(MINE, splits=turned)) == ["test", "val"]
    assert subsets(tmp_path / "absent.json", MINE) == []
    with pytest.raises(InputError, match="cannot be read"):
        hash_of(tmp_path / "absent.json")


def test_a_dataset_is_another_one_only_if_its_numbers_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_dataset(tmp_path / "features", train=2, test=2, channels=2, snippets=4)
    file = tmp_path / "mine.yaml"

    def prints(text: str) -> tuple[str, ...]:
        file.write_text(text)
        truth = root / "gt_thumos14.json"
        return (
            find("mine", "simulated", None, None, None, 8, SMALL, file=file).fingerprint,
            find("mine", "simulated", None, truth, None, 8, SMALL, file=file).fingerprint,
            find("mine", "features", root, truth, None, 8, SMALL, file=file).fingerprint,
        )

    first = prints("title: Mine")
    assert prints("title: Other\ndescription: x\nsource: y\ntiou: 0.5\nchannels: 3\nvideos: {training: 9}") == first
    assert prints("title: Mine\nclasses: [a, b]")[0] != first[0]
    assert prints("stand_in: {training: 9}")[0] != first[0]
    assert prints("splits: {training: [test], test: [val]}")[1] != first[1]
    assert prints("splits: {training: [test], test: [val]}")[2] != first[2]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("thumos14", "76932ed9e1a4"), ("activitynet12", "bb62f0cdb627"), ("hacs", "58d099f9f0a1"),
        ("beoid", "3fcc268b2053"), ("gtea", "6295f165b437"),
    ],
)  # fmt: skip
def test_simulated_data_is_that_of_records_of_version_0_3(name: str, known: str) -> None:
    """Its arrays did not change since, so that studies of that version go on."""
    assert find(name, "simulated", None, None, None, 8, Simulation()).fingerprint[:12] == known


def test_a_real_timeline_counts_its_subsets_only_where_they_are_unusual(tmp_path: Path) -> None:
    path = make_dataset(tmp_path, train=2, test=2, channels=2, snippets=4) / "gt_thumos14.json"
    facts = DatasetDefinition(name="mine")
    assert of_timeline(path, facts) == [truth_hash(path, facts)]
    turned = replace(facts, splits=SplitNames(training=("test",), test=("val",)))
    assert of_timeline(path, turned) == [truth_hash(path, turned), ["test", "val"]]
