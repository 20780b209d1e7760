"""Ground truths with instances labelled Ambiguous: STPN's with the released list, and the small dataset's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tal_search.data.truth.ambiguous import AMBIGUOUS, read_ambiguous
from tests.support.make_dataset import edit_json
from tests.support.paths import FIXTURES

LIST = FIXTURES / "thumos14/ambiguous_test.txt"
DETECTIONS = FIXTURES / "stpn/detections.json"
SAYS = (
    "labelled Ambiguous, which is not a class; protocol thumos14 ignores false detections that touch one, activitynet "
)


def labelled(folder: Path) -> Path:
    """STPN's ground truth with the instances of the ambiguous list under that label, before the others."""
    content, listed = json.loads((FIXTURES / "stpn/ground_truth.json").read_text()), read_ambiguous(LIST)
    for video, segment in zip(listed.video, listed.segment.tolist(), strict=True):
        entry = content["database"].get(listed.videos[video], {"annotations": []})
        entry["annotations"].insert(0, {"segment": segment, "label": AMBIGUOUS})
    path = folder / "labelled.json"
    path.write_text(json.dumps(content))
    return path


def add_ambiguous(root: Path) -> Path:
    """Give each video of the small dataset an ambiguous instance at 14 to 18 s, listed among the activities."""

    def edit(content: dict[str, Any]) -> None:
        content["activity_list"].insert(1, AMBIGUOUS)
        for video in content["database"].values():
            video["annotations"].insert(1, {"segment": [14, 18], "label": AMBIGUOUS})

    edit_json(root / "gt_thumos14.json", edit)
    return root
