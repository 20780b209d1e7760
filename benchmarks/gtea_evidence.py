"""Click-supervised methods on real GTEA videos, with frame scores of an SVM as features (instead of I3D).

    python -m benchmarks.gtea_evidence FOLDER [KEY=VALUE ...]

FOLDER holds `frame_scores_svm.npz` (11 scores a frame at 3 frames a second, 21 videos), `gtea_groundtruth.json` and the
clicks. Runs `studies/gtea_methods.yaml` with the overrides KEY=VALUE and prints its table. Changes to the data:

- Only videos with scores are used: 16 for training, 5 for the test.
- A twelfth channel of zeros is added, because SF-Net splits the channels in two. Its halves are the scores of six
  classes each, not RGB and flow.
- The scores end before their videos do. Each video is cut there: instances are clipped, and later clicks left out.
- Action clicks were made by people (set 1); background clicks are the released uniform samples. Both are annotator A1.

Network widths are those for 48 evidence channels, T = 400; the number of steps is about that of the simulated THUMOS14.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TypedDict

import numpy as np

from benchmarks.machine import machine
from tal_search.cli.main import main as tal_search
from tal_search.types import Floats

ZERO_CHANNELS = 1
WIDTHS = {
    "SF-Net": {"hidden_channels": 24, "epochs": 78},
    "BackTAL": {"hidden_channels": 24, "embedding_hidden": 12, "filter_hidden": 12, "embedding_dim": 8, "epochs": 130},
    "Representative segments": {"hidden_channels": 24, "epochs": 96},
}
SETTINGS = [
    "study=gtea_methods",
    "dataset.source=features",
    "dataset.snippets=400",
    "preset=simulated",
    "search.cases.BackTAL.inference.class_threshold=0.0625",  # as in BackTAL's preset adapted for GTEA
    *(f"search.cases.{case}.hyperparameters.{key}={value}" for case in WIDTHS for key, value in WIDTHS[case].items()),
]


class Instance(TypedDict):
    """An action in the ground truth; segment: start and end in seconds."""

    segment: list[float]
    label: str


class Entry(TypedDict):
    """A video of the ground truth; duration in seconds."""

    subset: str
    duration: float
    fps: float
    annotations: list[Instance]


def prepare(source: Path, target: Path) -> None:
    """Write GTEA's features, ground truth and clicks in BackTAL's layout, from the files in `source`."""
    with np.load(source / "frame_scores_svm.npz", allow_pickle=False) as file:
        fps = float(file["fps"])
        parts = np.split(file["scores"], file["offsets"][1:-1])
        scores_of = {str(name): scores_TD.T for name, scores_TD in zip(file["names"], parts, strict=True)}
    database: dict[str, Entry] = json.loads((source / "gtea_groundtruth.json").read_text())["database"]
    classes = sorted({instance["label"] for entry in database.values() for instance in entry["annotations"]})
    seconds = {name: scores_DT.shape[1] / fps for name, scores_DT in scores_of.items()}
    cut = {name: _cut(database[name], seconds[name]) for name in scores_of}
    truth = {"activity_list": classes, "database": cut}
    target.mkdir(parents=True, exist_ok=True)
    (target / "gt_gtea.json").write_text(json.dumps(truth))
    for name, scores_DT in scores_of.items():
        _write_features(target / cut[name]["subset"], name, scores_DT, cut[name], classes)
    _write_clicks(source, target, seconds, {name: cut[name]["fps"] for name in cut})


def _cut(entry: Entry, seconds: float) -> Entry:
    """A video's annotations, as if it ended after `seconds`."""
    inside = [instance for instance in entry["annotations"] if instance["segment"][0] < seconds]
    clipped: list[Instance] = [
        {**instance, "segment": [instance["segment"][0], min(instance["segment"][1], seconds)]} for instance in inside
    ]
    return {"subset": entry["subset"], "duration": seconds, "fps": entry["fps"], "annotations": clipped}


def _write_features(folder: Path, name: str, scores_DT: Floats, entry: Entry, classes: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    padded_DT = np.pad(scores_DT, ((0, ZERO_CHANNELS), (0, 0)))
    first, second = np.split(padded_DT, 2)
    present = {instance["label"] for instance in entry["annotations"]}
    np.savez_compressed(
        folder / f"{name}.npz",
        feat_spa=first,
        feat_tem=second,
        cls_label=np.array([label in present for label in classes], np.float32),
        vid_name=name,
        frame_num=round(entry["duration"] * entry["fps"]),
        fps=entry["fps"],
        duration=entry["duration"],
    )


def _write_clicks(source: Path, target: Path, seconds: dict[str, float], fps: dict[str, float]) -> None:
    """Write the clicks on the videos with scores, up to the end of the scores."""
    lines = (line.split(",") for line in (source / "clicks_action_1.txt").read_text().splitlines() if line.strip())
    kept = [",".join(fields) for fields in lines if float(fields[1]) <= seconds.get(fields[0], -1)]
    (target / "clicks_action_1.txt").write_text("\n".join(kept) + "\n")
    frames = json.loads((source / "clicks_background_uniform.json").read_text())
    inside = {
        name: [frame for frame in frames[name] if frame / fps[name] <= seconds[name]]
        for name in sorted(seconds.keys() & frames.keys())
    }
    (target / "clicks_background_1.json").write_text(json.dumps(inside))


def main() -> int:
    if len(sys.argv) < 2 or "=" in sys.argv[1]:
        print(__doc__)
        return 2
    print(machine())
    with tempfile.TemporaryDirectory() as target:
        root = Path(target) / "gtea_svm_scores"
        prepare(Path(sys.argv[1]), root)
        return tal_search(["run", *SETTINGS, f"dataset.root={root}", *sys.argv[2:]])


if __name__ == "__main__":
    sys.exit(main())
