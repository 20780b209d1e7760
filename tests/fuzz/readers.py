"""The fuzzed readers of foreign files: first inputs of each, and a call on some bytes.

Seeds are files that the tests' own helpers write, and beginnings of real ones in tests/fixtures and, if there,
../shared.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tal_search.data import data_folder
from tal_search.data.clicks.clicks import ClickedVideos, read_clicks
from tal_search.data.definition import DatasetDefinition
from tal_search.data.definition_reader import read_definition
from tal_search.data.features.cache import open_cache
from tal_search.data.hapt.raw_files import read_recordings
from tal_search.data.truth.ambiguous import AMBIGUOUS, read_ambiguous
from tal_search.data.truth.annotations import read_annotations, read_detections
from tal_search.data.truth.labels import BACKGROUND, spelling
from tal_search.data.truth.truth_notes import training_notes, truth_notes
from tal_search.errors import InputError
from tal_search.study import load_study
from tal_search.study.effective_preset import preset_problems
from tests.fuzz.feature_readers import FEATURE_READERS
from tests.fuzz.reader import VIDEOS, Reader
from tests.support.definitions import INSTALLED
from tests.support.make_dataset import CLASSES, make_dataset
from tests.support.paths import FIXTURES, ROOT

THUMOS14 = INSTALLED["thumos14"]
REAL = (FIXTURES, ROOT.parent / "shared" / "data")
LABELS = (*CLASSES, "wash", "pour_spoon")
KNOWN = ClickedVideos(
    seconds=dict.fromkeys((*VIDEOS, "video_validation_0000170", "00_Desk1"), 300.0),
    fps=dict.fromkeys(VIDEOS, 10.0),
    classes=LABELS,
)


def _annotation_seeds(folder: Path) -> list[bytes]:
    seeds = [(make_dataset(folder) / "gt_thumos14.json").read_bytes()]
    for path in sorted(path for folder in REAL for path in folder.glob("*/*g*t*.json")):
        content = json.loads(path.read_text())
        if "database" in content:
            for subset in {entry["subset"] for entry in content["database"].values()}:
                videos = [(name, entry) for name, entry in content["database"].items() if entry["subset"] == subset]
                seeds.append(json.dumps({**content, "database": dict(videos[:3])}).encode())
    for label in (AMBIGUOUS, "ambiguous", "cliff diving", "high_jump", "background", "Jogging", "\\ud800", "\\n", ""):
        seeds.append(seeds[0].replace(CLASSES[0].encode(), label.encode(), 3))
    seeds.append(seeds[0].replace(b"[5.0, 12.0]", b"[-5, 99]").replace(b"[20.0, 28.0]", b"[50, 60]"))
    return [seed.replace(b'"val"', b'"validation"') for seed in seeds]


def _read_annotations(folder: Path, data: bytes) -> None:
    path = folder / "gt_x.json"
    path.write_bytes(data)
    for read in (lambda: data_folder.subset_by_video(path), lambda: data_folder.subsets_and_fps(path, THUMOS14.splits)):
        _refused_or_read(read)
    _refused_or_read(lambda: _read_truth(path, None))
    _refused_or_read(lambda: _read_truth(path, THUMOS14))
    _read_truth(path, DatasetDefinition(name="mine"))


def _read_truth(path: Path, dataset: DatasetDefinition | None) -> None:
    notes: list[str] = []
    truth = read_annotations(path, "validation", dataset, notes)
    assert np.isfinite(truth.segment).all()
    assert (truth.segment[:, 1] >= truth.segment[:, 0]).all()
    spellings = {spelling(name) for name in truth.classes}
    assert len(spellings) == len(truth.classes)
    assert spellings.isdisjoint((spelling(AMBIGUOUS), *BACKGROUND))
    assert truth.ambiguous is None or len(truth.ambiguous.label)
    notes += [*truth_notes(path, truth), *training_notes(path, truth, truth)]
    if notes:
        require_sentences(InputError(notes))


def _detection_seeds(folder: Path) -> list[bytes]:
    row = {"label": CLASSES[0], "score": 0.5, "segment": [1, 2.5]}
    results = {VIDEOS[0]: [row, {**row, "label": "another", "score": "1e-3"}], VIDEOS[1]: [], "x": [row]}
    seeds = [json.dumps({"results": results, "version": "VERSION 1.3", "external_data": {}}).encode()]
    content = json.loads((REAL[0] / "stpn" / "detections.json").read_text())
    for video, rows in list(content["results"].items())[:5]:
        seeds.append(json.dumps({"results": {video: rows[:3]}}).encode())
    return seeds


def _read_detections(folder: Path, data: bytes) -> None:
    path = folder / "found.json"
    path.write_bytes(data)
    _refused_or_read(lambda: read_detections(path, CLASSES, VIDEOS))
    _refused_or_read(lambda: read_detections(path, CLASSES, VIDEOS, "ignore"))
    found = read_detections(path, CLASSES, VIDEOS, "count")
    assert np.isfinite(found.segment).all()
    assert np.isfinite(found.score).all()


def _click_seeds(folder: Path) -> list[bytes]:
    paths = [*make_dataset(folder).glob("clicks_*"), *(path for place in REAL for path in place.glob("*/clicks_*"))]
    heads = [b"".join(path.read_bytes().splitlines(keepends=True)[:6])[:4000] for path in paths]
    made = (
        '\ufeffURLID,URL,TagID,Tag,Start,End,Time,State\nvideo_val_0000,x.mp4,20,"a,b",2,2,1,1\n',
        "video_val_0000,1.5,GolfSwing\n\nvideo_val_0001,2,HighJump\n",
        "class,class_index,start_frame,stop_frame,video_id,point\nGolfSwing,0,1,2,video_val_0001,25\n",
        '{"video_val_0000\\n": [30, 0, 1e3], "video_val_0001": []}',
    )
    return heads + [text.encode() for text in made]


def _read_clicks(folder: Path, data: bytes) -> None:
    path = folder / "clicks.txt"
    path.write_bytes(data)
    clicks = read_clicks(path, None, "A1", KNOWN, [])
    assert ((clicks.time >= 0) & (clicks.time <= 300)).all()


def _ambiguous_seeds(folder: Path) -> list[bytes]:
    return [b"video_test_0000006 0.0 1.4\nvideo_test_0000006 95.7 97.2\n", b"\xef\xbb\xbfa 1e0 2\r\n\r\n"]


def _read_ambiguous(folder: Path, data: bytes) -> None:
    path = folder / "ambiguous.txt"
    path.write_bytes(data)
    read_ambiguous(path)


def _converted_seeds(folder: Path) -> list[bytes]:
    """The manifest and the features of a converted set, one after the other."""
    root = _converted(folder)
    manifest, array = (root / "manifest.json").read_bytes(), (root / "train_features.npy").read_bytes()
    return [struct.pack("<I", len(manifest)) + manifest + array]


def _converted(folder: Path) -> Path:
    from tal_search.data.features.cache import convert
    from tal_search.data.find import find
    from tal_search.data.simulation.videos import Simulation

    root = folder / "converted"
    if not root.exists():
        source = make_dataset(folder / "source", train=2, test=1, channels=2, snippets=4)
        convert(find("thumos14", "features", source, None, None, 4, Simulation()), root, [])
    return root


def _read_converted(folder: Path, data: bytes) -> None:
    root = _converted(folder)
    size = int.from_bytes(data[:4], "little")
    (root / "manifest.json").write_bytes(data[4 : 4 + size])
    (root / "train_features.npy").write_bytes(data[4 + size :])
    _refused_or_read(lambda: open_cache(root, 4, checked=False))
    open_cache(root, 4, checked=True)


def _study_seeds(folder: Path) -> list[bytes]:
    """A study, then overrides, separated by zero bytes, which no command line can hold."""
    seeds = [path.read_bytes() for path in sorted((ROOT / "studies").glob("*.yaml"))]
    overrides = ("search.axes.lambda_sep=[1,2]", "hyperparameters.k_ratio=1/16", "~search.axes", "protocol.tiou=0.5")
    return [*seeds, *(seeds[0] + b"\0" + override.encode() for override in overrides)]


def _read_study(folder: Path, data: bytes) -> None:
    text, *overrides = data.split(b"\0")
    (folder / "x.yaml").write_bytes(text)
    load_study("x", [override.decode("utf-8", "replace") for override in overrides], folder)


def _definition_seeds(folder: Path) -> list[bytes]:
    presets = (
        b"presets: {backtal: {paper: {snippets: 100, hyperparameters: {lambda_sep: 1/2}, inference: {nms: .5}}}}\n"
    )
    published = b'published: [{system: a, supervision: instances, mAP: {"0.5": 12.5}, source: a page}]\n'
    folds = b"splits: {training: [train], test: [test]}\nclasses: [a, b]\nstride: 8\noffset: 16\nfps: 30\n"
    return [presets, published, folds, *(path.read_bytes()[-3000:] for path in (ROOT / "datasets").glob("*.yaml"))]


def _read_definition(folder: Path, data: bytes) -> None:
    path = folder / "mine.yaml"
    path.write_bytes(data)
    found = read_definition("mine", path)
    assert DatasetDefinition.from_json("mine", json.loads(json.dumps(found.to_json()))).classes == found.classes
    preset_problems(found).raise_if_any()


def _hapt_seeds(folder: Path) -> list[bytes]:
    """A file of labels and one of a sensor, separated by a zero byte."""
    return [
        b"1 1 5 2 30\n1 1 7 31 60\n\0" + b"0.918 -0.112 0.509\n" * 60,
        b"1 1 12 1 2\n\0" + b"1e0 -2 nan\n" * 50,
    ]


def _read_hapt(folder: Path, data: bytes) -> None:
    labels, _, sensor = data.partition(b"\0")
    (folder / "labels.txt").write_bytes(labels)
    for name in ("acc", "gyro"):
        (folder / f"{name}_exp01_user01.txt").write_bytes(sensor)
    for recording in read_recordings(folder, []):
        assert np.isfinite(recording.acceleration).all()
        assert all(0 <= one.start < one.end <= len(recording.acceleration) for one in recording.instances)


def _refused_or_read(read: Callable[[], object]) -> None:
    try:
        read()
    except InputError as error:
        require_sentences(error)


def require_sentences(error: InputError) -> None:
    """Require that every problem of an error can be printed in one line."""
    for problem in error.problems:
        assert problem, "an empty sentence"
        assert "\n" not in problem, problem
        problem.encode()


JSON_WORDS = ("database", "subset", "validation", "annotations", "segment", "label", "duration", "fps", "1e999", "NaN")
READERS = {
    **FEATURE_READERS,
    "annotations": Reader(_annotation_seeds, _read_annotations, (*JSON_WORDS, "activity_list")),
    "detections": Reader(_detection_seeds, _read_detections, ("results", "score", *JSON_WORDS, *VIDEOS)),
    "clicks": Reader(_click_seeds, _read_clicks, ("URLID", "Start", "class", "point", "video", *VIDEOS, *LABELS)),
    "ambiguous": Reader(_ambiguous_seeds, _read_ambiguous, ("1e999", "nan", "\u2028")),
    "converted": Reader(_converted_seeds, _read_converted, ("snippets", "embedded", "videos", "files", "train")),
    "definition": Reader(
        _definition_seeds, _read_definition, ("${", "presets", "published", "!!", "&a", "*a", "1e999")
    ),
    "hapt": Reader(_hapt_seeds, _read_hapt, ("1e999", "nan", "0x1", "1_0", "13")),
    "study": Reader(_study_seeds, _read_study, ("${", "search", "axes", "space", "!!", "&a", "*a", "1e-3")),
}
