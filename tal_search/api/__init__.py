"""Python interface for notebooks and scripts: `load` and `run_study`, and the classes that they return."""

from tal_search.api.loading import load
from tal_search.api.running import run_study
from tal_search.api.study_results import StudyResults
from tal_search.api.trial_outputs import TrialOutputs

__all__ = ["StudyResults", "TrialOutputs", "load", "run_study"]
