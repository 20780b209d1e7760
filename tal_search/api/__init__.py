"""The interface for notebooks and other programs: `tal_search.load`, `tal_search.run_study` and what they return."""

from tal_search.api.loading import load
from tal_search.api.running import run_study
from tal_search.api.study_results import StudyResults
from tal_search.api.trial_outputs import TrialOutputs

__all__ = ["StudyResults", "TrialOutputs", "load", "run_study"]
