"""Finding a dataset: features on disk where there are any, else the simulated stand-in.

`check` and `load` of `tal_search.data.load` read the result of `find`; they are re-exported here.
"""

from __future__ import annotations

import dataclasses
import hashlib
from contextlib import suppress
from pathlib import Path

from tal_search.data import data_folder
from tal_search.data.catalog import DATASETS, known
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.cache import CONVERTED, is_converted, open_cache, read_manifest
from tal_search.data.features.layouts import AUTO, FeatureLayout, detect, has_npz, split_files, timed
from tal_search.data.features.npz import has_clicks
from tal_search.data.features.plausibility import grouped
from tal_search.data.features.timing import AS_LAYOUT, Timing
from tal_search.data.load import check, load
from tal_search.data.simulation.clickers import CLICKERS
from tal_search.data.simulation.videos import RECIPE, Simulation
from tal_search.data.supervision import EMBEDDED
from tal_search.data.truth.labels import read_labels
from tal_search.errors import InputError, Problems
from tal_search.files.json_reader import content_of, read_object
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, CLICKS, NO_ANNOTATOR, canonical_json

__all__ = ["EMBEDDED", "check", "default_annotators", "find", "load"]

I3D_CHANNELS = 2048
FEWEST_CHANNELS = 256  # of a network for video; features with fewer were made as surrogates of such
SOURCES = ("auto", "features", "simulated")


def find(
    name: str,
    source: str,
    root: Path | None,
    ground_truth: Path | None,
    clicks: Path | None,
    snippets: int,
    simulation: Simulation,
    wanted: str = AUTO,
    timing: Timing = AS_LAYOUT,
) -> DatasetSpec:
    """The dataset that these settings describe, identified by its content; no array is read.

    source: `features` under `root`; `simulated`; `auto` takes features where `root` has any in one of the layouts, else
    simulates and gives the reason in the description. wanted: the layout, or `auto`; timing: its settings in the study.
    Simulated features use the timeline of `ground_truth` where one is given, and then the click files of the folder
    `clicks` where that is given too.
    Raises InputError with every problem: no features, no or several ground truths, files that are not whole.
    """
    if source not in SOURCES:
        raise InputError(f"dataset.source={source} is unknown; give one of {', '.join(SOURCES)}")
    if source == "simulated":
        return _simulated(name, "dataset.source=simulated", ground_truth, clicks, snippets, simulation)
    if root is not None:
        with data_folder.readable(root):
            if root.exists() and (wanted == CONVERTED or (wanted == AUTO and is_converted(root))):
                return _converted(name, root, ground_truth, clicks, snippets)
            layout = detect(root, name, wanted) if root.exists() else None
            if layout is not None:
                return _features(name, root, timed(layout, timing), ground_truth, clicks, snippets)
    why = "dataset.root is not given" if root is None else data_folder.why_none(root, name, has_npz)
    if source == "features":
        seen = f", which {data_folder.seen_at(root)}" if root else ""
        folders = f"{known(name).train[0]}/*.npz and {known(name).test[0]}/*.npz"
        fix = f"give a folder with {folders}, or with another layout of docs/datasets.md, as dataset.root"
        raise InputError(f"dataset.source=features, but {why}{seen}; {fix} (a study without dataset.root is simulated)")
    return _simulated(name, why, ground_truth, clicks, snippets, simulation)


def default_annotators(spec: DatasetSpec, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Annotators that a study reading these kinds of clicks is repeated over: all with clicks of every kind.

    Only those of click files where there are any; only A1 on the simulated set. NO_ANNOTATOR where no clicks are read:
    the trials of all annotators would be equal.
    """
    if not kinds:
        return (NO_ANNOTATOR,)
    everyone = [name for name in spec.clicks[kinds[0]] if all(name in spec.clicks[kind] for kind in kinds)]
    of_files = sorted(name for name in everyone if any(spec.clicks[kind][name] for kind in kinds))
    if of_files:
        return tuple(of_files)
    return ("A1",) if spec.source == "simulated" else tuple(everyone)


def _features(
    name: str, root: Path, layout: FeatureLayout, ground_truth: Path | None, clicks: Path | None, snippets: int
) -> DatasetSpec:
    problems = Problems()
    content: list[object] = [layout.name, vars(layout.timing)]
    truth, clicked = ground_truth, dict[str, dict[str, Path]]()
    with problems.gather():
        truth = data_folder.real(ground_truth or data_folder.find_ground_truth(root, name))
        content.append(_truth_hash(truth, name))
    files = _files(name, root, layout, truth, problems)
    bad: list[tuple[Path, str]] = []
    for video, path in (item for split in files for item in split.items()):
        try:
            content.append((video, layout.content(path)))
        except InputError as error:
            bad += [(path, problem) for problem in error.problems]
    problems.extend(grouped(dict.fromkeys(bad)))
    with problems.gather():
        clicked = data_folder.find_clicks(root, name, clicks)
    if problems:
        raise InputError(dict.fromkeys(problems))  # a file of many videos is reported once
    first = next(iter(files[0].values()))
    embedded = layout.name == "backtal" and not clicked[BACKGROUND_CLICKS] and has_clicks(first)
    base = _on_disk(name, root, truth or Path(), clicked, embedded=embedded)
    return dataclasses.replace(
        base,
        snippets=snippets,
        fingerprint=_digest([len(files[0]), content]),
        description=_describe(
            name, root, _channels(layout, files), [len(split) for split in files], _describe_layout(layout)
        ),
        layout={"name": layout.name, **vars(layout.timing)},
    )


def _files(
    name: str, root: Path, layout: FeatureLayout, truth: Path | None, problems: Problems
) -> list[dict[str, Path]]:
    """Training and test files by video; an empty list, with a problem, where a split has none."""
    with problems.gather():
        splits = layout.splits(root, name) if truth is None else split_files(layout, root, name, truth)
        files = [split.files for split in splits]
        lacking = [kind for kind, split in zip(("training", "test"), files, strict=True) if not split]
        if lacking:
            raise InputError(f"{root} has no features of any {' or '.join(lacking)} video of {truth}; add them")
        return files
    return []


def _converted(name: str, root: Path, ground_truth: Path | None, clicks: Path | None, snippets: int) -> DatasetSpec:
    manifest = read_manifest(root)
    truth = data_folder.real(ground_truth or data_folder.find_ground_truth(root, name))
    train, test = open_cache(root, manifest["snippets"], checked=False)
    stored = f"layout {CONVERTED} ({train.features.dtype}, {manifest['snippets']} snippets)"
    base = _on_disk(name, root, truth, data_folder.find_clicks(root, name, clicks), embedded=manifest["embedded"])
    return dataclasses.replace(
        base,
        snippets=snippets,
        fingerprint=_digest([CONVERTED, manifest, _truth_hash(truth, name)]),
        description=_describe(name, root, train.features.shape[1], [len(train.videos), len(test.videos)], stored),
        layout={"name": CONVERTED, "snippets": manifest["snippets"]},
    )


def _on_disk(name: str, root: Path, truth: Path, clicked: dict[str, dict[str, Path]], *, embedded: bool) -> DatasetSpec:
    """The specification of features on disk, without the fields that depend on their layout."""
    files, fingerprints = _clicks({BACKGROUND_CLICKS: (EMBEDDED,) if embedded else (), ACTION_CLICKS: ()}, clicked)
    return DatasetSpec(
        name=name, source="features", root=str(root.resolve()), ground_truth=str(truth), clicks=files,
        click_fingerprints=fingerprints, snippets=0, simulation={}, fingerprint="", description="",
    )  # fmt: skip


def _describe(name: str, root: Path, channels: int | str, videos: list[int], layout: str) -> str:
    counts = f"{videos[0]} training and {videos[1]} test videos"
    return f"{root.resolve().name}: {_kind(name, channels)}, {counts}; {layout}"


def _simulated(
    name: str, why: str, ground_truth: Path | None, clicks: Path | None, snippets: int, simulation: Simulation
) -> DatasetSpec:
    truth = data_folder.real(ground_truth) if ground_truth else None
    files: dict[str, dict[str, Path]]
    files = data_folder.find_clicks(None, name, clicks) if truth and clicks else {}
    files_of, fingerprints = _clicks(dict.fromkeys(CLICKS, CLICKERS), files)
    stand_in, settings = known(name), {"recipe": RECIPE, **dataclasses.asdict(simulation)}
    timeline = f"; the timeline is that of {truth.name}" if truth else ""
    return DatasetSpec(
        name=name,
        source="simulated",
        root="",
        ground_truth=str(truth or ""),
        clicks=files_of,
        click_fingerprints=fingerprints,
        snippets=snippets,
        simulation=settings,
        fingerprint=_digest([settings, _truth_hash(truth, name) if truth else dataclasses.asdict(stand_in)]),
        description=f"simulated {stand_in.title} stand-in, recipe {RECIPE} ({why}){timeline}",
    )


def _clicks(
    inherent: dict[str, tuple[str, ...]], files: dict[str, dict[str, Path]]
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """Files and fingerprints by kind and annotator; `inherent`: annotators without a file, identified by name."""
    paths, fingerprints = {}, {}
    for kind, names in inherent.items():
        of_kind = files.get(kind, {})
        paths[kind] = {**dict.fromkeys(names, ""), **{name: str(path) for name, path in of_kind.items()}}
        hashes = {name: _hash_of(path) for name, path in of_kind.items()}
        fingerprints[kind] = {**{name: name for name in names}, **hashes}
    return paths, fingerprints


def _kind(name: str, channels: int | str) -> str:
    """The features in words, which warn that scores on other than I3D features do not compare with papers.

    Only features of a known dataset can be surrogates of published ones.
    """
    if channels == I3D_CHANNELS or name not in DATASETS:
        return f"features with {channels} channels"
    if isinstance(channels, int) and channels < FEWEST_CHANNELS:
        return f"surrogate features ({channels} channels, not the {I3D_CHANNELS} of I3D)"
    return f"features with {channels} channels, not the {I3D_CHANNELS} of I3D"


def _describe_layout(layout: FeatureLayout) -> str:
    """The layout and its timing in one line."""
    timing, fps = layout.timing, "fps" if layout.timing.fps is None else f"{layout.timing.fps:g}"
    middle = "" if timing.stride is None else f", snippet i at ({timing.stride:g}·i + {timing.offset:g})/{fps} s"
    return f"layout {layout.name}{middle}"


def _channels(layout: FeatureLayout, splits: list[dict[str, Path]]) -> int | str:
    """D of the first readable file; `check` reports the others."""
    for path in (path for split in splits for path in split.values()):
        with suppress(InputError):
            return layout.shape(path).channels
    return "unreadable"


def _truth_hash(path: Path, name: str) -> str:
    """The hash of a ground truth, and of what its labels are read as where that is not as they are spelled."""
    digest = _hash_of(path)
    with suppress(InputError):  # reported by `check`
        respelled = read_labels(read_object(path, "database"), path, {}, name).respelled
        return _digest([digest, respelled]) if respelled else digest
    return digest


def _hash_of(path: Path) -> str:
    try:
        return hashlib.sha256(content_of(path)).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct the path") from None


def _digest(content: object) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
