"""What is proposed, and what is said not to be inferred."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tal_search.data.draft.choices import LONG_TIOU, SHORT_TIOU, choices
from tal_search.data.draft.look import Asked, look
from tests.support.make_dataset import edit_json, make_dataset
from tests.support.own_dataset import make_own


def test_long_instances_get_thresholds_of_activitynet(tmp_path: Path) -> None:
    root = make_own(tmp_path / "moves")
    assert choices(look(root, Asked())).tiou == SHORT_TIOU

    def lengthen(content: dict[str, dict[str, dict[str, object]]]) -> None:
        for video in content["database"].values():
            video["annotations"] = [{"segment": [1, 12], "label": "hop"}]

    edit_json(root / "gt_moves.json", lengthen)
    chosen = choices(look(root, Asked()))
    assert chosen.tiou == LONG_TIOU
    assert next(choice for choice in chosen.inferred if choice.key == "tiou").evidence.endswith(
        "as in ActivityNet and HACS"
    )


def test_folders_and_subsets_of_a_split_are_both_named(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "npz")
    (root / "val").rename(root / "training")
    (root / "gt_thumos14.json").rename(root / "gt_own.json")
    chosen = choices(look(root, Asked()))
    assert (chosen.training, chosen.test) == (("val", "training"), ("test",))


def test_rescaled_features_are_named(tmp_path: Path) -> None:
    root = make_own(tmp_path / "moves")
    for path in root.glob("*.npy"):
        np.save(path, np.load(path)[:20])
    (missing, *_) = choices(look(root, Asked())).missing
    assert missing.why == "every video has 20 snippets, whatever its length: they were rescaled"


def test_another_stride_that_fits_is_named(tmp_path: Path) -> None:
    root = make_own(tmp_path / "moves", people=3, takes=1)
    found = {gap.key: gap.why for gap in choices(look(root, Asked())).missing}
    assert "offset" in found
    assert "source" in found
