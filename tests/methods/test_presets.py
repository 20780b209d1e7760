"""Parts of presets that methods share: the length and the rate of generic ones."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tal_search.methods import available, specification
from tal_search.methods.presets import epochs_for, rate_for
from tests.support.facts import SMALL


def test_200_videos_take_the_steps_and_more_take_them_by_the_root_of_their_number() -> None:
    for videos, steps in ((21, 1300), (200, 1300), (800, 2600), (4819, 1300 * math.sqrt(4819 / 200))):
        epochs = epochs_for(1300, 16, replace(SMALL, videos=videos))
        batches = math.ceil(videos / 16)
        assert (epochs - 1) * batches < steps <= epochs * batches


def test_the_rate_is_inverse_to_the_width_up_to_forty_times() -> None:
    rates = {channels: rate_for(1e-4, replace(SMALL, channels=channels)) for channels in (None, 2048, 1024, 80, 16)}
    assert rates == {None: 1e-4, 2048: 1e-4, 1024: 2e-4, 80: 2.6e-3, 16: 4e-3}


@pytest.mark.parametrize("method", available())
def test_every_number_of_epochs_by_rule_follows_the_videos_of_a_budget(method: str) -> None:
    preset = specification(method).generic(SMALL)
    assert set(preset.lengths) == {name for name in preset.hyperparameters if "epochs" in name}
    assert all(not other.lengths for other in specification(method).presets.values())


def test_bas_net_is_trained_as_backtal_is() -> None:
    backtal, basnet = specification("backtal"), specification("basnet")
    assert basnet.generic(SMALL) == backtal.generic(SMALL)
    assert basnet.presets["simulated"] == backtal.presets["simulated"]
