"""The code version: changed by what computes a trial's numbers, and by nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tal_search.methods import available
from tal_search.trial.code_version import PACKAGE, code_version, reach, version_of
from tal_search.trial.code_version.boundary import BOUNDARY, OF_SOURCE
from tal_search.trial.code_version.sources import Package
from tal_search.trial.code_version.writer import HEARTBEAT
from tests.support.code_copies import DRAWN, EVERY, SOURCES, changed, copied, edit, move, restored

# What is found by a name that the program computes. All are fields of a record, whose class is in the version whole.
COMPUTED = {
    "Activations": "its arrays",
    "Fit": "the arrays of a batch, and the learning rate that a phase names",
    "make_optimizer": "the learning rate that a phase names",
    "VideoSet": "its arrays",
    "_at": "columns of clicks",
    "of_videos": "columns of clicks",
    "_of_all_folds": "columns of a ground truth",
    "_together": "arrays of videos",
    "_thresholds": "settings of `Inference`",
    "proposal_key": "settings of `Inference`",
}

UNCHANGED = [
    ("halved", "features are kept in float32, in twice the memory", "float32 it is"),  # the text of an error
    ("Fit", '"a method whose `prepare` returns True needs `restarts = True`"', '"?"'),  # the text of an assertion
    ("separation_loss", '"""L_sep: push', '"""L_sep pushes'),  # a docstring
    ("separation_loss", "    cas_BCT = cas_BC1T[:, :-1]\n", "    # a comment\n\n    cas_BCT = cas_BC1T[:, :-1]\n"),
    ("separation_loss", "labels_BC: Tensor, clicks_BT", "labels_BC: object, clicks_BT"),  # an annotation
    ("BackTAL", "from tal_search.nn import losses", "import tal_search.nn.losses as losses"),
    ("require_finite", "np.isfinite(", "np.isreal("),  # a reader of features
    ("read_annotations", "may_be_empty=True), instance", "may_be_empty=False), instance"),
    ("read_labels", "sorted(set(spelled.values()))", "set(spelled.values())"),
    ("read_click_file", "text.lstrip().startswith", "text.startswith"),
    ("Contradictions", "OFF * expected", "expected"),  # a check
    ("open_cache", 'manifest["snippets"] != snippets', 'manifest["snippets"] < snippets'),
    ("shared_splits", "splits = _opened(place, notes)", "splits = None"),
    ("retry_when_full", "POLL_SECONDS = 0.5", "POLL_SECONDS = 0.25"),  # the disk
    ("retry_when_full", "def retry_when_full(", "LOCKS = 2\n\n\ndef retry_when_full("),
    ("save_progress", "progress-{epoch}.", "state-{epoch}."),  # checkpoints
    ("why_silent", "below inference", "under inference"),  # a note on missing detections
    ("TrialFolder", '"epochs.parquet"', '"all_epochs.parquet"'),
    ("Progress", "write_json(self.folder.scores, tested.scores.to_json())\n", "\n"),
    ("RUN_USAGE", "overrides a key", "changes a key"),  # the command line
    ("resolve", "extend(annotator_problems(", "extend(1 and annotator_problems("),  # the search
    ("Inference", "video score a class needs", "the score that a class needs"),  # the help of a setting
    ("Inference", 'hyper(0.25, "τ_cls"', 'hyper(0.5, "τ"'),  # a default, which a trial's key holds
    ("BackTAL", '"epochs": 40', '"epochs": 41'),  # a preset, as well
    ("BackTAL", "epochs_for(1300", "epochs_for(1400"),  # the generic one too
    ("BackTAL", "kernel_size=taps", "kernel_size=3"),  # which reads a released checkpoint
]  # fmt: skip

ALL, ANY = set(available()), {*SOURCES, *DRAWN}
OF_SIMULATED, OF_FEATURES = {"simulated", "simulated+clickers"}, {"features", "features+clickers"}
CHANGED = [
    ("separation_loss", "(1 if release else 2)", "(1 if release else 3)", {"backtal", "sfnet"}, ANY),
    ("affinity_convolution", "(tap_rows(weight_HDh)", "(2 * tap_rows(weight_HDh)", {"backtal", "basnet"}, ANY),
    ("sampling_weights", "(tau / length_BT.clamp_min(1))", "(tau / length_BT.clamp_min(2))", {"representative"}, ANY),
    ("decode", "* 2**level", "* 3**level", {"actionformer", "asl"}, ANY),
    ("guide_loss", "def guide_loss(", "@torch.no_grad()\ndef guide_loss(", {"dgam"}, ANY),
    ("DGAM", "BETAS = (0.8", "BETAS = (0.9", {"dgam"}, ANY),
    ("soften", "** 2) / sigma)", "** 2) / sigma / 2)", {"actionformer", "asl"}, ANY),
    ("Fit", "        optimizer.step()", "        optimizer.step(None)", ALL, ANY),
    ("Fit", "1_000_003", "1_000_033", ALL, ANY),
    ("make_optimizer", "(hp.weight_decay, 0.0)", "(hp.weight_decay, 0.1)", ALL, ANY),
    ("rate_factor", "WARM_UP = 0.2", "WARM_UP = 0.3", ALL, ANY),
    ("WeightAverage", "(1 - self.decay) /", "(2 - self.decay) /", ALL, ANY),
    ("resample", "* (1 - share)", "* (2 - share)", ALL, ANY),
    ("rescale_clicks", "+ 0.5)", "+ 0.25)", ALL, OF_FEATURES),
    ("_bursts", "video.duration / 60", "video.duration / 61", ALL, OF_SIMULATED),
    ("simulate_clicks", "SLIP = 0.3", "SLIP = 0.4", ALL, {"simulated", *DRAWN}),
    ("draw_clicks", ">= SHORT_GAP - ROUNDING", "> SHORT_GAP", ALL, {*DRAWN}),
    ("halved", "MOST_LOST = 1e-3", "MOST_LOST = 1e-2", ALL, ANY),
    ("Activations", "array.astype(np.float16)", "array.astype(np.float32)", ALL, ANY),
    ("supervise", "background[clicks.video, snippet] = True", "pass", ALL, ANY),
    ("drawn_rows", "share * count", "0.5 * count", ALL, ANY),
    ("within_videos", "sorted(place", "reversed(place", ALL, ANY),
    ("kept_count", "max(1,", "max(2,", ALL, ANY),
    ("holdout_split", "labels_NC.argmax(1)", "labels_NC.argmin(1)", ALL, ANY),
    ("Progress", "return max((report", "return min((report", ALL, ANY),  # selection
    ("proposal_key", "float(inference.whole_video > 0)", "0.0", ALL, ANY),
    ("suppress", "shared = max(shared, 0.0)", "shared = max(shared, 0.1)", ALL, ANY),
    ("compiled", 'cache=True, nogil=True, error_model="numpy"', "cache=True, fastmath=True", ALL, ANY),
    ("interpolated_average_precision", "np.maximum.accumulate", "np.minimum.accumulate", ALL, ANY),
    ("match_classes", 'protocol == "thumos14"', 'protocol != "thumos14"', ALL, ANY),
    ("match_instances", "overlap[d] > wanted", "overlap[d] >= wanted", ALL, ANY),
]  # fmt: skip


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return copied(tmp_path)


@pytest.fixture(scope="module")
def restorable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package for edits that are undone."""
    return copied(tmp_path_factory.mktemp("restorable"))


def test_edits_that_compute_no_number_change_no_version(package: Path, restorable: Path) -> None:
    for name, old, new in UNCHANGED:
        edit(package, name, old, new)
    if changed(package):
        assert not [(name, old) for name, old, new in UNCHANGED if restored(restorable, name, old, new)]
    assert changed(package) == set()


@pytest.mark.parametrize(("name", "old", "new", "methods", "sources"), CHANGED)
def test_what_computes_numbers_changes_the_versions_of_the_methods_that_reach_it(
    name: str, old: str, new: str, methods: set[str], sources: set[str], restorable: Path
) -> None:
    assert restored(restorable, name, old, new) == {(method, source) for method in methods for source in sources}


def test_formatting_and_comments_change_nothing(package: Path) -> None:
    for file in package.rglob("*.py"):
        file.write_text(ast.unparse(ast.parse(file.read_text())).replace("\n", "  # a comment\n\n", 1))
    assert changed(package) == set()


def test_moved_and_renamed_files_change_nothing(package: Path) -> None:
    names = ["separation_loss", "resample", "run_trial", "Fit", "supervise", "suppress", "Batch"]
    move(package, {name: f"{PACKAGE.name}.elsewhere.another_{place}" for place, name in enumerate(names)})
    assert changed(package) == set()


def test_each_name_of_the_boundary_exists_once_and_is_reached() -> None:
    package = Package(PACKAGE)
    found = [reach(package, *key) for key in EVERY]
    stops = {definition.name for one in found for definition in one.stops}
    whole = {definition.name: definition for one in found for definition in one.definitions}
    assert HEARTBEAT not in stops, "its calls are left out before that"
    for name in {*BOUNDARY, *(name for names in OF_SOURCE.values() for name in names)} - {HEARTBEAT}:
        top, _, member = name.partition(".")
        definition = package.only(top)
        if not member:
            assert name in stops, name
        else:
            (node,) = package.module(definition.module).definitions[top]  # type: ignore[union-attr]
            assert isinstance(node, ast.ClassDef)
            assert [item for item in node.body if getattr(item, "name", None) == member], name
            assert whole[top] == definition, name


def test_nothing_that_is_reached_leads_to_code_that_is_not_seen() -> None:
    package = Package(PACKAGE)
    problems = {problem for key in EVERY for problem in reach(package, *key).problems}
    assert {problem.split(": ")[0] for problem in problems} == COMPUTED.keys()
    assert all(problem.endswith("has a computed name") for problem in problems), problems


def test_a_method_reaches_no_other_and_no_search() -> None:
    package = Package(PACKAGE)
    modules = {module: method for method in available() for module in package.defining("SPECIFICATION")
               if module.endswith(f".{method}")}  # fmt: skip
    search = {package.only(name).module for name in ("resolve", "load_study", "RUN_USAGE")}
    search |= {*package.defining("run_study")}
    for method, source in EVERY:
        reached = {definition.module for definition in reach(package, method, source).definitions}
        assert {modules[module] for module in reached if module in modules} == {method}
        assert not reached & search


def test_it_is_short_and_the_same_in_another_folder(package: Path) -> None:
    found = code_version("backtal", "simulated")
    assert version_of(Package(package), "backtal", "simulated") == found
    assert len(found) == 12
    assert set(found) <= set("0123456789abcdef")
    assert len({code_version(*key) for key in EVERY}) == len(EVERY)
