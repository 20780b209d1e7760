"""Finding a dataset: features on disk where there are any, else the simulated stand-in.

`check` and `load` of `tal_search.data.load` read the result of `find`; they are re-exported here.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tal_search.data import data_folder
from tal_search.data.catalog import definition
from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.definition import DatasetDefinition
from tal_search.data.descriptions import describe, describe_layout, first_shape, no_features
from tal_search.data.features.cache import CONVERTED, is_converted, open_cache, read_manifest
from tal_search.data.features.layouts import AUTO, EVEN, LAYOUTS, FeatureLayout, detect, has_npz, split_files, timed
from tal_search.data.features.npz import has_clicks
from tal_search.data.features.plausibility import grouped
from tal_search.data.features.streams import known_streams
from tal_search.data.features.timing import AS_LAYOUT, Timing
from tal_search.data.load import check, load
from tal_search.data.simulation.clickers import CLICKERS
from tal_search.data.simulation.videos import RECIPE, Simulation
from tal_search.data.supervision import EMBEDDED
from tal_search.data.truth.fingerprint import digest, hash_of, of_stand_in, of_timeline, truth_hash
from tal_search.errors import InputError, Problems
from tal_search.types import ACTION_CLICKS, BACKGROUND_CLICKS, CLICKS, NO_ANNOTATOR

__all__ = ["EMBEDDED", "check", "default_annotators", "find", "load"]

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
    file: Path | None = None,
) -> DatasetSpec:
    """The dataset that these settings describe, identified by its content; no array is read.

    source: `features` under `root`; `simulated`; `auto` takes features where `root` has any in one of the layouts, else
    simulates and gives the reason in the description. wanted: the layout, or `auto`; timing: its settings in the study;
    both override those of the dataset's definition. file: of that definition; None: see `catalog.definition`.
    Simulated features use the timeline of `ground_truth` where one is given, and then the click files of the folder
    `clicks` where that is given too.
    Raises InputError with every problem: no features, no or several ground truths, files that are not whole.
    """
    if source not in SOURCES:
        raise InputError(f"dataset.source={source} is unknown; give one of {', '.join(SOURCES)}")
    facts = definition(name, file)
    if source == "simulated":
        return _simulated(facts, "dataset.source=simulated", ground_truth, clicks, snippets, simulation)
    if root is not None:
        with data_folder.readable(root):
            if root.exists() and (wanted == CONVERTED or (wanted == AUTO and is_converted(root))):
                return _converted(facts, root, ground_truth, clicks, snippets)
            layout = _layout(facts, root, wanted, timing, file) if root.exists() else None
            if layout is not None:
                return _features(facts, root, layout, ground_truth, clicks, snippets)
    why = "dataset.root is not given" if root is None else data_folder.why_none(root, facts.splits, has_npz)
    if source == "features":
        raise InputError(no_features(facts, root, why))
    return _simulated(facts, why, ground_truth, clicks, snippets, simulation)


def default_annotators(spec: DatasetSpec, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Annotators that a study reading these kinds of clicks is repeated over: all with clicks of every kind.

    Only those of click files where there are any; only A1 of a simulated set's clickers; NO_ANNOTATOR without clicks.
    """
    if not kinds:
        return (NO_ANNOTATOR,)
    everyone = [name for name in spec.clicks[kinds[0]] if all(name in spec.clicks[kind] for kind in kinds)]
    of_files = sorted(name for name in everyone if any(spec.clicks[kind][name] for kind in kinds))
    if of_files:
        return tuple(of_files)
    return ("A1",) if spec.source == "simulated" and "A1" in everyone else tuple(everyone)


def _layout(
    facts: DatasetDefinition, root: Path, wanted: str, timing: Timing, file: Path | None
) -> FeatureLayout | None:
    """The layout of `root`: the wanted one, else the definition's if `root` holds it, else the first that it holds.

    The definition's timing is that of its layout, and of any layout if it names none. Raises InputError where it names
    none and the layout can have no timing; file: of the definition.
    """
    if wanted == AUTO and facts.layout not in (AUTO, CONVERTED) and LAYOUTS[facts.layout].is_in(root, facts.splits):
        wanted = facts.layout
    layout = detect(root, facts.splits, wanted)
    if layout is None:
        return None
    own = {key: getattr(facts, key) for key in ("stride", "offset", "fps")}
    unused = [key for key, value in own.items() if value is not None and facts.layout == AUTO and layout.name == EVEN]
    if unused:
        seen = (
            f"{file or f'datasets/{facts.name}.yaml'}: {' and '.join(unused)} would not be used, because no layout is"
        )
        fix = "add the layout that they are for (such as layout: actionformer), or remove them"
        raise InputError(f"{seen} named and {root} holds npz files of BackTAL, which cover a video evenly; {fix}")
    own = own if facts.layout in (layout.name, AUTO) else {}
    given = {key: value for key, value in vars(timing).items() if value is not None}
    return timed(layout, Timing(**own | given))


def _features(
    facts: DatasetDefinition,
    root: Path,
    layout: FeatureLayout,
    ground_truth: Path | None,
    clicks: Path | None,
    snippets: int,
) -> DatasetSpec:
    problems, name = Problems(), facts.name
    content: list[object] = [layout.name, vars(layout.timing)]
    truth, clicked = ground_truth, dict[str, dict[str, Path]]()
    with problems.gather():
        truth = data_folder.real(ground_truth or data_folder.find_ground_truth(root, name))
        content.append(truth_hash(truth, facts))
    files = _files(facts, root, layout, truth, problems)
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
    base = _on_disk(facts, root, truth or Path(), clicked, embedded=embedded)
    base = dataclasses.replace(base, snippets=snippets, fingerprint=digest([len(files[0]), content]))
    return _as_stored(base, facts, root, layout, files)


def _as_stored(
    base: DatasetSpec, facts: DatasetDefinition, root: Path, layout: FeatureLayout, files: list[dict[str, Path]]
) -> DatasetSpec:
    """The specification with the fields that follow from the layout and the first readable file."""
    shape, videos = first_shape(layout, files), [len(split) for split in files]
    seen = shape.channels if shape else "unreadable"
    return dataclasses.replace(
        base,
        description=describe(facts, root, seen, videos, describe_layout(layout)),
        layout={"name": layout.name, **vars(layout.timing)},
        channels=shape.channels if shape else 0,
        streams=[*facts.streams] or known_streams(layout, shape),
    )


def _files(
    facts: DatasetDefinition, root: Path, layout: FeatureLayout, truth: Path | None, problems: Problems
) -> list[dict[str, Path]]:
    """Training and test files by video; an empty list, with a problem, where a split has none."""
    with problems.gather():
        names = facts.splits
        splits = layout.splits(root, names) if truth is None else split_files(layout, root, names, truth)
        files = [split.files for split in splits]
        lacking = [kind for kind, split in zip(("training", "test"), files, strict=True) if not split]
        if lacking:
            raise InputError(f"{root} has no features of any {' or '.join(lacking)} video of {truth}; add them")
        return files
    return []


def _converted(
    facts: DatasetDefinition, root: Path, ground_truth: Path | None, clicks: Path | None, snippets: int
) -> DatasetSpec:
    manifest, name = read_manifest(root), facts.name
    truth = data_folder.real(ground_truth or data_folder.find_ground_truth(root, name))
    train, test = open_cache(root, manifest["snippets"], checked=False)
    stored = f"layout {CONVERTED} ({train.features.dtype}, {manifest['snippets']} snippets)"
    base = _on_disk(facts, root, truth, data_folder.find_clicks(root, name, clicks), embedded=manifest["embedded"])
    return dataclasses.replace(
        base,
        snippets=snippets,
        fingerprint=digest([CONVERTED, manifest, truth_hash(truth, facts)]),
        description=describe(facts, root, train.features.shape[1], [len(train.videos), len(test.videos)], stored),
        layout={"name": CONVERTED, "snippets": manifest["snippets"]},
        channels=train.features.shape[1],
        streams=[*facts.streams] or manifest.get("streams", []),
    )


def _on_disk(
    facts: DatasetDefinition, root: Path, truth: Path, clicked: dict[str, dict[str, Path]], *, embedded: bool
) -> DatasetSpec:
    """The specification of features on disk, without the fields that depend on their layout."""
    files, fingerprints = _clicks({BACKGROUND_CLICKS: (EMBEDDED,) if embedded else (), ACTION_CLICKS: ()}, clicked)
    return DatasetSpec(
        name=facts.name, definition=facts.to_json(), source="features", root=str(root.resolve()),
        ground_truth=str(truth), clicks=files,
        click_fingerprints=fingerprints, snippets=0, simulation={}, fingerprint="", description="",
    )  # fmt: skip


def _simulated(
    facts: DatasetDefinition,
    why: str,
    ground_truth: Path | None,
    clicks: Path | None,
    snippets: int,
    simulation: Simulation,
) -> DatasetSpec:
    truth = data_folder.real(ground_truth) if ground_truth else None
    files: dict[str, dict[str, Path]]
    files = data_folder.find_clicks(None, facts.name, clicks) if truth and clicks else {}
    files_of, fingerprints = _clicks(dict.fromkeys(CLICKS, CLICKERS), files)
    settings = {"recipe": RECIPE, **dataclasses.asdict(simulation)}
    title = facts.shown if facts.classes or truth else "THUMOS14"
    timeline = f"; the timeline is that of {truth.name}" if truth else ""
    return DatasetSpec(
        name=facts.name,
        definition=facts.to_json(),
        source="simulated",
        root="",
        ground_truth=str(truth or ""),
        clicks=files_of,
        click_fingerprints=fingerprints,
        snippets=snippets,
        simulation=settings,
        fingerprint=digest([settings, *(of_timeline(truth, facts) if truth else [of_stand_in(facts)])]),
        channels=simulation.channels,
        streams=[simulation.channels // 2] * 2 if simulation.channels % 2 == 0 else [],
        description=f"simulated {title} stand-in, recipe {RECIPE} ({why}){timeline}",
    )


def _clicks(
    inherent: dict[str, tuple[str, ...]], files: dict[str, dict[str, Path]]
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """Files and fingerprints by kind and annotator; `inherent`: annotators without a file, identified by name."""
    paths, fingerprints = {}, {}
    for kind, names in inherent.items():
        of_kind = files.get(kind, {})
        paths[kind] = {**dict.fromkeys(names, ""), **{name: str(path) for name, path in of_kind.items()}}
        hashes = {name: hash_of(path) for name, path in of_kind.items()}
        fingerprints[kind] = {**{name: name for name in names}, **hashes}
    return paths, fingerprints
