"""Trial panel: results, curves and settings of one fit, and its state in the URL."""

from __future__ import annotations

import pandas as pd
import pytest

from tal_dashboards.data.study_data import selection_of
from tal_dashboards.views import views
from tal_dashboards.views.parts.trial_panel import (
    beside,
    closed_query,
    opened,
    trial_figures,
    trial_info,
    trial_query,
    trial_tables,
    view_query,
)
from tal_search.trial.folder import TrialFolder
from tests.support.small_dashboards import Made, scored_epochs


def test_a_trial_is_shown_by_its_key_with_its_own_curve_scores_and_settings(grid: Made) -> None:
    data = grid.read()
    fit = next(
        trial for trial in grid.outcome.trials.values() if trial.cell["lambda_sep"] == 8 and trial.spec.seed == 0
    )
    found = trial_info(data, fit.spec.key)
    assert found is not None
    curve, losses = trial_figures(found).values()
    (line,) = curve.data
    epochs = pd.read_parquet(TrialFolder.of(grid.runs, fit.spec.key).epochs)
    assert list(line.x) == [4, 8]
    assert list(line.y) == pytest.approx(scored_epochs(grid, fit.spec.key).tolist())
    assert max(line.y) > 0, "the fit learned nothing, so equal zeros would show nothing"
    assert {one.name: list(one.y) for one in losses.data}["total"] == pytest.approx(epochs["loss/total"].tolist())
    results = trial_tables(found)["results"].set_index("of the trial")
    for name, nms in zip(results, (0.3, 0.55), strict=True):
        (scored,) = [
            grid.outcome.finished[one.id]
            for one in grid.outcome.trials.values()
            if one.spec.key == fit.spec.key and one.cell["inference.nms"] == nms
        ]
        assert results.loc["inference.nms", name] == str(nms)
        assert float(results.loc["mAP@0.5", name]) == pytest.approx(100 * scored.at(0.5), rel=1e-3)
    settings = trial_tables(found)["settings"].set_index("setting")["this trial"]
    assert (settings["epochs"], settings["protocol.selection"], settings["method"]) == ("8", "holdout", "backtal")
    assert found.differing == 1
    assert found.settings.iloc[0].tolist() == ["lambda_sep", str(fit.cell["lambda_sep"]), "1.0"], (
        "what differs is first"
    )
    assert [found.repeats[key] for key in found.repeats] == ["seed 0 · A1", "seed 1 · A1", "seed 2 · A1"]
    assert next(iter(found.repeats)) == fit.spec.key
    for nonsense in ("-1", "3", "../3", fit.id, "9" * 30):
        assert trial_info(data, nonsense) is None
    centre = trial_info(data, data.trials.loc[data.is_centre(data.trials), "key"].iloc[0])
    assert centre is not None
    assert centre.differing == 0


def test_each_loss_has_its_own_scale(grid: Made) -> None:
    data = grid.read()
    found = trial_info(data, data.trials["key"].iloc[0])
    assert found is not None
    losses = trial_figures(found)["losses by epoch"]
    assert losses.data[0].name == "total"
    assert len({trace.yaxis for trace in losses.data}) == len(losses.data) == len(losses.layout.annotations)
    assert all(axis.matches is None for axis in losses.select_yaxes())


def test_the_url_opens_a_trial_and_no_view_is_lost_by_it() -> None:
    plots, timeline = {"view": "plots", "plots-score": "average"}, {"view": "timeline", "timeline-at": "3"}
    assert trial_query(plots, "k") == "?view=plots&plots-score=average&trial=k"
    assert trial_query(timeline, "k") == "?view=timeline&timeline-at=3&trial=k&panel=open"
    assert opened({**plots, "trial": "k"}) == opened(beside({**timeline, "trial": "k"}, shown=True)) == "k"
    assert opened({**timeline, "trial": "k"}) == opened({**plots, "trial": "k", "panel": "closed"}) == ""
    assert closed_query({**plots, "trial": "k"}) == "?view=plots&plots-score=average"
    assert closed_query({**timeline, "trial": "k", "panel": "open"}) == "?view=timeline&timeline-at=3&trial=k"
    for view in views():
        for there, shown_there in ((plots, True), (timeline, False)):
            query = view_query({**there, "trial": "k"}, view)
            assert bool(opened(selection_of(query))) == shown_there, "another view opens and closes nothing"
