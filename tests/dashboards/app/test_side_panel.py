"""The trial beside a view: when it is open, and where its links lead."""

from __future__ import annotations

from tal_dashboards.app.side_panel import drawn_by, panel
from tests.support.dashboard_parts import words
from tests.support.small_dashboards import Made


def test_opening_the_panel_does_not_redraw_a_view() -> None:
    assert drawn_by("?view=study&trial=a&panel=x&study-cell=c") == {"view": "study", "study-cell": "c"}
    assert drawn_by("?view=timeline&trial=a&panel=x") == {"view": "timeline", "trial": "a"}


def test_the_open_trial_shows_its_repeats(swept: Made) -> None:
    data = swept.read()
    key = str(data.trials["key"].iloc[0])
    shown = words(panel(data, {"view": "study", "trial": key}))
    assert "Close" in shown
    assert "Repeats of its cell:" in shown
    assert panel(data, {"view": "study"}) == []
    assert panel(data, {"view": "study", "trial": "0" * 20}) == []
