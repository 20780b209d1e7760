"""Entry point and stops of the walk over the definitions that a trial's numbers depend on.

Definitions are listed by name, which is unique in the package, so that moving one to another file changes nothing.
"""

from __future__ import annotations

ENTRY = "run_trial"
# In a method's module: it names the method's class and that of its hyperparameters.
OF_METHOD = ("SPECIFICATION",)
# Code that only trials on data of one source run. A dataset may have two: "features+clickers".
OF_SOURCE = {
    "simulated": ("simulated_splits", "simulated_truths", "simulate_clicks"),
    "features": ("feature_splits", "open_cache"),
    "clickers": ("draw_clicks",),
}

FINGERPRINT = "reads files, whose content is in the data's fingerprint"
CHECKED = "raises an error or adds a note; changes no number"
FOLDER = "reads or writes the trial's folder"
RECORD = "holds values that are in the trial's key"

# By name, with the reason. CLASS.MEMBER stops at a member while the rest of the class is followed. The classes in the
# return annotation of a function listed here are followed.
BOUNDARY = {
    "beat": "tells that the trial is alive; changes no number",
    "InputError": CHECKED,
    "TalSearchError": CHECKED,
    "require_durations": CHECKED,
    "require_protocol": CHECKED,
    "require_disjoint": CHECKED,
    "require_stated": CHECKED,
    "require_any": CHECKED,
    "Problems": CHECKED,
    "require_convergence": CHECKED,
    "silence": CHECKED,
    "Progress._note": CHECKED,
    "Activations.broken": CHECKED,
    "click_file": FINGERPRINT,
    "clicked_videos": FINGERPRINT,
    "open_cache": FINGERPRINT,
    "read_clicks": FINGERPRINT,
    "read_splits": FINGERPRINT,
    "read_truths": FINGERPRINT,
    "ClickedVideos": FINGERPRINT,
    "FeatureLayout": FINGERPRINT,
    "FeatureSplit.videos": FINGERPRINT,
    "VideoFile": FINGERPRINT,
    "DatasetDefinition": "classes, splits and sizes of a dataset, which are in its fingerprint",
    "DatasetSpec": RECORD,
    "TrialSpec": RECORD,
    "_without_annotators": "the key of a cache",
    "FeatureSplit._empty": "takes memory, or a file for features that processes share",
    "array_file": "the name of a file of features that processes share",
    "place_of": "the name of the folder of features that processes share",
    "shared_splits": "keeps features for processes to share",
    "kept_activations": FOLDER,
    "TrialFolder": FOLDER,
    "Activations.load": FOLDER,
    "Activations.save": FOLDER,
    "DetectionScores.to_json": FOLDER,
    "Progress._keep": FOLDER,
    "Progress.save": FOLDER,
    "Progress._load": FOLDER,
    "EpochReport": "holds the results of an epoch",
    "TrialResult": "holds the results of a trial",
    "setting_name": "the name under which a trial's folder keeps a setting",
    "describe_videos": "text for tables",
    "MethodSpecification.__post_init__": CHECKED,
    "specification": "imports the method's module, which is followed from OF_METHOD",
    "Activations.of_video": "for dashboards",
    "BackTAL.from_state": "reads a released checkpoint, which no trial does",
}
