"""Differences by class and by length of instance: the table beside SciPy, the files that keep it, and the view."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser
from scipy import stats

from tal_dashboards.data.group_cache import FOLDER, Groups, kept
from tal_dashboards.data.group_scores import Group, groups_of, scores_by, trials_read
from tal_dashboards.data.inference_settings import detections_at
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.figures.breakdown_figures import MOST_GROUPS, Breakdown, breakdown_figure
from tal_dashboards.style import shown
from tal_dashboards.views import breakdown
from tal_search.localization.inference import Inference
from tal_search.metrics.average_precision import score
from tal_search.metrics.error_profile import error_profile
from tal_search.results.breakdown.by_group import by_group, most_affected
from tal_search.results.cell_table import cells
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.families import holm
from tests.support.browser import visit
from tests.support.drawn_runs import SCORE, drawn, one_at_a_time, study_of
from tests.support.small_dashboards import Made, served

AXIS, OTHER = "axis 0", "axis 1"


def study(cells: list[dict[str, float]], seeds: int = 5) -> StudyFrame:
    return study_of(drawn(np.random.default_rng(0), len(cells), seeds, 1), cells)


def group_scores(data: StudyFrame, groups: int, shift: float = 0.0) -> pd.DataFrame:
    """Of every trial; the last group is `shift` higher at value 1 of the axis."""
    random, trials = np.random.default_rng(1), data.trials
    found = pd.DataFrame({f"g{place}": 50 + random.normal(size=len(trials)) for place in range(groups)}, trials.index)
    found.iloc[:, -1] += shift * (trials[AXIS] == 1)
    return found


def test_two_cells_are_scipys_paired_t_test_and_p_values_are_holms_over_the_table() -> None:
    data = study([{AXIS: 0.0}, {AXIS: 1.0}])
    scores = group_scores(data, 6, shift=8.0)
    table = by_group(data, AXIS, scores)
    assert table["group"].tolist() == [f"g{place}" for place in range(6) for _ in range(2)]
    assert table["value"].tolist() == [0.0, 1.0] * 6
    beside, at_centre = table[~table["centre"]], (data.trials[AXIS] == 0).to_numpy()
    p = []
    for row, (_, column) in zip(beside.to_dict("records"), scores.items(), strict=True):
        centre, cell = column[at_centre].to_numpy(), column[~at_centre].to_numpy()
        test = stats.ttest_rel(cell, centre)
        bounds = test.confidence_interval(1 - 0.05 / 6)
        assert (row["delta"], row["p"]) == pytest.approx((np.mean(cell - centre), test.pvalue))
        low = max(bounds.low, 0) if row["verdict"] == "better" else bounds.low
        assert (row["delta" + LOW], row["delta" + HIGH]) == pytest.approx((low, bounds.high))
        assert (row["n"], row["pairs"], row["score"]) == (5, 5, pytest.approx(cell.mean()))
        assert row["noise"] == pytest.approx(1.96 * np.sqrt(2) * np.std(centre, ddof=1)), "two cells: the centre's own"
        p.append(test.pvalue)
    assert beside["p adjusted"].tolist() == pytest.approx(holm(p))
    assert beside["verdict"].iloc[-1] == "better"
    assert "better" not in beside["verdict"].tolist()[:-1]
    assert most_affected(table)[0] == "g5"
    assert table.loc[table["centre"], "verdict"].unique().tolist() == ["centre"]


def test_one_group_is_what_the_study_s_own_table_says_but_for_the_correction() -> None:
    data = study(one_at_a_time(3, 4))
    table = by_group(data, AXIS, data.trials[[SCORE]]).set_index("value")
    own = cells(data)
    own = own[own["centre"] | (own["varied"] == AXIS)].set_index(AXIS)
    for name in ("delta", "p", "pairs"):
        beside = table.index[~table["centre"]]
        assert table.loc[beside, name].tolist() == pytest.approx(own.loc[beside, name].tolist()), name
    assert table.loc[~table["centre"], "p adjusted"].tolist() == pytest.approx(
        holm(table.loc[~table["centre"], "p"].tolist())
    )
    spread = data.trials[SCORE].groupby([data.trials[f"axis {axis}"] for axis in range(3)]).var().mean()
    assert table["noise"].tolist() == pytest.approx([1.96 * np.sqrt(2 * spread)] * 4), "from the cells of all axes"


def test_equal_groups_are_called_different_in_at_most_five_studies_of_a_hundred() -> None:
    data, named = study(one_at_a_time(2, 4), seeds=3), 0
    for seed in range(20):
        scores = pd.DataFrame(np.random.default_rng(seed).normal(50, 1, (len(data.trials), 5)), data.trials.index)
        named += by_group(data, AXIS, scores)["verdict"].isin(["better", "worse"]).any()
    assert named <= 3  # 1 expected, 11 without the correction; more than 3 have a chance of 2 in 100


def test_trials_without_a_score_and_studies_without_a_centre_are_left_out() -> None:
    data = study([{AXIS: 0.0}, {AXIS: 1.0}])
    scores = group_scores(data, 2)
    scores.loc[scores.index[data.trials[AXIS] == 1][:3], "g0"] = np.nan
    table = by_group(data, AXIS, scores.drop(index=scores.index[0])).set_index(["group", "value"])
    assert table["pairs"].tolist() == [4, 2, 4, 4]
    assert table["n"].tolist() == [4, 2, 4, 5]
    assert np.isnan(table.loc[("g0", 1.0), "p"])
    off = by_group(replace(data, centre={AXIS: 7.0}), AXIS, scores)
    assert off["delta"].isna().all()
    assert set(off["verdict"]) == {"needs repeats"}


def groups(value: float) -> Groups:
    return Groups({"a": value}, {"XS": value})


def test_a_file_is_read_again_and_computed_anew_where_it_is_damaged_or_of_other_content(tmp_path: Path) -> None:
    path, made = tmp_path / FOLDER / "one.json", []

    def compute() -> Groups:
        made.append(len(made))
        return groups(float(len(made)))

    def from_file(of: str) -> Groups:
        """As another process reads it."""
        from tal_dashboards.data import group_cache

        group_cache._memory.clear()
        return kept(path, {"content": of, "test": str(tmp_path)}, compute)

    assert from_file("first") == from_file("first") == groups(1.0)
    assert [file.name for file in path.parent.iterdir()] == ["one.json"]
    assert from_file("second") == from_file("second") == groups(2.0)
    whole = path.read_text()
    damaged = [whole[:-9], "[]", "null", '{"of": 1}', whole.replace("2.0", "NaN"), whole.replace("2.0", '"x"'), ""]
    for place, text in enumerate(damaged):
        path.write_text(text)
        assert from_file("second") == groups(3.0 + place), text
        assert from_file("second") == groups(3.0 + place)


def test_where_no_file_can_be_written_it_is_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("not a folder")
    made = iter([groups(1.0), groups(2.0)])
    found = [kept(tmp_path / FOLDER / "one.json", {}, lambda: next(made)) for _ in range(2)]
    assert found == [groups(1.0)] * 2
    assert [file.name for file in tmp_path.iterdir()] == [FOLDER]


def at_own_settings(data: StudyData) -> StudyData:
    """The study of its fits alone, as each scored itself."""
    fits = data.trials.drop_duplicates("key", ignore_index=True)
    return replace(data, trials=fits.assign(id=fits["key"]), inference=data.fit_inference)


def test_scores_are_those_of_the_evaluator_and_of_the_error_profile(swept: Made, grid: Made) -> None:
    """Of settings that activations are scored with, and of fits at their own."""
    for data, axis in ((grid.read(), "inference.nms"), (at_own_settings(swept.read()), "lambda_sep")):
        trials = trials_read(data, axis)
        by = {way: scores_by(data, trials, way) for way in ("class", "length")}
        for label, row in trials.iloc[::5].iterrows():
            own = data.spec(row["key"]).inference
            settings = {**data.inference, "nms": row["inference.nms"]} if "-" in row["id"] else own
            inference = Inference(**settings)
            truth, detections = data.truth(row["key"]), detections_at(data, row["key"], inference)
            wanted = score(truth, detections, (0.5,), subset="test").per_class
            assert by["class"].loc[label].to_dict() == pytest.approx({name: 100 * ap for name, (ap,) in wanted.items()})
            assert "-" not in row["id"] or by["class"].loc[label].mean() == pytest.approx(row["mAP@0.5"])
            profile = error_profile(truth, detections, subset="test").buckets["length"]
            known = {one.name: 100 * one.normalized_mAP for one in profile if one.normalized_mAP is not None}
            assert by["length"].loc[label].to_dict() == pytest.approx(known)
        found = groups_of(data, trials, "length")
        assert [one.name for one in found] == list(known)
        assert sum(one.instances for one in found) == len(truth.label)
        assert {one.name: one.instances for one in groups_of(data, trials, "class")} == {
            name: int((truth.label == place).sum()) for place, name in enumerate(truth.classes)
        }


def test_files_are_kept_of_each_trial_and_other_detections_are_scored_anew(swept: Made, tmp_path: Path) -> None:
    shutil.copytree(swept.runs / swept.name, tmp_path / "runs" / swept.name)
    shutil.rmtree(tmp_path / "runs" / swept.name / FOLDER, ignore_errors=True)
    shutil.copytree(swept.runs / "trials", tmp_path / "runs" / "trials")
    data = at_own_settings(StudyReader(tmp_path / "runs", swept.name)())
    trials, kept_in = trials_read(data, "kernel_size"), tmp_path / "runs" / swept.name / FOLDER
    first = scores_by(data, trials, "length")
    assert len(list(kept_in.iterdir())) == len(trials)
    other, gone = (data.folder(key).detections for key in trials["key"].iloc[:2])
    other.write_text(json.dumps({**json.loads(other.read_text()), "results": {}}))
    gone.unlink()
    again = scores_by(data, trials, "length")
    assert again.loc[trials.index[0]].tolist() == [0.0] * first.shape[1]
    assert trials.index[1] not in again.index
    same = again.index.difference([trials.index[0]])
    assert again.loc[same].equals(first.loc[same])
    part = breakdown.info(data, {"breakdown-axis": "kernel_size", "breakdown-by": "length"}).parts[0]
    assert (part.read, part.unread, part.finished) == (len(trials) - 1, 1, len(data.done))
    assert "1 trials keep nothing that can be read." in breakdown.caption(part)


def test_the_view_shows_the_table_of_results_for_each_axis(compared: Made, small_study: StudyData) -> None:
    for data in (compared.read(), small_study):
        whole = breakdown.info(data, {})
        assert [(part.axis, part.by) for part in whole.parts] == [
            (axis, by) for axis in data.axes for by in ("class", "length")
        ]
        part = whole.parts[-1]
        wanted = by_group(data, part.axis, scores_by(data, trials_read(data, part.axis), part.by))
        assert part.table.sort_values(["group", "value"], kind="stable", ignore_index=True).equals(
            wanted.sort_values(["group", "value"], kind="stable", ignore_index=True)
        )
        (alone,) = breakdown.info(data, {"breakdown-axis": part.axis, "breakdown-by": part.by}).parts
        assert alone is part, "what a reader chooses is a part of what files have"
        figures, tables = breakdown.figures(whole), breakdown.tables(whole)
        assert list(figures) == list(tables)
        for part, figure, table in zip(whole.parts, figures.values(), tables.values(), strict=True):
            heat = [trace for trace in figure.data if trace.type == "heatmap"]
            values = len(part.table["value"].drop_duplicates()) - 1
            both = np.where(np.isnan(heat[0].z), heat[1].z, heat[0].z)
            assert both.shape == (values, len(part.groups))
            name = f"Δ {part.score}"
            assert both.T.ravel() == pytest.approx(
                table.loc[table["verdict"] != "centre", name].to_numpy(), nan_ok=True
            )
            assert np.isfinite(heat[0].z).sum() + np.isfinite(heat[1].z).sum() == np.isfinite(both).sum()


def part_of(groups: int, shift: float) -> Breakdown:
    data = study(one_at_a_time(2, 4))
    table = by_group(data, AXIS, group_scores(data, groups, shift))
    named = {f"g{place}": Group(f"g{place}", "", place + 1) for place in range(groups)}
    return Breakdown(
        axis=AXIS, symbol="a", by="class", score="AP@0.5", table=table, read=35, unread=0, finished=35,
        groups=[named[name] for name in most_affected(table)],
    )  # fmt: skip


def test_what_is_certain_is_bold_all_else_pale_and_many_classes_are_cut_with_a_word() -> None:
    part = part_of(40, -9.0)
    figure = breakdown_figure(part)
    pale, strong, numbers, *_ = figure.data
    assert pale.z.shape == (3, MOST_GROUPS)
    assert part.groups[0].name == "g39"
    assert [place for place, one in enumerate(numbers.text) if one.startswith("<b>")] == [0]
    assert numbers.text[0] == f"<b>{strong.z[0, 0]:+.1f}</b>"
    rows = part.table[part.table["group"].isin([one.name for one in part.shown]) & ~part.table["centre"]]
    certain = rows["verdict"].isin(["better", "worse"])
    assert np.isfinite(strong.z).sum() == certain.sum() == 1
    assert np.isfinite(pale.z).sum() == (~certain).sum()
    assert (figure.layout.xaxis.ticktext[0], figure.layout.xaxis2.ticktext[0]) == ("g39", "40")
    assert strong.zmin == -strong.zmax
    assert f"The {MOST_GROUPS} most affected of 40 classes" in breakdown.caption(part)
    assert breakdown.answer(part).startswith("a: 1 of 120 differences to the centre are certain. Worse: 1, most g39")
    assert "120 differences of the table" in breakdown.caption(part), "also of those that are not drawn"


def test_of_many_trials_the_axis_and_those_nearest_to_the_centre_are_read(
    small_study: StudyData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tal_dashboards.data.group_scores.MOST_TRIALS", 12)
    found, done = trials_read(small_study, "lambda_sep"), small_study.done
    assert found.index.is_monotonic_increasing
    assert set(found.index) >= set(done.index[small_study.is_centre(done, free=("lambda_sep",))])
    rest = found[~small_study.is_centre(found, free=("lambda_sep",))]
    assert len(found) == 12
    assert small_study.is_centre(rest, free=("inference.nms",)).all(), "the others are off in both axes"


def test_a_study_with_nothing_beside_the_centre_says_what_to_run(small_study: StudyData) -> None:
    done = small_study.trials
    alone = replace(small_study, trials=done[small_study.is_centre(done)].reset_index(drop=True))
    assert breakdown.info(alone, {}).parts == []
    assert f"tal-search run study={alone.name}" in str(breakdown._content(alone, {}))


@pytest.mark.slow
def test_a_reader_chooses_axis_and_grouping_and_the_url_keeps_them(opened: Browser, swept: Made) -> None:
    data = swept.read()
    with served(swept.runs) as address, visit(opened, address, "390x844") as page:
        page.open(swept.name, "breakdown", **{"breakdown-axis": "kernel_size"})
        page.page.wait_for_selector("#breakdown-table")
        for by in ("class", "length"):
            (table,) = breakdown.tables(
                breakdown.info(data, {"breakdown-axis": "kernel_size", "breakdown-by": by})
            ).values()
            page.until("document.querySelector('#breakdown-graph .main-svg text') !== null")
            assert page.rows("breakdown-table")[1:] == shown(table.head(100)).to_numpy().tolist()
            names = page.page.locator("#breakdown-graph .xtick text").all_text_contents()
            assert len(names) == len(table["instances"].groupby(table.iloc[:, 0]).first()), by
            box = page.page.locator(".breakdown-box")
            assert box.evaluate("one => one.scrollWidth > one.clientWidth"), "its columns keep their width"
            assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
            if by == "class":
                page.page.get_by_role("button", name="by").press("Enter")
                page.page.get_by_role("option", name="length of instance").click()
                page.page.wait_for_url("**breakdown-by=length**")
                page.until("document.querySelector('#breakdown-table th')?.textContent === 'length of instance'")
