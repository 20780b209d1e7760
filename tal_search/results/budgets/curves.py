"""Which cells of a study are one method at several budgets, and which of them a line joins."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import pandas as pd

from tal_search.results.cell_table import records
from tal_search.results.trials import StudyFrame
from tal_search.types import CASE, SHARE_OF, SUPERVISION, VIDEOS, canonical_json, cell_words

PER_MINUTE = "clicks per minute"
# Hyperparameters of length; they follow the number of videos, so they may differ along a curve.
LENGTHS = ("epochs", "steps", "ramp_epochs")
SHORTEST = 2  # letters that names of cells share before they name their method

Shares = Mapping[str, Hashable]  # by kind of annotation; a kind that is missing is annotated in full


class LabelledData(Protocol):
    """What `DatasetSpec` says of T, of sampling and of label budgets."""

    @property
    def snippets(self) -> int: ...
    @property
    def sampling(self) -> Mapping[str, Any]: ...
    @property
    def shares(self) -> Mapping[str, float]: ...
    @property
    def clicks_per_minute(self) -> float | None: ...


class CaseFit(Protocol):
    """What `TrialSpec` says of the method of a case and of its supervision."""

    @property
    def method(self) -> str: ...
    @property
    def hyperparameters(self) -> Mapping[str, Any]: ...
    @property
    def inference(self) -> Mapping[str, Any]: ...
    @property
    def supervision(self) -> tuple[str, ...]: ...
    @property
    def dataset(self) -> LabelledData: ...


def method_names(data: StudyFrame, cells: pd.DataFrame, specs: Mapping[str, CaseFit]) -> tuple[pd.Series, pd.Series]:
    """For each cell the name of its method, equal for cells that differ in budgets only, and its shares.

    cells: the axes, one row a cell. specs: the fit of a trial of each case, by the case's name; a case without one is a
    method of its own.
    """
    rows = records(cells, list(data.axes))
    known = _with_unread([_of_case(str(row[CASE]), specs) if CASE in row else _of_axes(data, row) for row in rows])
    groups = pd.Series(_groups(known), index=cells.index, dtype=object)
    names = pd.Series([cell_words(row, data.centre) for row in rows], index=cells.index, dtype=object)
    if CASE in data.axes:
        titles = {group: _title(known, groups, names, group) for group in groups.unique()}
        common = pd.Series(titles).duplicated(keep=False)
        titles = {group: names[groups == group].iloc[0] if common[group] else words for group, words in titles.items()}
    else:
        titles = {group: group if group not in ("", "centre") else data.method for group in groups.unique()}
    return groups.map(titles), pd.Series([one.shares for one in known], index=cells.index, dtype=object)


def curves(methods: pd.Series, shares: pd.Series) -> dict[tuple[str, str], list[int]]:
    """The cells that one line joins, by method and by the kind whose share varies along the line, with equal shares of
    every other kind; a method whose cells lie on no line is not among them.

    A cell may lie on two lines, as the one with all labels does; a line of which every cell is on another is left out.
    """
    lines: dict[tuple[str, str], list[int]] = {}
    if not any(shares):
        return lines
    for method, mine in shares.groupby(methods, sort=False):
        kinds = sorted({kind for one in mine for kind in one})
        varied = [kind for kind in kinds if len({one.get(kind) for one in mine}) > 1]
        covered: set[int] = set()
        for kind in sorted(varied, key=lambda kind: kind != VIDEOS):
            rest = pd.Series([canonical_json(_without(one, kind)) for one in mine], index=mine.index)
            for place, (_, cells) in enumerate(mine.groupby(rest, sort=False)):
                if len(cells) > 1 and not covered.issuperset(cells.index):
                    name = kind if (str(method), kind) not in lines else f"{kind} {place + 1}"
                    lines[str(method), name] = list(cells.index)
                    covered.update(cells.index)
    return lines


def _without(shares: Shares, kind: str) -> dict[str, Hashable]:
    return {name: share for name, share in shares.items() if name != kind}


class Known(NamedTuple):
    """method: of a cell; settings: without the length of training; whole: with it; shares: budgets, 0 for a kind that
    it does not read although others of its method and settings do.
    """

    method: str
    settings: str
    whole: str
    shares: Shares
    reads: tuple[str, ...] = ()


def _of_case(name: str, specs: Mapping[str, CaseFit]) -> Known:
    spec = specs.get(name)
    if spec is None:  # its folder is gone
        return Known("", name, name, {})
    short = {name: value for name, value in spec.hyperparameters.items() if name not in LENGTHS}
    data = {"snippets": spec.dataset.snippets, "sampling": spec.dataset.sampling}
    rest = {"method": spec.method, "inference": spec.inference, **data}
    whole = canonical_json({**rest, **spec.hyperparameters})
    return Known(spec.method, canonical_json({**rest, **short}), whole, _shares(spec), spec.supervision)


def _shares(spec: CaseFit) -> Shares:
    shares: dict[str, Hashable] = {SHARE_OF.get(name, name): share for name, share in spec.dataset.shares.items()}
    if spec.dataset.clicks_per_minute is not None:
        shares[PER_MINUTE] = spec.dataset.clicks_per_minute
    return shares


def _of_axes(data: StudyFrame, row: Mapping[str, Hashable]) -> Known:
    rest = {axis: value for axis, value in row.items() if not axis.startswith(SUPERVISION)}
    settings = cell_words(rest, data.centre) if rest else ""
    shares = {
        SHARE_OF.get(axis.removeprefix(SUPERVISION), axis.removeprefix(SUPERVISION)): value
        for axis, value in row.items() if axis.startswith(SUPERVISION) and value != 1
    }  # fmt: skip
    return Known(data.method, settings, settings, shares)


def _groups(known: Sequence[Known]) -> list[Hashable]:
    """Settings, without the length of training unless two cells with equal shares differ in nothing else."""
    seen = Counter((one.settings, canonical_json(dict(one.shares))) for one in known)
    twice = {settings for (settings, _), count in seen.items() if count > 1}
    return [one.whole if one.settings in twice else one.settings for one in known]


def _with_unread(known: Sequence[Known]) -> list[Known]:
    """Each cell with the share 0 of the kinds that it lacks: a method that keeps no clicks does not read them."""
    kinds: dict[str, set[str]] = {}
    for one in known:
        kinds.setdefault(one.settings, set()).update(one.reads)
    return [
        one._replace(shares={**one.shares, **dict.fromkeys(kinds[one.settings] - {*one.reads}, 0.0)}) for one in known
    ]


def _title(known: Sequence[Known], groups: pd.Series, names: pd.Series, group: Hashable) -> str:
    """The name of a method in a study of cases: the words that the names of its cases begin with, else its own."""
    places = [place for place, mine in enumerate(groups) if mine == group]
    begin = _beginning([str(name).split() for name in names.iloc[places]]).rstrip(" ,:;·-–(")
    if len(begin) >= SHORTEST and not begin[0].isdigit():
        return begin
    return known[places[0]][0] or str(names.iloc[places[0]])


def _beginning(names: Sequence[Sequence[str]]) -> str:
    """The words that all names begin with."""
    alike = itertools.takewhile(lambda words: len(set(words)) == 1, zip(*names, strict=False))
    return " ".join(words[0] for words in alike)
