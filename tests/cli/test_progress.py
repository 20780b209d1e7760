"""What a run shows while it works: phases, a line a trial, the time left, and an answer to a signal, in 80 columns."""

from __future__ import annotations

import io
import signal
from pathlib import Path

import pytest
from rich.console import Console

from tal_search.cli.main import main
from tal_search.cli.progress import StudyView
from tal_search.cli.status_line import INTERRUPTED, StatusLine, clock, working
from tal_search.cli.summary import show_results
from tal_search.cli.text_table import TextTable, drawn
from tal_search.errors import Interrupted
from tal_search.execution.driver import run_study
from tal_search.proposers.events import Failed, Finished, Pruned, Reported, Started
from tal_search.trial.trial_types import EpochReport
from tests.support.small_dashboards import Made
from tests.support.small_plans import plan_of
from tests.support.small_trials import counting_trial, make_result, make_spec

LONG = {f"a_hyperparameter_{number}": number for number in range(9)}


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, height=24, highlight=False, color_system=None)


def pipe() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=80, highlight=False)


def lines(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


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


def test_the_status_line_goes_through_the_phases_of_a_study(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [make_spec(seed, epochs=4) for seed in range(3)])
    first, second, third = plan.fits
    view = StudyView(terminal(), plan, status := StatusLine(terminal(), "reading data"))
    with view:
        assert view._status() == "reading data · 0:00"
        view.phase("starting Ray")
        view.add(Finished(first, make_result(first)))
        assert view._status().splitlines()[0] == "starting Ray · 1/3 done · 0:00"
        view.add(Started(second))
        assert view._status().splitlines()[0] == "training 1/3 · ETA after the first epochs · 1 running · 0:00"
        view.add(Reported(second, EpochReport(epoch=4, epochs=4, seconds=1.0, losses={})))
        assert view._status().splitlines()[0] == "training 1/3 · scoring · 1 running · 0:00"
        view.add(Pruned(second))
        view.add(Started(third))
        view.add(Failed(third, "the loss is not finite"))
        line, best = view._status().splitlines()
        assert line == "finishing · 3/3 done · 1 failed · 1 stopped early · 0:00"
        assert best.startswith("best on test, leaky: ")
        status.stop(signal.SIGINT)
        view.phase("saving the record")
        assert view._status().startswith("stopping · 3/3 done"), "nothing else is a phase then"
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
    printed = [*lines(console), *view._status().splitlines()]
    assert max(map(len, printed)) <= 80
    assert " ".join(" ".join(printed).split()).count("a_hyperparameter_8=8") == 2, "wrapped, not cut off"


def test_ctrl_c_while_data_is_read_is_answered_from_another_thread() -> None:
    console, before = pipe(), [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(Interrupted) as raised, working(console, "reading data") as status:
        signal.raise_signal(signal.SIGTERM)
    assert raised.value.exit_code == 143
    assert status.ending
    assert sorted(lines(console)) == [INTERRUPTED, "Stopping …"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_terminal_has_its_cursor_back_after_a_signal() -> None:
    console = terminal()
    with pytest.raises(Interrupted), working(console, "reading data"):
        signal.raise_signal(signal.SIGINT)
    text = "\n".join(lines(console))
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


@pytest.mark.parametrize("tables", [False, True])
def test_the_end_of_a_run_fits_a_terminal_of_80_columns(swept: Made, tables: bool) -> None:
    console = terminal()
    show_results(swept.plan, swept.outcome, console, tables=tables)
    printed = lines(console)
    assert max(len(line) for line in printed if str(swept.runs) not in line) <= 80
    text = "\n".join(printed)
    assert "worst to best value" in text
    axes = [line for line in printed if " — simulated" in line]
    assert len(axes) == (1 + len(swept.plan.axes) if tables else 1)
    assert text.count("no number published") == tables, "once for all"
    assert text.count("--tables") == (not tables)
    assert [line.split(":")[0] for line in printed[-3:]] == ["Tables", "Dashboards", "As files"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["complexity", "method=all"],
        ["run", "study=thumos_grid", "dataset.source=simulated", "--preview"],
        ["run", "--list"],
    ],
    ids=" ".join,
)
def test_commands_fit_80_columns(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(arguments) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed
    assert max(map(len, printed)) <= 80


def test_a_narrow_terminal_leaves_out_optional_columns_and_cuts_no_number() -> None:
    table = TextTable(
        "Cells", ["axis", "average 0.3:0.7", "mAP@0.5", "verdict", "paper"],
        [["1 (centre)", "12.5±1.9", "18.1[0,43]", "needs 25 seeds", "not available"]],
        left=("axis", "verdict"), optional=("average 0.3:0.7",),
    )  # fmt: skip
    for width, whole in ((80, True), (46, False)):
        console = Console(file=io.StringIO(), width=width)
        console.print(drawn(table, "data", width))
        text = "\n".join(lines(console))
        assert max(map(len, lines(console))) <= width
        assert ("12.5±1.9" in text) is whole
        assert all(word in text for word in ("1 (centre)", "18.1[0,43]", "needs 25 seeds", "–: not available."))
        assert ("in the file: average 0.3:0.7." in " ".join(text.split())) is not whole


def test_a_clock_is_read_at_a_glance() -> None:
    assert [clock(seconds) for seconds in (7.9, 754, 3723)] == ["0:07", "12:34", "1:02:03"]
