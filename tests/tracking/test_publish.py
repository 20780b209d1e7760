"""What a study's own run in MLflow says: the answer of the study, the same to the last digit as everywhere else."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tal_search.errors import InputError
from tal_search.plan.plan import Plan
from tal_search.results.cell_table import cells
from tal_search.results.noise import noise
from tal_search.results.overview import overview
from tal_search.results.ranking import best_first
from tal_search.study import TrackingSettings, load_study
from tal_search.tracking.ledger import parent_noted
from tal_search.tracking.publish import publish
from tal_search.tracking.rebuild import rebuild
from tal_search.tracking.values import dashboard_link
from tests.support.mlflow_contents import local, runs_of
from tests.support.mlflow_server import free_port
from tests.support.small_dashboards import Made

NOTE = "mlflow.note.content"


class Copied(NamedTuple):
    """A study's plan in a runs folder of its own, and what its run in MLflow said after the first copy of it."""

    plan: Plan
    metrics: dict[str, float]
    tags: dict[str, str]
    names: list[str]
    files: set[str]

    @property
    def parent(self) -> str:
        return str(parent_noted(self.plan.study.runs / self.plan.study.name / "mlflow.jsonl"))


@pytest.fixture(scope="module")
def copied(swept: Made, tmp_path_factory: pytest.TempPathFactory) -> Copied:
    runs = tmp_path_factory.mktemp("copied") / "runs"
    shutil.copytree(swept.runs, runs, ignore=shutil.ignore_patterns("sensitivity.*"))  # another test may write them
    plan = with_tracking(swept.plan, dashboard="https://host/tal/")
    plan = replace(plan, study=replace(plan.study, runs=runs))
    (runs / plan.study.name / "overview.json").write_text("{}")
    assert rebuild(plan).startswith("9 trained trials")
    client = local(runs)
    parent, children = runs_of(client, plan.study.name)
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    return Copied(plan, parent.data.metrics, parent.data.tags, [run.info.run_name for run in children], files)


def with_tracking(plan: Plan, **settings: Any) -> Plan:
    return replace(plan, study=replace(plan.study, tracking=TrackingSettings(**settings)))


def test_the_ranking_is_the_same_to_the_last_digit_in_metrics_tags_and_files(
    swept: Made, copied: Copied, tmp_path: Path
) -> None:
    metrics, tags, name = copied.metrics, copied.tags, copied.plan.study.name
    for data in (swept.frame, swept.read()):  # as the terminal has it, and as the dashboards read it
        effects, found = overview(data).ranking, cells(data)
        assert len(effects) == 3
        for place, row in enumerate(effects.to_dict("records"), 1):
            assert metrics[f"effect/{row['name']}"] == row["effect"]
            assert metrics[f"p_adjusted/{row['name']}"] == row["p adjusted"]
            assert metrics[f"rank/{row['name']}"] == place
            assert tags[f"verdict/{row['name']}"] == row["verdict"]
        assert metrics["best/mAP/0.5"] == found["mAP@0.5"][best_first(data)[0]]
        assert metrics["centre/mAP/0.5"] == found["mAP@0.5"][found["centre"]].item()
        assert metrics["noise/mAP/0.5"] == noise(data)
    client = local(copied.plan.study.runs)
    assert copied.files == {"ranking.csv", "overview.json"}
    kept = pd.read_csv(client.download_artifacts(copied.parent, "ranking.csv", str(tmp_path)))
    assert kept["effect"].tolist() == overview(swept.frame).ranking["effect"].tolist()
    assert tags["dashboard"] == f"https://host/tal/{name}/?view=study"
    assert tags["dashboard"] in tags[NOTE]
    assert "All mAP in percent" in tags[NOTE]


def test_every_run_names_its_dataset_and_what_differs_from_the_centre(copied: Copied) -> None:
    client = local(copied.plan.study.runs)
    parent, children = runs_of(client, copied.plan.study.name)
    used = {run.inputs.dataset_inputs[0].dataset.digest for run in (parent, *children)}
    assert used == {copied.plan.dataset.fingerprint[:36]}
    assert sorted(copied.names) == sorted(
        f"{cell} · seed {seed}" for cell in ("centre", "lambda_sep=0.25", "kernel_size=1") for seed in range(3)
    )


def test_a_summary_again_changes_nothing_but_what_changed(swept: Made, copied: Copied) -> None:
    client = local(copied.plan.study.runs)
    before = client.get_run(copied.parent).data
    client.log_metric(copied.parent, "effect/dropped", 3.0)
    client.set_tag(copied.parent, "verdict/dropped", "matters")
    client.set_tag(copied.parent, NOTE, "mine")
    assert publish(copied.plan, swept.frame) is None
    again = client.get_run(copied.parent).data
    assert pd.isna(again.metrics.pop("effect/dropped"))
    assert again.metrics == {name: value for name, value in before.metrics.items() if name != "effect/dropped"}
    assert again.tags == {**before.tags, NOTE: "mine"}
    assert len(client.get_metric_history(copied.parent, "best/mAP/0.5")) == 1


def test_a_rebuilt_copy_has_the_names_and_links_of_today(copied: Copied) -> None:
    study, client = copied.plan.study, local(copied.plan.study.runs)
    client.update_run(runs_of(client, study.name)[1][0].info.run_id, name="lambda_sep=1.0 A1 seed=0")
    rebuild(with_tracking(copied.plan, dashboard="http://host"))
    _, now = runs_of(client, study.name)
    assert [run.info.run_name for run in now] == copied.names
    links = [dashboard_link(study.name, run.data.tags["key"], "http://host") for run in now]
    assert [run.data.tags["dashboard"] for run in now] == links


def test_a_server_that_is_gone_is_one_sentence(swept: Made, copied: Copied) -> None:
    away = with_tracking(copied.plan, uri=f"http://127.0.0.1:{free_port()}")
    message = publish(away, swept.frame)
    assert message is not None
    assert message.startswith("The summary of this study in MLflow is incomplete (MlflowException: ")
    command = message.rpartition("to complete it: ")[2]
    moved = [f"runs={away.study.runs}" if word.startswith("runs=") else word for word in away.study.overrides]
    assert shlex.split(command) == ["tal-search", "rebuild", *moved]


@pytest.mark.parametrize("address", ["127.0.0.1:8050", "http://", "ftp://host", "http://host/a?b", "http://ho st"])
def test_an_address_of_the_dashboards_that_no_browser_follows_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=r"tracking.dashboard is .*it must be the address of the dashboards"):
        load_study("quickstart", [f"tracking.dashboard='{address}'"])


def test_a_password_of_an_address_is_in_no_link() -> None:
    study = load_study("quickstart", ["tracking.dashboard='https://me:secret@host:8443/tal/'"])
    assert study.tracking.dashboard_page == "https://host:8443/tal"
