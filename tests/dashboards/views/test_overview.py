"""Overview view: its tables, its caption, and the command that continues a stopped study."""

from __future__ import annotations

from dataclasses import replace

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.views import overview
from tal_search.types import written
from tests.support.small_dashboards import Made


def test_values_are_written_as_in_a_study_file_and_next_runs_name_their_axes(small_study: StudyData) -> None:
    info = overview.info(small_study, {})
    tables = overview.tables(info)
    assert tables["ranking"] is info.found.ranking
    assert tables["values"]["value"].tolist() == [written(value) for value in info.found.curves["value"]]
    assert ("next" in tables) == bool(info.found.next)
    for step, row in zip(info.found.next, tables["next"].to_dict("records") if info.found.next else [], strict=True):
        assert row["decides"] == ", ".join(step.decides)
        assert row["command"] == step.command


def test_the_caption_names_centre_or_reference_and_the_noise(small_study: StudyData, compared: Made) -> None:
    info = overview.info(small_study, {})
    assert f"± {info.found.noise:.1f} points" in overview.caption(info.found)
    assert "to the centre" in overview.caption(info.found)
    assert "to the reference" in overview.caption(overview.info(compared.read(), {}).found)
    assert "not a test" in overview.caption(info.found._replace(rows="marginal"))


def test_a_stopped_study_is_continued_by_its_own_command(small_study: StudyData) -> None:
    assert "were not run" not in str(overview.layout(small_study, {}))
    stopped = replace(small_study, planned=len(small_study.trials) + 4)
    assert "4 trials of the study were not run; the same command continues it" in str(overview.layout(stopped, {}))
    empty = replace(small_study, trials=small_study.trials.head(0))
    assert f"tal-search run study={small_study.name}" in str(overview.layout(empty, {}))
