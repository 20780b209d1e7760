"""The numbers of the views: equal to slow, plain ones whatever the trials are, and to what a run prints at its end."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tal_dashboards.app import grid as grids
from tal_dashboards.data.cell_names import names_of
from tal_dashboards.data.study_data import StudyData, selection_of
from tal_dashboards.figures.cost_figure import SECONDS, front_steps, parts
from tal_dashboards.style import shown, text
from tal_dashboards.views import cell_grid, cost, modules, study, tables, trial_table, views
from tal_dashboards.views.trial_panel import (
    beside,
    closed_query,
    opened,
    trial_figures,
    trial_info,
    trial_query,
    trial_tables,
    view_query,
)
from tal_search.results.cell_table import cells
from tal_search.results.noise import noise
from tal_search.results.published import BEST_ON_TEST
from tal_search.results.ranking import cost_front, pareto_front
from tal_search.results.sensitivity import sensitivity_info
from tal_search.results.statistics import HIGH, LOW
from tal_search.trial.folder import TrialFolder
from tal_search.types import written
from tests.support.plain_statistics import difference, interval
from tests.support.small_dashboards import Made, drawn_rows

VALUES = [0.25, 1.0, 4.0]
trials = st.lists(
    st.tuples(
        st.sampled_from(VALUES), st.integers(0, 2), st.sampled_from(["A1", "A2", "none"]), st.integers(0, 1000)
    ),
    unique_by=lambda row: row[:3], min_size=1, max_size=27,
)  # fmt: skip


def with_trials(data: StudyData, rows: list[tuple[float, int, str, int]]) -> StudyData:
    """A study of the axis lambda_sep with these (value, seed, annotator, thousandths of mAP@0.5)."""
    template = data.trials.iloc[[0] * len(rows)].reset_index(drop=True)
    rows = [(*row[:3], thousandths(row)) for row in rows]
    value, seed, annotator, score = zip(*rows, strict=True)
    changed = template.assign(lambda_sep=value, seed=seed, annotator=annotator, number=range(len(rows)))
    changed["mAP@0.5"] = [one / 10 for one in score]
    return replace(data, axes={"lambda_sep": "λ"}, centre={"lambda_sep": 1.0}, trials=changed)


def thousandths(row: tuple[float, int, str, int]) -> float:
    """Of mAP, with a fraction that no other trial has: a tie of two sums of squares may fall either way."""
    value, seed, annotator, score = row
    return score + math.sin(7 * value + 3 * seed + len(annotator) + ord(annotator[-1]))


@settings(max_examples=60, deadline=None)
@given(rows=trials)
def test_statistics_of_cells_are_those_of_one_cell_at_a_time(swept: Made, rows: list[Any]) -> None:
    data = with_trials(swept.read(), rows)
    table = cells(data)
    by_cell = {value: {row[1:3]: thousandths(row) / 10 for row in rows if row[0] == value} for value in VALUES}
    centre = by_cell[1.0]
    repeatable = 1.96 * math.sqrt(2) * float(pd.Series(centre.values(), dtype=float).std())
    assert noise(data) == near(repeatable)
    assert set(table["lambda_sep"]) == {row[0] for row in rows}
    for row in table.to_dict("records"):
        mine = by_cell[row["lambda_sep"]]
        mean = interval(mine)
        assert (row["n"], row["mAP@0.5"]) == (mean.n, pytest.approx(mean.mean))
        assert row["mAP@0.5" + LOW] == near(mean.mean - mean.half, at_least=0)
        assert row["mAP@0.5" + HIGH] == near(mean.mean + mean.half, at_most=100)
        if row["centre"] or not centre:
            assert (row["verdict"], row["needs"]) == ("centre" if row["centre"] else "needs repeats", "")
            continue
        paired = difference(mine, centre)
        assert (row["pairs"], row["delta"]) == (paired.n, near(paired.mean))
        assert (
            row["delta" + LOW] <= paired.mean - paired.half + 1e-6 or row["p adjusted"] < 0.05 or math.isnan(row["p"])
        )
        assert (
            row["delta" + HIGH] >= paired.mean + paired.half - 1e-6 or row["p adjusted"] < 0.05 or math.isnan(row["p"])
        )
        assert (row["delta" + LOW] < 0 < row["delta" + HIGH]) == (row["p adjusted"] >= 0.05)
        assert row["p"] == near(paired.p)
        assert row["verdict"] == judged(row, repeatable)
        assert bool(row["needs"]) == (row["verdict"] == "needs repeats")
    others = table[~table["centre"]]
    assert (others["p adjusted"] >= others["p"]).tolist() == others["p"].notna().tolist()
    assert (others["p adjusted"] <= len(others) * others["p"] * 1.001 + 1e-3).tolist() == others["p"].notna().tolist()


def judged(row: dict[str, Any], repeatable: float) -> str:
    """A verdict from the numbers beside it."""
    if row["p adjusted"] < 0.05:
        return "better" if row["delta"] > 0 else "worse"
    inside = -repeatable <= row["delta" + LOW] and row["delta" + HIGH] <= repeatable
    return "within noise" if inside else "needs repeats"


def near(number: float, at_least: float = -math.inf, at_most: float = math.inf) -> Any:
    """As a table has it: NaN where there is no number."""
    held = min(max(number, at_least), at_most) if math.isfinite(number) else math.nan
    return pytest.approx(held, nan_ok=True, rel=1e-6, abs=1e-9)


points = st.lists(st.tuples(st.sampled_from([45.0, 48.0, 50.0, 300.0]), st.integers(0, 6)), min_size=1, max_size=12)


@given(points)
def test_the_front_is_that_of_every_point_against_every_other(found: list[tuple[float, int]]) -> None:
    frame = pd.DataFrame(found, columns=["cost", "score"]).astype(float)
    wanted = pareto_front((frame * [-1, 1])[["cost", "score"]].to_numpy())
    assert cost_front(frame["cost"], frame["score"]).tolist() == wanted


def test_sensitivity_tables_hold_what_the_end_of_a_run_prints(swept: Made) -> None:
    found = tables.info(swept.read(), {})
    printed = sensitivity_info(swept.frame)
    assert len(found.tables) == len(printed) == 3
    for table, theirs in zip(found.tables.values(), printed, strict=True):
        (axis,) = theirs.axes
        assert table[axis].tolist() == theirs.rows[axis].tolist()
        for name in ("n", "mAP@0.5", "mAP@0.5" + LOW, "mAP@0.5" + HIGH, "mAP@0.7", "average"):
            assert table[name].tolist() == pytest.approx(theirs.rows[name].tolist())
        for name in ("verdict", "needs"):
            assert table[name].tolist() == theirs.rows[name].tolist()
        off = table["verdict"] != "centre"
        for ending in ("", LOW, HIGH):
            mine, printed_delta = table[f"Δ mAP@0.5{ending}"], theirs.rows[f"delta{ending}"]
            assert mine[off].tolist() == pytest.approx(printed_delta[off].tolist())
        assert table["paper mAP@0.5"].tolist() == pytest.approx(theirs.rows["paper"].tolist(), nan_ok=True)


def test_the_papers_cell_stands_at_its_operating_point_alone(swept: Made) -> None:
    data = swept.read()
    at_point = replace(
        data, inference=data.fit_inference,
        centre={**data.centre, "inference.nms": data.fit_inference["nms"]},
        hyperparameters={**data.hyperparameters, "embedding_dim": 32, "k_ratio": 0.125},
    )  # fmt: skip
    table = tables.info(at_point, {}).tables["λ (lambda_sep)"].set_index("lambda_sep")
    paper = table["paper mAP@0.5"]
    assert paper[1.0] == 36.3
    assert table["paper selection"][1.0] == BEST_ON_TEST
    assert math.isnan(paper[0.25])
    assert shown(paper.to_frame())["paper mAP@0.5"].tolist() == ["–", "36.3"]
    (row,) = [row for row in drawn_rows(tables.grid(at_point, {})) if row[:2] == ["λ", "1"]]
    assert row[-1] == "36.3 †"


@pytest.mark.parametrize("kind", ["swept", "grid", "compared"])
def test_one_grid_holds_the_cells_of_every_table(kind: str, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(kind).read()
    found, grid = tables.info(data, {}), tables.grid(data, {})
    rows = [dict(zip(grid.heads, row, strict=True)) for row in drawn_rows(grid)]
    wanted = []
    for title, table in found.tables.items():
        values = table.astype(object).to_dict("records")
        for words, row in zip(shown(table).to_dict("records"), values, strict=True):
            own = {name: written(row[name]) for name in data.axes if name in row}
            where = {"axis": title.split()[0], "value": next(iter(own.values()))} if kind == "swept" else own
            paper = words[f"paper {data.score}"] + (" †" if row.get("paper selection") == BEST_ON_TEST else "")
            wanted.append({**words, **where, f"paper {data.score}": paper})
    assert rows == [{name: row[name] for name in grid.heads} for row in wanted]
    assert {"verdict", "n", "mAP@0.3", "mAP@0.7", "average", f"Δ {data.score}"} <= grid.heads.keys()
    assert not {"mAP@0.1", "paper selection"} & grid.heads.keys()


def test_differences_are_filled_where_told_apart_outlined_beyond_the_noise_and_grey_within() -> None:
    looks = [
        cell_grid.shade(delta, verdict, 2.0, 10.0)
        for delta, verdict in [(10, "better"), (-5, "worse"), (1, "better"), (3, "needs repeats"), (-2, "within noise")]
    ]
    names = [look["look"].removeprefix("number delta ") for look in looks]
    assert names == ["better", "worse", "better", "better unsure", "within"]
    depths = [float(look["share"].removesuffix("%")) for look in looks[:4]]
    assert depths == [pytest.approx(share * cell_grid.DEEPEST, abs=0.6) for share in (1, 0.5, 0.1, 0.3)]
    for unknown in (
        cell_grid.shade(9.0, "needs repeats", math.nan, 9.0),
        cell_grid.shade(math.nan, "centre", 1.0, 9.0),
    ):
        assert "share" not in unknown


def test_trials_are_listed_by_what_differs_from_the_centre(swept: Made, compared: Made, grid: Made) -> None:
    for made in (swept, grid):
        data = made.read()
        listed = trial_table.listed(data).set_index("number")
        for number, row in data.trials.set_index("number").iterrows():
            off = [f"{data.axes[axis]} = {row[axis]:g}" for axis in data.axes if row[axis] != data.centre[axis]]
            assert listed.loc[number, "differs"] == (", ".join(off) or "centre")
    assert trial_table.listed(compared.read())["differs"].tolist() == compared.read().trials["case"].tolist()[::-1]
    empty = replace(swept.read(), centre={**swept.read().centre, "lambda_sep": None})
    assert "λ = 1" in set(trial_table.listed(empty)["differs"])


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("", [3, 2, 1, 0]), ("h = 1", [2, 0]), ("kernel_size=1, seed 1", [2]), ("h", [3, 2, 0]), ("h=3", [1]),
        ("KERNEL", [3, 2, 0]), ("centre", [1]), ("memory", [3]), ("fail", [3]), ("oom) failed", [3]), ("KEY2", [2]),
        ("h=11", [3]), ("seed=0", [1, 0]), ("done a1", [2, 1, 0]), ("λ=1/12", [3, 2, 1, 0]), ("1/12", []),
    ],
)  # fmt: skip
def test_a_trial_is_found_by_its_words(swept: Made, sought: str, found: list[int]) -> None:
    data, rows = swept.read(), swept.read().trials.head(4)
    rows = rows.assign(
        number=range(4), kernel_size=[1, 3, 1, 11], seed=[0, 0, 1, 1], key=[f"key{place}" for place in range(4)],
        lambda_sep=1 / 12, state=["done", "done", "done", "failed"], reason=["", "", "", "out of memory, (OOM)"],
    )  # fmt: skip
    rows["inference.nms"] = data.centre["inference.nms"]
    few = replace(data, trials=rows, centre={**data.centre, "lambda_sep": 1 / 12})
    assert grids.found(trial_table.grid(few, {}), sought, "")["number"].tolist() == found


def test_rows_are_sorted_by_what_their_cells_say_and_those_without_a_number_come_last(swept: Made) -> None:
    data = swept.read()
    rows = data.trials.head(4).assign(number=range(4), kernel_size=[11, 1, 3, 5], lambda_sep=[1 / 12, 1 / 6, 1.0, 1.0])
    rows["mAP@0.5"] = [2.0, math.nan, 3.0, 1.0]
    rows["inference.nms"] = data.centre["inference.nms"]
    made = trial_table.grid(replace(data, trials=rows), {})
    for order, wanted in {
        "mAP@0.5": [3, 0, 2, 1], "-mAP@0.5": [2, 0, 3, 1], "differs": [2, 3, 0, 1], "key": [3, 2, 1, 0],
        "nonsense": [3, 2, 1, 0], "-": [3, 2, 1, 0],
    }.items():  # fmt: skip
        assert grids.found(made, "", order)["number"].tolist() == wanted, order
    mixed = made._replace(
        frame=pd.DataFrame({"value": ["relu", 0.5, 3, "gelu"]}, dtype=object), heads={"value": "value"}
    )
    assert grids.found(mixed, "", "value")["value"].tolist() == [0.5, 3, "gelu", "relu"]
    assert grids.found(mixed, "", "-value")["value"].tolist() == ["relu", "gelu", 3, 0.5]


def test_progress_counts_what_is_left(swept: Made) -> None:
    data = swept.read()
    half = replace(data, trials=data.trials.assign(state=["done"] * 8 + ["running", "failed", "done", "stopped early"]))
    progress = study.info(half, {}).progress.set_index("state")["trials"].to_dict()
    assert progress == {"done": 9, "running": 1, "failed": 1, "stopped early": 1, "remaining": 0}
    more = replace(half, planned=24)
    assert study.info(more, {}).progress.set_index("state")["trials"]["remaining"] == 12
    assert study.seconds_left(more) is not None
    assert study.seconds_left(data) is None, "nothing runs"


def scored_epochs(made: Made, key: str) -> pd.Series[float]:
    """Held-out mAP at tIoU 0.5 by epoch, in percent, from the file of a fit."""
    epochs = pd.read_parquet(TrialFolder.of(made.runs, key).epochs).set_index("epoch")
    return 100 * epochs["holdout/mAP/0.5"].dropna()


def test_curves_are_means_over_the_repeats_of_a_cell(grid: Made) -> None:
    data, highest = grid.read(), 0.0
    for value, cell in ((0.5, "lambda_sep=0.5"), (1.0, "centre"), (8.0, "lambda_sep=8")):
        found = study.info(data, {"study-cell": cell})
        assert found.watched == "holdout"
        assert set(found.curves) == {"centre", cell, found.best}
        keys = data.trials[data.trials["lambda_sep"] == value]["key"].unique()
        scores = pd.concat([scored_epochs(grid, key) for key in keys], axis=1)
        curve = found.curves[cell]
        assert curve["epoch"].tolist() == scores.index.tolist() == [4, 8]
        assert curve["n"].tolist() == [3, 3]
        assert curve["mean"].tolist() == pytest.approx(scores.mean(axis=1).tolist())
        half = stats.t.ppf(0.975, 2) * scores.sem(axis=1)
        assert curve["mean" + LOW].tolist() == pytest.approx((scores.mean(axis=1) - half).clip(lower=0).tolist())
        assert curve["mean" + HIGH].tolist() == pytest.approx((scores.mean(axis=1) + half).clip(upper=100).tolist())
        highest = max(highest, curve["mean"].max())
    assert highest > 0, "the fits learned nothing, so equal zeros would show nothing"


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


def test_the_budget_limits_what_is_best(compared: Made) -> None:
    data = compared.read()
    found = cost.info(data, {})
    assert found.budget == 300
    dearest = cells(data).assign(cell=names_of(data, cells(data)))
    assert found.best is not None
    assert found.best["mAP@0.5"] == dearest["mAP@0.5"].max()
    assert set(found.published["system"]) >= {"BackTAL", "SF-Net"}
    assert not any(name.startswith("Table") for name in found.published["system"])
    cheapest = cost.info(data, {"cost-budget": "0"})
    assert cheapest.budget == 45
    assert cheapest.best is None, "every case of this study reads clicks"


def test_cells_and_systems_are_named_in_the_figure_and_of_many_cells_the_front(compared: Made) -> None:
    found = cost.info(compared.read(), {})
    drawn = cost.figures(found)["cost"]
    named = {note.text.replace("<br>", " ") for note in drawn.layout.annotations}
    assert {*found.ours["cell"], *found.published["system"], "ours: simulated data; published: video"} <= named
    about = [row for trace in drawn.data if trace.name == "published" for row in trace.customdata]
    assert {name for name, source in about if source.endswith(BEST_ON_TEST)} == {"BackTAL", "BaS-Net", "DGAM", "SF-Net"}
    many = found._replace(ours=found.ours.assign(named=found.ours["front"]))
    named = {note.text.replace("<br>", " ") for note in cost.figures(many)["cost"].layout.annotations}
    assert {*found.ours["cell"]} & named == {*found.ours["cell"][found.ours["front"]]}
    lines = len(drawn.layout.shapes)
    assert len(cost.figures(cost.info(compared.read(), {"cost-budget": "0"}))["cost"].layout.shapes) == lines + 1


def test_the_axis_is_broken_where_costs_lie_far_apart(compared: Made) -> None:
    left, right = parts([45, 45.4, 53, 300, 258])
    assert (left.low < 45, left.high > 53, right.low < 258, right.high > 300) == (True, True, True, True)
    assert left.high < right.low
    (whole,) = parts([45, 53, 60])
    assert whole.share == (0, 1)
    front = pd.DataFrame({SECONDS: [45.0, 50.0, 300.0], "mAP@0.5": [10.0, 20.0, 30.0]})
    steps = [front_steps(front, "mAP@0.5", part).to_numpy().tolist() for part in parts(front[SECONDS].tolist())]
    assert steps[0][:3] == [[45, 10], [50, 10], [50, 20]]
    assert [level for _, level in steps[1]] == [20, 20, 30, 30]
    titles = [axis.title.text or "" for axis in cost.figures(cost.info(compared.read(), {}))["cost"].select_xaxes()]
    assert "broken axis: each part has its own scale" in titles[0]


def test_a_line_joins_the_click_budgets_of_one_method(compared: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    data, spec = compared.read(), StudyData.spec
    assert (cost.info(data, {}).ours["line"] == "").all(), "cases that differ in more than clicks"
    cells_of = dict(zip(data.done["key"], data.done["case"], strict=True))
    kept = {"full": 1.0, "+ score separation": 0.5}

    def budgets(self: StudyData, key: str) -> Any:
        full = spec(self, next(one for one, case in cells_of.items() if case == "full"))
        mine = kept.get(cells_of[key])
        if mine is None:
            return spec(self, key)
        return replace(full, dataset=replace(full.dataset, clicks_fraction=mine))

    monkeypatch.setattr(StudyData, "spec", budgets)
    ours = cost.info(data, {}).ours.set_index("cell")
    assert ours["line"]["+ score separation"] == ours["line"]["full"]
    assert ours["line"]["baseline + background clicks"] == ""
    assert ours["line"]["full"].startswith("backtal")


def test_nothing_is_best_without_an_interval(compared: Made) -> None:
    data = compared.read()
    best = cost.info(data, {})
    assert best.best is not None
    for words in (f"the cell {best.best['cell']} has the highest mean", "95 % interval, n = 3", "s/min; "):
        assert words in best.words
    for repeats, words in ((1, "one repeat: no best can be named."), (2, "2 repeats at most: no best can be named.")):
        few = replace(data, trials=data.trials[data.trials["seed"] < repeats].reset_index(drop=True))
        found = cost.info(few, {})
        assert found.best is None
        assert found.words == f"Within 300 s per minute: {words}"


def test_cases_stand_beside_their_rows_of_the_papers_table(compared: Made) -> None:
    found = modules.info(compared.read(), {})
    (table,) = found.compared.values()
    assert list(found.compared) == ["Table 7"]
    assert table["case"].tolist() == ["baseline + background clicks", "+ score separation", "full"]
    assert table["paper mAP@0.5"].tolist() == [35.0, 35.6, 36.3]
    assert table["verdict"].iloc[0] == "reference"


def test_click_statistics_count_the_clicks_there_are(swept: Made) -> None:
    data = swept.read()
    found = modules.info(data, {})
    key = data.trials["key"].iloc[0]
    rows = found.clicks.set_index(["kind", "annotator"])
    for kind, annotator in itertools.product(("background clicks", "action clicks"), ("A1", "uniform")):
        assert rows.loc[(kind, annotator), "clicks"] == len(data.clicks(key, kind, annotator).time)
    assert rows.loc[("background clicks", "uniform"), "inside an instance (%)"] == 0
    assert rows.loc[("background clicks", "uniform"), "without a click (%)"] == 0
    for table in found.positions.values():
        assert table.drop(columns="% of the way").sum().tolist() == pytest.approx([100] * 5)


@pytest.mark.parametrize("name", list(views()))
def test_every_figure_says_what_its_axes_are(swept: Made, name: str) -> None:
    view = views()[name]
    for figure in view.figures(view.info(swept.read(), {})).values():
        named = any(isinstance(one, str) for trace in figure.data for one in ([] if trace.y is None else trace.y))
        named |= name in ("overview", "plots") and len(figure.layout.annotations) > 0  # of panels and of parallel axes
        assert any(axis.title.text or axis.ticktext for axis in figure.select_yaxes()) or named  # bars by names
        assert any(axis.title.text or axis.ticktext for axis in figure.select_xaxes())  # rows share the lowest x axis


def test_names_are_text_in_figures_and_tables() -> None:
    assert text("<b>&") == "&lt;b&gt;&amp;"
    ends = {"mAP@0.5" + LOW: [0.75, 0.0, math.nan, math.nan], "mAP@0.5" + HIGH: [1.75, 9.5, math.nan, math.nan]}
    frame = pd.DataFrame({"mAP@0.5": [1.25, 4.5, 2.0, math.nan], **ends, "<i>": ["<b>", "&", "", ""]})
    assert shown(frame).to_dict("list") == {
        "mAP@0.5": ["1.2 ± 0.5", "4.5 [0, 10]", "2.0", "–"], "<i>": ["<b>", "&", "", ""]
    }  # fmt: skip
