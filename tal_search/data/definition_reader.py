"""Reader of dataset files `datasets/NAME.yaml`, as strict as that of studies: all problems at once, by line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tal_search.config.checking import Checker, repeated
from tal_search.config.named_files import NamedFiles
from tal_search.config.thresholds import parse_tiou
from tal_search.config.yaml_reader import Key, Written, shown
from tal_search.data.definition import DatasetDefinition, PresetChange, PublishedSystem
from tal_search.data.truth.ambiguous import AMBIGUOUS
from tal_search.data.truth.labels import BACKGROUND, spelling, split_name
from tal_search.errors import InputError
from tal_search.types import Plain

FILES = NamedFiles("datasets", dots=False)
MOST_NAMES = 10_000  # of classes or of one split
MOST_LETTERS = 200  # of a name


def read_definition(name: str, path: Path, source: str = "") -> DatasetDefinition:
    """The definition in a file; `source` names it in messages. Raises InputError with every problem, by line."""
    written = FILES.read(path, source or str(path))
    content = _with_tiou_as_text(written.content()) if not written.problems else {}
    checker = Checker(written, DatasetDefinition, {})
    presets = _presets(checker, content.pop("presets", None))
    published = _published(checker, content.pop("published", None))
    found = checker.settings(DatasetDefinition, content, name=name, presets=presets, published=published)
    _check_names(found, written)
    _check_timing(found, written)
    _check_streams(found, written)
    _check_tiou(("tiou",), found.tiou, written)
    if written.problems:
        raise InputError(problem.replace("\n", "\\n") for problem in dict.fromkeys(written.problems))
    return replace(found, **{key: getattr(found, key).strip() for key in ("title", "description", "source", "clicks")})


def _presets(checker: Checker, value: Plain) -> dict[str, dict[str, PresetChange]]:
    """Changes by method and preset; the names in them are checked by the methods."""
    presets: dict[str, dict[str, PresetChange]] = {}
    for method, named in checker.mapping(value, ("presets",)).items():
        presets[method] = {}
        for preset, change in checker.mapping(named, ("presets", method)).items():
            key = ("presets", method, preset)
            changed = checker.settings(PresetChange, checker.mapping(change, key), key)
            presets[method][preset] = changed
            for section in ("hyperparameters", "inference"):
                for name, setting in getattr(changed, section).items():
                    if isinstance(setting, list | dict):
                        checker.written.add((*key, section, name), f"is {shown(setting)}; it must be a single value")
    return presets


def _published(checker: Checker, value: Plain) -> tuple[PublishedSystem, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        checker.written.add(("published",), f"is {shown(value)}; it must be a list of systems")
        return ()
    return tuple(_system(checker, item, ("published", str(place))) for place, item in enumerate(value))


def _system(checker: Checker, value: Plain, key: Key) -> PublishedSystem:
    content = checker.mapping(value, key)
    missing = [name for name in ("system", "supervision", "mAP", "source") if content.get(name) in (None, "", {})]
    if missing:
        checker.written.add(key, f"has no {', '.join(missing)}; add {'it' if len(missing) == 1 else 'them'}")
    system = checker.settings(PublishedSystem, {name: content[name] for name in content if name not in missing}, key)
    for tiou, mAP in system.mAP.items():
        place = (*key, "mAP", tiou)
        _check_tiou(place, tiou if tiou.count(":") != 1 else f"{tiou}:1", checker.written)
        if isinstance(mAP, bool) or not isinstance(mAP, int | float) or not 0 <= mAP <= 100:
            checker.written.add(place, f"is {shown(mAP)}; it must be a mAP in percent, from 0 to 100")
    return system


def _check_names(found: DatasetDefinition, written: Written) -> None:
    """Report names that are empty, too long or given twice, and splits that cannot be told apart."""
    lists: dict[Key, tuple[str, ...]] = {("classes",): found.classes}
    lists |= {("splits", split): getattr(found.splits, split) for split in ("training", "test")}
    for key, names in lists.items():
        if not names and key != ("classes",):
            written.add(key, "has no names; give one, or leave it out")
        if len(names) > MOST_NAMES:
            written.add(key, f"has {len(names)} names; at most {MOST_NAMES} are read")
            continue
        for shared in repeated(map(spelling, names)):
            same = " and ".join(shown(name) for name in names if spelling(name) == shared)
            written.add(key, f"names {same}, which differ at most by case or separators; keep one")
        for place, name in enumerate(names):
            _check_name((*key, str(place)), name, written)
    for place, name in enumerate(found.classes):
        if spelling(name) in (*BACKGROUND, spelling(AMBIGUOUS)):
            written.add(("classes", str(place)), f"is {shown(name)}, which is no class; remove it")
    (training, test) = (list(map(split_name, getattr(found.splits, split))) for split in ("training", "test"))
    if training and test and {*training} == {*test} and len({*training}) == 1:
        written.add(("splits",), f"has {shown(found.splits.test[0])} for training and for test; give two names")
    elif training[:1] == test[:1] and training:
        written.add(("splits",), f"prefers {shown(found.splits.test[0])} for training and for test; give each its own")


def _check_name(key: Key, name: str, written: Written) -> None:
    """Report a name that a ground truth or a folder cannot have."""
    if not name.strip() or len(name) > MOST_LETTERS or not name.isprintable():
        written.add(key, f"is {shown(name)}; it must be a name of 1 to {MOST_LETTERS} printable letters")
    elif key[0] == "splits" and ("/" in name or "\\" in name or name in (".", "..")):
        written.add(key, f"is {shown(name)}; it must be the name of a folder or subset, not a path")


def _check_timing(found: DatasetDefinition, written: Written) -> None:
    """Report timing that the layout cannot have; what is left out is completed when the features are found."""
    given = [name for name in ("stride", "offset", "fps") if getattr(found, name) is not None]
    if found.layout in ("backtal", "converted") and given:
        fix = "its snippets cover a video evenly; remove it"
        written.add((given[0],), f"is given, but the layout is {found.layout}: {fix}")


def _check_streams(found: DatasetDefinition, written: Written) -> None:
    if len(found.streams) not in (0, 2):
        written.add(("streams",), f"is {list(found.streams)}; it must be two numbers, the channels of RGB and of flow")


def _check_tiou(key: Key, text: str, written: Written) -> None:
    try:
        parse_tiou(text)
    except InputError as error:
        for problem in error.problems:
            written.add(key, f"is {shown(text)}: {problem.removeprefix(f'tiou={text}').lstrip(': ')}")


def _with_tiou_as_text(content: dict[str, Plain]) -> dict[str, Plain]:
    """Accept `tiou: [0.3, 0.5]` and `tiou: 0.5` beside text, as studies do."""
    tiou = content.get("tiou")
    if isinstance(tiou, bool) or not isinstance(tiou, list | float | int):
        return content
    return {**content, "tiou": ",".join(str(value) for value in tiou) if isinstance(tiou, list) else str(tiou)}
