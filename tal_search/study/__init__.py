"""Studies: settings, reader, checks, samplers and cases. Imports neither torch nor ray nor mlflow."""

from tal_search.study.cases import case_studies, reference_study
from tal_search.study.dataset_settings import DatasetSettings
from tal_search.study.effective_preset import EffectivePreset, definition_of, effective_preset, preset_name
from tal_search.study.load import list_studies, load_study
from tal_search.study.presets import annotator_problems, evaluation, find_dataset, thresholds
from tal_search.study.search_settings import (
    CaseSettings,
    PrunerSettings,
    RepeatSettings,
    SamplerSettings,
    SearchSettings,
    UntilSettings,
)
from tal_search.study.settings import BudgetSettings, ProtocolSettings, ResourceSettings, Study, TrackingSettings
from tal_search.study.space import Dimension
from tal_search.study.supervision.settings import SupervisionSettings

__all__ = [
    "BudgetSettings",
    "CaseSettings",
    "DatasetSettings",
    "Dimension",
    "EffectivePreset",
    "ProtocolSettings",
    "PrunerSettings",
    "RepeatSettings",
    "ResourceSettings",
    "SamplerSettings",
    "SearchSettings",
    "Study",
    "SupervisionSettings",
    "TrackingSettings",
    "UntilSettings",
    "annotator_problems",
    "case_studies",
    "definition_of",
    "effective_preset",
    "evaluation",
    "find_dataset",
    "list_studies",
    "load_study",
    "preset_name",
    "reference_study",
    "thresholds",
]
