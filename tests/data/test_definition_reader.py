"""Dataset files: read whole, or refused with every problem and its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tal_search.cli.main import main
from tal_search.data.definition import DatasetDefinition, PresetChange, PublishedSystem, SplitNames, StandIn
from tal_search.data.definition_reader import read_definition
from tal_search.data.sampling.settings import SamplingChange, SplitSampling
from tests.support.make_dataset import problems_of

WHOLE = """\
title: Kitchen
description: Two people cook
source: >-
  From our
  kitchen.
clicks: ours
classes: [pour, stir, "7"]
splits: {training: [Train], test: [held out]}
videos: {training: 3, test: 2}
stand_in: {training: 4}
layout: actionformer
stride: 16
offset: 8
fps: "29.97"
channels: 12
snippets: 50
tiou: [0.3, 0.5]
protocol: thumos14
presets:
  backtal:
    adapted: {snippets: 40, hyperparameters: {epochs: 3}, inference: {nms: 0.4}}
    generic: {sampling: {training: {kind: crop, lengths: [75, 280]}}}
published:
- {system: X, supervision: video labels, mAP: {0.5: 20.5, "0.3:0.7": 30}, source: Table 1}
"""


def read(tmp_path: Path, text: str | bytes) -> DatasetDefinition:
    path = tmp_path / "kitchen.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_definition("kitchen", path, "datasets/kitchen.yaml")


def test_every_key_is_read(tmp_path: Path) -> None:
    change = PresetChange(snippets=40, hyperparameters={"epochs": 3}, inference={"nms": 0.4})
    found = read(tmp_path, WHOLE)
    assert (found.source, found.classes, found.fps, found.tiou) == (
        "From our kitchen.",
        ("pour", "stir", "7"),
        29.97,
        "0.3,0.5",
    )
    assert found.splits == SplitNames(training=("Train",), test=("held out",))
    assert found.stand_in == StandIn(training=4)
    crops = SamplingChange(training=SplitSampling(kind="crop", lengths=(75, 280)))
    assert found.presets == {"backtal": {"adapted": change, "generic": PresetChange(sampling=crops)}}
    assert found.published == (
        PublishedSystem(system="X", supervision="video labels", mAP={"0.5": 20.5, "0.3:0.7": 30}, source="Table 1"),
    )


def test_a_file_may_leave_out_all_but_one_key(tmp_path: Path) -> None:
    assert read(tmp_path, "title: Kitchen") == DatasetDefinition(name="kitchen", title="Kitchen")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clases: [a]", "datasets/kitchen.yaml:1: clases is unknown; did you mean 'classes'? (value seen: [\"a\"])"),
        ("name: x", "name is unknown"),
        ("preset: {}", "preset is unknown; did you mean 'presets'?"),
        ("stride: fast", 'datasets/kitchen.yaml:1: stride is "fast"; it must be a finite number or null'),
        ("stride: -1", "stride is -1; it must be at least 0.01"),
        ("fps: 1e-320", "fps is "),
        ("stride: 1e-320", "it must be at least 0.01"),
        (
            "layout: hdf",
            'layout is "hdf"; it must be one of auto, backtal, basnet, hdf5, actionformer, converted; did you',
        ),
        ("layout: backtal\nstride: 4", "datasets/kitchen.yaml:2: stride is given, but the layout is backtal"),
        ("classes: [a, 3]", 'classes is ["a", 3]; it must be a list, each value text'),
        (
            "classes: [go left, Go_Left]",
            'classes names "go left" and "Go_Left", which differ at most by case or separators',
        ),
        ("classes: [a, a]", 'classes names "a" and "a"'),
        (
            "classes: [a, Background]",
            'datasets/kitchen.yaml:1: classes[1] is "Background", which is no class; remove it',
        ),
        ("classes: ['', b]", 'classes[0] is ""; it must be a name of 1 to 200 printable letters'),
        ('classes: ["a\\u200b"]', "classes[0] is "),
        (
            "splits: {training: [../x], test: [y]}",
            'splits.training[0] is "../x"; it must be the name of a folder or subset, not',
        ),
        ("splits: {training: [a], test: [A]}", 'splits has "A" for training and for test; give two names'),
        (
            "splits: {training: [val, a], test: [validation, b]}",
            'splits prefers "validation" for training and for test',
        ),
        ("splits: {training: []}", "splits.training has no names; give one, or leave it out"),
        ("splits: {train: [a]}", "splits.train is unknown; did you mean 'training'?"),
        ("splits: [a]", 'splits is ["a"]; it must be a mapping, KEY: VALUE lines'),
        ("tiou: 1.5", 'tiou is "1.5": 1.5 is outside (0, 1]; give a fraction'),
        ("tiou: [0.5, 0.5]", 'tiou is "0.5,0.5": 0.5 is given more than once; keep one'),
        ("tiou: 0.5:0.1:0.1", 'tiou is "0.5:0.1:0.1": is an empty range; START must not exceed STOP'),
        (
            "protocol: thumos",
            'protocol is "thumos"; it must be one of activitynet, thumos14; did you',
        ),
        ("videos: {training: -1}", "videos.training is -1; it must be at least 0"),
        ("snippets: 1", "snippets is 1; it must be at least 2"),
        ("presets: {backtal: {adapted: {epochs: 3}}}", "presets.backtal.adapted.epochs is unknown"),
        ("presets: {backtal: {adapted: {hyperparameters: {epochs: [3]}}}}", "epochs is [3]; it must be a single value"),
        ("presets: [backtal]", 'presets is ["backtal"]; it must be a mapping'),
        ("published: {system: X}", 'published is {"system": "X"}; it must be a list of systems'),
        ("published: [{system: X}]", "published[0] has no supervision, mAP, source; add them"),
        ("published: [{mAP: {0.5: 105}}]", "published[0].mAP.0.5 is 105; it must be a mAP in percent, from 0 to 100"),
        ("published: [{mAP: {1.5: 5}}]", "1.5 is outside (0, 1]"),
        ("a: &x [1]\nb: *x", "an alias *NAME is not read, repeat the value"),
        ("title: !!python/name:os.system", "which is not read; use plain values"),
        ("title: ${oc.env:HOME}", "is not filled in"),
        ("classes: " + "[" * 50 + "]" * 50, "nested too deeply"),
        ("x" * 500_000, "has 500000 bytes; at most 100000 characters are read, shorten it"),
        ("", "is empty; write at least a description"),
        ("- a", 'is ["a"], not a mapping; write KEY: VALUE lines'),
        (b"\xff\xfe", "write it as UTF-8 text"),
        ("title: a\ntitle: b", "title is given again (first at datasets/kitchen.yaml:1); keep one"),
    ],
)
def test_a_wrong_file_gets_a_sentence_with_its_place(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    problems = problems_of(lambda: read(tmp_path, text))
    assert any(sentence in problem for problem in problems), problems
    assert all(problem.startswith("datasets/kitchen.yaml") and len(problem) < 400 for problem in problems)


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = "clases: [a]\nclasses: [b, B]\nstride: 0\ntiou: 7\nsplits: {test: [a/b]}\npublished: 3\n"
    problems = problems_of(lambda: read(tmp_path, text))
    assert [problem.split(":")[1] for problem in sorted(problems)] == ["1", "2", "3", "4", "5", "6"]


def test_what_is_no_file_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to(tmp_path / "absent.yaml")
    for name, seen in (("", "Is a directory"), ("link.yaml", "it is a link to nothing"), ("no.yaml", "No such file")):
        (problem,) = problems_of(lambda name=name: read_definition("x", tmp_path / name))
        assert problem.startswith(f"{tmp_path / name}: cannot be read ({seen}")
        assert problem.endswith("; give a YAML file")


def test_a_wrong_file_ends_every_command_with_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text("stride: 0\n")
    truth, empty = tmp_path / "gt_x.json", tmp_path / "detections.json"
    for command in (
        ["data", "check", ".", "file=bad.yaml"],
        ["data", "convert", ".", "out=new", "file=bad.yaml"],
        ["run", "--preview", "study=quickstart", "dataset.file=bad.yaml", "search.trails=3"],
        ["run", "study=quickstart", "dataset.file=bad.yaml"],
        ["evaluate", f"detections={empty}", f"ground_truth={truth}", "subset=test", "file=bad.yaml"],
    ):
        assert main(command) == 2
        err = capsys.readouterr().err
        assert err.count("bad.yaml:1: stride is 0; it must be at least 0.01") == 1
        assert ("search.trails" in err) == ("search.trails=3" in command)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]
