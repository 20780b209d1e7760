"""Labels as class names: spellings that name one class, and each kind of label that names none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tal_search.data.catalog import definition
from tal_search.data.truth.ambiguous import AMBIGUOUS
from tal_search.data.truth.annotations import read_annotations
from tal_search.data.truth.labels import Use, described, label_uses, read_as, spelling
from tests.support.definitions import INSTALLED as DATASETS
from tests.support.make_dataset import problems_of

SAME = "labels that differ from a class only by case, separators or invisible characters are read as that class: "


def truth_file(folder: Path, *labels: object, name: str = "truth.json", **more: Any) -> Path:
    """A ground truth with an instance of each label in the subset "test"."""
    items = [{"segment": [2 * number, 2 * number + 1], "label": label} for number, label in enumerate(labels)]
    path = folder / name
    path.write_text(json.dumps({"database": {"v": {"subset": "test", "annotations": items}}, **more}))
    return path


def classes_and_notes(path: Path, dataset: str | None = None) -> tuple[list[str], list[str]]:
    """The class of each instance, and the notes of the reader without the file's name."""
    notes: list[str] = []
    truth = read_annotations(path, "test", dataset and definition(dataset), notes)
    assert all(note.startswith(f"{path}: ") for note in notes)
    return [truth.classes[label] for label in truth.label], [note.removeprefix(f"{path}: ") for note in notes]


@pytest.mark.parametrize(
    "label", ["High Jump", "high_jump", "HIGH-JUMP", " highjump ", "High\u2010Jump", "high\u00a0jump", "\uff28ighJump"]
)
def test_spellings_of_one_class(label: str) -> None:
    assert spelling(label) == spelling("HighJump")


@pytest.mark.parametrize("label", ["High\u200bJump", "\ufeffHighJump", "High\u00adJump"])
def test_invisible_characters_make_no_class_and_are_shown(tmp_path: Path, label: str) -> None:
    escaped = label.encode("unicode_escape").decode()
    classes, notes = classes_and_notes(truth_file(tmp_path, "HighJump", label, "HighJump"))
    assert (classes, notes) == (["HighJump"] * 3, [f"{SAME}'{escaped}' (1 instance) as 'HighJump'"])


@pytest.mark.parametrize(("one", "other"), [("walk 1-2", "walk 12"), ("C++", "C"), ("-", "_"), ("a1", "a-2")])
def test_labels_that_are_not_the_same(one: str, other: str) -> None:
    assert spelling(one) != spelling(other)


@pytest.mark.parametrize("name", DATASETS)
def test_no_two_classes_of_a_known_dataset_share_a_spelling(name: str) -> None:
    classes = DATASETS[name].classes
    assert len({spelling(label) for label in classes}) == len(classes)
    assert read_as([label.upper().replace(" ", "_") for label in classes], classes).keys()
    assert tuple(read_as([label.upper().replace(" ", "_") for label in classes], classes).values()) == classes


def test_a_spelling_that_two_classes_share_names_neither() -> None:
    assert read_as(["run", "RUN", "jump"], ["Run", "RUN", "Jump"]) == {"RUN": "RUN", "jump": "Jump"}


def test_labels_of_a_known_dataset_are_read_in_its_spelling(tmp_path: Path) -> None:
    path = truth_file(tmp_path, "high jump", "HighJump", "high jump", "LONG_JUMP")
    says = "'high jump' (2 instances) as 'HighJump', 'LONG_JUMP' (1 instance) as 'LongJump'"
    assert classes_and_notes(path, "thumos14") == (["HighJump", "HighJump", "HighJump", "LongJump"], [SAME + says])
    assert classes_and_notes(path, "activitynet12")[0] == ["High jump", "High jump", "High jump", "Long jump"]


def test_labels_of_another_dataset_are_read_as_most_are_spelled(tmp_path: Path) -> None:
    path = truth_file(tmp_path, "pour milk", "Pour_Milk", "stir", "Pour_Milk", "STIR")
    classes, (note,) = classes_and_notes(path, "mine")
    assert classes == ["Pour_Milk", "Pour_Milk", "STIR", "Pour_Milk", "STIR"]  # of two equals, the first by name
    assert note == f"{SAME}'pour milk' (1 instance) as 'Pour_Milk', 'stir' (1 instance) as 'STIR'"


def test_clean_labels_need_no_note(tmp_path: Path) -> None:
    assert classes_and_notes(truth_file(tmp_path, "HighJump", "LongJump"), "thumos14") == (["HighJump", "LongJump"], [])


def test_activity_list_and_labels_may_be_spelled_differently(tmp_path: Path) -> None:
    path = truth_file(tmp_path, "pour_milk", "Stir", activity_list=["stir", "Pour milk"])
    classes, (note,) = classes_and_notes(path, "mine")
    assert classes == ["Pour milk", "stir"]
    assert read_annotations(path, "test").classes == ("stir", "Pour milk")
    assert note == f"{SAME}'pour_milk' (1 instance) as 'Pour milk', 'Stir' (1 instance) as 'stir'"
    path = truth_file(tmp_path, "high jump", activity_list=["High Jump", "long_jump"])
    assert read_annotations(path, "test", definition("thumos14")).classes == ("HighJump", "LongJump")


@pytest.mark.parametrize("label", ["Ambiguous", "ambiguous", "AMBIGUOUS", " Ambiguous"])
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("dataset", ["thumos14", "mine"])
def test_ambiguous_is_no_class_in_any_spelling(tmp_path: Path, label: str, listed: bool, dataset: str) -> None:
    more = {"activity_list": [label, "HighJump"]} if listed else {}
    path = truth_file(tmp_path, "HighJump", label, **more)
    truth, (_, notes) = (
        read_annotations(path, "test", dataset and definition(dataset)),
        classes_and_notes(path, dataset),
    )
    assert (truth.classes, truth.label.tolist()) == (("HighJump",), [0])
    assert truth.ambiguous is not None
    assert (truth.ambiguous.classes, truth.ambiguous.segment.tolist()) == ((AMBIGUOUS,), [[2, 3]])
    assert notes == ([] if label == AMBIGUOUS else [f"{SAME}'{label}' (1 instance) as 'Ambiguous'"])


@pytest.mark.parametrize("label", ["background", "Background", "background_background", "__BACKGROUND__"])
@pytest.mark.parametrize("dataset", ["thumos14", "mine", None])
def test_background_is_refused_everywhere(tmp_path: Path, label: str, dataset: str | None) -> None:
    path = truth_file(tmp_path, "HighJump", label, label)
    (problem,) = problems_of(lambda: read_annotations(path, "test", dataset and definition(dataset)))
    assert problem == (
        f"{path}: labels that mean background, which is no class: '{label}' (2 instances, first in "
        "database.v.annotations[1]); remove these instances: time without an instance is background"
    )
    path = truth_file(tmp_path, "HighJump", activity_list=[label, "HighJump"])
    (problem,) = problems_of(lambda: read_annotations(path, "test", dataset and definition(dataset)))
    assert problem == f"{path}: activity_list names '{label}', which is no class; remove it"


def test_labels_outside_a_known_dataset_are_one_problem_with_counts_and_hints(tmp_path: Path) -> None:
    labels = ("HighJump", "HihgJump", "HihgJump", "Jogging", "LONGJUMB")
    path = truth_file(tmp_path, *labels)
    (problem,) = problems_of(lambda: read_annotations(path, "test", definition("thumos14")))
    assert problem == (
        f"{path}: labels that are no class of THUMOS14: "
        "'HihgJump' (2 instances, first in database.v.annotations[1]; did you mean 'HighJump'?), "
        "'Jogging' (1 instance, first in database.v.annotations[3]), "
        "'LONGJUMB' (1 instance, first in database.v.annotations[4]; did you mean 'LongJump'?); "
        "correct or remove them, "
        "or give the name of the dataset that has them (name=NAME; in a study, dataset.name=NAME)"
    )
    assert len(read_annotations(path, "test", definition("mine")).classes) == 4
    path = truth_file(tmp_path, "HighJump", activity_list=["HighJump", "Joging"])
    (problem,) = problems_of(lambda: read_annotations(path, "test", definition("thumos14")))
    assert "labels that are no class of THUMOS14: 'Joging' (0 instances, first in activity_list); correct" in problem


def test_many_strange_labels_are_one_sentence(tmp_path: Path) -> None:
    path = truth_file(tmp_path, *[f"class {chr(97 + number)}" for number in range(26)] * 10)
    (problem,) = problems_of(lambda: read_annotations(path, "test", definition("thumos14")))
    assert "'class a' (10 instances" in problem
    assert "'class t' (10 instances, first in database.v.annotations[19]) and 6 more; correct" in problem


def test_names_given_twice_in_activity_list(tmp_path: Path) -> None:
    path = truth_file(tmp_path, "run", activity_list=["Run", "run", "jump", "jump"])
    assert [problem.removeprefix(f"{path}: ") for problem in problems_of(lambda: read_annotations(path, "test"))] == [
        "activity_list names 'Run' and 'run', which differ only by case or separators; keep one",
        "activity_list names 'jump' 2 times; keep one",
    ]


@pytest.mark.parametrize("label", ["", "  ", None, 7, ["run"]])
def test_labels_that_are_no_text(tmp_path: Path, label: object) -> None:
    path = truth_file(tmp_path, "run", *[label] * 9)
    problems = problems_of(lambda: read_annotations(path, "test"))
    assert len(problems) == 3
    assert problems[0].startswith(f"{path}: database.v.annotations[1].label is ")
    assert problems[2].endswith("; give the name of a class (and 6 more like it)")


def test_labels_of_whatever_is_no_ground_truth() -> None:
    item = {"label": "run"}
    entries = {"a": 3, "b": {"annotations": "run"}, "c": {"annotations": [5, item, {"label": 3}]}, "d": {}}
    assert label_uses({**entries, "e": {"annotations": [item]}}) == {"run": Use(2, "database.c.annotations[1]")}
    assert described({"run\nfast": Use(1)}) == "'run\\nfast' (1 instance)"
