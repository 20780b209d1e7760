"""`StudyResults`: the trials, cells, axes and figures of one study."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

import pandas as pd

from tal_dashboards.data.study_data import StudyData
from tal_search.api.imports import require_dashboards
from tal_search.api.study_html import study_html, study_line
from tal_search.api.trial_outputs import TrialOutputs
from tal_search.errors import InputError
from tal_search.results.budgets.answers import BestFor, best_for
from tal_search.results.budgets.ladder import Ladder, ladder
from tal_search.results.cell_table import cells
from tal_search.results.next_runs import NextRun
from tal_search.results.overview import Overview, overview
from tal_search.results.sensitivity import sensitivity_info

if TYPE_CHECKING:
    from tal_dashboards.export.named_figures import Figure


class StudyResults:
    """A study as it was when read; call `tal_search.load` again for its newest state.

    Every table is a copy. mAP is in percent and differences of mAP in points, on the test split unless the column is
    `holdout`; missing numbers are NaN. `NAME low` and `NAME high` are the 95 % interval of the column NAME.
    """

    def __init__(self, data: StudyData) -> None:
        self._data = data

    @property
    def name(self) -> str:
        return self._data.name

    @property
    def description(self) -> str:
        """The study's description, then its method, data, selection protocol and scores."""
        return f"{self._data.description}. {self._data.words}"

    @property
    def simulated(self) -> bool:
        """Whether the data is simulated, so that the numbers do not apply to real videos."""
        return self._data.simulated

    @property
    def label(self) -> str:
        """The badge of the study: "simulated data", "simulated clicks" (see `dataset.clickers`) or ""."""
        return self._data.label

    @property
    def axes(self) -> dict[str, str]:
        """The hyperparameters that the study varies, each with the paper's symbol."""
        return dict(self._data.axes)

    @property
    def score(self) -> str:
        """The column that cells are compared by: "mAP@0.5", or "average" if tIoU 0.5 is not evaluated."""
        return self._data.score

    @property
    def trials(self) -> pd.DataFrame:
        """One row per trial, in order of number: a cell, a seed and an annotator.

        Columns: `number`, `id`, `key` (of the fit, for `trial`); the axes by name; `method`, `seed`, `annotator`,
        `annotation_seconds` (per minute of labelled video), `annotation_total` (seconds over the whole training set,
        NaN if unknown); `state` (done, running, failed, stopped early), `cached` (trained by an earlier run), `epoch`
        (the newest); "mAP@0.5" for each tIoU threshold, `average` over 0.3 to 0.7 (over all thresholds if one of these
        is not evaluated), `holdout` (held-out training videos), `leaky` (the best epoch on the test split), all in
        percent; `selected_epoch`, `detections`, `parameters`, `seconds` of training and `scoring_seconds`; `started`,
        `ended`, `reason` (of a failure) and `mlflow` (its run's address, or None).
        """
        return self._data.every.copy()

    @property
    def cells(self) -> pd.DataFrame:
        """One row per cell: a setting of the axes, over its repeats.

        Columns: the axes by name, `centre` (bool), `varied` (the axis that differs from the centre, else ""), `trials`
        (asked for) and `n` (finished); `annotation_seconds` per minute of labelled video and `annotation_total`,
        seconds over the whole training set; the means of the scores of `trials` in percent, of `parameters` and of
        `seconds`, each with its interval; `delta`, the mean paired difference to the centre at `score`, in points, with
        its interval; `pairs`, `p`, `p adjusted`, `verdict` (centre, better, worse, within noise, needs repeats) and
        `needs`, what would decide it; `seen` and `within`, the seeds at which the difference would be seen, or be seen
        to be within the noise.
        """
        return cells(self._data).copy()

    @property
    def ranking(self) -> pd.DataFrame:
        """One row per axis, greatest effect first: which hyperparameters matter, by how much, and whether above noise.

        Columns: `name`, `symbol`, `values` (how many); `effect`, the range of mean mAP over the values, in points;
        `lowest` and `highest`, the differences of the worst and of the best value to the centre, in points, each with
        its corrected interval and the value ("lowest at"); `best` (a value); `p`, `p adjusted`; `verdict` (matters,
        within noise, needs repeats) and `needs` ("12 seeds"). A study of cases has one row per case, best first, whose
        difference to the reference is `effect`, `lowest` and `highest`.
        """
        return self._overview.ranking.copy()

    @property
    def curves(self) -> pd.DataFrame:
        """One row per value of each axis, with the other axes at the centre, if the study has such cells.

        Columns: `name` (the axis), `value`, `centre` (bool), `n`; `mean` mAP at `score` in percent and `delta`, its
        difference to the centre in points, each with its interval; `verdict`; `paper` (published mAP@0.5 in percent)
        and `paper selection` (how the paper chose the epoch).
        """
        return self._overview.curves.copy()

    @property
    def noise(self) -> float:
        """Two single runs of the centre differ by less than this 95 times in 100: points of mAP; NaN if unknown."""
        return self._overview.noise

    @property
    def best(self) -> dict[str, Any] | None:
        """The cell with the highest mean: `cell` (its name), `mean`, `low`, `high` in percent and `n` repeats.

        Chosen on held-out training videos if the study holds some out, else on the test split, which is leaky; `mean`
        is of these videos. In a study with folds a repeat counts once: on held-out videos with the mean over its folds,
        on the test split with the score of the pooled detections. None if no trial is finished.
        """
        return copy(self._overview.best)

    @property
    def centre(self) -> dict[str, Any] | None:
        """The same for the centre, the cell that all others are compared with."""
        return copy(self._overview.centre)

    @property
    def next(self) -> tuple[NextRun, ...]:
        """What to run next, cheapest first: `seeds` (in all), what they would decide, the new `trials`, `minutes` and
        the `command`. Empty if nothing is undecided, or if only many more seeds would decide it.
        """
        return self._overview.next

    def table(self, axis: str | None = None) -> pd.DataFrame:
        """The sensitivity table of an axis (name or symbol): the centre, and the cells that differ only in this axis.

        Ordered by value. Columns: those of `cells`, `paper` (published mAP@0.5 in percent), `paper source` and
        `paper selection`. Without an axis: all cells. Raises InputError: no such axis.
        """
        rows = self._all_cells()
        if axis is None:
            return rows
        name = self._axis(axis)
        mine = rows[rows["centre"] | (rows["varied"] == name)]
        return (mine if self._data.plan == "cases" else mine.sort_values(name, kind="stable")).reset_index(drop=True)

    def budgets(self) -> pd.DataFrame:
        """One row per cell with a finished trial, cheapest first: mAP against annotation time, and the Pareto front.

        Columns: `cell`; `method`, equal for cells that differ in their label budgets only; `key` of its first repeat;
        `cost`, the annotation of the whole training set in seconds (per minute of video where a record of an earlier
        version lacks it); `n`; the mean at `score` with its interval; `highest` (no cell that costs as little or less
        has a higher mean); `front`: "on" (better than all of these), "below" (worse than the best of these), within
        noise or needs repeats, and `needs`.
        """
        return self._ladder.points.reset_index(drop=True)

    def best_for(self, seconds: float) -> BestFor:
        """The method with the highest mean within this annotation time, in the unit of `budgets`, with its interval,
        its verdict over the others, and what would decide it. Raises InputError: no such time.
        """
        if not seconds >= 0:  # NaN too
            raise InputError(f"best_for: seconds={seconds} is no time; give seconds from 0")
        return best_for(self._ladder, float(seconds))

    def figure(self, name: str = "overview", selection: Mapping[str, str] | None = None) -> Figure:
        """A figure of the dashboards (Plotly): "overview", or VIEW/FIGURE, as "plots/heat map"; see `figures`.

        selection: choices on the page, by their names in its address, such as {"plots-score": "average"}.
        Simulated data or clicks are labelled in it. Raises MissingExtra without Dash; InputError: no such figure.
        """
        require_dashboards()
        from tal_dashboards.export.named_figures import named_figure

        return named_figure(self._data, name, selection or {})

    def figures(self) -> tuple[str, ...]:
        """The names of all figures that the study has, for `figure`. Computes each view, which takes seconds."""
        require_dashboards()
        from tal_dashboards.export.named_figures import figure_names

        return figure_names(self._data)

    def trial(self, key: str) -> TrialOutputs:
        """The outputs of a fit, by its `key` in `trials` or the beginning of a key; in a study with folds, of one fold.

        Raises InputError: no such fit.
        """
        known = self._data.every["key"].unique().tolist()
        meant = [name for name in known if name == key] or [name for name in known if key and name.startswith(key)]
        if len(meant) != 1:
            why = f"{len(meant)} keys begin with {key!r}; give more of it" if meant else f"no trial has the key {key!r}"
            raise InputError(f"{self.name}: {why}; keys are in the column `key` of `trials`")
        return TrialOutputs(self._data, meant[0])

    def __repr__(self) -> str:
        return study_line(self._data, self._overview)

    def _repr_html_(self) -> str:
        return study_html(self._data, self._overview)

    @property
    def _overview(self) -> Overview:
        return overview(self._data)  # computed once for each `StudyData`

    @property
    def _ladder(self) -> Ladder:
        return ladder(self._data, self._data.case_specs())

    def _all_cells(self) -> pd.DataFrame:
        tables = [table.rows for table in sensitivity_info(self._data)]
        return pd.concat(tables).drop_duplicates(list(self._data.axes) or None, ignore_index=True)

    def _axis(self, axis: str) -> str:
        for name, symbol in self._data.axes.items():
            if axis in (name, symbol):
                return name
        known = ", ".join(f"{name} ({symbol})" for name, symbol in self._data.axes.items()) or "none"
        raise InputError(f"{self.name} does not vary {axis!r}; its axes: {known}")
