"""What keeps test videos out of training and selection, and says where a number was chosen on them.

That no proposal and no pruning of an adaptive search depends on a test score: test_sampled.py,
`test_no_proposal_and_no_pruning_depends_on_a_test_score`. That an epoch selected by held-out videos is scored on the
test split once: test_holdout.py.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from tal_search.cli.console import styled
from tal_search.cli.main import main
from tal_search.cli.progress import StudyView
from tal_search.cli.summary import show_results
from tal_search.data import load as loading
from tal_search.data.find import check, load
from tal_search.data.splits import holdout_split
from tal_search.execution.driver import run_study
from tal_search.plan.plan import resolve
from tal_search.record.record import Record
from tal_search.trial.folder import TrialFolder
from tal_search.trial.run import Progress, run_trial
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import BACKGROUND_CLICKS, Dataset, VideoSet
from tests.support.make_dataset import found, problems_of
from tests.support.mlflow_contents import local, runs_of
from tests.support.small_fits import make_data, make_spec
from tests.support.small_trials import counting_trial
from tests.support.study_files import load as load_study_text


def test_a_video_in_both_splits_is_refused_by_name_before_training(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("video_test_0001", "video_test_0002"):
        shutil.copy(root / "test" / f"{name}.npz", root / "val")
    sentence = (
        "videos in the training split and in the test split (2): video_test_0001, video_test_0002; "
        "remove each from one of them"
    )
    assert sentence in problems_of(lambda: check(found(root), ("A1",), (BACKGROUND_CLICKS,)))
    runs = tmp_path / "runs"
    settings = [f"dataset.root={root}", "dataset.source=features", f"runs={runs}", "backend=inline"]
    assert main(["run", "study=thumos_single", *settings]) == 2
    assert sentence in capsys.readouterr().err
    assert not runs.exists(), "nothing was begun"


@pytest.mark.parametrize("source", ["features", "simulated"])
def test_no_source_can_load_a_video_into_both_splits(source: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = found(root if source == "features" else None, source)
    dataset = load(spec, "A1", (BACKGROUND_CLICKS,))
    assert not set(dataset.train.videos) & set(dataset.test.videos)
    loading.LOADED.clear()
    name = "feature_splits" if source == "features" else "simulated_splits"
    splits = getattr(loading, name)

    def leaking(*given: Any) -> tuple[VideoSet, VideoSet]:
        train, test = splits(*given)
        return train, dataclasses.replace(test, videos=(*test.videos[:-1], train.videos[2]))

    monkeypatch.setattr(loading, name, leaking)
    (problem,) = problems_of(lambda: load(spec, "A1", (BACKGROUND_CLICKS,)))
    assert problem.startswith(f"videos in the training split and in the test split (1): {dataset.train.videos[2]};")


@pytest.mark.usefixtures("one_thread")
def test_held_out_videos_teach_nothing_and_their_draw_is_noted_with_the_trial(tmp_path: Path) -> None:
    """Losses and weights stay the same to the bit where features, labels and clicks of the held-out videos change."""
    data = make_data()
    spec = make_spec(data, selection="holdout", epochs=2)
    dataset = load(data, "A1", (BACKGROUND_CLICKS,))
    held = holdout_split(dataset.train.labels, 0.3, 0)[1]
    fits = []
    for changed in (dataset, unlike(dataset, held)):
        progress, _ = Progress.open(spec, TrialFolder(tmp_path / "unused"), changed, "cpu")
        losses = [progress.fit.epoch(number) for number in (1, 2)]
        fits.append((losses, {name: tensor.numpy() for name, tensor in progress.fit.weights().items()}))
    assert fits[0][0] == fits[1][0]
    for name, weights in fits[0][1].items():
        np.testing.assert_array_equal(weights, fits[1][1][name])
    folder = TrialFolder(tmp_path / "trial")
    steps: Iterator[Any] = run_trial(spec, folder, device="cpu")
    next(steps)
    noted = json.loads((folder.path / "spec.json").read_text())["protocol"]
    assert (noted["selection"], noted["holdout_fraction"], noted["holdout_seed"]) == ("holdout", 0.3, 0)
    other = dataclasses.replace(spec, protocol={**spec.protocol, "holdout_seed": 1})
    assert other.key != spec.key, "another draw is another experiment"


def unlike(dataset: Dataset, rows: np.ndarray) -> Dataset:
    """The same with other features and clicks in the videos at `rows`; their labels decide the draw and stay."""
    features, clicks = dataset.train.features.copy(), dataset.train.background_clicks.copy()
    features[rows] = 1 - features[rows]
    clicks[rows] = ~clicks[rows]
    return dataclasses.replace(
        dataset, train=dataclasses.replace(dataset.train, features=features, background_clicks=clicks)
    )


PLANS = {
    "axes": "search: {axes: {lambda_sep: [0.5, 2]}}",
    "cases": "search: {plan: cases, cases: {full: {}, other: {hyperparameters: {lambda_sep: 2}}}}",
}
BEST = 0.8765  # of an epoch that nobody selected


def leaky_trial(spec: TrialSpec, folder: TrialFolder) -> Iterator[Any]:
    yield from counting_trial(
        dataclasses.replace(spec, hyperparameters={**spec.hyperparameters, "seconds": 0.0}), folder
    )
    result = folder.result()
    assert result is not None
    folder.write_result(dataclasses.replace(result, best_on_test_epoch=1, best_on_test_mAP=BEST))


@pytest.mark.parametrize("plan_name", PLANS)
def test_a_number_chosen_on_the_test_split_says_so_wherever_it_is_written(plan_name: str, tmp_path: Path) -> None:
    text = f"dataset: {{source: simulated}}\nhyperparameters: {{epochs: 2}}\n{PLANS[plan_name]}\n"
    plan = resolve(
        load_study_text(
            tmp_path, text, f"runs={tmp_path / 'runs'}", "backend=inline", "protocol.tiou=[.3,.5,.7]", "study.fork=grid"
        )
    )
    screen = Console(record=True, width=300)
    with StudyView(screen, plan) as view:
        outcome = run_study(plan, on_event=view.add, trial=leaky_trial)
        status = str(view.status_text())
    show_results(plan, outcome, screen)
    assert "best on test, leaky: " in status
    folder = plan.study.runs / plan.study.name
    pages = [screen.export_text(), *(path.read_text() for path in folder.glob("*.md"))]
    assert len(pages) > 1
    assert not any(shown(BEST) in page for page in pages), "a table for people has no such number"
    for path in folder.glob("*.csv"):
        frame = pd.read_csv(path)
        named = [column for column in frame if any(is_best(value) for value in frame[column])]
        assert all("leaky" in column for column in named)
        assert bool(named) is (plan_name == "axes")
    for trial in outcome.trials.values():
        content = json.loads((TrialFolder.of(plan.study.runs, trial.spec.key).path / "result.json").read_text())
        assert [name for name, value in content["result"].items() if is_best(value)] == ["best_on_test_mAP"]
    _, children = runs_of(local(plan.study.runs))
    for child in children:
        assert [name for name, value in child.data.metrics.items() if is_best(value)] == ["best_on_test_leaky/mAP"]
    with Record.open(folder / "record.db", plan.study.name, {}) as record:
        stored = record.storage.get_all_trials(record.storage.get_study_id_from_name(plan.study.name))
    assert not any(is_best(trial.value) or any(map(is_best, trial.intermediate_values.values())) for trial in stored)


def is_best(value: object) -> bool:
    """In either of the units in use: a fraction, or percent."""
    return isinstance(value, float) and any(abs(value - BEST * unit) < 1e-9 for unit in (1, 100))


def shown(value: float) -> str:
    return f"{100 * value:.1f}"


def test_a_run_says_loudly_that_a_click_file_carries_ground_truth(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """LACP's files have the boundaries of the clicked instance beside each click."""
    lines = [
        f"video_val_{number:04d},{('CliffDiving', 'GolfSwing', 'HighJump')[number % 3]},60,50,120"
        for number in range(4)
    ]
    path = root / "clicks_action_A1.csv"
    path.write_text("\n".join(["video_id,class,point,start,stop", *lines]) + "\n")
    settings = [
        f"dataset.root={root}", "dataset.source=features", "method=sfnet", "hyperparameters={epochs: 1}",
        "search={repeats: {seeds: [0]}}", "dataset.snippets=40", "backend=inline", "tracking.mlflow=false",
        f"runs={tmp_path / 'runs'}",
    ]  # fmt: skip
    assert main(["run", "study=thumos_single", *settings]) == 0
    out = capsys.readouterr().out
    assert f"WARNING: {path} carries ground-truth boundaries beside the clicks; they are not read" in out
    assert out.index("WARNING") < out.index("mAP@")
    assert "bold red" in str(styled(f"WARNING: {path}").style)
    assert not styled(str(path)).style
