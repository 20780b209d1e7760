"""Settings of a study that are computed: addresses without passwords, and the place of a key."""

from __future__ import annotations

import pytest

from tal_search.study import Study, TrackingSettings


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("http://me:secret@host:5000/", "http://host:5000"), ("https://host/mlflow", "https://host/mlflow"),
        ("sqlite:///runs/mlflow.db", ""), (None, ""),
    ],
)  # fmt: skip
def test_an_address_is_shown_without_its_password(address: str | None, page: str) -> None:
    tracking = TrackingSettings(uri=address, dashboard=address)
    assert (tracking.server_page, tracking.dashboard_page) == (page, page)


def test_a_key_has_the_place_of_the_nearest_section() -> None:
    study = Study(name="x", places={"search": "studies/x.yaml:3", "search.plan": "command line: search.plan=grid"})
    assert study.place("search.plan") == "command line: search.plan=grid"
    assert study.place("search.repeats.seeds") == "studies/x.yaml:3"
    assert study.place("budget") == "studies/x.yaml"
