"""The written definition: YAML that the reader takes, whatever the names are, with comments that stay comments."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tal_search.data.draft.choices import choices
from tal_search.data.draft.document import document, scalar
from tal_search.data.draft.look import Asked, look
from tests.support.own_dataset import make_own


@pytest.mark.parametrize(
    "text", ["a", "A b/c (d)", "yes", "null", "1e-4", "a: b", "a #b", '"', "\\", "x\ny", "é", "", " a", "-"]
)
def test_a_text_is_read_back(text: str) -> None:
    assert yaml.safe_load(f"[{scalar(text)}]") == [text]


def test_comments_hold_the_evidence_in_short_lines(tmp_path: Path) -> None:
    seen = look(make_own(tmp_path / "moves"), Asked())
    text = document(seen, choices(seen))
    assert "# stride: at 30 fps it explains the numbers of snippets and durations of all 12 videos" in text
    assert max(map(len, text.splitlines())) <= 120
    content = yaml.safe_load(text)
    assert content["description"] == "8 training and 4 test videos, 24 instances of 3 classes"
    assert (content["stride"], content["offset"], content["fps"], content["tiou"]) == (8, 16, 30, "0.3:0.7:0.1")
