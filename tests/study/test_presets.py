"""Which preset a study means: the one it names, or by `auto` the variant's, the adapted or the simulated one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.errors import InputError
from tal_search.methods import available, specification
from tal_search.study import Study, find_dataset, load_study, preset_name, presets
from tal_search.types import Source

NAMES = ("paper", "release", "adapted", "simulated")


def study(tmp_path: Path, *overrides: str) -> Study:
    return load_study("thumos_single", [*overrides, f"runs={tmp_path}", "dataset.source=simulated"])


@pytest.mark.parametrize(
    ("overrides", "source", "name"),
    [
        ((), "features", "paper"),
        (("hyperparameters.variant=release",), "features", "release"),
        (("hyperparameters.variant=release",), "simulated", "simulated"),
        (("dataset.name=hacs",), "features", "paper"),
        (("dataset.name=beoid",), "features", "adapted"),
        (("dataset.name=beoid", "hyperparameters.variant=release"), "features", "adapted"),
        (("dataset.name=gtea", "preset=simulated"), "features", "simulated"),
        (("method=basnet",), "features", "paper"),
        (("method=basnet", "hyperparameters.variant=release"), "features", "adapted"),
        (("preset=release",), "simulated", "release"),
    ],
)
def test_auto_is_named_like_the_variant_or_adapted(
    tmp_path: Path, overrides: tuple[str, ...], source: Source, name: str
) -> None:
    assert preset_name(study(tmp_path, *overrides), source) == name


def test_a_preset_that_a_dataset_has_not_is_refused_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'preset is "paper"; it must be one of auto, adapted, simulated'):
        study(tmp_path, "dataset.name=beoid", "preset=paper")
    with pytest.raises(InputError, match=r'preset is "release"; it must be one of auto, paper, adapted, simulated'):
        study(tmp_path, "method=basnet", "preset=release")


def test_auto_without_any_preset_for_features_says_which_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = {"thumos14": {"simulated": specification("backtal").presets["thumos14"]["simulated"]}}
    asked = study(tmp_path)
    monkeypatch.setattr(presets, "specification", lambda name: replace(specification(name), presets=alone))
    assert preset_name(asked, "simulated") == "simulated"
    words = "preset is auto, but backtal has no preset paper or adapted for thumos14; give one of simulated"
    with pytest.raises(InputError, match=words):
        preset_name(asked, "features")


@pytest.mark.parametrize("method", available())
def test_presets_have_known_names_and_every_dataset_one_for_features_and_one_for_the_stand_in(method: str) -> None:
    for found in specification(method).presets.values():
        assert set(found) <= set(NAMES)
        assert "simulated" in found
        assert len(found) > 1


def test_a_root_that_is_given_exists_even_where_it_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset.root=.*absent does not exist; correct it, or leave it out"):
        find_dataset(study(tmp_path, f"dataset.root={tmp_path / 'absent'}"))
    spec = find_dataset(study(tmp_path, f"dataset.root={tmp_path}"))
    assert (spec.source, spec.description.endswith("; dataset.root is not read")) == ("simulated", True)
