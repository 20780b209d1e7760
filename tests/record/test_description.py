"""Study metadata in the record: plain JSON, with the protocol and the videos of every score."""

from __future__ import annotations

import json
from dataclasses import replace

from tal_search.record.description import objective_names, scored_by, study_metadata
from tests.support.small_plans import planned


def test_the_metadata_are_json_that_names_axes_by_their_symbols() -> None:
    plan = planned("quickstart")
    metadata = study_metadata(plan)
    assert json.loads(json.dumps(metadata)).keys() == metadata.keys()
    assert metadata["axes"] == {"lambda_sep": "λ", "kernel_size": "h"}
    assert (metadata["trials"], metadata["centre"]) == (5, plan.centre_cell)


def test_a_sampler_without_a_limit_has_no_number_of_trials() -> None:
    space = ["search.plan=sampler", "~search.axes", "search.space={lambda_sep:{low:.5,high:2}}"]
    assert study_metadata(planned("quickstart", *space, "budget.trials=8"))["trials"] == 8
    assert study_metadata(planned("quickstart", *space, "budget.minutes=3"))["trials"] is None


def test_objectives_are_named_with_their_videos_and_units() -> None:
    assert objective_names(["mAP"], [0.3, 0.5], held_out=False) == ["test mAP@0.5 (0 to 1)"]
    names = objective_names(["mAP", "annotation_seconds", "parameters", "training_seconds"], [0.3], held_out=True)
    assert names == ["held-out mAP@average (0 to 1)", "annotation (s/min)", "parameters", "training (s)"]


def test_scores_name_their_protocol_and_the_videos_while_these_can_be_read() -> None:
    plan = planned("quickstart")
    assert scored_by(plan).startswith("activitynet protocol, ")
    gone = replace(plan, dataset=replace(plan.dataset, source="features", ground_truth="/nowhere/truth.json"))
    assert scored_by(gone) == "activitynet protocol"
