"""The simulated stand-in: features in which context competes with action, on a drawn or a real timeline.

It exercises the whole product and its trends; it is no evidence about any method on video. The features of a snippet
are a sum of: a background scene; the direction of the action in three phases, mixed with a motion direction that all
actions share; the context of the class, strongest just before and after an instance; short hard negatives (context and
a share of the action) in the background; noise correlated in time, and an offset of the video.

Shapes: N videos, K instances of one video, C classes, D channels, T snippets, P = 3 phases of an action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tal_search.data.definition import DatasetDefinition
from tal_search.data.simulation.drawn_timeline import class_moments, draw_timeline
from tal_search.data.simulation.thumos14_moments import CLASSES
from tal_search.data.truth.truths import present, rows_by_video
from tal_search.errors import InputError
from tal_search.fields import hyper
from tal_search.files.heartbeat import beat
from tal_search.types import Annotations, Dataset, Floats, VideoSet

# Version of the algorithm that draws data from given settings. It is in the specification of a simulated dataset, so
# that trials on data of different recipes are never mixed. 1: until 0.2; 2: timelines with THUMOS14's statistics.
RECIPE = 2
FPS = 10  # frames a second of simulated videos
PHASES = 3
PHASE_SHARE = 0.7  # weight of a phase's random direction relative to its action's
BURST_SECONDS = (1.0, 3.0)
THUMOS14 = DatasetDefinition(name="thumos14")  # its classes and numbers of videos are the defaults


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Sizes and strengths of simulated data; strengths are relative to a background scene. A given ground truth decides
    both numbers of videos, whatever is set here."""

    train_videos: int | None = hyper(
        None, "N_train", low=2, high=40000, help="drawn training videos, classes take turns; None = the dataset's"
    )
    test_videos: int | None = hyper(None, "N_test", low=2, high=40000, help="drawn test videos; None = the dataset's")
    channels: int = hyper(64, "D", low=2, high=8192)
    seed: int = hyper(0, "seed", low=0, help="of the timeline, features and clicks")
    action: float = hyper(4.0, "action", low=0, help="strength of an action inside its instances")
    motion_share: float = hyper(0.5, "motion", low=0, high=1, help="share of an action that all actions share")
    context: float = hyper(1.5, "context", low=0, help="strength of a class's context beside an instance")
    context_share: float = hyper(0.6, "p_context", low=0, high=1, help="share of scenes that carry the class's context")
    context_seconds: float = hyper(3.0, "s_context", above=0, help="decay of the context beside an instance")
    scenes: int = hyper(30, "scenes", low=1, help="different background scenes")
    scene_seconds: float = hyper(20.0, "s_scene", low=1, help="mean time until the scene changes")
    bursts_per_minute: float = hyper(2.0, "bursts", low=0, high=60, help="hard negatives in the background")
    burst_action: float = hyper(0.4, "burst action", low=0, help="share of the action in a hard negative")
    noise: float = hyper(0.1, "noise", low=0, help="standard deviation of the noise, per channel")
    noise_correlation: float = hyper(0.7, "ρ", low=0, high=0.99, help="of the noise of neighbouring snippets")
    offset: float = hyper(0.02, "offset", low=0, help="standard deviation of a video's offset, per channel")


def recorded(settings: Mapping[str, Any]) -> Simulation:
    """The simulation of a dataset's specification, whose settings also contain the recipe.

    Raises InputError for another recipe than RECIPE, whose data can no longer be drawn.
    """
    rest = dict(settings)
    recipe = rest.pop("recipe", 1)
    if recipe != RECIPE:
        raise InputError(
            f"simulated data: its videos were drawn by recipe {recipe}, and this version draws by recipe {RECIPE}; "
            "train the study again, or read it with the version that made it"
        )
    return Simulation(**rest)


def require_durations(train: Annotations, test: Annotations) -> None:
    """Raise InputError where a video has no duration."""
    missing = [
        f"ground truth: {video} has no duration, which simulated features need; add it"
        for truth in (train, test)
        for video in np.array(truth.videos)[~np.isfinite(truth.duration)]
    ]
    if missing:
        raise InputError(missing)


@dataclass(frozen=True)
class _Directions:
    """Unit vectors: action [C, P, D], motion [P, D], context [C, D], scene [scenes, D]."""

    action: Floats
    motion: Floats
    context: Floats
    scene: Floats


def simulate(
    simulation: Simulation,
    snippets: int,
    ground_truth: tuple[Annotations, Annotations] | None = None,
    dataset: DatasetDefinition = THUMOS14,
) -> Dataset:
    """A dataset of T = `snippets`, on the real timeline of `ground_truth` (training, test) where one is given.

    A drawn timeline resembles THUMOS14, with the classes of `dataset` and, unless set, its numbers of videos.

    Deterministic. No video has clicks: `clickers.simulate_clicks` draws those. Raises InputError where the ground truth
    lacks the duration of a video.
    """
    train, test = simulated_truths(simulation, ground_truth, dataset)
    directions = _directions(simulation, len(train.classes))
    return Dataset(
        classes=train.classes,
        train=_video_set(simulation, directions, train, snippets, np.random.default_rng([simulation.seed, 2])),
        test=_video_set(simulation, directions, test, snippets, np.random.default_rng([simulation.seed, 3])),
        train_truth=train,
        test_truth=test,
    )


def simulated_truths(
    simulation: Simulation,
    ground_truth: tuple[Annotations, Annotations] | None = None,
    dataset: DatasetDefinition = THUMOS14,
) -> tuple[Annotations, Annotations]:
    """Training and test timeline of `simulate`: `ground_truth` where given, else drawn. InputError as `simulate`."""
    if ground_truth is not None:
        require_durations(*ground_truth)
        return ground_truth
    classes, stand_in = dataset.classes or tuple(CLASSES), dataset.stand_in
    generator = np.random.default_rng([simulation.seed, 0])
    moments_C3 = class_moments(classes, generator)
    return (
        draw_timeline("simulated_train", simulation.train_videos or stand_in.training, classes, moments_C3, generator),
        draw_timeline("simulated_test", simulation.test_videos or stand_in.test, classes, moments_C3, generator),
    )


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _directions(simulation: Simulation, classes: int) -> _Directions:
    generator = np.random.default_rng([simulation.seed, 1])

    def draw(*shape: int) -> Floats:
        return _unit(generator.standard_normal((*shape, simulation.channels)))

    return _Directions(
        action=_unit(draw(classes, 1) + PHASE_SHARE * draw(classes, PHASES)),
        motion=_unit(draw(1) + PHASE_SHARE * draw(PHASES)),
        context=draw(classes),
        scene=draw(simulation.scenes),
    )


def _video_set(
    simulation: Simulation, directions: _Directions, truth: Annotations, snippets: int, generator: np.random.Generator
) -> VideoSet:
    features_NTD = _noise(simulation, len(truth.videos), snippets, generator)
    for row, rows in enumerate(rows_by_video(truth)):
        beat("simulating, video %d of %d", row + 1, len(features_NTD))
        video = _Video(truth.duration[row], truth.segment[rows], truth.label[rows], snippets)
        for part in (_actions, _scenes, _bursts):
            features_NTD[row] += part(simulation, directions, video, generator)
    return VideoSet.labelled(
        videos=truth.videos,
        features=np.ascontiguousarray(features_NTD.transpose(0, 2, 1)),
        labels=present(truth),
        duration=truth.duration,
        frames=np.maximum(1, np.round(truth.duration * FPS)).astype(np.int64),
    )


def _noise(simulation: Simulation, videos: int, snippets: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """First-order autoregressive noise of constant variance, and each video's offset: float32 [N, T, D]."""
    shape = (videos, snippets, simulation.channels)
    noise_NTD = generator.standard_normal(shape, np.float32) * np.float32(simulation.noise)
    correlation = np.float32(simulation.noise_correlation)
    fresh = np.sqrt(1 - correlation**2)
    for t in range(1, snippets):
        noise_NTD[:, t] = correlation * noise_NTD[:, t - 1] + fresh * noise_NTD[:, t]
    noise_NTD += np.float32(simulation.offset) * generator.standard_normal((videos, 1, shape[2]), np.float32)
    return noise_NTD


class _Video:
    """Instances of one video on its snippets: edges [T+1] seconds, inside [T] = share of a snippet in any instance."""

    def __init__(self, duration: float, segments: Floats, labels: NDArray[np.int64], snippets: int) -> None:
        self.duration, self.segments, self.labels = duration, segments, labels
        self.edges = np.linspace(0, duration, snippets + 1)
        self.centres = (self.edges[1:] + self.edges[:-1]) / 2
        self.inside = self.covered(segments).sum(0).clip(0, 1)

    def covered(self, segments: Floats) -> Floats:
        """Share of each snippet that each segment [M, 2] covers: [M, T]."""
        low, high = self.edges[:-1], self.edges[1:]
        shared = np.minimum(segments[:, 1:], high) - np.maximum(segments[:, :1], low)
        return np.asarray(shared.clip(0) / (high - low))


def _actions(simulation: Simulation, directions: _Directions, video: _Video, generator: np.random.Generator) -> Floats:
    """[T, D]: each third of an instance in the direction of its phase, with a random strength per instance."""
    start, length = video.segments[:, :1], np.diff(video.segments, axis=1)
    thirds_KP2 = np.stack(
        [start + length * np.arange(PHASES) / PHASES, start + length * np.arange(1, PHASES + 1) / PHASES], 2
    )
    share = simulation.motion_share
    vectors_KPD = (1 - share) * directions.action[video.labels] + share * directions.motion
    vectors_KPD *= simulation.action * generator.uniform(0.6, 1.4, (len(video.labels), 1, 1))
    features_TD: Floats = video.covered(thirds_KP2.reshape(-1, 2)).T @ vectors_KPD.reshape(-1, simulation.channels)
    return features_TD


def _scenes(simulation: Simulation, directions: _Directions, video: _Video, generator: np.random.Generator) -> Floats:
    """[T, D]: the direction of the scene, its context in scenes that carry it, and the context beside instances."""
    changes = np.cumsum(
        generator.exponential(simulation.scene_seconds, int(4 * video.duration / simulation.scene_seconds) + 9)
    )
    scene_T = np.searchsorted(changes, video.centres)
    kind_S = generator.integers(simulation.scenes, size=len(changes) + 1)
    carries_S = generator.random(len(changes) + 1) < simulation.context_share
    features_TD: Floats = directions.scene[kind_S[scene_T]]
    if not len(video.labels):
        return features_TD
    away_KT = np.maximum(video.segments[:, :1] - video.centres, video.centres - video.segments[:, 1:]).clip(0)
    nearest_T = away_KT.argmin(0)
    beside_T = np.exp(-away_KT.min(0) / simulation.context_seconds) * (1 - video.inside)
    level_T = simulation.context * np.maximum(beside_T, 0.5 * carries_S[scene_T])
    features_TD += level_T[:, None] * directions.context[video.labels[nearest_T]]
    return features_TD


def _bursts(simulation: Simulation, directions: _Directions, video: _Video, generator: np.random.Generator) -> Floats:
    """[T, D]: hard negatives outside the instances."""
    count = generator.poisson(simulation.bursts_per_minute * video.duration / 60) if len(video.labels) else 0
    start = generator.uniform(0, video.duration, (count, 1))
    segments_M2 = np.concatenate([start, start + generator.uniform(*BURST_SECONDS, (count, 1))], 1)
    label_M = video.labels[generator.integers(len(video.labels), size=count)] if count else np.zeros(0, np.int64)
    action_MD = directions.action[label_M, generator.integers(PHASES, size=count)]
    vectors_MD = (
        simulation.context * directions.context[label_M] + simulation.action * simulation.burst_action * action_MD
    )
    features_TD: Floats = (video.covered(segments_M2) * (1 - video.inside)).T @ vectors_MD
    return features_TD
