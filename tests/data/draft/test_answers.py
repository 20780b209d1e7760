"""Every number of the answers, for a dataset whose numbers are known."""

from __future__ import annotations

from pathlib import Path

from tal_search.data.draft.answers import answers, labels_say, runnable
from tal_search.data.draft.choices import choices
from tal_search.data.draft.look import Asked, look
from tal_search.data.draft.truth_facts import LabelFacts
from tests.support.make_dataset import make_dataset

METHODS = {"labels": ("video labels",), "clicks": ("background clicks",), "points": ("action clicks",)}


def test_the_small_dataset(tmp_path: Path) -> None:
    seen = look(make_dataset(tmp_path / "npz"), Asked())
    said = dict(answers(seen, choices(seen), METHODS))
    assert said["Do the video labels say anything?"].startswith(
        "Yes: a training video with instances has 1.0 of 3 classes on average; 0 of 4 training videos"
    )
    lengths = said["How short are the instances beside a snippet?"]
    assert lengths.startswith("The median is 7.5 s, the shortest tenth 7 s or less")
    assert "as stored (every 1 to 1.07 s)" in lengths
    assert said["What is between the instances?"] == (
        "63.9% of 2.8 min of training video show no instance, in 12 gaps of 1 s or more; 0 videos without an instance; "
        "0 of 8 instances overlap another one, 0 one of their class"
    )
    assert said["What do the clicks cover?"] == (
        "background clicks of A1: 4.34 a minute, 0 of 12 gaps without one; "
        "background clicks of A2: 1.45 a minute, 8 of 12 gaps without one"
    )
    assert said["Which methods can run?"] == "labels, clicks; points lacks action clicks"
    assert "video labels 0.035 h" in said["What does annotation cost?"]  # 2.77 min at 45 s


def test_classes_that_labels_cannot_tell_apart_are_named() -> None:
    facts = LabelFacts(videos=4, classes=3, a_video=2.5, full=4, everywhere=("z",), together=(("x", "y"),))
    said = labels_say(facts)
    assert said.startswith("Little: ")
    assert "always together, so that labels cannot tell them apart: x + y; cut the videos" in said


def test_methods_without_clicks_can_always_run(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "npz")
    for path in root.glob("clicks*"):
        path.unlink()
    able, lacking = runnable(look(root, Asked()), METHODS)
    assert (able, lacking) == (["labels", "clicks"], {"points": ["action clicks"]})  # the files hold A1's clicks
