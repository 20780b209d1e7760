"""MLflow's own page of a finished study, in a real browser: runs, curves and files, and the way to the dashboards."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from tal_dashboards.data.reader import MLFLOW_PAGE
from tal_search.trial.folder import TrialFolder
from tests.support.browser import SECONDS
from tests.support.mlflow_server import free_port, mlflow_server
from tests.support.paths import ARTIFACTS
from tests.support.small_dashboards import GRID, Made, make_study, served

pytestmark = pytest.mark.slow
FITS = [*GRID, "search.axes={lambda_sep: [1.0, 8.0]}", "tracking.mlflow=true"]
CURVE = "holdout/mAP/0.5"
# What the charts of a run draw: the epochs and values of every line, with the text of the chart.
DRAWN = """() => [...document.querySelectorAll("[data-testid=experiment-view-compare-runs-card]")].map((card) =>
  [card.textContent, (card.querySelector(".js-plotly-plot")?.data ?? []).map((line) => [[...line.x], [...line.y]])])"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_study(tmp_path_factory.mktemp("tracked") / "runs", "thumos_single", *FITS)


@pytest.fixture(scope="module")
def page(opened: Browser, made: Made) -> Iterator[Page]:
    """A page whose server is MLflow's, as the command that a run prints starts it; its addresses begin with "/"."""
    with mlflow_server(made.runs, "ui", "mlflow.db", free_port()) as address:
        context = opened.new_context(base_url=address, viewport={"width": 1280, "height": 800})
        context.set_default_timeout(1000 * SECONDS)
        expect.set_options(timeout=1000 * SECONDS)
        yield context.new_page()


def photographed(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"mlflow-{name}.png")


def chart(page: Page, metric: str) -> list[list[float]]:
    """Epochs and values of the line that a run's page draws of a metric."""
    page.get_by_placeholder("Search metric charts").fill(metric)
    until = time.monotonic() + SECONDS
    while True:
        cards = page.evaluate(DRAWN)
        if len(cards) == 1 and cards[0][1] and metric in cards[0][0]:
            line: list[list[float]] = cards[0][1][0]
            return line
        assert time.monotonic() < until, f"no chart of {metric}: {cards}"
        page.wait_for_timeout(100)


def test_the_runs_of_a_study_stand_below_its_own(page: Page, made: Made) -> None:
    page.goto("/#/experiments?workflowType=machine_learning")
    study = page.get_by_role("link", name=made.name, exact=True).get_attribute("href") or ""
    (number,) = re.findall(r"#/experiments/(\d+)", study)
    page.goto(f"/#/experiments/{number}/runs?workflowType=machine_learning")
    expect(page.locator(".ag-row a")).to_have_text([made.name])
    page.locator(".ag-row button").first.click()
    for cell, seed in itertools.product(("centre", "lambda_sep=8"), (0, 1)):
        expect(page.locator(".ag-row a", has_text=f"{cell} · seed {seed}")).to_be_visible()
    photographed(page, "runs")


def test_a_trial_leads_to_its_run_with_curves_and_files_and_from_there_back(page: Page, made: Made) -> None:
    trials = made.read().trials.drop_duplicates("key").set_index("key")
    curves = {key: pd.read_parquet(TrialFolder.of(made.runs, key).epochs)[CURVE] for key in trials.index}
    key = max(curves, key=lambda one: curves[one].max())
    assert curves[key].max() > 0, "the fits learned nothing, so equal zeros would show nothing"
    row = trials.loc[key]
    assert row["mlflow"].startswith(f"{MLFLOW_PAGE}/#/runs/")
    page.goto(row["mlflow"].removeprefix(MLFLOW_PAGE))
    cell = "centre" if row["lambda_sep"] == 1 else f"lambda_sep={row['lambda_sep']:g}"
    expect(page.get_by_role("heading", name=f"{cell} · seed {row['seed']}")).to_be_visible()
    parent = json.loads((made.runs / made.name / "mlflow.jsonl").read_text().splitlines()[0])["parent"]
    expect(page.locator(f"a[href*='/runs/{parent}']")).to_have_text(made.name)
    path = f"/{made.name}/?view=study&trial={key}"
    expect(page.get_by_text(path)).to_be_visible()
    photographed(page, "run")

    page.get_by_role("tab", name="Model metrics").click()
    folder = TrialFolder.of(made.runs, key)
    number, value = chart(page, CURVE)
    assert number == [4, 8]
    assert value == pytest.approx((100 * curves[key].dropna()).tolist())
    photographed(page, "curve")

    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("checkpoint.pt").first.click()
    with page.expect_download() as download:
        page.locator("button[data-component-id*=artifactview]").click()
    assert download.value.path().read_bytes() == folder.checkpoint.read_bytes()
    photographed(page, "files")

    with served(made.runs) as address:
        page.goto(address + path)
        link = page.get_by_role("link", name="Its run in MLflow")
        expect(link).to_have_attribute("href", row["mlflow"])
