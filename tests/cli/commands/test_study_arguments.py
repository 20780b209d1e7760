"""Arguments that name a study: problems of the command line and of the study come together."""

from __future__ import annotations

import pytest

from tal_search.cli.arguments import Grammar, parse_leniently
from tal_search.cli.commands.study_arguments import STUDY, study_of
from tal_search.errors import InputError

GRAMMAR = Grammar(command="try", keys=STUDY, overrides=True)


def test_a_study_is_loaded_with_its_overrides() -> None:
    study = study_of(parse_leniently(GRAMMAR, ["study=quickstart", "hyperparameters.epochs=7"]))
    assert (study.name, study.hyperparameters["epochs"]) == ("quickstart", 7)


def test_problems_of_the_arguments_and_of_the_study_come_together() -> None:
    with pytest.raises(InputError) as raised:
        study_of(parse_leniently(GRAMMAR, ["study=quickstart", "--fast", "hyperparameters.epoch=7"]))
    first, second = raised.value.problems
    assert first.startswith("command line: '--fast' is unknown")
    assert "hyperparameters.epoch is unknown; did you mean 'epochs'?" in second


def test_without_a_study_the_way_to_list_them_is_named() -> None:
    with pytest.raises(InputError, match=r"study= is missing; name one study, .*; `tal-search list` shows them"):
        study_of(parse_leniently(GRAMMAR, []))
