"""Delays of wrong tokens by a clock of the test."""

from __future__ import annotations

from tal_dashboards.web.wrong_tokens import FIRST, FORGOTTEN, MOST, MOST_WAITING, WrongTokens


def test_each_wrong_token_waits_longer_until_they_are_forgotten() -> None:
    now = 0.0
    wrong = WrongTokens(lambda: now)
    delays = [wrong.wrong() for _ in range(50)]
    assert delays[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert delays[-1] == MOST
    now += FORGOTTEN + 1
    assert wrong.wrong() == FIRST


def test_while_many_answers_are_due_no_token_is_compared() -> None:
    now = 0.0
    wrong = WrongTokens(lambda: now)
    for _ in range(MOST_WAITING):
        assert not wrong.crowded()
        wrong.wrong()
    assert wrong.crowded()
    now += MOST + 0.1
    assert not wrong.crowded()
