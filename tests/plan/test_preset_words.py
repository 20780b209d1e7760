"""The presets of a plan in one line."""

from __future__ import annotations

import re
from pathlib import Path

from tal_search.plan.plan import Plan, resolve
from tal_search.plan.preset_words import preset_words, sampling_words
from tal_search.study import load_study
from tests.support.make_dataset import make_dataset
from tests.support.study_files import load


def planned(tmp_path: Path, study: str, *overrides: str) -> Plan:
    root = tmp_path / "mine"
    if not root.exists():
        make_dataset(root, train=6)
        (root / "gt_thumos14.json").rename(root / "gt_mine.json")
    return resolve(load_study(study, [*overrides, "dataset.name=mine", f"dataset.root={root}", f"runs={tmp_path}"]))


def test_a_named_preset_is_named() -> None:
    plan = resolve(load_study("thumos_single", ["dataset.source=simulated", "preset=release"]))
    assert preset_words(plan) == "Preset: release."
    plan = resolve(load_study("method_comparison", ["dataset.source=simulated"]))
    assert preset_words(plan) == "Preset: simulated.", "one preset of all cases"


def test_a_generic_preset_says_what_the_rule_chose_and_from_which_facts(tmp_path: Path) -> None:
    words = preset_words(planned(tmp_path, "thumos_single"))
    start = (
        "Preset: generic. By rule: T = 50 (matches 100.0% of the training instances at tIoU 0.7); backtal epochs=1300, "
    )
    assert words.startswith(start)
    assert "learning_rate=0.004, schedule=cosine, class_threshold=0.25. From 6 training videos of 3 classes" in words
    assert "up to 1 in one; " in words
    assert words.endswith("instances of 7.5 s (17.6% of their video), a tenth of them up to 7 s (15.9%); 8 channels.")


CASES = """
search:
  plan: cases
  cases:
    one: {method: basnet}
    two: {method: dgam, hyperparameters: {epochs: 3}}
    three: {method: dgam, preset: simulated}
"""


def test_cases_of_one_dataset_share_the_facts(tmp_path: Path) -> None:
    planned(tmp_path, "thumos_single")
    place = ("dataset.name=mine", f"dataset.root={tmp_path / 'mine'}", "dataset.snippets=40")
    words = preset_words(resolve(load(tmp_path, CASES, *place)))
    assert words.startswith("Presets: generic (one, two), simulated (three). By rule: T = 40 (")
    assert re.search(r"; basnet epochs=1300, .*; dgam epochs=4200, ", words), "the rule's values, not the study's"
    assert words.count("From 6 training videos") == 1


def test_cases_are_named_where_presets_differ_and_counted_beyond_two(tmp_path: Path) -> None:
    planned(tmp_path, "thumos_single")
    more = "".join(
        f"    more{number}: {{method: basnet, hyperparameters: {{epochs: {number + 1}}}}}\n" for number in range(3)
    )
    place = ("dataset.name=mine", f"dataset.root={tmp_path / 'mine'}", "dataset.snippets=40")
    words = preset_words(resolve(load(tmp_path, CASES + more, *place)))
    assert words.startswith("Presets: generic (one, two and 3 more), simulated (three). By rule: ")


def sampled(**cases: str) -> Plan:
    listed = ", ".join(f"{name}: {{method: {settings}}}" for name, settings in cases.items())
    return resolve(
        load_study("thumos_single", ["dataset.source=simulated", f"search={{plan: cases, cases: {{{listed}}}}}"])
    )


def test_sampling_is_one_sentence_where_it_is_not_rescaling() -> None:
    assert sampling_words(resolve(load_study("thumos_single", ["dataset.source=simulated"]))) == ""
    overrides = ["dataset.source=simulated", "dataset.sampling={training: {kind: native}, test: {kind: native}}"]
    assert sampling_words(resolve(load_study("thumos_single", overrides))) == "Sampling: native."
    released = ["dataset.source=simulated", "method=basnet", "preset=release"]
    words = "random-perturbed to 750 in training, uniform to 750 at test"
    assert sampling_words(resolve(load_study("thumos_single", released))) == f"Sampling: {words}."


def test_cases_of_each_sampling_are_named() -> None:
    plan = sampled(one="basnet", two="backtal", **{"three x": "basnet, preset: release"})
    words = "random-perturbed to 750 in training, uniform to 750 at test"
    assert sampling_words(plan) == f"Sampling: rescale to 200 (one, two); {words} (three x)."


def test_t_is_not_said_of_videos_that_have_their_own_length(tmp_path: Path) -> None:
    native = "dataset.sampling={training: {kind: native}, test: {kind: native}}"
    words = preset_words(planned(tmp_path, "thumos_single", native))
    assert words.startswith("Preset: generic. By rule: backtal epochs=")
    assert "T = " not in words
