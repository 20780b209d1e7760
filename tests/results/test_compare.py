"""`tal_search.compare`: two settings from frames of runs."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import tal_search
from tal_search import Compared, compare
from tal_search.errors import InputError
from tests.support.drawn_runs import drawn, repeats_of
from tests.support.paths import ROOT
from tests.support.plain_statistics import NONE, difference


def frame(repeats: dict[tuple[int, str], float]) -> pd.DataFrame:
    return pd.DataFrame([(*key, value) for key, value in repeats.items()], columns=["seed", "annotator", "mAP"])


def two(seeds: int = 3, annotators: int = 3, shift: float = 0.0, **effects: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs = drawn(np.random.default_rng(0), 2, seeds, annotators, **effects)
    a, b = (frame(dict(repeats_of(runs, cell))) for cell in (1, 0))
    return a.assign(mAP=a["mAP"] + shift), b


def repeats(rows: pd.DataFrame) -> dict[tuple[int, str], float]:
    return {(int(seed), str(name)): float(value) for seed, name, value in rows.itertuples(index=False)}


def test_it_says_whether_a_is_better_than_b() -> None:
    a, b = two(shift=5.0)
    found = compare(a, b)
    assert isinstance(found, Compared)
    assert (found.verdict, found.needs, found.pairs) == ("better", "", 9)
    assert 0 < found.low < found.mean < found.high
    assert found.mean == pytest.approx(a["mAP"].mean() - b["mAP"].mean())
    turned = compare(b, a)
    assert turned.verdict == "worse"
    assert (turned.mean, turned.low, turned.high, turned.p) == pytest.approx(
        (-found.mean, -found.high, -found.low, found.p)
    )
    assert all(isinstance(value, (float, str, int)) for value in found)
    assert type(found.mean) is type(found.p) is float
    assert type(found.pairs) is int


@pytest.mark.parametrize(("seeds", "annotators"), [(3, 3), (5, 2), (10, 1)])
def test_seeds_and_annotators_are_crossed(seeds: int, annotators: int) -> None:
    a, b = two(seeds, annotators, seed=0.7, annotator=1.5)
    found, expected = compare(a, b), difference(repeats(a), repeats(b))
    assert (found.mean, found.high - found.mean, found.p) == pytest.approx((expected.mean, expected.half, expected.p))
    if annotators == 1:
        assert found.p == pytest.approx(stats.ttest_rel(a["mAP"], b["mAP"]).pvalue)


def test_the_order_of_rows_and_what_names_a_repeat_do_not_matter() -> None:
    a, b = two(annotator=0.7)
    found = compare(a, b)
    named = {"seed": lambda rows: "run " + rows["seed"].astype(str), "extra": 1}
    other = compare(a.sample(frac=1, random_state=1).assign(**named), b.sample(frac=1, random_state=2).assign(**named))
    assert other[:4] == pytest.approx(found[:4])
    assert other[4:] == found[4:]


def test_without_annotators_repeats_are_seeds() -> None:
    a, b = two(5, 1)
    found = compare(a.drop(columns="annotator"), b.drop(columns="annotator"))
    assert found.p == pytest.approx(stats.ttest_rel(a["mAP"], b["mAP"]).pvalue)
    assert found == compare(a, b)
    labels = compare(a, b.assign(annotator=NONE))
    assert labels.pairs == 5, "one of both reads no clicks: by seed"
    assert labels.mean == pytest.approx(found.mean)


def test_for_these_annotators_it_can_be_surer() -> None:
    a, b = two(6, 3, annotator=1.5)
    new, these = compare(a, b), compare(a, b, claim="these annotators")
    assert these.mean == new.mean
    assert these.high - these.low < 0.7 * (new.high - new.low)


def test_it_says_what_it_needs() -> None:
    a, b = two(3, 1, noise=3.0)
    found = compare(a, b)
    assert found.verdict == "needs repeats"
    assert found.needs.endswith(" seeds")
    few = compare(*(rows[rows["seed"] < 2] for rows in (a, b)))
    assert (few.verdict, few.needs, few.pairs) == ("needs repeats", "3 seeds", 2)
    assert math.isfinite(few.mean)
    assert all(math.isnan(value) for value in (few.low, few.high, few.p))
    apart = compare(a, b.assign(seed=b["seed"] + 10))
    assert (apart.pairs, apart.needs) == (0, "repeats in common")
    assert math.isnan(apart.mean)
    one_seed = compare(*two(1, 4))
    assert (one_seed.pairs, one_seed.needs) == (4, "3 seeds")
    assert math.isnan(one_seed.p)


def test_equal_settings_are_within_the_noise() -> None:
    a, _ = two(10, 1)
    found = compare(a, a)
    assert (found.mean, found.p, found.verdict) == (0, 1, "within noise")


RUNS = pd.DataFrame({"seed": [0, 1, 2], "annotator": ["x"] * 3, "mAP": [30.0, 31, 32]})
WRONG = [
    (RUNS.drop(columns="mAP"), "a has no column 'mAP'; give seed, annotator, mAP"),
    (RUNS.drop(columns="seed"), "a has no column 'seed'; give seed, annotator, mAP"),
    (RUNS.iloc[:0], "a has no rows; give one per run"),
    (RUNS.assign(mAP=[30.0, math.nan, 31]), "a: mAP nan is not a number; give one for every run, or omit the run"),
    (RUNS.assign(mAP=[30.0, math.inf, 31]), "a: mAP inf is not a number; give one for every run, or omit the run"),
    (RUNS.assign(mAP=["30", "n/a", "31"]), "a: mAP 'n/a' is not a number; give one for every run, or omit the run"),
    (RUNS.assign(seed=[0, 1, 1]), "a: seed 1, annotator x occurs twice; give one row per run"),
    (RUNS.assign(seed=[0, 1, 1]).drop(columns="annotator"), "a: seed 1 occurs twice; give one row per run"),
]


@pytest.mark.parametrize(("a", "sentence"), WRONG, ids=[sentence[:25] for _, sentence in WRONG])
def test_what_is_wrong_is_said_in_a_sentence(a: pd.DataFrame, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        compare(a, RUNS)
    assert sentence in str(caught.value)
    with pytest.raises(InputError) as caught:
        compare(RUNS, a)
    assert sentence.replace("a", "b", 1) in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        compare(RUNS.drop(columns="mAP"), RUNS.assign(seed=[0, 1, 1]), claim="all annotators")  # type: ignore[arg-type]
    for sentence in (
        "a has no column 'mAP'",
        "b: seed 1, annotator x occurs twice",
        "claim='all annotators' is unknown; give 'new annotators' or 'these annotators'",
    ):
        assert sentence in str(caught.value)


def test_importing_the_package_is_light_and_it_offers_what_it_names() -> None:
    code = (
        "import sys, tal_search; heavy = ('pandas', 'torch', 'numpy', 'scipy')\n"
        "before = [name for name in heavy if name in sys.modules]\n"
        "found = tal_search.compare\n"
        "import pandas as pd\n"
        "a = pd.DataFrame({'seed': [0, 1, 2, 3], 'mAP': [30.1, 31, 32, 33]})\n"
        "print(before, found(a, a.assign(mAP=a['mAP'] - 5 - a['seed'] / 10)).verdict, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] better False"
    assert {"Compared", "compare", "load", "run_study"} <= set(tal_search.__all__)
    assert tal_search.Compared is Compared
    with pytest.raises(AttributeError, match="module 'tal_search' has no attribute 'contrast'"):
        tal_search.contrast  # noqa: B018


def test_what_it_returns_is_what_its_document_says() -> None:
    assert Compared._fields == ("mean", "low", "high", "p", "verdict", "needs", "pairs")
    assert get_type_hints(Compared).keys() == {*Compared._fields}
    assert "new seeds and new annotators" in " ".join((compare.__doc__ or "").split())
