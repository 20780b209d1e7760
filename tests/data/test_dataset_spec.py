"""Specifications of datasets: labels of what is simulated, and what of the clicks enters a trial's key."""

from __future__ import annotations

import dataclasses

import pytest

from tal_search.data.dataset_spec import SIMULATED_CLICKS, SIMULATED_DATA, DatasetSpec, simulation_label
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, VIDEO_LABELS
from tests.support.small_fits import make_data

SPEC = dataclasses.replace(make_data(), clickers={ACTION_CLICKS: "gaussian"})
BOTH = (VIDEO_LABELS, BACKGROUND_CLICKS, ACTION_CLICKS)


@pytest.mark.parametrize(
    ("source", "drawn", "label"),
    [("simulated", (), SIMULATED_DATA), ("simulated", (ACTION_CLICKS,), SIMULATED_DATA),
     ("features", (ACTION_CLICKS,), SIMULATED_CLICKS), ("features", (), "")],
)  # fmt: skip
def test_simulated_videos_are_labelled_before_simulated_clicks(source: str, drawn: tuple[str, ...], label: str) -> None:
    assert simulation_label(source, drawn) == label


def test_only_clicks_that_a_trial_reads_are_drawn_for_it() -> None:
    assert SPEC.drawn(BOTH) == {ACTION_CLICKS: "gaussian"}
    assert SPEC.drawn((VIDEO_LABELS, BACKGROUND_CLICKS)) == {}
    assert SPEC.code_source == "simulated+clickers"


def test_a_key_names_the_clicks_that_are_read_and_the_budgets_below_one() -> None:
    limited = dataclasses.replace(SPEC, shares={"background_clicks": 0.5, "action_clicks": 1.0, "videos": 0.25})
    read = limited.fingerprints_read("uniform", (VIDEO_LABELS, BACKGROUND_CLICKS))
    assert read == {BACKGROUND_CLICKS: "uniform", f"{BACKGROUND_CLICKS} kept": "0.5", "videos kept": "0.25"}
    assert limited.without_budget().fingerprints_read("uniform", BOTH) == {
        BACKGROUND_CLICKS: "uniform", ACTION_CLICKS: "uniform",
    }  # fmt: skip


def test_a_specification_of_an_earlier_version_has_its_share_of_clicks() -> None:
    content = dataclasses.asdict(SPEC)
    del content["shares"]
    assert DatasetSpec.from_json({**content, "clicks_fraction": 0.25}).shares == {"background_clicks": 0.25}
    assert DatasetSpec.from_json({**content, "clicks_fraction": 1.0}) == SPEC
