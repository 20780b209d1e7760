"""`tal_search.load`: reads a study from its record on disk."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from tal_dashboards.data.reader import StudyReader
from tal_search.api.study_results import StudyResults
from tal_search.errors import InputError


def load(study: str, runs: str | PathLike[str] = "runs") -> StudyResults:
    """The results of a study, finished or not, as they are in its record now.

    study: its name, as in `study=NAME`; runs: the folder of the run. Imports pandas and pyarrow, but not torch, Ray,
    MLflow or Dash. Raises InputError: no record of the study in the folder, or one that cannot be read.
    """
    data = StudyReader(Path(runs), study)()
    if data.damage:
        raise InputError(data.damage)
    return StudyResults(data)
