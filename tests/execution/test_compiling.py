"""A first compile is progress."""

from __future__ import annotations

from pathlib import Path

import numba
import pytest

from tal_search.execution.compiling import compiling_is_progress
from tal_search.files import heartbeat


def test_numba_compiles_inside_a_lasting_call_named_after_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = []
    plain = heartbeat.beat
    monkeypatch.setattr(heartbeat, "beat", lambda *words: (entered.append(words[0]), plain(*words))[1])

    @numba.njit
    def inner(x: int) -> int:
        return x + 1

    @numba.njit
    def outer(x: int) -> int:
        return inner(x) + 1  # type: ignore[no-any-return]

    with compiling_is_progress():
        assert outer(1) == 3
        assert set(entered) == {"compiling outer", "compiling inner"}
        entered.clear()
        assert outer(1) == 3
    assert not entered
    assert inner(1.5) == 2.5  # type: ignore[arg-type]
    assert not entered
