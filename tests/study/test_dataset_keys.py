"""Keys of `dataset` on the command line of commands without a study."""

from __future__ import annotations

from tal_search.study.dataset_keys import fold_places, read_settings, separated, with_short_keys


def test_dataset_may_be_left_out_before_a_key() -> None:
    rest, overrides = separated(
        ["dataset.name=a", "b=c", "./dataset.x=1", "folds.of=2", "dataset.folds.by=d"], ("folds",)
    )
    assert rest == ["name=a", "b=c", "./dataset.x=1"]
    assert overrides == ["dataset.folds.of=2", "dataset.folds.by=d"]


def test_settings_are_read_as_overrides_of_a_study_with_their_places() -> None:
    settings, written = read_settings([r"dataset.folds={by: 'user(\d+)', of: 30}", "dataset.clickers.action=human"])
    assert not written.problems
    assert settings.folds is not None
    assert (settings.folds.by, settings.folds.of) == (r"user(\d+)", 30)
    assert settings.clickers is not None
    assert settings.clickers.by_kind == {"action clicks": "human"}
    assert fold_places(written) == (r"command line: dataset.folds={by: 'user(\d+)', of: 30}",) * 2
    assert len(list(read_settings(["dataset.folds.of=1", "dataset.clickers.annotators=0"])[1].problems)) == 2


def test_keys_of_a_protocol_have_short_names() -> None:
    short = {"protocol.tiou": "tiou"}
    assert with_short_keys(["protocol.tiou=[0.3,0.5]", "x=[1]", "word"], short) == ["tiou=0.3,0.5", "x=[1]", "word"]
