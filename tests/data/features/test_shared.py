"""Features placed once per machine: mapped by every process, checked, made again where damaged; truths without them."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tal_search.data import load as loading
from tal_search.data.features import shared as shared_features
from tal_search.data.load import load, load_truths
from tal_search.nn.arrays import tensor
from tal_search.types import BACKGROUND_CLICKS, Annotations, Dataset, DatasetSpec, VideoSet, canonical_json
from tests.support.held_memory import held_by
from tests.support.make_dataset import SMALL, change, found, make_dataset


@pytest.fixture(autouse=True)
def _nothing_loaded() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    """As in a new process."""
    loading._without_clicks.cache_clear()
    loading._truths.cache_clear()


def specs(root: Path) -> dict[str, DatasetSpec]:
    truth = root / "gt_thumos14.json"
    return {
        "features": found(root),
        "simulated": found(None),
        "simulated on a real timeline": found(None, ground_truth=truth, clicks=root),
    }


SOURCES = ("features", "simulated", "simulated on a real timeline")


def assert_same(left: Annotations | VideoSet, right: Annotations | VideoSet) -> None:
    for field in dataclasses.fields(left):
        one, other = getattr(left, field.name), getattr(right, field.name)
        np.testing.assert_array_equal(one, other, err_msg=field.name)
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)


def assert_same_dataset(left: Dataset, right: Dataset) -> None:
    assert left.classes == right.classes
    for name in ("train", "test", "train_truth", "test_truth"):
        assert_same(getattr(left, name), getattr(right, name))


@pytest.mark.parametrize("source", SOURCES)
def test_truths_are_those_of_the_loaded_dataset_and_need_no_feature(
    root: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = specs(root)[source]
    dataset = load(spec, "A1", (BACKGROUND_CLICKS,))
    forget()
    for folder in ("val", "test"):
        shutil.rmtree(root / folder)
    monkeypatch.setattr(loading, "simulate", None)
    train, test = load_truths(spec)
    assert_same(train, dataset.train_truth)
    assert_same(test, dataset.test_truth)
    assert train.classes == dataset.classes
    assert (train.videos, test.videos) == (dataset.train.videos, dataset.test.videos)
    assert load_truths(spec)[0] is train  # kept for the next call


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("annotator", ["A1", "A2"])
def test_shared_arrays_are_those_of_a_dataset_of_ones_own(
    root: Path, tmp_path: Path, source: str, annotator: str
) -> None:
    spec, notes = specs(root)[source], list[str]()
    own = load(spec, annotator, (BACKGROUND_CLICKS,))
    for _ in ("the one that writes", "one that only opens"):
        forget()
        shared = load(spec, annotator, (BACKGROUND_CLICKS,), tmp_path / "shared", notes)
        assert_same_dataset(shared, own)
        assert load(spec, "A2", (BACKGROUND_CLICKS,), tmp_path / "shared").train.features is shared.train.features
    assert notes == []
    assert len(list((tmp_path / "shared").glob("*/manifest.json"))) == 1


def test_embedded_clicks_are_shared_too(root: Path, tmp_path: Path) -> None:
    for path in root.glob("clicks_*.txt"):
        path.unlink()
    spec = found(root)
    own = load(spec, "embedded", (BACKGROUND_CLICKS,))
    assert own.train.background_clicks.any()
    assert_same_dataset(load(spec, "embedded", (BACKGROUND_CLICKS,), tmp_path / "shared"), own)


def test_other_content_length_or_code_is_another_folder(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def places() -> int:
        return len(list((tmp_path / "shared").glob("*/manifest.json")))

    load(found(root), "A1", (BACKGROUND_CLICKS,), tmp_path / "shared")
    load(found(root, snippets=30), "A1", (BACKGROUND_CLICKS,), tmp_path / "shared")
    assert places() == 2
    change(root / "val" / "video_val_0000.npz", feat_spa=np.full((4, 40), 7, np.float32))
    assert load(found(root), "A1", (BACKGROUND_CLICKS,), tmp_path / "shared").train.features[0, 0, 0] == 7
    assert places() == 3
    forget()
    monkeypatch.setattr(shared_features, "_makers_version", lambda: "other code")
    load(found(root), "A1", (BACKGROUND_CLICKS,), tmp_path / "shared")
    assert places() == 4


def test_a_shared_array_cannot_be_written_to_and_becomes_a_tensor_without_a_copy(root: Path, tmp_path: Path) -> None:
    features = load(found(root), "A1", (BACKGROUND_CLICKS,), tmp_path / "shared").train.features
    with pytest.raises(ValueError, match="read-only"):
        features[0, 0, 0] = 1
    assert tensor(features).data_ptr() == features.ctypes.data  # and no warning, which would be an error


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


DAMAGE = {
    "a flipped bit": ("train_features.npy", flip),
    "a file cut short": ("test_features.npy", shorten),
    "a file gone": ("train_labels.npy", Path.unlink),
    "no manifest": ("manifest.json", Path.unlink),
    "half a manifest": ("manifest.json", shorten),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_arrays_are_made_again_and_said(root: Path, tmp_path: Path, damage: str) -> None:
    spec, notes = found(root), list[str]()
    own = load(spec, "A1", (BACKGROUND_CLICKS,))
    load(spec, "A1", (BACKGROUND_CLICKS,), tmp_path / "shared")
    name, break_it = DAMAGE[damage]
    (path,) = (tmp_path / "shared").glob(f"*/{name}")
    break_it(path)
    forget()
    assert_same_dataset(load(spec, "A1", (BACKGROUND_CLICKS,), tmp_path / "shared", notes), own)
    (note,) = notes
    assert note.startswith(f"{path.parent} is damaged (")
    assert note.endswith("); the features were read again")
    load(spec, "A2", (BACKGROUND_CLICKS,), tmp_path / "shared", notes)
    assert len(notes) == 1  # not again for the next trial
    forget()
    load(spec, "A1", (BACKGROUND_CLICKS,), tmp_path / "shared", notes)
    assert len(notes) == 1  # whole again


def test_what_a_killed_writer_left_is_replaced(root: Path, tmp_path: Path) -> None:
    spec, notes = found(root), list[str]()
    place = shared_features.place_of(tmp_path / "shared", spec.fingerprint, spec.snippets)
    unfinished = place.with_name(f"{place.name}.unfinished")
    unfinished.mkdir(parents=True)
    (unfinished / "train_features.npy").write_bytes(b"half")
    load(spec, "A1", (BACKGROUND_CLICKS,), tmp_path / "shared", notes)
    assert (place / "manifest.json").is_file()
    assert not unfinished.exists()
    assert notes == []


def test_without_room_or_right_to_write_every_process_keeps_its_own(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = found(root)
    own = load(spec, "A1", (BACKGROUND_CLICKS,))
    (tmp_path / "file").write_text("")
    usage = shutil.disk_usage(tmp_path)
    for folder, reason in ((tmp_path / "file" / "shared", "Not a directory"), (tmp_path / "full", "No space left")):
        if folder.name == "full":  # nearly full: the arrays would fit, and the trials' checkpoints no more
            monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=own.train.features.nbytes))
        forget()
        notes: list[str] = []
        assert_same_dataset(load(spec, "A1", (BACKGROUND_CLICKS,), folder, notes), own)
        (note,) = notes
        assert reason in note
        assert note.endswith("every trial of this machine keeps features of its own in memory")
        assert list(folder.glob("*/*")) == []


PROCESS = """
import json, re, sys, tracemalloc
from pathlib import Path
import numpy as np
from tal_search.data import load as loading
from tal_search.types import DatasetSpec

def mapped():
    text = Path("/proc/self/smaps").read_text()  # of each file a line with its path, then lines with numbers
    files = re.findall(r"^[0-9a-f]+-.* " + re.escape(sys.argv[2]) + r"/.*\\n((?:[A-Z].*\\n)+)", text, re.MULTILINE)
    return sum(1024 * int(re.search(r"^Pss: *(\\d+) kB", lines, re.MULTILINE)[1]) for lines in files)

def own():
    arrays = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([arrays]).traces)

made, simulate = [], loading.simulate
loading.simulate = lambda *arguments: (made.append(1), simulate(*arguments))[1]
spec = DatasetSpec(**json.loads(sys.argv[1]))
print(flush=True)
sys.stdin.readline()
tracemalloc.start()
dataset = loading.load(spec, "A1", ("background clicks",), Path(sys.argv[2]))
sums = [float(videos.features.sum(dtype=np.float64)) for videos in (dataset.train, dataset.test)]  # touch every page
print(json.dumps([len(made), sums]), flush=True)
sys.stdin.readline()
print(json.dumps([mapped(), own()]), flush=True)
sys.stdin.readline()
"""


def test_three_processes_hold_one_copy_in_memory_that_one_of_them_made(tmp_path: Path) -> None:
    wide = dataclasses.replace(SMALL, train_videos=150, test_videos=150, channels=224)
    spec = found(None, simulation=wide, snippets=750)
    command = [sys.executable, "-c", PROCESS, canonical_json(dataclasses.asdict(spec)), str(tmp_path / "shared")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]

    def answers() -> list[str]:
        lines = [process.stdout.readline() for process in processes if process.stdout is not None]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        return lines

    try:
        answers()  # all three begin at once
        loaded = [json.loads(line) for line in answers()]
        held = np.array([json.loads(line) for line in answers()])
    finally:
        for process in processes:
            process.communicate()
    copy = sum(path.stat().st_size for path in (tmp_path / "shared").glob("*/*.npy"))
    assert 0.5 < copy / (300 * 224 * 750 * 4) < 0.51  # of what float32 takes
    assert sorted(made for made, _ in loaded) == [0, 0, 1]
    assert loaded[0][1] == loaded[1][1] == loaded[2][1]
    mapped, own = (held / copy).T
    assert 0.9 < mapped.sum() < 1.01, "of pages that processes share each counts its part"
    assert (own < 0.1).all()  # clicks, a byte a snippet and class


def test_shared_arrays_are_made_with_one_video_in_memory_at_a_time(root: Path, tmp_path: Path) -> None:
    """47 MiB of training features, made by a process that never holds 16."""
    shared, notes = tmp_path / "shared", list[str]()
    load(found(root), "A1", (), shared)  # what is imported once
    large = found(make_dataset(tmp_path / "large", train=120, test=4, channels=512, snippets=400), snippets=400)
    assert held_by(lambda: load(large, "A1", (), shared, notes)) < 16 << 20
    assert load(large, "A1", (), shared, notes).train.features.nbytes > 46 << 20
    assert notes == []
