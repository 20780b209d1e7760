"""Which preset a study uses: the method's with the changes of the dataset's file, or a generic one by rule."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tal_search.data.catalog import definition
from tal_search.data.definition import DatasetDefinition, PresetChange
from tal_search.data.sampling.settings import Sampling, SamplingChange, SplitSampling
from tal_search.errors import InputError
from tal_search.localization.inference import Inference
from tal_search.methods import available, specification
from tal_search.study import Study, effective_preset, find_dataset, load_study, preset_name
from tal_search.study.effective_preset import dataset_facts, named_preset, preset_names, preset_problems
from tal_search.types import Source
from tests.support.make_dataset import make_dataset
from tests.support.paths import FIXTURES
from tests.support.presets import preset_of

# Every preset before datasets were files, complete: T, hyperparameters and inference settings by dataset, method, name.
BEFORE = json.loads((FIXTURES / "presets" / "before_datasets_were_files.json").read_text())
# Settings of every method that came later, with the values that change nothing.
LATER = {"optimizer": "adam", "warm_up": None, "final_rate": 0.0, "clip_norm": None, "ema_decay": None}
LATER_OF = {"asl": {"encoder": "plain"}}  # of one method
DATASETS = ("activitynet12", "beoid", "gtea", "hacs", "thumos14")
NAMES = ("paper", "release", "adapted", "simulated", "generic")


def study(tmp_path: Path, *overrides: str) -> Study:
    return load_study("thumos_single", [*overrides, f"runs={tmp_path}"])


SINCE = (
    "thumos14 sfnet release", "beoid sfnet release", "gtea sfnet release", "thumos14 basnet release",
    "thumos14 actionformer adapted",
)  # fmt: skip


def files(root: Path, name: str) -> Path:
    """Six training and three test videos of a dataset of that name."""
    make_dataset(root, train=6)
    (root / "gt_thumos14.json").rename(root / f"gt_{name}.json")
    return root


@pytest.mark.parametrize("key", BEFORE)
def test_a_preset_has_the_settings_that_it_had_when_methods_listed_datasets(key: str) -> None:
    dataset, method, name = key.split()
    preset = preset_of(method, dataset, name)
    assert preset.snippets == BEFORE[key]["snippets"]
    assert asdict(specification(method).configured(preset.hyperparameters)) == {
        **LATER,
        **LATER_OF.get(method, {}),
        **BEFORE[key]["hyperparameters"],
    }
    assert asdict(Inference(**preset.inference)) == BEFORE[key]["inference"]


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("method", available())
def test_a_dataset_has_the_presets_that_its_file_names_and_two_more(method: str, dataset: str) -> None:
    known = {name for key in (*BEFORE, *SINCE) for d, m, name in [key.split()] if (d, m) == (dataset, method)}
    assert set(preset_names(definition(dataset), method)) == {*known, "simulated", "generic"}
    assert specification(method).presets.keys() <= set(NAMES) - {"generic"}
    assert {"adapted", "simulated"} <= specification(method).presets.keys()


@pytest.mark.parametrize(
    ("overrides", "source", "name"),
    [
        ((), "features", "paper"),
        (("hyperparameters.variant=release",), "features", "release"),
        (("hyperparameters.variant=release",), "simulated", "simulated"),
        (("dataset.name=hacs",), "features", "paper"),
        (("dataset.name=hacs", "method=asl"), "features", "generic"),
        (("dataset.name=hacs", "method=asl"), "simulated", "simulated"),
        (("dataset.name=beoid",), "features", "adapted"),
        (("dataset.name=beoid", "hyperparameters.variant=release"), "features", "adapted"),
        (("dataset.name=mine", "dataset.root=."), "features", "generic"),
        (("dataset.name=gtea", "preset=simulated"), "features", "simulated"),
        (("method=basnet",), "features", "paper"),
        (("method=basnet", "hyperparameters.variant=release"), "features", "release"),
        (("preset=release",), "simulated", "release"),
        (("preset=generic",), "simulated", "generic"),
    ],
)
def test_auto_is_simulated_or_named_like_the_variant_or_adapted_or_generic(
    tmp_path: Path, overrides: tuple[str, ...], source: Source, name: str
) -> None:
    assert preset_name(study(tmp_path, *overrides), source) == name


def test_a_preset_that_a_dataset_has_not_is_refused_with_those_it_has(tmp_path: Path) -> None:
    words = r'preset is "paper"; for backtal on beoid it must be one of auto, adapted, simulated, generic'
    with pytest.raises(InputError, match=words):
        study(tmp_path, "dataset.name=beoid", "preset=paper")
    words = (
        r'preset is "genric"; for asl on mine it must be one of auto, simulated, generic; did you mean \'generic\'\?'
    )
    with pytest.raises(InputError, match=words):
        study(tmp_path, "method=asl", "dataset.name=mine", "dataset.root=.", "preset=genric")


@pytest.mark.parametrize("method", available())
def test_every_method_has_a_generic_preset_for_any_dataset(tmp_path: Path, method: str) -> None:
    root = files(tmp_path / "mine", "mine")
    asked = study(tmp_path, f"method={method}", "dataset.name=mine", f"dataset.root={root}")
    spec = find_dataset(asked)
    chosen, facts = effective_preset(asked, spec), dataset_facts(spec)
    assert (chosen.name, spec.snippets) == ("generic", chosen.snippets)
    assert chosen.snippets == facts.snippets
    assert (facts.videos, facts.classes) == (6, 3)
    specification(method).configured(chosen.preset.hyperparameters)
    Inference(**chosen.preset.inference)


def test_t_is_the_study_s_else_the_preset_s_else_the_file_s_else_by_rule(tmp_path: Path) -> None:
    root = files(tmp_path / "thumos14", "thumos14")
    given = study(tmp_path, "method=asl", "preset=generic", f"dataset.root={root}")
    spec = find_dataset(given)
    assert (preset_name(given, spec.source), spec.snippets) == ("generic", definition("thumos14").snippets)
    assert effective_preset(given, spec).preset.hyperparameters["levels"] == 6, "of the T that is used"
    asked = replace(given, dataset=replace(given.dataset, snippets=50))
    assert find_dataset(asked).snippets == effective_preset(asked, spec).snippets == 50
    assert effective_preset(asked, spec).preset.hyperparameters["levels"] == 3


def test_facts_that_cannot_be_read_are_reported_with_all_other_problems(tmp_path: Path) -> None:
    root = files(tmp_path / "mine", "mine")
    content = json.loads((root / "gt_mine.json").read_text())
    videos = list(content["database"].values())
    videos[0]["annotations"][0]["segment"] = [5, "end"]
    videos[1]["annotations"][0]["label"] = ""
    (root / "gt_mine.json").write_text(json.dumps(content))
    asked = study(tmp_path, "dataset.name=mine", f"dataset.root={root}")
    with pytest.raises(InputError) as raised:
        find_dataset(asked)
    assert len(raised.value.problems) >= 2


def test_the_sampling_of_a_file_s_preset_is_checked_and_changes_the_split_that_it_names() -> None:
    native, crop = SplitSampling(kind="native"), SplitSampling(kind="crop")
    wrong = PresetChange(sampling=SamplingChange(training=crop, test=crop))
    found = list(preset_problems(DatasetDefinition(name="mine", presets={"basnet": {"generic": wrong}})))
    assert [sentence.partition("presets.basnet.generic.sampling.")[2] for sentence in found] == [
        "training.kind is crop, but there are no lengths; give lengths: [SNIPPETS, ...]",
        "test.kind is crop, which draws anew each time; at test give rescale, uniform or native",
    ]
    change = PresetChange(sampling=SamplingChange(test=native))
    right = DatasetDefinition(name="mine", presets={"basnet": {"release": change}})
    assert not list(preset_problems(right))
    assert named_preset(right, "basnet", "release").sampling == Sampling(
        training=SplitSampling(kind="random_perturbed"), test=native
    )


def test_what_a_file_changes_is_checked_as_a_study_is() -> None:
    wrong = {
        "bactal": {"generic": PresetChange()},
        "backtal": {
            "papre": PresetChange(),
            "generic": PresetChange(hyperparameters={"epoks": 3, "k_ratio": 2, "lambda_sep": "1/2"}),
            "paper": PresetChange(inference={"nms": "high"}),
        },
        "asl": {"generic": PresetChange(inference={"nms": 0.5})},
    }
    found = list(preset_problems(DatasetDefinition(name="mine", presets=wrong)))
    assert [sentence.removeprefix("datasets/mine.yaml: presets.") for sentence in found] == [
        "bactal is no method; it must be one of actionformer, asl, backtal, basnet, dgam, representative, sfnet; did "
        "you mean 'backtal'?",
        "backtal.papre is no preset of backtal; it must be one of paper, release, adapted, simulated, generic; did you "
        "mean 'paper'?",
        "backtal.generic.hyperparameters.epoks is unknown; did you mean 'epochs'? (value seen: 3)",
        "backtal.generic.hyperparameters.k_ratio is 2; it must be at most 1",
        'backtal.paper.inference.nms is "high"; it must be a finite number',
        "asl.generic.inference is given, but asl localizes without class activation sequences; remove it",
    ]  # fmt: skip
    right = DatasetDefinition(name="mine", presets={"asl": {"adapted": PresetChange(hyperparameters={"delta": "1/2"})}})
    assert not preset_problems(right)
    assert named_preset(right, "asl", "adapted").hyperparameters == {"delta": 0.5}
    with pytest.raises(InputError, match=r"presets.backtal.paper.inference.nms is .high."):
        named_preset(DatasetDefinition(name="mine", presets=wrong), "backtal", "paper")


def test_the_problems_of_a_dataset_s_file_come_with_those_of_the_study(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("tiou: 3\nlayot: basnet\n")
    with pytest.raises(InputError) as raised:
        study(tmp_path, "dataset.name=mine", f"dataset.file={file}", "hyperparameters.epoks=3")
    problems = raised.value.problems
    assert [sum(word in problem for problem in problems) for word in ("tiou", "layot", "epoks")] == [1, 1, 1]
    file.write_text("presets: {sfnet: {generic: {snippets: 30, hyperparameters: {steps: 7, stepps: 8}}}}\n")
    with pytest.raises(InputError, match=r"presets.sfnet.generic.hyperparameters.stepps is unknown; did you"):
        study(tmp_path, "dataset.name=mine", f"dataset.file={file}")
    file.write_text("presets: {sfnet: {generic: {snippets: 30, hyperparameters: {steps: 7, dropout: 1/2}}}}\n")
    place = ("dataset.name=mine", f"dataset.file={file}", f"dataset.root={files(tmp_path / 'data', 'mine')}")
    asked = study(tmp_path, "method=sfnet", *place)
    chosen = effective_preset(asked, find_dataset(asked))
    assert (chosen.name, chosen.snippets) == ("generic", 30)
    assert (chosen.preset.hyperparameters["steps"], chosen.preset.hyperparameters["dropout"]) == (7, 0.5)
