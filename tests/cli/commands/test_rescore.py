"""The rescore command refuses arguments that name nothing to score, and studies that have no axes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["study=thumos_grid"], ["name at least one inference setting, e.g. inference.nms=[0.4,0.5,0.6]"]),
        (["study=thumos_grid", "inference.nms=0.4"], ["inference.nms=0.4: give a list of values, inference.nms=[...]"]),
        (["inference.nms=0.4"], ["study= is missing; ", "inference.nms=0.4: give a list of values"]),
        (["study=thumos_grid", "inference.nsm=[0.4]"], ["search.axes.inference.nsm is unknown; did you mean 'nms'?"]),
    ],
)
def test_arguments_are_checked_before_anything_is_scored(
    arguments: list[str], sentences: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rescore", *arguments, "dataset.source=simulated", f"runs={tmp_path}"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(sentences)
    assert all(sentence in line for sentence, line in zip(sentences, lines, strict=True))
    assert list(tmp_path.iterdir()) == []


def test_a_samplers_study_is_refused_with_the_way_to_score_its_best_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["dataset.source=simulated", f"runs={tmp_path}", "inference.nms=[0.4]"]
    assert main(["rescore", "study=thumos_search", *settings]) == 2
    assert "search.axes.inference.NAME=[VALUE,...]" in capsys.readouterr().err


def test_a_study_without_a_finished_fit_has_nothing_to_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rescore", "study=quickstart", f"runs={tmp_path}", "inference.nms=[0.4]"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"quickstart has no finished fit in {tmp_path}, so there is nothing to score; train it")
    assert list(tmp_path.iterdir()) == []
