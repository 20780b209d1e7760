"""Test videos as a network sees them, from their stored snippets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tal_search.data.features.resampling import interpolate
from tal_search.data.sampling.positions import parts, snippets_at_test
from tal_search.data.sampling.settings import NATIVE, RESCALE, UNIFORM, SplitSampling
from tal_search.timeline import Timeline
from tal_search.types import Ints, VideoSet


def lengths_at_test(timeline: Timeline, sampling: SplitSampling, snippets: int) -> Ints:
    """How many snippets each video then has, int64 [N]; snippets: T."""
    if sampling.kind == NATIVE:
        return timeline.length
    if sampling.kind == RESCALE:
        return np.full(len(timeline.length), snippets)
    return np.array([snippets_at_test(sampling, int(length), snippets) for length in timeline.length], np.int64)


def at_test(videos: VideoSet, sampling: SplitSampling, snippets: int) -> VideoSet:
    """The videos with features as sampled, and no supervision but labels; all must get the same number of snippets.

    Nothing is padded then, so that networks need no masks here.
    """
    stored, lengths = videos.timeline, lengths_at_test(videos.timeline, sampling, snippets)
    taken = int(lengths[0])
    assert (lengths == taken).all(), "videos of one length at a time"
    features_NDT = np.empty((*videos.features.shape[:2], taken), videos.features.dtype)
    for row, features_DL in enumerate(videos.features):
        own_DL = features_DL[:, : stored.length[row]]
        if sampling.kind == NATIVE:
            features_NDT[row] = own_DL
        elif sampling.kind == UNIFORM:
            features_NDT[row] = own_DL[:, parts(own_DL.shape[1], taken)]
        else:
            middles = (np.arange(taken) + 0.5) / taken * videos.duration[row]
            position = stored.positions(np.array([row]), middles[None])[0] - 0.5
            features_NDT[row] = interpolate(own_DL.astype(np.float32), position)
    even = sampling.kind == RESCALE
    times = {"length": None, "start": None, "extent": None} if even else {
        "length": lengths, "start": stored.start, "extent": stored.extent,
    }  # fmt: skip
    bare = VideoSet.labelled(
        videos=videos.videos,
        features=features_NDT,
        labels=videos.labels,
        duration=videos.duration,
        frames=videos.frames,
    )
    return replace(bare, **times)
