"""A method of two streams and features whose streams are unknown: the plan says which key to give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tal_search.data.find import load
from tal_search.plan.plan import Plan, resolve
from tal_search.study import load_study
from tal_search.trial.loop import build
from tests.support.make_dataset import make_dataset, problems_of
from tests.support.make_layouts import make_layout
from tests.support.paths import STUDIES

FIX = "give dataset.streams=[RGB, FLOW], how many channels each has, in the order in which they are stored"
WIDTHS = {"dgam": ["hyperparameters.attention_hidden=4", "hyperparameters.latent=4"], "sfnet": []}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The small dataset as one array [T, 8] a video."""
    return make_layout(make_dataset(tmp_path / "thumos14"), "actionformer", tmp_path / "npy")


def planned(root: Path, method: str, *overrides: str) -> Plan:
    timing = ("dataset.stride=10", "dataset.offset=5", "dataset.fps=10")
    clicks = ("dataset.clickers={action: uniform, annotators: 1}", "search.repeats.annotators=auto")
    given = (f"method={method}", f"dataset.root={root}", *timing, *clicks, *overrides)
    return resolve(load_study("thumos_single", given, STUDIES))


@pytest.mark.parametrize("method", ["sfnet", "dgam"])
def test_streams_that_nothing_knows_are_refused_and_one_key_is_enough(root: Path, method: str) -> None:
    (problem,) = problems_of(lambda: planned(root, method))
    assert problem == (
        f"command line: method={method}: {method} reads RGB and flow apart, and nothing says which of the 8 channels "
        f"of {root} (layout actionformer) are which; {FIX}"
    )
    plan = planned(root, method, "dataset.streams=[3,5]", *WIDTHS[method])
    spec = plan.trials[0].spec
    assert spec.dataset.streams == [3, 5]
    network = build(spec, load(spec.dataset, spec.annotator, spec.supervision)).network
    assert network.sizes == [3, 5]
    assert spec.key != planned(root, method, "dataset.streams=[5,3]", *WIDTHS[method]).trials[0].spec.key


def test_halves_have_the_keys_of_earlier_versions(root: Path) -> None:
    spec = planned(root, "sfnet", "dataset.streams=[4,4]").trials[0].spec
    assert spec.key == replace(spec, dataset=replace(spec.dataset, streams=[])).key


def test_streams_of_other_features_are_refused(root: Path, tmp_path: Path) -> None:
    (problem,) = problems_of(lambda: planned(root, "sfnet", "dataset.streams=[4,5]"))
    assert problem == (
        f"command line: dataset.streams=[4,5]: dataset.streams is [4, 5], but the features have 8 channels; {FIX}"
    )
    file = tmp_path / "thumos14.yaml"
    file.write_text("streams: [40, 40]\n")
    (problem,) = problems_of(lambda: planned(root, "sfnet", f"dataset.file={file}"))
    assert problem == f"{file}: streams is [40, 40], but the features have 8 channels; {FIX}"
    (problem,) = problems_of(lambda: planned(root, "backtal", "dataset.streams=[8]"))
    assert problem.endswith("dataset.streams is [8]; give two numbers, the channels of RGB and of flow")


def test_methods_that_read_all_channels_alike_need_no_streams(root: Path) -> None:
    assert planned(root, "basnet").trials[0].spec.dataset.streams == []
    assert planned(root, "basnet", "dataset.streams=[3,5]").trials[0].spec.dataset.streams == []


def test_an_odd_number_of_simulated_channels_is_refused() -> None:
    simulated = ["dataset.source=simulated", "dataset.simulation.channels=7", "method=sfnet"]
    (problem,) = problems_of(lambda: resolve(load_study("thumos_single", simulated, STUDIES)))
    assert problem.endswith(f"nothing says which of the 7 channels of the simulated features are which; {FIX}")
    plan = resolve(load_study("thumos_single", [*simulated, "dataset.streams=[4,3]"], STUDIES))
    assert plan.trials[0].spec.dataset.streams == [4, 3]
