"""`tal_search.load`: a study from its record on disk."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from tal_dashboards.data.reader import StudyReader
from tal_search.api.study_results import StudyResults


def load(study: str, runs: str | PathLike[str] = "runs") -> StudyResults:
    """The results of a study that was run, finished or not, as its record has them now.

    study: its name, as in `study=NAME`; runs: the folder that was given to the run. Reads pandas and pyarrow, and
    neither torch nor Ray, MLflow or Dash. Raises InputError: no record of that study there, or one that cannot be read.
    """
    return StudyResults(StudyReader(Path(runs), study)())
