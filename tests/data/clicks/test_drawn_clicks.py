"""Clickers: drawn annotators in place of click files, refused beside real clicks, and what labels them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tal_search.cli.commands.data import command
from tal_search.data.check import survey
from tal_search.data.clicks.annotation_rates import labelled
from tal_search.data.clicks.drawn_clicks import Clicker, Clickers, with_drawn_clicks
from tal_search.data.dataset_spec import DatasetSpec, simulation_label
from tal_search.data.features.timing import Timing
from tal_search.data.find import check, default_annotators, find, load
from tal_search.data.load import load_truths
from tal_search.data.simulation.clickers import DRAWN_CLICKERS, draw_clicks
from tal_search.data.simulation.videos import Simulation
from tal_search.data.truth.truths import background_gaps
from tal_search.errors import InputError
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, CLICKS, VIDEO_LABELS, Annotations
from tests.support.make_dataset import edit_json, found, problems_of
from tests.support.paths import ROOT

HAPT = ROOT.parent / "shared" / "data" / "hapt" / "stats-windows"
BOTH = (VIDEO_LABELS, *CLICKS)


def drawn(root: Path, clicker: Clicker = "uniform", **changes: object) -> DatasetSpec:
    clickers = Clickers(background=clicker, action=clicker, instead=True)
    return with_drawn_clicks(found(root), dataclasses.replace(clickers, **changes))  # type: ignore[arg-type]


def timeline(instances: list[tuple[float, float]], duration: float = 60.0, unclear: bool = False) -> Annotations:
    rows = np.zeros(len(instances), np.int64)
    truth = Annotations(
        videos=("v",), classes=("a",), video=rows, label=rows, segment=np.array(instances).reshape(-1, 2),
        duration=np.array([duration]),
    )  # fmt: skip
    empty = dataclasses.replace(truth, video=rows[:0], label=rows[:0], segment=np.zeros((0, 2)))
    return dataclasses.replace(empty, ambiguous=truth) if unclear else truth


SPANS = st.lists(st.tuples(st.floats(-5, 70), st.floats(0, 30)).map(lambda pair: (pair[0], sum(pair))), max_size=6)


@settings(max_examples=150, deadline=None)
@given(SPANS, st.sampled_from(DRAWN_CLICKERS), st.sampled_from(["S1", "S2", "S7"]), st.booleans())
def test_background_clicks_are_outside_all_instances_and_action_clicks_inside(
    instances: list[tuple[float, float]], clicker: str, annotator: str, unclear: bool
) -> None:
    truth = timeline(instances, unclear=unclear)
    for kind in CLICKS:
        try:
            clicks = draw_clicks(kind, clicker, annotator, truth, {"v": 60.0})
        except InputError:
            continue
        assert ((clicks.time >= 0) & (clicks.time <= 60)).all()
        inside = [[start <= time <= end for start, end in instances] for time in clicks.time]
        if kind == ACTION_CLICKS:
            assert all(any(row) for row in inside)
            assert len(clicks.time) <= len(instances)
        elif clicker != "human":
            lasting = [[ok and end > start for ok, (start, end) in zip(row, instances, strict=True)] for row in inside]
            assert not any(any(row) for row in lasting)
            every = timeline([(start, end) for start, end in instances if min(end, 60) > max(start, 0)])
            gaps = background_gaps(every, 0, 60.0)
            assert len(clicks.time) == (gaps[:, 1] - gaps[:, 0] >= 1 - 1e-6).sum()


def test_a_videos_clicks_depend_on_its_name_and_truth_alone(root: Path) -> None:
    truth = load_truths(drawn(root))[0]
    seconds = dict(zip(truth.videos, truth.duration.tolist(), strict=True))
    for kind in CLICKS:
        for clicker in DRAWN_CLICKERS:
            every = draw_clicks(kind, clicker, "S1", truth, seconds).by_video()
            some = dict(reversed([*seconds.items()][1:]))
            for video, times in draw_clicks(kind, clicker, "S1", truth, some).by_video().items():
                assert times.tolist() == every[video].tolist()
        one, other = (draw_clicks(kind, "uniform", name, truth, seconds).time.tolist() for name in ("S1", "S2"))
        assert len(one) == len(other)
        assert one != other


def test_short_gaps_zero_length_instances_and_the_end_of_the_features() -> None:
    truth = timeline([(0.9, 20.0), (20.8, 40.0), (41.0, 59.2), (50.0, 50.0)])
    (click,) = draw_clicks(BACKGROUND_CLICKS, "uniform", "S1", truth, {"v": 60.0}).time
    assert 40.0 < click < 41.0
    assert len(draw_clicks(ACTION_CLICKS, "uniform", "S1", truth, {"v": 60.0}).time) == 3
    assert len(draw_clicks(ACTION_CLICKS, "gaussian", "S1", truth, {"v": 41.0}).time) == 2


def test_videos_without_duration_and_draws_without_a_click_are_one_sentence() -> None:
    truth = timeline([(0.5, 59.5)])
    (problem,) = problems_of(lambda: draw_clicks(BACKGROUND_CLICKS, "uniform", "S1", truth, {"v": 60.0}))
    assert "no background clicks (uniform)" in problem
    assert "1 s or more" in problem
    (problem,) = problems_of(lambda: draw_clicks(ACTION_CLICKS, "uniform", "S1", timeline([]), {"v": 60.0}))
    assert "longer than 0 s" in problem
    unknown = timeline([(5.0, 9.0)], float("nan"))
    (problem,) = problems_of(lambda: draw_clicks(ACTION_CLICKS, "uniform", "S1", unknown, {"v": 60.0}))
    assert "1 training video has no duration (v)" in problem


def test_real_clicks_are_replaced_only_if_asked_for(root: Path) -> None:
    (problem,) = problems_of(lambda: drawn(root, instead=False))
    assert problem.startswith("dataset.clickers.background=uniform simulates background clicks")
    assert "clicks_background_A1.txt and 1 more" in problem
    assert "dataset.clickers.instead=true" in problem
    only_action = with_drawn_clicks(found(root), Clickers(action="uniform"))
    assert default_annotators(only_action, (ACTION_CLICKS,)) == ("S1", "S2", "S3")
    assert default_annotators(only_action, (BACKGROUND_CLICKS,)) == ("A1", "A2")
    spec = drawn(root, annotators=2)
    assert default_annotators(spec, CLICKS) == ("S1", "S2")
    assert spec.description.endswith(
        "simulated clicks (background uniform, action uniform) of S1 to S2 instead of real ones "
        "(clicks_background_A1.txt and 1 more)"
    )
    assert with_drawn_clicks(found(root), Clickers()) == found(root) == with_drawn_clicks(found(root), None)


def test_clicks_in_the_features_are_real(root: Path) -> None:
    for path in root.glob("clicks_*"):
        path.unlink()
    if "embedded" in found(root).clicks[BACKGROUND_CLICKS]:
        (problem,) = problems_of(lambda: drawn(root, instead=False))
        assert "in the feature files" in problem
    assert default_annotators(drawn(root), CLICKS) == ("S1", "S2", "S3")


def test_a_click_file_may_not_have_the_name_of_a_drawn_annotator(root: Path) -> None:
    (root / "clicks_background_A1.txt").rename(root / "clicks_background_S2.txt")
    (problem,) = problems_of(lambda: with_drawn_clicks(found(root), Clickers(action="human")))
    assert "clicks_background_S2.txt has the name of a simulated annotator" in problem


def test_drawn_clicks_train_cost_and_are_part_of_the_key(root: Path) -> None:
    spec = drawn(root)
    check(spec, ("S1", "S2", "S3"), CLICKS)
    videos = load(spec, "S1", BOTH).train
    assert videos.background_clicks.any()
    assert videos.action_clicks.any()
    assert not load(spec, "S1", (VIDEO_LABELS,)).train.background_clicks.any()
    truth = load_truths(spec)[0]
    seconds = dict(zip(truth.videos, truth.duration.tolist(), strict=True))
    rates = labelled(spec, "S1", BOTH).rates
    for kind in CLICKS:
        number = len(draw_clicks(kind, "uniform", "S1", truth, seconds).time)
        assert rates[kind] == pytest.approx(number * 60 / truth.duration.sum())
    prints = {spec.click_fingerprints[kind]["S1"] for kind in CLICKS for spec in (drawn(root), drawn(root, "human"))}
    assert len({print_[:12] for print_ in prints}) == 4
    assert (spec.code_source, found(root).code_source) == ("features+clickers", "features")


def test_a_smaller_budget_is_part_of_a_greater_one(root: Path) -> None:
    half, most = (
        load(dataclasses.replace(drawn(root), shares={"background_clicks": share}), "S1", BOTH).train.background_clicks
        for share in (0.4, 0.8)
    )
    assert 0 < half.sum() < most.sum()
    assert not (half & ~most).any()


def test_simulated_features_keep_their_clickers_unless_clicks_are_drawn() -> None:
    plain = found(None)
    spec = with_drawn_clicks(plain, Clickers(background="uniform"))
    assert default_annotators(plain, (BACKGROUND_CLICKS,)) == ("A1",)
    assert default_annotators(spec, (BACKGROUND_CLICKS,)) == ("S1", "S2", "S3")
    assert default_annotators(spec, (ACTION_CLICKS,)) == ("A1",)
    check(spec, ("S1",), (BACKGROUND_CLICKS,))


def test_labels() -> None:
    assert simulation_label("simulated", ()) == simulation_label("simulated", (ACTION_CLICKS,)) == "simulated data"
    assert simulation_label("features", (ACTION_CLICKS,)) == "simulated clicks"
    assert simulation_label("features", ()) == ""


def test_data_check_lists_simulated_clicks(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["check", str(root), "clickers.background=human", "clickers.instead=true"]) == 0
    shown = capsys.readouterr().out
    assert "simulated clicks (background human) of S1 to S3 instead of real ones" in " ".join(shown.split())
    assert "background clicks of S1 (simulated, human): " in shown
    assert [one.drawn for one in survey(drawn(root), [])[1]] == ["uniform"] * 6
    with pytest.raises(InputError, match="background=even"):
        command(["check", str(root), "clickers.background=even"])


def test_data_check_names_videos_without_duration_once(root: Path) -> None:
    def forget(content: dict[str, dict[str, dict[str, object]]]) -> None:
        for entry in content["database"].values():
            entry.pop("duration", None)

    edit_json(root / "gt_thumos14.json", forget)
    problems = problems_of(lambda: check(drawn(root), ("S1", "S2", "S3"), (BACKGROUND_CLICKS,)))
    assert any("training videos have no duration" in problem for problem in problems)
    assert len(dict.fromkeys(problems)) < 3


@pytest.mark.skipif(not HAPT.is_dir(), reason="needs ../shared")
def test_uniform_clicks_are_as_many_as_those_of_the_click_files() -> None:
    timing = Timing(stride=25, offset=25, fps=50)
    spec = find("hapt", "features", HAPT, None, None, 160, Simulation(), "actionformer", timing)
    splits, real = survey(spec, [])
    simulated = survey(with_drawn_clicks(spec, Clickers(background="uniform", action="uniform", instead=True)), [])[1]
    assert len(splits) == 2
    assert [one.clicks for one in simulated] == [one.clicks for one in real] == [470] * 3 + [998] * 3
