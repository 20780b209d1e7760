"""Where the walk from a trial's entry point to its numbers begins, and where it ends.

All by names of definitions, which are unique in the package, so that moving a file changes nothing.
"""

from __future__ import annotations

ENTRY = "run_trial"
# Of a method's module: the class that is made and trained, and that of its settings. Presets are in a trial's key.
OF_METHOD = ("SPECIFICATION",)
# What only trials on data of one source run, by source.
OF_SOURCE = {
    "simulated": ("simulated_splits", "simulated_truths", "simulate_clicks"),
    "features": ("feature_splits", "open_cache"),
}

FINGERPRINT = "reads files, whose content is in the data's fingerprint"
CHECKED = "refuses what cannot be used, or says something about it; changes no number"
FOLDER = "reads or writes the trial's folder"
RECORD = "holds values, which are in the trial's key"

# A class's member is CLASS.MEMBER; its class is followed without it. What a function here returns is followed.
BOUNDARY = {
    "InputError": CHECKED,
    "TalSearchError": CHECKED,
    "require_durations": CHECKED,
    "require_protocol": CHECKED,
    "shared_videos": CHECKED,
    "stop": CHECKED,
    "FeatureSplit._off": CHECKED,
    "FeatureSplit._problem_of": CHECKED,
    "Timing.expected": CHECKED,
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
    "known": "classes and sizes of a simulated dataset, which are in its fingerprint",
    "KnownDataset": "classes and sizes of a simulated dataset, which are in its fingerprint",
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
    "EpochReport": "holds what an epoch gave",
    "TrialResult": "holds what a trial gave",
    "setting_name": "the name under which a trial's folder keeps a setting",
    "describe_videos": "words for tables",
    "specification": "imports the method's module, which is followed from OF_METHOD",
    "Activations.of_video": "for dashboards",
    "BackTAL.from_state": "reads a released checkpoint, which no trial does",
}
