"""The status line: a signal, the cursor, and the clock."""

from __future__ import annotations

import signal

import pytest

from tal_search.cli.status_line import INTERRUPTED, clock, working
from tal_search.errors import Interrupted
from tests.support.consoles import lines, pipe, terminal


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


def test_a_clock_is_read_at_a_glance() -> None:
    assert [clock(seconds) for seconds in (7.9, 754, 3723)] == ["0:07", "12:34", "1:02:03"]
