"""What a run shows while it works: phases, a line per trial, and the time left, in 80 columns."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

from tal_search.cli.progress import StudyView
from tal_search.cli.status_line import StatusLine
from tal_search.execution.driver import run_study
from tal_search.proposers.events import Failed, Finished, Pruned, Reported, Stalled, Started
from tal_search.trial.trial_types import EpochReport
from tests.support.consoles import lines, pipe, terminal
from tests.support.small_plans import plan_of
from tests.support.small_trials import counting_trial, make_result, make_spec

LONG = {f"a_hyperparameter_{number}": number for number in range(9)}


def test_a_pipe_gets_a_few_plain_lines(tmp_path: Path) -> None:
    wanted = [make_spec(seed, cell={"lambda_sep": 1.0}) for seed in range(3)]
    plan, console, phases = plan_of(tmp_path, wanted), pipe(), list[str]()
    with StudyView(console, plan) as view:
        run_study(
            plan,
            on_event=view.add,
            trial=counting_trial,
            on_phase=lambda words: (phases.append(words), view.phase(words))[0],
        )
    first, *trials, last = lines(console)
    assert first == "Training 0/3"
    assert [line.split("  ")[0] for line in trials] == ["[1/3]", "[2/3]", "[3/3]"]
    assert all(line.endswith(f"centre seed={seed}") for seed, line in enumerate(trials)), "one annotator goes unsaid"
    assert last.startswith("Trained 3 fits in 0:0")
    assert phases == ["opening the record", "saving the record"]


def test_the_line_of_a_trial_without_detections_says_why(tmp_path: Path) -> None:
    plan, console = plan_of(tmp_path, [make_spec(0)]), pipe()
    with StudyView(console, plan) as view:
        view.add(Started(plan.fits[0]))
        view.add(Finished(plan.fits[0], replace(make_result(plan.fits[0]), note="no detections: why")))
    assert any("seed=0: no detections: why" in line for line in lines(console))
    with StudyView(console := pipe(), plan) as view:
        varied = replace(plan.fits[0], settings=({"nms": 0.3},))
        view.add(Started(varied))
        view.add(Finished(varied, replace(make_result(varied), note="no detections: why")))
    assert "no detections: why (at the preset's inference settings; the tables have" in " ".join(lines(console))


def test_the_status_line_goes_through_the_phases_of_a_study(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [make_spec(seed, epochs=4) for seed in range(3)])
    first, second, third = plan.fits
    view = StudyView(terminal(), plan, status := StatusLine(terminal(), "reading data"))
    with view:
        assert view.status_text() == "reading data · 0:00"
        view.phase("starting Ray")
        view.add(Finished(first, make_result(first)))
        assert view.status_text().splitlines()[0] == "starting Ray · 1/3 done · 0:00"
        view.add(Started(second))
        assert view.status_text().splitlines()[0] == "training 1/3 · ETA after the first epochs · 1 running · 0:00"
        view.add(Reported(second, EpochReport(epoch=4, epochs=4, seconds=1.0, losses={})))
        assert view.status_text().splitlines()[0] == "training 1/3 · scoring · 1 running · 0:00"
        view.add(Pruned(second))
        view.add(Started(third))
        view.add(Failed(third, "the loss is not finite"))
        line, best = view.status_text().splitlines()
        assert line == "finishing · 3/3 done · 1 failed · 1 stopped early · 0:00"
        assert best.startswith("best on test, leaky: ")
        status.stop(signal.SIGINT)
        view.phase("saving the record")
        assert view.status_text().startswith("stopping · 3/3 done"), "nothing else is a phase then"
    assert any("the loss is not finite" in line for line in lines(view.console))


def test_long_cells_fit_a_terminal_of_80_columns(tmp_path: Path) -> None:
    wanted = [make_spec(seed, cell=LONG) for seed in range(2)]
    plan, console = plan_of(tmp_path, wanted), terminal()
    plan.centre_cell.update(dict.fromkeys(LONG, -1))
    view = StudyView(console, plan)
    for spec in plan.fits:
        view.add(Started(spec))
    view.add(Finished(plan.fits[0], make_result(plan.fits[0])))
    view.add(Failed(plan.fits[1], "its worker process died 4 times (killed, or out of memory)"))
    view.failed = view.pruned = 10**6
    printed = [*lines(console), *view.status_text().splitlines()]
    assert max(map(len, printed)) <= 80
    assert " ".join(" ".join(printed).split()).count("a_hyperparameter_8=8") == 2, "wrapped, not cut off"


def test_a_trial_without_progress_is_said_once_and_stays_in_the_status_line(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [make_spec(seed) for seed in range(2)])
    view = StudyView(terminal(), plan)
    first, second = plan.fits
    with view:
        for spec in (first, second):
            view.add(Started(spec))
        view.add(Stalled(second, "no progress for 1 min (last: epoch 3, step 2 of 13; GPU 1, process 8 on node)"))
        assert " · 1 without progress for 1:00 · " in view.status_text()
        said = " ".join(" ".join(lines(view.console)).split())
        words = "centre seed=1: no progress for 1 min (last: epoch 3, step 2 of 13; GPU 1, process 8 on node)"
        assert words in said
        view.add(Stalled(second, None))
        assert "without progress" not in view.status_text()
        assert any(line.endswith("centre seed=1: goes on") for line in lines(view.console))
        view.add(Stalled(first, "no progress for 1 min"))
        view.add(Failed(first, "killed"))
        assert "without progress" not in view.status_text()


def test_a_pipe_says_now_and_then_how_far_the_running_fits_are(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [make_spec(seed) for seed in range(3)])
    console = pipe()
    with StudyView(console, plan) as view:
        for spec in plan.fits[:2]:
            view.add(Started(spec))
        view.add(Reported(plan.fits[0], EpochReport(epoch=1, epochs=50, seconds=1.0, losses={})))
        assert lines(console) == ["Training 0/3"], "nothing before the first minutes are over"
        view.quiet_seconds = 0
        view.add(Reported(plan.fits[1], EpochReport(epoch=12, epochs=50, seconds=1.0, losses={})))
        assert lines(console)[-1].startswith("training 0/3 · ETA after the first epochs · 2 running · ")
        assert lines(console)[-1].endswith(" · epoch 1 of 50 · epoch 12 of 50")
    with StudyView(watched := terminal(), plan) as view:
        view.quiet_seconds = 0
        view.add(Started(plan.fits[0]))
        view.add(Reported(plan.fits[0], EpochReport(epoch=1, epochs=50, seconds=1.0, losses={})))
        assert not [line for line in lines(watched) if "epoch 1 of 50" in line], "the status line says it"
