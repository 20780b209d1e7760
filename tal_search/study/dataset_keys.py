"""Keys of `dataset` on the command line of `data check` and `evaluate`, read as overrides of a study are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tal_search.config.checking import Checker
from tal_search.config.yaml_reader import Key, Written
from tal_search.study.dataset_settings import DatasetSettings
from tal_search.study.overrides import apply_override
from tal_search.study.rules import check_clickers
from tal_search.study.settings import Study

DATASET = "dataset."  # may be left out
FOLDS: tuple[Key, Key] = (("dataset", "folds", "by"), ("dataset", "folds", "of"))


def separated(arguments: Sequence[str], sections: Collection[str]) -> tuple[list[str], list[str]]:
    """The arguments without "dataset." before their key, and those of the sections, as overrides of a study."""
    rest, overrides = [], []
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if equals and name.removeprefix(DATASET).partition(".")[0] in sections:
            overrides.append(DATASET + argument.removeprefix(DATASET))
        else:
            rest.append(argument.removeprefix(DATASET) if equals and "/" not in name else argument)
    return rest, overrides


def read_settings(overrides: Sequence[str]) -> tuple[DatasetSettings, Written]:
    """The settings that overrides make, and where each is written, with their problems, as a study reports them."""
    written = Written("command line")
    for override in overrides:
        apply_override(written, override)
    checker = Checker(written, Study, {})
    content = checker.mapping(written.content().get("dataset"), ("dataset",))
    settings = checker.settings(DatasetSettings, content, ("dataset",))
    check_clickers(settings.clickers, written)
    return settings, written


def fold_places(written: Written) -> tuple[str, str]:
    """Where the pattern and the number of folds are written."""
    by, of = map(written.place, FOLDS)
    return by, of


def with_short_keys(arguments: Sequence[str], short: Mapping[str, str]) -> list[str]:
    """The arguments with keys of a study as a command names them, and a list as text: tiou=0.3,0.5."""
    parts = [argument.partition("=") for argument in arguments]
    return [f"{short[name]}={text.strip('[]')}" if name in short else name + sign + text for name, sign, text in parts]
