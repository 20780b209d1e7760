"""The data command: all that is wrong in one pass, what is there in numbers, and a converted copy that trains alike."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tal_search.cli.main import main
from tal_search.data.check import survey
from tal_search.data.features.cache import convert
from tal_search.data.find import check, load
from tal_search.methods.backtal import BackTAL, Hyperparameters
from tal_search.trial.loop import Fit
from tal_search.types import BACKGROUND_CLICKS, Dataset
from tests.support.held_memory import held_by
from tests.support.make_dataset import change, edit_json, found, make_dataset, problems_of
from tests.support.make_layouts import make_layout


@pytest.fixture
def converted(root: Path, tmp_path: Path) -> Path:
    convert(found(root), tmp_path / "converted", [])
    return tmp_path / "converted"


def test_check_says_what_is_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(root)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:4] == [
        "Data: features: surrogate features (8 channels, not the 2048 of I3D), 4 training and 3 test videos; "
        "layout backtal",
        "training: 4 videos of 200 published, 2.8 min (40.0 to 43.0 s), 40 snippets, 8 instances of 3 classes",
        "test: 3 videos of 210 published, 2.0 min (40.0 to 42.0 s), 40 snippets, 6 instances of 3 classes",
        "background clicks of A1: 12 in 4 videos, 4.34 per minute",
    ]
    assert said[-1].startswith("No problems: 7 videos read in")


def test_check_lists_all_that_is_wrong_with_features_truth_and_clicks(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(root / "val" / "video_val_0000.npz", feat_tem=np.full((4, 40), np.nan))
    change(root / "test" / "video_test_0000.npz", feat_spa=np.zeros((7, 40), np.float32))
    (root / "test" / "video_test_0001.npz").unlink()
    with (root / "clicks_background_A2.txt").open("a") as file:
        file.write("video_val_0002,,20,,99,99,1,1\n")
    assert main(["data", "check", str(root)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 4
    words = ("video_test_0001", "video_val_0000.npz: feat_tem has 160 values", "got 11", "lasts 42 s")
    assert [word for word in words if not any(word in line for line in said)] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["look", "x"], "'look' is unknown; write `tal-search data check ROOT`"),
        (["check"], "data check takes one folder of features, not none"),
        (["check", "x", "layuot=hdf5"], "layuot is unknown; did you mean 'layout'?"),
        (["check", "x", "layout=npz"], "layout=npz is not one of auto, backtal"),
        (["check", "x", "stride=-4"], "stride=-4 is not a positive number"),
        (["check", "x", "stride=0"], "stride=0 is not a positive number"),
        (["check", "x", "fps=0"], "fps=0 is not a positive number"),
        (["check", "x", "fps=2_5"], "fps=2_5 is not a positive number"),
        (["check", "x", "offset=-1"], "offset=-1 is not a number of frames"),
        (["convert", "x", "snippets=1.5", "out=y"], "snippets=1.5 is not a positive number"),
        (["convert", "x"], "out= is missing"),
        (["check", "nowhere"], "no features under nowhere"),
    ],
)
def test_arguments_that_mean_nothing(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("layout", ["backtal", "hdf5"])
def test_a_converted_dataset_is_the_dataset(
    root: Path, tmp_path: Path, layout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = root if layout == "backtal" else make_layout(root, layout, tmp_path / layout)
    out = tmp_path / "out"
    assert main(["data", "convert", str(root), f"out={out}", "snippets=30"]) == 0
    assert f"Converted to 30 snippets; use dataset.root={out}" in capsys.readouterr().out
    spec = found(out, snippets=30)
    assert spec.description.endswith("4 training and 3 test videos; layout converted (float16, 30 snippets)")
    check(spec, ("A1", "A2"), (BACKGROUND_CLICKS,))
    ours, theirs = (load(s, "A1", (BACKGROUND_CLICKS,)) for s in (spec, found(root, snippets=30)))
    for mine, reference in ((ours.train, theirs.train), (ours.test, theirs.test)):
        for name in ("features", "labels", "duration", "frames", "background_clicks"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(reference, name))
        assert mine.videos == reference.videos
    assert main(["data", "check", str(out)]) == 0


def test_converted_features_stay_on_disk(converted: Path) -> None:
    def mapped(array: np.ndarray | None) -> bool:
        return array is not None and (isinstance(array, np.memmap) or mapped(array.base))

    spec = found(converted)
    dataset = load(spec, "A2", (BACKGROUND_CLICKS,))
    assert mapped(dataset.train.features)
    assert mapped(dataset.test.features)
    assert not dataset.train.features.flags.writeable


def test_features_beyond_half_precision_are_converted_in_float32(root: Path, tmp_path: Path) -> None:
    change(root / "val" / "video_val_0002.npz", feat_spa=np.full((4, 40), 1e6, np.float32))
    notes: list[str] = []
    convert(found(root), tmp_path / "out", notes)
    assert [note.split(":")[0] for note in notes] == ["features are kept in float32, in twice the memory"]
    dataset = load(found(tmp_path / "out"), "A1", ())
    assert dataset.train.features.max() == 1e6
    assert (dataset.train.features.dtype, dataset.test.features.dtype) == (np.float32, np.float16)


def test_embedded_clicks_are_converted_too(root: Path, tmp_path: Path) -> None:
    for file in root.glob("*.txt"):
        file.unlink()
    convert(found(root), tmp_path / "out", [])
    spec = found(tmp_path / "out")
    assert spec.clicks[BACKGROUND_CLICKS] == {"embedded": ""}
    assert load(spec, "embedded", (BACKGROUND_CLICKS,)).train.background_clicks.sum() == 12


def test_another_number_of_snippets_than_converted_is_refused(converted: Path) -> None:
    says = "was converted to 40 snippets, and 50 are wanted; give dataset.snippets=40, or convert again"
    spec = found(converted, snippets=50)
    for call in (lambda: load(spec, "A1", ()), lambda: check(spec, (), ())):
        (problem,) = problems_of(call)
        assert says in problem


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 0xFF
    path.write_bytes(content)


def lead_out(path: Path) -> None:
    path.rename(path.parents[1] / "elsewhere.npy")
    path.symlink_to("../elsewhere.npy")


DAMAGE = {
    "a byte": (lambda root: flip(root / "train_features.npy"), "is damaged (train_features.npy has size and checksum"),
    "an end": (lambda root: os.truncate(root / "test_labels.npy", 130), "is damaged (test_labels.npy has size"),
    "a link": (lambda root: lead_out(root / "test_labels.npy"), "a file is a link to elsewhere"),
    "no manifest": (lambda root: (root / "manifest.json").write_text("{}"), "is not a whole manifest"),
    "other videos": (
        lambda root: edit_json(root / "gt_thumos14.json", lambda content: content["database"].pop("video_val_0001")),
        "its videos are not those of the ground truth",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_copy_is_refused(converted: Path, case: str) -> None:
    harm, says = DAMAGE[case]
    harm(converted)
    (problem,) = problems_of(lambda: check(found(converted), (), ()))
    assert says in problem


def test_arrays_that_do_not_fit_together_are_refused(converted: Path) -> None:
    """Sizes and checksums are right, the arrays are not."""
    from tal_search.data.features.shared import size_and_checksum

    unreadable = (converted / "train_features.npy").read_bytes().replace(b"(4, 8, 40), }", b"(4, 8, 40), (")
    for array, content, says in (
        ("test_duration", np.ones(2), "duration are float64 of shape (2,), not (3,)"),
        ("test_labels", np.float32(1), "labels are float32 of shape (), not (3, any)"),
        ("train_features", np.array([{}], object), "is pickled (an object array), which is never loaded"),
        ("train_features", unreadable, "train_features.npy has no readable header"),
    ):
        path, (split, name) = converted / f"{array}.npy", array.split("_")
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.save(path, content)
        manifest = json.loads((converted / "manifest.json").read_text())
        manifest[split]["files"][name] = size_and_checksum(path)
        manifest.pop("sha256", None)  # as earlier versions wrote it
        (converted / "manifest.json").write_text(json.dumps(manifest))
        (problem,) = problems_of(lambda: found(converted))
        assert says in problem


def test_nothing_is_left_of_a_conversion_that_fails(root: Path, tmp_path: Path) -> None:
    change(root / "test" / "video_test_0002.npz", feat_tem=np.full((4, 40), np.nan))
    problems_of(lambda: convert(found(root), tmp_path / "out", []))
    assert not list(tmp_path.glob("out*"))
    (problem,) = problems_of(lambda: convert(found(root), root, []))
    assert "exists and is not empty" in problem


def fitted(dataset: Dataset) -> None:
    """An epoch of a fit, and what it makes of three test videos."""
    narrow = Hyperparameters(hidden_channels=4, embedding_hidden=4, filter_hidden=4, batch_size=4)
    train = dataset.train
    method = BackTAL(narrow, train.features.shape[1], len(dataset.classes))
    fit = Fit(method, train, np.arange(len(train.videos)), 0, "float32", torch.device("cpu"))
    assert fit.epoch(1)["total"] > 0
    method.activations(dataset.test.subset(np.arange(3)))


def test_a_set_larger_than_memory_is_checked_converted_and_trained(
    root: Path, tmp_path: Path, one_thread: None
) -> None:
    """47 MiB of training features (94 before), of which no step ever holds 16."""
    fitted(load(found(root, snippets=40), "A1", (BACKGROUND_CLICKS,)))  # what is imported or compiled once
    large = found(make_dataset(tmp_path / "large", train=120, test=4, channels=512, snippets=400), snippets=400)
    held = {
        "surveyed": held_by(lambda: survey(large, [])),
        "converted": held_by(lambda: convert(large, tmp_path / "cache", [])),
    }
    cache = found(tmp_path / "cache", snippets=400)
    held["checked"] = held_by(lambda: check(cache, ("A1",), (BACKGROUND_CLICKS,)))
    held["loaded"] = held_by(lambda: load(cache, "A1", (BACKGROUND_CLICKS,)))
    dataset = load(cache, "A1", (BACKGROUND_CLICKS,))
    held["trained"] = held_by(lambda: fitted(dataset))
    assert dataset.train.features.nbytes > 46 << 20
    assert {step: count >> 20 for step, count in held.items() if count > 16 << 20} == {}


def test_memory_held_is_counted_for_arrays_and_for_tensors() -> None:
    """Else the test above would say nothing."""
    array = np.ones((64, 1 << 14), np.float32)
    mebibytes = {
        "an array": held_by(array.copy),
        "a tensor": held_by(lambda: torch.from_numpy(array).clone()),
        "many tensors": held_by(lambda: [torch.from_numpy(row).double() for row in array]),
        "one after the other": held_by(lambda: [torch.from_numpy(row).double().sum() for row in array]),
        "a view": held_by(lambda: torch.from_numpy(array)[1:]),
    }
    assert {name: round(count / 2**20) for name, count in mebibytes.items()} == {
        "an array": 4, "a tensor": 4, "many tensors": 8, "one after the other": 0, "a view": 0
    }  # fmt: skip
