"""Representative segments on videos of several lengths: what is kept of stored snippets, fits, and test videos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tal_search.data.sampling.settings import Sampling, SplitSampling
from tal_search.data.sampling.views import at_test
from tal_search.methods.representative import Hyperparameters, Representative
from tal_search.nn.batch import Batch
from tal_search.trial.loop import Fit
from tal_search.types import VideoSet
from tests.support.naive_representative import BATCH, CLASSES, SNIPPETS, make_batch, make_method

pytestmark = pytest.mark.usefixtures("one_thread")

STORED = (30, 12, 21, 17, 26)
NATIVE, CROP = SplitSampling(kind="native"), SplitSampling(kind="crop", lengths=(9, 16))
RANDOM, UNIFORM = SplitSampling(kind="random"), SplitSampling(kind="uniform", least=14, most=20)


def taken(batch: Batch, place: list[int], position: list[int] | None = None) -> Batch:
    """The snippets `place` of every video, said to be the stored ones `position`."""
    index = torch.tensor(place)
    cut = {name: getattr(batch, name)[..., index] for name in ("features", "background_clicks", "action_clicks")}
    return replace(batch, **cut, position=None if position is None else torch.tensor([position] * BATCH))


def losses(memory: dict[str, torch.Tensor], batch: Batch) -> dict[str, float]:
    method = make_method()
    method.memory = memory
    return {name: float(loss.detach()) for name, loss in method.losses(batch, "all").items()}


@pytest.mark.parametrize("place", [list(range(4, 15)), list(range(0, SNIPPETS, 2)), [0, 0, 1, *range(2, 18), 17]])
def test_proposals_and_instances_are_gathered_where_a_step_takes_snippets(place: list[int]) -> None:
    """A window, every second snippet, and more than there are: proposals get as long as they then are."""
    batch = make_batch(clicks=0.2)
    lengths = torch.full((BATCH, SNIPPETS), torch.inf, dtype=torch.float64)
    instances = torch.zeros(BATCH, CLASSES, SNIPPETS, dtype=torch.bool)
    lengths[:, 6:9], lengths[1, 2:14] = 3.0, 12.0
    instances[:, 0, 6:9] = True
    rate = (place[-1] - place[0] + 1) / len(place)
    there = {"lengths": lengths[:, place] / rate, "instances": instances[..., place]}
    expected = losses(there, taken(batch, place))
    assert losses({"lengths": lengths, "instances": instances}, taken(batch, place, place)) == pytest.approx(expected)
    without = {"lengths": torch.full_like(there["lengths"], torch.inf), "instances": there["instances"]}
    assert losses(without, taken(batch, place))["total"] != pytest.approx(expected["total"])
    if rate > 1:
        same = {**there, "lengths": lengths[:, place]}
        assert losses(same, taken(batch, place))["total"] != pytest.approx(expected["total"])


def videos() -> VideoSet:
    """Videos of STORED snippets of half a second; in each an action of class 0 and one of class 1, clicked once."""
    random = np.random.default_rng(0)
    features = np.zeros((len(STORED), 6, max(STORED)), np.float32)
    clicks = np.zeros((len(STORED), 2, max(STORED)), np.bool_)
    for row, length in enumerate(STORED):
        features[row, :, :length] = 0.3 * random.standard_normal((6, length))
        for label, first in enumerate((1, length // 2)):
            features[row, label, first : first + 4] += 2
            clicks[row, label, first + 1] = True
    length = np.array(STORED)
    found = VideoSet.labelled(
        videos=tuple("abcde"), features=features, labels=np.ones((len(STORED), 2), np.float32), frames=length * 12,
        duration=length * 0.5 + 0.5, length=length, start=np.full(len(STORED), 0.25), extent=length * 0.5,
    )  # fmt: skip
    return replace(found, action_clicks=clicks)


def fit_of(training: SplitSampling) -> Fit:
    torch.manual_seed(0)
    hyperparameters = Hyperparameters(epochs=6, batch_size=2, learning_rate=1e-2, dropout=0.2, tau=6.0)
    method = Representative(hyperparameters, 6, 2)
    rows, sampling = np.arange(len(STORED)), Sampling(training=training, test=NATIVE)
    return Fit(method, videos(), rows, 0, "float32", torch.device("cpu"), sampling, 15)


@pytest.mark.parametrize("training", [NATIVE, CROP, RANDOM], ids=["native", "crop", "random"])
def test_fits_learn_keep_stored_snippets_and_go_on_where_they_stopped(training: SplitSampling) -> None:
    whole = fit_of(training)
    curve = [whole.epoch(number) for number in range(1, 7)]
    assert curve[-1]["video"] + curve[-1]["point"] < curve[0]["video"] + curve[0]["point"]
    memory = whole.method.memory
    assert memory["lengths"].shape == (len(STORED), max(STORED))
    for row, length in enumerate(STORED):
        assert (memory["lengths"][row, length:] == torch.inf).all()
        assert not memory["instances"][row, :, length:].any()
        assert (memory["lengths"][row, :length] < torch.inf).any()
    for stop in (2, 3):
        first, second = fit_of(training), fit_of(training)
        for number in range(1, stop + 1):
            first.epoch(number)
        second.load_state(first.state())  # type: ignore[arg-type]
        assert [second.epoch(number) for number in range(stop + 1, 7)] == curve[stop:]


@pytest.mark.parametrize("sampling", [NATIVE, UNIFORM], ids=["native", "uniform"])
def test_test_videos_of_any_length_are_read_on_a_finer_grid_of_their_own_time(sampling: SplitSampling) -> None:
    fit = fit_of(NATIVE)
    for number in range(1, 7):
        fit.epoch(number)
    assert isinstance(fit.method, Representative)
    for row in range(len(STORED)):
        video = at_test(videos().subset(np.array([row])), sampling, 15)
        activations, snippets = fit.method.activations(video), 2 * video.features.shape[-1]
        assert activations.timeline.length.tolist() == [snippets]
        at = np.array([0.0, activations.cas[0, 0].argmax() + 0.5, snippets])
        first, highest, last = activations.timeline.seconds(np.zeros(3, np.int64), at)
        assert (first, last) == (0.25, pytest.approx(video.duration[0] - 0.25))
        assert 0.75 - 0.5 <= highest <= 2.75 + 0.5, "the action of class 0, give or take a snippet"
