"""`tal-search clicks stats`: statistics of the real files, and counts equal to those of a plain loop."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.cli.commands.clicks import command
from tal_search.data.clicks.click_statistics import ClickStatistics, statistics_of
from tal_search.data.clicks.clicks import Clicks
from tal_search.data.truth.truths import background_gaps, lasting
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, Annotations
from tests.support.make_dataset import problems_of
from tests.support.paths import FIXTURES

# annotator → clicks, videos, clicks inside an instance; 2880 gaps, of which "about 21-36 %" have no click
REAL = {"A1": (2264, 200, 175, 36), "A2": (2323, 199, 52, 21), "A3": (2344, 199, 175, 28)}


def test_the_facts_of_the_released_background_clicks(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared / "data" / "thumos14"
    assert command(["stats", *(str(folder / f"clicks_background_{name}.txt") for name in REAL)]) == 0
    blocks = capsys.readouterr().out.split(str(folder))[1:]
    for (name, (rows, videos, inside, missed)), block in zip(REAL.items(), blocks, strict=True):
        assert f"clicks_background_{name}.txt: {rows} background clicks in {videos} of 200 videos" in block
        assert "of 696.7 min" in block
        assert f"inside an instance: {inside} (" in block
        share, gaps = re.findall(r"gaps without a click: \d+ \(([\d.]+) %\) of (\d+)", block)[0]
        assert (round(float(share)), gaps) == (missed, "2880")
        deciles = [float(value) for value in block.rsplit(":", 1)[1].split()]
        assert sum(deciles) == pytest.approx(100, abs=0.5)
        assert 7 <= round(min(deciles)) <= round(max(deciles)) <= 12, "near uniform"


def test_the_facts_of_released_action_clicks(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared / "data" / "thumos14"
    assert command(["stats", str(folder / "clicks_action_1.txt"), f"ground_truth={folder / 'gt_thumos14.json'}"]) == 0
    human = capsys.readouterr().out
    assert "2980 action clicks in 200 of 200 videos" in human
    assert "inside an instance of their class: 2859 (95.9 %)" in human
    assert "instances without a click: 155 (5.2 %) of 3003" in human


def test_the_facts_of_released_action_clicks_beside_boundaries(capsys: pytest.CaptureFixture[str]) -> None:
    folder = FIXTURES / "thumos14"
    clicks, truth = folder / "clicks_action_gaussian_lacp.csv", folder / "gt_hrpro.json"
    assert command(["stats", str(clicks), f"ground_truth={truth}"]) == 0
    machine = capsys.readouterr().out
    assert "carries ground-truth boundaries beside the clicks; they are not read" in machine
    assert "3003 action clicks in 200 of 200 videos" in machine
    assert "inside an instance of their class: 3003 (100.0 %)" in machine
    assert "instances without a click: 4 (0.1 %) of 3007" in machine


def test_every_file_that_cannot_be_used_is_named_at_once(tmp_path: Path, root: Path) -> None:
    (root / "bad.txt").write_text("nothing")
    problems = problems_of(lambda: command(["stats", str(root / "bad.txt"), str(root / "clicks_background_A9.txt")]))
    assert "bad.txt: is not a click file" in problems[0]
    assert "clicks_background_A9.txt: cannot be read" in problems[1]
    assert "takes one click file or more, not none" in problems_of(lambda: command(["stats"]))[0]
    assert "'count' is unknown" in problems_of(lambda: command(["count", "x"]))[0]
    assert "'--all' is unknown" in problems_of(lambda: command(["stats", "--all"]))[0]


def naive(clicks: Clicks, truth: Annotations) -> tuple[int, int, int, list[float]]:
    """Clicks inside, spans, spans missed, relative positions; one click and one span at a time."""
    background = clicks.kind == BACKGROUND_CLICKS
    inside, spans, missed, positions = 0, 0, 0, []
    for video in range(len(truth.videos)):
        instances = [
            (start, end, label)
            for (start, end), label, of in zip(truth.segment.tolist(), truth.label, truth.video, strict=True)
            if of == video and start < end
        ]
        mine = [
            (time, label)
            for time, label, of in zip(clicks.time, clicks.label, clicks.video, strict=True)
            if of == video
        ]
        places = instances
        if background:
            gaps = background_gaps(lasting(truth), video, truth.duration[video])
            places = [(start, end, -1) for start, end in gaps]
        for time, label in mine:
            inside += any(start <= time <= end and (background or of == label) for start, end, of in instances)
            around = [
                (start, end)
                for start, end, of in places
                if of == label and start <= time and (time < end if background else time <= end)
            ]
            if around:
                start, end = min(around, key=lambda span: span[1] - span[0])
                positions.append((time - start) / (end - start))
        for start, end, of in places:
            spans += 1
            missed += not any(
                of == label and start <= time and (time < end if background else time <= end) for time, label in mine
            )
    return inside, spans, missed, positions


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([BACKGROUND_CLICKS, ACTION_CLICKS]))
def test_statistics_are_what_a_loop_counts(seed: int, kind: str) -> None:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(0, 9))
    start = generator.uniform(0, 20, count).round(1)
    length = generator.uniform(0.1, 9, count) * (generator.random(count) > 0.2)  # a fifth have none
    truth = Annotations(
        videos=("a", "b", "c"), classes=("x", "y"), video=np.sort(generator.integers(0, 3, count)),
        label=generator.integers(0, 2, count), segment=np.stack([start, start + length], 1),
        duration=np.full(3, 30.0),
    )  # fmt: skip
    times = [*generator.uniform(0, 30, 9), *start]
    rows = [
        (int(generator.integers(3)), float(generator.choice(times)), -1 if kind == BACKGROUND_CLICKS else int(label))
        for label in generator.integers(0, 2, int(generator.integers(0, 12)))
    ]
    clicks = Clicks.of(kind, "A1", truth.videos, rows)
    found: ClickStatistics = statistics_of(clicks, truth)
    inside, spans, missed, positions = naive(clicks, truth)
    assert (found.inside, found.spans, found.missed) == (inside, spans, missed)
    expected = np.histogram(positions, 10, (0, 1))[0] / max(1, len(positions))
    np.testing.assert_allclose(found.deciles, expected)
