"""Trials of one code only: the record of a study that was continued with changed code holds some of both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tal_search.record.description import code_versions
from tal_search.record.record_reader import Row, trials_of_one_code
from tests.support.folded_study import folded_plan


def row(number: int, cell: int, seed: int, code: str, state: str = "done") -> Row:
    values = {"id": f"{cell}-{seed}-{code}", "cell": {"x": cell}, "annotator": "A1", "seed": seed, "method": "asl"}
    texts = {name: json.dumps(value) for name, value in values.items()} | {"code_version": json.dumps(code)}
    others = dict.fromkeys(Row._fields[len(("number", "state", "started", "ended")) :])
    return Row(**{**others, **texts, "number": number, "state": state, "started": None, "ended": None})


RUNS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from("abc"), st.sampled_from(("done", "failed")))
)


@given(RUNS, st.sets(st.sampled_from("abc")))
def test_a_repeat_has_one_trial_and_its_code_is_wanted(runs: list[tuple[int, int, str, str]], wanted: set[str]) -> None:
    rows = [row(number, *run) for number, run in enumerate(runs)]
    versions = {"asl": sorted(wanted)} if wanted else {}
    kept, left_out = trials_of_one_code(rows, versions)
    places = [(one.cell, one.seed) for one in kept]
    assert len(set(places)) == len(places)
    assert {json.loads(str(one.code_version)) for one in kept} <= (wanted or set("abc"))
    assert len(kept) + left_out == len({one.id for one in rows})
    usable = {
        (json.dumps({"x": cell}), json.dumps(seed)) for cell, seed, code, _ in runs if not wanted or code in wanted
    }
    assert set(places) == usable, "no repeat is lost"


def test_newer_attempts_and_finished_trials_count() -> None:
    first, again = row(0, 1, 0, "a"), row(1, 1, 0, "a", "failed")
    assert trials_of_one_code([first, again], {}) == ([again], 0)
    other = row(2, 1, 0, "b", "failed")
    assert trials_of_one_code([first, other], {}) == ([first], 1)
    assert trials_of_one_code([first, other], {"asl": ["b"]}) == ([other], 1)
    assert trials_of_one_code([first], {"basnet": ["b"]}) == ([first], 0), "of a case that the study no longer has"
    assert trials_of_one_code([first._replace(code_version=None)], {"asl": ["b"]})[1] == 0, "of an unknown code"


def test_a_study_names_the_code_of_its_trials_unless_it_accepts_others(tmp_path: Path) -> None:
    plan = folded_plan(tmp_path)
    assert code_versions(plan) == {"backtal": [plan.reference.code_version]}
    assert code_versions(replace(plan, study=replace(plan.study, accept_code_change=True))) == {}
